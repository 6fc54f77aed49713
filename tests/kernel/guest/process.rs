//! Processes that act: forked, never exec'ed, so that a policy under test cannot keep the test itself from running.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::FromRawFd;

/// Both ends of a pipe: read, write.
pub fn pipe() -> io::Result<(File, File)> {
    let mut ends = [0; 2];
    // SAFETY: the array holds the two descriptors that the call writes; each is then owned once.
    unsafe {
        if libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok((File::from_raw_fd(ends[0]), File::from_raw_fd(ends[1])))
    }
}

/// A child that runs `body` and ends with what it returns.
pub fn fork(body: impl FnOnce() -> i32) -> io::Result<u32> {
    // SAFETY: the child goes on with its copy of this thread alone; it makes system calls and allocates (glibc's
    // allocator is usable after fork) and never takes a lock that another thread may have held.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).unwrap_or(101);
            // SAFETY: ends the process at once, without the parent's destructors.
            unsafe { libc::_exit(code) }
        }
        pid => Ok(pid as u32),
    }
}

/// Waits for a child: its exit code, or the signal that ended it.
pub fn wait(pid: u32) -> io::Result<Result<i32, i32>> {
    let mut status = 0;
    loop {
        // SAFETY: writes the status.
        let got = unsafe { libc::waitpid(pid as i32, &mut status, 0) };
        if got == pid as i32 {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(if libc::WIFSIGNALED(status) { Err(libc::WTERMSIG(status)) } else { Ok(libc::WEXITSTATUS(status)) })
}

pub fn kill(pid: u32, signal: i32) {
    // SAFETY: takes no pointers.
    unsafe { libc::kill(pid as i32, signal) };
}

pub fn signal_name(signal: i32) -> String {
    match signal {
        libc::SIGKILL => "SIGKILL".to_owned(),
        libc::SIGSEGV => "SIGSEGV".to_owned(),
        other => format!("signal {other}"),
    }
}

/// Memory that a child shares with its parent, for one short text. Unlike a pipe it can be written to under any policy.
pub struct Shared(*mut u8);

const SHARED: usize = 4096;

impl Shared {
    pub fn new() -> io::Result<Shared> {
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, wherever the kernel puts it.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), SHARED, protection, flags, -1, 0) };
        if at == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(Shared(at.cast())) }
    }

    /// The child's part. What is too long is cut.
    pub fn set(&mut self, text: &str) {
        let length = text.len().min(SHARED - 1);
        // SAFETY: the mapping is `SHARED` bytes long; the parent reads only when this process is gone.
        unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), self.0, length) };
    }

    /// When the child is gone: None if it said nothing.
    pub fn get(&self) -> Option<String> {
        // SAFETY: as above; nobody else writes any more.
        let bytes = unsafe { std::slice::from_raw_parts(self.0, SHARED) };
        let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        (!text.is_empty()).then(|| String::from_utf8_lossy(text).into_owned())
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own.
        unsafe { libc::munmap(self.0.cast(), SHARED) };
    }
}

/// A process that waits for commands, one line each, and answers with one line.
pub struct Named {
    pub pid: u32,
    commands: File,
    answers: File,
}

impl Named {
    pub fn start(mut obey: impl FnMut(&str) -> String) -> io::Result<Named> {
        let (mut read_command, commands) = pipe()?;
        let (answers, mut answer) = pipe()?;
        // The child must not keep the far ends of its own pipes, or it would never see them close.
        let far = [std::os::fd::AsRawFd::as_raw_fd(&commands), std::os::fd::AsRawFd::as_raw_fd(&answers)];
        let pid = fork(|| {
            // SAFETY: both are open in this process and used by nothing in it.
            far.iter().for_each(|fd| unsafe {
                libc::close(*fd);
            });
            while let Ok(Some(line)) = read_line(&mut read_command) {
                if answer.write_all(format!("{}\n", obey(&line)).as_bytes()).is_err() {
                    return 1;
                }
            }
            0
        })?;
        Ok(Named { pid, commands, answers })
    }

    /// None: it ended before it answered.
    pub fn ask(&mut self, command: &str) -> io::Result<Option<String>> {
        if self.commands.write_all(format!("{command}\n").as_bytes()).is_err() {
            return Ok(None);
        }
        read_line(&mut self.answers)
    }
}

pub fn read_line(from: &mut File) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        match from.read(&mut byte)? {
            0 => return Ok(None),
            _ if byte[0] == b'\n' => return Ok(Some(String::from_utf8_lossy(&line).into_owned())),
            _ => line.push(byte[0]),
        }
    }
}
