//! An expanded document to the form that outlives its tree: [`written`].
//!
//! Copies, and decides nothing. Objects are taken apart field by field, so that a field that is new to the schema
//! does not compile until it has a place here or is said to need none.

use std::sync::Arc;

use super::lists::Members;
use super::macros::Parts;
use super::{Calls, Expanded, On};
use crate::policy::context::given::{Given, Variables};
use crate::policy::written::{self, Written};
use crate::source::{Span, Spanned};
use crate::syntax::ast::objects::{self, LabelSelector, Spec};
use crate::syntax::ast::read::{List, Text};
use crate::vocab::capability::CapabilitySet;
use crate::vocab::filter::FilterKind;
use crate::vocab::hook::HookKind;
use crate::vocab::operator::LabelOperator;

/// What is said of a policy beside its hooks is filled in by whoever knows it.
pub fn hooks(
    expanded: &Expanded<'_, '_>,
    variables: Variables<'_>,
    into: &mut Written,
) -> (Vec<written::Hook>, Vec<&'static str>) {
    let Spec {
        node: _,
        poisoned: _,
        incomplete: _,
        variables: _,
        // As hooks.
        kprobes: _,
        fentries: _,
        tracepoints: _,
        lsmhooks: _,
        uprobes: _,
        usdts: _,
        loader,
        enforcers,
        // Expanded.
        lists: _,
        selectors_macros: _,
        // As [`options`] and [`select`].
        options: _,
        pod_selector: _,
        container_selector: _,
        host_selector: _,
        node_selector,
    } = expanded.spec;
    let mut unread = vec![];
    let mut note = |is_there: bool, name| unread.extend(is_there.then_some(name));
    note(loader.is_some_and(|flag| flag.value), "loader");
    note(enforcers.as_ref().is_some_and(|list| !list.items.is_empty()), "enforcers");
    note(node_selector.as_ref().is_some_and(|selector| !labels(selector).is_empty()), "nodeSelector");
    let mut copier = Copier { variables, into };
    let hooks = expanded.hooks.iter().map(|hook| copier.hook(hook)).collect();
    (hooks, unread)
}

pub fn options(spec: &Spec<'_>, into: &mut Written) -> Vec<(written::Text, written::Text)> {
    let mut all = vec![];
    for option in spec.options.iter().flat_map(|options| &options.items) {
        if let Some(name) = option.name {
            all.push((into.add(name.value), into.add(option.value.map_or("", |value| value.value))));
        }
    }
    all
}

/// Selectors of a policy, a binding, or of `matchWorkloads`.
pub fn select(
    pod: Option<&LabelSelector<'_>>,
    container: Option<&LabelSelector<'_>>,
    host: Option<&LabelSelector<'_>>,
    namespace: Option<&str>,
) -> Arc<written::Select> {
    Arc::new(written::Select {
        namespace: namespace.map(str::to_string),
        pod: pod.map(labels),
        container: container.map(labels),
        host: host.is_some(),
    })
}

fn labels(selector: &LabelSelector<'_>) -> Vec<written::Label> {
    let entries = selector.match_labels.iter().flat_map(|labels| &labels.entries);
    let mut all: Vec<written::Label> = entries
        .map(|(key, value)| written::Label {
            key: key.value.to_string(),
            operator: LabelOperator::In,
            values: vec![value.value.to_string()],
        })
        .collect();
    for test in selector.match_expressions.iter().flat_map(|tests| &tests.items) {
        let (Some(key), Some(operator)) = (test.key, test.operator) else { continue };
        let values = test.values.iter().flat_map(|values| &values.items);
        all.push(written::Label {
            key: key.value.to_string(),
            operator: operator.value,
            values: values.map(|value| value.value.to_string()).collect(),
        });
    }
    all
}

struct Copier<'c, 'v> {
    variables: Variables<'v>,
    into: &'c mut Written,
}

impl Copier<'_, '_> {
    fn hook(&mut self, hook: &super::Hook<'_, '_>) -> written::Hook {
        let mut copy = match hook.on {
            On::Kprobe(kprobe, calls) => self.kprobe(HookKind::Kprobe, kprobe, calls),
            On::Fentry(fentry, calls) => self.kprobe(HookKind::Fentry, fentry, calls),
            On::Lsm(lsm) => self.lsm(lsm),
            On::Tracepoint(hook) => self.tracepoint(hook),
            On::Uprobe(hook) => unread_hook(HookKind::Uprobe, hook.node.span),
            On::Usdt(hook) => unread_hook(HookKind::Usdt, hook.node.span),
        };
        copy.selectors = hook.selectors.iter().map(|parts| self.selector(parts)).collect();
        // Without `return` they are never looked at.
        if copy.returned.is_none() {
            copy.selectors.iter_mut().for_each(|selector| selector.returned.clear());
        }
        copy
    }

