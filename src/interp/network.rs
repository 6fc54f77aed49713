//! Ports, addresses and numbers with names in values (semantics 5.7).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::number;
use crate::policy::{AddressRange, Interval};
use crate::vocab::Vocabulary;

/// Ports, protocols and families have two bytes, states one.
const LAST_NUMBER: u64 = 65535;

/// `n` or `a:b`, ends swapped if need be, of which those are left that a socket can have.
pub fn numbers(text: &str) -> Option<Vec<Interval>> {
    let (a, b) = text.split_once(':').unwrap_or((text, text));
    let (a, b) = (u64::try_from(number::decimal(a)?).ok()?, u64::try_from(number::decimal(b)?).ok()?);
    let (first, last) = (a.min(b), a.max(b).min(LAST_NUMBER));
    Some(if first <= last { vec![Interval { first, last }] } else { vec![] })
}

/// The same, or a name.
pub fn named<V: Vocabulary>(text: &str, number: impl Fn(V) -> u16) -> Option<Vec<Interval>> {
    match V::parse(text) {
        Some(known) => Some(vec![Interval::point(number(known).into())]),
        None => numbers(text),
    }
}

/// `ADDRESS[/BITS]`: all addresses that begin with the same bits.
pub fn network(text: &str) -> Option<AddressRange> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().ok()?;
    let len = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Some(len), |bits| bits.parse().ok())?;
    let others = u32::checked_sub(len, bits)?;
    // Of the bits behind the network's all are 0 in the first address, and all are 1 in the last.
    let ends = |at: u128| {
        let host = if others == 128 { u128::MAX } else { (1 << others) - 1 };
        (at & !host, at | host)
    };
    Some(match address {
        IpAddr::V4(at) => {
            let (first, last) = ends(at.to_bits().into());
            let address = |bits: u128| IpAddr::V4(Ipv4Addr::from_bits(bits as u32));
            AddressRange { first: address(first), last: address(last) }
        }
        IpAddr::V6(at) => {
            let (first, last) = ends(at.to_bits());
            let address = |bits: u128| IpAddr::V6(Ipv6Addr::from_bits(bits));
            AddressRange { first: address(first), last: address(last) }
        }
    })
}

/// Ascending, without those that lie in another one: networks that overlap do.
pub fn apart(mut ranges: Vec<AddressRange>) -> Vec<AddressRange> {
    ranges.sort_unstable_by_key(|range| (range.first, std::cmp::Reverse(range.last)));
    let mut out: Vec<AddressRange> = vec![];
    for next in ranges {
        if out.last().is_none_or(|last| last.last < next.first) {
            out.push(next);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_all_its_addresses() {
        for (text, shown) in [
            ("10.1.2.3/8", "10.0.0.0..10.255.255.255"),
            ("0.0.0.0/0", "0.0.0.0..255.255.255.255"),
            ("1.2.3.4", "1.2.3.4"),
            ("fe80::1/10", "fe80::..febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("::/0", "::..ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ] {
            assert_eq!(network(text).map(|range| range.to_string()).as_deref(), Some(shown));
        }
        assert_eq!(network("10.0.0.0/33"), None);
    }

    #[test]
    fn numbers_end_where_those_of_sockets_do() {
        assert_eq!(numbers("70:65"), Some(vec![Interval { first: 65, last: 70 }]));
        assert_eq!(numbers("65535:70000"), Some(vec![Interval::point(65535)]));
        assert_eq!((numbers("65536"), numbers("x"), numbers("-1")), (Some(vec![]), None, None));
    }
}
