//! Where Tetragon does something else than what is documented, and than what is compiled here: one lint, so
//! that who runs the same policies in both is not surprised (semantics 2.6, 4.12, 6.4, 12.1).

use super::super::hook::HookCx;
use crate::diag::lints;
use crate::policy::context::Cx;
use crate::policy::context::given::Given;
use crate::policy::expand::macros::Parts;
use crate::source::Span;
use crate::syntax::ast::objects::{Action as WrittenAction, ArgFilter, Selector, Spec};
use crate::syntax::ast::read::{List, Text};
use crate::vocab::action::Action;
use crate::vocab::arg_type::{ArgType, FilterClass};
use crate::vocab::hook::HookKind;
use crate::vocab::limit;
use crate::vocab::operator::ValueKind;

/// An LSM hook without selectors: its programs never mark the event for output.
pub fn check_silence(hook: &HookCx<'_, '_>, cx: &mut Cx<'_>) {
    if let (HookKind::Lsm, Some(name)) = (hook.kind, hook.name) {
        let message = "Tetragon sends no event for an LSM hook without selectors";
        let diagnostic = lints::tetragon_differs(message, "here they are sent", name.span);
        cx.report(diagnostic.help("selectors: [{}]"));
    }
}

/// Tetragon looks for enforcing actions in `matchActions` as written, and without one lets no action act.
pub fn check_mode(spec: &Spec<'_>, cx: &mut Cx<'_>) {
    let mut elsewhere: Option<(Span, &str)> = None;
    for selector in selectors(spec) {
        if enforcing(selector.match_actions.as_ref()).is_some() {
            return;
        }
        let mut of_macros = vec![];
        for name in selector.macros.iter().flat_map(|macros| &macros.items) {
            let entries = spec.selectors_macros.iter().flat_map(|macros| &macros.entries);
            of_macros.extend(entries.filter(|(key, _)| key.value == name.value).map(|(_, found)| found));
        }
        let in_macros = of_macros.iter().find_map(|found| enforcing(found.match_actions.as_ref()));
        let returns = std::iter::once(&selector).chain(&of_macros);
        let in_returns = || returns.clone().find_map(|s| enforcing(s.match_return_actions.as_ref()));
        let found = in_macros.map(|span| (span, "a macro"));
        let found = found.or_else(|| in_returns().map(|span| (span, "`matchReturnActions`")));
        elsewhere = elsewhere.or(found);
    }
    if let Some((span, place)) = elsewhere {
        let message = format!("Tetragon enforces nothing of a policy that only does so in {place}");
        let label = "it takes the policy for one that only monitors";
        cx.report(
            lints::tetragon_differs(&message, label, span).help("write the action under `matchActions`"),
        );
    }
}

