//! Takes the steps of scripts, one after the other, and tidies up behind each.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use super::Port;
use super::act;
use super::loader::{Loader, PINS};
use super::process::{Named, Shared, fork, kill, signal_name, wait};
use super::surroundings::{self as around, Mounts, NO_PROGRAM};
use crate::script::{Join, Load, Move, Report, Script, Spawn, Step, Storm};
use crate::storm;

pub fn run_all(port: &Port, cases: &[(usize, Script)]) {
    if let Err(why) = super::net::loopback_up() {
        port.report(&Report::Failed { step: 0, why: format!("loopback: {why}") });
    }
    let files = around::Files::now();
    for (case, script) in cases {
        port.report(&Report::Begin { case: *case });
        let mut stage = Stage::new(port, *case);
        stage.play(script);
        stage.clear(script.steps.len());
        let restored = files
            .as_ref()
            .map_err(ToString::to_string)
            .and_then(|files| files.restore().map_err(|e| format!("removing its files: {e}")));
        if let Err(why) = restored {
            port.report(&Report::Failed { step: script.steps.len(), why });
        }
        port.report(&Report::End { case: *case });
    }
}

/// What a running case has around it.
struct Stage<'a> {
    port: &'a Port,
    directory: String,
    loader: Option<Loader>,
    /// Its exit status, if all goes well.
    ends_with: i32,
    named: BTreeMap<String, Named>,
    storms: BTreeMap<String, storm::Running>,
    churns: BTreeMap<String, storm::Churning>,
    mounts: Mounts,
}

