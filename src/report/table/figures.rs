//! Numbers as people read them. Whole-number arithmetic only, so that no platform rounds differently.

use crate::report::Memory;

const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// With separators between thousands.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// With one decimal, rounded half up, in the unit that keeps the number below 1024.
pub fn bytes(number: u64) -> String {
    let (value, unit) = scaled(number);
    format!("{value} {unit}")
}

/// One figure, or both ends.
pub(super) fn range(least: u64, most: u64) -> String {
    let ((low, low_unit), (high, high_unit)) = (scaled(least), scaled(most));
    if (&low, low_unit) == (&high, high_unit) {
        format!("{high} {high_unit}")
    } else if low_unit == high_unit {
        format!("{low}..{high} {high_unit}")
    } else {
        format!("{low} {low_unit}..{high} {high_unit}")
    }
}

/// The upper end, marked if it is not the only figure.
pub(super) fn at_most(least: u64, most: u64) -> String {
    if least == most { bytes(most) } else { format!("≤{}", bytes(most)) }
}

/// memlock, charged and uncharged by their upper ends.
pub(super) fn memory_at_most(memory: &Memory) -> [String; 3] {
    [
        at_most(memory.memlock_least_bytes, memory.memlock_bytes),
        at_most(memory.charged_least_bytes, memory.charged_bytes),
        at_most(memory.uncharged_least_bytes, memory.uncharged_bytes),
    ]
}

/// memlock, charged and uncharged with both ends.
pub(super) fn memory(memory: &Memory) -> [String; 3] {
    [
        range(memory.memlock_least_bytes, memory.memlock_bytes),
        range(memory.charged_least_bytes, memory.charged_bytes),
        range(memory.uncharged_least_bytes, memory.uncharged_bytes),
    ]
}

fn scaled(number: u64) -> (String, &'static str) {
    if number < 1024 {
        return (number.to_string(), UNITS[0]);
    }
    let number = u128::from(number);
    let mut size = 1u128;
    let mut unit = 0;
    // 1023.95 would be written as 1024.0, so it moves on.
    while unit + 1 < UNITS.len() && (number * 20 + size) / (size * 2) >= 10 * 1024 {
        size *= 1024;
        unit += 1;
    }
    let tenths = (number * 20 + size) / (size * 2);
    (format!("{}.{}", tenths / 10, tenths % 10), UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_one_decimal_and_the_right_unit() {
        let shown = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1075, "1.0 KiB"),
            (1076, "1.1 KiB"),
            (1_048_524, "1023.9 KiB"),
            (1_048_525, "1.0 MiB"),
            (5_566_104, "5.3 MiB"),
            (u64::MAX, "16.0 EiB"),
        ];
        for (number, text) in shown {
            assert_eq!(bytes(number), text, "{number}");
        }
    }

    #[test]
    fn a_range_names_its_unit_once_if_it_can() {
        assert_eq!(range(4096, 4096), "4.0 KiB");
        assert_eq!(range(4096, 8192), "4.0..8.0 KiB");
        assert_eq!(range(100, 8192), "100 B..8.0 KiB");
        assert_eq!([at_most(4096, 4096), at_most(0, 4096)], ["4.0 KiB", "≤4.0 KiB"]);
    }

    #[test]
    fn thousands_are_separated() {
        assert_eq!(
            [0, 999, 1000, 45_000, 1_234_567].map(count),
            ["0", "999", "1,000", "45,000", "1,234,567"]
        );
    }
}
