//! A policy set as ordered rules: the form that is rewritten and planned.
//!
//! Turns a [`PolicySet`] into operations (attach points that the same lists decide, and the arguments that are
//! read there) and decision lists (one per hook as written and operation). Assumes only what the set's type says. Guarantees: equal operations,
//! subjects and predicates have equal ids; the order of rules inside a list is the policy's; lists stand in
//! order of policy identity, then of the hook. Refuses (and this is the only place) what cannot be attached
//! with the meaning asked for: [`attach`].

mod attach;
mod group;
mod text;

use std::collections::BTreeMap;

use indexmap::{IndexMap, IndexSet};

use crate::artifact::abi::EVENT_ARGS;
use crate::diag::Diagnostics;
use crate::platform::Target;
use crate::policy::{
    Actions, Arg, Condition, Field, Hook, Mode, PolicySet, RateLimit, ScopeId, Selector, Source, Values,
};
use crate::source::Span;
use crate::vocab::arg_type::{ArgType, Class};
use crate::vocab::condition::Projection;
use crate::vocab::fact::{self, Fact};

pub use attach::{Attach, AttachKind, AttachReason, AttachSet, Choice, choose};

/// Index into [`Program::operations`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId(pub u32);

/// Index into [`Operation::subjects`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectId(pub u32);

/// Index into [`Operation::predicates`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PredicateId(pub u32);

/// All rules of all policies.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// In order of first use by the lists.
    pub operations: Vec<Operation>,
    /// In order of policy identity, then of the hook inside the policy.
    pub lists: Vec<List>,
}

/// Attach points that the same lists decide, and everything that any policy reads or tests there.
#[derive(Clone, Debug)]
pub struct Operation {
    pub attach: AttachSet,
    /// Of what functions return: the operation of their calls. Its one parameter is the returned value.
    pub calls: Option<OperationId>,
    pub subjects: IndexSet<Subject>,
    /// Bytes and sign of each integer in events, by its parameter: of the widest type, which has all bytes of the others.
    pub shown_integers: BTreeMap<u8, (u8, bool)>,
    /// Of a tracepoint: those that are read, by their numbers.
    pub fields: BTreeMap<u8, Field>,
    pub predicates: IndexSet<Predicate>,
}

/// What some policy reads; of types that read one number alike, as the first policy declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    pub place: Place,
    pub ty: ArgType,
}

/// Where it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Parameter of what is attached (not of what the policy named, where the two differ).
    Param(u8),
    /// Of the process that makes the call. No event shows it.
    Fact(Fact),
}

/// A condition on one subject: true for a set of its values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Predicate {
    pub subject: SubjectId,
    pub projection: Projection,
    pub values: Values,
    pub negated: bool,
    /// The answer for a value that cannot be read.
    pub unreadable: bool,
}

/// One hook of one policy as written, at the attach points of one operation: the first rule that matches decides.
#[derive(Clone, Debug)]
pub struct List {
    /// Index into [`PolicySet::policies`]; also the rank that decides between overrides.
    pub policy: usize,
    /// Indexes into the policy's hooks, one for each target of the operation, in their order. They differ in the
    /// function alone.
    pub hooks: Vec<usize>,
    pub operation: OperationId,
    pub scope: ScopeId,
    /// Number that events give the first selector of the hook as it is written: selectors of one policy are counted
    /// over its hooks on one operation.
    pub first_selector: u32,
    /// Parameter of what is attached, by position in the hook's `args`.
    pub params: Vec<u8>,
    /// Subject of each of the hook's `args`.
    pub subjects: Vec<SubjectId>,
    /// Of each: bytes that events show of an integer of its type.
    pub widths: Vec<Option<u8>>,
    /// At a return every rule that matches acts, if its selector did at the call.
    pub rules: Vec<Rule>,
    pub at_return: bool,
    pub reason: AttachReason,
    pub span: Span,
}

