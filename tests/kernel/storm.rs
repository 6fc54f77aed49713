//! Many processes that exec or open one file over and over, and the count of what came of it; and what renames
//! directories and moves mounts beside them.
//!
//! An exec cannot succeed: ENOEXEC means that the hook let it pass. Counts stand in memory that all processes share.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use crate::guest::{self, errno_name};
use crate::script::{Act, Churn, Displacement, Storm};

/// Index 0 counts successes.
const ERRNOS: usize = 256;
/// A storm of few tries that lasts longer hangs; one of many gets a second more for so many of them.
const LONGEST: Duration = Duration::from_secs(120);
const TRIES_A_SECOND: u64 = 100;
/// Descriptor of a file that is held.
const HELD: i32 = 101;

pub struct Running {
    pids: Vec<u32>,
    shared: &'static Shared,
}

#[repr(C)]
struct Shared {
    stop: std::sync::atomic::AtomicBool,
    counts: [std::sync::atomic::AtomicU64; ERRNOS],
}

use std::sync::atomic::Ordering::Relaxed;

/// Zeroed memory that this process and its children share.
///
/// # Safety
/// All bytes zero are a valid `T`, and only atomics in it are changed.
unsafe fn shared<T>() -> io::Result<&'static T> {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
    // SAFETY: a new anonymous mapping, which is never unmapped.
    let start = unsafe { libc::mmap(std::ptr::null_mut(), size_of::<T>(), protection, flags, -1, 0) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: mapped, page-aligned, and a valid `T` as the caller says.
    Ok(unsafe { &*start.cast() })
}

pub fn start(storm: &Storm) -> io::Result<Running> {
    // SAFETY: atomics only, for which zero is valid.
    let shared = unsafe { shared::<Shared>() }?;
    let file = if storm.held { Some(std::fs::File::open(&storm.path)?) } else { None };
    let mut pids = Vec::new();
    for number in 0..storm.processes {
        pids.push(guest::fork(|| {
            if let Some(file) = &file {
                // SAFETY: the new descriptor is this process's alone.
                unsafe { libc::dup2(file.as_raw_fd(), HELD) };
            }
            rage(storm, number, shared)
        })?);
    }
    Ok(Running { pids, shared })
}

fn rage(storm: &Storm, number: u32, shared: &Shared) -> i32 {
    if let Some(cpu) = storm.cpu {
        // SAFETY: an all-zero set is valid; the call reads it.
        unsafe {
            let mut cpus: libc::cpu_set_t = std::mem::zeroed();
            libc::CPU_SET(cpu as usize, &mut cpus);
            libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &cpus);
        }
    }
    if guest::join_cgroup(&storm.cgroup, 0).is_err() {
        return 1;
    }
    let path = if storm.held { format!("/proc/self/fd/{HELD}") } else { storm.path.clone() };
    let act = Act { path, ..Act::default() };
    for round in 0..storm.tries.unwrap_or(u64::MAX) {
        if shared.stop.load(Relaxed) {
            break;
        }
        if storm.in_new_children {
            let child = format!("{}/child-{number}-{}", storm.cgroup, round % 64);
            if guest::join_cgroup(&child, 0).is_err() {
                return 1;
            }
        }
        let errno =
            match if storm.open { std::fs::File::open(&act.path).map(drop) } else { run(&act, storm.held) } {
                Ok(()) => 0,
                Err(error) => error.raw_os_error().unwrap_or(0),
            };
        if let Some(count) = shared.counts.get(errno as usize) {
            count.fetch_add(1, Relaxed);
        }
    }
    0
}

/// An exec; of a held file by its descriptor alone, as its name would be another file's in the end.
fn run(act: &Act, held: bool) -> io::Result<()> {
    if held {
        let (arguments, environment) =
            ([c"subject".as_ptr(), std::ptr::null()], [std::ptr::null::<libc::c_char>()]);
        // SAFETY: NUL-terminated texts and NULL-terminated vectors that outlive the call.
        unsafe {
            libc::syscall(
                libc::SYS_execveat,
                HELD,
                c"".as_ptr(),
                arguments.as_ptr(),
                environment.as_ptr(),
                libc::AT_EMPTY_PATH,
            )
        };
    } else {
        let _ = guest::exec(act);
    }
    Err(io::Error::last_os_error())
}

impl Running {
    pub fn pids(&self) -> Vec<u32> {
        self.pids.clone()
    }

    /// Lets it go on until `at_least` tries were made, or too long a time has passed, then ends it.
    pub fn join(self, at_least: u64) -> BTreeMap<String, u64> {
        let shared = self.shared;
        let total = || shared.counts.iter().map(|count| count.load(Relaxed)).sum::<u64>();
        let end = Instant::now() + LONGEST + Duration::from_secs(at_least / TRIES_A_SECOND);
        while total() < at_least && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
        shared.stop.store(true, Relaxed);
        for pid in self.pids {
            let _ = guest::wait(pid);
        }
        let seen = shared.counts.iter().enumerate().filter(|(_, count)| count.load(Relaxed) > 0);
        let name = |errno| if errno == 0 { "ok".to_owned() } else { errno_name(errno as i32) };
        seen.map(|(errno, count)| (name(errno), count.load(Relaxed))).collect()
    }
}

/// A process that renames and moves.
pub struct Churning {
    pid: u32,
    stop: &'static std::sync::atomic::AtomicBool,
}

impl Churning {
    pub fn start(churn: &Churn) -> io::Result<Churning> {
        // SAFETY: an atomic, for which zero is valid.
        let stop = unsafe { shared::<std::sync::atomic::AtomicBool>() }?;
        let pid = guest::fork(|| {
            while !stop.load(Relaxed) {
                for displacement in &churn.moves {
                    let done = match displacement {
                        Displacement::Rename(pair) => std::fs::rename(&pair.from, &pair.to),
                        Displacement::Mount(pair) => guest::move_mount(pair),
                    };
                    if let Err(error) = done {
                        eprintln!("{displacement:?}: {error}");
                        return 1;
                    }
                }
            }
            0
        })?;
        Ok(Churning { pid, stop })
    }

    /// Lets the round that is on come to its end; Err: some move was refused.
    pub fn calm(self) -> Result<(), String> {
        self.stop.store(true, Relaxed);
        match guest::wait(self.pid) {
            Ok(Ok(0)) => Ok(()),
            end => Err(format!("a move failed: {end:?}")),
        }
    }
}
