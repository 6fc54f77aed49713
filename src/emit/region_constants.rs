//! Where a linked program has the numbers of the node region, so that a loader can put those of a larger one there.
//!
//! A program is linked with stand-ins for them; [`fill`] finds each in the object's code, writes the number itself
//! and says where it is. Stand-ins are numbers that no program has otherwise: no region has such a mask or begins
//! its heads there, and no stencil shifts by [`SHIFT`] for another reason. Linking with the numbers themselves gives
//! the same bytes (a test compares them).

use std::collections::BTreeMap;

use object::{Object, ObjectSection, SectionKind};

use crate::artifact::manifest::{NodeRegion, RegionConstant, RegionValue};
use crate::bpf::Patch;

const MASK: i64 = 0x5e0d_0008;
const MASK_ANY: i64 = 0x5e0d_000f;
/// 2^23 cgroup slots would be more than any region has.
const SHIFT: i64 = 41;
/// In place of where the operation's heads begin.
pub const HEADS: u32 = 0x5e0d_1000;

/// The numbers of `bpf-templates/patch.h` that are of the region.
pub fn patches() -> BTreeMap<Patch, i64> {
    BTreeMap::from([(Patch(3), MASK), (Patch(4), MASK_ANY), (Patch(5), SHIFT)])
}

/// Puts the region's numbers into an object that was linked with stand-ins.
///
/// # Errors
/// If one of them is not found: the compiler's own fault.
pub fn fill(bytes: &mut [u8], region: &NodeRegion, heads: u32) -> Result<Vec<RegionConstant>, String> {
    let found = places(bytes)?;
    for value in [RegionValue::MaskAny, RegionValue::CgroupShift, RegionValue::Heads] {
        if !found.iter().any(|constant| constant.value == value) {
            return Err(format!("a program without a place for {value:?}"));
        }
    }
    for constant in &found {
        let at = constant.at as usize;
        bytes[at..at + 4].copy_from_slice(&region.constant(constant.value, heads).to_le_bytes());
    }
    Ok(found)
}

/// In the order of the code.
fn places(bytes: &[u8]) -> Result<Vec<RegionConstant>, String> {
    const SLOT: usize = 8;
    const LD_IMM64: u8 = 0x18;
    const RSH64_IMM: u8 = 0x77;
    let object = object::File::parse(bytes).map_err(|e| e.to_string())?;
    let mut found = vec![];
    for section in object.sections().filter(|section| section.kind() == SectionKind::Text) {
        let (first, _) = section.file_range().ok_or("a section of code without bytes")?;
        let code = section.data().map_err(|e| e.to_string())?;
        let mut slots = code.chunks_exact(SLOT).enumerate();
        while let Some((slot, insn)) = slots.next() {
            if insn[0] == LD_IMM64 {
                slots.next();
                continue;
            }
            // Class ALU or ALU64, with an immediate.
            let is_alu = matches!(insn[0] & 7, 4 | 7) && insn[0] & 8 == 0;
            let imm = i64::from(i32::from_le_bytes([insn[4], insn[5], insn[6], insn[7]]));
            let value = match imm {
                MASK if is_alu => RegionValue::Mask,
                MASK_ANY if is_alu => RegionValue::MaskAny,
                _ if is_alu && imm == i64::from(HEADS) => RegionValue::Heads,
                SHIFT if insn[0] == RSH64_IMM => RegionValue::CgroupShift,
                _ => continue,
            };
            let at = first as usize + slot * SLOT + 4;
            found.push(RegionConstant { at: u32::try_from(at).map_err(|e| e.to_string())?, value });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Else a program's own number would be taken for one of the region.
    #[test]
    fn no_stencil_has_a_stand_in_of_its_own() {
        assert_eq!(places(include_bytes!("../../bpf-templates/stencils.bpf.o")), Ok(vec![]));
    }
}
