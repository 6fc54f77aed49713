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
        /// Whether this back end carries it out.
        is_compiled: bool,
    }
    Post { name: "Post", id: 0, enforces: false, is_compiled: true }
    Sigkill { name: "Sigkill", id: 2, enforces: true, is_compiled: true }
    Override { name: "Override", id: 4, enforces: true, is_compiled: true }
    GetUrl { name: "GetUrl", id: 6, enforces: false, is_compiled: false }
    DnsLookup { name: "DnsLookup", id: 7, enforces: false, is_compiled: false }
    NoPost { name: "NoPost", id: 8, enforces: false, is_compiled: true }
    Signal { name: "Signal", id: 9, enforces: true, is_compiled: false }
    TrackSock { name: "TrackSock", id: 10, enforces: false, is_compiled: false }
    UntrackSock { name: "UntrackSock", id: 11, enforces: false, is_compiled: false }
    NotifyEnforcer { name: "NotifyEnforcer", id: 12, enforces: true, is_compiled: false }
    CleanupEnforcerNotification { name: "CleanupEnforcerNotification", id: 13, enforces: false, is_compiled: false }
    Set { name: "Set", id: 14, enforces: true, is_compiled: false }
}

vocabulary! {
    /// What events of a rate-limited `Post` have to share to be counted together.
    "rate limit scope" enum RateLimitScope row RateLimitScopeRow {}
    Thread { name: "thread" }
    Process { name: "process" }
    Global { name: "global" }
}

impl Action {
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
