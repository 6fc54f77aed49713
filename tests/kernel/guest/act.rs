//! One acting step, made by the calling process: the system call, and what came of it in words.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, RawFd};

use super::surroundings::{NO_PROGRAM, bind, enter_directory_of, executable, join_cgroup};
use crate::script::{Act, Origin, Step, Value, Way};

/// What the caller does for a step that acts: gets into place, then makes the call.
///
/// Ok: the outcome (`ok`, or an error's name). Err: it could not even get into place.
pub fn take(step: &Step) -> Result<String, String> {
    match step {
        Step::Exec(act) => in_place(act).and_then(|()| exec(act)),
        Step::Open(act) => in_place(act).and_then(|()| open(act)),
        Step::Syscall(act) => in_place(act).and_then(|()| syscall(act)),
        other => Err(format!("{other:?} is not a step that acts")),
    }
}

fn in_place(act: &Act) -> Result<(), String> {
    if let Some(cgroup) = &act.cgroup {
        join_cgroup(cgroup, 0).map_err(|e| format!("cgroup {cgroup}: {e}"))?;
    }
    if !act.private.is_empty() {
        // SAFETY: takes no pointers.
        if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
            return Err(format!("unshare: {}", io::Error::last_os_error()));
        }
        super::surroundings::mount("none", "/", "none", libc::MS_REC | libc::MS_PRIVATE, "")
            .map_err(|e| format!("private mounts: {e}"))?;
        for pair in &act.private {
            bind(pair).map_err(|e| format!("bind {} to {}: {e}", pair.from, pair.to))?;
        }
    }
    if let Some(root) = &act.chroot {
        std::os::unix::fs::chroot(root).map_err(|e| format!("chroot {root}: {e}"))?;
        std::env::set_current_dir("/").map_err(|e| e.to_string())?;
    }
    if let Some(dir) = &act.dir {
        // A path may be too long for one call, hence by its parts; the root has none.
        let last = match dir.as_str() {
            "/" => Ok("/".into()),
            _ => enter_directory_of(dir),
        };
        last.and_then(std::env::set_current_dir).map_err(|e| format!("{dir}: {e}"))?;
    }
    if let Some(path) = &act.opened {
        let file = std::fs::File::open(path).map_err(|e| format!("{path}: {e}"))?;
        // SAFETY: a descriptor of this process that nothing else uses.
        if unsafe { libc::dup2(file.as_raw_fd(), OPENED) } != OPENED {
            return Err(format!("{path}: {}", io::Error::last_os_error()));
        }
    }
    Ok(())
}

/// Descriptor of the file that is open while the step is taken.
const OPENED: RawFd = 100;

fn text(value: &str) -> CString {
    CString::new(value).unwrap_or_default()
}

fn outcome(result: libc::c_long) -> String {
    if result >= 0 {
        "ok".to_owned()
    } else {
        errno_name(io::Error::last_os_error().raw_os_error().unwrap_or(0))
    }
}

pub fn exec(act: &Act) -> Result<String, String> {
    let path = text(&act.path);
    let arguments = [c"subject".as_ptr(), std::ptr::null()];
    let environment = [std::ptr::null()];
    if act.file == Origin::Path && act.way == Way::Path {
        // SAFETY: a NUL-terminated path and two NULL-terminated vectors that outlive the call.
        return Ok(outcome(
            unsafe { libc::execve(path.as_ptr(), arguments.as_ptr(), environment.as_ptr()) }.into(),
        ));
    }
    let fd = descriptor(act).map_err(|e| format!("{:?} {}: {e}", act.file, act.path))?;
    let (directory, name, flags) = match act.way {
        Way::Path | Way::EmptyPath => (fd, text(""), libc::AT_EMPTY_PATH),
        Way::ProcFd => (libc::AT_FDCWD, text(&format!("/proc/self/fd/{fd}")), 0),
    };
    // SAFETY: as above.
    let result = unsafe {
        libc::syscall(
            libc::SYS_execveat,
            directory,
            name.as_ptr(),
            arguments.as_ptr(),
            environment.as_ptr(),
            flags,
        )
    };
    Ok(outcome(result))
}

fn open(act: &Act) -> Result<String, String> {
    let path = match act.file {
        Origin::Path => text(&act.path),
        Origin::Memfd | Origin::Tmpfile | Origin::Unlinked => {
            let fd = descriptor(act).map_err(|e| format!("{:?} {}: {e}", act.file, act.path))?;
            text(&format!("/proc/self/fd/{fd}"))
        }
    };
    let flags = libc::O_CLOEXEC | if act.write { libc::O_RDWR } else { libc::O_RDONLY };
    // SAFETY: a NUL-terminated path that outlives the call.
    let fd = unsafe { libc::open(path.as_ptr(), flags) };
    let result = outcome(fd.into());
    if fd >= 0 {
        close(fd);
    }
    Ok(result)
}

fn close(fd: RawFd) {
    // SAFETY: closes a descriptor of this process that nothing else owns.
    unsafe { libc::close(fd) };
}

fn checked(fd: RawFd) -> io::Result<RawFd> {
    if fd >= 0 { Ok(fd) } else { Err(io::Error::last_os_error()) }
}

fn opened(path: &str, flags: libc::c_int) -> io::Result<RawFd> {
    let path = text(path);
    // SAFETY: a NUL-terminated path that outlives the call.
    checked(unsafe { libc::open(path.as_ptr(), flags, 0o755) })
}

