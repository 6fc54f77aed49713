//! Kinds of Linux namespaces, with Tetragon's numbers (`pkg/reader/namespace`, 4fbfe2d).

use super::vocabulary;

vocabulary! {
    /// A kind that `matchNamespaces` and `matchNamespaceChanges` can name; the number is its position here.
    "namespace" enum Namespace row NamespaceRow {}
    /// Host name.
    Uts { name: "Uts" }
    /// System V IPC and message queues.
    Ipc { name: "Ipc" }
    /// Mounts.
    Mnt { name: "Mnt" }
    /// Process ids.
    Pid { name: "Pid" }
    /// Process ids of children.
    PidForChildren { name: "PidForChildren" }
    /// Network.
    Net { name: "Net" }
    /// Clocks.
    Time { name: "Time" }
    /// Clocks of children.
    TimeForChildren { name: "TimeForChildren" }
    /// Cgroup root.
    Cgroup { name: "Cgroup" }
    /// User and group ids.
    User { name: "User" }
}

impl Namespace {
    pub fn id(self) -> u32 {
        self as u32
    }

    /// `matchNamespaceChanges` values are plain strings in the schema; the loader does not look at their case.
    pub fn parse_lenient(text: &str) -> Option<Namespace> {
        Namespace::ALL.iter().copied().find(|n| n.name().eq_ignore_ascii_case(text))
    }
}
