//! What a node region says to programs, and a manifest whose region is larger.

use super::{Manifest, NodeRegion, Program, RegionConstant, RegionValue};
use crate::abi;
use crate::node::{Part, layout};

impl NodeRegion {
    /// What a program of the operation whose heads begin at `heads` has for it.
    pub fn constant(&self, value: RegionValue, heads: u32) -> u32 {
        match value {
            RegionValue::Mask => self.mask,
            RegionValue::MaskAny => self.mask | abi::REF_FLAGS,
            RegionValue::CgroupShift => 64 - self.cgroup_slots.trailing_zeros(),
            RegionValue::Heads => heads,
        }
    }
}

impl Manifest {
    /// Name of the map that is the node region.
    pub const NODE_MAP: &str = "node";

    /// The same manifest with twice as much of what was full. Objects are those for the smaller region: see
    /// [`Manifest::put_constants`]. `None` if programs could not index so large a region.
    pub fn grown(&self, part: Part) -> Option<Manifest> {
        let (node, heads) = layout::grown(&self.node, part, self.operations.len())?;
        let mut manifest = self.clone();
        for (operation, heads) in manifest.operations.iter_mut().zip(heads) {
            operation.heads_offset = heads;
        }
        for map in manifest.maps.iter_mut().filter(|map| map.name == Manifest::NODE_MAP) {
            map.value_size = node.bytes;
        }
        manifest.node = node;
        Some(manifest)
    }

    /// Each place of the program's object at which a number of the region is, and the four bytes there.
    pub fn constants<'a>(&'a self, program: &'a Program) -> impl Iterator<Item = (usize, [u8; 4])> + 'a {
        let heads = self.operation(program.operation).map_or(0, |operation| operation.heads_offset);
        let constant = move |&RegionConstant { at, value }: &RegionConstant| {
            (at as usize, self.node.constant(value, heads).to_le_bytes())
        };
        program.region_constants.iter().map(constant)
    }

    /// Writes the region's numbers into the program's object. Places outside it are left out.
    pub fn put_constants(&self, program: &Program, object: &mut [u8]) {
        for (at, bytes) in self.constants(program) {
            if let Some(place) = object.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
                *place = bytes;
            }
        }
    }
}
