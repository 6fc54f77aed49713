//! The oracle: what a policy set means, written as plainly as possible.
//!
//! Evaluates an event against the documents as they were written ([`document`]), straight from architecture's
//! section on meaning. Shares no code with the resolving, the rewrites, the plan or the lowering.

#![warn(clippy::wildcard_enum_match_arm)]

pub mod document;
pub mod limit;
mod network;
mod number;
mod program;
mod workload;

use std::collections::BTreeMap;
use std::net::IpAddr;

use self::document::{At, Condition, Document, Hook, Is, Selector};
use self::limit::Limited;
use crate::fold::ir::Attach;
use crate::policy::{Identity, PolicySet, ShownAction, Source};
use crate::source::Span;
use crate::vocab::arg_type::Class;
use crate::vocab::condition::{Flow, Projection};
use crate::vocab::fact::Fact;

pub use program::run_plan;
pub use workload::{Workload, applies};

/// One call of a hooked function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Where it happens.
    pub attach: Attach,
    /// By parameter of what is attached. Parameters that nobody reads may be missing.
    pub args: Vec<Value>,
    /// What the process that makes the call is like; what is missing cannot be read.
    pub process: BTreeMap<Fact, Value>,
    pub workload: Workload,
}

/// What an argument holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A register.
    Int(u64),
    /// A string without its NUL, or the path that the task sees.
    Text(Vec<u8>),
    /// A socket or a packet.
    Flow(Flow),
    /// What cannot be read.
    Unreadable,
}

/// What one policy does about an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    pub policy: Identity,
    /// Of the selector that decided.
    pub place: Span,
    /// Its number in the hook as it is written.
    pub selector: u8,
    pub post: bool,
    /// The event is sent unless one like it was sent a short while ago: [`limit::Sent`].
    pub limit: Option<Limited>,
    pub shown: ShownAction,
}

/// What happens to the call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The policies that act or report, in order of identity.
    pub hits: Vec<Hit>,
    /// What the hook returns: the first override in order of identity, else 0.
    pub value: i32,
    pub sigkill: bool,
}

/// The meaning of the documents of `set` for `event`.
///
/// # Panics
/// If a document holds what [`document`] has no words for, and what the compiler hence has to refuse.
pub fn run(set: &PolicySet, event: &Event) -> Verdict {
    let mut verdict = Verdict::default();
    for policy in &set.written.policies {
        let document = document::read(&set.written, policy)
            .unwrap_or_else(|unread| panic!("policy {}: {} is not read", policy.identity.name, unread.0));
        if applies(&document.scope, &event.workload)
            && !document.except.iter().any(|other| applies(other, &event.workload))
        {
            judge(&document, event, &mut verdict);
        }
    }
    verdict
}

fn judge(document: &Document<'_>, event: &Event, verdict: &mut Verdict) {
    for hook in &document.hooks {
        let is_for =
            |s: &Selector<'_>| s.workloads.as_ref().is_none_or(|scope| applies(scope, &event.workload));
        let at = hook.at(hook.selectors.iter().filter(|s| is_for(s)));
        let is_there = at.kind == event.attach.kind.name()
            && at.target == event.attach.target
            && at.syscall == event.attach.syscall;
        if !is_there {
            verdict.hits.extend(hook.returned.iter().flat_map(|returned| {
                let is_here = |number| hook.selectors.iter().any(|s| s.number == number && is_for(s));
                judge_return(document, returned, &At::of_return(&at), is_here, event)
            }));
            continue;
        }
        let holds =
            |c: &Condition<'_>, s: &Selector<'_>| matches(c, s.acts.enforces(), event.value(hook, &at, c));
        let decides = |s: &&Selector<'_>| is_for(s) && s.conditions.iter().all(|c| holds(c, s));
        let Some(selector) = hook.selectors.iter().find(decides) else { continue };
        let (value, kills) = selector.acts.enforced(document.mode);
        if let Some(value) = value
            && verdict.value == 0
        {
            verdict.value = value;
        }
        verdict.sigkill |= kills;
        if !selector.acts.is_quiet(document.mode) {
            verdict.hits.push(Hit {
                policy: document.policy.identity.clone(),
                place: selector.span,
                selector: selector.number,
                post: selector.acts.post,
                limit: selector.acts.limit.map(|limit| {
                    let args = hook.args.iter().filter(|arg| arg.ty.class().is_some());
                    let args = args.map(|arg| (at.param(arg.index), arg.ty)).collect();
                    Limited { milliseconds: limit.milliseconds, scope: limit.scope, args }
                }),
                shown: selector.acts.shown,
            });
        }
    }
}

