//! Boots a Debian kernel in QEMU with a given initramfs and hands over, line by line, what the guest says.
//!
//! The kernel's own messages go to the first serial port and are kept for the report of a failure; the second one
//! carries the guest's lines and nothing else. Emulation is in software, so that no machine is ruled out;
//! `TETRAFOLD_KVM=1` takes the host's CPU instead (instruction counts then mean nothing and are refused).
//! Assumes that `tests/setup.sh` ran: a missing kernel or emulator is an error that says so, never a skip.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::initramfs::Initramfs;

/// The kernel series that everything is tested on.
pub const SERIES: [&str; 2] = ["6.1", "6.12"];

/// How the guest says that it is done; its absence means that it crashed.
pub const FAREWELL: &str = "guest: done";

#[derive(Clone, Debug)]
pub struct Boot {
    pub series: &'static str,
    pub cpus: u32,
    pub memory_mib: u32,
    /// `preempt=full`: tasks are preempted inside programs.
    pub preempt_full: bool,
    /// One guest instruction is one nanosecond, on one CPU: what `run_time_ns` then counts are instructions.
    pub icount: bool,
    pub lsm: &'static str,
    pub timeout: Duration,
}

impl Boot {
    pub fn new(series: &'static str) -> Boot {
        Boot {
            series,
            cpus: 2,
            memory_mib: 1024,
            preempt_full: false,
            icount: false,
            lsm: "lockdown,capability,bpf",
            timeout: Duration::from_secs(2400),
        }
    }

    /// `no_timer_check`: on a busy host an emulated timer is late, which the kernel would take for a broken one.
    fn command_line(&self) -> String {
        let preempt = if self.preempt_full { " preempt=full" } else { "" };
        format!(
            "console=ttyS0 quiet loglevel=4 panic=-1 no_timer_check rdinit=/init lsm={}{preempt}",
            self.lsm
        )
    }
}

/// What came of a boot.
pub struct Ended {
    /// The guest said that it was done; otherwise why it did not.
    pub result: Result<(), String>,
    pub seconds: f64,
}

/// Where `tests/setup.sh` puts the kernels.
pub fn kernel_dir(series: &str) -> PathBuf {
    let target = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => PathBuf::from(dir),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("target"),
    };
    target.join("kernels").join(series)
}

/// Runs the guest to its end and gives each of its lines to `on_line` as it comes.
///
/// A kernel that dies before its first process says anything is booted once more: while it patches its own code at
/// boot, an emulated processor now and then meets a breakpoint that another one has just taken away.
pub fn run(boot: &Boot, initramfs: &Initramfs, mut on_line: impl FnMut(&str)) -> Ended {
    let start = Instant::now();
    let mut said = false;
    let mut listen = |line: &str| {
        said = true;
        on_line(line);
    };
    let mut result = run_inner(boot, initramfs, &mut listen);
    if let Err(why) = &result
        && !said
    {
        eprintln!("{why}\nkernel {}: booted once more", boot.series);
        result = run_inner(boot, initramfs, &mut on_line);
    }
    Ended { result, seconds: start.elapsed().as_secs_f64() }
}

fn run_inner(boot: &Boot, initramfs: &Initramfs, on_line: &mut dyn FnMut(&str)) -> Result<(), String> {
    let scratch = tempfile::tempdir().map_err(|e| e.to_string())?;
    let archive = scratch.path().join("initramfs.cpio");
    let console = scratch.path().join("console");
    std::fs::write(&archive, initramfs.to_cpio()).map_err(|e| e.to_string())?;
    let mut child = qemu(boot, &archive, &console)?;
    let outcome = follow(boot, &mut child, on_line);
    // The machine has switched itself off, or has to be switched off.
    let _ = child.kill();
    let _ = child.wait();
    outcome.map_err(|why| {
        let mut stderr = String::new();
        if let Some(mut pipe) = child.stderr.take() {
            let _ = pipe.read_to_string(&mut stderr);
        }
        let console = String::from_utf8_lossy(&std::fs::read(&console).unwrap_or_default()).replace('\r', "");
        let tail: Vec<&str> = console.lines().rev().take(60).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        format!("kernel {}: {why}\n{stderr}--- console\n{}", boot.series, tail.join("\n"))
    })
}

fn qemu(boot: &Boot, archive: &Path, console: &Path) -> Result<Child, String> {
    let kernel = kernel_dir(boot.series).join("vmlinuz");
    if !kernel.exists() {
        return Err(format!("{} is missing: run tests/setup.sh", kernel.display()));
    }
    let kvm = std::env::var_os("TETRAFOLD_KVM").is_some_and(|value| value == "1");
    let mut command = Command::new("qemu-system-x86_64");
    command.args(["-machine", "q35", "-nodefaults", "-no-reboot", "-display", "none"]);
    if boot.icount {
        command.args(["-cpu", "max,la57=off", "-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off"]);
        command.args(["-smp", "1"]);
    } else if kvm {
        command.args(["-cpu", "host", "-accel", "kvm", "-smp", &boot.cpus.to_string()]);
    } else {
        command.args(["-cpu", "max,la57=off", "-accel", "tcg,thread=multi", "-smp", &boot.cpus.to_string()]);
    }
    command.args(["-m", &boot.memory_mib.to_string()]);
    command.arg("-serial").arg(format!("file:{}", console.display())).args(["-serial", "stdio"]);
    command.arg("-kernel").arg(kernel).arg("-initrd").arg(archive).args(["-append", &boot.command_line()]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().map_err(|e| format!("qemu-system-x86_64: {e} (run tests/setup.sh)"))
}

/// Reads lines until the guest takes its leave, the port closes or the time is up.
fn follow(boot: &Boot, child: &mut Child, on_line: &mut dyn FnMut(&str)) -> Result<(), String> {
    let stdout = child.stdout.take().ok_or("no pipe from the emulator")?;
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stdout);
        let mut line = Vec::new();
        while let Ok(1..) = reader.read_until(b'\n', &mut line) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            if sender.send(text).is_err() {
                break;
            }
        }
    });
    let end = Instant::now() + boot.timeout;
    loop {
        match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) if line == FAREWELL => return Ok(()),
            Ok(line) => on_line(&line),
            Err(mpsc::RecvTimeoutError::Timeout) => return Err(format!("no end after {:?}", boot.timeout)),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Err("the machine stopped before its work was done".into());
            }
        }
    }
}
