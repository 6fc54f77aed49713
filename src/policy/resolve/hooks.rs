//! Hook sections to [`Hook`]s: names, messages and tags. What is read and matched is for [`super::args`]
//! and [`super::selectors`].

use super::facts::FactKind;
use super::{Cx, args, selectors};
use crate::diag::{lints, schema as codes};
use crate::policy::{Hook, HookCall, PolicyKind};
use crate::source::{Span, Spanned};
use crate::syntax::ast::objects::{Kprobe, LsmHook, Spec};
use crate::syntax::ast::read::{List, Text};
use crate::syntax::ast::rules::key_span;
use crate::vocab::hook::HookKind;
use crate::vocab::limit;

/// The prefixes of syscall wrappers by architecture.
const X86_64_PREFIX: &str = "__x64_";
const FOREIGN_PREFIXES: [&str; 2] = ["__arm64_", "__ia32_"];

/// What a hook's parts have to know of it.
pub struct HookCx<'a, 'n> {
    pub kind: HookKind,
    /// Of `call`, `hook` and the like.
    pub name: Option<Text<'n>>,
    /// A kprobe on a syscall.
    pub syscall: bool,
    pub args: &'a args::Args,
}

pub fn resolve(kind: PolicyKind, spec: &Spec<'_>, cx: &mut Cx<'_>) -> Vec<Hook> {
    check_one_section(kind, spec, cx);
    if let Some(loader) = spec.loader.filter(|loader| loader.value) {
        cx.not_compiled("`loader`", loader.span);
    }
    if let Some(enforcers) = spec.enforcers.as_ref().filter(|enforcers| !enforcers.items.is_empty()) {
        cx.not_compiled("`enforcers`", enforcers.span);
    }
    let mut hooks = Vec::new();
    for kprobe in spec.kprobes.iter().flat_map(|list| &list.items) {
        hooks.extend(kprobe_hook(kprobe, cx));
    }
    for lsm in spec.lsmhooks.iter().flat_map(|list| &list.items) {
        hooks.extend(lsm_hook(lsm, cx));
    }
    hooks
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

fn kprobe_hook(kprobe: &Kprobe<'_>, cx: &mut Cx<'_>) -> Option<Hook> {
    let syscall = kprobe.syscall.is_none_or(|syscall| syscall.value);
    let args = args::resolve(HookKind::Kprobe, kprobe.args.as_ref(), kprobe.incomplete, cx);
    let hook = HookCx { kind: HookKind::Kprobe, name: kprobe.call, syscall, args: &args };
    let selectors = selectors::resolve(&hook, kprobe.selectors.as_ref(), cx);
    let message = message(kprobe.message, cx);
    let tags = tags(kprobe.tags.as_ref(), cx);
    report_uncompiled(kprobe, cx);
    let call = kprobe.call?;
    let function = function_name(call, kprobe.syscall, cx)?;
    Some(Hook {
        call: HookCall::Kprobe { function, syscall },
        args: args.compiled,
        selectors,
        message,
        tags,
        span: call.span,
    })
}

fn report_uncompiled(kprobe: &Kprobe<'_>, cx: &mut Cx<'_>) {
    if let Some(returns) = kprobe.returns.filter(|returns| returns.value) {
        cx.not_compiled("`return`", returns.span);
    }
    if let Some(data) = kprobe.data.as_ref().filter(|data| !data.items.is_empty()) {
        cx.not_compiled("`data`", data.span);
    }
    let skip = kprobe.ignore.as_ref().and_then(|ignore| ignore.call_not_found);
    if let Some(skip) = skip.filter(|skip| skip.value) {
        cx.not_compiled("`ignore.callNotFound`", skip.span);
    }
}

/// The symbol that a kprobe attaches to.
fn function_name(call: Text<'_>, syscall: Option<Spanned<bool>>, cx: &mut Cx<'_>) -> Option<String> {
    let is_syscall = syscall.is_none_or(|syscall| syscall.value);
    let name = call.value;
    if name.is_empty() {
        cx.report(codes::empty_hook_name("call", call.span));
        return None;
    }
    if name.starts_with("list:") {
        cx.not_compiled("`list:` in `call`", call.span);
        return None;
    }
    if !is_symbol(name) {
        cx.report(codes::not_a_symbol("call", name, call.span));
        return None;
    }
    if !is_syscall {
        cx.unchecked(FactKind::Function, name, call.span);
        return Some(name.to_string());
    }
    if FOREIGN_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        cx.not_compiled(&format!("`{name}`, a syscall of another architecture,"), call.span);
        return None;
    }
    if name.starts_with(X86_64_PREFIX) {
        cx.unchecked(FactKind::Syscall, name, call.span);
        return Some(name.to_string());
    }
    if !name.starts_with("sys_") && !name.starts_with("compat_sys_") {
        cx.report(codes::not_a_syscall(name, call.span));
        return None;
    }
    cx.unchecked(FactKind::Syscall, name, call.span);
    Some(format!("{X86_64_PREFIX}{name}"))
}

