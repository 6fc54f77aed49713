//! The texts of `values` to what an argument is compared with.

mod cel;
mod int;
mod network;
pub mod number;
mod other;
mod set;
mod text;

use super::hook::HookCx;
use crate::diag::{arguments as codes, lints};
use crate::policy::Test;
use crate::policy::context::given::Given;
use crate::policy::context::{Cx, kernels};
use crate::source::Spanned;
use crate::syntax::ast::objects::ArgFilter;
use crate::syntax::ast::read::Text;
use crate::vocab::arg_type::{ArgType, FilterClass};
use crate::vocab::network::{Family, Protocol, State};
use crate::vocab::operator::{Operator, ValueKind};

/// Assumes that the operator works on the type and that nothing of the values was refused. `None` if values were refused or the operator is not compiled.
pub fn resolve(
    hook: &HookCx<'_, '_>,
    op: Spanned<Operator>,
    ty: ArgType,
    given: Given<'_>,
    cx: &mut Cx<'_>,
) -> Option<Test> {
    let (values, span): (&[Text<'_>], _) = match given {
        Given::Listed(list) => (&list.items, list.span),
        Given::Nothing => (&[], op.span),
        Given::Open => return None,
    };
    let op_name = op.value.name();
    let kind = op.value.value_kind();
    if values.is_empty() && kind != ValueKind::Nothing {
        cx.report(codes::no_values(op_name, span));
        return None;
    }
    if let Some(variable) = values.iter().find(|value| is_variable(value.value))
        && !is_text(kind, ty.filter_class())
    {
        cx.report(codes::unfilled_variable(variable.value, variable.span));
        return None;
    }
    let class = ty.filter_class();
    match (kind, class) {
        (ValueKind::Typed, FilterClass::Int { bytes, signed }) => {
            return int::equal(op.value, ty, bytes, signed, values, cx);
        }
        (ValueKind::Typed, FilterClass::CapSet) | (ValueKind::Number, _) => {
            other::check_numbers(op.value, ty, values, cx)
        }
        (ValueKind::Typed, _) => return text::equal(op.value, ty, values, cx),
        (ValueKind::Prefix, _) => return text::prefix(op.value, ty, values, cx),
        (ValueKind::Postfix, _) => return text::postfix(op.value, ty, values, cx),
        (ValueKind::Range, FilterClass::Int { bytes, .. }) => {
            other::check_ranges(op.value, ty, bytes, values, cx)
        }
        (ValueKind::Set, FilterClass::Int { bytes, signed }) => {
            set::check(hook, ty, bytes, signed, values, cx)
        }
        // Ranges and sets work on integers alone.
        (ValueKind::Range | ValueKind::Set, _) => {}
        (ValueKind::SubString, _) => {
            let kfunc = if op.value == Operator::SubString { "bpf_strnstr" } else { "bpf_strncasestr" };
            kernels::check_kfunc(kfunc, op.span, cx);
            other::check_substrings(op.value, ty, values, cx);
        }
        (ValueKind::Port, _) => network::check_ports(values, cx),
        (ValueKind::Address, _) => network::check_addresses(values, cx),
        (ValueKind::Protocol, _) => network::check_named::<Protocol>(values, cx),
        (ValueKind::Family, _) => network::check_named::<Family>(values, cx),
        (ValueKind::State, _) => network::check_named::<State>(values, cx),
        (ValueKind::FileType, _) => other::check_file_types(op.value, values, cx),
        // Does not depend on one argument; see `expression`.
        (ValueKind::Expression, _) => {}
        (ValueKind::Nothing, _) => {
            if let Some(value) = values.first() {
                cx.report(lints::ignored(&format!("a value of `{op_name}`"), "it takes none", value.span));
            }
        }
    }
    None
}

/// A value that any text can be.
fn is_text(kind: ValueKind, class: FilterClass) -> bool {
    match kind {
        ValueKind::Prefix | ValueKind::Postfix | ValueKind::SubString => true,
        ValueKind::Typed => !matches!(class, FilterClass::Int { .. } | FilterClass::CapSet),
        ValueKind::Number
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
