//! Ring buffer records to lines of JSON: one a policy that acted.
//!
//! A record holds what the policies have in common, then one word a policy. Texts beyond the first come in records of
//! their own before it, joined by key and thread. Layout: `bpf-templates/abi.h`, read through
//! [`tetrafold::artifact::abi`]. A record that cannot be understood is printed as such, not dropped.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tetrafold::artifact::abi::{self, Word, u8_at, u16_at, u32_at, u64_at};
use tetrafold::artifact::manifest::{Manifest, Operation, Policy, PolicyArg, PolicyHook};
use tetrafold::vocab::Vocabulary;
use tetrafold::vocab::arg_type::ArgType;

use crate::say;

/// Text records that wait for the record they belong to. Those that never find it, because it was lost, are forgotten.
const WAITING: usize = 64;

pub struct Printer {
    generation: u32,
    /// What each operation is attached to: `kprobe:__x64_sys_openat`, by the position in the manifest.
    operations: BTreeMap<u32, Vec<String>>,
    policies: BTreeMap<u32, Policy>,
    /// (key, thread) to (argument, text).
    texts: BTreeMap<(u64, u32), Vec<Text>>,
}

struct Text {
    arg: u8,
    /// None: it could not be read.
    value: Option<String>,
}

/// The common part of a record.
struct Record {
    kind: u32,
    generation: u32,
    operation: u32,
    point: u32,
    key: u64,
    cgroup: u64,
    pid: u32,
    tid: u32,
    args: Vec<u64>,
    text: Option<Text>,
    words: Vec<u64>,
}

impl Printer {
    pub fn new(manifest: &Manifest, generation: u32) -> Printer {
        Printer {
            generation,
            operations: manifest.operations.iter().map(|o| (o.number, hooks(o))).collect(),
            policies: manifest.policies.iter().map(|p| (p.number, p.clone())).collect(),
            texts: BTreeMap::new(),
        }
    }

    pub fn print(&mut self, bytes: &[u8]) {
        let Some(record) = read(bytes) else {
            return say(&json!({"unreadableRecord": bytes.len()}).to_string());
        };
        let place = (record.key, record.tid);
        if record.kind == abi::EVENT_TEXT {
            if self.texts.len() >= WAITING {
                self.texts.pop_first();
            }
            self.texts.entry(place).or_default().extend(record.text);
            return;
        }
        let mut record = record;
        let mut texts = self.texts.remove(&place).unwrap_or_default();
        texts.extend(record.text.take());
        for word in &record.words {
            say(&self.line(&record, &texts, *word).to_string());
        }
    }

    fn line(&self, record: &Record, texts: &[Text], word: u64) -> Value {
        let Some(Word::Act(act)) = Word::decode(word) else { return json!({ "unreadableWord": word }) };
        let hook = self.operations.get(&record.operation).and_then(|all| all.get(record.point as usize));
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
                "args": args(written, record, texts),
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

fn hooks(operation: &Operation) -> Vec<String> {
    let kind = operation.name.split(':').next().unwrap_or_default();
    operation.attach.targets.iter().map(|target| format!("{kind}:{target}")).collect()
}

/// The arguments that the policy lists, in its order. One that could not be read is null.
fn args(hook: &PolicyHook, record: &Record, texts: &[Text]) -> Vec<Value> {
    let value = |arg: &PolicyArg| match texts.iter().find(|text| u32::from(text.arg) == arg.index) {
        Some(text) => json!(text.value),
        None => {
            let register = record.args.get(arg.index as usize).copied().unwrap_or(0);
            json!(ArgType::parse(&arg.ty).and_then(|ty| ty.shown(register)))
        }
    };
    hook.args.iter().map(value).collect()
}

fn read(bytes: &[u8]) -> Option<Record> {
    use abi::event as at;
    let flags = u32::from(u8_at(bytes, at::FLAGS)?);
    let behind = at::SIZE.checked_add(usize::from(u16_at(bytes, at::TEXT_LEN)?))?;
    let text = match u8_at(bytes, at::ARG)? {
        0xff => None,
        arg if flags & abi::EVENT_UNREADABLE != 0 => Some(Text { arg, value: None }),
        arg => {
            let text = bytes.get(at::SIZE..behind)?;
            Some(Text { arg, value: Some(String::from_utf8_lossy(text).into_owned()) })
        }
    };
    let words = (0..u16_at(bytes, at::ENTRIES)? as usize).map(|n| u64_at(bytes, behind + 8 * n));
    Some(Record {
        kind: u32::from(u16_at(bytes, at::KIND)?),
        generation: u32_at(bytes, at::GENERATION)?,
        operation: u32_at(bytes, at::OPERATION)?,
        point: u32_at(bytes, at::POINT)?,
        key: u64_at(bytes, at::KEY)?,
        cgroup: u64_at(bytes, at::CGROUP)?,
        pid: u32_at(bytes, at::PID)?,
        tid: u32_at(bytes, at::TID)?,
        args: (0..abi::EVENT_ARGS as usize).filter_map(|n| u64_at(bytes, at::ARGS + 8 * n)).collect(),
        text,
        words: words.collect::<Option<_>>()?,
    })
}
