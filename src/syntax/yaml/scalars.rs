//! What a plain scalar means: null, a boolean, a number or text.
//!
//! Exactly the resolution of the YAML reader that Tetragon uses (go-yaml v2 in `sigs.k8s.io/yaml`,
//! `resolve.go`): YAML 1.1's words for booleans, Go's base-0 integers after every `_` is dropped, no
//! base-60 numbers, timestamps stay text. Quoted and block scalars are always text.
//! Not here: which fields want what.

use std::borrow::Cow;

use super::{Node, NodeKind, Style};

/// The value that a scalar stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar<'a> {
    Null,
    Bool(bool),
    Int(i64),
    /// Above `i64::MAX`. Tetragon turns it into a floating point number on the way, and then refuses it
    /// where an integer is wanted.
    Unsigned(u64),
    /// Never an integral literal that fits the two above, but maybe an integral value (`1e3`, `1.0`), which
    /// counts as an integer where one is wanted.
    Float(f64),
    Str(&'a str),
}

impl Scalar<'_> {
    /// What a message calls it.
    pub fn kind_name(&self) -> &'static str {
        match self {
            Scalar::Null => "null",
            Scalar::Bool(_) => "a boolean",
            Scalar::Int(_) | Scalar::Unsigned(_) => "an integer",
            Scalar::Float(_) => "a number",
            Scalar::Str(_) => "a string",
        }
    }
}

impl Node<'_> {
    /// The meaning of a scalar; `None` for a list or mapping.
    pub fn scalar(&self) -> Option<Scalar<'_>> {
        match &self.kind {
            NodeKind::Scalar { text, style: Style::Plain } => Some(resolve_plain(text)),
            NodeKind::Scalar { text, style: Style::SingleQuoted | Style::DoubleQuoted | Style::Block } => {
                Some(Scalar::Str(text))
            }
            NodeKind::Sequence(_) | NodeKind::Mapping(_) => None,
        }
    }

    pub fn is_null(&self) -> bool {
        self.scalar() == Some(Scalar::Null)
    }

    /// The text that this node is as the key of a mapping. Keys that are no text are turned into it, as
    /// `sigs.k8s.io/yaml` does on the way to JSON (`on: x` has the key `true`). `None`: cannot be a key.
    pub fn key_text(&self) -> Option<Cow<'_, str>> {
        Some(match self.scalar()? {
            Scalar::Null => return None,
            Scalar::Bool(value) => Cow::Borrowed(if value { "true" } else { "false" }),
            Scalar::Int(value) => Cow::Owned(value.to_string()),
            Scalar::Unsigned(value) => Cow::Owned(value.to_string()),
            Scalar::Float(value) => Cow::Owned(float_key(value)),
            Scalar::Str(text) => Cow::Borrowed(text),
        })
    }
}

/// Resolves an unquoted scalar.
pub fn resolve_plain(text: &str) -> Scalar<'_> {
    // The first byte tells what a scalar may be besides text; most are decided here.
    match text.as_bytes().first() {
        None => Scalar::Null,
        Some(b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~') => {
            resolve_word(text)
        }
        Some(b'.') => {
            special_float(text).or_else(|| parse_float(text)).map_or(Scalar::Str(text), Scalar::Float)
        }
        Some(b'0'..=b'9' | b'+' | b'-') => resolve_number(text),
        Some(_) => Scalar::Str(text),
    }
}

fn resolve_word(text: &str) -> Scalar<'_> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Scalar::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Scalar::Bool(false)
        }
        "~" | "null" | "Null" | "NULL" => Scalar::Null,
        _ => Scalar::Str(text),
    }
}

