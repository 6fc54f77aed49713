//! ARRAY, PERCPU_ARRAY and the arrays of file descriptors: PROG_ARRAY, PERF_EVENT_ARRAY, CGROUP_ARRAY, ARRAY_OF_MAPS.
//!
//! Source: kernel/bpf/arraymap.c (array_map_alloc, array_map_mem_usage). What a slot points to is not counted here:
//! inner maps and programs are items of their own.

use super::alloc::{Wide, area, per_cpu, slab, to_page, to_word};
use super::profile::{Build, Struct};
use super::{Figures, MMAPABLE, MapShape, MapType, Refused};

pub(super) fn figures(shape: &MapShape, build: &Build, cpus: Wide) -> Result<Figures, Refused> {
    let head = build.size(Struct::Array)?;
    let entries = Wide::from(shape.max_entries);
    let values = entries * to_word(shape.value());
    if shape.ty == MapType::PercpuArray {
        let uncharged = entries * per_cpu(to_word(shape.value()), cpus);
        return Ok(Figures::new(head + 8 * entries + values * cpus, area(head + 8 * entries), uncharged));
    }
    if shape.has(MMAPABLE) {
        // The head has a page of its own, so that values can be mapped.
        let pages = to_page(head) + to_page(values);
        return Ok(Figures::new(pages, pages, 0));
    }
    let calls = if shape.ty == MapType::ProgArray { slab(build.size(Struct::ArrayAux)?) } else { 0 };
    Ok(Figures::new(head + values, area(head + values) + calls, 0))
}
