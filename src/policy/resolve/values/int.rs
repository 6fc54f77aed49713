//! Integer values to 64 bits.
//!
//! Which text is a number follows from how Tetragon parses (semantics 5.2): by 32 or 64 bits, `size_t` with
//! a sign, whatever the width compared. The value is then brought to the argument's width and extended
//! by its sign, so that equal bits are equal values.

use super::number::{NumberError, parse_base0};
use super::other;
use crate::diag::{arguments as codes, lints};
use crate::policy::context::Cx;
use crate::policy::context::reported::{self, Reported};
use crate::policy::{Interval, Values};
use crate::source::Spanned;
use crate::syntax::ast::read::Text;
use crate::vocab::arg_type::ArgType;
use crate::vocab::operator::{Operator, ValueKind};

pub fn equal(
    op: Operator,
    ty: ArgType,
    bytes: u8,
    signed: bool,
    values: &[Text<'_>],
    cx: &mut Cx<'_>,
) -> Result<Values, Reported> {
    other::check_count(op, values, cx)?;
    let numbers = values.iter().map(|&value| {
        let number = parse(ty, signed, value, cx)?;
        Ok(at_width(number, ty, bytes, signed, value, cx))
    });
    Ok(Values::numbers(reported::all(numbers.collect())?.into_iter().flatten()))
}

/// `GT` and `LT`: beyond one of the values, and not equal to it.
pub fn beyond(
    op: Spanned<Operator>,
    ty: ArgType,
    bytes: u8,
    signed: bool,
    values: &[Text<'_>],
    cx: &mut Cx<'_>,
) -> Result<Values, Reported> {
    other::check_count(op.value, values, cx)?;
    let numbers = values.iter().map(|&value| parse(ty, signed, value, cx));
    let order = Order::of(bytes, signed);
    let places: Vec<i128> = reported::all(numbers.collect())?.into_iter().map(|n| order.place(n)).collect();
    let (least, most) = (places.iter().min(), places.iter().max());
    let found = match (op.value.value_kind(), least, most) {
        (ValueKind::Below, _, Some(most)) => order.intervals(order.min, most - 1),
        (_, Some(least), _) => order.intervals(least + 1, order.max),
        (_, None, _) => vec![],
    };
    if found.is_empty() {
        let why = format!("`{ty}` is compared as a number from {} to {}", order.min, order.max);
        cx.report(
            lints::filter_never_matches(&format!("`{}` here", op.value), &why, op.span)
                .help("compare with a number between them"),
        );
    }
    order.warn(op, ty, cx);
    Ok(Values::intervals(found))
}

/// `InRange` and its opposite: `min:max`, both in it.
pub fn ranges(
    op: Spanned<Operator>,
    ty: ArgType,
    bytes: u8,
    signed: bool,
    values: &[Text<'_>],
    cx: &mut Cx<'_>,
) -> Result<Values, Reported> {
    other::check_count(op.value, values, cx)?;
    let order = Order::of(bytes, signed);
    let max = if bytes == 8 { i128::from(i64::MAX) } else { i128::from(u32::MAX) };
    let each = values.iter().map(|value| {
        let ends = value.value.split_once(':').map(|(a, b)| (parse_base0(a), parse_base0(b)));
        let Some((Ok(first), Ok(last))) = ends else {
            return Err(cx.refuse(codes::bad_value(value.value, "`min:max`", value.span)));
        };
        if [first, last].iter().any(|&n| n > max || n < i128::from(i64::MIN)) {
            return Err(cx.refuse(codes::value_out_of_range(value.value, ty.name(), value.span)));
        }
        let (low, high) = (order.place(first), order.place(last));
        let found = order.intervals(low, high);
        if found.is_empty() {
            let why = match (first > last, low > high) {
                (true, _) => "the first number is above the second".to_string(),
                (false, true) => format!("`{ty}` has no sign, so the first number is above the second"),
                (false, false) => format!("`{ty}` has {bytes} bytes"),
            };
            cx.report(lints::value_never_matches(value.value, &why, value.span));
        }
        Ok(found)
    });
    let found = reported::all(each.collect())?.concat();
    order.warn(op, ty, cx);
    Ok(Values::intervals(found))
}

/// `Mask`: a bit of any of the values.
pub fn masks(
    op: Spanned<Operator>,
    ty: ArgType,
    bytes: u8,
    signed: bool,
    values: &[Text<'_>],
    cx: &mut Cx<'_>,
) -> Result<Values, Reported> {
    other::check_count(op.value, values, cx)?;
    let each = values.iter().map(|&value| {
        let number = parse(ty, signed, value, cx)?;
        let mask = number as u64 & (u64::MAX >> (64 - 8 * u32::from(bytes)));
        if mask == 0 {
            let why = if number == 0 { "it has no bits" } else { "the argument has none of its bits" };
            cx.report(
                lints::filter_never_matches(&format!("`Mask` with {}", value.value), why, value.span)
                    .help("give the bits that are asked for, or use `Equal`"),
            );
        }
        Ok(mask)
    });
    Ok(Values::any_bit(reported::all(each.collect())?))
}

/// The order in which Tetragon compares numbers of a width (semantics 5.2), and which bits they are here.
pub struct Order {
    pub min: i128,
    pub max: i128,
    is_wide: bool,
    /// Numbers from here on are extended by a sign that is not compared.
    turns_at: Option<i128>,
}

impl Order {
    /// Tetragon: with a sign from 4 bytes on; `int8` and `int16` are compared without theirs.
    pub fn of(bytes: u8, signed: bool) -> Order {
        let half = 1i128 << (u32::from(bytes) * 8 - 1);
        let is_wide = bytes == 8;
        if signed && bytes >= 4 {
            Order { min: -half, max: half - 1, is_wide, turns_at: None }
        } else {
            Order { min: 0, max: 2 * half - 1, is_wide, turns_at: signed.then_some(half) }
        }
    }

    /// In which a set of numbers is searched: without a sign, but for 8 bytes.
    pub fn of_lookup(bytes: u8, signed: bool) -> Order {
        let half = 1i128 << (u32::from(bytes) * 8 - 1);
        if bytes == 8 {
            return Order::of(bytes, signed);
        }
        Order { min: 0, max: 2 * half - 1, is_wide: false, turns_at: signed.then_some(half) }
    }

    /// Where a value of a policy stands in it: Tetragon stores 32 bits of it, or 64.
    pub fn place(&self, number: i128) -> i128 {
        match (self.is_wide, self.min < 0) {
            (false, true) => (number as i32).into(),
            (false, false) => (number as u32).into(),
            (true, true) => (number as i64).into(),
            (true, false) => (number as u64).into(),
        }
    }

    /// The arguments from `first` to `last`, as bits.
    pub fn intervals(&self, first: i128, last: i128) -> Vec<Interval> {
        let (first, last) = (first.max(self.min), last.min(self.max));
        // The bits of what has a sign stand above all others.
        let (above, beyond) = match self.turns_at {
            Some(turn) => (turn, 2 * turn),
            None => (0, 0),
        };
        let part = |from: i128, to: i128, shift: i128| {
            (from <= to).then(|| Interval { first: (from - shift) as u64, last: (to - shift) as u64 })
        };
        let parts = match self.turns_at {
            Some(_) => [part(first, last.min(above - 1), 0), part(first.max(above), last, beyond)],
            None => [part(first.max(0), last, 0), part(first, last.min(-1), 0)],
        };
        parts.into_iter().flatten().collect()
    }

    /// Says where the order is not that of the type.
    pub fn warn(&self, op: Spanned<Operator>, ty: ArgType, cx: &mut Cx<'_>) {
        if self.turns_at.is_some() {
            let why = format!("Tetragon compares it as a number from 0 to {}", self.max);
            cx.report(
                lints::ignored(&format!("the sign of `{ty}`"), &why, op.span)
                    .help("name the numbers that are meant with `Equal`"),
            );
        }
    }
}

/// What Tetragon's loader takes for the type.
pub fn parse(ty: ArgType, signed: bool, value: Text<'_>, cx: &mut Cx<'_>) -> Result<i128, Reported> {
    let is_wide = matches!(ty.canonical(), ArgType::Int64 | ArgType::Uint64 | ArgType::Syscall64);
    // Tetragon: size_t is unsigned when compared and signed when parsed, syscall64 as well.
    let is_signed = signed || matches!(ty, ArgType::SizeT | ArgType::Syscall64);
    let (min, max): (i128, i128) = match (is_wide, is_signed) {
        (true, true) => (i64::MIN.into(), i64::MAX.into()),
        (true, false) => (0, u64::MAX.into()),
        (false, true) => (i32::MIN.into(), i32::MAX.into()),
        (false, false) => (0, u32::MAX.into()),
    };
    let number = match parse_base0(value.value) {
        // Go's unsigned numbers have no sign at all.
        Ok(_) if !is_signed && value.value.starts_with(['+', '-']) => None,
        Ok(number) => Some(number),
        Err(NumberError::Range) => Some(i128::MAX),
        Err(NumberError::Syntax) => None,
    };
    match number {
        Some(number) if (min..=max).contains(&number) => Ok(number),
        Some(number) if is_signed && !is_wide && (0..=u32::MAX.into()).contains(&number) => {
            let meant = i64::from(number as u32 as i32);
            Err(cx.refuse(codes::value_needs_sign(value.value, meant, ty.name(), value.span)))
        }
        Some(_) => Err(cx.refuse(codes::value_out_of_range(value.value, ty.name(), value.span))),
        None => {
            let wanted = if is_signed { "an integer" } else { "an integer without sign" };
            Err(cx.refuse(codes::bad_value(value.value, wanted, value.span)))
        }
    }
}

/// The bits at the argument's width, extended to 64; `None` for a number that no argument can have.
fn at_width(
    number: i128,
    ty: ArgType,
    bytes: u8,
    signed: bool,
    value: Text<'_>,
    cx: &mut Cx<'_>,
) -> Option<u64> {
    let bits = u32::from(bytes) * 8;
    let (min, max) = match signed {
        true => (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1),
        // A negative size_t stands for its low half.
        false => (-(1i128 << (bits - 1)), (1i128 << bits) - 1),
    };
    if (min..=max).contains(&number) {
        let extended = if signed { number as i64 as u64 } else { number as u64 & (u64::MAX >> (64 - bits)) };
        return Some(extended);
    }
    // Tetragon: compares int8 and int16 without sign (semantics 5.2), so that 200 finds the bits of -56
    // there and -56 finds nothing. Both mean those bits here.
    if signed && (0..1i128 << bits).contains(&number) {
        let meaning = (number - (1i128 << bits)) as i64;
        cx.report(lints::value_read_as(value.value, meaning, ty, value.span));
        return Some(meaning as u64);
    }
    cx.report(lints::value_never_matches(value.value, &format!("`{ty}` has {bytes} bytes"), value.span));
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether an argument with these low bits lies in it.
    fn holds(order: &Order, first: i128, last: i128, bytes: u8, signed: bool, register: u64) -> bool {
        let unused = 64 - 8 * u32::from(bytes);
        let low = register << unused;
        let bits = if signed { (low as i64 >> unused) as u64 } else { low >> unused };
        order.intervals(first, last).iter().any(|interval| interval.contains(bits))
    }

    #[test]
    fn an_order_is_that_in_which_tetragon_compares() {
        let edges: [i64; 12] = [0, 1, -1, 127, 128, 255, 256, -128, 32767, 65535, 1 << 31, -(1 << 31)];
        for (bytes, signed) in
            [(1, true), (1, false), (2, true), (2, false), (4, true), (4, false), (8, true), (8, false)]
        {
            let order = Order::of(bytes, signed);
            for register in edges.map(|edge| edge as u64) {
                let unused = 64 - 8 * u32::from(bytes);
                let compared = match (signed, bytes) {
                    (true, 4 | 8) => i128::from((register << unused) as i64 >> unused),
                    _ => i128::from(register << unused >> unused),
                };
                for (first, last) in edges.iter().flat_map(|a| edges.map(|b| (i128::from(*a), i128::from(b))))
                {
                    let expected = first <= compared && compared <= last;
                    let found = holds(&order, first, last, bytes, signed, register);
                    assert_eq!(found, expected, "{bytes} {signed} {first}..={last} {register:#x}");
                }
            }
        }
    }
}
