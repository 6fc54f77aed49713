//! Internet addresses as ascending pieces that a program searches by halves.
//!
//! Turns: the networks of all conditions, cut at each other's ends. Into: the table; the pieces of IPv4 have the atoms
//! from 1, those of IPv6 the ones behind them. An address in no piece has atom 0.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::TableError;
use super::blob::Blob;
use super::intervals;
use crate::artifact::abi::address_table;
use crate::policy::AddressRange;

/// Cuts ranges, in any order, so that each is made of whole pieces. Ascending and apart from each other, IPv4 first.
pub fn pieces(ranges: &[AddressRange]) -> Vec<AddressRange> {
    let (mut of4, mut of6) = (vec![], vec![]);
    for range in ranges {
        match (range.first, range.last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                of4.push((first.to_bits().into(), last.to_bits().into()))
            }
            (first, last) => of6.push((wide(first), wide(last))),
        }
    }
    let of4 = intervals::cut(&of4).into_iter().map(|(first, last)| AddressRange {
        first: IpAddr::V4(Ipv4Addr::from_bits(first as u32)),
        last: IpAddr::V4(Ipv4Addr::from_bits(last as u32)),
    });
    let of6 = intervals::cut(&of6).into_iter().map(|(first, last)| AddressRange {
        first: IpAddr::V6(Ipv6Addr::from_bits(first)),
        last: IpAddr::V6(Ipv6Addr::from_bits(last)),
    });
    of4.chain(of6).collect()
}

/// Writes the table of these pieces and returns its reference.
pub fn build(blob: &mut Blob, pieces: &[AddressRange]) -> Result<u32, TableError> {
    if let Some(i) = pieces.windows(2).position(|pair| pair[0].last >= pair[1].first) {
        return Err(TableError::Duplicate { first: i, second: i + 1 });
    }
    let count4 = pieces.partition_point(|piece| piece.first.is_ipv4());
    let (of4, of6) = pieces.split_at(count4);
    let mut bytes = vec![0; address_table::RANGES];
    bytes[address_table::COUNT4..][..4].copy_from_slice(&(of4.len() as u32).to_le_bytes());
    bytes[address_table::COUNT6..][..4].copy_from_slice(&(of6.len() as u32).to_le_bytes());
    for piece in of4 {
        bytes.extend(((wide(piece.first) as u64) << 32 | wide(piece.last) as u64).to_le_bytes());
    }
    let ends = of6.iter().map(|piece| piece.first).chain(of6.iter().map(|piece| piece.last));
    for end in ends.map(wide) {
        bytes.extend(((end >> 64) as u64).to_le_bytes());
        bytes.extend((end as u64).to_le_bytes());
    }
    blob.put(&bytes)
}

fn wide(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::artifact::evaluate::Tables;

    fn arb_address() -> impl Strategy<Value = IpAddr> {
        let edge4 = prop_oneof![0u32..24, (u32::MAX - 24)..=u32::MAX];
        let edge6 = (
            prop_oneof![Just(0u64), Just(u64::MAX), 5u64..8],
            prop_oneof![0u64..9, (u64::MAX - 8)..=u64::MAX],
        );
        prop_oneof![
            edge4.prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
            edge6.prop_map(|(upper, lower)| {
                IpAddr::V6(Ipv6Addr::from_bits(u128::from(upper) << 64 | u128::from(lower)))
            }),
        ]
    }

    fn arb_range() -> impl Strategy<Value = AddressRange> {
        (arb_address(), arb_address()).prop_map(|(a, b)| {
            let b = if a.is_ipv4() == b.is_ipv4() { b } else { a };
            AddressRange { first: a.min(b), last: a.max(b) }
        })
    }

    proptest! {
        /// An address's piece lies in exactly those ranges that hold the address.
        #[test]
        fn pieces_keep_apart_what_ranges_keep_apart(
            ranges in prop::collection::vec(arb_range(), 0..9),
            address in arb_address(),
        ) {
            let pieces = pieces(&ranges);
            let mut blob = Blob::tables();
            let root = build(&mut blob, &pieces).unwrap();
            let region = blob.finish();
            match Tables::open(&region.bytes).unwrap().address(root, address).unwrap() {
                0 => prop_assert!(ranges.iter().all(|range| !range.contains(address))),
                atom => {
                    let piece = pieces[atom as usize - 1];
                    prop_assert!(piece.contains(address));
                    for range in &ranges {
                        prop_assert_eq!(range.contains(address), range.contains(piece.first));
                        prop_assert_eq!(range.contains(address), range.contains(piece.last));
                    }
                }
            }
        }
    }
}
