//! The actions of `matchActions` and `matchReturnActions`, and at which hooks each one works.
//!
//! To add one: add a row here, decide its row of [`Action::at`], then follow the compiler.
//! Source: Tetragon 4fbfe2d, `pkg/selectors/kernel.go` (numbers, parameters), `pkg/sensors/tracing/*` (hooks).

use super::hook::HookKind;
use super::vocabulary;

/// What Tetragon does with an action at a kind of hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Availability {
    Works,
    Refused,
    /// Loads, and nothing happens.
    NoEffect,
}

vocabulary! {
    /// What a selector does when it matches.
    "action" enum Action row ActionRow {
        /// Tetragon's number.
        id: u32,
        /// Whether it changes what the process may do; monitor mode skips it.
        enforces: bool,
    }
    /// Report the event.
    Post { name: "Post", id: 0, enforces: false }
    /// Kill the process.
    Sigkill { name: "Sigkill", id: 2, enforces: true }
    /// Do not run the function: return `argError` in its place.
    Override { name: "Override", id: 4, enforces: true }
    /// Request `argUrl`.
    GetUrl { name: "GetUrl", id: 6, enforces: false }
    /// Look `argFqdn` up.
    DnsLookup { name: "DnsLookup", id: 7, enforces: false }
    /// Do not report the event.
    NoPost { name: "NoPost", id: 8, enforces: false }
    /// Send the process the signal `argSig`.
    Signal { name: "Signal", id: 9, enforces: true }
    /// Remember which process uses the socket in argument `argSock`.
    TrackSock { name: "TrackSock", id: 10, enforces: false }
    /// Forget the socket in argument `argSock`.
    UntrackSock { name: "UntrackSock", id: 11, enforces: false }
    /// Let an enforcer return `argError` or send `argSig`.
    NotifyEnforcer { name: "NotifyEnforcer", id: 12, enforces: true }
    /// Take a notification of the enforcer back.
    CleanupEnforcerNotification { name: "CleanupEnforcerNotification", id: 13, enforces: false }
    /// Write `argValue` to argument `argIndex`.
    Set { name: "Set", id: 14, enforces: true }
}

vocabulary! {
    /// What events of a rate-limited `Post` have to share to be counted together.
    "rate limit scope" enum RateLimitScope row RateLimitScopeRow {}
    Thread { name: "thread" }
    Process { name: "process" }
    Global { name: "global" }
}

/// What an action takes besides its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Parameter {
    Url,
    Fqdn,
    Error,
    Signal,
    Sock,
    Index,
    Value,
    /// `argRegs` and the three ways to name a new function.
    Registers,
    RateLimit,
    StackTrace,
    ImaHash,
}

impl Action {
    /// Whether the action looks at a parameter; others are ignored by Tetragon.
    pub fn takes(self, parameter: Parameter) -> bool {
        use Action::*;
        match parameter {
            Parameter::Url => matches!(self, GetUrl),
            Parameter::Fqdn => matches!(self, DnsLookup),
            Parameter::Error => matches!(self, Override | NotifyEnforcer),
            Parameter::Signal => matches!(self, Signal | NotifyEnforcer),
            Parameter::Sock => matches!(self, TrackSock | UntrackSock),
            Parameter::Index | Parameter::Value => matches!(self, Set),
            Parameter::Registers => matches!(self, Override),
            Parameter::RateLimit | Parameter::StackTrace | Parameter::ImaHash => matches!(self, Post),
        }
    }

    /// The action × hook matrix, without the conditions on parameters (semantics 6.2).
    pub fn at(self, hook: HookKind) -> Availability {
        use Action::*;
        use Availability::*;
        use HookKind::*;
        match (self, hook) {
            (Post | NoPost, Kprobe | Fentry | Tracepoint | RawTracepoint | Lsm | Uprobe | Usdt) => Works,

            (Sigkill | Signal, Kprobe | Tracepoint | RawTracepoint | Lsm | Uprobe | Usdt) => Works,
            (Sigkill | Signal, Fentry) => Refused,

            (Override, Kprobe | Lsm | Uprobe) => Works,
            (Override, Fentry) => Refused,
            (Override, Tracepoint | RawTracepoint | Usdt) => NoEffect,

            (GetUrl | DnsLookup, Kprobe | Fentry | Tracepoint | RawTracepoint) => Works,
            (GetUrl | DnsLookup, Lsm | Uprobe | Usdt) => Refused,

            (TrackSock | UntrackSock, Kprobe | Fentry | Tracepoint | RawTracepoint | Uprobe | Usdt) => Works,
            (TrackSock | UntrackSock, Lsm) => Refused,

            (NotifyEnforcer, Kprobe | Tracepoint) => Works,
            (NotifyEnforcer, Fentry | Lsm) => Refused,
            (NotifyEnforcer, RawTracepoint | Uprobe | Usdt) => NoEffect,

            (CleanupEnforcerNotification, Kprobe | Fentry | Tracepoint | RawTracepoint | Uprobe | Usdt) => {
                Works
            }
            (CleanupEnforcerNotification, Lsm) => Refused,

            (Set, Usdt) => Works,
            (Set, Fentry | Lsm) => Refused,
            (Set, Kprobe | Tracepoint | RawTracepoint | Uprobe) => NoEffect,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_knows_12_actions_with_tetragons_numbers() {
        let ids: Vec<u32> = Action::ALL.iter().map(|a| a.id()).collect();
        assert_eq!(ids, [0, 2, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    }

    #[test]
    fn fentry_never_enforces() {
        for &action in Action::ALL {
            assert_eq!(action.enforces(), action.at(HookKind::Fentry) == Availability::Refused, "{action}");
        }
    }
}