/// Matches if every predicate does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Sorted, each once; none = always.
    pub predicates: Vec<PredicateId>,
    pub outcome: Outcome,
    /// Number of the selector in the policy's hook as it is written: what events and certificates name.
    pub selector: u8,
}

/// What a rule does, monitor mode already applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Outcome {
    pub post: bool,
    /// Returned instead of the hook's own value; never 0 (that overrides nothing).
    pub override_value: Option<i16>,
    pub sigkill: bool,
    /// What is posted is one half of an event, that of the call or that of its return.
    pub half: bool,
    /// It is posted once in a while only. At a return nothing says so: what the call did not post is not awaited.
    pub limit: Option<RateLimit>,
}

impl Outcome {
    /// The call fails or its process dies.
    pub fn denies(self) -> bool {
        self.override_value.is_some() || self.sigkill
    }

    /// Nothing is sent, returned or killed.
    pub fn is_quiet(self) -> bool {
        !self.post && self.override_value.is_none() && !self.sigkill
    }
}

/// Restates `set`. Hooks that cannot be attached with their meaning are refused (`TF05xx`) and left out.
pub fn build(set: &PolicySet, target: &Target, diags: &mut Diagnostics) -> Program {
    let mut program = Program::default();
    for group in group::groups(set, target, diags) {
        let waits = |written: &&group::Written| {
            let hook = &set.policies[written.policy].hooks[written.hooks[0]];
            hook.returned.is_some() && hook.selectors.iter().any(|s| s.actions.post)
        };
        let returning: Vec<group::Written> = group.written.iter().filter(waits).cloned().collect();
        // What takes calls up is attached before what puts them down.
        let calls = OperationId(program.operations.len() as u32 + u32::from(!returning.is_empty()));
        let mut numbers: IndexMap<usize, Numbers> = IndexMap::new();
        let mut first_selectors: IndexMap<(usize, usize), u32> = IndexMap::new();
        let mut at_call = Operation::new(group.attach.clone(), None);
        let mut lists = vec![];
        for written in &group.written {
            let (p, hooks) = (written.policy, &set.policies[written.policy].hooks);
            let first_selector = numbers.entry(p).or_default().first_of(hooks, written.hooks[0]);
            first_selectors.insert((p, written.hooks[0]), first_selector);
            lists.push(list_at_call(set, &mut at_call, calls, written, first_selector));
        }
        if !returning.is_empty() {
            let id = OperationId(program.operations.len() as u32);
            let attach = AttachSet { kind: AttachKind::Kretprobe, ..group.attach };
            let mut at_return = Operation::new(attach, Some(calls));
            for written in &returning {
                let first_selector = first_selectors[&(written.policy, written.hooks[0])];
                lists.push(list_at_return(set, &mut at_return, id, written, first_selector));
            }
            program.operations.push(at_return);
        }
        program.operations.push(at_call);
        program.lists.extend(lists);
    }
    program.lists.sort_by_key(|l| (l.policy, l.hooks.iter().min().copied(), l.operation));
    program
}

fn list_at_call(
    set: &PolicySet,
    op: &mut Operation,
    id: OperationId,
    written: &group::Written,
    first_selector: u32,
) -> List {
    let policy = &set.policies[written.policy];
    let hook = &policy.hooks[written.hooks[0]];
    let subjects = declare_subjects(op, &hook.args, &written.choice);
    let rules = rules(op, hook, &subjects, policy.mode);
    List {
        policy: written.policy,
        hooks: written.hooks.clone(),
        operation: id,
        scope: hook.scope.unwrap_or(policy.scope),
        first_selector,
        params: hook.args.iter().map(|a| written.choice.param(a.index)).collect(),
        subjects,
        widths: widths(&hook.args),
        rules,
        at_return: false,
        reason: written.choice.reason.clone(),
        span: hook.span,
    }
}

