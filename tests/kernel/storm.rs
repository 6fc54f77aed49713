//! Many processes that exec one file over and over, and the count of what came of it.
//!
//! Each try is a call that cannot succeed: ENOEXEC means that the hook let it pass. Counts stand in memory that all
//! processes share, one row each, so that nothing is synchronised between them.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use crate::guest::{self, errno_name};
use crate::script::{Act, Storm};

const ERRNOS: usize = 256;
const LONGEST: Duration = Duration::from_secs(120);

pub struct Running {
    pids: Vec<u32>,
    shared: *mut Shared,
}

#[repr(C)]
struct Shared {
    stop: std::sync::atomic::AtomicBool,
    counts: [std::sync::atomic::AtomicU64; ERRNOS],
}

use std::sync::atomic::Ordering::Relaxed;

pub fn start(storm: &Storm) -> io::Result<Running> {
    // SAFETY: a new anonymous mapping, zeroed, which is a valid Shared; it is never unmapped.
    let shared = unsafe {
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        libc::mmap(std::ptr::null_mut(), size_of::<Shared>(), protection, flags, -1, 0)
    };
    if shared == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    let shared: *mut Shared = shared.cast();
    let mut pids = Vec::new();
    for number in 0..storm.processes {
        // SAFETY: mapped above, and only atomics are touched.
        let shared = unsafe { &*shared };
        pids.push(guest::fork(|| rage(storm, number, shared))?);
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
    let act = Act { path: storm.path.clone(), ..Act::default() };
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
        let _ = guest::exec(&act);
        let errno = io::Error::last_os_error().raw_os_error().unwrap_or(0);
        if let Some(count) = shared.counts.get(errno as usize) {
            count.fetch_add(1, Relaxed);
        }
    }
    0
}

impl Running {
    /// Lets it go on until `at_least` tries were made, or too long a time has passed, then ends it.
    pub fn join(self, at_least: u64) -> BTreeMap<String, u64> {
        // SAFETY: mapped for as long as this process lives, and only atomics are touched.
        let shared = unsafe { &*self.shared };
        let total = || shared.counts.iter().map(|count| count.load(Relaxed)).sum::<u64>();
        let end = Instant::now() + LONGEST;
        while total() < at_least && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
        shared.stop.store(true, Relaxed);
        for pid in self.pids {
            let _ = guest::wait(pid);
        }
        let seen = shared.counts.iter().enumerate().filter(|(_, count)| count.load(Relaxed) > 0);
        seen.map(|(errno, count)| (errno_name(errno as i32), count.load(Relaxed))).collect()
    }
}
