//! Decides what is attached for a hook of a policy, and where one program serves several functions.
//!
//! A move to another attach kind is made only where [`crate::vocab::attach`] has a row that says it means the
//! same. Overrides on `security_*` functions belong in LSM hooks: under `preempt=full` the kernel skips an
//! fmod_ret program while another task is preempted inside it, and the denied call goes through (measured:
//! 591 of 30 660 on 6.1; with lsm none of 50 000).

use crate::diag::{Code, Diagnostics, target as report};
use crate::platform::{Preempt, Target};
use crate::policy::{Hook, HookCall};
use crate::vocab::attach::{self, Param};

/// An attach point: what the kernel is asked to run a program at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attach {
    pub kind: AttachKind,
    /// The LSM hook without prefix, the function, or `SUBSYSTEM/EVENT`.
    pub target: String,
    /// The function is a syscall entry: its one argument holds the caller's registers.
    pub syscall: bool,
}

/// The attach points of one operation. Several are functions of one kind, of which one program is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachSet {
    pub kind: AttachKind,
    /// Ascending, each once; never empty. An event names its function by the position here.
    pub targets: Vec<String>,
    /// As [`Attach::syscall`].
    pub syscall: bool,
}

impl Attach {
    /// `None` unless the VFS asks security modules here: there it asked about an overlay's own file before it comes to
    /// that of a layer, while another function may be one that layers alone come to (`ext4_file_open`). Then the file
    /// or path that tells, if the table knows it.
    pub fn layer_parameter(&self) -> Option<Option<(u8, Param)>> {
        let asks = match self.kind {
            AttachKind::Lsm => true,
            AttachKind::Kprobe | AttachKind::FmodRet => self.target.starts_with("security_"),
            // The call itself was left alone.
            AttachKind::Kretprobe => false,
            AttachKind::Tracepoint | AttachKind::RawTracepoint => false,
        };
        asks.then(|| attach::file_param(&self.target))
    }
}

impl AttachSet {
    /// Which of its targets `point` is.
    pub fn position(&self, point: &Attach) -> Option<usize> {
        let same = self.kind == point.kind && self.syscall == point.syscall;
        if same { self.targets.binary_search(&point.target).ok() } else { None }
    }

    pub fn points(&self) -> impl Iterator<Item = Attach> {
        let point =
            |target: &String| Attach { kind: self.kind, target: target.clone(), syscall: self.syscall };
        self.targets.iter().map(point)
    }

