//! One acting step, made by the calling process: the system call, and what came of it in words.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, RawFd};

use super::surroundings::{Mounts, NO_PROGRAM, bind, cgroup_to_join, enter_directory_of, executable, mount};
use super::{net, uring};
use crate::script::{Act, Origin, Piece, Step, Value, Way};

/// What the caller does for a step that acts: gets into place, then makes the call.
///
/// Ok: the outcome (`ok`, or an error's name). Err: it could not even get into place.
pub fn take(step: &Step) -> Result<String, String> {
    if step.act().is_some_and(|act| act.in_thread) {
        let thread = std::thread::scope(|scope| scope.spawn(|| take_here(step)).join());
        return thread.unwrap_or_else(|_| Err("the thread panicked".to_owned()));
    }
    take_here(step)
}

fn take_here(step: &Step) -> Result<String, String> {
    match step {
        Step::Exec(act) => in_place(act).and_then(|()| exec(act)),
        Step::Open(act) => hold(act).and_then(|()| in_place(act)).and_then(|()| open(act)),
        Step::Syscall(act) => in_place(act).and_then(|()| syscall(act)),
        Step::Connect(act) => in_place(act).and_then(|()| net::connect(act)),
        Step::Listen(act) => in_place(act).and_then(|()| net::listen(act)),
        Step::Send(act) => in_place(act).and_then(|()| net::send(act)),
        other => Err(format!("{other:?} is not a step that acts")),
    }
}

fn in_place(act: &Act) -> Result<(), String> {
    // Its cgroup cannot be found from inside a container.
    let cgroup = match &act.cgroup {
        Some(path) => Some(cgroup_to_join(path).map_err(|e| format!("cgroup {path}: {e}"))?),
        None => None,
    };
    for kind in &act.unshare {
        unshare(kind).map_err(|e| format!("unshare {kind}: {e}"))?;
    }
    if act.user_namespace {
        user_namespace().map_err(|e| format!("user namespace: {e}"))?;
    }
    if !act.private.is_empty() || act.private_overlay.is_some() || act.pivot.is_some() {
        // SAFETY: takes no pointers.
        if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
            return Err(format!("unshare: {}", io::Error::last_os_error()));
        }
        mount("none", "/", "none", libc::MS_REC | libc::MS_PRIVATE, "")
            .map_err(|e| format!("private mounts: {e}"))?;
        for pair in &act.private {
            bind(pair).map_err(|e| format!("bind {} to {}: {e}", pair.from, pair.to))?;
        }
    }
    if let Some(overlay) = &act.private_overlay {
        Mounts::default().overlay(overlay).map_err(|e| format!("overlay {}: {e}", overlay.at))?;
    }
    if let Some(root) = &act.pivot {
        pivot(root).map_err(|e| format!("pivot_root {root}: {e}"))?;
    }
    if let Some(root) = &act.chroot {
        std::os::unix::fs::chroot(root).map_err(|e| format!("chroot {root}: {e}"))?;
        std::env::set_current_dir("/").map_err(|e| e.to_string())?;
    }
    if let Some(mut cgroup) = cgroup {
        io::Write::write_all(&mut cgroup, b"0").map_err(|e| format!("cgroup: {e}"))?;
    }
    if let Some(dir) = &act.dir {
        // A path may be too long for one call, hence by its parts; the root has none.
        let last = match dir.as_str() {
            "/" => Ok("/".into()),
            _ => enter_directory_of(dir),
        };
        last.and_then(std::env::set_current_dir).map_err(|e| format!("{dir}: {e}"))?;
    }
    if !act.without.is_empty() {
        drop_capabilities(&act.without).map_err(|e| format!("capabilities: {e}"))?;
    }
    if let Some(path) = &act.opened {
        let file = std::fs::File::options().read(true).write(act.write).open(path);
        let file = file.map_err(|e| format!("{path}: {e}"))?;
        // SAFETY: a descriptor of this process that nothing else uses.
        if unsafe { libc::dup2(file.as_raw_fd(), OPENED) } != OPENED {
            return Err(format!("{path}: {}", io::Error::last_os_error()));
        }
    }
    Ok(())
}

