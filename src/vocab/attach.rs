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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Param {
    LinuxBinprm,
    File,
    Path,
    Sock,
    Socket,
    /// A scalar, or a pointer that no reader dereferences.
    Other,
}

/// An LSM hook and its parameters.
#[derive(Clone, Copy, Debug)]
pub struct LsmHook {
    pub name: &'static str,
    pub params: &'static [Param],
}

use Param::{File, LinuxBinprm, Other, Path, Sock, Socket};

pub const LSM_HOOKS: &[LsmHook] = &[
    LsmHook { name: "bprm_check_security", params: &[LinuxBinprm] },
    LsmHook { name: "bprm_creds_for_exec", params: &[LinuxBinprm] },
    LsmHook { name: "file_fcntl", params: &[File, Other, Other] },
    LsmHook { name: "file_ioctl", params: &[File, Other, Other] },
    LsmHook { name: "file_lock", params: &[File, Other] },
    LsmHook { name: "file_open", params: &[File] },
    LsmHook { name: "file_permission", params: &[File, Other] },
    LsmHook { name: "inode_getattr", params: &[Path] },
    LsmHook { name: "inode_mkdir", params: &[Other, Other, Other] },
    LsmHook { name: "kernel_load_data", params: &[Other, Other] },
    LsmHook { name: "kernel_module_request", params: &[Other] },
    LsmHook { name: "kernel_read_file", params: &[File, Other, Other] },
    LsmHook { name: "path_chmod", params: &[Path, Other] },
    LsmHook { name: "path_chown", params: &[Path, Other, Other] },
    LsmHook { name: "path_chroot", params: &[Path] },
    LsmHook { name: "path_link", params: &[Other, Path, Other] },
    LsmHook { name: "path_mkdir", params: &[Path, Other, Other] },
    LsmHook { name: "path_mknod", params: &[Path, Other, Other, Other] },
    LsmHook { name: "path_rename", params: &[Path, Other, Path, Other, Other] },
    LsmHook { name: "path_rmdir", params: &[Path, Other] },
    LsmHook { name: "path_symlink", params: &[Path, Other, Other] },
    LsmHook { name: "path_truncate", params: &[Path] },
    LsmHook { name: "path_unlink", params: &[Path, Other] },
    LsmHook { name: "sb_mount", params: &[Other, Path, Other, Other, Other] },
    LsmHook { name: "socket_accept", params: &[Socket, Socket] },
    LsmHook { name: "socket_bind", params: &[Socket, Other, Other] },
    LsmHook { name: "socket_connect", params: &[Socket, Other, Other] },
    LsmHook { name: "socket_create", params: &[Other, Other, Other, Other] },
    LsmHook { name: "socket_listen", params: &[Socket, Other] },
    LsmHook { name: "socket_post_create", params: &[Socket, Other, Other, Other, Other] },
    LsmHook { name: "socket_recvmsg", params: &[Socket, Other, Other, Other] },
    LsmHook { name: "socket_sendmsg", params: &[Socket, Other, Other] },
    LsmHook { name: "socket_shutdown", params: &[Socket, Other] },
    LsmHook { name: "socket_sock_rcv_skb", params: &[Sock, Other] },
    LsmHook { name: "syslog", params: &[Other] },
    LsmHook { name: "task_kill", params: &[Other, Other, Other, Other] },
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
/// `IS_PRIVATE`, security/security.c.
const NO_PRIVATE: &str = "BPF is the last in `lsm=`: a call that an earlier security module denies is not seen, \
                          and neither is one on a file that the kernel keeps to itself";

const fn row(
    function: &'static str,
    hook: &'static str,
    params: &'static [u8],
    differs: &'static str,
) -> Equivalent {
    Equivalent { function, hook, params, differs }
}

pub const EQUIVALENTS: &[Equivalent] = &[
    row("security_bprm_check", "bprm_check_security", &[0], LATE),
    row("security_bprm_creds_for_exec", "bprm_creds_for_exec", &[0], LATE),
    row("security_file_fcntl", "file_fcntl", &[0, 1, 2], LATE),
    row("security_file_ioctl", "file_ioctl", &[0, 1, 2], LATE),
    row("security_file_lock", "file_lock", &[0, 1], LATE),
    row("security_file_open", "file_open", &[0], LATE),
    row("security_file_permission", "file_permission", &[0, 1], LATE),
    row("security_inode_getattr", "inode_getattr", &[0], NO_PRIVATE),
    row("security_inode_mkdir", "inode_mkdir", &[0, 1, 2], NO_PRIVATE),
    row("security_kernel_load_data", "kernel_load_data", &[0, 1], LATE),
    row("security_kernel_module_request", "kernel_module_request", &[0], LATE),
    row("security_kernel_read_file", "kernel_read_file", &[0, 1, 2], LATE),
    row("security_path_chmod", "path_chmod", &[0, 1], NO_PRIVATE),
    row("security_path_chown", "path_chown", &[0, 1, 2], NO_PRIVATE),
    row("security_path_chroot", "path_chroot", &[0], LATE),
    row("security_path_link", "path_link", &[0, 1, 2], NO_PRIVATE),
    row("security_path_mkdir", "path_mkdir", &[0, 1, 2], NO_PRIVATE),
    row("security_path_mknod", "path_mknod", &[0, 1, 2, 3], NO_PRIVATE),
    row("security_path_rename", "path_rename", &[0, 1, 2, 3, 4], NO_PRIVATE),
    row("security_path_rmdir", "path_rmdir", &[0, 1], NO_PRIVATE),
    row("security_path_symlink", "path_symlink", &[0, 1, 2], NO_PRIVATE),
    row("security_path_truncate", "path_truncate", &[0], NO_PRIVATE),
    row("security_path_unlink", "path_unlink", &[0, 1], NO_PRIVATE),
    row("security_sb_mount", "sb_mount", &[0, 1, 2, 3, 4], LATE),
    row("security_socket_create", "socket_create", &[0, 1, 2, 3], LATE),
    row("security_syslog", "syslog", &[0], LATE),
    row("security_task_kill", "task_kill", &[0, 1, 2, 3], LATE),
];

pub fn lsm_hook(name: &str) -> Option<&'static LsmHook> {
    LSM_HOOKS.iter().find(|h| h.name == name)
}

pub fn equivalent(function: &str) -> Option<&'static Equivalent> {
    EQUIVALENTS.iter().find(|e| e.function == function)
}

/// The first file or path among the parameters of an LSM hook or of the `security_` function that calls it.
pub fn file_param(target: &str) -> Option<(u8, Param)> {
    let (hook, params): (_, &[u8]) = match equivalent(target) {
        Some(row) => (lsm_hook(row.hook)?, row.params),
        None => (lsm_hook(target)?, &[0, 1, 2, 3, 4]),
    };
    let of_hook = params.iter().map_while(|&p| hook.params.get(p as usize));
    (0..).zip(of_hook.copied()).find(|(_, param)| matches!(param, File | Path))
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
    fn files_are_found_by_the_names_of_hook_and_function() {
        assert_eq!(file_param("file_permission"), Some((0, File)));
        assert_eq!(file_param("security_path_link"), Some((1, Path)));
        assert_eq!(file_param("security_inode_mkdir"), None);
        assert_eq!(file_param("fd_install"), None);
    }

    #[test]
    fn tables_are_sorted_and_unique() {
        assert!(LSM_HOOKS.windows(2).all(|w| w[0].name < w[1].name));
        assert!(EQUIVALENTS.windows(2).all(|w| w[0].function < w[1].function));
    }
}
