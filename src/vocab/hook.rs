//! Kinds of hooks, lists and data sources.
//!
//! To add a kind of hook: add a row here, decide its column of [`super::action::Action::at`], give it an
//! object in `syntax::ast` and a file in `policy::resolve`.

use super::vocabulary;

vocabulary! {
    /// What a hook attaches to. A raw tracepoint is written under `tracepoints` with `raw: true`.
    "hook section" enum HookKind row HookRow {
        /// What one such hook is called in a message, with its article.
        noun: &'static str,
        /// Tetragon refuses the section in a namespaced policy: hooks run in the host's mount namespace.
        is_host_only: bool,
        /// Whether the entry program evaluates `CelExpr`; elsewhere a stub says no.
        has_cel: bool,
    }
    Kprobe { name: "kprobes", noun: "a kprobe", is_host_only: false, has_cel: true }
    Fentry { name: "fentries", noun: "a fentry", is_host_only: false, has_cel: false }
    Tracepoint { name: "tracepoints", noun: "a tracepoint", is_host_only: false, has_cel: false }
    RawTracepoint { name: "tracepoints (raw)", noun: "a raw tracepoint", is_host_only: false, has_cel: false }
    Lsm { name: "lsmhooks", noun: "an LSM hook", is_host_only: false, has_cel: false }
    Uprobe { name: "uprobes", noun: "a uprobe", is_host_only: true, has_cel: true }
    Usdt { name: "usdts", noun: "a USDT probe", is_host_only: true, has_cel: false }
}

vocabulary! {
    /// What `lists[].type` can name; without it a list holds plain symbols.
    "list type" enum ListKind row ListRow {
        /// Filled from the host; values must not be written.
        is_generated: bool,
    }
    /// Names of system calls.
    Syscalls { name: "syscalls", is_generated: false }
    /// All system calls; has no values.
    GeneratedSyscalls { name: "generated_syscalls", is_generated: true }
    /// All functions that match `pattern`; has no values.
    GeneratedFtrace { name: "generated_ftrace", is_generated: true }
}

vocabulary! {
    /// Where a `data` element is read from.
    "data source" enum DataSource row DataSourceRow {}
    CurrentTask { name: "current_task" }
    PtRegs { name: "pt_regs" }
}