impl<'a> Stage<'a> {
    fn new(port: &'a Port, case: usize) -> Stage<'a> {
        Stage {
            port,
            directory: format!("/cases/{case}"),
            loader: None,
            ends_with: 0,
            named: BTreeMap::new(),
            storms: BTreeMap::new(),
            churns: BTreeMap::new(),
            mounts: Mounts::default(),
        }
    }

    fn play(&mut self, script: &Script) {
        let loads_itself = script.steps.iter().any(|step| matches!(step, Step::Load(_)));
        if !script.no_loader
            && !loads_itself
            && let Err(why) = self.load(&Load::default())
        {
            return self.port.report(&Report::Failed { step: 0, why });
        }
        for (number, step) in script.steps.iter().enumerate() {
            if let Err(why) = self.take(number, step) {
                self.port.report(&Report::Failed { step: number, why });
                break;
            }
        }
    }

    fn take(&mut self, number: usize, step: &Step) -> Result<(), String> {
        let plain = |result: std::io::Result<()>| result.map_err(|e| e.to_string());
        match step {
            Step::Load(load) => self.load(load),
            Step::Reload(workloads) => self.reload(workloads),
            Step::KillLoader(_) => self.kill_loader(),
            Step::PauseLoader(_) => self.signal_loader(libc::SIGSTOP),
            Step::ResumeLoader(_) => self.signal_loader(libc::SIGCONT),
            Step::Damage(path) => plain(damage(Path::new(&format!("{}/{path}", self.directory)))),
            Step::Unload(_) => self.unload(),
            Step::File(path) => plain(around::executable(path, NO_PROGRAM)),
            Step::Program(path) => plain(around::executable(path, &around::smallest_program())),
            Step::Write(write) => plain(around::executable(&write.path, write.text.as_bytes())),
            Step::Copy(pair) => plain(fs::read(&pair.from).and_then(|b| around::executable(&pair.to, &b))),
            Step::Directory(path) => plain(around::directory(path)),
            Step::Symlink(pair) => plain(around::symlink(pair)),
            Step::Bind(pair) => plain(self.mounts.bind(pair)),
            Step::Tmpfs(at) => plain(self.mounts.tmpfs(at)),
            Step::Overlay(overlay) => plain(self.mounts.overlay(overlay)),
            Step::Unlink(path) => plain(fs::remove_file(path)),
            Step::RemoveModule(name) => plain(around::remove_module(name)),
            Step::Rename(pair) => plain(fs::rename(&pair.from, &pair.to)),
            Step::Cgroup(path) => plain(around::cgroup(path).map(drop)),
            Step::Spawn(spawn) => self.spawn(spawn),
            Step::Move(to) => self.move_process(to),
            Step::Exec(act)
            | Step::Open(act)
            | Step::Syscall(act)
            | Step::Connect(act)
            | Step::Listen(act)
            | Step::Send(act) => match &act.by {
                Some(name) => self.act_by(number, name, step),
                None => self.act_alone(number, step),
            },
            Step::Storm(storm) => self.start_storm(storm),
            Step::Join(join) => self.join(number, join),
            Step::Churn(churn) => {
                let churning = storm::Churning::start(churn).map_err(|e| e.to_string())?;
                self.churns.insert(churn.name.clone(), churning);
                Ok(())
            }
            Step::Wait(seconds) => {
                std::thread::sleep(std::time::Duration::from_secs(*seconds));
                Ok(())
            }
            Step::Calm(name) => self.churns.remove(name).ok_or_else(|| format!("no churn {name}"))?.calm(),
        }
    }

    fn load(&mut self, load: &Load) -> Result<(), String> {
        let named = |stem: &str, name: &str| match name {
            "" => stem.to_owned(),
            name => format!("{stem}-{name}"),
        };
        let artifact = format!("{}/{}", self.directory, named("policy", &load.policy));
        let workloads = self.use_workloads(&named("workloads", &load.workloads))?;
        let options = [(load.replace, "--replace"), (load.strict, "--strict")];
        let options: Vec<&str> =
            options.iter().filter(|(wanted, _)| *wanted).map(|(_, name)| *name).collect();
        let mut new = Loader::start(self.port, &artifact, &workloads, &options)?;
        let ready = new.wait_for(|line| line == "ready").and_then(|()| {
            let said = |name: &String| format!("\"notLoaded\":\"{name}\"");
            load.lacks.iter().try_for_each(|name| new.wait_for(|line| line.contains(&said(name))))
        });
        if let Some(reason) = &load.refuses {
            if ready.is_ok() {
                self.loader = Some(new);
                return Err("the loader did not refuse".to_owned());
            }
            let (status, words) = new.end()?;
            if status.success() || !words.contains(reason) {
                return Err(format!("refused with {status}: {words}"));
            }
            return Ok(());
        }
        if let Err(why) = ready {
            let (status, words) = new.end()?;
            return Err(format!("{why} ({status}): {words}"));
        }
        if let Some(old) = self.loader.replace(new) {
            // It sees that it was replaced, and goes by itself without detaching anything.
            let (status, words) = old.end()?;
            if status.code() != Some(self.ends_with) {
                return Err(format!("the replaced loader: {status}: {words}"));
            }
        }
        self.ends_with = if load.lacks.is_empty() { 0 } else { 2 };
        Ok(())
    }

    /// Makes the cgroups that the file names and puts it where the loader reads it.
    fn use_workloads(&self, name: &str) -> Result<String, String> {
        let from = format!("{}/{name}.yaml", self.directory);
        let text = fs::read_to_string(&from).map_err(|e| format!("{from}: {e}"))?;
        for line in text.lines() {
            if let Some((_, path)) = line.split_once("cgroup:") {
                let path = path.split([',', '}']).next().unwrap_or("").trim().trim_matches('"');
                around::cgroup(path.trim_start_matches(around::CGROUPS))
                    .map_err(|e| format!("{path}: {e}"))?;
            }
        }
        let to = format!("{}/workloads.current", self.directory);
        fs::write(&to, text).map_err(|e| format!("{to}: {e}"))?;
        Ok(to)
    }

    fn reload(&mut self, name: &str) -> Result<(), String> {
        self.use_workloads(&format!("workloads-{name}"))?;
        let loader = self.loader.as_mut().ok_or("no loader runs")?;
        loader.signal(libc::SIGHUP);
        loader.wait_for(|line| line.contains("\"reloaded\""))
    }

    fn kill_loader(&mut self) -> Result<(), String> {
        let loader = self.loader.take().ok_or("no loader runs")?;
        // What happened so far is to be printed first: a script expects those events.
        std::thread::sleep(Duration::from_secs(2));
        loader.signal(libc::SIGKILL);
        loader.end().map(drop)
    }

    fn signal_loader(&self, signal: i32) -> Result<(), String> {
        self.loader.as_ref().ok_or("no loader runs")?.signal(signal);
        Ok(())
    }

    fn unload(&mut self) -> Result<(), String> {
        let loader = self.loader.take().ok_or("no loader runs")?;
        loader.signal(libc::SIGTERM);
        let (status, words) = loader.end()?;
        if status.code() != Some(self.ends_with) {
            return Err(format!("at SIGTERM the loader ended with {status}: {words}"));
        }
        let left: Vec<_> =
            fs::read_dir(PINS).into_iter().flatten().flatten().map(|pin| pin.file_name()).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("the loader left pinned: {left:?}")) }
    }

    fn spawn(&mut self, spawn: &Spawn) -> Result<(), String> {
        around::cgroup(&spawn.cgroup).map_err(|e| e.to_string())?;
        let process = Named::start(|command| match serde_json::from_str::<Result<Step, String>>(command) {
            Ok(Ok(step)) => act::take(&step).unwrap_or_else(|why| format!("!{why}")),
            Ok(Err(cgroup)) => match around::join_cgroup(&cgroup, 0) {
                Ok(()) => "ok".to_owned(),
                Err(error) => format!("!{error}"),
            },
            Err(error) => format!("!{error}"),
        });
        let process = process.map_err(|e| e.to_string())?;
        around::join_cgroup(&spawn.cgroup, process.pid).map_err(|e| e.to_string())?;
        self.named.insert(spawn.name.clone(), process);
        Ok(())
    }

    fn ask(&mut self, name: &str, command: &Result<Step, String>) -> Result<(u32, Option<String>), String> {
        let process = self.named.get_mut(name).ok_or_else(|| format!("no process {name}"))?;
        let command = serde_json::to_string(command).map_err(|e| e.to_string())?;
        let answer = process.ask(&command).map_err(|e| e.to_string())?;
        Ok((process.pid, answer))
    }

    fn move_process(&mut self, to: &Move) -> Result<(), String> {
        match self.ask(&to.process, &Err(to.to.clone()))? {
            (_, Some(answer)) if answer == "ok" => Ok(()),
            (_, answer) => Err(format!("{answer:?}")),
        }
    }

    fn act_by(&mut self, step: usize, name: &str, what: &Step) -> Result<(), String> {
        let (pid, answer) = self.ask(name, &Ok(what.clone()))?;
        let outcome = match answer {
            Some(answer) => answer,
            None => {
                self.named.remove(name);
                ended(pid)?
            }
        };
        self.acted(step, pid, outcome)
    }

    fn act_alone(&mut self, step: usize, what: &Step) -> Result<(), String> {
        let (pid, outcome) = act_alone(what)?;
        self.acted(step, pid, outcome)
    }

    fn acted(&self, step: usize, pid: u32, outcome: String) -> Result<(), String> {
        match outcome.strip_prefix('!') {
            Some(why) => Err(why.to_owned()),
            None => {
                self.port.report(&Report::Acted { step, pid, outcome });
                Ok(())
            }
        }
    }

    fn start_storm(&mut self, storm: &Storm) -> Result<(), String> {
        let running = storm::start(storm).map_err(|e| e.to_string())?;
        self.storms.insert(storm.name.clone(), running);
        Ok(())
    }

    fn join(&mut self, step: usize, join: &Join) -> Result<(), String> {
        let running = self.storms.remove(&join.storm).ok_or_else(|| format!("no storm {}", join.storm))?;
        let pids = running.pids();
        let counts = running.join(join.at_least);
        self.port.report(&Report::Joined { step, counts, pids });
        Ok(())
    }

    /// Leaves the machine as it was, whatever the case did; what goes wrong counts as a failure of its last step.
    fn clear(&mut self, step: usize) {
        for running in std::mem::take(&mut self.storms).into_values() {
            running.join(0);
        }
        let mut failed = Vec::new();
        for churning in std::mem::take(&mut self.churns).into_values() {
            failed.extend(churning.calm().err());
        }
        if self.loader.is_some() {
            failed.extend(self.unload().err());
        }
        for process in std::mem::take(&mut self.named).into_values() {
            kill(process.pid, libc::SIGKILL);
            let _ = wait(process.pid);
        }
        self.mounts.undo();
        if Path::new(PINS).exists() {
            failed.extend(remove_pins(Path::new(PINS)).err().map(|e| format!("{PINS}: {e}")));
        }
        failed.extend(around::remove_cgroups().err().map(|e| format!("cgroups: {e}")));
        for why in failed {
            self.port.report(&Report::Failed { step, why });
        }
    }
}

