//! What a document says, read from its words.
//!
//! Turns [`written`] policies into conditions on values, actions and workloads, as plainly as possible. This is the
//! only reading of a policy that the oracle and the proof have: it shares nothing with the compiler behind the
//! expanded document but the names and tables of the vocabulary, so that what the compiler loses or changes is
//! seen. What it has no words for it refuses ([`Unread`]), and never passes over.
//! Conditions are read in [`condition`].

mod condition;
mod process;

use std::rc::Rc;

pub use condition::{Condition, Is};

use crate::policy::written::{self, From, Written};
use crate::policy::{Mode, Requirement, RequirementOp, Scope, ScopeTerm, ShownAction};
use crate::source::Span;
use crate::vocab::action::{Action, RateLimitScope};
use crate::vocab::arg_type::ArgType;
use crate::vocab::attach;
use crate::vocab::hook::HookKind;
use crate::vocab::operator::LabelOperator;

/// A policy as it was written.
pub struct Document<'w> {
    pub policy: &'w written::Policy,
    pub mode: Mode,
    /// The policy's workloads: these,
    pub scope: Scope,
    /// but none of these.
    pub except: Vec<Scope>,
    /// One for each function or LSM hook.
    pub hooks: Vec<Hook<'w>>,
}

#[derive(Clone)]
pub struct Hook<'w> {
    pub call: Call,
    pub args: Rc<[Arg<'w>]>,
    /// In order; the first that matches decides.
    pub selectors: Rc<[Selector<'w>]>,
    /// What is asked of the value that the function returns, if the return is hooked: its one argument is that value,
    /// and its selectors are those that post. Each of them decides by itself whether the event of the selector is published.
    pub returned: Option<Rc<Hook<'w>>>,
    pub span: Span,
}

/// What a hook names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// The symbol, and whether its arguments are those of a syscall.
    Kprobe {
        function: String,
        syscall: bool,
    },
    Lsm {
        hook: String,
    },
    /// `SUBSYSTEM/EVENT`
    Tracepoint {
        event: String,
    },
    RawTracepoint {
        event: String,
    },
}

#[derive(Clone, Copy)]
pub struct Arg<'w> {
    /// Parameter of what the policy names.
    pub index: u8,
    pub ty: ArgType,
    pub label: Option<&'w str>,
}

pub struct Selector<'w> {
    /// Its position in the hook.
    pub number: u8,
    /// For these of the policy's workloads; for all if there is none.
    pub workloads: Option<Scope>,
    /// All have to hold.
    pub conditions: Vec<Condition<'w>>,
    pub acts: Acts,
    pub span: Span,
}

/// What a selector asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acts {
    pub post: bool,
    /// What the call returns; 0 lets it go on.
    pub override_value: Option<i32>,
    pub sigkill: bool,
    /// What is posted is posted once in a while only.
    pub limit: Option<Limit>,
    /// The last action written: it names the event.
    pub shown: ShownAction,
}

/// At least so many milliseconds lie between two events of one thread or process with the same arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub milliseconds: u64,
    pub scope: RateLimitScope,
}

impl Acts {
    /// In monitor mode too: what cannot be read is on no allowlist then.
    pub fn enforces(self) -> bool {
        self.override_value.is_some() || self.sigkill
    }

    /// What is left of it in `mode`: the value that is returned, and whether the process is killed.
    pub fn enforced(self, mode: Mode) -> (Option<i32>, bool) {
        match mode {
            Mode::Enforce => (self.override_value.filter(|&value| value != 0), self.sigkill),
            Mode::Monitor => (None, false),
        }
    }

    /// Whether it does nothing in `mode`.
    pub fn is_quiet(self, mode: Mode) -> bool {
        !self.post && self.enforced(mode) == (None, false)
    }
}

/// Where a hook takes place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At {
    /// `kprobe`, `kretprobe`, `lsm`, `fmod_ret`, `tracepoint` or `raw_tracepoint`.
    pub kind: &'static str,
    pub target: String,
    /// Its arguments are those of a syscall.
    pub syscall: bool,
    params: &'static [u8],
}

impl At {
    /// Where a call at `at` returns.
    pub fn of_return(at: &At) -> At {
        At { kind: "kretprobe", target: at.target.clone(), syscall: at.syscall, params: &[] }
    }

    /// Whether parameters are found alike.
    pub fn is_read_like(&self, other: &At) -> bool {
        (self.kind, self.syscall, self.params) == (other.kind, other.syscall, other.params)
    }

