//! Facts of the process that makes the call: what a condition can be about beside the call's own arguments.
//!
//! To add one: its row here, its stencil in `bpf-templates/fact.h`, the words that ask for it (`policy::resolve::process`
//! and, for the oracle and the proof, `interp::document::process`), and its case in the kernel tests.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::abi::HOST_NAMESPACE;

macro_rules! facts {
    ($($(#[$doc:meta])* $name:ident { says: $says:literal, stencil: $stencil:literal })*) => {
        /// What is read of the task that makes the call. All are numbers of 8 bytes without a sign, but for
        /// [`Fact::Binary`].
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
        )]
        #[serde(rename_all = "camelCase")]
        pub enum Fact {
            $($(#[$doc])* $name,)*
        }

        impl Fact {
            pub const ALL: &'static [Fact] = &[$(Fact::$name),*];

            /// As people say it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Fact::$name => $says,)*
                }
            }

            /// The stencil that reads it.
            pub const fn stencil(self) -> &'static str {
                match self {
                    $(Fact::$name => $stencil,)*
                }
            }
        }
    };
}

facts! {
    /// The namespaces of the thread's `nsproxy`, each as [`namespace_number`].
    UtsNamespace { says: "uts namespace", stencil: "fact_uts_namespace" }
    IpcNamespace { says: "ipc namespace", stencil: "fact_ipc_namespace" }
    MntNamespace { says: "mnt namespace", stencil: "fact_mnt_namespace" }
    /// The one that the thread has its innermost number in.
    PidNamespace { says: "pid namespace", stencil: "fact_pid_namespace" }
    PidForChildrenNamespace { says: "pid namespace for children", stencil: "fact_pid_for_children_namespace" }
    NetNamespace { says: "net namespace", stencil: "fact_net_namespace" }
    TimeNamespace { says: "time namespace", stencil: "fact_time_namespace" }
    TimeForChildrenNamespace { says: "time namespace for children", stencil: "fact_time_for_children_namespace" }
    CgroupNamespace { says: "cgroup namespace", stencil: "fact_cgroup_namespace" }
    /// That of the thread's subjective credentials.
    UserNamespace { says: "user namespace", stencil: "fact_user_namespace" }
    /// Capabilities of the thread's subjective credentials; bit `n` is capability `n`.
    PermittedCapabilities { says: "permitted capabilities", stencil: "fact_permitted_capabilities" }
    EffectiveCapabilities { says: "effective capabilities", stencil: "fact_effective_capabilities" }
    InheritableCapabilities { says: "inheritable capabilities", stencil: "fact_inheritable_capabilities" }
    /// The process's number in the initial PID namespace.
    Pid { says: "pid", stencil: "fact_pid" }
    /// The process's number in its innermost PID namespace; 0 if that is the initial one.
    NamespacePid { says: "pid in its namespace", stencil: "fact_namespace_pid" }
    /// The path of the file that the process runs, `mm->exe_file`, from the task's root. Unlike other paths it keeps its
    /// name when the file is unlinked. Threads of the kernel have none.
    Binary { says: "binary", stencil: "path_of_binary" }
}

impl Fact {
    /// Another one.
    #[cfg(any(test, feature = "sample"))]
    pub fn next(self) -> Fact {
        Fact::ALL[(self as usize + 1) % Fact::ALL.len()]
    }

    /// Whether it is a [`namespace_number`].
    pub const fn is_namespace(self) -> bool {
        match self {
            Fact::UtsNamespace
            | Fact::IpcNamespace
            | Fact::MntNamespace
            | Fact::PidNamespace
            | Fact::PidForChildrenNamespace
            | Fact::NetNamespace
            | Fact::TimeNamespace
            | Fact::TimeForChildrenNamespace
            | Fact::CgroupNamespace
            | Fact::UserNamespace => true,
            Fact::PermittedCapabilities
            | Fact::EffectiveCapabilities
            | Fact::InheritableCapabilities
            | Fact::Pid
            | Fact::NamespacePid
            | Fact::Binary => false,
        }
    }
}

/// What programs compare of a namespace: its inode, and whether it is the host's.
pub const fn namespace_number(inode: u32, is_hosts: bool) -> u64 {
    inode as u64 | if is_hosts { HOST_NAMESPACE } else { 0 }
}
