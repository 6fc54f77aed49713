//! Hook sections to [`Hook`]s, one file per kind. What is read and matched is for [`super::args`] and
//! [`super::selectors`].

mod enforcer;
mod kernel;
mod tracepoint;
mod user;

use rustc_hash::FxHashSet;

use super::lists::Lists;
use super::macros::Macros;
use super::{Cx, args, kernels, tetragon};
use crate::diag::{lints, schema as codes};
use crate::policy::{Hook, HookCall, PolicyKind, Scope};
use crate::source::Span;
use crate::syntax::ast::objects::{Selector, Spec};
use crate::syntax::ast::read::{List, Text};
use crate::syntax::ast::rules::key_span;
use crate::vocab::hook::HookKind;
use crate::vocab::limit;

/// What a hook has to know of its policy.
pub struct PolicyCx<'a, 'n> {
    pub spec: &'a Spec<'n>,
    pub lists: Lists<'a, 'n>,
    pub macros: Macros<'a, 'n>,
    /// Something waits for `NotifyEnforcer`, or may do so.
    pub has_enforcers: bool,
}

/// What a hook's parts have to know of it.
pub struct HookCx<'a, 'n> {
    pub policy: &'a PolicyCx<'a, 'n>,
    pub kind: HookKind,
    /// Of `call`, `hook` and the like.
    pub name: Option<Text<'n>>,
    /// A kprobe on a syscall.
    pub syscall: bool,
    pub args: &'a args::Args,
    pub data: &'a args::Args,
    /// One argument at most.
    pub returned: &'a args::Args,
    /// The return is hooked as well.
    pub hooks_return: bool,
    /// At most one, so that none comes before another.
    pub has_one_selector: bool,
}

/// A hook as written, whatever workloads its selectors are for.
#[derive(Clone)]
pub struct Written {
    pub hook: Hook,
    /// As [`super::selectors::Selectors::workloads`].
    pub workloads: Vec<Option<Scope>>,
}

pub fn resolve(kind: PolicyKind, spec: &Spec<'_>, cx: &mut Cx<'_>) -> Vec<Written> {
    let lists = Lists::resolve(spec, cx);
    let has_enforcers = spec.enforcers.as_ref().is_some_and(|list| !list.items.is_empty() || list.poisoned)
        || spec.incomplete;
    let policy = PolicyCx { spec, lists, macros: Macros::of(spec), has_enforcers };
    check_one_section(kind, spec, cx);
    enforcer::check(&policy, cx);
    tetragon::check_mode(spec, cx);
    check_loader(kind, spec, cx);
    let mut hooks = Vec::new();
    for kprobe in spec.kprobes.iter().flat_map(|list| &list.items) {
        kernel::kprobe(&policy, HookKind::Kprobe, kprobe, &mut hooks, cx);
    }
    check_hooked_twice(&hooks, spec, cx);
    for fentry in spec.fentries.iter().flat_map(|list| &list.items) {
        kernel::kprobe(&policy, HookKind::Fentry, fentry, &mut vec![], cx);
    }
    for (entry, lsm) in (0..).zip(spec.lsmhooks.iter().flat_map(|list| &list.items)) {
        hooks.extend(kernel::lsm(&policy, entry, lsm, cx));
    }
    for hook in spec.tracepoints.iter().flat_map(|list| &list.items) {
        tracepoint::check(&policy, hook, cx);
    }
    for uprobe in spec.uprobes.iter().flat_map(|list| &list.items) {
        user::check_uprobe(&policy, uprobe, cx);
    }
    for usdt in spec.usdts.iter().flat_map(|list| &list.items) {
        user::check_usdt(&policy, usdt, cx);
    }
    hooks
}

/// Tetragon: refused where it attaches with kprobe.multi (semantics 2.1).
fn check_hooked_twice(hooks: &[Written], spec: &Spec<'_>, cx: &mut Cx<'_>) {
    if hooks.len() < 2 {
        return;
    }
    let mut seen: FxHashSet<&HookCall> = FxHashSet::default();
    for Written { hook, .. } in hooks {
        if !seen.insert(&hook.call)
            && let HookCall::Kprobe { function, .. } = &hook.call
        {
            kernels::check_hooked_twice(function, spec, hook.span, cx);
        }
    }
}

/// Tetragon: at most one section with hooks in it (semantics 0).
fn check_one_section(kind: PolicyKind, spec: &Spec<'_>, cx: &mut Cx<'_>) {
    let counts = [
        (HookKind::Kprobe, spec.kprobes.as_ref().map(|list| list.items.len())),
        (HookKind::Fentry, spec.fentries.as_ref().map(|list| list.items.len())),
        (HookKind::Tracepoint, spec.tracepoints.as_ref().map(|list| list.items.len())),
        (HookKind::Lsm, spec.lsmhooks.as_ref().map(|list| list.items.len())),
        (HookKind::Uprobe, spec.uprobes.as_ref().map(|list| list.items.len())),
        (HookKind::Usdt, spec.usdts.as_ref().map(|list| list.items.len())),
    ];
    let mut first: Option<(HookKind, Span)> = None;
    for (section, count) in counts {
        if count.is_none_or(|count| count == 0) {
            continue;
        }
        let span = key_span(spec.node, section.name()).unwrap_or(spec.node.span);
        if section.is_host_only() && kind == PolicyKind::TracingPolicyNamespaced {
            cx.report(codes::host_only_hook(section.name(), span));
        }
        match first {
            Some((other, other_span)) => {
                cx.report(codes::several_hook_kinds(other.name(), other_span, section.name(), span));
                return;
            }
            None => first = Some((section, span)),
        }
        match section {
            HookKind::Kprobe | HookKind::Lsm => {}
            HookKind::Fentry
            | HookKind::Tracepoint
            | HookKind::RawTracepoint
            | HookKind::Uprobe
            | HookKind::Usdt => {
                cx.not_compiled(&format!("`{}`", section.name()), span);
            }
        }
    }
}

