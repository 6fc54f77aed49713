//! Integers and addresses, as pieces that ascend, and masks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Claims, DecodeError};
use crate::artifact::abi::{self, address_table, int_table, mask_table};
use crate::policy::{AddressRange, Interval};

pub fn pieces(bytes: &[u8], root: u32, expected: u32) -> Result<Vec<Interval>, DecodeError> {
    let mut claims = Claims::new(bytes);
    let at = Claims::place(0, root, 0)?;
    let count = claims.u32(at + int_table::COUNT)?;
    if count != expected {
        return Err(DecodeError::Count { expected, found: u64::from(count) });
    }
    let has_sizes = match claims.u32(at + int_table::SIZES)? {
        0 => false,
        1 => true,
        _ => return Err(DecodeError::Size { at }),
    };
    let entries = count as usize * if has_sizes { 2 } else { 1 };
    let piece = claims.take(at, int_table::SIZE + 8 * entries)?;
    let values: Vec<u64> = abi::words(&piece[int_table::VALUES..]).collect();
    let (firsts, sizes) = values.split_at(count as usize);
    let mut pieces: Vec<Interval> = Vec::with_capacity(firsts.len());
    for (i, &first) in firsts.iter().enumerate() {
        let last = first.checked_add(sizes.get(i).copied().unwrap_or(0));
        let is_behind = pieces.last().is_none_or(|before| before.last < first);
        match last {
            Some(last) if is_behind => pieces.push(Interval { first, last }),
            Some(_) | None => return Err(DecodeError::Order { at: at + int_table::VALUES + 8 * i }),
        }
    }
    Ok(pieces)
}

/// `expected` is the number of atoms: every set of masks but the empty one.
pub fn masks(bytes: &[u8], root: u32, expected: u32) -> Result<Vec<u64>, DecodeError> {
    let mut claims = Claims::new(bytes);
    let at = Claims::place(0, root, 0)?;
    let count = claims.u32(at + mask_table::COUNT)?;
    let atoms = if count <= abi::MASKS_MAX { (1 << count) - 1 } else { u64::MAX };
    if atoms != u64::from(expected) {
        return Err(DecodeError::Count { expected, found: atoms });
    }
    let piece = claims.take(at, mask_table::SIZE + 8 * count as usize)?;
    if abi::u32_at(piece, mask_table::PAD) != Some(0) {
        return Err(DecodeError::Size { at });
    }
    Ok(abi::words(&piece[mask_table::MASKS..]).collect())
}

pub fn addresses(bytes: &[u8], root: u32, expected: u32) -> Result<Vec<AddressRange>, DecodeError> {
    let mut claims = Claims::new(bytes);
    let at = Claims::place(0, root, 0)?;
    let (count4, count6) =
        (claims.u32(at + address_table::COUNT4)? as usize, claims.u32(at + address_table::COUNT6)? as usize);
    if count4.checked_add(count6) != Some(expected as usize) {
        return Err(DecodeError::Count { expected, found: count4 as u64 + count6 as u64 });
    }
    let piece = claims.take(at, address_table::SIZE + 8 * (count4 + 4 * count6))?;
    let words: Vec<u64> = abi::words(&piece[address_table::RANGES..]).collect();
    let (of4, of6) = words.split_at(count4);
    let narrow = |bits: u64| IpAddr::V4(Ipv4Addr::from_bits(bits as u32));
    let mut pieces: Vec<AddressRange> =
        of4.iter().map(|&word| AddressRange { first: narrow(word >> 32), last: narrow(word) }).collect();
    let wide: Vec<IpAddr> = of6
        .chunks_exact(2)
        .map(|halves| IpAddr::V6(Ipv6Addr::from_bits(u128::from(halves[0]) << 64 | u128::from(halves[1]))))
        .collect();
    let (firsts, lasts) = wide.split_at(count6);
    pieces.extend(firsts.iter().zip(lasts).map(|(&first, &last)| AddressRange { first, last }));
    let is_in_order = pieces.iter().all(|piece| piece.first <= piece.last)
        && pieces.windows(2).all(|pair| pair[0].last < pair[1].first);
    if is_in_order { Ok(pieces) } else { Err(DecodeError::Order { at: at + address_table::RANGES }) }
}