    /// Parameter there of parameter `index` of what the policy names.
    pub fn param(&self, index: u8) -> u8 {
        self.params.get(index as usize).copied().unwrap_or(index)
    }
}

impl Hook<'_> {
    /// Where the hook takes place for some of its selectors. An override has to be where one can be.
    pub fn at<'s>(&self, mut selectors: impl Iterator<Item = &'s Selector<'s>>) -> At {
        match &self.call {
            Call::Lsm { hook } => At { kind: "lsm", target: hook.clone(), syscall: false, params: &[] },
            Call::Tracepoint { event } => {
                At { kind: "tracepoint", target: event.clone(), syscall: false, params: &[] }
            }
            Call::RawTracepoint { event } => {
                At { kind: "raw_tracepoint", target: event.clone(), syscall: false, params: &[] }
            }
            Call::Kprobe { function, syscall } => {
                let (target, syscall) = (function.clone(), *syscall);
                if selectors.all(|selector| selector.acts.override_value.is_none()) {
                    return At { kind: "kprobe", target, syscall, params: &[] };
                }
                match attach::equivalent(function) {
                    Some(row) => {
                        let target = row.hook.to_string();
                        At { kind: "lsm", target, syscall: false, params: row.params }
                    }
                    None => At { kind: "fmod_ret", target, syscall: false, params: &[] },
                }
            }
        }
    }
}

/// What this reader has no words for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread(pub String);

fn unread<T>(what: impl std::fmt::Display) -> Result<T, Unread> {
    Err(Unread(what.to_string()))
}

/// # Errors
/// If the document holds something that is not read here.
pub fn read<'w>(written: &'w Written, policy: &'w written::Policy) -> Result<Document<'w>, Unread> {
    if let Some(part) = policy.unread.first() {
        return unread(part);
    }
    let reader = Reader { written };
    let mut mode = Mode::Enforce;
    for &(name, value) in &policy.options {
        if written.text(name) == "policy-mode" {
            mode = if written.text(value) == "monitor" { Mode::Monitor } else { Mode::Enforce };
        }
    }
    let mut hooks = vec![];
    for hook in &policy.hooks {
        reader.hooks(hook, &mut hooks)?;
    }
    Ok(Document {
        policy,
        mode: if policy.monitor { Mode::Monitor } else { mode },
        scope: scope(&policy.workloads.of),
        except: policy.workloads.except.iter().map(|select| scope(select)).collect(),
        hooks,
    })
}

/// The processes that selectors are for (semantics 8.2).
pub fn scope(select: &written::Select) -> Scope {
    let namespace = select.namespace.clone();
    let mut any = vec![];
    let nothing = select.pod.is_none() && select.container.is_none();
    if select.host || nothing && namespace.is_none() {
        any.push(ScopeTerm::Host);
    }
    // A host selector alone is for no container.
    if !(select.host && nothing && namespace.is_none()) {
        let requirements = |labels: &Option<Vec<written::Label>>| {
            let mut all: Vec<Requirement> = labels.iter().flatten().map(requirement).collect();
            all.sort();
            all.dedup();
            all
        };
        any.push(ScopeTerm::Pods {
            namespace,
            pod: requirements(&select.pod),
            container: requirements(&select.container),
        });
    }
    Scope { any }
}

fn requirement(label: &written::Label) -> Requirement {
    let mut values = label.values.clone();
    values.sort();
    values.dedup();
    let (op, values) = match label.operator {
        LabelOperator::In => (RequirementOp::In, values),
        LabelOperator::NotIn => (RequirementOp::NotIn, values),
        LabelOperator::Exists => (RequirementOp::Exists, vec![]),
        LabelOperator::DoesNotExist => (RequirementOp::DoesNotExist, vec![]),
    };
    Requirement { key: label.key.clone(), op, values }
}

/// Argument and selectors of a return.
type Returned<'w> = (Rc<[Arg<'w>]>, Rc<[Selector<'w>]>);

struct Reader<'w> {
    written: &'w Written,
}

