//! Values of strings and paths to interned bytes (semantics 5.3 to 5.5).
//!
//! A value that no argument can have is left out with a lint: a set says the same without it.

use crate::diag::{arguments as codes, lints};
use crate::policy::StrId;
use crate::policy::context::Cx;
use crate::policy::context::reported::{self, Reported};
use crate::syntax::ast::read::Text;
use crate::vocab::arg_type::{ArgType, Class};
use crate::vocab::limit;
use crate::vocab::operator::Operator;

pub fn equal(
    op: Operator,
    ty: ArgType,
    values: &[Text<'_>],
    cx: &mut Cx<'_>,
) -> Result<Vec<StrId>, Reported> {
    intern_all(values, cx, |value, cx| {
        // Tetragon: only `string` values lose their trailing NULs, and one of nothing else has no meaning.
        let bytes = if ty == ArgType::String { trim_nuls(value.value) } else { value.value.as_bytes() };
        if ty == ArgType::String && bytes.is_empty() {
            return Err(cx.refuse(codes::empty_value(op.name(), value.span)));
        }
        check_length(op, value, bytes, limit::STRING_BYTES, cx)?;
        Ok(can_match(ty, value, bytes, Anchor::Both, cx).then_some(bytes))
    })
}

pub fn prefix(
    op: Operator,
    ty: ArgType,
    values: &[Text<'_>],
    cx: &mut Cx<'_>,
) -> Result<Vec<StrId>, Reported> {
    intern_all(values, cx, |value, cx| {
        let bytes = value.value.as_bytes();
        check_length(op, value, bytes, limit::PREFIX_BYTES, cx)?;
        if bytes.len() > limit::PREFIX_EFFECTIVE_BYTES {
            cx.report(lints::value_never_matches(
                value.value,
                "only the first 255 bytes are compared",
                value.span,
            ));
            return Ok(None);
        }
        Ok(can_match(ty, value, bytes, Anchor::Start, cx).then_some(bytes))
    })
}

pub fn postfix(
    op: Operator,
    ty: ArgType,
    values: &[Text<'_>],
    cx: &mut Cx<'_>,
) -> Result<Vec<StrId>, Reported> {
    intern_all(values, cx, |value, cx| {
        let bytes = if ty == ArgType::CharBuf { value.value.as_bytes() } else { trim_nuls(value.value) };
        if bytes.is_empty() {
            return Err(cx.refuse(codes::empty_value(op.name(), value.span)));
        }
        check_length(op, value, bytes, limit::POSTFIX_BYTES, cx)?;
        Ok(can_match(ty, value, bytes, Anchor::End, cx).then_some(bytes))
    })
}

fn check_length(
    op: Operator,
    value: Text<'_>,
    bytes: &[u8],
    most: usize,
    cx: &mut Cx<'_>,
) -> Result<(), Reported> {
    if bytes.len() > most {
        return Err(cx.refuse(codes::value_too_long(op.name(), bytes.len(), most, value.span)));
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Anchor {
    Both,
    Start,
    End,
}

/// Sorted, each once.
fn intern_all<'n>(
    values: &[Text<'n>],
    cx: &mut Cx<'_>,
    mut check: impl FnMut(Text<'n>, &mut Cx<'_>) -> Result<Option<&'n [u8]>, Reported>,
) -> Result<Vec<StrId>, Reported> {
    let each = values.iter().map(|&value| Ok(check(value, cx)?.map(|bytes| cx.strings.intern(bytes))));
    let mut ids: Vec<StrId> = reported::all(each.collect())?.into_iter().flatten().collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// Whether an argument of the type can have such a text; says so if not.
fn can_match(ty: ArgType, value: Text<'_>, bytes: &[u8], anchor: Anchor, cx: &mut Cx<'_>) -> bool {
    if bytes.contains(&0) && lint_nul(ty, value, cx) {
        return false;
    }
    if ty.class() != Some(Class::Path) {
        return true;
    }
    if bytes.is_empty() && anchor == Anchor::Both {
        cx.report(lints::value_never_matches(
            value.value,
            "conditions on an empty path are false",
            value.span,
        ));
        return false;
    }
    if anchor != Anchor::End && bytes.first().is_some_and(|&b| b != b'/') {
        // Memory files and the like have names that start otherwise, so it is kept.
        cx.report(
            lints::filter_never_matches(
                &format!("the path `{}`", crate::diag::schema::shown(value.value)),
                "paths of files start with `/`",
                value.span,
            )
            .help("begin it with `/`, or use `Postfix`, which compares with the end of a path"),
        );
    }
    true
}

/// Says that a value with a NUL never matches, where that is so: bytes of a buffer and abstract socket
/// names may hold any.
pub fn lint_nul(ty: ArgType, value: Text<'_>, cx: &mut Cx<'_>) -> bool {
    let ends_at_nul = ty.class().is_some() && value.value.contains('\0');
    if ends_at_nul {
        let why = "the argument ends at its first NUL byte";
        cx.report(lints::value_never_matches(value.value, why, value.span));
    }
    ends_at_nul
}

fn trim_nuls(text: &str) -> &[u8] {
    text.trim_end_matches('\0').as_bytes()
}
