//! Where the kernel counts what moves: the addresses of the two locks that programs look at before and after they
//! walk a path.
//!
//! A program has no other way to know them: neither is in the kernel's BTF, and no loader library but libbpf and
//! cilium/ebpf resolves addresses inside an object. Addresses change with every boot.

use std::fmt;
use std::num::NonZeroU64;

/// Addresses of `rename_lock` (fs/dcache.c) and `mount_lock` (fs/namespace.c), both `seqlock_t`, whose first four
/// bytes are the sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Locks {
    pub rename: NonZeroU64,
    pub mount: NonZeroU64,
}

/// Why the addresses are not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocksError {
    /// The kernel lists no data symbols (CONFIG_KALLSYMS_ALL), or not this one.
    Missing(&'static str),
    /// All addresses read 0: the reader may not see them (kernel.kptr_restrict, CAP_SYSLOG).
    Hidden(&'static str),
    /// More than one symbol of the kernel itself has the name.
    Ambiguous(&'static str),
}

impl Locks {
    /// From the text of /proc/kallsyms.
    ///
    /// # Errors
    /// An address that is not there exactly once, or that is 0.
    pub fn from_kallsyms(text: &str) -> Result<Locks, LocksError> {
        Ok(Locks { rename: address(text, "rename_lock")?, mount: address(text, "mount_lock")? })
    }
}

/// Lines are `address type name`, with `[module]` behind a module's.
fn address(text: &str, wanted: &'static str) -> Result<NonZeroU64, LocksError> {
    let mut found = None;
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some(address), Some(kind), Some(name), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            continue;
        };
        if name != wanted || !matches!(kind, "B" | "b" | "D" | "d") {
            continue;
        }
        if found.replace(address).is_some() {
            return Err(LocksError::Ambiguous(wanted));
        }
    }
    let address = found.ok_or(LocksError::Missing(wanted))?;
    let address = u64::from_str_radix(address, 16).map_err(|_| LocksError::Missing(wanted))?;
    NonZeroU64::new(address).ok_or(LocksError::Hidden(wanted))
}

impl fmt::Display for LocksError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LocksError::Missing(name) => {
                write!(f, "/proc/kallsyms does not list `{name}` (the kernel needs CONFIG_KALLSYMS_ALL)")
            }
            LocksError::Hidden(name) => write!(
                f,
                "/proc/kallsyms hides the address of `{name}` (kernel.kptr_restrict; reading it needs CAP_SYSLOG)"
            ),
            LocksError::Ambiguous(name) => write!(f, "/proc/kallsyms lists `{name}` more than once"),
        }
    }
}

impl std::error::Error for LocksError {}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "ffffffff81000000 T _text\n\
        ffffffff82a0b0c0 D rename_lock\n\
        ffffffff82a0b180 d mount_lock\n\
        ffffffffc0001000 d mount_lock\t[strange]\n\
        ffffffff81200000 t rename_lock\n";

    #[test]
    fn addresses_are_those_of_the_kernel_s_own_data() {
        let locks = Locks::from_kallsyms(LINES).unwrap();
        assert_eq!((locks.rename.get(), locks.mount.get()), (0xffff_ffff_82a0_b0c0, 0xffff_ffff_82a0_b180));
    }

    #[test]
    fn an_address_that_is_not_known_is_an_error() {
        let cases = [
            ("", LocksError::Missing("rename_lock")),
            ("ffffffff82a0b0c0 D rename_lock\n", LocksError::Missing("mount_lock")),
            ("0000000000000000 D rename_lock\n", LocksError::Hidden("rename_lock")),
            (
                "ffffffff82a0b0c0 D rename_lock\nffffffff82a0b0c4 D rename_lock\n",
                LocksError::Ambiguous("rename_lock"),
            ),
        ];
        for (text, error) in cases {
            assert_eq!(Locks::from_kallsyms(text), Err(error));
        }
    }
}