fn unshare(kind: &str) -> io::Result<()> {
    let flag = match kind {
        "uts" => libc::CLONE_NEWUTS,
        "ipc" => libc::CLONE_NEWIPC,
        "mnt" => libc::CLONE_NEWNS,
        "pid_for_children" => libc::CLONE_NEWPID,
        "net" => libc::CLONE_NEWNET,
        "time_for_children" => 0x80, // CLONE_NEWTIME
        "cgroup" => libc::CLONE_NEWCGROUP,
        "user" => libc::CLONE_NEWUSER,
        _ => return Err(io::ErrorKind::InvalidInput.into()),
    };
    // SAFETY: takes no pointers.
    if unsafe { libc::unshare(flag) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// From all three sets.
fn drop_capabilities(dropped: &[u32]) -> io::Result<()> {
    // Version 3: two halves of effective, permitted, inheritable (capget(2)).
    let header = [0x2008_0522_u32, 0];
    let mut sets = [0_u32; 6];
    // SAFETY: a header and room for both halves.
    checked(unsafe { libc::syscall(libc::SYS_capget, header.as_ptr(), sets.as_mut_ptr()) } as RawFd)?;
    for capability in dropped {
        let half = *capability as usize / 32 * 3;
        sets[half..half + 3].iter_mut().for_each(|set| *set &= !(1 << (capability % 32)));
    }
    // SAFETY: as above.
    checked(unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr()) } as RawFd).map(drop)
}

fn user_namespace() -> io::Result<()> {
    // SAFETY: takes no pointers.
    if unsafe { libc::unshare(libc::CLONE_NEWUSER) } != 0 {
        return Err(io::Error::last_os_error());
    }
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", "0 0 1")?;
    std::fs::write("/proc/self/gid_map", "0 0 1")
}

/// A copy of all mounts comes first: the machine's own root is no mount that could be replaced. Then the new root is put
/// over itself: mounts that a user namespace inherits are locked and cannot be moved.
fn pivot(root: &str) -> io::Result<()> {
    std::fs::create_dir_all("/outside")?;
    mount("/", "/outside", "none", libc::MS_BIND | libc::MS_REC, "")?;
    std::os::unix::fs::chroot("/outside")?;
    mount(root, root, "none", libc::MS_BIND | libc::MS_REC, "")?;
    std::env::set_current_dir(root)?;
    // SAFETY: NUL-terminated paths; the old root comes to lie over the new one, from where it is unmounted.
    unsafe {
        let here = c".".as_ptr();
        if libc::syscall(libc::SYS_pivot_root, here, here) != 0 || libc::umount2(here, libc::MNT_DETACH) != 0
        {
            return Err(io::Error::last_os_error());
        }
    }
    std::env::set_current_dir("/")
}

/// Descriptor of the file that is open while the step is taken.
const OPENED: RawFd = 100;

fn text(value: &str) -> CString {
    CString::new(value).unwrap_or_default()
}

impl Value {
    fn as_text(&self) -> Option<CString> {
        match self {
            Value::Text(value) => Some(text(value)),
            Value::Number(_) | Value::Buffer(_) | Value::Memory { .. } | Value::Unterminated { .. } => None,
        }
    }
}

pub fn outcome(result: libc::c_long) -> String {
    if result >= 0 {
        "ok".to_owned()
    } else {
        errno_name(io::Error::last_os_error().raw_os_error().unwrap_or(0))
    }
}

