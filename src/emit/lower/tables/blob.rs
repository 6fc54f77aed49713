//! A region under construction: bytes that only grow, every table at a multiple of 8.
//!
//! Guarantees: offset 0 is the header's, so no reference is 0; padding is zero; nothing is moved once put.
//! Not here: the bytes behind the used length. A region takes [`Region::size`] bytes in memory, the image
//! holds the used ones, and the rest is zero.

use super::TableError;
use crate::artifact::abi::{self, edge, tables_header};

/// The verifier refuses a variable offset of 2^29 or more (`BPF_MAX_VAR_OFF`, Linux 6.1 `bpf_verifier.h`);
/// half of that leaves room for the tail and is far above what fits a node's memory budget.
const REGION_MAX: usize = 1 << 28;

/// Bytes of one region, growing.
#[derive(Clone, Debug)]
pub struct Blob {
    bytes: Vec<u8>,
}

/// A finished region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// The used bytes, a multiple of 8.
    pub bytes: Vec<u8>,
    /// What a program ANDs a reference with; an immediate in its instructions.
    pub mask: u32,
}

impl Region {
    /// Bytes in memory, which is the size of the map value.
    pub fn size(&self) -> usize {
        abi::region_size(self.mask)
    }
}

impl Blob {
    /// The tables of one operation, with their header and the edge that matches nothing.
    pub fn tables() -> Blob {
        let mut bytes = vec![0; tables_header::SIZE];
        bytes[abi::EDGE_NONE as usize + edge::MASK..].fill(0xff);
        let mut blob = Blob { bytes };
        blob.set_u32(tables_header::MAGIC as u32, abi::TABLES_MAGIC);
        blob.set_u32(tables_header::ABI as u32, abi::TABLES_ABI);
        blob
    }

    /// Used bytes so far, a multiple of 8.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Appends bytes, padded to 8, and returns their offset.
    pub fn put(&mut self, bytes: &[u8]) -> Result<u32, TableError> {
        let at = self.reserve(bytes.len())?;
        self.bytes[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
        Ok(at)
    }

    /// Appends zeros, to be written by [`set_u32`](Blob::set_u32) and its like.
    pub fn reserve(&mut self, len: usize) -> Result<u32, TableError> {
        let at = self.bytes.len();
        let end = at.saturating_add(len).checked_next_multiple_of(8).unwrap_or(usize::MAX);
        if end > REGION_MAX {
            return Err(TableError::RegionTooLarge { bytes: end });
        }
        self.bytes.resize(end, 0);
        Ok(at as u32)
    }

    /// # Panics
    /// If the place was not reserved before.
    pub fn set_u32(&mut self, at: u32, value: u32) {
        self.bytes[at as usize..at as usize + 4].copy_from_slice(&value.to_le_bytes());
    }

    pub fn finish(mut self) -> Region {
        let len = self.bytes.len();
        self.set_u32(tables_header::LEN as u32, len as u32);
        let mask = abi::region_mask(len).expect("reserve keeps a region below 2^28");
        Region { bytes: self.bytes, mask }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_and_empty_edge() {
        let region = Blob::tables().finish();
        assert_eq!(abi::u32_at(&region.bytes, tables_header::MAGIC), Some(abi::TABLES_MAGIC));
        assert_eq!(abi::u32_at(&region.bytes, tables_header::LEN), Some(80));
        let none = &region.bytes[abi::EDGE_NONE as usize..];
        assert_eq!(abi::u64_at(none, edge::NEXT), Some(0), "no next, length 0");
        assert!(none[edge::MASK..].iter().all(|&b| b == 0xff), "mask and words equal no name");
        assert_eq!((region.mask, region.size()), (120, 128 + 512));
    }

    #[test]
    fn everything_is_aligned_and_zero_padded() {
        let mut blob = Blob::tables();
        let a = blob.put(b"abc").unwrap();
        let b = blob.put(b"12345678").unwrap();
        let c = blob.put(b"").unwrap();
        let d = blob.reserve(1).unwrap();
        assert_eq!((a, b, c, d), (80, 88, 96, 96));
        let region = blob.finish();
        assert_eq!(&region.bytes[80..88], b"abc\0\0\0\0\0");
        assert_eq!(region.bytes.len(), 104);
    }

    #[test]
    fn a_region_has_a_largest_size() {
        let mut blob = Blob::tables();
        assert_eq!(blob.reserve(usize::MAX), Err(TableError::RegionTooLarge { bytes: usize::MAX }));
        assert_eq!(
            blob.reserve(REGION_MAX - 80 + 1),
            Err(TableError::RegionTooLarge { bytes: REGION_MAX + 8 })
        );
        assert_eq!(blob.len(), 80);
    }
}
