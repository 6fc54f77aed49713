//! What maps and programs cost in which kernel.
//!
//! Turns the attributes of a map ([`MapShape`]) or a program ([`ProgramShape`]), a [`KernelProfile`] and a number of
//! possible CPUs into a [`Cost`]: what the kernel itself will show as `memlock`, what it charges to the loader's memory
//! cgroup, and what it takes and charges to nobody. Assumes x86-64 pages of 4 KiB and memory accounting switched on.
//! Guarantees: `memlock` is exact for the three kernels that were measured (a test compares every measured row); where
//! something is not known the result is a range, and shapes that the kernel refuses are refused here. Knows no policy
//! and asks no kernel.
//!
//! Not counted anywhere: file descriptors and their files, LSM blobs, page tables, ids, links and trampolines.
//!
//! Source: kernel/bpf/*.c of Debian's 6.1.192 and 6.12.117; measurements in tests/data/kernel-memory.

mod alloc;
mod amount;
mod array;
mod btf;
mod hash;
mod lpm_trie;
mod map_type;
mod profile;
mod program;
mod queue;
mod redirect;
mod ring;
mod stack_trace;
mod storage;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::platform::KernelVersion;

use alloc::{PAGE, Wide, round_up, to_page, to_word};
pub use amount::{Amount, Bytes};
pub use btf::{BadBtf, btf_cost};
pub use map_type::MapType;
use profile::{Accounting, Build};
pub use profile::{KernelProfile, OLDEST_MODELLED, Struct, StructSizes};
pub use program::{FunctionShape, JitedSize, ProgramCost, ProgramShape, XlatedSize, program_cost};

/// Elements are allocated when they are inserted.
pub const NO_PREALLOC: u32 = 1;
/// One LRU list a CPU.
pub const NO_COMMON_LRU: u32 = 2;
/// User space may map the values.
pub const MMAPABLE: u32 = 1 << 10;

/// The attributes of a map. Flags that are not named here do not change what it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MapShape {
    pub ty: MapType,
    pub key_size: u32,
    pub value_size: u32,
    /// Bytes for the ring buffers, pages for the arena.
    pub max_entries: u32,
    /// As in `union bpf_attr`.
    pub flags: u32,
    /// Entries present; decides what a hash without preallocation and an LPM trie take.
    pub live: u32,
    /// Inner nodes of an LPM trie: prefixes at which two entries part and that are no entry. `None`: not known.
    pub inner_nodes: Option<u32>,
}

impl MapShape {
    pub fn new(ty: MapType, key_size: u32, value_size: u32, max_entries: u32) -> MapShape {
        MapShape { ty, key_size, value_size, max_entries, flags: 0, live: 0, inner_nodes: None }
    }

    #[must_use]
    pub fn flags(self, flags: u32) -> MapShape {
        MapShape { flags, ..self }
    }

    #[must_use]
    pub fn live(self, live: u32) -> MapShape {
        MapShape { live, ..self }
    }

    fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    fn key(&self) -> Wide {
        self.key_size.into()
    }

    fn value(&self) -> Wide {
        self.value_size.into()
    }

    /// As the kernel takes it: one LRU list a CPU needs equal parts.
    fn entries(&self, cpus: Wide) -> Wide {
        let entries = self.max_entries.into();
        if self.has(NO_COMMON_LRU) { round_up(entries, cpus) } else { entries }
    }
}

/// How far a forecast of charged memory is proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exactness {
    /// Compared with measurements on this kernel build; right within the error of measurement.
    Measured,
    /// From the kernel's source or from other builds; not compared with this one.
    Derived,
    /// Depends on more than the attributes; a range that held for all measurements, far apart.
    Unpredictable,
}

/// What one map takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// `memlock:` of the map's fdinfo, which bpftool shows.
    pub memlock: Amount,
    /// Charged to the memory cgroup of whoever creates the map.
    pub charged: Amount,
    /// Taken beside that and charged to nobody: mostly per-CPU areas.
    pub uncharged: Amount,
    /// Of `charged` and `uncharged`.
    pub exactness: Exactness,
}

