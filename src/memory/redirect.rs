//! Maps that hold devices, CPUs and sockets: DEVMAP, DEVMAP_HASH, CPUMAP, XSKMAP, SOCKMAP, SOCKHASH, REUSEPORT_SOCKARRAY.
//!
//! Counts them empty, as they are loaded. Source: kernel/bpf/devmap.c, cpumap.c, reuseport_array.c, net/xdp/xskmap.c,
//! net/core/sock_map.c.

use super::alloc::{Wide, area};
use super::profile::{Build, Struct};
use super::{Figures, Refused};

/// Slots in a block of their own.
pub(super) fn beside(build: &Build, map: Struct, slots: Wide) -> Result<Figures, Refused> {
    let map = build.size(map)?;
    Ok(Figures::new(map + slots, area(map) + area(slots), 0))
}

/// Slots at the end of the structure.
pub(super) fn inside(build: &Build, map: Struct, slots: Wide) -> Result<Figures, Refused> {
    let map = build.size(map)?;
    Ok(Figures::new(map + slots, area(map + slots), 0))
}
