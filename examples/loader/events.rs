//! Ring buffer records to lines of JSON: one a policy that acted.
//!
//! A record holds what the policies have in common, the values that they declare, then one word a policy. Further values
//! come in records of their own before it, joined by key and thread. Layout: [`tetrafold::artifact::event`]. A record
//! that cannot be understood is printed as such, not dropped. Where a policy wants what a function returns, its line waits
//! for the record of the return and is printed with that; a call that never returns, or of whose return nothing is sent, has none.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use serde_json::{Value, json};
use tetrafold::artifact::abi::{self, Word};
use tetrafold::artifact::event::{Content, Packet, RawValue, Record};
use tetrafold::artifact::manifest::{Manifest, Operation, Policy, PolicyArg, PolicyHook};
use tetrafold::artifact::projection::Flow;
use tetrafold::vocab::Vocabulary;
use tetrafold::vocab::arg_type::{ArgType, Class};
use tetrafold::vocab::network::{Family, Protocol, State};

use crate::say;

/// Keys whose values wait for the record they belong to. Those that never find it, because it was lost, are forgotten.
const WAITING: usize = 64;
/// Lines that wait for the return of their call. The oldest are forgotten.
const UNRETURNED: usize = 4096;

pub struct Printer {
    generation: u32,
    /// What each operation is attached to: `kprobe:__x64_sys_openat`, by the position in the manifest.
    operations: BTreeMap<u32, Vec<String>>,
    /// Operations that are what functions return.
    returns: BTreeSet<u32>,
    /// By the number of their action record.
    selectors: BTreeMap<u32, Selector>,
    /// By key and thread.
    parts: BTreeMap<(u64, u32), Vec<Argument>>,
    /// By key, thread and action record.
    unreturned: BTreeMap<(u64, u32, u32), Value>,
}

struct Selector {
    policy: Rc<Policy>,
    /// Type of what the function returns.
    returned: Option<PolicyArg>,
    /// Positions in the policy and in its hook.
    hook: usize,
    selector: usize,
}

/// What a record holds of an argument.
struct Argument {
    index: u32,
    content: Shown,
}

enum Shown {
    Integer(u64),
    Text(String),
    Socket(Flow),
    Packet(Packet),
    Unreadable,
}

impl Printer {
    pub fn new(manifest: &Manifest, generation: u32) -> Printer {
        Printer {
            generation,
            operations: manifest.operations.iter().map(|o| (o.number, hooks(o))).collect(),
            selectors: manifest.policies.iter().flat_map(|policy| selectors(manifest, policy)).collect(),
            returns: manifest.operations.iter().filter(|o| o.calls.is_some()).map(|o| o.number).collect(),
            parts: BTreeMap::new(),
            unreturned: BTreeMap::new(),
        }
    }

    pub fn print(&mut self, bytes: &[u8]) {
        let Some(record) = Record::read(bytes) else {
            return say(&json!({"unreadableRecord": bytes.len()}).to_string());
        };
        let (place, values) = ((record.key, record.tid), record.values.iter().filter_map(argument));
        if record.kind == abi::EVENT_PART {
            if self.parts.len() >= WAITING {
                self.parts.pop_first();
            }
            self.parts.entry(place).or_default().extend(values);
            return;
        }
        let mut all = self.parts.remove(&place).unwrap_or_default();
        all.extend(values);
        for &word in &record.words {
            let half = match Word::decode(word) {
                Some(Word::Act(act)) if act.flags & abi::ACT_RETURN != 0 => Some(act.record),
                _ => None,
            };
            let Some(of) = half else {
                say(&self.line(&record, &all, word).to_string());
                continue;
            };
            let place = (record.key, record.tid, of);
            if self.returns.contains(&record.operation) {
                if let Some(mut line) = self.unreturned.remove(&place) {
                    line["return"] = self.returned(of, &all);
                    say(&line.to_string());
                }
                continue;
            }
            if self.unreturned.len() >= UNRETURNED {
                self.unreturned.pop_first();
            }
            self.unreturned.insert(place, self.line(&record, &all, word));
        }
    }

    fn returned(&self, record: u32, values: &[Argument]) -> Value {
        let arg = self.selectors.get(&record).and_then(|found| found.returned.as_ref());
        arg.and_then(|arg| values.iter().find_map(|value| shown(arg, value))).unwrap_or(Value::Null)
    }

    fn line(&self, record: &Record<'_>, values: &[Argument], word: u64) -> Value {
        let Some(Word::Act(act)) = Word::decode(word) else { return json!({ "unreadableWord": word }) };
        let hook = self.operations.get(&record.operation).and_then(|all| all.get(record.point as usize));
        let found = self.selectors.get(&act.record).map(|found| {
            let written = &found.policy.hooks[found.hook];
            (&found.policy, written, &written.selectors[found.selector])
        });
        let common = json!({
            "pid": record.pid,
            "tid": record.tid,
            "cgroup": record.cgroup,
            "time": record.key,
            "generation": record.generation,
        });
        let mut line = match found {
            Some((policy, written, selector)) if record.generation == self.generation => json!({
                "policy": policy.name,
                "namespace": policy.namespace,
                "hook": hook,
                "selector": selector.number,
                "action": selector.action,
                "args": args(written, values),
                "source": selector.source,
                "message": written.message,
                "tags": written.tags,
            }),
            // Not of this artifact: numbers are all that can be said.
            _ => json!({"actionRecord": act.record, "operation": record.operation}),
        };
        if let (Value::Object(line), Value::Object(common)) = (&mut line, common) {
            line.extend(common);
        }
        line
    }
}

