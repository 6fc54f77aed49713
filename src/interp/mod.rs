//! The oracle: what a policy set means, written as plainly as possible.
//!
//! Evaluates an event against a [`PolicySet`] straight from architecture's section on meaning. Shares no code
//! with the rewrites, the plan or the lowering; it uses [`ir::choose`] to know where a hook is attached.

mod program;
mod workload;

use std::net::IpAddr;

use crate::diag::Diagnostics;
use crate::fold::ir::{self, Attach};
use crate::platform::Target;
use crate::policy::{Condition, Identity, Mode, PolicySet, Selector, ShownAction, Source, Values};
use crate::vocab::arg_type::Class;
use crate::vocab::condition::{Flow, Projection};

pub use program::run_plan;
pub use workload::{Workload, applies};

/// One call of a hooked function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Where it happens.
    pub attach: Attach,
    /// By parameter of what is attached. Parameters that nobody reads may be missing.
    pub args: Vec<Value>,
    pub workload: Workload,
}

/// What an argument holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A register.
    Int(u64),
    /// A string without its NUL, or the path that the task sees.
    Text(Vec<u8>),
    /// A socket.
    Flow(Flow),
    /// What cannot be read.
    Unreadable,
}

/// What one policy does about an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    pub policy: Identity,
    /// Index into the policy's hooks.
    pub hook: usize,
    /// Its number in the hook as it is written.
    pub selector: u8,
    pub post: bool,
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

/// The meaning of `set` for `event`.
pub fn run(set: &PolicySet, target: &Target, event: &Event) -> Verdict {
    let mut verdict = Verdict::default();
    for policy in &set.policies {
        for (h, hook) in policy.hooks.iter().enumerate() {
            let scope = hook.scope.unwrap_or(policy.scope);
            if !applies(&set.scopes[scope.0 as usize], &event.workload) {
                continue;
            }
            let Some(choice) = ir::choose(hook, target, &mut Diagnostics::default()) else { continue };
            if choice.attach != event.attach {
                continue;
            }
            let value = |condition: &Condition| {
                let Source::Argument(arg) = condition.source;
                let arg = &hook.args[arg];
                (arg.ty.class(), event.args.get(choice.param(arg.index) as usize))
            };
            let decides =
                |s: &&Selector| s.conditions.iter().all(|f| matches(set, f, s.actions.enforces(), value(f)));
            let Some(selector) = hook.selectors.iter().find(decides) else {
                continue;
            };
            let actions = &selector.actions;
            let enforce = policy.mode == Mode::Enforce;
            let kills = enforce && actions.signal.is_some();
            let value = actions.override_value.filter(|&v| enforce && v != 0);
            if let Some(v) = value
                && verdict.value == 0
            {
                verdict.value = v;
            }
            verdict.sigkill |= kills;
            if actions.post || kills || value.is_some() {
                verdict.hits.push(Hit {
                    policy: policy.identity.clone(),
                    hook: h,
                    selector: selector.number,
                    post: actions.post,
                    shown: actions.shown,
                });
            }
        }
    }
    verdict
}

fn matches(
    set: &PolicySet,
    filter: &Condition,
    enforces: bool,
    value: (Option<Class>, Option<&Value>),
) -> bool {
    let (class, value) = value;
    match value {
        // A negated condition on what cannot be read holds where something is enforced: an allowlist
        // must not let it through. Elsewhere it does not hold, as in Tetragon.
        Some(Value::Unreadable) | None => filter.projection.is_whole() && filter.negated && enforces,
        Some(Value::Flow(flow)) => {
            part(filter.projection, *flow).is_some_and(|part| filter.negated != fits(&filter.values, part))
        }
        Some(value) => filter.negated != any_value(set, &filter.values, class, value),
    }
}

/// A part of a socket.
#[derive(Clone, Copy, Debug)]
enum Part {
    Number(u64),
    Address(IpAddr),
}

/// `None`: the socket has no such part, and no condition on it holds, negated or not.
fn part(projection: Projection, flow: Flow) -> Option<Part> {
    let number = |number: u16| Some(Part::Number(number.into()));
    match projection {
        Projection::SourcePort => number(flow.source_port),
        Projection::DestinationPort => number(flow.destination_port),
        Projection::Protocol => number(flow.protocol),
        Projection::Family => number(flow.family),
        Projection::State => number(flow.state.into()),
        Projection::SourceAddress => flow.source_address.map(Part::Address),
        Projection::DestinationAddress => flow.destination_address.map(Part::Address),
        Projection::Whole | Projection::FileType | Projection::Gained => None,
    }
}

fn fits(values: &Values, part: Part) -> bool {
    match (values, part) {
        (Values::Intervals(all), Part::Number(number)) => all.iter().any(|i| i.contains(number)),
        // An address of the other family lies in no network.
        (Values::Addresses(all), Part::Address(address)) => all.iter().any(|range| range.contains(address)),
        _ => false,
    }
}

fn any_value(set: &PolicySet, test: &Values, class: Option<Class>, value: &Value) -> bool {
    match (test, value) {
        (Values::Path(values) | Values::Text(values), Value::Text(text)) => {
            values.iter().any(|&v| set.strings.get(v) == text)
        }
        (Values::Prefix(values), Value::Text(text)) => {
            // Tetragon looks at the first 255 bytes, and an empty text begins with nothing.
            let seen = &text[..text.len().min(255)];
            !text.is_empty() && values.iter().any(|&v| seen.starts_with(set.strings.get(v)))
        }
        (Values::Postfix(values), Value::Text(text)) => {
            let seen = &text[text.len() - text.len().min(127)..];
            !text.is_empty() && values.iter().any(|&v| seen.ends_with(set.strings.get(v)))
        }
        (Values::Intervals(values), Value::Int(register)) => {
            let value = at_width(class, *register);
            values.iter().any(|interval| (interval.first..=interval.last).contains(&value))
        }
        (Values::AnyBit(masks), Value::Int(register)) => {
            let value = at_width(class, *register);
            masks.iter().any(|mask| value & mask != 0)
        }
        (Values::Path(_) | Values::Text(_) | Values::Prefix(_) | Values::Postfix(_), Value::Int(_))
        | (Values::Intervals(_) | Values::AnyBit(_), Value::Text(_))
        | (Values::Addresses(_), Value::Int(_) | Value::Text(_))
        | (_, Value::Flow(_) | Value::Unreadable) => false,
    }
}

/// The register as the type sees it: its low bytes, extended by its sign.
fn at_width(class: Option<Class>, register: u64) -> u64 {
    match class {
        Some(Class::Int { bytes: 1, signed: true }) => register as i8 as u64,
        Some(Class::Int { bytes: 1, signed: false }) => u64::from(register as u8),
        Some(Class::Int { bytes: 2, signed: true }) => register as i16 as u64,
        Some(Class::Int { bytes: 2, signed: false }) => u64::from(register as u16),
        Some(Class::Int { bytes: 4, signed: true }) => register as i32 as u64,
        Some(Class::Int { bytes: 4, signed: false }) => u64::from(register as u32),
        _ => register,
    }
}
