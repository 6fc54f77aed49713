//! What stands around an event: file systems, files, mounts and cgroups, made on demand and undone per case.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::script::{Overlay, Pair};

pub const CGROUPS: &str = "/sys/fs/cgroup";

pub fn mount_kernel_filesystems() -> Result<(), String> {
    for (kind, at) in [
        ("proc", "/proc"),
        ("sysfs", "/sys"),
        ("devtmpfs", "/dev"),
        ("cgroup2", CGROUPS),
        ("tracefs", "/sys/kernel/tracing"),
        ("debugfs", "/sys/kernel/debug"),
        ("securityfs", "/sys/kernel/security"),
        ("bpf", "/sys/fs/bpf"),
        ("tmpfs", "/tmp"),
    ] {
        // A mount point in sysfs is there or is not; those outside are ours.
        let _ = fs::create_dir_all(at);
        mount(kind, at, kind, 0, "").map_err(|e| format!("mount {at}: {e}"))?;
    }
    Ok(())
}

pub fn power_off() -> ! {
    loop {
        // SAFETY: takes no pointers.
        unsafe {
            libc::sync();
            libc::reboot(libc::RB_POWER_OFF);
        }
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
}

pub fn mount(source: &str, at: &str, kind: &str, flags: libc::c_ulong, data: &str) -> io::Result<()> {
    let [source, at, kind, data] =
        [source, at, kind, data].map(|text| CString::new(text).unwrap_or_default());
    // SAFETY: all four are NUL-terminated strings that outlive the call.
    let done =
        unsafe { libc::mount(source.as_ptr(), at.as_ptr(), kind.as_ptr(), flags, data.as_ptr().cast()) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Loads a module of `/modules`, once.
pub fn load_module(name: &str) -> io::Result<()> {
    // Who is root of a user namespace alone may not even ask.
    let loaded = fs::read_to_string("/proc/modules").unwrap_or_default();
    if loaded.lines().any(|line| line.split(' ').next() == name.strip_suffix(".ko")) {
        return Ok(());
    }
    let file = fs::File::open(format!("/modules/{name}"))?;
    use std::os::fd::AsRawFd;
    // SAFETY: the descriptor is open, the string is NUL-terminated.
    let done = unsafe { libc::syscall(libc::SYS_finit_module, file.as_raw_fd(), c"".as_ptr(), 0) };
    match (done, io::Error::last_os_error()) {
        (0, _) => Ok(()),
        (_, error) if error.raw_os_error() == Some(libc::EEXIST) => Ok(()),
        (_, error) => Err(error),
    }
}

pub fn remove_module(name: &str) -> io::Result<()> {
    let name = CString::new(name)?;
    // SAFETY: a NUL-terminated name that outlives the call.
    let done = unsafe { libc::syscall(libc::SYS_delete_module, name.as_ptr(), libc::O_NONBLOCK) };
    match (done, io::Error::last_os_error()) {
        (0, _) => Ok(()),
        (_, error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        (_, error) => Err(error),
    }
}

/// Mounts that a case has made, to be undone in reverse.
#[derive(Default)]
pub struct Mounts(Vec<String>);

impl Mounts {
    pub fn tmpfs(&mut self, at: &str) -> io::Result<()> {
        fs::create_dir_all(at)?;
        mount("tmpfs", at, "tmpfs", 0, "")?;
        self.0.push(at.to_owned());
        Ok(())
    }

    pub fn bind(&mut self, pair: &Pair) -> io::Result<()> {
        bind(pair)?;
        self.0.push(pair.to.clone());
        Ok(())
    }

    /// Upper and work directory are a file system of their own behind the mount point.
    pub fn overlay(&mut self, overlay: &Overlay) -> io::Result<()> {
        load_module("overlay.ko")?;
        let mut data = format!("lowerdir={}", overlay.lower);
        if !overlay.read_only {
            let back = format!("/tmp/overlay-{}", self.0.len());
            self.tmpfs(&back)?;
            for directory in ["upper", "work"] {
                fs::create_dir_all(format!("{back}/{directory}"))?;
            }
            data += &format!(",upperdir={back}/upper,workdir={back}/work");
        }
        if let Some(options) = &overlay.options {
            data += &format!(",{options}");
        }
        fs::create_dir_all(&overlay.at)?;
        mount("overlay", &overlay.at, "overlay", 0, &data)?;
        self.0.push(overlay.at.clone());
        Ok(())
    }

    pub fn undo(&mut self) {
        for at in self.0.drain(..).rev() {
            unmount(&at);
        }
    }
}

pub fn move_mount(pair: &Pair) -> io::Result<()> {
    mount(&pair.from, &pair.to, "none", libc::MS_MOVE, "")
}

/// The mount point becomes what its source is: a directory or a file.
pub fn bind(pair: &Pair) -> io::Result<()> {
    if !Path::new(&pair.to).exists() {
        if Path::new(&pair.from).is_dir() {
            fs::create_dir_all(&pair.to)?;
        } else {
            executable(&pair.to, b"")?;
        }
    }
    mount(&pair.from, &pair.to, "none", libc::MS_BIND, "")
}

/// The files of the machine outside the kernel's own file systems, and what is mounted.
pub struct Files {
    all: BTreeSet<PathBuf>,
    mounts: usize,
}

impl Files {
    pub fn now() -> io::Result<Files> {
        let mut all = BTreeSet::new();
        let mut left = vec![PathBuf::from("/")];
        while let Some(directory) = left.pop() {
            for entry in own_entries(&directory)? {
                if entry.file_type()?.is_dir() {
                    left.push(entry.path());
                }
                all.insert(entry.path());
            }
        }
        Ok(Files { all, mounts: mount_points()?.len() })
    }

    /// Removes all that came since.
    pub fn restore(&self) -> io::Result<()> {
        for at in mount_points()?.drain(self.mounts..).rev() {
            unmount(&at);
        }
        let mut left = vec![PathBuf::from("/")];
        while let Some(directory) = left.pop() {
            for entry in own_entries(&directory)? {
                let (path, is_directory) = (entry.path(), entry.file_type()?.is_dir());
                match (self.all.contains(&path), is_directory) {
                    (true, true) => left.push(path),
                    (true, false) => {}
                    (false, true) => fs::remove_dir_all(path)?,
                    (false, false) => fs::remove_file(path)?,
                }
            }
        }
        Ok(())
    }
}

/// In the order in which they were mounted.
fn mount_points() -> io::Result<Vec<String>> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    Ok(mounts.lines().filter_map(|line| line.split(' ').nth(1)).map(str::to_owned).collect())
}

fn unmount(at: &str) {
    let at = CString::new(at).unwrap_or_default();
    // SAFETY: a NUL-terminated string that outlives the call.
    unsafe { libc::umount2(at.as_ptr(), libc::MNT_DETACH) };
}

fn own_entries(directory: &Path) -> io::Result<Vec<fs::DirEntry>> {
    let of_the_kernel = |path: &Path| ["/proc", "/sys", "/dev"].iter().any(|own| path == Path::new(own));
    let all: io::Result<Vec<fs::DirEntry>> = fs::read_dir(directory)?.collect();
    Ok(all?.into_iter().filter(|entry| !of_the_kernel(&entry.path())).collect())
}

/// Text that no kernel takes for a program, so that an allowed `execve` gives ENOEXEC.
pub const NO_PROGRAM: &[u8] = b"not a program\n";

/// The smallest x86-64 ELF file that exits with 0: one segment, three instructions.
pub fn smallest_program() -> Vec<u8> {
    let code: [u8; 9] = [0x31, 0xff, 0xb8, 0x3c, 0, 0, 0, 0x0f, 0x05]; // edi = 0; eax = 60; syscall
    let (base, entry, size) = (0x40_0000_u64, 0x40_0078_u64, 0x78 + code.len() as u64);
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    for (value, width) in [
        (2, 2),
        (62, 2),
        (1, 4),
        (entry, 8),
        (64, 8),
        (0, 8),
        (0, 4),
        (64, 2),
        (56, 2),
        (1, 2),
        (0, 2),
        (0, 2),
        (0, 2),
        (1, 4),
        (5, 4),
        (0, 8),
        (base, 8),
        (base, 8),
        (size, 8),
        (size, 8),
        (0x1000, 8),
    ] {
        elf.extend_from_slice(&u64::to_le_bytes(value)[..width]);
    }
    elf.extend_from_slice(&code);
    elf
}

/// Makes an executable file with its directories. Paths of any length: the way there is taken step by step.
pub fn executable(path: &str, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write;
    let name = enter_directory_of(path)?;
    let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o755).open(&name);
    let written = file.and_then(|mut file| {
        file.set_permissions(fs::Permissions::from_mode(0o755))?;
        file.write_all(bytes)
    });
    std::env::set_current_dir("/")?;
    written
}

pub fn directory(path: &str) -> io::Result<()> {
    enter_directory_of(&format!("{}/.", path.trim_end_matches('/')))?;
    std::env::set_current_dir("/")
}

pub fn symlink(pair: &Pair) -> io::Result<()> {
    let name = enter_directory_of(&pair.to)?;
    let _ = fs::remove_file(&name);
    let made = std::os::unix::fs::symlink(&pair.from, &name);
    std::env::set_current_dir("/")?;
    made
}

/// Makes the directories above `path` and goes to the last one; gives the rest of the path.
pub fn enter_directory_of(path: &str) -> io::Result<PathBuf> {
    std::env::set_current_dir("/")?;
    let mut parts = path.split('/').filter(|part| !part.is_empty()).peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return Ok(PathBuf::from(part));
        }
        match fs::create_dir(part) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        std::env::set_current_dir(part)?;
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "a path without a name"))
}

pub fn cgroup(path: &str) -> io::Result<PathBuf> {
    let directory = PathBuf::from(format!("{CGROUPS}/{}", path.trim_start_matches('/')));
    fs::create_dir_all(&directory)?;
    Ok(directory)
}

/// Whoever writes "0" to it moves into the cgroup.
pub fn cgroup_to_join(path: &str) -> io::Result<fs::File> {
    fs::File::options().write(true).open(cgroup(path)?.join("cgroup.procs"))
}

/// Moves a process (0: the caller) into a cgroup.
pub fn join_cgroup(path: &str, pid: u32) -> io::Result<()> {
    fs::write(cgroup(path)?.join("cgroup.procs"), pid.to_string())
}

/// Removes all cgroups below the root, deepest first. Their processes have to be gone.
pub fn remove_cgroups() -> io::Result<()> {
    fn below(directory: &Path) -> io::Result<()> {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                below(&path)?;
                fs::remove_dir(&path)?;
            }
        }
        Ok(())
    }
    below(Path::new(CGROUPS))
}
