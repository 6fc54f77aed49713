//! What conditions can be about beside the arguments of a call.

use super::arg_type::ArgType;
use super::capability::CapabilitySet;
use super::namespace::Namespace;

pub use crate::artifact::fact::{Fact, namespace_number};

/// The type that values of the fact are compared as.
pub const fn ty(fact: Fact) -> ArgType {
    match fact {
        Fact::Binary => ArgType::Path,
        Fact::UtsNamespace
        | Fact::IpcNamespace
        | Fact::MntNamespace
        | Fact::PidNamespace
        | Fact::PidForChildrenNamespace
        | Fact::NetNamespace
        | Fact::TimeNamespace
        | Fact::TimeForChildrenNamespace
        | Fact::CgroupNamespace
        | Fact::UserNamespace
        | Fact::PermittedCapabilities
        | Fact::EffectiveCapabilities
        | Fact::InheritableCapabilities
        | Fact::Pid
        | Fact::NamespacePid => ArgType::Uint64,
    }
}

pub const fn of_namespace(kind: Namespace) -> Fact {
    match kind {
        Namespace::Uts => Fact::UtsNamespace,
        Namespace::Ipc => Fact::IpcNamespace,
        Namespace::Mnt => Fact::MntNamespace,
        Namespace::Pid => Fact::PidNamespace,
        Namespace::PidForChildren => Fact::PidForChildrenNamespace,
        Namespace::Net => Fact::NetNamespace,
        Namespace::Time => Fact::TimeNamespace,
        Namespace::TimeForChildren => Fact::TimeForChildrenNamespace,
        Namespace::Cgroup => Fact::CgroupNamespace,
        Namespace::User => Fact::UserNamespace,
    }
}

pub const fn of_capabilities(set: CapabilitySet) -> Fact {
    match set {
        CapabilitySet::Permitted => Fact::PermittedCapabilities,
        CapabilitySet::Effective => Fact::EffectiveCapabilities,
        CapabilitySet::Inheritable => Fact::InheritableCapabilities,
    }
}
