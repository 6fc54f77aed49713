//! Paths that are compared and that the kernel never shows, or that lead through what is a link on most images.
//!
//! Source: `prepend_path` in fs/d_path.c (6.1, 6.12), which puts a path together from directory entries: no `//`,
//! no `.` and `..`, no `/` at the end, and where a link leads in place of the link.

use super::super::hook::HookCx;
use crate::diag::{lints, meant};
use crate::policy::context::Cx;
use crate::policy::context::given::Given;
use crate::policy::expand::macros::Parts;
use crate::syntax::ast::read::Text;
use crate::vocab::arg_type::{ArgType, FilterClass};
use crate::vocab::operator::{BinaryOperator, ValueKind};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Whole,
    Start,
    End,
}

/// Filters on arguments that are paths, and on programs.
pub fn check(hook: &HookCx<'_, '_>, parts: &Parts<'_, '_>, cx: &mut Cx<'_>) {
    for filter in parts.args.iter().flat_map(|list| &list.items) {
        let (Some(op), Some(ty)) = (filter.operator, hook.type_of(filter)) else { continue };
        let is_path = matches!(ty.filter_class(), FilterClass::Path | FilterClass::PathWithMode);
        let part = match op.value.value_kind() {
            ValueKind::Typed => Part::Whole,
            ValueKind::Prefix => Part::Start,
            ValueKind::Postfix => Part::End,
            _ => continue,
        };
        if let Given::Listed(values) = cx.variables.given(filter.values.as_ref(), filter.variable)
            && is_path
        {
            // Of these, a link itself can be the object.
            let is_opened = !matches!(ty, ArgType::Path | ArgType::Dentry);
            check_values(part, is_opened, &values.items, cx);
        }
    }
    let binaries = parts.binaries.iter().chain(&parts.parent_binaries).flat_map(|list| &list.items);
    for filter in binaries {
        let Some(op) = filter.operator else { continue };
        let part = match op.value {
            BinaryOperator::In | BinaryOperator::NotIn => Part::Whole,
            BinaryOperator::Prefix | BinaryOperator::NotPrefix => Part::Start,
            BinaryOperator::Postfix | BinaryOperator::NotPostfix => Part::End,
        };
        if let Given::Listed(values) = cx.variables.given(filter.values.as_ref(), filter.variable) {
            check_values(part, true, &values.items, cx);
        }
    }
}

fn check_values(part: Part, is_opened: bool, values: &[Text<'_>], cx: &mut Cx<'_>) {
    let mut linked: Option<(Text<'_>, &'static str)> = None;
    let mut more = 0;
    for &value in values {
        if let Some(why) = never_shown(value.value, part, is_opened) {
            cx.report(lints::value_never_matches(value.value, why, value.span));
        } else if let Some(what) = literal(value.value) {
            cx.report(meant::literal_pattern(value.value, what, value.span));
        } else if let Some(place) = link(value.value, part).filter(|place| !is_listed(value, place, values)) {
            match linked {
                None => linked = Some((value, place)),
                Some(_) => more += 1,
            }
        }
    }
    if let Some((value, place)) = linked {
        cx.report(meant::symlinked_path(value.value, place, more, value.span));
    }
}

/// Links that lead elsewhere for each process.
const LINKS: [&str; 6] =
    ["/proc/self", "/proc/thread-self", "/dev/fd", "/dev/stdin", "/dev/stdout", "/dev/stderr"];

fn never_shown(value: &str, part: Part, is_opened: bool) -> Option<&'static str> {
    let (at_start, at_end) = (part != Part::End, part != Part::Start);
    if value.contains("//") {
        return Some("the kernel shows one `/` where several are written");
    }
    let has_dots =
        |dots: &str| value.contains(&format!("/{dots}/")) || at_end && value.ends_with(&format!("/{dots}"));
    if has_dots(".") || has_dots("..") {
        return Some("the kernel shows no `.` and `..` in a path");
    }
    if at_end && value.len() > 1 && value.ends_with('/') {
        return Some("a path has no `/` at its end");
    }
    let link = LINKS.iter().filter(|_| at_start).find_map(|link| value.strip_prefix(link));
    let is_behind = |rest: &str| rest.starts_with('/') || rest.is_empty() && part == Part::Whole && is_opened;
    link.filter(|rest| is_behind(rest))
        .map(|_| "that is a link, and the kernel shows where it leads: below `/proc/PID`, for example")
}

/// What looks like a pattern or a slip, and is compared as it is written.
fn literal(value: &str) -> Option<&'static str> {
    let has = |open: char, close: char| value.find(open).is_some_and(|at| value[at..].contains(close));
    if value.contains(['*', '?']) {
        Some("`*` and `?` stand for themselves")
    } else if has('[', ']') || has('{', '}') {
        Some("brackets stand for themselves")
    } else if value.trim() != value {
        Some("the blank counts")
    } else {
        None
    }
}

/// Links of today's images, with where they lead.
const OF_IMAGES: [(&str, &str); 9] = [
    ("/bin", "/usr/bin"),
    ("/sbin", "/usr/sbin"),
    ("/lib", "/usr/lib"),
    ("/lib32", "/usr/lib32"),
    ("/lib64", "/usr/lib64"),
    ("/libx32", "/usr/libx32"),
    ("/var/run", "/run"),
    ("/var/lock", "/run/lock"),
    ("/etc/mtab", "/proc/PID/mounts"),
];

/// Whether what the value is shown as is a value too.
fn is_listed(value: Text<'_>, place: &str, values: &[Text<'_>]) -> bool {
    let behind = |(link, to): &(&str, &str)| value.value.strip_prefix(link).filter(|_| *to == place);
    let shown = OF_IMAGES.iter().find_map(behind).map(|rest| format!("{place}{rest}"));
    shown.is_some_and(|shown| values.iter().any(|other| other.value == shown))
}

fn link(value: &str, part: Part) -> Option<&'static str> {
    let leads = |(link, place): &(&str, &'static str)| {
        let rest = value.strip_prefix(link)?;
        (rest.starts_with('/') || rest.is_empty()).then_some(*place)
    };
    if part == Part::Whole && ["/bin/sh", "/usr/bin/sh"].contains(&value) {
        return Some("/usr/bin/dash, /usr/bin/bash or /bin/busybox");
    }
    OF_IMAGES.iter().filter(|_| part != Part::End).find_map(leads)
}
