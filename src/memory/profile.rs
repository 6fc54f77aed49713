//! What differs between kernels: struct sizes (per build) and rules (per version).
//!
//! Turns a kernel version, or the BTF of a target's vmlinux, into a [`KernelProfile`]. Guarantees that the three kernels
//! that were measured get their own figures; every other version gets several possible builds, so that forecasts for it
//! are ranges. Deliberately does not ask the running kernel.
//!
//! Struct sizes are per build, not per version (LSM, memcg and debug options change them).
//! Source: BTF of the three kernels; versions of the rules from the kernel sources named at each rule.

use crate::platform::KernelVersion;

use super::Refused;
use super::alloc::Wide;
use super::btf;

macro_rules! structs {
    ($($variant:ident $name:literal $debian61:literal $debian612:literal $v618:literal;)+) => {
        /// A kernel structure whose size enters a formula.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Struct { $($variant),+ }

        impl Struct {
            pub const ALL: &[Struct] = &[$(Struct::$variant),+];

            /// As BTF names it.
            pub fn name(self) -> &'static str {
                match self { $(Struct::$variant => $name),+ }
            }
        }

        const DEBIAN_6_1: StructSizes = StructSizes([$($debian61),+]);
        const DEBIAN_6_12: StructSizes = StructSizes([$($debian612),+]);
        const V6_18: StructSizes = StructSizes([$($v618),+]);
        const STRUCTS: usize = [$($name),+].len();
    };
}

structs! {
    //                                                6.1.192  6.12.117  6.18.44
    Htab             "bpf_htab"                       832  896  832;
    HtabElem         "htab_elem"                      48   48   48;
    Bucket           "bucket"                         16   16   16;
    Array            "bpf_array"                      320  264  312;
    ArrayAux         "bpf_array_aux"                  88   88   88;
    LpmTrie          "lpm_trie"                       320  288  400;
    LpmTrieNode      "lpm_trie_node"                  40   40   24;
    RingbufMap       "bpf_ringbuf_map"                320  256  304;
    BloomFilter      "bpf_bloom_filter"               320  264  312;
    QueueStack       "bpf_queue_stack"                320  264  312;
    StackMap         "bpf_stack_map"                  320  288  320;
    StackMapBucket   "stack_map_bucket"               16   16   16;
    LocalStorageMap  "bpf_local_storage_map"          320  432  448;
    LocalStorageMapBucket "bpf_local_storage_map_bucket" 16 16  16;
    // Not read on 6.1, where no formula needs it.
    LocalStorage     "bpf_local_storage"              0    176  176;
    CgroupStorageMap "bpf_cgroup_storage_map"         320  280  328;
    Prog             "bpf_prog"                       72   72   96;
    ProgAux          "bpf_prog_aux"                   1080 1128 1304;
    ProgStats        "bpf_prog_stats"                 32   32   32;
    LruList          "bpf_lru_list"                   128  128  128;
    LruLocalList     "bpf_lru_locallist"              40   40   32;
    MemCache         "bpf_mem_cache"                  128  224  208;
    FreelistHead     "pcpu_freelist_head"             16   16   16;
    Dtab             "bpf_dtab"                       320  296  344;
    CpuMap           "bpf_cpu_map"                    320  256  304;
    XskMap           "xsk_map"                        320  256  304;
    Stab             "bpf_stab"                       320  328  376;
    Shtab            "bpf_shtab"                      320  336  384;
    ShtabBucket      "bpf_shtab_bucket"               16   16   16;
    ReuseportArray   "reuseport_array"                256  248  296;
}

/// The size of each [`Struct`] in one build; 0 means that the build does not have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StructSizes([u32; STRUCTS]);

impl StructSizes {
    /// Read from a vmlinux BTF blob (/sys/kernel/btf/vmlinux, or a copy of it).
    ///
    /// # Errors
    /// If the bytes are not BTF, or do not describe the structures that every BPF kernel has.
    pub fn from_btf(btf: &[u8]) -> Result<StructSizes, btf::BadBtf> {
        let names: Vec<&str> = Struct::ALL.iter().map(|s| s.name()).collect();
        let mut sizes = StructSizes([0; STRUCTS]);
        sizes.0.copy_from_slice(&btf::struct_sizes(btf, &names)?);
        for needed in [Struct::Htab, Struct::Array, Struct::RingbufMap, Struct::Prog, Struct::ProgAux] {
            if sizes.0[needed as usize] == 0 {
                return Err(btf::BadBtf::Missing(needed.name()));
            }
        }
        Ok(sizes)
    }
}

/// What `memlock:` of fdinfo means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accounting {
    /// 5.11 to 6.3: a guess from the attributes (kernel/bpf/syscall.c, bpf_map_memory_footprint).
    Footprint,
    /// 6.4 and newer: the map's own count (map_mem_usage).
    Usage,
}

/// Behaviour that changed from version to version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    pub accounting: Accounting,
    /// Hash elements without preallocation come from bpf_mem_alloc (6.1; plain kmalloc before).
    pub htab_mem_alloc: bool,
    /// Task and cgroup storage keep two bpf_mem_alloc caches each (6.4).
    pub storage_mem_alloc: bool,
    /// LPM nodes come from bpf_mem_alloc (between 6.13 and 6.18).
    pub lpm_mem_alloc: bool,
    /// A hash has eight per-CPU lock counters (gone between 6.13 and 6.18; memlock counts them still).
    pub htab_locks: bool,
    /// HASH_OF_MAPS has spare elements, one a CPU (until between 6.13 and 6.18).
    pub fd_htab_spares: bool,
    /// LRU hashes have spare elements, one a CPU (proposed after 6.18).
    pub lru_spares: bool,
    /// Jited code shares packs of 2 MiB (5.18); before, each program has pages of its own.
    pub jit_packs: bool,
}

