//! The inside of the virtual machine: the test binary again, as its first process.
//!
//! Reads `/task.json`, does what it says and writes one [`Report`] a line to the second serial port. Assumes that it
//! owns the machine: it mounts, makes cgroups, and switches the machine off at the end.

mod act;
mod cases;
mod loader;
mod net;
mod process;
mod surroundings;
mod uring;

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex};

use crate::script::{Report, Task};
use crate::vm::FAREWELL;

pub use act::{errno_name, exec, open};
pub use cases::act_alone;
pub use loader::Loader;
pub use process::{fork, wait};
pub use surroundings::{Mounts, cgroup, executable, join_cgroup, move_mount};

/// Whether this process is a virtual machine's first one.
pub fn is_inside() -> bool {
    std::process::id() == 1
}

pub fn main() -> ! {
    let outcome = surroundings::mount_kernel_filesystems().and_then(|()| Port::open()).and_then(|port| {
        let task = std::fs::read("/task.json").map_err(|e| format!("/task.json: {e}"))?;
        match serde_json::from_slice(&task).map_err(|e| format!("/task.json: {e}"))? {
            Task::Cases { cases } => cases::run_all(&port, &cases),
            Task::Load { objects } => crate::load::guest(&port, &objects),
            Task::Facts => crate::facts::guest(&port),
            Task::Sets { sets } => crate::sets::guest(&port, &sets),
            Task::Bytes(set) => crate::bytes::guest(&port, &set),
            Task::Measure(plan) => crate::measure::guest(&port, &plan),
        }
        port.line(FAREWELL);
        port.drain();
        Ok(())
    });
    if let Err(why) = outcome {
        eprintln!("guest: {why}");
    }
    surroundings::power_off()
}

/// Where reports go; shared with the threads that read the loader's output.
#[derive(Clone)]
pub struct Port(Arc<Mutex<File>>);

impl Port {
    fn open() -> Result<Port, String> {
        let port = File::options().write(true).open("/dev/ttyS1").map_err(|e| format!("/dev/ttyS1: {e}"))?;
        // SAFETY: all-zero is a valid termios, which tcgetattr overwrites; the descriptor is open.
        unsafe {
            let mut settings: libc::termios = std::mem::zeroed();
            libc::tcgetattr(port.as_raw_fd(), &mut settings);
            libc::cfmakeraw(&mut settings);
            libc::cfsetspeed(&mut settings, libc::B115200);
            libc::tcsetattr(port.as_raw_fd(), libc::TCSANOW, &settings);
        }
        Ok(Port(Arc::new(Mutex::new(port))))
    }

    pub fn report(&self, report: &Report) {
        match serde_json::to_string(report) {
            Ok(line) => self.line(&line),
            Err(error) => self.line(&format!("cannot write a report: {error}")),
        }
    }

    pub fn data(&self, name: &str, value: serde_json::Value) {
        self.report(&Report::Data { name: name.to_owned(), value });
    }

    /// A line that does not come out ends the test on the other side; nothing can be said here.
    fn line(&self, text: &str) {
        if let Ok(mut port) = self.0.lock() {
            let _ = port.write_all(format!("{text}\n").as_bytes());
        }
    }

    /// Waits until everything has been sent.
    fn drain(&self) {
        if let Ok(port) = self.0.lock() {
            // SAFETY: the descriptor is open.
            unsafe { libc::tcdrain(port.as_raw_fd()) };
        }
    }
}