/// Why there is no forecast: the kernel would refuse the map, or the model does not cover it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    KernelTooOld(KernelVersion),
    NoSuchType {
        ty: MapType,
        kernel: KernelVersion,
    },
    /// The kernel was built without this structure, so without the map type.
    NotInBuild(&'static str),
    Shape {
        ty: MapType,
        why: &'static str,
    },
    NoCpu,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::KernelTooOld(v) => {
                write!(f, "memory of kernels before {OLDEST_MODELLED} is not modelled (asked for {v})")
            }
            Refused::NoSuchType { ty, kernel } => {
                write!(f, "kernel {kernel} has no map type {} (since {})", ty.name(), ty.since())
            }
            Refused::NotInBuild(name) => write!(f, "the target kernel is built without `struct {name}`"),
            Refused::Shape { ty, why } => write!(f, "the kernel refuses this {} map: {why}", ty.name()),
            Refused::NoCpu => f.write_str("a node has at least one CPU"),
        }
    }
}

impl std::error::Error for Refused {}

/// What one build says of one map, before it is put together.
struct Figures {
    /// map_mem_usage.
    usage: Wide,
    /// Least and most.
    charged: (Wide, Wide),
    uncharged: Wide,
    exactness: Exactness,
}

impl Figures {
    fn new(usage: Wide, charged: Wide, uncharged: Wide) -> Figures {
        Figures { usage, charged: (charged, charged), uncharged, exactness: Exactness::Measured }
    }
}

/// What a map takes on a node with `cpus` possible CPUs (`/sys/devices/system/cpu/possible`, often more than online).
///
/// # Errors
/// If that kernel would not create the map.
pub fn map_cost(shape: &MapShape, kernel: &KernelProfile, cpus: u32) -> Result<Cost, Refused> {
    check(shape, kernel.version, cpus)?;
    let cpus = Wide::from(cpus);
    let mut cost: Option<Cost> = None;
    for build in &kernel.builds {
        let mut next = cost_in(shape, build, cpus)?;
        if !kernel.measured {
            next.exactness = next.exactness.max(Exactness::Derived);
        }
        cost = Some(match cost {
            None => next,
            Some(so_far) => Cost {
                memlock: so_far.memlock.union(next.memlock),
                charged: so_far.charged.union(next.charged),
                uncharged: so_far.uncharged.union(next.uncharged),
                exactness: so_far.exactness.max(next.exactness),
            },
        });
    }
    cost.ok_or(Refused::KernelTooOld(kernel.version))
}

fn cost_in(shape: &MapShape, build: &Build, cpus: Wide) -> Result<Cost, Refused> {
    use MapType as T;
    let entries = Wide::from(shape.max_entries);
    let figures = match shape.ty {
        T::Hash | T::LruHash | T::PercpuHash | T::LruPercpuHash | T::HashOfMaps => {
            hash::figures(shape, build, cpus)?
        }
        T::Array | T::ProgArray | T::PerfEventArray | T::PercpuArray | T::CgroupArray | T::ArrayOfMaps => {
            array::figures(shape, build, cpus)?
        }
        T::LpmTrie => lpm_trie::figures(shape, build, cpus)?,
        T::Ringbuf | T::UserRingbuf => ring::figures(shape, build)?,
        T::Queue | T::Stack | T::BloomFilter => queue::figures(shape, build)?,
        T::StackTrace => stack_trace::figures(shape, build, cpus)?,
        T::TaskStorage
        | T::CgrpStorage
        | T::SkStorage
        | T::InodeStorage
        | T::CgroupStorage
        | T::PercpuCgroupStorage => storage::figures(shape, build, cpus)?,
        T::Devmap => redirect::beside(build, Struct::Dtab, 8 * entries)?,
        T::DevmapHash => redirect::beside(build, Struct::Dtab, 8 * entries.next_power_of_two())?,
        T::Cpumap => redirect::beside(build, Struct::CpuMap, 8 * entries)?,
        T::Sockmap => redirect::beside(build, Struct::Stab, 8 * entries)?,
        T::Sockhash => {
            let bucket = build.size(Struct::ShtabBucket)?;
            redirect::beside(build, Struct::Shtab, bucket * entries.next_power_of_two())?
        }
        T::Xskmap => redirect::inside(build, Struct::XskMap, 8 * entries)?,
        T::ReuseportSockarray => redirect::inside(build, Struct::ReuseportArray, 8 * entries)?,
        T::Arena => arena(shape),
    };
    let memlock = match build.rules.accounting {
        Accounting::Usage => figures.usage,
        Accounting::Footprint => footprint(shape, cpus),
    };
    Ok(Cost {
        memlock: Amount::of_wide(memlock, memlock),
        charged: Amount::of_wide(figures.charged.0, figures.charged.1),
        uncharged: Amount::of_wide(figures.uncharged, figures.uncharged),
        exactness: figures.exactness,
    })
}

