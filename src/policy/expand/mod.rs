//! The first phase: what stands in a document for something else is spelled out.
//!
//! Turns a spec into [`Hook`]s: of each what it is placed on, whatever list names it, and its selectors with their
//! macros taken over. Variables are looked up by whoever needs values ([`variables`]). Both the resolving and
//! [`copy`], from which the proof starts, take the same [`Expanded`].

pub mod copy;
pub mod lists;
pub mod macros;
pub mod variables;

use self::lists::{Lists, Members};
use self::macros::{Macros, Parts};
use super::context::Cx;
use crate::diag::lints;
use crate::syntax::ast::objects::{Kprobe, LsmHook, Selector, Spec, Tracepoint, Uprobe, Usdt};
use crate::syntax::ast::read::{List, Text};

/// A spec, spelled out.
pub struct Expanded<'a, 'n> {
    pub spec: &'a Spec<'n>,
    pub lists: Lists<'a, 'n>,
    /// Section by section, in order.
    pub hooks: Vec<Hook<'a, 'n>>,
}

pub struct Hook<'a, 'n> {
    pub on: On<'a, 'n>,
    /// Position in its section.
    pub entry: u32,
    pub selectors: Vec<Parts<'a, 'n>>,
}

#[derive(Clone, Copy)]
pub enum On<'a, 'n> {
    Kprobe(&'a Kprobe<'n>, Calls<'a, 'n>),
    Fentry(&'a Kprobe<'n>, Calls<'a, 'n>),
    Lsm(&'a LsmHook<'n>),
    Tracepoint(&'a Tracepoint<'n>),
    Uprobe(&'a Uprobe<'n>),
    Usdt(&'a Usdt<'n>),
}

/// What `call` stands for.
#[derive(Clone, Copy)]
pub enum Calls<'a, 'n> {
    Named(Text<'n>),
    Listed(Members<'a, 'n>),
    /// Not known, which was reported.
    Unknown,
}

pub fn spec<'a, 'n>(spec: &'a Spec<'n>, cx: &mut Cx<'_>) -> Expanded<'a, 'n> {
    let lists = Lists::resolve(spec, cx);
    let macros = Macros::of(spec);
    let mut hooks = vec![];
    for (entry, kprobe) in (0..).zip(items(&spec.kprobes)) {
        let on = On::Kprobe(kprobe, calls(kprobe, &lists, cx));
        hooks.push(Hook { on, entry, selectors: selectors(&kprobe.selectors, &macros, cx) });
    }
    for (entry, fentry) in (0..).zip(items(&spec.fentries)) {
        let on = On::Fentry(fentry, calls(fentry, &lists, cx));
        hooks.push(Hook { on, entry, selectors: selectors(&fentry.selectors, &macros, cx) });
    }
    for (entry, lsm) in (0..).zip(items(&spec.lsmhooks)) {
        hooks.push(Hook { on: On::Lsm(lsm), entry, selectors: selectors(&lsm.selectors, &macros, cx) });
    }
    for (entry, hook) in (0..).zip(items(&spec.tracepoints)) {
        hooks.push(Hook {
            on: On::Tracepoint(hook),
            entry,
            selectors: selectors(&hook.selectors, &macros, cx),
        });
    }
    for (entry, uprobe) in (0..).zip(items(&spec.uprobes)) {
        hooks.push(Hook {
            on: On::Uprobe(uprobe),
            entry,
            selectors: selectors(&uprobe.selectors, &macros, cx),
        });
    }
    for (entry, usdt) in (0..).zip(items(&spec.usdts)) {
        hooks.push(Hook { on: On::Usdt(usdt), entry, selectors: selectors(&usdt.selectors, &macros, cx) });
    }
    Expanded { spec, lists, hooks }
}

fn items<T>(list: &Option<List<T>>) -> &[T] {
    list.as_ref().map_or(&[], |list| &list.items)
}

fn selectors<'a, 'n>(
    written: &'a Option<List<Selector<'n>>>,
    macros: &Macros<'a, 'n>,
    cx: &mut Cx<'_>,
) -> Vec<Parts<'a, 'n>> {
    let expand = |selector: &'a Selector<'n>| match &selector.macros {
        Some(_) => Parts::expanded(selector, macros, cx),
        None => Parts::of(selector),
    };
    items(written).iter().map(expand).collect()
}

fn calls<'a, 'n>(kprobe: &Kprobe<'n>, lists: &Lists<'a, 'n>, cx: &mut Cx<'_>) -> Calls<'a, 'n> {
    let Some(call) = kprobe.call else { return Calls::Unknown };
    if !call.value.starts_with(lists::REFERENCE) {
        return Calls::Named(call);
    }
    let Some(list) = lists.get(call, cx) else { return Calls::Unknown };
    if let Members::Symbols([]) | Members::Syscalls([]) = lists::members(list)
        && !list.incomplete
        && list.values.as_ref().is_none_or(|values| !values.poisoned)
    {
        let name = list.name.map_or("", |name| name.value);
        cx.report(lints::empty_list(name, call.span, lists::name_span(list)));
    }
    Calls::Listed(lists::members(list))
}
