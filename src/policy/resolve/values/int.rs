//! Integer values to 64 bits.
//!
//! Which text is a number follows from how Tetragon parses (semantics 5.2): by 32 or 64 bits, `size_t` with
//! a sign, whatever the width compared. The value is then brought to the argument's width and extended
//! by its sign, so that equal bits are equal values.

use super::number::{NumberError, parse_base0};
use super::other;
use crate::diag::{arguments as codes, lints};
use crate::policy::Values;
use crate::policy::resolve::Cx;
use crate::policy::resolve::reported::{self, Reported};
use crate::syntax::ast::read::Text;
use crate::vocab::arg_type::ArgType;
use crate::vocab::operator::Operator;

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
