//! Images of kernel maps: what a map holds once it is filled.
//!
//! A *map image* is a header of 64 bytes, then all keys, then all values, each range contiguous and without
//! padding, so that a loader maps the file and passes both ranges to one `BPF_MAP_UPDATE_BATCH`. Keys are in
//! ascending order of their bytes and each stands once: a batch update silently lets the last of two win.
//! A *tables image* is the beginning of the one value of the map `tables`; it has magic, ABI number and length
//! of its own, and what follows it in the map is zero.
//!
//! Reading never panics, whatever the bytes; every size is compared with the file's length. What only the node
//! knows (file descriptors, cgroup ids, the number of CPUs) is never in an image.
//!
//! Header, little endian: `u32 magic, version, flags, map type, key size, value size, count, max entries`, then
//! zeros. Map types are the kernel's numbers.

use std::fmt;

use super::abi::{self, u32_at};
use super::manifest::MapType;

pub const MAGIC: u32 = 0x474d_4946; // "FIMG"
pub const VERSION: u32 = 1;
pub const HEADER: usize = 64;
/// Flag: the value is that of every CPU; the loader repeats it.
pub const EVERY_CPU: u32 = 1;

const MAGIC_AT: usize = 0;
const VERSION_AT: usize = 4;
const FLAGS_AT: usize = 8;
const TYPE_AT: usize = 12;
const KEY_SIZE_AT: usize = 16;
const VALUE_SIZE_AT: usize = 20;
const COUNT_AT: usize = 24;
const MAX_ENTRIES_AT: usize = 28;
const ZEROS_AT: usize = 32;

/// Why bytes are not an image, or entries cannot be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageError(pub String);

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ImageError {}

/// The map that an image fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub ty: MapType,
    pub key_size: u32,
    pub value_size: u32,
    pub max_entries: u32,
}

/// A map image, read and checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapImage<'a> {
    pub shape: Shape,
    pub count: u32,
    /// `count` keys of `key_size` bytes.
    pub keys: &'a [u8],
    /// `count` values of `value_size` bytes.
    pub values: &'a [u8],
}

impl<'a> MapImage<'a> {
    /// # Errors
    /// If the bytes are not exactly what [`encode`] gives for some entries.
    pub fn read(bytes: &'a [u8]) -> Result<MapImage<'a>, ImageError> {
        let field = |at| u32_at(bytes, at).ok_or_else(|| refused("shorter than its header"));
        check_head(bytes, MAGIC, VERSION, "a map image")?;
        let (ty, flags) = (field(TYPE_AT)?, field(FLAGS_AT)?);
        let ty = MapType::ALL.into_iter().find(|t| t.number() == ty);
        let ty = ty.ok_or_else(|| refused("not a type of map that is filled from an image"))?;
        if flags != flags_of(ty) || bytes.get(ZEROS_AT..HEADER).is_none_or(|z| z.iter().any(|&b| b != 0)) {
            return Err(refused("unknown flags"));
        }
        let (key_size, value_size) = (field(KEY_SIZE_AT)?, field(VALUE_SIZE_AT)?);
        let (count, max_entries) = (field(COUNT_AT)?, field(MAX_ENTRIES_AT)?);
        let shape = Shape { ty, key_size, value_size, max_entries };
        check_shape(shape, count)?;
        let keys_len = u64::from(count) * u64::from(key_size);
        let values_len = u64::from(count).checked_mul(u64::from(value_size));
        let body = &bytes[HEADER..];
        if values_len.and_then(|v| v.checked_add(keys_len)) != Some(body.len() as u64) {
            return Err(refused("length differs from what its header says"));
        }
        let (keys, values) = body.split_at(keys_len as usize);
        if !keys.chunks_exact(key_size as usize).is_sorted_by(|a, b| a < b) {
            return Err(refused("keys are not in ascending order, each once"));
        }
        Ok(MapImage { shape, count, keys, values })
    }

    pub fn entries(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let keys = self.keys.chunks_exact(self.shape.key_size as usize);
        keys.zip(self.values.chunks_exact(self.shape.value_size as usize))
    }
}

/// The image of a map with these entries.
///
/// # Errors
/// If a key or value has another size, keys are not in ascending order, or there are more than the map holds.
pub fn encode<'a>(
    shape: Shape,
    entries: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
) -> Result<Vec<u8>, ImageError> {
    let mut bytes = vec![0; HEADER];
    let (mut values, mut count, mut last) = (Vec::new(), 0u32, None);
    for (key, value) in entries {
        if key.len() as u64 != u64::from(shape.key_size) || value.len() as u64 != u64::from(shape.value_size)
        {
            return Err(refused("a key or a value does not have the map's size"));
        }
        if last.is_some_and(|last| last >= key) {
            return Err(refused("keys are not in ascending order, each once"));
        }
        last = Some(key);
        bytes.extend_from_slice(key);
        values.extend_from_slice(value);
        count = count.checked_add(1).ok_or_else(|| refused("more entries than a map can hold"))?;
    }
    check_shape(shape, count)?;
    bytes.append(&mut values);
    let mut put = |at: usize, value: u32| bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    put(MAGIC_AT, MAGIC);
    put(VERSION_AT, VERSION);
    put(FLAGS_AT, flags_of(shape.ty));
    put(TYPE_AT, shape.ty.number());
    put(KEY_SIZE_AT, shape.key_size);
    put(VALUE_SIZE_AT, shape.value_size);
    put(COUNT_AT, count);
    put(MAX_ENTRIES_AT, shape.max_entries);
    Ok(bytes)
}

