//! Linux capabilities. Source: `include/uapi/linux/capability.h` of Linux 6.12.

use super::vocabulary;

vocabulary! {
    /// A name that capability filters and masks take; the bit is its position in this table.
    "capability" enum Capability row CapabilityRow {}
    Chown { name: "CAP_CHOWN" }
    DacOverride { name: "CAP_DAC_OVERRIDE" }
    DacReadSearch { name: "CAP_DAC_READ_SEARCH" }
    Fowner { name: "CAP_FOWNER" }
    Fsetid { name: "CAP_FSETID" }
    Kill { name: "CAP_KILL" }
    Setgid { name: "CAP_SETGID" }
    Setuid { name: "CAP_SETUID" }
    Setpcap { name: "CAP_SETPCAP" }
    LinuxImmutable { name: "CAP_LINUX_IMMUTABLE" }
    NetBindService { name: "CAP_NET_BIND_SERVICE" }
    NetBroadcast { name: "CAP_NET_BROADCAST" }
    NetAdmin { name: "CAP_NET_ADMIN" }
    NetRaw { name: "CAP_NET_RAW" }
    IpcLock { name: "CAP_IPC_LOCK" }
    IpcOwner { name: "CAP_IPC_OWNER" }
    SysModule { name: "CAP_SYS_MODULE" }
    SysRawio { name: "CAP_SYS_RAWIO" }
    SysChroot { name: "CAP_SYS_CHROOT" }
    SysPtrace { name: "CAP_SYS_PTRACE" }
    SysPacct { name: "CAP_SYS_PACCT" }
    SysAdmin { name: "CAP_SYS_ADMIN" }
    SysBoot { name: "CAP_SYS_BOOT" }
    SysNice { name: "CAP_SYS_NICE" }
    SysResource { name: "CAP_SYS_RESOURCE" }
    SysTime { name: "CAP_SYS_TIME" }
    SysTtyConfig { name: "CAP_SYS_TTY_CONFIG" }
    Mknod { name: "CAP_MKNOD" }
    Lease { name: "CAP_LEASE" }
    AuditWrite { name: "CAP_AUDIT_WRITE" }
    AuditControl { name: "CAP_AUDIT_CONTROL" }
    Setfcap { name: "CAP_SETFCAP" }
    MacOverride { name: "CAP_MAC_OVERRIDE" }
    MacAdmin { name: "CAP_MAC_ADMIN" }
    Syslog { name: "CAP_SYSLOG" }
    WakeAlarm { name: "CAP_WAKE_ALARM" }
    BlockSuspend { name: "CAP_BLOCK_SUSPEND" }
    AuditRead { name: "CAP_AUDIT_READ" }
    Perfmon { name: "CAP_PERFMON" }
    Bpf { name: "CAP_BPF" }
    CheckpointRestore { name: "CAP_CHECKPOINT_RESTORE" }
}

vocabulary! {
    /// Which of a task's sets is looked at.
    "capability set" enum CapabilitySet row CapabilitySetRow {
        /// Tetragon's number.
        id: u32,
    }
    /// Those that count now.
    Effective { name: "Effective", id: 1 }
    /// Those kept when a program is started.
    Inheritable { name: "Inheritable", id: 2 }
    /// Those that may be made effective.
    Permitted { name: "Permitted", id: 0 }
}

impl Capability {
    pub fn bit(self) -> u64 {
        1 << self as u32
    }

    /// As Tetragon reads it: blanks around it and its case do not matter.
    pub fn parse_lenient(text: &str) -> Option<Capability> {
        let text = text.trim();
        Capability::ALL.iter().copied().find(|c| c.name().eq_ignore_ascii_case(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_the_kernels() {
        assert_eq!(Capability::ALL.len(), 41);
        assert_eq!(Capability::SysAdmin as u32, 21);
        assert_eq!(Capability::CheckpointRestore as u32, 40);
        assert_eq!(Capability::parse_lenient(" cap_sys_admin "), Some(Capability::SysAdmin));
        assert_eq!(Capability::parse_lenient("SYS_ADMIN"), None);
    }
}