fn special_float(text: &str) -> Option<f64> {
    match text {
        ".nan" | ".NaN" | ".NAN" => Some(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Some(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// A scalar that starts with a digit or a sign.
fn resolve_number(text: &str) -> Scalar<'_> {
    if let Some(value) = special_float(text) {
        return Scalar::Float(value);
    }
    let plain: Cow<'_, str> =
        if text.contains('_') { Cow::Owned(text.replace('_', "")) } else { Cow::Borrowed(text) };
    let number = base0_int(&plain).or_else(|| yaml_float(&plain).map(Scalar::Float));
    number.or_else(|| odd_binary(&plain)).unwrap_or(Scalar::Str(text))
}

/// Go's `strconv.ParseInt(text, 0, 64)`, then `ParseUint`. Without `_`, which are gone already.
fn base0_int(text: &str) -> Option<Scalar<'static>> {
    let (negative, digits) = match text.as_bytes()[..] {
        [b'-', ..] => (true, &text[1..]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    let magnitude = unsigned(digits, radix)?;
    if negative {
        return 0i64.checked_sub_unsigned(magnitude).map(Scalar::Int);
    }
    match i64::try_from(magnitude) {
        Ok(value) => Some(Scalar::Int(value)),
        // `ParseUint` takes no sign.
        Err(_) => (!text.starts_with('+')).then_some(Scalar::Unsigned(magnitude)),
    }
}

/// Digits only: Rust's own parser would take another sign.
fn unsigned(digits: &str, radix: u32) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|b| (b as char).is_digit(radix)) {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, as long as it fits a 64-bit float.
fn yaml_float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let mantissa_fits = match mantissa.split_once('.') {
        Some(("", fraction)) => !fraction.is_empty() && all_digits(fraction),
        Some((whole, fraction)) => all_digits(whole) && all_digits(fraction),
        None => !mantissa.is_empty() && all_digits(mantissa),
    };
    let exponent_fits = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !digits.is_empty() && all_digits(digits)
    });
    if mantissa_fits && exponent_fits { parse_float(text) } else { None }
}

/// Go's `strconv.ParseFloat` for decimal text: out of range is an error there, infinity here.
fn parse_float(text: &str) -> Option<f64> {
    if !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')) {
        return None;
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

/// The reader tries `0b` once more by hand, and lets a second sign through.
// Tetragon: `0b-11` is -3 (go-yaml v2, resolve.go).
fn odd_binary(text: &str) -> Option<Scalar<'static>> {
    let digits = text.strip_prefix("0b")?;
    if let Some(digits) = digits.strip_prefix('-') {
        return 0i64.checked_sub_unsigned(unsigned(digits, 2)?).map(Scalar::Int);
    }
    i64::try_from(unsigned(digits.strip_prefix('+')?, 2)?).ok().map(Scalar::Int)
}

/// A floating point number as the key of a JSON object: Go's `FormatFloat(value, 'g', -1, 64)`.
fn float_key(value: f64) -> String {
    if value.is_nan() {
        return ".nan".to_string();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf" } else { "-.inf" }.to_string();
    }
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..6).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        Ok(_) | Err(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(texts: &[&str], meaning: Scalar<'_>) {
        for text in texts {
            assert_eq!(resolve_plain(text), meaning, "{text:?}");
        }
    }

    fn check_text(texts: &[&str]) {
        for text in texts {
            assert_eq!(resolve_plain(text), Scalar::Str(text), "{text:?}");
        }
    }

    #[test]
    fn booleans_are_the_words_of_yaml_1_1_in_three_spellings() {
        check(&["y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE"], Scalar::Bool(true));
        check(
            &["n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE"],
            Scalar::Bool(false),
        );
        check_text(&["yES", "oN", "tRUE", "t", "f", "o", "ye", "yess", "1st", "offf"]);
    }

    #[test]
    fn null_is_nothing_a_tilde_or_the_word() {
        check(&["", "~", "null", "Null", "NULL"], Scalar::Null);
        check_text(&["nULL", "~~", "nil", "none", "None"]);
    }

    #[test]
    fn integers_are_gos_base_zero_without_underscores() {
        check(
            &["0755", "0o755", "0O755", "493", "+493", "0x1ed", "0X1ED", "0b111101101", "4_9_3", "0x_1_ed"],
            Scalar::Int(493),
        );
        check(&["-0b11", "-3", "-0x3", "-0o3", "-03", "0b-11", "-0b_11"], Scalar::Int(-3));
        check(&["0", "-0", "+0", "00", "0x0", "0_0"], Scalar::Int(0));
        check(&["9223372036854775807"], Scalar::Int(i64::MAX));
        check(&["-9223372036854775808", "-0x8000000000000000"], Scalar::Int(i64::MIN));
        check(&["9223372036854775808", "0x8000000000000000"], Scalar::Unsigned(1 << 63));
        check(&["0xffffffffffffffff"], Scalar::Unsigned(u64::MAX));
        check_text(&[
            "0x",
            "0o",
            "0b",
            "+",
            "-",
            "--1",
            "+-1",
            "0xg",
            "0b2",
            "1x",
            "_1",
            "-_",
            "0x1ffffffffffffffff",
            "-0b-1",
            "0b--1",
        ]);
    }

    #[test]
    fn what_is_too_large_for_an_integer_is_a_float() {
        check(&["18446744073709551616"], Scalar::Float(18446744073709551616.0));
        check(&["-9223372036854775809"], Scalar::Float(-9223372036854775809.0));
        check(&["+18446744073709551615"], Scalar::Float(18446744073709551615.0));
    }

    /// Octal digits only up to 7: Go's integer parser gives up, and the float's pattern takes it.
    #[test]
    fn a_leading_zero_with_a_nine_is_decimal_after_all() {
        check(&["08", "0_8"], Scalar::Float(8.0));
        check(&["07"], Scalar::Int(7));
    }

    #[test]
    fn floats_need_a_digit_and_stay_finite() {
        check(&["1.5", "+1.5", "1.50", "15e-1", "1_5e-1", "0.15E+1"], Scalar::Float(1.5));
        check(&["1.", "1.0", "1e0", "01.0"], Scalar::Float(1.0));
        check(&[".5", "+.5", ".5e0", "5e-1"], Scalar::Float(0.5));
        check(&[".inf", ".Inf", ".INF", "+.inf"], Scalar::Float(f64::INFINITY));
        check(&["-.inf", "-.INF"], Scalar::Float(f64::NEG_INFINITY));
        assert!(matches!(resolve_plain(".nan"), Scalar::Float(x) if x.is_nan()));
        check_text(&[
            ".", "..", ".e5", "1e", "1e+", "1e400", "-1e400", ".iNF", ".nAN", "1.2.3", "1.5f", ".5_0", "inf",
            "NaN", "0x1p4", "e5",
        ]);
    }

    #[test]
    fn base_60_and_timestamps_stay_text() {
        check_text(&["12:30", "1:5", "190:20:30.15", "2024-01-02", "2024-01-02T03:04:05Z", "1-2"]);
    }

    #[test]
    fn only_plain_scalars_are_resolved() {
        use crate::source::{SourceId, Span};
        let node = |text: &'static str, style| Node {
            span: Span::new(SourceId(0), 0, 0),
            kind: NodeKind::Scalar { text: text.into(), style },
        };
        assert_eq!(node("1", Style::Plain).scalar(), Some(Scalar::Int(1)));
        for style in [Style::SingleQuoted, Style::DoubleQuoted, Style::Block] {
            assert_eq!(node("1", style).scalar(), Some(Scalar::Str("1")));
            assert_eq!(node("", style).scalar(), Some(Scalar::Str("")));
        }
        assert_eq!(node("on", Style::Plain).key_text().as_deref(), Some("true"));
        assert_eq!(node("on", Style::SingleQuoted).key_text().as_deref(), Some("on"));
        assert_eq!(node("0x10", Style::Plain).key_text().as_deref(), Some("16"));
        assert_eq!(node("~", Style::Plain).key_text(), None);
        for (text, key) in
            [("1.50", "1.5"), ("1e3", "1000"), ("1e6", "1e+06"), ("1e-5", "1e-05"), (".inf", ".inf")]
        {
            assert_eq!(node(text, Style::Plain).key_text().as_deref(), Some(key));
        }
    }
}