fn list_at_return(
    set: &PolicySet,
    op: &mut Operation,
    id: OperationId,
    written: &group::Written,
    first_selector: u32,
) -> List {
    let policy = &set.policies[written.policy];
    let hook = &policy.hooks[written.hooks[0]];
    let subjects = declare_subjects(op, hook.returned.as_slice(), &written.choice);
    let posting = hook.selectors.iter().filter(|selector| selector.actions.post);
    let rule = |selector: &Selector| {
        let predicates = intern_predicates(op, &subjects, &selector.returned, false);
        let outcome = Outcome { post: true, override_value: None, sigkill: false, half: true, limit: None };
        Rule { predicates, outcome, selector: selector.number }
    };
    let rules = posting.map(rule).collect();
    List {
        policy: written.policy,
        hooks: written.hooks.clone(),
        operation: id,
        scope: hook.scope.unwrap_or(policy.scope),
        first_selector,
        params: vec![0],
        subjects,
        widths: widths(hook.returned.as_slice()),
        rules,
        at_return: true,
        reason: AttachReason::AsWritten,
        span: hook.span,
    }
}

fn rules(op: &mut Operation, hook: &Hook, subjects: &[SubjectId], mode: Mode) -> Vec<Rule> {
    let rule = |selector: &Selector| {
        let enforces = selector.actions.enforces();
        let predicates = intern_predicates(op, subjects, &selector.conditions, enforces);
        let mut outcome = outcome(&selector.actions, mode);
        outcome.half = outcome.post && hook.returned.is_some();
        Rule { predicates, outcome, selector: selector.number }
    };
    hook.selectors.iter().map(rule).collect()
}

fn intern_predicates(
    op: &mut Operation,
    subjects: &[SubjectId],
    conditions: &[Condition],
    enforces: bool,
) -> Vec<PredicateId> {
    let mut predicates: Vec<PredicateId> =
        conditions.iter().map(|condition| intern_predicate(op, subjects, condition, enforces)).collect();
    predicates.sort_unstable();
    predicates.dedup();
    predicates
}

/// Numbers of a policy's selectors on one operation.
#[derive(Default)]
struct Numbers {
    /// The parts so far of the hook that begins at `first`.
    parts: Vec<usize>,
    first: u32,
    next: u32,
}

impl Numbers {
    /// Number of the first selector of hook `h`: the next free one, or that of the hook it is a part of.
    fn first_of(&mut self, hooks: &[Hook], h: usize) -> u32 {
        if self.parts.is_empty() || !self.parts.iter().all(|&part| hooks[part].is_beside(&hooks[h])) {
            self.parts.clear();
            self.first = self.next;
        }
        self.parts.push(h);
        let end = hooks[h].selectors.last().map_or(0, |s| u32::from(s.number) + 1);
        self.next = self.next.max(self.first + end);
        self.first
    }
}

fn widths(args: &[Arg]) -> Vec<Option<u8>> {
    let width = |arg: &Arg| match arg.ty.class() {
        Some(Class::Int { bytes, .. }) => Some(arg.ty.event_bytes(bytes)),
        Some(Class::Text | Class::Path | Class::Flow | Class::Structure(_)) | None => None,
    };
    args.iter().map(width).collect()
}

fn declare_subjects(op: &mut Operation, args: &[Arg], choice: &Choice) -> Vec<SubjectId> {
    let subject = |arg: &Arg| Subject { place: Place::Param(choice.param(arg.index)), ty: arg.ty };
    for arg in args {
        if let Some(field) = &arg.field {
            op.fields.insert(arg.index, field.clone());
        }
        if let Some(Class::Int { bytes, signed }) = arg.ty.class() {
            let here = (arg.ty.event_bytes(bytes), signed);
            let shown = op.shown_integers.entry(choice.param(arg.index)).or_insert(here);
            if here.0 > shown.0 {
                *shown = here;
            }
        }
    }
    args.iter().map(|arg| declare(op, subject(arg))).collect()
}

fn declare(op: &mut Operation, subject: Subject) -> SubjectId {
    let same = op.subjects.iter().position(|known| known.reads_as(subject));
    SubjectId(same.unwrap_or_else(|| op.subjects.insert_full(subject).0) as u32)
}

