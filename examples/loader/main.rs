//! Loads an artifact into the kernel, tells it which cgroup runs which workload, and prints what happens.
//!
//! `cargo run --example loader -- DIR --workloads FILE [--pin PATH] [--replace] [--strict] [--digest HEX]`
//!
//! This is how an artifact is meant to be used, in its smallest form; it is no agent. It finds no pods by itself:
//! FILE says which cgroup is which container. Standard output: the line `ready`, then one JSON object a line.
//!
//! - SIGTERM and SIGINT detach everything and remove the pins. SIGKILL does neither: what enforces stays, because
//!   it is pinned.
//! - SIGHUP reads FILE again. A workload that cannot be entered is named, and the others are entered; a node region
//!   that has no room for them is replaced by a larger one.
//! - With `--replace` the artifact takes over what an earlier run has pinned, one operation after the other, each in
//!   one step: every event is judged by the old policies or by the new ones. A loader that is replaced sees that by
//!   itself, prints the last events of its policies and ends; of one that was killed, what nobody has read is printed
//!   as mere numbers. Without `--replace`, earlier pins are an error.
//! - An operation that this kernel does not take (a function that is not there, a program that its verifier refuses)
//!   does not keep the others from being loaded. Behind `ready` stands a line for each, with the operation, its policies
//!   and the reason; the counters have their number, and the exit status is 2 instead of 0. What an earlier generation
//!   had in force for the operation stays. With `--strict`, nothing is loaded then.

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
use tetrafold::artifact::digest::Digest;
use tetrafold::artifact::node::{NodeError, Workload};
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
    /// Load nothing if this kernel does not take one of the operations.
    #[arg(long)]
    strict: bool,
    /// The digest that `tetrafold compile` printed; an artifact with another one is refused.
    #[arg(long, value_name = "HEX", value_parser = digest)]
    digest: Option<Digest>,
}

static STOP: AtomicBool = AtomicBool::new(false);
static RELOAD: AtomicBool = AtomicBool::new(false);

/// How often the loader looks for signals and for a successor.
const TICK: Duration = Duration::from_millis(100);

fn digest(text: &str) -> Result<Digest, String> {
    Digest::parse(text).ok_or_else(|| "64 lowercase hexadecimal digits are wanted".to_owned())
}

/// Everything went well, but some operations are not loaded.
const LEFT_OUT: u8 = 2;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    catch_signals();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(LEFT_OUT),
        Err(error) => {
            eprintln!("loader: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every operation was loaded.
fn run(arguments: &Arguments) -> Outcome<bool> {
    let artifact = match arguments.digest {
        Some(digest) => Artifact::open_digest(&arguments.artifact, digest)?,
        None => Artifact::open(&arguments.artifact)?,
    };
    requirements::check(&artifact.manifest)?;
    let (mut workloads, unread) = workloads::read(&arguments.workloads, &artifact.manifest)?;
    let mut pins = Pins::open(&arguments.pin, arguments.replace)?;

    let left = pins.left_ring();
    let strict = arguments.strict;
    let mut generation = Generation::load(&artifact, pins.generation() + 1, &workloads, strict)?;
    if let Err(error) = pins.put_in_force(&artifact, &mut generation, strict) {
        pins.undo();
        return Err(error);
    }
    say("ready");
    say_left_out(&artifact, &generation, &pins);
    let mut region = artifact.manifest.node.bytes as usize;
    said_of_workloads(&generation, &unread, &mut region);
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
            return Ok(generation.left_out.is_empty());
        }
        if RELOAD.swap(false, Ordering::Relaxed) {
            match take_over_workloads(arguments, &artifact, &mut generation, &mut pins) {
                Ok((new, unread)) => {
                    workloads = new;
                    said_of_workloads(&generation, &unread, &mut region);
                }
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
    Ok(generation.left_out.is_empty())
}

/// A line for each operation that this kernel does not take.
fn say_left_out(artifact: &Artifact, generation: &Generation, pins: &Pins) {
    for left in &generation.left_out {
        let Some(operation) = artifact.manifest.operation(left.operation) else { continue };
        let policies = artifact.manifest.policies.iter();
        let policies = policies.filter(|p| p.hooks.iter().any(|hook| hook.operation == left.operation));
        let line = serde_json::json!({
            "notLoaded": operation.name,
            "policies": policies.map(|p| &p.name).collect::<Vec<_>>(),
            "earlierStays": pins.has(&operation.name),
            "why": left.why,
        });
        say(&line.to_string());
        eprintln!("loader: {} is not loaded: {}", operation.name, left.why);
    }
}

/// In place where there is room; else by a new generation, as for a new artifact.
fn take_over_workloads(
    arguments: &Arguments,
    artifact: &Artifact,
    generation: &mut Generation,
    pins: &mut Pins,
) -> Outcome<(Vec<Workload>, Vec<String>)> {
    let (workloads, unread) = workloads::read(&arguments.workloads, &artifact.manifest)?;
    match generation.update(&workloads) {
        Ok(()) => {}
        Err(error) if NodeError::calls_for_new_generation(&error) => {
            let strict = arguments.strict;
            let mut next = Generation::load(artifact, generation.number + 1, &workloads, strict)?;
            pins.put_in_force(artifact, &mut next, strict)?;
            generation.drain();
            *generation = next;
        }
        Err(error) => return Err(error.into()),
    }
    Ok((workloads, unread))
}

/// Names each workload that runs without its own policies, and the region's size when it has grown.
fn said_of_workloads(generation: &Generation, unread: &[String], region: &mut usize) {
    let refused = generation.refused().iter().map(ToString::to_string).chain(unread.iter().cloned());
    for reason in refused {
        eprintln!("loader: workload refused: {reason}");
        say(&serde_json::json!({ "refused": reason }).to_string());
    }
    let bytes = generation.region_bytes();
    if bytes != *region {
        say(&serde_json::json!({ "region": { "compiled": *region, "grown": bytes } }).to_string());
        *region = bytes;
    }
}

/// Prints the counters of what went wrong: when one has changed, and at the end.
fn report(generation: &Generation, pins: &Pins, last: &mut Option<[u64; 6]>, at_the_end: bool) {
    let (failed_tail_calls, recursion_misses) = pins.counters();
    let now = [
        generation.lost(),
        failed_tail_calls,
        recursion_misses,
        pins.missed_kprobes(),
        generation.unsettled(),
        generation.left_out.len() as u64,
    ];
    if at_the_end || (*last != Some(now) && now != [0; 6]) {
        let [lost, failed, missed, kprobes, unsettled, left_out] = now;
        let line = serde_json::json!({
            "lost": lost,
            "failedTailCalls": failed,
            "recursionMisses": missed,
            "missedKprobes": kprobes,
            "unsettledPaths": unsettled,
            "repeatedPaths": generation.repeated(),
            "operationsNotLoaded": left_out,
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
