//! What a case of the kernel tests does inside the virtual machine, step by step, and what must come of it.
//!
//! A case is a directory under `tests/kernel/cases/`:
//!
//! - `steps.yaml`: a [`Script`]; its `shows` line says what the case is for;
//! - `policy.yaml`: the policies that the loader starts with; `policy-NAME.yaml`: others, for `load` steps;
//! - `workloads.yaml`: the loader's workloads file; `workloads-NAME.yaml`: others.
//!
//! To add a case, add a directory: there is no list. A file with another name is an error. The same types go to the
//! guest as JSON. Deliberately missing: conditions, variables, loops; a case reads from top to bottom.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Script {
    pub shows: String,
    /// Boot with `preempt=full`.
    #[serde(default)]
    pub preempt_full: bool,
    /// The kernel's `lsm=` list, where it is not the usual one.
    #[serde(default)]
    pub lsm: Option<String>,
    /// No policies and no loader: what the machine answers by itself.
    #[serde(default)]
    pub no_loader: bool,
    /// Events get lost in this case, and the loader must say so.
    #[serde(default)]
    pub loses: bool,
    /// Events may get lost in this case; how many depends on how tasks interleave.
    #[serde(default)]
    pub may_lose: bool,
    /// More arguments for `tetrafold compile`.
    #[serde(default)]
    pub flags: Vec<String>,
    pub steps: Vec<Step>,
    /// Then, in each of these containers, each step of `each`.
    #[serde(default)]
    pub shapes: Vec<Shape>,
    #[serde(default)]
    pub each: Vec<Step>,
}

/// A container: how its root is made, and how its processes come to have it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Shape {
    pub steps: Vec<Step>,
    /// Its `chroot`, `pivot`, `user-namespace` and private mounts become those of each acting step.
    pub act: Act,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Step {
    /// Starts the loader and waits until it is ready. Where a script has none, it stands at its beginning.
    Load(Load),
    /// Gives the loader another workloads file (by the NAME in `workloads-NAME.yaml`) and SIGHUP.
    Reload(String),
    /// SIGKILL to the loader.
    KillLoader(None_),
    /// SIGSTOP and SIGCONT to the loader, which then reads no events for a while.
    PauseLoader(None_),
    ResumeLoader(None_),
    /// Changes one byte in the middle of a file of an artifact, or of the first file of a folder of it.
    Damage(String),
    /// SIGTERM to the loader; it must end with 0 and leave nothing pinned. Stands at the end of every script.
    Unload(None_),

    /// An executable file that no kernel can run: `execve` gives ENOEXEC if it is allowed.
    File(String),
    /// An executable that exits with 0.
    Program(String),
    /// An executable file of this text.
    Write(Write),
    /// An executable file with what another one holds.
    Copy(Pair),
    Directory(String),
    Symlink(Pair),
    Bind(Pair),
    Tmpfs(String),
    Overlay(Overlay),
    Unlink(String),
    /// Takes a module out of the kernel if it is there.
    RemoveModule(String),
    Rename(Pair),
    /// Makes a cgroup; those of workloads and of `in` are made as needed.
    Cgroup(String),

    /// Starts a process that acts in later steps, by its name.
    Spawn(Spawn),
    /// A named process moves itself to another cgroup.
    Move(Move),

    Exec(Act),
    Open(Act),
    Syscall(Act),
    /// A socket is connected: `path` is `1.2.3.4:80`, `[::1]:80` or a unix socket's, `name` `tcp` or `udp`, the first of `args`
    /// where it is bound before.
    Connect(Act),
    /// A socket is bound to `path`, then listens.
    Listen(Act),
    /// A message is sent to `path`. `name`: `udp`, one byte, the first of `args` as with `connect`, then the socket's mark
    /// and priority; `self`, the same from
    /// a socket bound to `path`, which then receives it; `raw`, the first of `args` is the whole IP packet, in hexadecimal
    /// digits; `pair`, such bytes from one unix socket of a pair to the other.
    Send(Act),
    /// Processes that exec or open the same file again and again, in the background until they are joined.
    Storm(Storm),
    Join(Join),
    /// Renames and moves of mounts, in the background until they are to stop.
    Churn(Churn),
    /// Waits for the end of a churn's round, by its name.
    Calm(String),
    /// So many seconds pass.
    Wait(u64),
}