fn intern_predicate(
    op: &mut Operation,
    subjects: &[SubjectId],
    condition: &Condition,
    enforces: bool,
) -> PredicateId {
    let subject = match condition.source {
        Source::Argument(arg) => subjects[arg],
        Source::Fact(fact) => declare(op, Subject { place: Place::Fact(fact), ty: fact::ty(fact) }),
    };
    let (negated, values) = (condition.negated, condition.values.clone());
    let predicate = Predicate {
        subject,
        projection: condition.projection,
        // A number can always be read; what a socket lacks fits no condition.
        unreadable: negated && enforces && values.table().holds_texts(),
        values,
        negated,
    };
    PredicateId(op.predicates.insert_full(predicate).0 as u32)
}

/// What `actions` do in `mode`.
pub fn outcome(actions: &Actions, mode: Mode) -> Outcome {
    let enforce = mode == Mode::Enforce;
    Outcome {
        post: actions.post,
        override_value: actions.override_value.filter(|&v| enforce && v != 0).map(|v| v as i16),
        sigkill: actions.signal.is_some() && enforce,
        half: false,
        limit: actions.limit,
    }
}

impl List {
    /// Whether any event makes it report or enforce.
    pub fn acts(&self) -> bool {
        self.rules.iter().any(|r| !r.outcome.is_quiet())
    }
}

impl Operation {
    fn new(attach: AttachSet, calls: Option<OperationId>) -> Operation {
        Operation {
            attach,
            calls,
            subjects: IndexSet::new(),
            shown_integers: BTreeMap::new(),
            fields: BTreeMap::new(),
            predicates: IndexSet::new(),
        }
    }

    /// The first place of a program's arguments that no policy declares one at.
    pub fn free_slot(&self) -> Option<u8> {
        if self.attach.kind == AttachKind::Tracepoint {
            // Its fields take turns in the first one.
            return Some(EVENT_ARGS as u8 - 1);
        }
        let is_taken = |slot: &u8| self.subjects.iter().any(|s| s.param() == Some(*slot));
        (0..EVENT_ARGS as u8).find(|slot| !is_taken(slot))
    }

    pub fn subject(&self, id: SubjectId) -> Subject {
        *self.subjects.get_index(id.0 as usize).expect("a subject of this operation")
    }

    pub fn predicate(&self, id: PredicateId) -> &Predicate {
        self.predicates.get_index(id.0 as usize).expect("a predicate of this operation")
    }
}

impl Predicate {
    /// Whether what it compares may be missing: a text that cannot be read, a part that a socket does not have.
    pub fn may_be_unreadable(&self) -> bool {
        self.values.table().holds_texts() || !self.projection.is_whole()
    }
}

impl Place {
    /// Such as `arg1`.
    pub fn short(self) -> String {
        match self {
            Place::Param(param) => format!("arg{param}"),
            Place::Fact(fact) => fact.name().to_string(),
        }
    }

    /// In a sentence, such as `argument 1`.
    pub fn spelt(self) -> String {
        match self {
            Place::Param(param) => format!("argument {param}"),
            Place::Fact(fact) => format!("the {}", fact.name()),
        }
    }
}

impl Subject {
    /// Whether both are the same number: `int` and `int32` are compared in one dimension.
    pub fn reads_as(self, other: Subject) -> bool {
        let is_same_number = match (self.ty.class(), other.ty.class()) {
            (Some(a @ Class::Int { .. }), Some(b)) => a == b,
            (Some(Class::Text | Class::Path | Class::Flow | Class::Structure(_)) | None, _)
            | (Some(Class::Int { .. }), None) => false,
        };
        self.place == other.place && (self.ty == other.ty || is_same_number)
    }

    /// The parameter that it is, if it is one.
    pub fn param(self) -> Option<u8> {
        match self.place {
            Place::Param(param) => Some(param),
            Place::Fact(_) => None,
        }
    }

    /// Whether reading it gives text (and may fail) rather than a register.
    pub fn is_text(self) -> bool {
        matches!(self.ty.class(), Some(Class::Text | Class::Path))
    }
}