fn check_loader(kind: PolicyKind, spec: &Spec<'_>, cx: &mut Cx<'_>) {
    let Some(loader) = spec.loader.filter(|loader| loader.value) else { return };
    cx.not_compiled("`loader`", loader.span);
    kernels::check_build_ids(loader.span, cx);
    let selectors = ["podSelector", "containerSelector", "hostSelector"];
    let filter = selectors.iter().find_map(|name| key_span(spec.node, name));
    let is_filtered = match (&spec.pod_selector, &spec.container_selector, &spec.host_selector) {
        (None, None, None) => false,
        (pod, container, host) => {
            let is_empty = |s: &Option<crate::syntax::ast::objects::LabelSelector<'_>>| {
                s.as_ref().is_none_or(|s| s.match_labels.is_none() && s.match_expressions.is_none())
            };
            host.is_none() || (pod.is_none() && container.is_none()) || !is_empty(pod) || !is_empty(container)
        }
    };
    if is_filtered || kind == PolicyKind::TracingPolicyNamespaced {
        cx.report(codes::loader_with_workload(loader.span, filter));
    }
}

fn has_one(selectors: Option<&List<Selector<'_>>>) -> bool {
    selectors.is_none_or(|list| list.items.len() <= 1)
}

/// Letters of a symbol; a name with others is in no kernel.
fn is_symbol(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'$'))
}

/// As events show it. Empty is none.
fn message(written: Option<Text<'_>>, cx: &mut Cx<'_>) -> Option<String> {
    let message = written.filter(|message| !message.value.is_empty())?;
    if message.value.len() < limit::MESSAGE_MIN_BYTES {
        cx.report(codes::message_too_short("message", limit::MESSAGE_MIN_BYTES, message.span));
        return None;
    }
    if message.value.len() > limit::MESSAGE_BYTES {
        cx.report(lints::text_truncated("message", message.value.len(), limit::MESSAGE_BYTES, message.span));
    }
    Some(quoted(message.value, limit::MESSAGE_BYTES))
}

fn tags(written: Option<&List<Text<'_>>>, cx: &mut Cx<'_>) -> Vec<String> {
    let mut tags = Vec::new();
    for tag in written.iter().flat_map(|tags| &tags.items) {
        if tag.value.len() < limit::TAG_MIN_BYTES {
            cx.report(codes::message_too_short("tags", limit::TAG_MIN_BYTES, tag.span));
            continue;
        }
        if tag.value.len() > limit::TAG_BYTES {
            cx.report(lints::text_truncated("tags", tag.value.len(), limit::TAG_BYTES, tag.span));
        }
        tags.push(quoted(tag.value, limit::TAG_BYTES));
    }
    tags
}

/// The first `max` bytes as Go's `%q` writes them, without the quotes around: `"`, `\\` and what cannot be
/// printed are escaped, a character that was cut in two byte by byte.
fn quoted(text: &str, max: usize) -> String {
    let bytes = &text.as_bytes()[..text.len().min(max)];
    let mut quoted = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\x07' => quoted.push_str("\\a"),
                '\x08' => quoted.push_str("\\b"),
                '\x0b' => quoted.push_str("\\v"),
                '\x0c' => quoted.push_str("\\f"),
                '\n' => quoted.push_str("\\n"),
                '\r' => quoted.push_str("\\r"),
                '\t' => quoted.push_str("\\t"),
                '"' | '\\' => quoted.extend(['\\', c]),
                c if (c as u32) < 0x20 || c == '\x7f' => quoted.push_str(&format!("\\x{:02x}", c as u32)),
                c if !is_printed(c) && (c as u32) < 0x1_0000 => {
                    quoted.push_str(&format!("\\u{:04x}", c as u32))
                }
                c if !is_printed(c) => quoted.push_str(&format!("\\U{:08x}", c as u32)),
                c => quoted.push(c),
            }
        }
        for byte in chunk.invalid() {
            quoted.push_str(&format!("\\x{byte:02x}"));
        }
    }
    quoted
}

/// Spaces other than the common one, control and format characters are not.
fn is_printed(c: char) -> bool {
    let is_format = matches!(
        c as u32,
        0xad | 0x600..=0x605 | 0x61c | 0x6dd | 0x70f | 0x180e | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f
            | 0xfeff | 0xfff0..=0xfffb | 0xe000..=0xf8ff | 0xe0000..=0x10ffff
    );
    c == ' ' || !c.is_whitespace() && !c.is_control() && !is_format
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_message_is_quoted_as_go_does() {
        assert_eq!(quoted("a \"b\" \\ \n\t\x07\x01\x7f", 256), r#"a \"b\" \\ \n\t\a\x01\x7f"#);
        assert_eq!(quoted("grün 日本 é", 256), "grün 日本 é");
        assert_eq!(quoted("a\u{a0}b\u{200b}\u{feff}", 256), r"a\u00a0b\u200b\ufeff");
        assert_eq!(quoted("aü", 2), r"a\xc3", "cut inside a character");
        assert_eq!(quoted("abc", 2), "ab");
    }
}