/// Whether a file is a tables image that fits a map value of `value_size` bytes with its tail.
///
/// # Errors
/// With the reason if it is not.
pub fn check_tables(bytes: &[u8], value_size: u32) -> Result<(), ImageError> {
    if bytes.len() < abi::tables_header::SIZE {
        return Err(refused("shorter than its header"));
    }
    let field = |at| u32_at(bytes, at).unwrap_or_default();
    if field(abi::tables_header::MAGIC) != abi::TABLES_MAGIC {
        return Err(refused("does not begin like a tables image"));
    }
    if field(abi::tables_header::ABI) != abi::TABLES_ABI {
        return Err(refused("of another tables ABI"));
    }
    if u64::from(field(abi::tables_header::LEN)) != bytes.len() as u64 {
        return Err(refused("length differs from what its header says"));
    }
    let rest = abi::EDGE_NONE as usize + abi::edge::MASK;
    let no_name = bytes[abi::tables_header::PAD..rest].iter().all(|&b| b == 0);
    if !no_name || bytes[rest..abi::tables_header::SIZE].iter().any(|&b| b != 0xff) {
        return Err(refused("the edge that equals nothing equals something"));
    }
    match abi::region_mask(bytes.len()) {
        Some(mask) if abi::region_size(mask) <= value_size as usize => Ok(()),
        Some(_) | None => Err(refused("longer than the map's value")),
    }
}

/// Magic and version, the two words that every image of this artifact begins with.
pub(super) fn check_head(bytes: &[u8], magic: u32, version: u32, what: &str) -> Result<(), ImageError> {
    if bytes.len() < HEADER {
        return Err(refused("shorter than its header"));
    }
    if u32_at(bytes, MAGIC_AT) != Some(magic) {
        return Err(ImageError(format!("does not begin like {what}")));
    }
    if u32_at(bytes, VERSION_AT) != Some(version) {
        return Err(ImageError(format!("{what} of another version")));
    }
    Ok(())
}

pub(super) fn refused(reason: &str) -> ImageError {
    ImageError(reason.into())
}

fn flags_of(ty: MapType) -> u32 {
    match ty {
        MapType::PercpuArray => EVERY_CPU,
        MapType::Hash
        | MapType::LruHash
        | MapType::Array
        | MapType::ProgArray
        | MapType::Ringbuf
        | MapType::TaskStorage => 0,
    }
}