/// A step without parameters is written `unload: {}`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct None_ {}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Load {
    /// NAME of `policy-NAME.yaml`; empty: `policy.yaml`.
    pub policy: String,
    /// NAME of `workloads-NAME.yaml`; empty: `workloads.yaml`.
    pub workloads: String,
    /// With `--replace`; a loader that is running is told to go when the new one is ready, as a supervisor would.
    pub replace: bool,
    /// With `--strict`.
    pub strict: bool,
    /// Names of the operations that this kernel does not take: the loader says so, counts them, and ends with 2.
    pub lacks: Vec<String>,
    /// The loader must refuse, and its standard error must contain this.
    pub refuses: Option<String>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    pub from: String,
    pub to: String,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Overlay {
    pub lower: String,
    pub at: String,
    /// More mount options.
    #[serde(default)]
    pub options: Option<String>,
    /// Without an upper directory.
    #[serde(default)]
    pub read_only: bool,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Write {
    pub path: String,
    pub text: String,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Spawn {
    pub name: String,
    #[serde(rename = "in")]
    pub cgroup: String,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Move {
    pub process: String,
    pub to: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The file that stands at `path`.
    #[default]
    Path,
    /// A memfd of the name `path`.
    Memfd,
    /// An O_TMPFILE file in the directory `path`.
    Tmpfile,
    /// A file made at `path`, opened, and unlinked.
    Unlinked,
    /// The file at `path` in a mount of `open_tree`, which is attached nowhere.
    Tree,
    /// A file made at `path` in a file system that is then unmounted lazily.
    Unmounted,
    /// The file at `path` in a layer, by way of the layer's directory: fanotify gives a descriptor of it when the
    /// overlay's directory `layer-of` is listed.
    Layer,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// By its path.
    #[default]
    Path,
    /// `execveat` with an empty path and AT_EMPTY_PATH; for `open`, through the descriptor's name.
    EmptyPath,
    /// By `/proc/self/fd/N`.
    ProcFd,
    /// `open` by an io_uring.
    IoUring,
    /// The same with credentials that are not the process's own.
    Borrowed,
}

/// One system call, who makes it, and what must come of it. Without `by` it is a process of its own, born in the
/// root cgroup just before.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Act {
    /// A named process.
    pub by: Option<String>,
    /// Its cgroup, below the root of the hierarchy.
    #[serde(rename = "in")]
    pub cgroup: Option<String>,
    /// In a mount namespace of its own: these bind mounts are made first.
    pub private: Vec<Pair>,
    /// And this overlay.
    pub private_overlay: Option<Overlay>,
    pub chroot: Option<String>,
    /// As a container runtime makes it the root: a private mount namespace, `pivot_root`, the old root unmounted.
    pub pivot: Option<String>,
    /// In a user namespace of its own, whose root is the machine's.
    pub user_namespace: bool,
    /// As the first process of a PID namespace; not `by` a named process.
    pub pid_namespace: bool,
    /// In namespaces of its own, by their names in /proc/self/ns.
    pub unshare: Vec<String>,
    /// In a new thread of the process.
    pub in_thread: bool,
    /// Without these capabilities, by number.
    pub without: Vec<u32>,
    /// Working directory, after the chroot.
    pub dir: Option<String>,

    /// A file that the process has open, as descriptor 100.
    pub opened: Option<String>,
    pub path: String,
    pub file: Origin,
    pub layer_of: Option<String>,
    pub way: Way,
    /// `open`, and the file of `opened`: O_RDWR instead of O_RDONLY.
    pub write: bool,
    /// `syscall`: its name, one of those that `guest::act` knows, and its arguments; `exec`: further arguments.
    pub name: String,
    pub args: Vec<Value>,

    /// `ok`, `ran` (a program ran and ended with 0), an error's name, or a signal's.
    pub expect: String,
    /// Exactly these events, in this order.
    pub events: Option<Vec<ExpectedEvent>>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Value {
    Number(i64),
    Text(String),
    Buffer(Buffer),
    /// Memory that holds these pieces, one behind the other.
    Memory {
        memory: Vec<Piece>,
    },
    /// A text without NUL, up to the end of what the process has mapped.
    Unterminated {
        unterminated: String,
    },
}

/// A piece of memory: a number of 4 bytes, one of 8, a text with zeros behind it, or an address.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Piece {
    Number(i32),
    Long { long: i64 },
    Text { text: String, bytes: usize },
    To { to: Vec<Piece> },
}

/// Memory for so many bytes, all of them 0, that the call may write to.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Buffer {
    pub buffer: usize,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Storm {
    pub name: String,
    #[serde(rename = "in")]
    pub cgroup: String,
    pub path: String,
    pub processes: u32,
    /// All of them on this CPU.
    #[serde(default)]
    pub cpu: Option<u32>,
    /// Ends by itself after so many tries of each process; without, it lasts until it is joined.
    #[serde(default)]
    pub tries: Option<u64>,
    /// Each try is made in a new child cgroup.
    #[serde(default)]
    pub in_new_children: bool,
    /// Opens the file instead of running it.
    #[serde(default)]
    pub open: bool,
    /// The file is opened once, before the storm, and named by its descriptor: it is judged wherever it has moved to.
    #[serde(default)]
    pub held: bool,
}

/// Makes these moves one after the other, again and again. The last one leaves what the first one found.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Churn {
    pub name: String,
    pub moves: Vec<Displacement>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Displacement {
    Rename(Pair),
    /// As `mount --move`.
    Mount(Pair),
}

/// Waits for a storm and judges the outcomes of all its tries.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Join {
    pub storm: String,
    /// Exactly these outcomes are seen, each of them at least once.
    pub sees: Vec<String>,
    /// At least so many tries in all; more with `TETRAFOLD_CALLS=number`.
    #[serde(default)]
    pub at_least: u64,
    /// Every event of its processes names one of these paths; empty: not compared.
    #[serde(default)]
    pub paths: Vec<String>,
}

/// An event line of the loader that a step must cause: each key that is given must stand in it with this value, and so
/// it is with objects inside.
pub type ExpectedEvent = BTreeMap<String, serde_json::Value>;

impl Script {
    /// Writes out what `shapes` and `each` stand for.
    pub fn expand(mut self) -> Script {
        for shape in std::mem::take(&mut self.shapes) {
            self.steps.extend(shape.steps);
            self.steps.extend(self.each.iter().cloned().map(|mut step| {
                if let Step::Exec(act)
                | Step::Open(act)
                | Step::Syscall(act)
                | Step::Connect(act)
                | Step::Listen(act)
                | Step::Send(act) = &mut step
                {
                    act.chroot = shape.act.chroot.clone();
                    act.pivot = shape.act.pivot.clone();
                    act.user_namespace = shape.act.user_namespace;
                    act.private = shape.act.private.clone();
                    act.private_overlay = shape.act.private_overlay.clone();
                }
                step
            }));
        }
        self.each.clear();
        self
    }
}

impl Step {
    /// What the step does, if it is one that acts.
    pub fn act(&self) -> Option<&Act> {
        match self {
            Step::Exec(act)
            | Step::Open(act)
            | Step::Syscall(act)
            | Step::Connect(act)
            | Step::Listen(act)
            | Step::Send(act) => Some(act),
            Step::Load(_)
            | Step::Reload(_)
            | Step::KillLoader(_)
            | Step::PauseLoader(_)
            | Step::ResumeLoader(_)
            | Step::Damage(_)
            | Step::Unload(_)
            | Step::File(_)
            | Step::Program(_)
            | Step::Write(_)
            | Step::Copy(_)
            | Step::Directory(_)
            | Step::Symlink(_)
            | Step::Bind(_)
            | Step::Tmpfs(_)
            | Step::Overlay(_)
            | Step::Unlink(_)
            | Step::RemoveModule(_)
            | Step::Rename(_)
            | Step::Cgroup(_)
            | Step::Spawn(_)
            | Step::Move(_)
            | Step::Storm(_)
            | Step::Join(_)
            | Step::Churn(_)
            | Step::Calm(_)
            | Step::Wait(_) => None,
        }
    }

    /// Outcome and events that the step demands, if it is one that acts.
    pub fn expectation(&self) -> Option<(&str, Option<&[ExpectedEvent]>)> {
        self.act().map(|act| (&*act.expect, act.events.as_deref()))
    }
}

/// One line from the guest.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Report {
    /// A case begins.
    Begin {
        case: usize,
    },
    /// An acting step was taken: ENOEXEC and the like, `ok`, `ran`, or a signal's name.
    Acted {
        step: usize,
        pid: u32,
        outcome: String,
    },
    /// A storm was joined: how often each outcome was seen.
    Joined {
        step: usize,
        counts: BTreeMap<String, u64>,
        pids: Vec<u32>,
    },
    /// The loader wrote a line on standard output, or on standard error.
    Loader {
        line: String,
    },
    LoaderError {
        line: String,
    },
    /// A step could not be taken, or went wrong in a way that has no outcome.
    Failed {
        step: usize,
        why: String,
    },
    /// The case is over; what it left has been removed.
    End {
        case: usize,
    },
    /// Free data of special guests (measurements, load tests).
    Data {
        name: String,
        value: serde_json::Value,
    },
}

/// What the guest is to do; stands in the initramfs as `/task.json`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Task {
    /// Cases stand under `/cases/<number>/`.
    Cases { cases: Vec<(usize, Script)> },
    /// Objects are loaded by other loaders; see `load`.
    Load { objects: Vec<crate::load::Object> },
    /// What the machine tells of itself; see `facts`.
    Facts,
    /// Whole policy sets; see `sets`.
    Sets { sets: Vec<crate::sets::Set> },
    /// Raw records; see `bytes`.
    Bytes(crate::sets::Set),
    /// Instruction counts; see `measure`.
    Measure(crate::measure::Plan),
}