impl Rules {
    fn of(version: KernelVersion) -> Rules {
        let since = |major, minor| version >= KernelVersion::new(major, minor);
        Rules {
            accounting: if since(6, 4) { Accounting::Usage } else { Accounting::Footprint },
            htab_mem_alloc: since(6, 1),
            storage_mem_alloc: since(6, 4),
            lpm_mem_alloc: since(6, 18),
            htab_locks: !since(6, 18),
            fd_htab_spares: !since(6, 18),
            lru_spares: false,
            jit_packs: since(5, 18),
        }
    }
}

/// One kernel binary as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Build {
    pub sizes: StructSizes,
    pub rules: Rules,
}

impl Build {
    /// # Errors
    /// [`Refused::NotInBuild`] if the build has no such structure, hence not the map type that needs it.
    pub(super) fn size(&self, of: Struct) -> Result<Wide, Refused> {
        match self.sizes.0[of as usize] {
            0 => Err(Refused::NotInBuild(of.name())),
            size => Ok(Wide::from(size)),
        }
    }
}

/// A kernel to forecast for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelProfile {
    /// Says which kernel the figures stand for.
    pub name: String,
    pub version: KernelVersion,
    /// Formulas and struct sizes were compared with measurements on this very build.
    pub measured: bool,
    /// Never empty; what they disagree on becomes a range.
    pub(super) builds: Vec<Build>,
}

/// Older kernels show neither a footprint nor usage but pages charged to RLIMIT_MEMLOCK, by formulas never run here.
pub const OLDEST_MODELLED: KernelVersion = KernelVersion::new(5, 11);

const MEASURED: [(KernelVersion, &str, StructSizes); 3] = [
    (KernelVersion::new(6, 1), "Debian 6.1.192", DEBIAN_6_1),
    (KernelVersion::new(6, 12), "Debian 6.12.117", DEBIAN_6_12),
    (KernelVersion::new(6, 18), "6.18.44", V6_18),
];

impl KernelProfile {
    /// The built-in profile of a version: one of the measured kernels, or a range over builds like them.
    ///
    /// # Errors
    /// [`Refused::KernelTooOld`] before 5.11.
    pub fn of(version: KernelVersion) -> Result<KernelProfile, Refused> {
        check_version(version)?;
        if let Some((_, name, sizes)) = MEASURED.iter().find(|m| m.0 == version) {
            let builds = vec![Build { sizes: *sizes, rules: Rules::of(version) }];
            return Ok(KernelProfile { name: (*name).into(), version, measured: true, builds });
        }
        let rules = possible_rules(version);
        let builds =
            MEASURED.iter().flat_map(|m| rules.iter().map(|&rules| Build { sizes: m.2, rules })).collect();
        Ok(KernelProfile {
            name: format!("{version}, struct sizes not known"),
            version,
            measured: false,
            builds,
        })
    }

    /// A profile with the struct sizes of one target.
    ///
    /// # Errors
    /// [`Refused::KernelTooOld`] before 5.11.
    pub fn with_sizes(version: KernelVersion, sizes: StructSizes) -> Result<KernelProfile, Refused> {
        check_version(version)?;
        if let Some((_, name, _)) = MEASURED.iter().find(|m| m.0 == version && m.2 == sizes) {
            let builds = vec![Build { sizes, rules: Rules::of(version) }];
            return Ok(KernelProfile { name: (*name).into(), version, measured: true, builds });
        }
        let builds = possible_rules(version).into_iter().map(|rules| Build { sizes, rules }).collect();
        Ok(KernelProfile {
            name: format!("{version}, struct sizes from its BTF"),
            version,
            measured: false,
            builds,
        })
    }
}

fn check_version(version: KernelVersion) -> Result<(), Refused> {
    if version < OLDEST_MODELLED { Err(Refused::KernelTooOld(version)) } else { Ok(()) }
}

/// All that a kernel of this version may do, where the version of a change is not known.
fn possible_rules(version: KernelVersion) -> Vec<Rules> {
    let rules = Rules::of(version);
    if version > KernelVersion::new(6, 18) {
        return vec![rules, Rules { lru_spares: true, ..rules }];
    }
    if version > KernelVersion::new(6, 12) && version < KernelVersion::new(6, 18) {
        let newer = Rules { lpm_mem_alloc: true, htab_locks: false, fd_htab_spares: false, ..rules };
        return vec![rules, newer];
    }
    vec![rules]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measured_kernels_are_one_build_and_others_are_several() {
        for (version, ..) in MEASURED {
            let profile = KernelProfile::of(version).unwrap();
            assert!(profile.measured && profile.builds.len() == 1);
        }
        let between = KernelProfile::of(KernelVersion::new(6, 15)).unwrap();
        assert!(!between.measured);
        assert_eq!(between.builds.len(), 6);
        assert!(matches!(KernelProfile::of(KernelVersion::new(5, 10)), Err(Refused::KernelTooOld(_))));
    }

    #[test]
    fn the_sizes_of_a_measured_kernel_give_its_profile_back() {
        let version = KernelVersion::new(6, 12);
        assert_eq!(KernelProfile::with_sizes(version, DEBIAN_6_12), KernelProfile::of(version));
        assert!(!KernelProfile::with_sizes(version, V6_18).unwrap().measured);
    }
}