fn remove_pins(directory: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() { remove_pins(&path)? } else { fs::remove_file(&path)? }
    }
    fs::remove_dir(directory)
}

fn damage(path: &Path) -> std::io::Result<()> {
    if path.is_dir() {
        return match fs::read_dir(path)?.next() {
            Some(file) => damage(&file?.path()),
            None => Err(std::io::ErrorKind::NotFound.into()),
        };
    }
    let mut bytes = fs::read(path)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes)
}

/// How a process ended that said nothing: killed, or turned into a program that ran.
fn ended(pid: u32) -> Result<String, String> {
    Ok(match wait(pid).map_err(|e| e.to_string())? {
        Ok(0) => "ran".to_owned(),
        Ok(code) => format!("exit {code}"),
        Err(signal) => signal_name(signal),
    })
}

/// What `born` forks is the first process of a PID namespace.
fn in_pid_namespace(born: impl FnOnce() -> std::io::Result<u32>) -> std::io::Result<u32> {
    let own = fs::File::open("/proc/self/ns/pid")?;
    let enter = |result: i32| if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) };
    // SAFETY: takes no pointers.
    enter(unsafe { libc::unshare(libc::CLONE_NEWPID) })?;
    let pid = born();
    // SAFETY: the descriptor is open.
    enter(unsafe { libc::setns(std::os::fd::AsRawFd::as_raw_fd(&own), libc::CLONE_NEWPID) })?;
    pid
}

/// Takes an acting step in a process of its own; its id and the outcome.
pub fn act_alone(what: &Step) -> Result<(u32, String), String> {
    let mut answer = Shared::new().map_err(|e| e.to_string())?;
    let mut born = || {
        fork(|| {
            answer.set(&act::take(what).unwrap_or_else(|why| format!("!{why}")));
            0
        })
    };
    let pid = if what.act().is_some_and(|act| act.pid_namespace) { in_pid_namespace(born) } else { born() };
    let pid = pid.map_err(|e| e.to_string())?;
    let end = ended(pid)?;
    Ok((pid, answer.get().unwrap_or(end)))
}
