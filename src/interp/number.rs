//! Integers in values, as Go's `strconv` reads them, and as Tetragon compares them (semantics 5.2).

use crate::policy::Interval;
use crate::vocab::arg_type::Class;

/// The number that a value spells in base 0; `None` if it is none. Where underscores are was checked.
pub fn parse(text: &str) -> Option<i128> {
    let (sign, digits) = signed(text);
    let lower = digits.to_ascii_lowercase().replace('_', "");
    let prefixes = [("0x", 16), ("0b", 2), ("0o", 8)];
    let (radix, digits) = prefixes
        .iter()
        .find_map(|(prefix, radix)| Some((*radix, lower.strip_prefix(prefix)?)))
        .unwrap_or(if lower.len() > 1 && lower.starts_with('0') { (8, &lower[1..]) } else { (10, &lower) });
    Some(sign * i128::from(u64::from_str_radix(digits, radix).ok()?))
}

/// The same in base 10.
pub fn decimal(text: &str) -> Option<i128> {
    let (sign, digits) = signed(text);
    Some(sign * i128::from(digits.parse::<u64>().ok()?))
}

fn signed(text: &str) -> (i128, &str) {
    match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    }
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

/// The register as the type sees it.
pub fn at_width(register: u64, class: Option<Class>) -> u64 {
    match class {
        Some(Class::Int { bytes, signed }) => widen(register, bytes, signed),
        Some(Class::Text | Class::Path | Class::Flow | Class::Structure(_)) | None => register,
    }
}

/// How a comparison sees an argument of a type: as a number with a sign or without.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// Of the type.
    pub bytes: u8,
    pub signed: bool,
    /// Of the comparison.
    pub with_sign: bool,
}

impl View {
    /// A number of a policy: 32 bits of it are compared, or 64.
    pub fn stored(self, number: i128) -> i128 {
        match (self.bytes == 8, self.with_sign) {
            (false, true) => (number as i32).into(),
            (false, false) => (number as u32).into(),
            (true, true) => (number as i64).into(),
            (true, false) => (number as u64).into(),
        }
    }

    /// The arguments that are seen as a number from `first` to `last`, as bits extended by the type's sign.
    pub fn intervals(self, first: i128, last: i128) -> Vec<Interval> {
        let half = 1i128 << (u32::from(self.bytes) * 8 - 1);
        let (least, most) = if self.with_sign { (-half, half - 1) } else { (0, 2 * half - 1) };
        let (first, last) = (first.max(least), last.min(most));
        // Where numbers go on and bits do not.
        let cut = match (self.signed, self.with_sign) {
            (_, true) => 0,
            (true, false) => half,
            (false, false) => least,
        };
        let parts = [(first, last.min(cut - 1)), (first.max(cut), last)];
        let at_ends = |n: i128| widen(n as u64, self.bytes, self.signed);
        let interval = |&(first, last): &(i128, i128)| {
            (first <= last).then(|| Interval { first: at_ends(first), last: at_ends(last) })
        };
        parts.iter().filter_map(interval).collect()
    }
}

/// What overlaps or follows the one before without a gap is one interval.
pub fn joined(mut intervals: Vec<Interval>) -> Vec<Interval> {
    intervals.sort_unstable();
    let mut out: Vec<Interval> = Vec::with_capacity(intervals.len());
    for next in intervals {
        match out.last_mut() {
            Some(last) if next.first <= last.last.saturating_add(1) => last.last = last.last.max(next.last),
            Some(_) | None => out.push(next),
        }
    }
    out
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
        assert_eq!((decimal("-012"), decimal("0x1")), (Some(-12), None));
    }

    #[test]
    fn equal_bits_are_equal_values() {
        assert_eq!(bits(-1, 4, true), Some(u64::MAX));
        assert_eq!(bits(200, 1, true), Some(-56i64 as u64));
        assert_eq!(bits(-1, 4, false), Some(0xffff_ffff));
        assert_eq!(bits(256, 1, false), None);
        assert_eq!(bits(i128::from(u64::MAX), 8, false), Some(u64::MAX));
    }

    /// Every argument of one byte, in every view and for every pair of ends.
    #[test]
    fn a_view_holds_what_it_sees() {
        for (signed, with_sign) in [(true, true), (true, false), (false, false)] {
            let view = View { bytes: 1, signed, with_sign };
            for register in 0..=255u64 {
                let seen = if with_sign { i128::from(register as i8) } else { i128::from(register) };
                for first in (-130..260).step_by(13) {
                    for last in (-130..260).step_by(17) {
                        let found = joined(view.intervals(first, last));
                        let is_in = found.iter().any(|i| i.contains(widen(register, 1, signed)));
                        assert_eq!(
                            is_in,
                            (first..=last).contains(&seen),
                            "{view:?} {first} {last} {register}"
                        );
                    }
                }
            }
        }
    }
}
