//! Probes of user programs: uprobes and USDT probes. Checked, not compiled yet.
//!
//! Source: Tetragon 4fbfe2d, `pkg/sensors/tracing/{genericuprobe,genericusdt}.go` (semantics 2.7, 2.8).

use super::super::args::Args;
use super::super::hook::{HookCx, PolicyCx};
use super::super::values::number::parse_base0;
use super::super::{args, selectors};
use super::text::{message, tags};
use crate::diag::schema::{bad_userspace, empty_hook_name, shown};
use crate::policy::context::Cx;
use crate::policy::context::facts::FactKind;
use crate::policy::expand::macros::Parts;
use crate::syntax::ast::objects::{Uprobe, Usdt};
use crate::syntax::ast::read::Text;
use crate::vocab::hook::HookKind;

/// Digests by name, with how many bytes they have; of build ids any number.
const DIGESTS: [(&str, Option<usize>); 5] = [
    ("sha1", Some(20)),
    ("sha256", Some(32)),
    ("sha384", Some(48)),
    ("sha512", Some(64)),
    ("build-id", None),
];

pub fn check_uprobe(
    policy: &PolicyCx<'_, '_>,
    uprobe: &Uprobe<'_>,
    written: &[Parts<'_, '_>],
    cx: &mut Cx<'_>,
) {
    check_path(uprobe.path, cx);
    check_addressing(uprobe, cx);
    for symbol in uprobe.symbols.iter().flat_map(|symbols| &symbols.items) {
        check_symbol(*symbol, cx);
    }
    for digest in uprobe.binary_digests.iter().flat_map(|digests| &digests.items) {
        check_digest(*digest, cx);
    }
    let args = args::resolve(HookKind::Uprobe, uprobe.args.as_ref(), uprobe.incomplete, cx);
    let data = args::resolve_data(HookKind::Uprobe, uprobe.data.as_ref(), uprobe.incomplete, cx);
    args::check_count(uprobe.args.as_ref(), uprobe.data.as_ref(), cx);
    args::check_user_resolve(uprobe.args.as_ref(), uprobe.btf_path, cx);
    let hooks_return = uprobe.returns.is_some_and(|returns| returns.value);
    let returned = args::resolve_returned(
        HookKind::Uprobe,
        uprobe.return_arg.as_ref(),
        hooks_return,
        uprobe.incomplete,
        cx,
    );
    let hook = HookCx {
        policy,
        kind: HookKind::Uprobe,
        name: uprobe.path,
        syscall: false,
        args: &args,
        data: &data,
        returned: &returned,
        hooks_return,
        has_one_selector: written.len() <= 1,
    };
    selectors::resolve(&hook, written, cx);
    message(uprobe.message, cx);
    tags(uprobe.tags.as_ref(), cx);
}

pub fn check_usdt(policy: &PolicyCx<'_, '_>, usdt: &Usdt<'_>, written: &[Parts<'_, '_>], cx: &mut Cx<'_>) {
    check_path(usdt.path, cx);
    let args = args::resolve(HookKind::Usdt, usdt.args.as_ref(), usdt.incomplete, cx);
    args::check_count(usdt.args.as_ref(), None, cx);
    args::check_user_resolve(usdt.args.as_ref(), usdt.btf_path, cx);
    let none = Args::default();
    let hook = HookCx {
        policy,
        kind: HookKind::Usdt,
        name: usdt.name,
        syscall: false,
        args: &args,
        data: &none,
        returned: &none,
        hooks_return: false,
        has_one_selector: written.len() <= 1,
    };
    selectors::resolve(&hook, written, cx);
    message(usdt.message, cx);
    tags(usdt.tags.as_ref(), cx);
}

fn check_path(path: Option<Text<'_>>, cx: &mut Cx<'_>) {
    let Some(path) = path else { return };
    if path.value.is_empty() {
        cx.report(empty_hook_name("path", path.span));
    } else {
        cx.unchecked(FactKind::Program, path.value, path.span);
    }
}

/// The loader wants exactly one way with something in it; the schema only refuses several.
fn check_addressing(uprobe: &Uprobe<'_>, cx: &mut Cx<'_>) {
    let count = |n: Option<usize>| n.unwrap_or(0);
    let symbols = count(uprobe.symbols.as_ref().map(|list| list.items.len()));
    let offsets = count(uprobe.offsets.as_ref().map(|list| list.items.len()));
    let addrs = count(uprobe.addrs.as_ref().map(|list| list.items.len()));
    if symbols + offsets + addrs == 0 && !uprobe.poisoned {
        let message = "the uprobe says no function".to_string();
        cx.report(bad_userspace(message, "one of `symbols`, `offsets` and `addrs` is wanted", uprobe.span()));
    }
    if let Some(counters) =
        uprobe.ref_ctr_offsets.as_ref().filter(|list| !list.items.is_empty() && !list.poisoned)
    {
        let functions = symbols.max(offsets);
        if addrs == 0 && functions != counters.items.len() && !uprobe.poisoned {
            let message = format!("{functions} functions have {} reference counters", counters.items.len());
            cx.report(bad_userspace(message, "one for each function is wanted", counters.span));
        }
    }
}

/// `name` or `name+offset`.
fn check_symbol(symbol: Text<'_>, cx: &mut Cx<'_>) {
    if let Some((_, offset)) = symbol.value.split_once('+')
        && !parse_base0(offset).is_ok_and(|n| n >= 0)
    {
        let message = format!("`{}` is no function with an offset", shown(symbol.value));
        cx.report(bad_userspace(message, "`name` or `name+offset` is wanted", symbol.span));
    }
}

fn check_digest(digest: Text<'_>, cx: &mut Cx<'_>) {
    let parts = digest.value.split_once(':');
    let known = parts.and_then(|(name, hex)| {
        let (_, bytes) = DIGESTS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some((*bytes, hex))
    });
    let fits = known.is_some_and(|(bytes, hex)| {
        !hex.is_empty()
            && hex.len() % 2 == 0
            && hex.bytes().all(|b| b.is_ascii_hexdigit())
            && bytes.is_none_or(|bytes| hex.len() == bytes * 2)
    });
    if !fits {
        let message = format!("`{}` is no digest", shown(digest.value));
        cx.report(bad_userspace(
            message,
            "`sha256:` and hexadecimal digits, for example, are wanted",
            digest.span,
        ));
    }
}