pub fn exec(act: &Act) -> Result<String, String> {
    let path = text(&act.path);
    // A program of many names goes by the one that it is called by.
    let name = if act.args.is_empty() { c"subject".to_owned() } else { path.clone() };
    let further: Vec<CString> = act.args.iter().filter_map(Value::as_text).collect();
    let mut arguments: Vec<*const libc::c_char> = vec![name.as_ptr()];
    arguments.extend(further.iter().map(|argument| argument.as_ptr()));
    arguments.push(std::ptr::null());
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
        Way::IoUring | Way::Borrowed => return Err("an io_uring cannot exec".to_owned()),
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

/// What has no path is had before a policy applies.
fn hold(act: &Act) -> Result<(), String> {
    if act.file == Origin::Path {
        return Ok(());
    }
    let fd = descriptor(act).map_err(|e| format!("{:?} {}: {e}", act.file, act.path))?;
    // SAFETY: descriptors of this process that nothing else uses.
    if unsafe { libc::dup2(fd, OPENED) } == OPENED { Ok(()) } else { Err("dup2".to_owned()) }
}

pub fn open(act: &Act) -> Result<String, String> {
    let (directory, path) = match act.file {
        Origin::Path => (libc::AT_FDCWD, text(&act.path)),
        Origin::Layer => (OPENED, text(act.path.rsplit('/').next().unwrap_or_default())),
        _ => (libc::AT_FDCWD, text(&format!("/proc/self/fd/{OPENED}"))),
    };
    let flags = libc::O_CLOEXEC | if act.write { libc::O_RDWR } else { libc::O_RDONLY };
    if act.way == Way::IoUring || act.way == Way::Borrowed {
        let opened = uring::open(directory, &path, flags, act.way == Way::Borrowed)?;
        return Ok(opened.map_or_else(errno_name, |fd| {
            close(fd);
            "ok".to_owned()
        }));
    }
    // SAFETY: a NUL-terminated path that outlives the call.
    let fd = unsafe { libc::openat(directory, path.as_ptr(), flags) };
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

pub fn checked(fd: RawFd) -> io::Result<RawFd> {
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
        Origin::Tree => {
            let path = text(&act.path);
            // SAFETY: a NUL-terminated path that outlives the call. The flag is OPEN_TREE_CLONE.
            checked(unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), 1) } as RawFd)
        }
        Origin::Unmounted => {
            let at = act.path.rsplit_once('/').map_or("/", |(directory, _)| directory);
            let mut mounts = Mounts::default();
            mounts.tmpfs(at)?;
            executable(&act.path, NO_PROGRAM)?;
            let fd = opened(&act.path, libc::O_PATH)?;
            mounts.undo();
            Ok(fd)
        }
        Origin::Layer => layer(act),
    }
}

/// A directory in a layer, as fanotify hands it out when it is read: the mark is on the inode, the descriptor has
/// overlayfs's mount.
fn layer(act: &Act) -> io::Result<RawFd> {
    let of_layer = text(act.path.rsplit_once('/').map_or("/", |(directory, _)| directory));
    // SAFETY: a NUL-terminated path that outlives the call; flags alone.
    let listener = unsafe {
        let listener =
            checked(libc::fanotify_init(libc::FAN_CLASS_NOTIF | libc::FAN_NONBLOCK, libc::O_RDONLY as u32))?;
        let (add, mask) = (libc::FAN_MARK_ADD, libc::FAN_ACCESS | libc::FAN_ONDIR);
        checked(libc::fanotify_mark(listener, add, mask, libc::AT_FDCWD, of_layer.as_ptr()))?;
        listener
    };
    let of_overlay = act.layer_of.as_deref().unwrap_or_default();
    std::fs::read_dir(of_overlay)?.count();
    // `struct fanotify_event_metadata`: the descriptor stands behind 16 bytes.
    let mut event = [0_u8; 24];
    // SAFETY: a buffer with its length.
    if unsafe { libc::read(listener, event.as_mut_ptr().cast(), event.len()) } != event.len() as isize {
        return Err(io::Error::last_os_error());
    }
    let [.., a, b, c, d, _, _, _, _] = event;
    checked(RawFd::from_ne_bytes([a, b, c, d]))
}

