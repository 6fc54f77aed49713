//! What is known of the kernels compiled for. From files and flags, never probed.
//!
//! [`Target`] is what decides about code, with a default for everything; [`kernel::Kernel`]s are what policies are
//! checked against, as many as are given, and what one does not tell stays open.

mod base64;
pub mod builtin;
pub mod description;
pub mod kernel;
pub mod types;

#[cfg(test)]
pub mod sample;

/// A kernel series such as 6.12.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KernelVersion {
    pub major: u16,
    pub minor: u16,
}

impl KernelVersion {
    pub const fn new(major: u16, minor: u16) -> KernelVersion {
        KernelVersion { major, minor }
    }

    /// Whether one link serves many kprobes: Debian builds 6.1 without CONFIG_FPROBE, and 6.12 with it.
    pub fn has_kprobe_multi(self) -> bool {
        self > OLDEST_KERNEL
    }
}

impl std::fmt::Display for KernelVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The oldest kernel whose verifier takes the emitted programs in our VMs.
pub const OLDEST_KERNEL: KernelVersion = KernelVersion::new(6, 1);

/// How the target's kernel preempts. Under `Full`, fmod_ret programs are skipped while another task is
/// preempted inside them, so that denied calls get through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Preempt {
    None,
    Voluntary,
    Full,
    Unknown,
}

/// Instruction set of the nodes; decides where a kprobe finds its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Arch {
    X86_64,
}

/// Everything that compilation may know about the nodes it compiles for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub arch: Arch,
    /// The kernel that forecasts are made for.
    pub kernel: KernelVersion,
    /// Possible CPUs of a node, for forecasts.
    pub cpus: u32,
    /// Pods that a node can run at most; sizes the tables that the loader fills.
    pub pods: u32,
    /// Scopes that select one pod at most, beside those that select every pod; a loader makes room for more.
    pub scopes_per_pod: u32,
    pub preempt: Preempt,
    /// The user accepts that fmod_ret programs may be skipped (see [`Preempt`]).
    pub allow_fmod_ret_race: bool,
}

impl Default for Target {
    /// Fixed defaults, recorded in the manifest; nothing is taken from the host.
    fn default() -> Target {
        Target {
            arch: Arch::X86_64,
            kernel: KernelVersion::new(6, 12),
            cpus: 2,
            pods: 110,
            scopes_per_pod: 4,
            preempt: Preempt::Unknown,
            allow_fmod_ret_race: false,
        }
    }
}
