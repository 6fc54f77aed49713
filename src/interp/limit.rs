//! The oracle with a clock: which of the events that policies report are sent, one after the other.
//!
//! An event is kept back if one of the same selector, function and arguments was sent less than the interval ago, of
//! the same thread or process as the scope says (semantics 6.3). What the selector enforces is done all the same.

use std::collections::BTreeMap;

use super::{Event, Hit, Value, number};
use crate::policy::PolicyKind;
use crate::vocab::action::RateLimitScope;
use crate::vocab::arg_type::{ArgType, Class};

/// How an event is limited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limited {
    pub milliseconds: u64,
    pub scope: RateLimitScope,
    /// What has to be the same: parameters, with the types by which the policy reads them.
    pub args: Vec<(u8, ArgType)>,
}

/// Who makes a call, and when.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    pub thread: u32,
    pub process: u32,
    pub milliseconds: u64,
}

/// What was sent so far.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    last: BTreeMap<Key, u64>,
}

type Key = (PolicyKind, Option<String>, String, (u32, u32), String, u32, Vec<Vec<u8>>);

impl Sent {
    /// Whether the event of `hit` is sent.
    pub fn sends(&mut self, hit: &Hit, event: &Event, call: Call) -> bool {
        if !hit.post {
            return false;
        }
        let Some(limited) = &hit.limit else { return true };
        let whose = match limited.scope {
            RateLimitScope::Thread => call.thread,
            RateLimitScope::Process => call.process,
            RateLimitScope::Global => 0,
        };
        let of = &hit.policy;
        let place = (hit.place.start, hit.place.end);
        let values = limited.args.iter().map(|&(param, ty)| part(event, param, ty)).collect();
        let target = event.attach.target.clone();
        let key = (of.kind, of.namespace.clone(), of.name.clone(), place, target, whose, values);
        let is_soon = |last: &u64| call.milliseconds - last < limited.milliseconds;
        if self.last.get(&key).is_some_and(is_soon) {
            return false;
        }
        self.last.insert(key, call.milliseconds);
        true
    }
}

/// What of an argument has to be the same: of a text its length and 40 bytes, of a socket or a packet its two ends.
fn part(event: &Event, param: u8, ty: ArgType) -> Vec<u8> {
    match event.args.get(param as usize) {
        None | Some(Value::Unreadable) => vec![0],
        Some(Value::Int(register)) => {
            let class = ty.class().map(|class| match class {
                Class::Int { bytes, signed } => Class::Int { bytes: ty.event_bytes(bytes), signed },
                Class::Text | Class::Path | Class::Flow | Class::Structure(_) => class,
            });
            number::at_width(*register, class).to_le_bytes().to_vec()
        }
        Some(Value::Text(text)) => {
            let len = (text.len() as u64).to_le_bytes();
            len.iter().chain(text.iter().take(40)).copied().collect()
        }
        Some(Value::Flow(flow)) => {
            let mut flow = *flow;
            flow.state = None;
            for port in [&mut flow.source_port, &mut flow.destination_port] {
                *port = port.filter(|port| *port != 0);
            }
            format!("{flow:?}").into_bytes()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::ir::{Attach, AttachKind};
    use crate::interp::Workload;
    use crate::policy::{Identity, ShownAction};
    use crate::source::{SourceId, Span};

    fn hit(scope: RateLimitScope) -> Hit {
        Hit {
            policy: Identity { kind: PolicyKind::ALL[0], namespace: None, name: "quiet".into() },
            place: Span { source: SourceId(0), start: 1, end: 2 },
            selector: 0,
            post: true,
            limit: Some(Limited { milliseconds: 60_000, scope, args: vec![(0, ArgType::String)] }),
            shown: ShownAction::Post,
        }
    }

    fn event(text: &[u8]) -> Event {
        Event {
            attach: Attach { kind: AttachKind::Kprobe, target: "f".into(), syscall: false },
            args: vec![Value::Text(text.to_vec())],
            process: BTreeMap::new(),
            workload: Workload::Host,
        }
    }

    const fn call(thread: u32, process: u32, milliseconds: u64) -> Call {
        Call { thread, process, milliseconds }
    }

    #[test]
    fn once_in_the_interval_for_each_whom_the_scope_names() {
        // Thread 2 is of the same process, 3 of another one.
        let calls = [call(1, 1, 0), call(1, 1, 59_999), call(2, 1, 0), call(3, 3, 0), call(1, 1, 60_000)];
        for (scope, sent) in [
            (RateLimitScope::Thread, [true, false, true, true, true]),
            (RateLimitScope::Process, [true, false, false, true, true]),
            (RateLimitScope::Global, [true, false, false, false, true]),
        ] {
            let mut all: Vec<(usize, Call)> = calls.into_iter().enumerate().collect();
            all.sort_by_key(|(i, call)| (call.milliseconds, *i));
            let mut log = Sent::default();
            for (i, call) in all {
                assert_eq!(log.sends(&hit(scope), &event(b"/x"), call), sent[i], "{scope} {i}");
            }
        }
    }

    #[test]
    fn other_arguments_are_another_event() {
        let mut log = Sent::default();
        let hit = hit(RateLimitScope::Global);
        let long = [b'a'; 41];
        let mut other_end = long;
        other_end[40] = b'b';
        for (text, sent) in [
            (&b"/x"[..], true),
            (b"/y", true),
            (b"/x", false),
            (&long, true),
            (&other_end, false),
            (&long[..40], true),
        ] {
            assert_eq!(log.sends(&hit, &event(text), call(1, 1, 0)), sent, "{text:?}");
        }
    }
}
