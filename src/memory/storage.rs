//! Local storage of tasks, cgroups, sockets and inodes, and the two old cgroup storages.
//!
//! Counts the map alone: values come with the objects they belong to, and memlock never shows them either.
//! Source: kernel/bpf/bpf_local_storage.c (bpf_local_storage_map_alloc, _usage), kernel/bpf/local_storage.c.

use super::alloc::{OWNER_POINTER, Refill, Wide, area, per_cpu, slab};
use super::profile::{Build, Struct};
use super::{Figures, MapShape, MapType, Refused};

/// `struct bpf_local_storage_elem` up to its value.
const ELEMENT_HEAD: Wide = 72;

pub(super) fn figures(shape: &MapShape, build: &Build, cpus: Wide) -> Result<Figures, Refused> {
    if matches!(shape.ty, MapType::CgroupStorage | MapType::PercpuCgroupStorage) {
        let map = build.size(Struct::CgroupStorageMap)?;
        return Ok(Figures::new(map, area(map), 0));
    }
    let map = build.size(Struct::LocalStorageMap)?;
    let buckets = build.size(Struct::LocalStorageMapBucket)? * cpus.next_power_of_two().max(2);
    let mut charged = area(map);
    // Allocated before the map has an owner to charge.
    let mut uncharged = slab(buckets).saturating_sub(OWNER_POINTER);
    if build.rules.storage_mem_alloc && matches!(shape.ty, MapType::TaskStorage | MapType::CgrpStorage) {
        for object in [ELEMENT_HEAD + shape.value(), build.size(Struct::LocalStorage)?] {
            charged += Refill::of(object + 8).objects(cpus, 0) * slab(object + 8);
            uncharged += per_cpu(build.size(Struct::MemCache)?, cpus);
        }
    }
    Ok(Figures::new(map + buckets, charged, uncharged))
}