    /// The one target; the first, and how many more there are: `__x64_sys_close and 3 more`.
    pub fn shown(&self) -> String {
        match self.targets.split_first() {
            Some((first, [])) => first.clone(),
            Some((first, more)) => format!("{first} and {} more", more.len()),
            None => String::new(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttachKind {
    Lsm,
    Kprobe,
    /// What functions return.
    Kretprobe,
    FmodRet,
    Tracepoint,
    RawTracepoint,
}

impl AttachKind {
    pub const ALL: [AttachKind; 6] = [
        AttachKind::Lsm,
        AttachKind::Kprobe,
        AttachKind::Kretprobe,
        AttachKind::FmodRet,
        AttachKind::Tracepoint,
        AttachKind::RawTracepoint,
    ];

    /// As manifests and sections name it.
    pub fn name(self) -> &'static str {
        match self {
            AttachKind::Lsm => "lsm",
            AttachKind::Kprobe => "kprobe",
            AttachKind::Kretprobe => "kretprobe",
            AttachKind::FmodRet => "fmod_ret",
            AttachKind::Tracepoint => "tracepoint",
            AttachKind::RawTracepoint => "raw_tracepoint",
        }
    }

    /// Whether one program can be attached to several targets. An LSM or fmod_ret program is made for one, and records
    /// of tracepoints have different fields.
    pub fn takes_several(self) -> bool {
        match self {
            AttachKind::Kprobe | AttachKind::Kretprobe => true,
            AttachKind::Lsm | AttachKind::FmodRet => false,
            AttachKind::Tracepoint | AttachKind::RawTracepoint => false,
        }
    }

    /// Programs run as the calling task and can be preempted, under `preempt=full`; no task is preempted inside a
    /// kprobe or tracepoint, but one interrupts other programs. No two of kprobes and tracepoints run on one CPU
    /// (`bpf_prog_active`, kernel/trace/bpf_trace.c); of raw tracepoints no program interrupts itself.
    pub fn runs_as_task(self) -> bool {
        match self {
            AttachKind::Lsm | AttachKind::FmodRet => true,
            AttachKind::Kprobe
            | AttachKind::Kretprobe
            | AttachKind::Tracepoint
            | AttachKind::RawTracepoint => false,
        }
    }
}

/// Why something else than what the policy names is attached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttachReason {
    AsWritten,
    /// The LSM hook that the function calls; the text says what differs.
    MovedToLsm {
        function: String,
        differs: &'static str,
    },
    /// There is no such LSM hook, and the target allows fmod_ret.
    FmodRet,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub attach: Attach,
    pub reason: AttachReason,
    /// Parameter `i` of the policy's hook is parameter `params[i]` here; identity where it is short.
    params: &'static [u8],
}

impl Choice {
    pub fn param(&self, index: u8) -> u8 {
        self.params.get(index as usize).copied().unwrap_or(index)
    }
}

/// `None`, with a diagnostic, if `hook` cannot be attached with its meaning on `target`.
pub fn choose(hook: &Hook, target: &Target, diags: &mut Diagnostics) -> Option<Choice> {
    let overrides = hook.selectors.iter().any(|s| s.actions.override_value.is_some());
    match &hook.call {
        HookCall::Lsm { hook: name } => {
            if overrides && attach::lsm_hook(name).is_none() {
                let proved: Vec<&str> = attach::LSM_HOOKS.iter().map(|h| h.name).collect();
                diags.push(report::unproved_lsm_override(name, &proved, hook.span));
                return None;
            }
            Some(as_written(AttachKind::Lsm, name))
        }
        // `policy::resolve` refuses an override there.
        HookCall::Tracepoint { event } => Some(as_written(AttachKind::Tracepoint, event)),
        HookCall::RawTracepoint { event } => Some(as_written(AttachKind::RawTracepoint, event)),
        HookCall::Kprobe { function, syscall } if !overrides => Some(Choice {
            attach: Attach { kind: AttachKind::Kprobe, target: function.clone(), syscall: *syscall },
            reason: AttachReason::AsWritten,
            params: &[],
        }),
        HookCall::Kprobe { function, .. } => {
            if let Some(row) = attach::equivalent(function) {
                return Some(Choice {
                    attach: Attach { kind: AttachKind::Lsm, target: row.hook.to_string(), syscall: false },
                    reason: AttachReason::MovedToLsm { function: function.clone(), differs: row.differs },
                    params: row.params,
                });
            }
            // `policy::resolve` refuses an override of anything else (TF0402, TF0499).
            debug_assert!(function.starts_with("security_"), "{function}");
            // The target decides what the policy alone could only warn of.
            diags.take_back(Code::FMOD_RET_ONLY, hook.span);
            if !fmod_ret_is_safe(target) {
                let known = target.preempt == Preempt::Full;
                diags.push(report::fmod_ret_race(function, known, hook.span));
                return None;
            }
            Some(Choice {
                attach: Attach { kind: AttachKind::FmodRet, target: function.clone(), syscall: false },
                reason: AttachReason::FmodRet,
                params: &[],
            })
        }
    }
}

fn as_written(kind: AttachKind, target: &str) -> Choice {
    let attach = Attach { kind, target: target.to_string(), syscall: false };
    Choice { attach, reason: AttachReason::AsWritten, params: &[] }
}

fn fmod_ret_is_safe(target: &Target) -> bool {
    target.allow_fmod_ret_race
        || match target.preempt {
            Preempt::None | Preempt::Voluntary => true,
            Preempt::Full | Preempt::Unknown => false,
        }
}
