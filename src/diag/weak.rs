//! Constructors of TF0720 to TF0729: what enforces less than it seems to.

use super::{Code, Diagnostic};
use crate::source::{Span, Spanned};
use crate::vocab::action::Action;
use crate::vocab::arg_type::ArgType;

/// `instead` is the LSM hook that sees what the syscall works on.
pub fn user_memory(action: Spanned<Action>, ty: ArgType, instead: Option<&str>, filter: Span) -> Diagnostic {
    let message = format!("`{}` is decided on memory that the process can still change", action.value);
    let diagnostic = Diagnostic::lint(Code::USER_MEMORY, message)
        .label(filter, format!("a `{ty}` of a system call is in the memory of the process"))
        .label(action.span, "decided on what stood there at the check")
        .note("the kernel reads that memory again after the check, and another thread can write to it in between");
    match instead {
        Some(hook) => {
            diagnostic.help(format!("decide at the LSM hook `{hook}`, on what the kernel has copied"))
        }
        None => diagnostic.help("decide at an LSM hook, on what the kernel has copied"),
    }
}

/// `op` is where the operator stands.
pub fn escapable_allowlist(action: Spanned<Action>, op: Span) -> Diagnostic {
    let message = "a process that may chroot or mount can give any file an allowed path";
    Diagnostic::lint(Code::ESCAPABLE_ALLOWLIST, message)
        .label(op, "allows what has one of these paths")
        .label(action.span, "is all that stops the others")
        .help("run these workloads without CAP_SYS_ADMIN and CAP_SYS_CHROOT and without user namespaces")
        .note("a path is where a process sees a file: below its own root, on its own mounts")
}

/// `skb` is where the type stands.
pub fn packet_of_another(action: Spanned<Action>, skb: Span) -> Diagnostic {
    let message = format!("`{}` may meet a process that has nothing to do with the packet", action.value);
    Diagnostic::lint(Code::PACKET_OF_ANOTHER, message)
        .label(skb, "packets are handled in interrupts, too: what arrives, replies, what a timer sends again")
        .label(action.span, "then is about the process that was interrupted")
        .help("decide where a process asks for it: at the LSM hooks `socket_connect` and `socket_sendmsg`")
        .note("workload selectors and filters on the process look at that process as well, here and in Tetragon")
}

/// No LSM hook is known to mean the same as the function.
pub fn fmod_ret_only(function: &str, action: Span, call: Span) -> Diagnostic {
    Diagnostic::lint(Code::FMOD_RET_ONLY, format!("only fmod_ret can serve `Override` at `{function}`"))
        .label(call, "no LSM hook is known to mean the same")
        .label(action, "skipped at times where the kernel preempts fully")
        .help("name the LSM hook itself under `lsmhooks`; most are called as the function without `security_`")
        .note("with `preempt=full` a kernel skips an fmod_ret program while another task is preempted inside it")
}