/// The selectors that publish what they reported of the call, if they did: each decides for itself.
fn judge_return(
    document: &Document<'_>,
    returned: &Hook<'_>,
    at: &At,
    is_here: impl Fn(u8) -> bool,
    event: &Event,
) -> Vec<Hit> {
    let is_there = at.kind == event.attach.kind.name()
        && at.target == event.attach.target
        && at.syscall == event.attach.syscall;
    if !is_there {
        return vec![];
    }
    let holds = |c: &Condition<'_>| matches(c, false, event.value(returned, at, c));
    let deciding = returned.selectors.iter().filter(|s| is_here(s.number) && s.conditions.iter().all(holds));
    let hit = |selector: &Selector<'_>| Hit {
        policy: document.policy.identity.clone(),
        place: selector.span,
        selector: selector.number,
        post: selector.acts.post,
        limit: None,
        shown: selector.acts.shown,
    };
    deciding.map(hit).collect()
}

impl Event {
    /// What a condition of `hook` looks at, and how it reads it.
    fn value(&self, hook: &Hook<'_>, at: &At, condition: &Condition<'_>) -> (Option<Class>, Option<&Value>) {
        match condition.source {
            Source::Argument(position) => {
                let arg = hook.args[position];
                (arg.ty.class(), self.args.get(at.param(arg.index) as usize))
            }
            // All eight bytes of a number are compared.
            Source::Fact(fact) => (Some(Class::Int { bytes: 8, signed: false }), self.process.get(&fact)),
        }
    }
}

fn matches(
    condition: &Condition<'_>,
    enforces: bool,
    (class, value): (Option<Class>, Option<&Value>),
) -> bool {
    match (&condition.is, value) {
        (Is::Never, _) => false,
        // A negated condition on what cannot be read holds where something is enforced: an allowlist
        // must not let it through. Elsewhere it does not hold, as in Tetragon.
        (_, Some(Value::Unreadable) | None) => {
            condition.projection.is_whole() && condition.negated && enforces
        }
        (is, Some(Value::Flow(flow))) => {
            part(condition.projection, *flow).is_some_and(|part| condition.negated != fits(is, part))
        }
        (is, Some(value)) => condition.negated != any_value(is, class, value),
    }
}

/// A part of a socket or a packet.
#[derive(Clone, Copy, Debug)]
enum Part {
    Number(u64),
    Address(IpAddr),
}

/// `None`: there is no such part, and no condition on it holds, negated or not.
fn part(projection: Projection, flow: Flow) -> Option<Part> {
    let number = |number: Option<u16>| number.map(|n| Part::Number(n.into()));
    match projection {
        Projection::SourcePort => number(flow.source_port),
        Projection::DestinationPort => number(flow.destination_port),
        Projection::Protocol => number(flow.protocol),
        Projection::Family => number(flow.family),
        Projection::State => flow.state.map(|state| Part::Number(state.into())),
        Projection::SourceAddress => flow.source_address.map(Part::Address),
        Projection::DestinationAddress => flow.destination_address.map(Part::Address),
        Projection::Whole | Projection::FileType | Projection::Gained => None,
    }
}

fn fits(is: &Is<'_>, part: Part) -> bool {
    match (is, part) {
        (Is::Intervals(all), Part::Number(number)) => all.iter().any(|i| i.contains(number)),
        // An address of the other family lies in no network.
        (Is::Addresses(all), Part::Address(address)) => all.iter().any(|range| range.contains(address)),
        (_, Part::Number(_) | Part::Address(_)) => false,
    }
}

fn any_value(is: &Is<'_>, class: Option<Class>, value: &Value) -> bool {
    match (is, value) {
        (Is::Path(values) | Is::Text(values), Value::Text(text)) => values.iter().any(|v| v == text),
        (Is::Prefix(values), Value::Text(text)) => {
            // Tetragon looks at the first 255 bytes, and an empty text begins with nothing.
            let seen = &text[..text.len().min(255)];
            !text.is_empty() && values.iter().any(|v| seen.starts_with(v))
        }
        (Is::Postfix(values), Value::Text(text)) => {
            let seen = &text[text.len() - text.len().min(127)..];
            !text.is_empty() && values.iter().any(|v| seen.ends_with(v))
        }
        (Is::Intervals(intervals), Value::Int(register)) => {
            let bits = number::at_width(*register, class);
            intervals.iter().any(|interval| interval.contains(bits))
        }
        (Is::AnyBit(mask), Value::Int(register)) => number::at_width(*register, class) & mask != 0,
        (Is::Never, _)
        | (Is::Path(_) | Is::Text(_) | Is::Prefix(_) | Is::Postfix(_), Value::Int(_))
        | (Is::Intervals(_) | Is::AnyBit(_), Value::Text(_))
        | (Is::Addresses(_), Value::Int(_) | Value::Text(_))
        | (_, Value::Flow(_) | Value::Unreadable) => false,
    }
}
