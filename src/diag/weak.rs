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

/// No LSM hook is known to mean the same as the function.
pub fn fmod_ret_only(function: &str, action: Span, call: Span) -> Diagnostic {
    Diagnostic::lint(Code::FMOD_RET_ONLY, format!("only fmod_ret can serve `Override` at `{function}`"))
        .label(call, "no LSM hook is known to mean the same")
        .label(action, "skipped at times where the kernel preempts fully")
        .help("name the LSM hook itself under `lsmhooks`; most are called as the function without `security_`")
        .note("with `preempt=full` a kernel skips an fmod_ret program while another task is preempted inside it")
}
