//! STACK_TRACE: a table of pointers, and every trace preallocated.
//!
//! Source: kernel/bpf/stackmap.c (stack_map_alloc, prealloc_elems_and_freelist, stack_map_mem_usage).

use super::alloc::{Wide, area, per_cpu};
use super::profile::{Build, Struct};
use super::{Figures, MapShape, Refused};

pub(super) fn figures(shape: &MapShape, build: &Build, cpus: Wide) -> Result<Figures, Refused> {
    let entries = Wide::from(shape.max_entries);
    let table = build.size(Struct::StackMap)? + 8 * entries.next_power_of_two();
    let traces = entries * (build.size(Struct::StackMapBucket)? + shape.value());
    let uncharged = per_cpu(build.size(Struct::FreelistHead)?, cpus);
    Ok(Figures::new(table + traces, area(table) + area(traces), uncharged))
}
