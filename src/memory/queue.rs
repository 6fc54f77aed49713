//! QUEUE, STACK and BLOOM_FILTER: one block of memory each, no keys.
//!
//! Source: kernel/bpf/queue_stack_maps.c, kernel/bpf/bloom_filter.c.

use super::alloc::{Wide, area};
use super::profile::{Build, Struct};
use super::{Figures, MapShape, MapType, Refused};

pub(super) fn figures(shape: &MapShape, build: &Build) -> Result<Figures, Refused> {
    let entries = Wide::from(shape.max_entries);
    let block = if shape.ty == MapType::BloomFilter {
        build.size(Struct::BloomFilter)? + bloom_bits(entries) / 8
    } else {
        // One slot stays free, so that full and empty differ; values are not padded.
        build.size(Struct::QueueStack)? + (entries + 1) * shape.value()
    };
    Ok(Figures::new(block, area(block), 0))
}

/// For the default of five hash functions: entries * hashes / ln 2 (as 7 / 5), up to a power of two.
fn bloom_bits(entries: Wide) -> Wide {
    (entries * 5 / 5 * 7).next_power_of_two().max(64)
}
