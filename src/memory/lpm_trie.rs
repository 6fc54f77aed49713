//! LPM_TRIE: nodes come and go with entries, and with the prefixes at which entries part.
//!
//! Source: kernel/bpf/lpm_trie.c (trie_mem_usage, trie_update_elem, lpm_trie_node_alloc).

use super::alloc::{Refill, Wide, area, per_cpu, slab};
use super::profile::{Build, Struct};
use super::{Figures, MapShape, Refused};

pub(super) fn figures(shape: &MapShape, build: &Build, cpus: Wide) -> Result<Figures, Refused> {
    let live = Wide::from(shape.live);
    let inner_node = build.size(Struct::LpmTrieNode)? + shape.key().saturating_sub(4);
    let leaf = inner_node + shape.value();
    // Entries part at one place less than there are entries, or at fewer if some contain others.
    let (fewest, most) = match shape.inner_nodes {
        Some(known) => (Wide::from(known), Wide::from(known)),
        None => (0, live.saturating_sub(1)),
    };
    let charged = |inner: Wide| -> Wide {
        if build.rules.lpm_mem_alloc {
            // One cache for both kinds of node.
            Refill::of(leaf + 8).objects(cpus, live + inner) * slab(leaf + 8)
        } else {
            live * slab(leaf) + inner * slab(inner_node)
        }
    };
    let root = area(build.size(Struct::LpmTrie)?);
    let uncharged = if build.rules.lpm_mem_alloc { per_cpu(build.size(Struct::MemCache)?, cpus) } else { 0 };
    let mut figures = Figures::new(leaf * live, 0, uncharged);
    figures.charged = (root + charged(fewest), root + charged(most));
    Ok(figures)
}