/// Of the parts of one hook each says the same of a selector.
fn selectors(manifest: &Manifest, policy: &Policy) -> Vec<(u32, Selector)> {
    let policy = Rc::new(policy.clone());
    let is_return = |hook: &PolicyHook| manifest.operation(hook.operation).is_some_and(|o| o.calls.is_some());
    let returns: Vec<&PolicyHook> = policy.hooks.iter().filter(|hook| is_return(hook)).collect();
    let mut all = vec![];
    for (hook, written) in policy.hooks.iter().enumerate().filter(|(_, hook)| !is_return(hook)) {
        for (selector, of) in written.selectors.iter().enumerate() {
            let returned = returns.iter().find(|hook| hook.selector(of.record).is_some());
            let returned = returned.and_then(|hook| hook.args.first().cloned());
            all.push((of.record, Selector { policy: policy.clone(), returned, hook, selector }));
        }
    }
    all
}

fn hooks(operation: &Operation) -> Vec<String> {
    let kind = operation.name.split(':').next().unwrap_or_default();
    operation.attach.targets.iter().map(|target| format!("{kind}:{target}")).collect()
}

/// `None`: of a source or form that this loader does not know.
fn argument(value: &RawValue<'_>) -> Option<Argument> {
    let content = match value.content()? {
        Content::Integer(number) => Shown::Integer(number),
        Content::Text(text) => Shown::Text(String::from_utf8_lossy(text).into_owned()),
        Content::Socket(flow) => Shown::Socket(flow),
        Content::Packet(packet) => Shown::Packet(packet),
        Content::Unreadable => Shown::Unreadable,
    };
    (value.source == abi::VALUE_ARGUMENT).then_some(Argument { index: value.index.into(), content })
}

/// The arguments that the policy lists, in its order. One that could not be read is null.
fn args(hook: &PolicyHook, values: &[Argument]) -> Vec<Value> {
    hook.args
        .iter()
        .map(|arg| values.iter().find_map(|value| shown(arg, value)).unwrap_or(Value::Null))
        .collect()
}

/// `None`: the value is another argument, or this one as other policies declare it.
fn shown(arg: &PolicyArg, value: &Argument) -> Option<Value> {
    let ty = ArgType::parse(&arg.ty).filter(|_| value.index == arg.index)?;
    match (&value.content, ty.class()?) {
        (Shown::Integer(register), Class::Int { .. }) => Some(json!(ty.shown(*register))),
        (Shown::Text(text), Class::Text | Class::Path) => Some(json!(text)),
        (Shown::Socket(flow), Class::Flow) => Some(socket(*flow, ty)),
        (Shown::Packet(packet), Class::Flow) => Some(self::packet(*packet)),
        (Shown::Integer(_) | Shown::Text(_) | Shown::Socket(_) | Shown::Packet(_) | Shown::Unreadable, _) => {
            None
        }
    }
}

/// Names where there are some. An address has no more than its port.
fn socket(flow: Flow, ty: ArgType) -> Value {
    if ty == ArgType::Sockaddr {
        return json!({"family": family(flow), "address": end(flow.source_address, flow.source_port)});
    }
    json!({
        "family": family(flow),
        "protocol": protocol(flow),
        "state": named::<State>(flow.state.map(u16::from), |known| known.number()),
        "source": end(flow.source_address, flow.source_port),
        "destination": end(flow.destination_address, flow.destination_port),
    })
}

fn packet(Packet { flow, length, priority, mark, hash }: Packet) -> Value {
    json!({
        "family": family(flow),
        "protocol": protocol(flow),
        "source": end(flow.source_address, flow.source_port),
        "destination": end(flow.destination_address, flow.destination_port),
        "length": length,
        "priority": priority,
        "mark": mark,
        "hash": hash,
    })
}

/// An address without its port where that cannot be told.
fn end(address: Option<IpAddr>, port: Option<u16>) -> Value {
    match (address, port) {
        (Some(address), Some(port)) => json!(SocketAddr::new(address, port).to_string()),
        (Some(address), None) => json!(address.to_string()),
        (None, _) => Value::Null,
    }
}

fn family(flow: Flow) -> Value {
    named::<Family>(flow.family, |known| known.number())
}

fn protocol(flow: Flow) -> Value {
    named::<Protocol>(flow.protocol, |known| known.number())
}

fn named<V: Vocabulary>(number: Option<u16>, of: impl Fn(V) -> u16) -> Value {
    let Some(number) = number else { return Value::Null };
    match V::ALL.iter().find(|known| of(**known) == number) {
        Some(known) => json!(known.name()),
        None => json!(number),
    }
}
