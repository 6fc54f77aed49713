//! Numbers inside values, as Go's `strconv` reads them.

/// Why a text is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberError {
    Syntax,
    /// A number, and more than 64 bits.
    Range,
}

/// Go's base 0: decimal, `0x`, `0b`, `0o` or a leading `0`, with `_` between digits. Any sign.
pub fn parse_base0(text: &str) -> Result<i128, NumberError> {
    let (negative, digits) = sign(text);
    let (radix, body, prefixed) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..], true),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..], true),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..], true),
        [b'0', _, ..] => (8, &digits[1..], true),
        _ => (10, digits, false),
    };
    if !body.contains('_') {
        return digits_value(body, radix, negative);
    }
    // An underscore stands between two digits, or between the prefix and the first digit.
    let bytes = body.as_bytes();
    let is_digit = |b: Option<&u8>| b.is_some_and(|&b| (b as char).is_digit(radix));
    for (at, _) in bytes.iter().enumerate().filter(|&(_, &b)| b == b'_') {
        let before = if at == 0 { prefixed } else { is_digit(bytes.get(at - 1)) };
        if !before || !is_digit(bytes.get(at + 1)) {
            return Err(NumberError::Syntax);
        }
    }
    digits_value(&body.replace('_', ""), radix, negative)
}

/// Go's base 10 with a sign.
pub fn parse_decimal(text: &str) -> Result<i128, NumberError> {
    let (negative, digits) = sign(text);
    digits_value(digits, 10, negative)
}

fn sign(text: &str) -> (bool, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    }
}

fn digits_value(digits: &str, radix: u32, negative: bool) -> Result<i128, NumberError> {
    if digits.is_empty() || !digits.bytes().all(|b| (b as char).is_digit(radix)) {
        return Err(NumberError::Syntax);
    }
    let value = u64::from_str_radix(digits, radix).map_err(|_| NumberError::Range)?;
    Ok(if negative { -i128::from(value) } else { i128::from(value) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_0_is_gos() {
        use NumberError::*;
        let cases = [
            ("10", Ok(10)),
            ("-10", Ok(-10)),
            ("+10", Ok(10)),
            ("0", Ok(0)),
            ("0x1F", Ok(31)),
            ("012", Ok(10)),
            ("0o12", Ok(10)),
            ("0b101", Ok(5)),
            ("1_000", Ok(1000)),
            ("0x_ff", Ok(255)),
            ("0_7", Ok(7)),
            ("_1", Err(Syntax)),
            ("1_", Err(Syntax)),
            ("1__0", Err(Syntax)),
            ("", Err(Syntax)),
            ("-", Err(Syntax)),
            ("08", Err(Syntax)),
            ("0x", Err(Syntax)),
            ("1.0", Err(Syntax)),
            (" 1", Err(Syntax)),
            ("18446744073709551615", Ok(u64::MAX as i128)),
            ("18446744073709551616", Err(Range)),
        ];
        for (text, value) in cases {
            assert_eq!(parse_base0(text), value, "{text:?}");
        }
    }

    #[test]
    fn decimal_takes_no_prefix_and_no_underscore() {
        assert_eq!(parse_decimal("012"), Ok(12));
        assert_eq!(parse_decimal("-5"), Ok(-5));
        assert_eq!(parse_decimal("0x10"), Err(NumberError::Syntax));
        assert_eq!(parse_decimal("1_0"), Err(NumberError::Syntax));
    }
}
