//! Ports, addresses, and names or numbers of protocols, families and states (semantics 5.7).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::number::parse_decimal;
use crate::diag::suggest::nearest;
use crate::diag::{arguments as codes, lints};
use crate::policy::context::Cx;
use crate::syntax::ast::read::Text;
use crate::vocab::Vocabulary;

const MAX_PORT: i128 = 65535;

pub fn check_ports(values: &[Text<'_>], cx: &mut Cx<'_>) {
    for value in values {
        match decimal_range(value.value) {
            Some((_, last)) if last > MAX_PORT => {
                cx.report(lints::value_never_matches(value.value, "ports end at 65535", value.span));
            }
            Some(_) => {}
            None => cx.report(codes::bad_value(value.value, "a port or `first:last`", value.span)),
        }
    }
}

pub fn check_addresses(values: &[Text<'_>], cx: &mut Cx<'_>) {
    for value in values {
        if !is_address(value.value) {
            cx.report(codes::bad_value(value.value, "an IP address or CIDR", value.span));
        }
    }
}

/// A name of the vocabulary, a number or a range of numbers.
pub fn check_named<V: Vocabulary>(values: &[Text<'_>], cx: &mut Cx<'_>) {
    for value in values {
        if V::parse(value.value).is_some() || decimal_range(value.value).is_some() {
            continue;
        }
        let nearest = nearest(value.value, V::names());
        cx.report(crate::diag::schema::unknown_word(V::WHAT, value.value, nearest, V::names(), value.span));
    }
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
fn is_address(text: &str) -> bool {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let max = if address.parse::<Ipv4Addr>().is_ok() {
        32
    } else if address.parse::<Ipv6Addr>().is_ok() {
        128
    } else {
        return false;
    };
    bits.is_none_or(|bits| {
        let is_plain = !bits.is_empty()
            && bits.bytes().all(|b| b.is_ascii_digit())
            && (bits == "0" || !bits.starts_with('0'));
        is_plain && bits.parse::<u32>().is_ok_and(|bits| bits <= max)
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
            assert!(is_address(text), "{text}");
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
            assert!(!is_address(text), "{text}");
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
