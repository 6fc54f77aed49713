//! Values of operators that are checked but not compiled: comparisons, ranges, capabilities, substrings,
//! file types (semantics 5.2, 5.6, 5.9).

use super::number::parse_base0;
use super::{int, text};
use crate::diag::suggest::nearest;
use crate::diag::{arguments as codes, lints};
use crate::policy::context::Cx;
use crate::policy::context::reported::Reported;
use crate::syntax::ast::read::Text;
use crate::vocab::arg_type::{ArgType, FilterClass};
use crate::vocab::capability::Capability;
use crate::vocab::file_type::FileType;
use crate::vocab::operator::Operator;
use crate::vocab::{Vocabulary, limit};

/// Whether the selector has room for the values.
pub fn check_count(op: Operator, values: &[Text<'_>], cx: &mut Cx<'_>) -> Result<(), Reported> {
    match values.get(limit::INLINE_VALUES) {
        Some(extra) => {
            let max = limit::INLINE_VALUES;
            Err(cx.refuse(codes::too_many_values(op.name(), values.len(), max, extra.span)))
        }
        None => Ok(()),
    }
}

/// Numbers of the argument's type, or names of capabilities.
pub fn check_numbers(op: Operator, ty: ArgType, values: &[Text<'_>], cx: &mut Cx<'_>) {
    _ = check_count(op, values, cx);
    for &value in values {
        match ty.filter_class() {
            FilterClass::CapSet => check_capabilities(value, cx),
            FilterClass::Int { signed, .. } => {
                if int::parse(ty, signed, value, cx).is_ok_and(|mask| mask == 0) && op == Operator::Mask {
                    cx.report(
                        lints::filter_never_matches("`Mask` with 0", "it has no bits", value.span)
                            .help("give the bits that are asked for, or use `Equal`"),
                    );
                }
            }
            FilterClass::Text
            | FilterClass::Buffer
            | FilterClass::PathWithMode
            | FilterClass::Path
            | FilterClass::Sock
            | FilterClass::Skb
            | FilterClass::Sockaddr
            | FilterClass::SockaddrUn
            | FilterClass::Opaque
            | FilterClass::Unknown => {}
        }
    }
}

/// A number, or names with commas between them.
fn check_capabilities(value: Text<'_>, cx: &mut Cx<'_>) {
    if parse_base0(value.value).is_ok_and(|n| n >= 0) {
        return;
    }
    for name in value.value.split(',') {
        if Capability::parse_lenient(name).is_none() {
            let nearest = nearest(name.trim(), Capability::names());
            let names = Capability::names();
            cx.report(crate::diag::schema::unknown_word(
                Capability::WHAT,
                name.trim(),
                nearest,
                names,
                value.span,
            ));
        }
    }
}

pub fn check_substrings(op: Operator, ty: ArgType, values: &[Text<'_>], cx: &mut Cx<'_>) {
    for value in values {
        if value.value.len() > limit::SUBSTRING_BYTES {
            cx.report(codes::value_too_long(
                op.name(),
                value.value.len(),
                limit::SUBSTRING_BYTES,
                value.span,
            ));
        } else {
            text::lint_nul(ty, *value, cx);
        }
    }
}

pub fn check_file_types(op: Operator, values: &[Text<'_>], cx: &mut Cx<'_>) {
    _ = check_count(op, values, cx);
    for value in values {
        if FileType::parse(value.value).is_none() {
            let nearest = nearest(value.value, FileType::names());
            cx.report(crate::diag::schema::unknown_word(
                FileType::WHAT,
                value.value,
                nearest,
                FileType::names(),
                value.span,
            ));
        }
    }
}
