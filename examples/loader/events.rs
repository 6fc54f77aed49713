//! Ring buffer records to lines of JSON: one a policy that acted.
//!
//! A record holds what the policies have in common, its values, then one word a policy. Further values come in records
//! of their own before it, joined by key and thread. Layout: `bpf-templates/abi.h`, read through
//! [`tetrafold::artifact::abi`]. A record that cannot be understood is printed as such, not dropped.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tetrafold::artifact::abi::{self, Word, u8_at, u16_at, u32_at, u64_at};
use tetrafold::artifact::manifest::{Manifest, Policy, PolicyArg, PolicyHook};
use tetrafold::vocab::Vocabulary;
use tetrafold::vocab::arg_type::ArgType;

use crate::say;

/// Keys whose values wait for the record they belong to. Those that never find it, because it was lost, are forgotten.
const WAITING: usize = 64;

pub struct Printer {
    generation: u32,
    operations: BTreeMap<u32, String>,
    policies: BTreeMap<u32, Policy>,
    /// By key and thread.
    parts: BTreeMap<(u64, u32), Vec<Shown>>,
}

/// A value of an argument.
struct Shown {
    arg: u8,
    content: Content,
}

enum Content {
    Integer(u64),
    Text(String),
    Unreadable,
}

/// The common part of a record.
struct Record {
    kind: u32,
    generation: u32,
    operation: u32,
    key: u64,
    cgroup: u64,
    pid: u32,
    tid: u32,
    values: Vec<Shown>,
    words: Vec<u64>,
}

impl Printer {
    pub fn new(manifest: &Manifest, generation: u32) -> Printer {
        Printer {
            generation,
            operations: manifest.operations.iter().map(|o| (o.number, o.name.clone())).collect(),
            policies: manifest.policies.iter().map(|p| (p.number, p.clone())).collect(),
            parts: BTreeMap::new(),
        }
    }

    pub fn print(&mut self, bytes: &[u8]) {
        let Some(mut record) = read(bytes) else {
            return say(&json!({"unreadableRecord": bytes.len()}).to_string());
        };
        let place = (record.key, record.tid);
        if record.kind == abi::EVENT_PART {
            if self.parts.len() >= WAITING {
                self.parts.pop_first();
            }
            self.parts.entry(place).or_default().extend(record.values);
            return;
        }
        let mut values = self.parts.remove(&place).unwrap_or_default();
        values.extend(std::mem::take(&mut record.values));
        for word in &record.words {
            say(&self.line(&record, &values, *word).to_string());
        }
    }

    fn line(&self, record: &Record, values: &[Shown], word: u64) -> Value {
        let Some(Word::Act(act)) = Word::decode(word) else { return json!({ "unreadableWord": word }) };
        let hook = self.operations.get(&record.operation);
        let found = self.policies.get(&act.policy).and_then(|policy| {
            // Of the parts of one hook each says the same of a selector.
            let of_operation = policy.hooks.iter().filter(|hook| hook.operation == record.operation);
            of_operation.filter_map(|hook| Some((policy, hook, hook.selector(act.selector.into())?))).next()
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
            _ => json!({"policyNumber": act.policy, "operation": record.operation, "selector": act.selector}),
        };
        if let (Value::Object(line), Value::Object(common)) = (&mut line, common) {
            line.extend(common);
        }
        line
    }
}

/// The arguments that the policy lists, in its order. One that could not be read is null.
fn args(hook: &PolicyHook, values: &[Shown]) -> Vec<Value> {
    let value = |arg: &PolicyArg| match values.iter().find(|v| u32::from(v.arg) == arg.index)?.content {
        Content::Text(ref text) => Some(json!(text)),
        Content::Integer(register) => Some(json!(ArgType::parse(&arg.ty).and_then(|ty| ty.shown(register)))),
        Content::Unreadable => None,
    };
    hook.args.iter().map(|arg| value(arg).unwrap_or(Value::Null)).collect()
}

fn read(bytes: &[u8]) -> Option<Record> {
    use abi::event as at;
    let behind = at::SIZE.checked_add(u32_at(bytes, at::LEN)? as usize)?;
    let mut rest = bytes.get(at::SIZE..behind)?;
    let mut values = Vec::new();
    for _ in 0..u8_at(bytes, at::VALUES)? {
        values.extend(read_value(&mut rest)?);
    }
    let words = (0..usize::from(u8_at(bytes, at::ACTS)?)).map(|n| u64_at(bytes, behind + 8 * n));
    Some(Record {
        kind: u32::from(u16_at(bytes, at::KIND)?),
        generation: u32_at(bytes, at::GENERATION)?,
        operation: u32_at(bytes, at::OPERATION)?,
        key: u64_at(bytes, at::KEY)?,
        cgroup: u64_at(bytes, at::CGROUP)?,
        pid: u32_at(bytes, at::PID)?,
        tid: u32_at(bytes, at::TID)?,
        values,
        words: words.collect::<Option<_>>()?,
    })
}

/// Takes one value off; `Some(None)` is one of another source or form.
fn read_value(rest: &mut &[u8]) -> Option<Option<Shown>> {
    use abi::value as at;
    let field = |place| Some(u32::from(u8_at(rest, place)?));
    let (source, form, flags) = (field(at::SOURCE)?, field(at::FORM)?, field(at::FLAGS)?);
    let arg = u8_at(rest, at::INDEX)?;
    let behind = at::SIZE.checked_add(u32_at(rest, at::LEN)? as usize)?;
    let bytes = rest.get(at::SIZE..behind)?;
    *rest = &rest[behind..];
    let content = match form {
        _ if source != abi::VALUE_ARGUMENT => return Some(None),
        _ if flags & abi::VALUE_UNREADABLE != 0 => Content::Unreadable,
        abi::VALUE_INTEGER => Content::Integer(u64_at(bytes, 0)?),
        abi::VALUE_TEXT => Content::Text(String::from_utf8_lossy(bytes).into_owned()),
        _ => return Some(None),
    };
    Some(Some(Shown { arg, content }))
}