/// Of all hooks at which an action can enforce.
fn selectors<'a, 'n>(spec: &'a Spec<'n>) -> impl Iterator<Item = &'a Selector<'n>> {
    fn of<'a, 'n, T>(
        hooks: &'a Option<List<T>>,
        selectors: impl Fn(&'a T) -> Option<&'a List<Selector<'n>>>,
    ) -> impl Iterator<Item = &'a Selector<'n>>
    where
        'n: 'a,
    {
        let lists = hooks.iter().flat_map(|list| &list.items).filter_map(selectors);
        lists.flat_map(|list| &list.items)
    }
    of(&spec.kprobes, |hook| hook.selectors.as_ref())
        .chain(of(&spec.tracepoints, |hook| hook.selectors.as_ref()))
        .chain(of(&spec.lsmhooks, |hook| hook.selectors.as_ref()))
        .chain(of(&spec.uprobes, |hook| hook.selectors.as_ref()))
        .chain(of(&spec.usdts, |hook| hook.selectors.as_ref()))
}

fn enforcing(actions: Option<&List<WrittenAction<'_>>>) -> Option<Span> {
    let actions = actions.iter().flat_map(|list| &list.items).filter_map(|written| written.action);
    actions.into_iter().find(|action| action.value.enforces()).map(|action| action.span)
}

/// How far the selectors of a hook reach in Tetragon's encoding, of which it reads filters up to byte 1023 and
/// actions up to byte 2047 without saying so where there are more (semantics 12.1).
pub struct Encoded {
    bytes: usize,
    reported: bool,
}

const LAST_FILTER: usize = 1023;
const LAST_ACTION: usize = 2047;

impl Encoded {
    /// The number of selectors and the place of each stand in front.
    pub fn new(selectors: usize) -> Encoded {
        Encoded { bytes: 4 + 4 * selectors, reported: false }
    }

    pub fn add(&mut self, hook: &HookCx<'_, '_>, parts: &Parts<'_, '_>, cx: &mut Cx<'_>) {
        fn entries<T>(list: Option<&List<T>>, bytes: impl Fn(&T) -> usize) -> usize {
            4 + list.iter().flat_map(|list| &list.items).map(bytes).sum::<usize>()
        }
        let given = |own: Option<&List<Text<'_>>>| own.map_or(0, |list| list.items.len());
        self.bytes += 4;
        self.bytes += entries(parts.pids, |f| 12 + 4 * f.values.as_ref().map_or(0, |list| list.items.len()));
        self.bytes += entries(parts.namespaces, |f| 12 + 4 * given(f.values.as_ref()));
        self.bytes += entries(parts.capabilities, |_| 20);
        self.bytes += entries(parts.namespace_changes, |_| 8);
        self.bytes += entries(parts.capability_changes, |_| 20);
        // Filters on arguments start behind their length and five offsets.
        let mut filters = self.bytes;
        self.bytes += 24;
        let args = parts.args.iter().chain(&parts.data).flat_map(|list| &list.items);
        for filter in args {
            filters = self.bytes;
            self.bytes += 16 + payload(hook, filter, cx);
        }
        let actions = self.bytes;
        self.bytes += entries(parts.actions, action_bytes);
        if !self.reported && (filters > LAST_FILTER || actions > LAST_ACTION) {
            self.reported = true;
            let message = "Tetragon misreads selectors that take so much room together";
            let label = format!("filters behind byte {LAST_FILTER} begin here, and it reads others for them");
            let diagnostic = lints::tetragon_differs(message, &label, parts.written.span());
            cx.report(diagnostic.help("split the policy, or ask for less in each selector"));
        }
    }
}

/// Of the values of a filter (semantics 12.2).
fn payload(hook: &HookCx<'_, '_>, filter: &ArgFilter<'_>, cx: &Cx<'_>) -> usize {
    let Some(op) = filter.operator else { return 0 };
    let count = match cx.variables.given(filter.values.as_ref(), filter.variable) {
        Given::Listed(list) => list.items.len().min(limit::INLINE_VALUES),
        Given::Open | Given::Nothing => 0,
    };
    let width = match hook.type_of(filter).map(ArgType::filter_class) {
        Some(FilterClass::Int { bytes: 8, .. } | FilterClass::CapSet) => 8,
        Some(FilterClass::Int { .. }) => 4,
        Some(_) | None => 0,
    };
    match op.value.value_kind() {
        // Strings and paths: eleven tables.
        ValueKind::Typed if width == 0 => 44,
        ValueKind::Typed | ValueKind::Above | ValueKind::Below | ValueKind::Bits => width * count,
        ValueKind::Range => 2 * width * count,
        ValueKind::SubString | ValueKind::FileType | ValueKind::Expression => 4 * count,
        ValueKind::Set
        | ValueKind::Prefix
        | ValueKind::Postfix
        | ValueKind::Port
        | ValueKind::Protocol
        | ValueKind::Family
        | ValueKind::State => 4,
        ValueKind::Address => 8,
        ValueKind::Nothing => 0,
    }
}

/// With its number (semantics 12.3).
fn action_bytes(written: &WrittenAction<'_>) -> usize {
    written.action.map_or(0, |action| match action.value {
        Action::Post => 24,
        Action::NotifyEnforcer => 16,
        Action::Set => 12,
        Action::Override
        | Action::GetUrl
        | Action::DnsLookup
        | Action::Signal
        | Action::TrackSock
        | Action::UntrackSock => 8,
        Action::Sigkill | Action::NoPost | Action::CleanupEnforcerNotification => 4,
    })
}