/// The calls that `syscall` steps may make; each takes up to six arguments.
fn syscall_number(name: &str) -> Option<libc::c_long> {
    Some(match name {
        "lseek" => libc::SYS_lseek,
        "read" => libc::SYS_read,
        "write" => libc::SYS_write,
        "kill" => libc::SYS_kill,
        "dup" => libc::SYS_dup,
        "fallocate" => libc::SYS_fallocate,
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
        "bpf" => libc::SYS_bpf,
        "perf_event_open" => libc::SYS_perf_event_open,
        "delete_module" => libc::SYS_delete_module,
        "unshare" => libc::SYS_unshare,
        "capset" => libc::SYS_capset,
        "setresuid" => libc::SYS_setresuid,
        "setresgid" => libc::SYS_setresgid,
        "setfsuid" => libc::SYS_setfsuid,
        "sethostname" => libc::SYS_sethostname,
        "setxattr" => libc::SYS_setxattr,
        "socket" => libc::SYS_socket,
        "close" => libc::SYS_close,
        "getpid" => libc::SYS_getpid,
        "getppid" => libc::SYS_getppid,
        "chmod" => libc::SYS_chmod,
        "chown" => libc::SYS_chown,
        "chroot" => libc::SYS_chroot,
        "getdents64" => libc::SYS_getdents64,
        "finit_module" => libc::SYS_finit_module,
        "flock" => libc::SYS_flock,
        "init_module" => libc::SYS_init_module,
        "ioctl" => libc::SYS_ioctl,
        "link" => libc::SYS_link,
        "mknod" => libc::SYS_mknod,
        "mmap" => libc::SYS_mmap,
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
    let mut held: Vec<Vec<u8>> = act
        .args
        .iter()
        .map(|arg| match arg {
            Value::Text(value) => text(value).into_bytes_with_nul(),
            Value::Buffer(buffer) => vec![0; buffer.buffer],
            Value::Memory { memory } => laid_out(memory),
            Value::Number(_) | Value::Unterminated { .. } => vec![],
        })
        .collect();
    let mut words = [0_i64; 6];
    for ((word, arg), held) in words.iter_mut().zip(&act.args).zip(&mut held) {
        *word = match arg {
            Value::Number(number) => *number,
            Value::Text(_) | Value::Buffer(_) | Value::Memory { .. } => held.as_mut_ptr() as i64,
            Value::Unterminated { unterminated } => {
                at_the_end_of_memory(unterminated.as_bytes()).map_err(|e| e.to_string())?
            }
        };
    }
    let [a, b, c, d, e, f] = words;
    // SAFETY: texts are NUL-terminated, they and the buffers outlive the call; numbers are the case's own business, in a process that
    // was made for this step.
    Ok(outcome(unsafe { libc::syscall(number, a, b, c, d, e, f) }))
}

/// What an address leads to is never given back.
fn laid_out(pieces: &[Piece]) -> Vec<u8> {
    let mut out = vec![];
    for piece in pieces {
        match piece {
            Piece::Number(number) => out.extend(number.to_ne_bytes()),
            Piece::Long { long } => out.extend(long.to_ne_bytes()),
            Piece::Text { text, bytes } => {
                let end = out.len() + bytes;
                out.extend(text.as_bytes());
                out.resize(end, 0);
            }
            Piece::To { to } => out.extend((Vec::leak(laid_out(to)).as_ptr() as i64).to_ne_bytes()),
        }
    }
    out
}

/// Address of `bytes`, behind which nothing is mapped; never given back.
fn at_the_end_of_memory(bytes: &[u8]) -> io::Result<i64> {
    const PAGE: usize = 4096;
    let room = bytes.len().next_multiple_of(PAGE);
    // SAFETY: new memory, of which the last page is taken away again; the bytes fit in front of it.
    unsafe {
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let start = libc::mmap(std::ptr::null_mut(), room + PAGE, access, kind, -1, 0);
        if start == libc::MAP_FAILED || libc::munmap(start.add(room), PAGE) != 0 {
            return Err(io::Error::last_os_error());
        }
        let at = start.cast::<u8>().add(room - bytes.len());
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), at, bytes.len());
        Ok(at as i64)
    }
}

pub fn errno_name(errno: i32) -> String {
    match errno {
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
        libc::EFAULT => "EFAULT",
        libc::ECONNREFUSED => "ECONNREFUSED",
        libc::EBUSY => "EBUSY",
        libc::EEXIST => "EEXIST",
        libc::ENOTDIR => "ENOTDIR",
        libc::EISDIR => "EISDIR",
        libc::EINVAL => "EINVAL",
        libc::ETXTBSY => "ETXTBSY",
        libc::ENAMETOOLONG => "ENAMETOOLONG",
        libc::ELOOP => "ELOOP",
        libc::ESPIPE => "ESPIPE",
        libc::EROFS => "EROFS",
        other => return format!("errno {other}"),
    }
    .to_owned()
}
