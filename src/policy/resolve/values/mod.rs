//! The texts of `values` to what an argument is compared with.

mod int;
mod number;
mod text;

use super::Cx;
use crate::diag::arguments as codes;
use crate::policy::Test;
use crate::source::Spanned;
use crate::syntax::ast::objects::ArgFilter;
use crate::syntax::ast::read::Text;
use crate::vocab::arg_type::{ArgType, Class};
use crate::vocab::operator::{Operator, ValueKind};

/// Assumes that the operator works on the type. `None` if values were refused or the operator is not compiled.
pub fn resolve(op: Spanned<Operator>, ty: ArgType, written: &ArgFilter<'_>, cx: &mut Cx<'_>) -> Option<Test> {
    let values: &[Text<'_>] = written.values.as_ref().map_or(&[], |values| &values.items);
    if values.is_empty() && op.value.value_kind() != ValueKind::Nothing {
        cx.report(codes::no_values(
            op.value.name(),
            written.values.as_ref().map_or(op.span, |values| values.span),
        ));
        return None;
    }
    match op.value.value_kind() {
        ValueKind::Typed => match ty.class() {
            Some(Class::Int { bytes, signed }) => int::equal(op.value, ty, bytes, signed, values, cx),
            Some(Class::Text | Class::Path) => text::equal(op.value, ty, values, cx),
            None => None,
        },
        ValueKind::Prefix => text::prefix(op.value, ty, values, cx),
        ValueKind::Postfix => text::postfix(op.value, ty, values, cx),
        ValueKind::Number
        | ValueKind::Range
        | ValueKind::Set
        | ValueKind::SubString
        | ValueKind::Port
        | ValueKind::Address
        | ValueKind::Protocol
        | ValueKind::Family
        | ValueKind::State
        | ValueKind::FileType
        | ValueKind::Expression
        | ValueKind::Nothing => None,
    }
}
