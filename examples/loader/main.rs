//! Loads an artifact into the kernel, tells it which cgroup runs which workload, and prints what happens.
//!
//! `cargo run --example loader -- DIR --workloads FILE [--pin PATH] [--replace]`
//!
//! This is how an artifact is meant to be used, in its smallest form; it is no agent. It finds no pods by itself:
//! FILE says which cgroup is which container. Standard output: the line `ready`, then one JSON object a line.
//!
//! - SIGTERM and SIGINT detach everything and remove the pins. SIGKILL does neither: what enforces stays, because
//!   it is pinned.
//! - SIGHUP reads FILE again.
//! - With `--replace` the artifact takes over what an earlier run has pinned, one operation after the other, each in
//!   one step: every event is judged by the old policies or by the new ones. A loader that is replaced sees that by
//!   itself, prints the last events of its policies and ends; of one that was killed, what nobody has read is printed
//!   as mere numbers. Without `--replace`, earlier pins are an error.

mod events;
mod generation;
mod pins;
mod requirements;
mod workloads;

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Parser;
use tetrafold::artifact::node::NodeError;
use tetrafold::artifact::read::Artifact;

use generation::Generation;
use pins::Pins;

type Outcome<T> = Result<T, Box<dyn Error>>;

#[derive(Parser)]
#[command(about = "Loads a tetrafold artifact and prints its events")]
struct Arguments {
    /// The folder that `tetrafold compile -o` wrote.
    artifact: PathBuf,
    /// YAML: `workloads: [{cgroup: PATH, namespace: NS, pod: NAME, labels: {..}, container: NAME, repo: IMAGE}]`.
    #[arg(long)]
    workloads: PathBuf,
    /// Folder for pins, in a bpf file system.
    #[arg(long, default_value = "/sys/fs/bpf/tetrafold")]
    pin: PathBuf,
    /// Take over what an earlier run has pinned.
    #[arg(long)]
    replace: bool,
}

static STOP: AtomicBool = AtomicBool::new(false);
static RELOAD: AtomicBool = AtomicBool::new(false);

/// How often the loader looks for signals and for a successor.
const TICK: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    catch_signals();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("loader: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Outcome<()> {
    let artifact = Artifact::open(&arguments.artifact)?;
    requirements::check(&artifact.manifest)?;
    let mut workloads = workloads::read(&arguments.workloads, &artifact.manifest)?;
    let mut pins = Pins::open(&arguments.pin, arguments.replace)?;

    let left = pins.left_ring();
    let mut generation = Generation::load(&artifact, pins.generation() + 1, &workloads)?;
    if let Err(error) = pins.put_in_force(&artifact, &generation) {
        pins.undo();
        return Err(error);
    }
    say("ready");
    if let Some(ring) = left {
        std::thread::sleep(TICK);
        generation::printed(&ring, &artifact, generation.number)?.consume()?;
    }
    let mut reported = None;
    loop {
        generation.print_events(TICK);
        pins.are_alone();
        if STOP.load(Ordering::Relaxed) {
            break;
        }
        if !pins.are_ours(&generation) {
            // A successor has taken over; what it judges is its to print.
            generation.drain();
            report(&generation, &pins, &mut reported, true);
            pins.leave();
            return Ok(());
        }
        if RELOAD.swap(false, Ordering::Relaxed) {
            match take_over_workloads(arguments, &artifact, &mut generation, &mut pins) {
                Ok(new) => workloads = new,
                // The old list stays in force; a typing error must not switch policies off.
                Err(error) => eprintln!("loader: workloads not taken over: {error}"),
            }
            say(&serde_json::json!({ "reloaded": workloads.len() }).to_string());
        }
        report(&generation, &pins, &mut reported, false);
    }
    pins.remove()?;
    generation.drain();
    report(&generation, &pins, &mut reported, true);
    Ok(())
}

/// In place where there is room; else by a new generation, as for a new artifact.
fn take_over_workloads(
    arguments: &Arguments,
    artifact: &Artifact,
    generation: &mut Generation,
    pins: &mut Pins,
) -> Outcome<Vec<tetrafold::artifact::node::Workload>> {
    let workloads = workloads::read(&arguments.workloads, &artifact.manifest)?;
    match generation.update(&workloads) {
        Ok(()) => {}
        Err(error) if NodeError::calls_for_new_generation(&error) => {
            let next = Generation::load(artifact, generation.number + 1, &workloads)?;
            pins.put_in_force(artifact, &next)?;
            generation.drain();
            *generation = next;
        }
        Err(error) => return Err(error.into()),
    }
    Ok(workloads)
}

/// Prints the counters of what went wrong: when one has changed, and at the end.
fn report(generation: &Generation, pins: &Pins, last: &mut Option<[u64; 5]>, at_the_end: bool) {
    let (failed_tail_calls, recursion_misses) = pins.counters();
    let now = [
        generation.lost(),
        failed_tail_calls,
        recursion_misses,
        pins.missed_kprobes(),
        generation.unsettled(),
    ];
    if at_the_end || (*last != Some(now) && now != [0; 5]) {
        let [lost, failed, missed, kprobes, unsettled] = now;
        let line = serde_json::json!({
            "lost": lost,
            "failedTailCalls": failed,
            "recursionMisses": missed,
            "missedKprobes": kprobes,
            "unsettledPaths": unsettled,
            "repeatedPaths": generation.repeated(),
        });
        say(&line.to_string());
        *last = Some(now);
    }
}

/// One line on standard output. A reader that has gone away must not stop enforcement.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn catch_signals() {
    extern "C" fn stop(_: libc::c_int) {
        STOP.store(true, Ordering::Relaxed);
    }
    extern "C" fn reload(_: libc::c_int) {
        RELOAD.store(true, Ordering::Relaxed);
    }
    let (stop, reload) = (stop as extern "C" fn(libc::c_int), reload as extern "C" fn(libc::c_int));
    for (signal, handler) in [(libc::SIGTERM, stop), (libc::SIGINT, stop), (libc::SIGHUP, reload)] {
        // SAFETY: the handlers only store to an atomic.
        unsafe { libc::signal(signal, handler as libc::sighandler_t) };
    }
}