impl<'w> Reader<'w> {
    fn hooks(&self, hook: &'w written::Hook, into: &mut Vec<Hook<'w>>) -> Result<(), Unread> {
        if let Some(part) = hook.unread.first() {
            return unread(part);
        }
        let args: Rc<[Arg<'w>]> = hook.args.iter().map(|arg| self.arg(arg)).collect::<Result<_, _>>()?;
        let mut selectors: Vec<Selector<'w>> = hook
            .selectors
            .iter()
            .zip(0..)
            .map(|(selector, number)| self.selector(hook.kind, number, selector, &args))
            .collect::<Result<_, _>>()?;
        if selectors.is_empty() {
            // Every call is reported.
            let acts = Acts {
                post: true,
                override_value: None,
                sigkill: false,
                limit: None,
                shown: ShownAction::Post,
            };
            let (workloads, conditions) = (None, vec![]);
            selectors.push(Selector { number: 0, workloads, conditions, acts, span: hook.span });
        }
        let returned = hook.returned.as_ref().map(|arg| self.returned(hook, arg, &selectors)).transpose()?;
        if returned.is_some() && selectors.iter().any(|selector| selector.acts.override_value.is_some()) {
            return unread("`return` at a hook that overrides");
        }
        let selectors: Rc<[Selector<'w>]> = selectors.into();
        for place in &hook.places {
            let call = self.call(hook, *place)?;
            let returned = returned.as_ref().map(|(args, selectors)| {
                let (args, selectors) = (args.clone(), selectors.clone());
                Rc::new(Hook { call: call.clone(), args, selectors, returned: None, span: hook.span })
            });
            let (args, selectors) = (args.clone(), selectors.clone());
            into.push(Hook { call, args, selectors, returned, span: hook.span });
        }
        Ok(())
    }

    /// The returned value, and the selectors that ask for it: with the conditions of `matchReturnArgs`.
    fn returned(
        &self,
        hook: &'w written::Hook,
        arg: &'w written::Arg,
        selectors: &[Selector<'w>],
    ) -> Result<Returned<'w>, Unread> {
        let named = [self.arg(arg)?];
        let posting = selectors.iter().filter(|selector| selector.acts.post).map(|selector| {
            let filters = hook.selectors.get(usize::from(selector.number)).map_or(&[][..], |s| &s.returned);
            let conditions = filters.iter().map(|filter| self.conditions(hook.kind, filter, &named));
            let conditions: Vec<Vec<Condition<'w>>> = conditions.collect::<Result<_, _>>()?;
            Ok(Selector {
                number: selector.number,
                workloads: None,
                conditions: conditions.into_iter().flatten().collect(),
                acts: Acts { override_value: None, sigkill: false, limit: None, ..selector.acts },
                span: selector.span,
            })
        });
        let selectors: Vec<Selector<'w>> = posting.collect::<Result<_, _>>()?;
        Ok((Rc::new([Arg { index: 0, ..named[0] }]), selectors.into()))
    }

    fn call(&self, hook: &written::Hook, place: written::Place) -> Result<Call, Unread> {
        let name = self.written.text(place.name);
        match (hook.kind, place.from) {
            (HookKind::Lsm, _) => Ok(Call::Lsm { hook: name.to_string() }),
            (HookKind::Kprobe, From::Symbols) => {
                Ok(Call::Kprobe { function: name.to_string(), syscall: hook.syscall })
            }
            (HookKind::Kprobe, From::Hook) if !hook.syscall => {
                Ok(Call::Kprobe { function: name.to_string(), syscall: false })
            }
            (HookKind::Kprobe, From::Hook | From::Syscalls) => {
                let name = name.strip_prefix("x64/").unwrap_or(name);
                let bare = name.strip_prefix("__x64_").unwrap_or(name);
                if !(bare.starts_with("sys_") || bare.starts_with("compat_sys_") || bare.len() < name.len()) {
                    return unread(format!("syscall `{name}`"));
                }
                Ok(Call::Kprobe { function: format!("__x64_{bare}"), syscall: true })
            }
            (HookKind::Tracepoint, _) => Ok(Call::Tracepoint { event: name.to_string() }),
            (HookKind::RawTracepoint, _) => Ok(Call::RawTracepoint { event: name.to_string() }),
            (HookKind::Fentry | HookKind::Uprobe | HookKind::Usdt, _) => unread(hook.kind.name()),
        }
    }

    fn arg(&self, arg: &written::Arg) -> Result<Arg<'w>, Unread> {
        let Ok(index) = u8::try_from(arg.index) else { return unread(format!("argument {}", arg.index)) };
        let label = arg.label.map(|label| self.written.text(label));
        Ok(Arg { index, ty: arg.ty.canonical(), label })
    }

    /// All of them have to hold.
    fn conditions(
        &self,
        kind: HookKind,
        filter: &'w written::Filter,
        args: &[Arg<'_>],
    ) -> Result<Vec<Condition<'w>>, Unread> {
        match filter {
            written::Filter::Arg(filter) => Ok(vec![self.of_argument(kind, filter, args)?]),
            written::Filter::Pids { operator, is_of_namespace, values } => {
                Ok(process::pids(*operator, *is_of_namespace, values))
            }
            written::Filter::Binaries { operator, values } => {
                Ok(process::binaries(*operator, self.raw_texts(values)))
            }
            written::Filter::Namespaces { kind, operator, values } => {
                process::namespaces(*kind, *operator, self.strs(values))
            }
            written::Filter::Capabilities { set, operator, is_of_namespace, values } => {
                process::capabilities(*set, *operator, *is_of_namespace, self.strs(values))
            }
            written::Filter::Other(kind) => unread(kind),
        }
    }

    fn strs(&self, values: &'w [written::Text]) -> impl Iterator<Item = &'w str> {
        let written = self.written;
        values.iter().map(|&value| written.text(value))
    }

    fn raw_texts(&self, values: &'w [written::Text]) -> Vec<&'w [u8]> {
        self.strs(values).map(str::as_bytes).collect()
    }

    fn selector(
        &self,
        kind: HookKind,
        number: u8,
        selector: &'w written::Selector,
        args: &[Arg<'w>],
    ) -> Result<Selector<'w>, Unread> {
        let everything =
            [ScopeTerm::Host, ScopeTerm::Pods { namespace: None, pod: vec![], container: vec![] }];
        let mut conditions = vec![];
        for filter in &selector.filters {
            conditions.extend(self.conditions(kind, filter, args)?);
        }
        Ok(Selector {
            number,
            workloads: selector.workloads.as_ref().map(scope).filter(|scope| scope.any != everything),
            conditions,
            acts: acts(self.written, kind, &selector.actions)?,
            span: selector.span,
        })
    }
}

/// Actions run in the order written (semantics 6).
fn acts(written: &Written, kind: HookKind, actions: &[written::Action]) -> Result<Acts, Unread> {
    let mut acts =
        Acts { post: true, override_value: None, sigkill: false, limit: None, shown: ShownAction::Post };
    for action in actions {
        if let Some(part) = action.unread {
            return unread(part);
        }
        match action.action {
            Action::Post => {
                acts.shown = ShownAction::Post;
                if let Some(text) = action.rate_limit {
                    if acts.limit.is_some() {
                        return unread("a second `rateLimit`");
                    }
                    acts.limit = limit(written.text(text), action.rate_limit_scope.map(|t| written.text(t)))?;
                }
            }
            Action::NoPost => {
                acts.post = false;
                acts.shown = ShownAction::NoPost;
            }
            Action::Sigkill => {
                acts.sigkill = true;
                acts.shown = ShownAction::Sigkill;
            }
            Action::Override if matches!(kind, HookKind::Tracepoint | HookKind::RawTracepoint) => {
                return unread("`Override` at a tracepoint");
            }
            Action::Override => {
                let value = action.error.unwrap_or(0);
                // An LSM hook returns errors alone, and -1 for what is none (semantics 2.6).
                let is_error = (-4095..=0).contains(&value);
                acts.override_value = Some(if kind == HookKind::Lsm && !is_error { -1 } else { value });
                acts.shown = ShownAction::Override;
            }
            Action::GetUrl
            | Action::DnsLookup
            | Action::Signal
            | Action::TrackSock
            | Action::UntrackSock
            | Action::NotifyEnforcer
            | Action::CleanupEnforcerNotification
            | Action::Set => return unread(format!("action `{}`", action.action)),
        }
    }
    // What is not posted is not limited.
    acts.limit = acts.limit.filter(|_| acts.post);
    Ok(acts)
}

/// A number of seconds, minutes or hours (semantics 6.3); 0 limits nothing, and milliseconds are counted in 32 bits.
fn limit(text: &str, scope: Option<&str>) -> Result<Option<Limit>, Unread> {
    let text = text.to_ascii_lowercase();
    let units = [("s", 1), ("m", 60), ("h", 60 * 60)];
    let found = units.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, *seconds)));
    let (number, seconds) = found.unwrap_or((&text, 1));
    let Ok(number) = number.parse::<u32>() else { return unread(format!("`rateLimit: {text}`")) };
    let milliseconds = (u64::from(number) * seconds * 1000).min(0xffff_ffff);
    let scope = match scope {
        None | Some("thread") => RateLimitScope::Thread,
        Some("process") => RateLimitScope::Process,
        Some("global") => RateLimitScope::Global,
        Some(other) => return unread(format!("`rateLimitScope: {other}`")),
    };
    Ok((milliseconds > 0).then_some(Limit { milliseconds, scope }))
}
