//! Integers in values, as Go's `strconv` reads them in base 0 (semantics 5.2).

/// The number that a value spells; `None` if it is none. Where underscores stand was checked.
pub fn parse(text: &str) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase().replace('_', "");
    let prefixes = [("0x", 16), ("0b", 2), ("0o", 8)];
    let (radix, digits) = prefixes
        .iter()
        .find_map(|(prefix, radix)| Some((*radix, lower.strip_prefix(prefix)?)))
        .unwrap_or(if lower.len() > 1 && lower.starts_with('0') { (8, &lower[1..]) } else { (10, &lower) });
    Some(sign * i128::from(u64::from_str_radix(digits, radix).ok()?))
}

/// A number as the bits of an argument of this width, extended to 64 by its sign; `None` if no argument has them.
pub fn bits(number: i128, bytes: u8, signed: bool) -> Option<u64> {
    let width = u32::from(bytes) * 8;
    // Written with a sign or as bits without one.
    let range = -(1i128 << (width - 1))..1i128 << width;
    range.contains(&number).then(|| widen(number as u64, bytes, signed))
}

/// The low bytes of a register, extended by their sign.
pub fn widen(register: u64, bytes: u8, signed: bool) -> u64 {
    let unused = 64 - u32::from(bytes) * 8;
    if signed { ((register << unused) as i64 >> unused) as u64 } else { register << unused >> unused }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_gos() {
        let cases = [("10", 10), ("-0x1F", -31), ("+012", 10), ("0b1_01", 5), ("0o7", 7), ("0", 0)];
        for (text, number) in cases {
            assert_eq!(parse(text), Some(number), "{text}");
        }
        for text in ["", "-", "x", "0x", "1.0", "18446744073709551616"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn equal_bits_are_equal_values() {
        assert_eq!(bits(-1, 4, true), Some(u64::MAX));
        assert_eq!(bits(200, 1, true), Some(-56i64 as u64));
        assert_eq!(bits(-1, 4, false), Some(0xffff_ffff));
        assert_eq!(bits(256, 1, false), None);
        assert_eq!(bits(i128::from(u64::MAX), 8, false), Some(u64::MAX));
    }
}
