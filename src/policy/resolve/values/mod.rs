//! The texts of `values` to what an argument is compared with.

pub mod cel;
mod int;
mod network;
pub mod number;
mod other;
mod set;
pub mod text;

use super::hook::HookCx;
use crate::diag::{arguments as codes, lints};
use crate::policy::Values;
use crate::policy::context::given::Given;
use crate::policy::context::reported::Reported;
use crate::policy::context::{Cx, kernels};
use crate::source::Spanned;
use crate::syntax::ast::objects::ArgFilter;
use crate::syntax::ast::read::Text;
use crate::vocab::arg_type::{ArgType, FilterClass};
use crate::vocab::condition::MatchKind;
use crate::vocab::network::{Family, Protocol, State};
use crate::vocab::operator::{Operator, ValueKind};

/// Assumes that the operator works on the type, by `kind`, and that nothing of the values was refused.
pub fn resolve(
    hook: &HookCx<'_, '_>,
    op: Spanned<Operator>,
    ty: ArgType,
    kind: MatchKind,
    given: Given<'_>,
    cx: &mut Cx<'_>,
) -> Result<Values, Reported> {
    let (values, span): (&[Text<'_>], _) = match given {
        Given::Listed(list) => (&list.items, list.span),
        Given::Nothing => (&[], op.span),
        Given::Open => return Err(cx.reported(op.span)),
    };
    let op_name = op.value.name();
    let form = op.value.value_kind();
    if values.is_empty() && form != ValueKind::Nothing {
        return Err(cx.refuse(codes::no_values(op_name, span)));
    }
    if let Some(variable) = values.iter().find(|value| is_variable(value.value))
        && !is_text(form, ty.filter_class())
    {
        return Err(cx.refuse(codes::unfilled_variable(variable.value, variable.span)));
    }
    match (kind, form, ty.filter_class()) {
        (MatchKind::Path, ..) => return text::equal(op.value, ty, values, cx).map(Values::Path),
        (MatchKind::Text, ..) => return text::equal(op.value, ty, values, cx).map(Values::Text),
        (MatchKind::Prefix, ..) => return text::prefix(op.value, ty, values, cx).map(Values::Prefix),
        (MatchKind::Suffix, ..) => return text::postfix(op.value, ty, values, cx).map(Values::Postfix),
        (MatchKind::Intervals, ValueKind::Typed, FilterClass::Int { bytes, signed }) => {
            return int::equal(op.value, ty, bytes, signed, values, cx);
        }
        (MatchKind::Intervals, ValueKind::Above | ValueKind::Below, FilterClass::Int { bytes, signed }) => {
            return int::beyond(op, ty, bytes, signed, values, cx);
        }
        (MatchKind::Intervals, ValueKind::Range, FilterClass::Int { bytes, signed }) => {
            return int::ranges(op, ty, bytes, signed, values, cx);
        }
        (MatchKind::Intervals, ValueKind::Set, FilterClass::Int { bytes, signed }) => {
            return set::resolve(hook, ty, bytes, signed, values, cx);
        }
        (MatchKind::AnyBit, _, FilterClass::Int { bytes, signed }) => {
            return int::masks(op, ty, bytes, signed, values, cx);
        }
        (MatchKind::Intervals, ValueKind::Port, _) => return network::ports(values, cx),
        (MatchKind::Intervals, ValueKind::Protocol, _) => {
            return network::named(values, |known: Protocol| known.number(), cx);
        }
        (MatchKind::Intervals, ValueKind::Family, _) => {
            return network::named(values, |known: Family| known.number(), cx);
        }
        (MatchKind::Intervals, ValueKind::State, _) => {
            return network::named(values, |known: State| known.number(), cx);
        }
        (MatchKind::AddressPrefix, ..) => return network::addresses(values, cx),
        (MatchKind::Intervals | MatchKind::AnyBit, form, _) => match form {
            ValueKind::FileType => other::check_file_types(op.value, values, cx),
            ValueKind::Nothing => {
                if let Some(value) = values.first() {
                    cx.report(lints::ignored(
                        &format!("a value of `{op_name}`"),
                        "it takes none",
                        value.span,
                    ));
                }
                return Ok(network::privileged_ports());
            }
            ValueKind::Typed
            | ValueKind::Above
            | ValueKind::Below
            | ValueKind::Bits
            | ValueKind::Range
            | ValueKind::Set
            | ValueKind::Prefix
            | ValueKind::Postfix
            | ValueKind::SubString
            | ValueKind::Port
            | ValueKind::Protocol
            | ValueKind::Family
            | ValueKind::State
            | ValueKind::Address
            | ValueKind::Expression => other::check_numbers(op.value, ty, values, cx),
        },
        (MatchKind::Substring, ..) => {
            let kfunc = if op.value == Operator::SubString { "bpf_strnstr" } else { "bpf_strncasestr" };
            kernels::check_kfunc(kfunc, op.span, cx);
            other::check_substrings(op.value, ty, values, cx);
        }
        // Does not depend on one argument; see `check_expression`.
        (MatchKind::Computed, ..) => {}
    }
    // Other operators are compiled on no type.
    let on = if ty.filter_class() == FilterClass::CapSet { format!(" on `{ty}`") } else { String::new() };
    Err(cx.not_compiled(&format!("operator `{}`{on}", op.value), op.span))
}

/// A value that any text can be.
fn is_text(kind: ValueKind, class: FilterClass) -> bool {
    match kind {
        ValueKind::Prefix | ValueKind::Postfix | ValueKind::SubString => true,
        ValueKind::Typed => !matches!(class, FilterClass::Int { .. } | FilterClass::CapSet),
        ValueKind::Above
        | ValueKind::Below
        | ValueKind::Bits
        | ValueKind::Range
        | ValueKind::Set
        | ValueKind::Port
        | ValueKind::Address
        | ValueKind::Protocol
        | ValueKind::Family
        | ValueKind::State
        | ValueKind::FileType
        | ValueKind::Expression
        | ValueKind::Nothing => false,
    }
}

/// `${NAME}`: published policies have such values, to be filled in by the user.
fn is_variable(text: &str) -> bool {
    let name = text.strip_prefix("${").and_then(|text| text.strip_suffix('}'));
    name.is_some_and(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
}

/// `CelExpr`: one expression over all arguments of the hook.
pub fn check_expression(
    hook: &HookCx<'_, '_>,
    op: Spanned<Operator>,
    written: &ArgFilter<'_>,
    given: Given<'_>,
    cx: &mut Cx<'_>,
) {
    let (values, span): (&[Text<'_>], _) = match given {
        Given::Listed(list) => (&list.items, list.span),
        Given::Nothing => (&[], op.span),
        Given::Open => return,
    };
    if written.poisoned {
        return;
    }
    match values {
        [] => cx.report(codes::no_values(op.value.name(), span)),
        [text] => {
            if let Err(message) = cel::check(text.value, hook.args) {
                cx.report(codes::bad_expression(message, text.span));
            }
        }
        [_, second, ..] => cx.report(codes::bad_expression("there are several".to_string(), second.span)),
    }
    if !hook.kind.has_cel() {
        let why =
            format!("Tetragon evaluates expressions at kprobes and uprobes, not at {}", hook.kind.noun());
        cx.report(
            lints::filter_never_matches("`CelExpr`", &why, op.span)
                .help("compare with other operators, or hook a kprobe"),
        );
    }
}