/// bpf_map_memory_footprint: keys and values in pages, nothing of the structures around them.
///
/// Ring buffers and local storage have no keys or no entries there, so they come out as 0.
fn footprint(shape: &MapShape, cpus: Wide) -> Wide {
    use MapType as T;
    let value = match shape.ty {
        T::PercpuHash | T::LruPercpuHash | T::PercpuArray | T::PercpuCgroupStorage => {
            to_word(shape.value()) * cpus
        }
        T::PerfEventArray | T::CgroupArray | T::ArrayOfMaps | T::HashOfMaps => 4,
        T::Hash
        | T::Array
        | T::ProgArray
        | T::StackTrace
        | T::LruHash
        | T::LpmTrie
        | T::Devmap
        | T::Sockmap
        | T::Cpumap
        | T::Xskmap
        | T::Sockhash
        | T::CgroupStorage
        | T::ReuseportSockarray
        | T::Queue
        | T::Stack
        | T::SkStorage
        | T::DevmapHash
        | T::Ringbuf
        | T::InodeStorage
        | T::TaskStorage
        | T::BloomFilter
        | T::UserRingbuf
        | T::CgrpStorage
        | T::Arena => shape.value(),
    };
    to_page(shape.entries(cpus) * to_word(shape.key() + value))
}

/// Pages come when they are touched, so anything up to all of them, their page tables and the map itself. Not measured;
/// memlock is 0 as read in 6.12 (kernel/bpf/arena.c).
fn arena(shape: &MapShape) -> Figures {
    let pages = Wide::from(shape.max_entries);
    let most = pages * PAGE + (pages / 512 + 4) * PAGE;
    Figures { usage: 0, charged: (0, most), uncharged: 0, exactness: Exactness::Derived }
}

/// Largest value of a map that has one on each CPU (include/linux/percpu.h).
const PCPU_MIN_UNIT_SIZE: Wide = 32 << 10;

/// What map_alloc_check and map_alloc refuse, as far as a formula would otherwise mean nothing.
fn check(shape: &MapShape, kernel: KernelVersion, cpus: u32) -> Result<(), Refused> {
    use MapType as T;
    let ty = shape.ty;
    let refuse = |why| Err(Refused::Shape { ty, why });
    if cpus == 0 {
        return Err(Refused::NoCpu);
    }
    if ty.since() > kernel {
        return Err(Refused::NoSuchType { ty, kernel });
    }
    let entries_from_elsewhere = matches!(
        ty,
        T::TaskStorage
            | T::CgrpStorage
            | T::SkStorage
            | T::InodeStorage
            | T::CgroupStorage
            | T::PercpuCgroupStorage
    );
    if entries_from_elsewhere && shape.max_entries != 0 {
        return refuse("max_entries must be 0");
    }
    if !entries_from_elsewhere && shape.max_entries == 0 {
        return refuse("max_entries must not be 0");
    }
    if shape.live > shape.max_entries && !entries_from_elsewhere {
        return refuse("it holds more entries than max_entries");
    }
    let per_cpu = matches!(ty, T::PercpuArray | T::PercpuHash | T::LruPercpuHash);
    if per_cpu && to_word(shape.value()) > PCPU_MIN_UNIT_SIZE {
        return refuse("a value has at most 32 KiB");
    }
    let ring = matches!(ty, T::Ringbuf | T::UserRingbuf);
    if ring && (!shape.max_entries.is_power_of_two() || shape.max_entries < 4096) {
        return refuse("max_entries must be a power of two of pages, in bytes");
    }
    if ty == T::LpmTrie && shape.key_size < 5 {
        return refuse("a key has 4 bytes of length and at least one of data");
    }
    if ty == T::LpmTrie && !shape.has(NO_PREALLOC) {
        return refuse("BPF_F_NO_PREALLOC must be set");
    }
    Ok(())
}