/// The file behind `fd`, read-only: nobody may have it open for writing, as that alone would forbid an exec.
fn reopened(fd: RawFd) -> io::Result<RawFd> {
    let again = opened(&format!("/proc/self/fd/{fd}"), libc::O_RDONLY);
    close(fd);
    again
}

fn filled(fd: RawFd) -> io::Result<RawFd> {
    // SAFETY: a buffer with its length.
    let written = unsafe { libc::write(fd, NO_PROGRAM.as_ptr().cast(), NO_PROGRAM.len()) };
    if written == NO_PROGRAM.len() as isize { Ok(fd) } else { Err(io::Error::last_os_error()) }
}

/// A read-only descriptor of the file that the step speaks of.
fn descriptor(act: &Act) -> io::Result<RawFd> {
    match act.file {
        Origin::Path => opened(&act.path, libc::O_RDONLY),
        Origin::Memfd => {
            let name = text(&act.path);
            // SAFETY: a NUL-terminated name that outlives the call.
            checked(unsafe { libc::memfd_create(name.as_ptr(), 0) }).and_then(filled).and_then(reopened)
        }
        Origin::Tmpfile => {
            opened(&act.path, libc::O_TMPFILE | libc::O_RDWR).and_then(filled).and_then(reopened)
        }
        Origin::Unlinked => {
            let back = std::env::current_dir()?;
            executable(&act.path, NO_PROGRAM)?;
            let fd = opened(&act.path, libc::O_RDONLY)?;
            std::fs::remove_file(&act.path)?;
            std::env::set_current_dir(back)?;
            Ok(fd)
        }
    }
}

/// The calls that `syscall` steps may make; each takes up to six arguments.
fn syscall_number(name: &str) -> Option<libc::c_long> {
    Some(match name {
        "lseek" => libc::SYS_lseek,
        "read" => libc::SYS_read,
        "write" => libc::SYS_write,
        "kill" => libc::SYS_kill,
        "dup" => libc::SYS_dup,
        "fcntl" => libc::SYS_fcntl,
        "prctl" => libc::SYS_prctl,
        "openat" => libc::SYS_openat,
        "open" => libc::SYS_open,
        "mkdir" => libc::SYS_mkdir,
        "rmdir" => libc::SYS_rmdir,
        "unlink" => libc::SYS_unlink,
        "rename" => libc::SYS_rename,
        "chdir" => libc::SYS_chdir,
        "truncate" => libc::SYS_truncate,
        "sethostname" => libc::SYS_sethostname,
        "socket" => libc::SYS_socket,
        "close" => libc::SYS_close,
        "getpid" => libc::SYS_getpid,
        "getppid" => libc::SYS_getppid,
        "chmod" => libc::SYS_chmod,
        "chown" => libc::SYS_chown,
        "chroot" => libc::SYS_chroot,
        "finit_module" => libc::SYS_finit_module,
        "flock" => libc::SYS_flock,
        "init_module" => libc::SYS_init_module,
        "ioctl" => libc::SYS_ioctl,
        "link" => libc::SYS_link,
        "mknod" => libc::SYS_mknod,
        "mount" => libc::SYS_mount,
        "stat" => libc::SYS_stat,
        "symlink" => libc::SYS_symlink,
        "syslog" => libc::SYS_syslog,
        _ => return None,
    })
}

fn syscall(act: &Act) -> Result<String, String> {
    let number = syscall_number(&act.name).ok_or_else(|| format!("unknown system call {}", act.name))?;
    if act.args.len() > 6 {
        return Err("more than six arguments".to_owned());
    }
    let texts: Vec<Option<CString>> = act
        .args
        .iter()
        .map(|arg| match arg {
            Value::Text(value) => Some(text(value)),
            Value::Number(_) => None,
        })
        .collect();
    let mut words = [0_i64; 6];
    for ((word, arg), held) in words.iter_mut().zip(&act.args).zip(&texts) {
        *word = match (arg, held) {
            (Value::Number(number), _) => *number,
            (Value::Text(_), Some(held)) => held.as_ptr() as i64,
            (Value::Text(_), None) => 0,
        };
    }
    let [a, b, c, d, e, f] = words;
    // SAFETY: texts are NUL-terminated and outlive the call; numbers are the case's own business, in a process that
    // was made for this step.
    Ok(outcome(unsafe { libc::syscall(number, a, b, c, d, e, f) }))
}

pub fn errno_name(errno: i32) -> String {
    match errno {
        libc::EFAULT => "EFAULT",
        libc::EPERM => "EPERM",
        libc::ENOENT => "ENOENT",
        libc::ESRCH => "ESRCH",
        libc::EIO => "EIO",
        libc::ENXIO => "ENXIO",
        libc::E2BIG => "E2BIG",
        libc::ENOEXEC => "ENOEXEC",
        libc::EBADF => "EBADF",
        libc::EAGAIN => "EAGAIN",
        libc::ENOMEM => "ENOMEM",
        libc::EACCES => "EACCES",
        libc::EBUSY => "EBUSY",
        libc::EEXIST => "EEXIST",
        libc::ENOTDIR => "ENOTDIR",
        libc::EISDIR => "EISDIR",
        libc::EINVAL => "EINVAL",
        libc::ETXTBSY => "ETXTBSY",
        libc::ENAMETOOLONG => "ENAMETOOLONG",
        libc::ELOOP => "ELOOP",
        libc::ESPIPE => "ESPIPE",
        other => return format!("errno {other}"),
    }
    .to_owned()
}
