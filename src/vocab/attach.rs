//! Which kernel hooks we know by their parameters, and which of them mean the same as a function.
//!
//! A policy names a hook. The plan may attach elsewhere only where a row of [`EQUIVALENTS`] says that both
//! places mean the same; every row is proved by a kernel test that exercises both. No row, no move.
//!
//! To add a hook whose arguments are read through BTF: one row in [`LSM_HOOKS`] and a kernel case that
//! attaches it. A hook without a row is attached too, but its arguments are read by probe reads, which are
//! safe whatever the pointer is, and slower.
//!
//! Source: `include/linux/lsm_hook_defs.h` and `security/security.c` of Linux 6.1 and 6.12.

/// What a parameter of a known hook is, as far as readers care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Param {
    LinuxBinprm,
    File,
    Path,
    /// A scalar, or a pointer that no reader dereferences.
    Other,
}

/// An LSM hook and its parameters.
#[derive(Clone, Copy, Debug)]
pub struct LsmHook {
    pub name: &'static str,
    pub params: &'static [Param],
}

use Param::{File, LinuxBinprm, Other, Path};

pub const LSM_HOOKS: &[LsmHook] = &[
    LsmHook { name: "bprm_check_security", params: &[LinuxBinprm] },
    LsmHook { name: "bprm_creds_for_exec", params: &[LinuxBinprm] },
    LsmHook { name: "file_ioctl", params: &[File, Other, Other] },
    LsmHook { name: "file_open", params: &[File] },
    LsmHook { name: "file_permission", params: &[File, Other] },
    LsmHook { name: "path_chmod", params: &[Path, Other] },
    LsmHook { name: "path_truncate", params: &[Path] },
];

/// A kernel function whose return value decides, and the LSM hook that it calls with the same meaning.
#[derive(Clone, Copy, Debug)]
pub struct Equivalent {
    pub function: &'static str,
    pub hook: &'static str,
    /// Parameter `i` of the function is parameter `params[i]` of the hook.
    pub params: &'static [u8],
    /// What differs all the same; `explain` and the manifest show it.
    pub differs: &'static str,
}

const LATE: &str = "BPF is the last in `lsm=`: a call that an earlier security module denies is not seen";

pub const EQUIVALENTS: &[Equivalent] = &[
    Equivalent { function: "security_bprm_check", hook: "bprm_check_security", params: &[0], differs: LATE },
    Equivalent {
        function: "security_bprm_creds_for_exec",
        hook: "bprm_creds_for_exec",
        params: &[0],
        differs: LATE,
    },
    Equivalent { function: "security_file_ioctl", hook: "file_ioctl", params: &[0, 1, 2], differs: LATE },
    Equivalent { function: "security_file_open", hook: "file_open", params: &[0], differs: LATE },
    Equivalent {
        function: "security_file_permission",
        hook: "file_permission",
        params: &[0, 1],
        differs: LATE,
    },
    Equivalent { function: "security_path_chmod", hook: "path_chmod", params: &[0, 1], differs: LATE },
    Equivalent { function: "security_path_truncate", hook: "path_truncate", params: &[0], differs: LATE },
];

pub fn lsm_hook(name: &str) -> Option<&'static LsmHook> {
    LSM_HOOKS.iter().find(|h| h.name == name)
}

pub fn equivalent(function: &str) -> Option<&'static Equivalent> {
    EQUIVALENTS.iter().find(|e| e.function == function)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_equivalent_names_a_known_hook_and_its_parameters() {
        for e in EQUIVALENTS {
            let hook = lsm_hook(e.hook).expect(e.hook);
            assert!(e.params.iter().all(|&p| (p as usize) < hook.params.len()), "{}", e.function);
            assert!(e.function.starts_with("security_"));
        }
    }

    #[test]
    fn tables_are_sorted_and_unique() {
        assert!(LSM_HOOKS.windows(2).all(|w| w[0].name < w[1].name));
        assert!(EQUIVALENTS.windows(2).all(|w| w[0].function < w[1].function));
    }
}
