//! The kernel's map types. To add one: a row here, then follow the compiler to its formula.
//!
//! Source: include/uapi/linux/bpf.h of 6.12; versions from the kernels that introduced them.

use crate::platform::KernelVersion;

macro_rules! map_types {
    ($($variant:ident $name:literal $id:literal since ($major:literal, $minor:literal);)+) => {
        /// A map type of the kernel.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum MapType { $($variant),+ }

        impl MapType {
            pub const ALL: &[MapType] = &[$(MapType::$variant),+];

            /// Without `BPF_MAP_TYPE_`.
            pub fn name(self) -> &'static str {
                match self { $(MapType::$variant => $name),+ }
            }

            /// Number in `enum bpf_map_type`.
            pub fn id(self) -> u32 {
                match self { $(MapType::$variant => $id),+ }
            }

            /// The first kernel that has the type.
            pub fn since(self) -> KernelVersion {
                match self { $(MapType::$variant => KernelVersion::new($major, $minor)),+ }
            }
        }
    };
}

map_types! {
    Hash               "HASH"                  1  since (3, 19);
    Array              "ARRAY"                 2  since (3, 19);
    ProgArray          "PROG_ARRAY"            3  since (4, 2);
    PerfEventArray     "PERF_EVENT_ARRAY"      4  since (4, 3);
    PercpuHash         "PERCPU_HASH"           5  since (4, 6);
    PercpuArray        "PERCPU_ARRAY"          6  since (4, 6);
    StackTrace         "STACK_TRACE"           7  since (4, 6);
    CgroupArray        "CGROUP_ARRAY"          8  since (4, 8);
    LruHash            "LRU_HASH"              9  since (4, 10);
    LruPercpuHash      "LRU_PERCPU_HASH"       10 since (4, 10);
    LpmTrie            "LPM_TRIE"              11 since (4, 11);
    ArrayOfMaps        "ARRAY_OF_MAPS"         12 since (4, 12);
    HashOfMaps         "HASH_OF_MAPS"          13 since (4, 12);
    Devmap             "DEVMAP"                14 since (4, 14);
    Sockmap            "SOCKMAP"               15 since (4, 14);
    Cpumap             "CPUMAP"                16 since (4, 15);
    Xskmap             "XSKMAP"                17 since (4, 18);
    Sockhash           "SOCKHASH"              18 since (4, 18);
    CgroupStorage      "CGROUP_STORAGE"        19 since (4, 19);
    ReuseportSockarray "REUSEPORT_SOCKARRAY"   20 since (4, 19);
    PercpuCgroupStorage "PERCPU_CGROUP_STORAGE" 21 since (4, 20);
    Queue              "QUEUE"                 22 since (4, 20);
    Stack              "STACK"                 23 since (4, 20);
    SkStorage          "SK_STORAGE"            24 since (5, 2);
    DevmapHash         "DEVMAP_HASH"           25 since (5, 4);
    Ringbuf            "RINGBUF"               27 since (5, 8);
    InodeStorage       "INODE_STORAGE"         28 since (5, 10);
    TaskStorage        "TASK_STORAGE"          29 since (5, 11);
    BloomFilter        "BLOOM_FILTER"          30 since (5, 16);
    UserRingbuf        "USER_RINGBUF"          31 since (6, 1);
    CgrpStorage        "CGRP_STORAGE"          32 since (6, 2);
    Arena              "ARENA"                 33 since (6, 9);
}

impl MapType {
    pub fn by_name(name: &str) -> Option<MapType> {
        MapType::ALL.iter().copied().find(|t| t.name() == name)
    }

    pub fn by_id(id: u32) -> Option<MapType> {
        MapType::ALL.iter().copied().find(|t| t.id() == id)
    }
}