/// Program arrays hold descriptors, rings hold nothing before the first event: neither can have an image.
fn check_shape(shape: Shape, count: u32) -> Result<(), ImageError> {
    match shape.ty {
        MapType::Hash => {}
        MapType::Array | MapType::PercpuArray if shape.key_size == 4 => {}
        MapType::Array | MapType::PercpuArray => return Err(refused("an array's key has 4 bytes")),
        MapType::LruHash | MapType::ProgArray | MapType::Ringbuf | MapType::TaskStorage => {
            return Err(refused("not a type of map that is filled from an image"));
        }
    }
    if shape.key_size == 0 || shape.value_size == 0 {
        return Err(refused("a key or a value without bytes"));
    }
    if count > shape.max_entries {
        return Err(refused("more entries than the map holds"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SHAPE: Shape = Shape { ty: MapType::Hash, key_size: 3, value_size: 2, max_entries: 8 };

    fn entries() -> Vec<(&'static [u8], &'static [u8])> {
        vec![(b"abc", b"01"), (b"abd", b"23"), (b"b\0\0", b"45")]
    }

    #[test]
    fn what_was_written_is_read() {
        let bytes = encode(SHAPE, entries()).unwrap();
        assert_eq!(bytes.len(), HEADER + 3 * 5);
        let image = MapImage::read(&bytes).unwrap();
        assert_eq!(image.shape, SHAPE);
        assert_eq!(image.entries().collect::<Vec<_>>(), entries());
        assert_eq!(MapImage::read(&encode(SHAPE, []).unwrap()).unwrap().count, 0);
    }

    #[test]
    fn entries_that_a_map_would_not_take_are_refused() {
        let refused = |shape, entries: Vec<(&'static [u8], &'static [u8])>| encode(shape, entries).is_err();
        assert!(refused(SHAPE, vec![(b"abc", b"01"), (b"abc", b"23")]), "twice");
        assert!(refused(SHAPE, vec![(b"abd", b"01"), (b"abc", b"23")]), "order");
        assert!(refused(SHAPE, vec![(b"ab", b"01")]) && refused(SHAPE, vec![(b"abc", b"012")]), "sizes");
        assert!(refused(Shape { max_entries: 2, ..SHAPE }, entries()), "too many");
        assert!(!refused(Shape { max_entries: 3, ..SHAPE }, entries()), "just enough");
        assert!(refused(Shape { ty: MapType::Array, ..SHAPE }, entries()), "an array's key has 4 bytes");
        assert!(refused(Shape { ty: MapType::Ringbuf, ..SHAPE }, vec![]));
    }

    #[test]
    fn each_damaged_byte_of_the_header_and_each_cut_is_noticed() {
        let bytes = encode(SHAPE, entries()).unwrap();
        for at in (0..HEADER).filter(|at| !(MAX_ENTRIES_AT..MAX_ENTRIES_AT + 4).contains(at)) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x40;
            assert!(MapImage::read(&damaged).is_err(), "byte {at}");
        }
        for len in 0..bytes.len() {
            assert!(MapImage::read(&bytes[..len]).is_err(), "cut to {len}");
        }
        let mut swapped = bytes.clone();
        swapped.swap(HEADER + 2, HEADER + 5);
        assert!(MapImage::read(&swapped).is_err(), "keys out of order");
    }

    #[test]
    fn tables_are_known_by_their_header() {
        let mut bytes = vec![0; 96];
        bytes[abi::EDGE_NONE as usize + abi::edge::MASK..abi::tables_header::SIZE].fill(0xff);
        for (at, value) in [(0, abi::TABLES_MAGIC), (4, abi::TABLES_ABI), (8, 96)] {
            bytes[at..at + 4].copy_from_slice(&u32::to_le_bytes(value));
        }
        assert_eq!(check_tables(&bytes, 128 + 512), Ok(()));
        assert!(check_tables(&bytes, 128 + 511).is_err(), "no room for the tail");
        assert!(check_tables(&bytes[..88], 4096).is_err());
        for at in 0..80 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert!(check_tables(&damaged, 4096).is_err(), "byte {at}");
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), head in any::<bool>()) {
            if head && bytes.len() >= 8 {
                bytes[..4].copy_from_slice(&MAGIC.to_le_bytes());
                bytes[4..8].copy_from_slice(&VERSION.to_le_bytes());
            }
            let _ = MapImage::read(&bytes);
            let _ = check_tables(&bytes, 4096);
        }

        #[test]
        fn huge_sizes_never_panic(fields in proptest::collection::vec(prop_oneof![0u32..70, any::<u32>()], 8)) {
            let mut bytes = encode(SHAPE, entries()).unwrap();
            for (i, field) in fields.iter().enumerate().skip(3) {
                bytes[4 * i..4 * i + 4].copy_from_slice(&field.to_le_bytes());
            }
            let _ = MapImage::read(&bytes);
        }
    }
}
