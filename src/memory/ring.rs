//! RINGBUF and USER_RINGBUF: three pages of state, then the data, mapped twice through a list of pages.
//!
//! Source: kernel/bpf/ringbuf.c (bpf_ringbuf_area_alloc, ringbuf_map_mem_usage).

use super::alloc::{PAGE, Wide, area};
use super::profile::{Build, Struct};
use super::{Figures, MapShape, Refused};

pub(super) fn figures(shape: &MapShape, build: &Build) -> Result<Figures, Refused> {
    let map = build.size(Struct::RingbufMap)?;
    let data = Wide::from(shape.max_entries) / PAGE;
    let pages = (3 + data) * PAGE;
    let page_list = (3 + 2 * data) * 8;
    Ok(Figures::new(map + pages + page_list, area(map) + pages + area(page_list), 0))
}
