//! Ports, addresses, and names or numbers of protocols, families and states (semantics 5.7).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::number::parse_decimal;
use crate::diag::suggest::nearest;
use crate::diag::{arguments as codes, lints};
use crate::policy::context::Cx;
use crate::policy::context::reported::{self, Reported};
use crate::policy::{AddressRange, Interval, Values};
use crate::syntax::ast::read::Text;
use crate::vocab::Vocabulary;

/// Ports, protocols and families have two bytes, states one.
const MAX_NUMBER: i128 = 65535;

pub fn ports(values: &[Text<'_>], cx: &mut Cx<'_>) -> Result<Values, Reported> {
    let each = values.iter().map(|value| {
        let Some((first, last)) = decimal_range(value.value) else {
            return Err(cx.refuse(codes::bad_value(value.value, "a port or `first:last`", value.span)));
        };
        if last > MAX_NUMBER {
            cx.report(lints::value_never_matches(value.value, "ports end at 65535", value.span));
        }
        Ok(numbers(first, last))
    });
    Ok(Values::intervals(reported::all(each.collect())?.into_iter().flatten().collect()))
}

/// Ports that only root may bind, whatever `net.ipv4.ip_unprivileged_port_start` says.
pub fn privileged_ports() -> Values {
    Values::intervals(vec![Interval { first: 0, last: 1023 }])
}

pub fn addresses(values: &[Text<'_>], cx: &mut Cx<'_>) -> Result<Values, Reported> {
    let each = values.iter().map(|value| match network(value.value) {
        Some(range) => Ok(range),
        None => Err(cx.refuse(codes::bad_value(value.value, "an IP address or CIDR", value.span))),
    });
    Ok(Values::addresses(reported::all(each.collect())?))
}

/// A name of the vocabulary, a number or a range of numbers.
pub fn named<V: Vocabulary>(
    values: &[Text<'_>],
    number: impl Fn(V) -> u16,
    cx: &mut Cx<'_>,
) -> Result<Values, Reported> {
    let each = values.iter().map(|value| {
        if let Some(known) = V::parse(value.value) {
            return Ok(Some(Interval::point(number(known).into())));
        }
        if let Some((first, last)) = decimal_range(value.value) {
            return Ok(numbers(first, last));
        }
        let nearest = nearest(value.value, V::names());
        let unknown =
            crate::diag::schema::unknown_word(V::WHAT, value.value, nearest, V::names(), value.span);
        Err(cx.refuse(unknown))
    });
    Ok(Values::intervals(reported::all(each.collect())?.into_iter().flatten().collect()))
}

/// Those that a socket can have.
fn numbers(first: i128, last: i128) -> Option<Interval> {
    (first <= MAX_NUMBER).then(|| Interval { first: first as u64, last: last.min(MAX_NUMBER) as u64 })
}

/// `n` or `a:b`, ends swapped if need be.
pub fn decimal_range(text: &str) -> Option<(i128, i128)> {
    let unsigned = |text: &str| parse_decimal(text).ok().filter(|_| !text.starts_with(['+', '-']));
    match text.split_once(':') {
        Some((a, b)) => {
            let (a, b) = (unsigned(a)?, unsigned(b)?);
            Some((a.min(b), a.max(b)))
        }
        None => unsigned(text).map(|n| (n, n)),
    }
}

/// As Go's `netip` reads it: no zone, no leading zeros.
fn network(text: &str) -> Option<AddressRange> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().ok()?;
    let all = if address.is_ipv4() { 32 } else { 128 };
    let bits = match bits {
        Some(bits) => {
            let is_plain =
                bits.bytes().all(|b| b.is_ascii_digit()) && (bits == "0" || !bits.starts_with('0'));
            bits.parse().ok().filter(|&bits| is_plain && bits <= all)?
        }
        None => all,
    };
    Some(match address {
        IpAddr::V4(address) => {
            let host = u32::MAX.checked_shr(bits).unwrap_or(0);
            let at = address.to_bits();
            let end = |bits: u32| IpAddr::V4(Ipv4Addr::from_bits(bits));
            AddressRange { first: end(at & !host), last: end(at | host) }
        }
        IpAddr::V6(address) => {
            let host = u128::MAX.checked_shr(bits).unwrap_or(0);
            let at = address.to_bits();
            let end = |bits: u128| IpAddr::V6(Ipv6Addr::from_bits(bits));
            AddressRange { first: end(at & !host), last: end(at | host) }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_gos() {
        for text in
            ["127.0.0.1", "10.0.0.0/8", "10.1.2.3/8", "::1", "fe80::/10", "::ffff:1.2.3.4", "0.0.0.0/0"]
        {
            assert!(network(text).is_some(), "{text}");
        }
        for text in [
            "",
            "127.0.0",
            "127.0.0.01",
            "127.0.0.1/33",
            "127.0.0.1/",
            "10.0.0.0/08",
            "10.0.0.0/+8",
            "fe80::1%eth0",
            "::/129",
            "x",
            "1.2.3.4 ",
        ] {
            assert!(network(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_network_is_all_its_addresses() {
        for (text, shown) in [
            ("10.1.2.3/8", "10.0.0.0..10.255.255.255"),
            ("0.0.0.0/0", "0.0.0.0..255.255.255.255"),
            ("1.2.3.4", "1.2.3.4"),
            ("fe80::1/10", "fe80::..febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("::/0", "::..ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("::1/128", "::1"),
        ] {
            assert_eq!(network(text).map(|range| range.to_string()).as_deref(), Some(shown));
        }
    }

    #[test]
    fn ranges_are_decimal_and_in_any_order() {
        assert_eq!(decimal_range("80"), Some((80, 80)));
        assert_eq!(decimal_range("90:80"), Some((80, 90)));
        for text in ["0x50", "80:", ":80", "-1", "1:2:3", ""] {
            assert_eq!(decimal_range(text), None, "{text}");
        }
    }
}
