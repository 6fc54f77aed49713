//! What programs have to be told of the host, because they cannot find it out.

use super::Locks;
use crate::abi::{NAMESPACES, node_header};

/// What the host is like. What is `None` is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// An artifact that judges paths requires them ([`crate::manifest::Feature::PathLocks`]): without them programs can
    /// read no path.
    pub locks: Option<Locks>,
    /// An artifact whose policies say `host_ns` requires them ([`crate::manifest::Feature::HostNamespaces`]): without
    /// them no process is in a namespace of the host.
    pub namespaces: Option<HostNamespaces>,
}

/// Inodes of the namespaces of the host's first process, by the number of their kind: Uts, Ipc, Mnt, Pid, PidForChildren,
/// Net, Time, TimeForChildren, Cgroup, User.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostNamespaces(pub [u32; NAMESPACES]);

impl HostNamespaces {
    /// Their names in /proc/1/ns, in the same order; what such a link leads to has the inode.
    pub const FILES: [&'static str; NAMESPACES] = [
        "uts",
        "ipc",
        "mnt",
        "pid",
        "pid_for_children",
        "net",
        "time",
        "time_for_children",
        "cgroup",
        "user",
    ];
}

impl Host {
    /// Puts it into the header of a region.
    pub(super) fn write(&self, region: &mut [u8]) {
        let mut put = |at: usize, bytes: &[u8]| region[at..at + bytes.len()].copy_from_slice(bytes);
        if let Some(locks) = self.locks {
            put(node_header::RENAME_LOCK, &locks.rename.get().to_le_bytes());
            put(node_header::MOUNT_LOCK, &locks.mount.get().to_le_bytes());
        }
        for (i, inode) in self.namespaces.iter().flat_map(|known| known.0).enumerate() {
            put(node_header::HOST_NAMESPACES + 4 * i, &inode.to_le_bytes());
        }
    }
}