    fn kprobe(
        &mut self,
        kind: HookKind,
        kprobe: &objects::Kprobe<'_>,
        calls: Calls<'_, '_>,
    ) -> written::Hook {
        let objects::Kprobe {
            node,
            poisoned: _,
            incomplete: _,
            call,
            syscall,
            returns,
            return_arg,
            return_arg_action,
            args,
            data,
            selectors: _,
            // Shown, not matched.
            message: _,
            tags: _,
            ignore,
        } = kprobe;
        let (names, from): (&[Text<'_>], _) = match &calls {
            Calls::Named(name) => (std::slice::from_ref(name), written::From::Hook),
            Calls::Listed(Members::Symbols(names)) => (names, written::From::Symbols),
            Calls::Listed(Members::Syscalls(names)) => (names, written::From::Syscalls),
            Calls::Listed(Members::Generated(_)) | Calls::Unknown => (&[], written::From::Hook),
        };
        let mut copy = written::Hook {
            kind,
            places: names
                .iter()
                .map(|name| written::Place { name: self.into.add(name.value), from })
                .collect(),
            syscall: from == written::From::Syscalls || syscall.is_none_or(|syscall| syscall.value),
            args: vec![],
            returned: None,
            selectors: vec![],
            unread: vec![],
            span: call.map_or(node.span, |call| call.span),
        };
        let mut note = |is_there: bool, name| copy.unread.extend(is_there.then_some(name));
        note(matches!(calls, Calls::Listed(Members::Generated(_)) | Calls::Unknown), "call");
        note(data.as_ref().is_some_and(|list| !list.items.is_empty()), "data");
        let skip = ignore.as_ref().and_then(|ignore| ignore.call_not_found);
        note(skip.is_some_and(|flag| flag.value), "ignore.callNotFound");
        self.args(args.as_ref(), &mut copy);
        // Without `return` they say nothing.
        if returns.is_some_and(|flag| flag.value) {
            let mut note = |is_there: bool, name| copy.unread.extend(is_there.then_some(name));
            note(return_arg.is_none(), "return");
            note(return_arg_action.is_some_and(|action| !action.value.is_empty()), "returnArgAction");
            copy.returned = return_arg.as_ref().and_then(|arg| self.arg(arg, &mut copy.unread));
        }
        copy
    }

    fn lsm(&mut self, lsm: &objects::LsmHook<'_>) -> written::Hook {
        let objects::LsmHook {
            node,
            poisoned: _,
            incomplete: _,
            hook,
            args,
            selectors: _,
            message: _,
            tags: _,
        } = lsm;
        let mut copy = unread_hook(HookKind::Lsm, hook.map_or(node.span, |hook| hook.span));
        let name = hook.iter();
        copy.places = name
            .map(|name| written::Place { name: self.into.add(name.value), from: written::From::Hook })
            .collect();
        self.args(args.as_ref(), &mut copy);
        copy
    }

    fn tracepoint(&mut self, tracepoint: &objects::Tracepoint<'_>) -> written::Hook {
        let objects::Tracepoint {
            node,
            poisoned: _,
            incomplete: _,
            subsystem,
            event,
            args,
            selectors: _,
            // Shown, not matched.
            message: _,
            tags: _,
            raw,
        } = tracepoint;
        let is_raw = raw.is_some_and(|raw| raw.value);
        let kind = if is_raw { HookKind::RawTracepoint } else { HookKind::Tracepoint };
        let mut copy = unread_hook(kind, event.map_or(node.span, |event| event.span));
        if let (Some(subsystem), Some(event)) = (subsystem, event) {
            // The kernel's own have no subsystem.
            let name = match is_raw {
                true => event.value.to_string(),
                false => format!("{}/{}", subsystem.value, event.value),
            };
            copy.places.push(written::Place { name: self.into.add(&name), from: written::From::Hook });
        }
        self.args(args.as_ref(), &mut copy);
        copy
    }

    fn args(&mut self, args: Option<&List<objects::Arg<'_>>>, copy: &mut written::Hook) {
        for arg in args.iter().flat_map(|args| &args.items) {
            copy.args.extend(self.arg(arg, &mut copy.unread));
        }
    }

    fn arg(&mut self, arg: &objects::Arg<'_>, unread: &mut Vec<&'static str>) -> Option<written::Arg> {
        let objects::Arg {
            node: _,
            poisoned: _,
            incomplete: _,
            index,
            ty,
            resolve,
            // Where `resolve` starts.
            btf_type: _,
            btf_type_module: _,
            size_arg_index,
            return_copy,
            max_data,
            label,
            source,
        } = arg;
        let is_set = |text: &Option<Text<'_>>| text.is_some_and(|text| !text.value.is_empty());
        let mut note = |is_there: bool, name| unread.extend(is_there.then_some(name));
        note(is_set(resolve), "resolve");
        note(size_arg_index.is_some_and(|size| size.value != 0), "sizeArgIndex");
        note(return_copy.is_some_and(|flag| flag.value), "returnCopy");
        note(max_data.is_some_and(|flag| flag.value), "maxData");
        note(is_set(source), "source");
        let (Some(index), Some(ty)) = (index, ty) else {
            note(true, "args");
            return None;
        };
        let label = label.filter(|label| !label.value.is_empty()).map(|label| self.into.add(label.value));
        Some(written::Arg { index: index.value, ty: ty.value, label })
    }

    fn selector(&mut self, parts: &Parts<'_, '_>) -> written::Selector {
        let Parts {
            written,
            pids,
            args,
            data,
            actions,
            return_args,
            return_actions,
            binaries,
            parent_binaries,
            namespaces,
            namespace_changes,
            capabilities,
            capability_changes,
            workloads,
        } = parts;
        let mut filters = vec![];
        for filter in args.iter().flat_map(|list| &list.items) {
            filters.push(self.arg_filter(filter));
        }
        filters.extend(pids.iter().flat_map(|list| &list.items).map(pid_filter));
        for filter in binaries.iter().flat_map(|list| &list.items) {
            filters.push(self.binary_filter(filter));
        }
        for filter in namespaces.iter().flat_map(|list| &list.items) {
            filters.push(self.namespace_filter(filter));
        }
        for filter in capabilities.iter().flat_map(|list| &list.items) {
            filters.push(self.capability_filter(filter));
        }
        let mut other =
            |is_there: bool, kind| filters.extend(is_there.then_some(written::Filter::Other(kind)));
        other(data.is_some(), FilterKind::Data);
        other(parent_binaries.is_some(), FilterKind::ParentBinaries);
        other(namespace_changes.is_some(), FilterKind::NamespaceChanges);
        other(capability_changes.is_some(), FilterKind::CapabilityChanges);
        let is_newer = written.match_cel.is_some()
            || written.match_cmd_args.is_some()
            || written.match_user_callers.is_some();
        other(is_newer, FilterKind::Args);
        let workloads = workloads.map(|filter| {
            let (pod, container) = (filter.pod_selector.as_ref(), filter.container_selector.as_ref());
            Arc::unwrap_or_clone(select(pod, container, filter.host_selector.as_ref(), None))
        });
        let actions = actions.iter().flat_map(|list| &list.items);
        let actions = actions.filter_map(|written| action(written, self.into)).collect();
        let returned = return_args.iter().flat_map(|list| &list.items);
        let mut returned: Vec<_> = returned.map(|filter| self.arg_filter(filter)).collect();
        let acts = return_actions.is_some_and(|list| !list.items.is_empty());
        returned.extend(acts.then_some(written::Filter::Other(FilterKind::ReturnArgs)));
        written::Selector { workloads, filters, returned, actions, span: written.span() }
    }

    /// `None`: a variable stands for them that has no values here.
    fn values(
        &mut self,
        own: Option<&List<Text<'_>>>,
        variable: Option<Text<'_>>,
    ) -> Option<Vec<written::Text>> {
        match self.variables.given(own, variable) {
            Given::Listed(list) => Some(list.items.iter().map(|value| self.into.add(value.value)).collect()),
            Given::Nothing => Some(vec![]),
            Given::Open => None,
        }
    }

    fn binary_filter(&mut self, filter: &objects::BinaryFilter<'_>) -> written::Filter {
        let objects::BinaryFilter {
            node: _,
            poisoned: _,
            incomplete: _,
            operator,
            values,
            variable,
            follow_children,
        } = filter;
        match (operator, self.values(values.as_ref(), *variable)) {
            (Some(operator), Some(values)) if !is_on(*follow_children) => {
                written::Filter::Binaries { operator: operator.value, values }
            }
            (Some(_) | None, _) => written::Filter::Other(FilterKind::Binaries),
        }
    }

    fn namespace_filter(&mut self, filter: &objects::NamespaceFilter<'_>) -> written::Filter {
        let objects::NamespaceFilter {
            node: _,
            poisoned: _,
            incomplete: _,
            namespace,
            operator,
            values,
            variable,
        } = filter;
        match (namespace, operator, self.values(values.as_ref(), *variable)) {
            (Some(kind), Some(operator), Some(values)) => {
                written::Filter::Namespaces { kind: kind.value, operator: operator.value, values }
            }
            (Some(_) | None, _, _) => written::Filter::Other(FilterKind::Namespaces),
        }
    }

    fn capability_filter(&mut self, filter: &objects::CapabilityFilter<'_>) -> written::Filter {
        let objects::CapabilityFilter {
            node: _,
            poisoned: _,
            incomplete: _,
            ty,
            operator,
            is_namespace_capability,
            values,
            variable,
        } = filter;
        match (operator, self.values(values.as_ref(), *variable)) {
            (Some(operator), Some(values)) => written::Filter::Capabilities {
                set: ty.map_or(CapabilitySet::Effective, |set| set.value),
                operator: operator.value,
                is_of_namespace: is_on(*is_namespace_capability),
                values,
            },
            (Some(_) | None, _) => written::Filter::Other(FilterKind::Capabilities),
        }
    }

    fn arg_filter(&mut self, filter: &objects::ArgFilter<'_>) -> written::Filter {
        let objects::ArgFilter {
            node: _,
            poisoned: _,
            incomplete: _,
            index,
            args,
            operator,
            values,
            variable,
        } = filter;
        let Some(operator) = operator else { return written::Filter::Other(FilterKind::Args) };
        let arg = match args.as_ref().and_then(|args| args.items.first()) {
            Some(position) => written::ArgOf::Position(position.value),
            None => written::ArgOf::Index(index.map_or(0, |index| index.value)),
        };
        let Some(values) = self.values(values.as_ref(), *variable) else {
            return written::Filter::Other(FilterKind::Args);
        };
        written::Filter::Arg(written::ArgFilter { arg, operator: operator.value, values })
    }
}

fn is_on(flag: Option<Spanned<bool>>) -> bool {
    flag.is_some_and(|flag| flag.value)
}

fn pid_filter(filter: &objects::PidFilter<'_>) -> written::Filter {
    let objects::PidFilter {
        node: _,
        poisoned: _,
        incomplete: _,
        operator,
        values,
        is_namespace_pid,
        follow_forks,
    } = filter;
    match operator {
        Some(operator) if !is_on(*follow_forks) => written::Filter::Pids {
            operator: operator.value,
            is_of_namespace: is_on(*is_namespace_pid),
            values: values.iter().flat_map(|list| &list.items).map(|value| value.value).collect(),
        },
        Some(_) | None => written::Filter::Other(FilterKind::Pids),
    }
}

fn action(written: &objects::Action<'_>, into: &mut Written) -> Option<written::Action> {
    let objects::Action {
        node: _,
        poisoned: _,
        incomplete: _,
        action,
        error,
        rate_limit,
        kernel_stack_trace,
        user_stack_trace,
        // Of actions that are not read.
        url: _,
        fqdn: _,
        signal: _,
        sock: _,
        index: _,
        value: _,
        registers: _,
        new_symbol: _,
        new_addr: _,
        new_offset: _,
        rate_limit_scope,
        // Without effect at hooks that are read.
        ima_hash: _,
    } = written;
    let unread =
        if is_on(*kernel_stack_trace) || is_on(*user_stack_trace) { Some("stack traces") } else { None };
    let mut text =
        |text: &Option<Text<'_>>| text.filter(|text| !text.value.is_empty()).map(|text| into.add(text.value));
    let (rate_limit, rate_limit_scope) = (text(rate_limit), text(rate_limit_scope));
    let error = error.map(|error| error.value);
    Some(written::Action { action: (*action)?.value, error, rate_limit, rate_limit_scope, unread })
}

/// A hook of which only the kind is known.
fn unread_hook(kind: HookKind, span: Span) -> written::Hook {
    written::Hook {
        kind,
        places: vec![],
        syscall: false,
        args: vec![],
        returned: None,
        selectors: vec![],
        unread: vec![],
        span,
    }
}