fn is_symbol(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'$'))
}

fn lsm_hook(lsm: &LsmHook<'_>, cx: &mut Cx<'_>) -> Option<Hook> {
    let args = args::resolve(HookKind::Lsm, lsm.args.as_ref(), lsm.incomplete, cx);
    let hook = HookCx { kind: HookKind::Lsm, name: lsm.hook, syscall: false, args: &args };
    let selectors = selectors::resolve(&hook, lsm.selectors.as_ref(), cx);
    let message = message(lsm.message, cx);
    let tags = tags(lsm.tags.as_ref(), cx);
    let name = lsm.hook?;
    check_lsm_name(name, cx)?;
    let call = HookCall::Lsm { hook: name.value.to_string() };
    Some(Hook { call, args: args.compiled, selectors, message, tags, span: name.span })
}

fn check_lsm_name(name: Text<'_>, cx: &mut Cx<'_>) -> Option<()> {
    if name.value.is_empty() {
        cx.report(codes::empty_hook_name("hook", name.span));
        return None;
    }
    if let Some(bare) = ["bpf_lsm_", "security_"].iter().find_map(|prefix| name.value.strip_prefix(prefix)) {
        cx.report(codes::prefixed_lsm_hook(name.value, bare, name.span));
        return None;
    }
    if !is_symbol(name.value) {
        cx.report(codes::not_a_symbol("hook", name.value, name.span));
        return None;
    }
    cx.unchecked(FactKind::LsmHook, name.value, name.span);
    Some(())
}

/// As events show it. Empty is none.
pub fn message(written: Option<Text<'_>>, cx: &mut Cx<'_>) -> Option<String> {
    let message = written.filter(|message| !message.value.is_empty())?;
    if message.value.len() < limit::MESSAGE_MIN_BYTES {
        cx.report(codes::message_too_short("message", limit::MESSAGE_MIN_BYTES, message.span));
        return None;
    }
    if message.value.len() > limit::MESSAGE_BYTES {
        cx.report(lints::text_truncated("message", message.value.len(), limit::MESSAGE_BYTES, message.span));
    }
    Some(cut(message.value, limit::MESSAGE_BYTES).to_string())
}

pub fn tags(written: Option<&List<Text<'_>>>, cx: &mut Cx<'_>) -> Vec<String> {
    let mut tags = Vec::new();
    for tag in written.iter().flat_map(|tags| &tags.items) {
        if tag.value.len() < limit::TAG_MIN_BYTES {
            cx.report(codes::message_too_short("tags", limit::TAG_MIN_BYTES, tag.span));
            continue;
        }
        if tag.value.len() > limit::TAG_BYTES {
            cx.report(lints::text_truncated("tags", tag.value.len(), limit::TAG_BYTES, tag.span));
        }
        tags.push(cut(tag.value, limit::TAG_BYTES).to_string());
    }
    tags
}

/// At most `max` bytes, cut between characters.
fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}
