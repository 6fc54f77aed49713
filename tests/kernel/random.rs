//! Random policies and events that a guest can perform: execs, opens and truncations of files by path, system calls
//! with integers, sockets. The interpreter says on the host what must come of each; the seed is printed, and
//! `TETRAFOLD_SEED` repeats a run.

use std::collections::BTreeMap;
use std::fmt::Write;

use tetrafold::diag::Diagnostics;
use tetrafold::driver::{self, Input};
use tetrafold::fold::ir::{Attach, AttachKind};
use tetrafold::interp::{self, Event, Value, Verdict, Workload};
use tetrafold::policy::PolicySet;
use tetrafold::policy::phases::ResolveOptions;
use tetrafold::source::Sources;
use tetrafold::vocab::Vocabulary as _;
use tetrafold::vocab::arg_type::ArgType;

use crate::case;
use crate::conditions::{Pools, condition, integers};
use crate::generate::Random;
use crate::guest::errno_name;
use crate::script::{self, Act, Step};
use crate::sets;

const SETS: u64 = 6;
const EVENTS: usize = 200;

/// Near misses of each other on purpose.
const PATHS: [&str; 14] = [
    "/r/bin/cat",
    "/r/bin/cats",
    "/r/bin/ca",
    "/r/sbin/cat",
    "/r/bin/dir/cat",
    "/r/etc/a.conf",
    "/r/etc/b.conf",
    "/r/etc/b.config",
    "/r/1234567",
    "/r/12345678",
    "/r/123456789",
    "/r/x/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/y",
    "/r/x/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab/y",
    "/s/bin/cat",
];
const PREFIXES: [&str; 6] = ["/r", "/r/bin/", "/r/bin/cat", "/r/etc/b", "/s/", "/r/1234567"];
const POSTFIXES: [&str; 6] = ["cat", "/cat", ".conf", "/y", "9", "bin/cat"];
const APPS: [&str; 3] = ["shop", "db", "web"];
const NAMESPACES: [&str; 2] = ["default", "prod"];

struct Hook {
    yaml: &'static str,
    args: &'static [(u32, &'static str)],
    /// Of an error that can be returned instead.
    overrides: bool,
}

/// Kinds of hooks that one policy may have, as its sections name them.
const SECTIONS: [(&str, &[Hook]); 2] = [
    (
        "lsmhooks",
        &[
            Hook { yaml: "hook: bprm_check_security", args: &[(0, "linux_binprm")], overrides: true },
            Hook { yaml: "hook: file_open", args: &[(0, "file")], overrides: true },
            Hook { yaml: "hook: path_truncate", args: &[(0, "path")], overrides: true },
        ],
    ),
    (
        "kprobes",
        &[
            Hook {
                yaml: "call: sys_lseek\n    syscall: true",
                args: &[(2, "uint32"), (1, "int64"), (0, "int")],
                overrides: false,
            },
            Hook {
                yaml: "call: sys_truncate\n    syscall: true",
                args: &[(0, "string"), (1, "size_t")],
                overrides: false,
            },
            Hook {
                yaml: "call: security_path_truncate\n    syscall: false",
                args: &[(0, "path")],
                overrides: true,
            },
            Hook {
                yaml: "call: security_socket_create\n    syscall: false",
                args: &[(0, "int32"), (2, "uint8"), (1, "int")],
                overrides: true,
            },
            // No LSM hook means the same: an fmod_ret program.
            Hook {
                yaml: "call: security_task_prctl\n    syscall: false",
                args: &[(0, "int"), (1, "uint64"), (2, "int8")],
                overrides: true,
            },
        ],
    ),
];
const POOLS: Pools<'static> =
    Pools { texts: &PATHS, prefixes: &PREFIXES, suffixes: &POSTFIXES, numbers: &[0, 1, 2, 3, 7, 77, -1] };

fn pick<'a>(random: &mut Random, from: &[&'a str]) -> &'a str {
    from[random.below(from.len())]
}

/// Every policy selects pods: what runs the guest itself is to stay out of it.
fn policies(random: &mut Random) -> String {
    let mut out = String::new();
    for number in 0..6 + random.below(20) {
        let namespaced = random.below(3) == 0;
        let kind = if namespaced { "TracingPolicyNamespaced" } else { "TracingPolicy" };
        let _ =
            write!(out, "---\napiVersion: cilium.io/v1alpha1\nkind: {kind}\nmetadata:\n  name: p{number}\n");
        if namespaced {
            let _ = writeln!(out, "  namespace: {}", pick(random, &NAMESPACES));
        }
        out.push_str("spec:\n");
        if !namespaced || random.below(2) == 0 {
            let (operator, app) = (pick(random, &["In", "In", "NotIn"]), pick(random, &APPS));
            let _ = writeln!(
                out,
                "  podSelector:\n    matchExpressions:\n    - {{key: app, operator: {operator}, values: [{app}]}}"
            );
        }
        if random.below(5) == 0 {
            out.push_str("  options:\n  - name: policy-mode\n    value: monitor\n");
        }
        let (section, hooks) = &SECTIONS[random.below(SECTIONS.len())];
        let _ = writeln!(out, "  {section}:");
        let first = random.below(hooks.len());
        for nth in 0..1 + random.below(2) {
            hook(random, &hooks[(first + nth) % hooks.len()], &mut out);
        }
    }
    out
}

fn hook(random: &mut Random, hook: &Hook, out: &mut String) {
    let integers = integers();
    // A number may be declared by any type: only its own bytes count. Seldom, for one function is tested in 16 ways only.
    let mut declared = |ty: &str| match ArgType::parse(ty).expect("a type") {
        ty if integers.contains(&ty) && random.below(6) == 0 => integers[random.below(integers.len())],
        ty => ty,
    };
    let all: Vec<(u32, ArgType)> = hook.args.iter().map(|(index, ty)| (*index, declared(ty))).collect();
    let args = &all[..1 + random.below(all.len())];
    let _ = writeln!(out, "  - {}\n    args:", hook.yaml);
    for (index, ty) in args {
        let _ = writeln!(out, "    - {{index: {index}, type: {ty}}}");
    }
    out.push_str("    selectors:\n");
    for _ in 0..1 + random.below(3) {
        out.push_str("    - matchArgs:\n");
        for _ in 0..1 + random.below(2) {
            let (index, ty) = args[random.below(args.len())];
            let (operator, values) = condition(ty, &POOLS, &mut |n| random.below(n));
            let values = values.iter().map(|value| format!("\"{value}\"")).collect::<Vec<_>>().join(", ");
            let _ = writeln!(out, "      - {{index: {index}, operator: {operator}, values: [{values}]}}");
        }
        let actions: &[&str] = match (random.below(7), hook.overrides) {
            (0, true) => &["{action: Override, argError: -1}"],
            (1, true) => &["{action: Override, argError: -13}"],
            (2, true) => &["{action: Override, argError: -5}", "{action: NoPost}"],
            (3, _) => &["{action: NoPost}"],
            (4, _) => &["{action: Sigkill}"],
            _ => &["{action: Post}"],
        };
        out.push_str("      matchActions:\n");
        for action in actions {
            let _ = writeln!(out, "      - {action}");
        }
    }
}

/// Cgroups of a node, and what runs in them.
fn places() -> (String, Vec<(String, Workload)>) {
    let (mut text, mut places) = ("workloads:\n".to_owned(), vec![("/r/none".to_owned(), Workload::Host)]);
    for namespace in NAMESPACES {
        for app in APPS {
            let cgroup = format!("/r/{namespace}-{app}");
            text += &sets::workload(&cgroup, namespace, app, "main");
            let workload = Workload::Container {
                namespace: namespace.into(),
                labels: BTreeMap::from([("app".to_owned(), app.to_owned())]),
                name: "main".into(),
                repo: "r".into(),
            };
            places.push((format!("{cgroup}/child"), workload.clone()));
            places.push((cgroup, workload));
        }
    }
    (text, places)
}

fn read(text: &str) -> Result<PolicySet, String> {
    let mut sources = Sources::default();
    sources.add("set.yaml".to_owned(), text);
    let mut diags = Diagnostics::default();
    let input = Input {
        paths: vec![],
        exclude: Default::default(),
        threads: 1,
        allow_empty: false,
        resolve: ResolveOptions::default(),
    };
    let all = |diags: &Diagnostics| diags.iter().map(|d| format!("{}\n", d.message)).collect::<String>();
    driver::policies(&sources, &input, &mut diags).set.ok_or_else(|| all(&diags))
}

pub fn on_a_kernel(series: &'static str) -> Result<(), String> {
    let seed = std::env::var("TETRAFOLD_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_261_124);
    println!("TETRAFOLD_SEED={seed}");
    let mut initramfs = case::base(series)?;
    let (mut all, mut denied) = (Vec::new(), 0);
    for number in 0..SETS {
        let mut random = Random(seed + number);
        let text = policies(&mut random);
        let set = read(&text).map_err(|why| format!("seed {seed}, set {number}: {why}{text}"))?;
        let (workloads, places) = places();
        let mut expected =
            sets::packed(series, &format!("random-{number}"), &text, workloads, &mut initramfs)?;
        for _ in 0..EVENTS {
            let (cgroup, workload) = &places[random.below(places.len())];
            let event = event(&mut random, series, cgroup);
            let (outcome, events) = judged(&set, &event, workload);
            denied += usize::from(outcome != event.otherwise);
            expected.act(event.step, outcome, Some(events));
        }
        all.push(expected);
    }
    println!("kernel {series}: {} events, {denied} of them denied", SETS as usize * EVENTS);
    sets::run(series, initramfs, &all).map_err(|why| format!("TETRAFOLD_SEED={seed}\n{why}"))
}

/// What a process may pass as a path, how a string argument reads it, and what comes of it. A string is read up to
/// 4095 bytes; the kernel takes no longer path either.
fn string(random: &mut Random) -> (script::Value, Value, &'static str) {
    let path = pick(random, &PATHS);
    let text = |text: String, otherwise| {
        let read = text.as_bytes()[..text.len().min(4095)].to_vec();
        (script::Value::Text(text), Value::Text(read), otherwise)
    };
    let filled = |length: usize| {
        let mut text = format!("{path}.d");
        while length - text.len() > 202 {
            text = format!("{text}/{}", "d".repeat(200));
        }
        format!("{text}/{}", "f".repeat(length - text.len() - 1))
    };
    match random.below(10) {
        0 | 1 => text(String::new(), "ENOENT"),
        2 => text(filled(4095), "ok"),
        3 => text(filled(4096), "ENAMETOOLONG"),
        4 => text(filled(6000), "ENAMETOOLONG"),
        5 => (script::Value::Unterminated { unterminated: path.into() }, Value::Unreadable, "EFAULT"),
        6 => {
            let nowhere = *[0, 8, -4096].get(random.below(3)).unwrap_or(&0);
            (script::Value::Number(nowhere), Value::Unreadable, "EFAULT")
        }
        _ => text(path.into(), "ok"),
    }
}

/// Something that a guest does, and the hooks that it passes in turn until one denies it.
struct Happening {
    step: Step,
    passes: Vec<(Attach, Vec<Value>)>,
    /// What comes of it if none does.
    otherwise: &'static str,
    /// A process that has been killed gets no further than to the next of the hooks.
    ends_at_a_kill: bool,
}

fn event(random: &mut Random, series: &str, cgroup: &str) -> Happening {
    let lsm = |target: &str| Attach { kind: AttachKind::Lsm, target: target.to_owned(), syscall: false };
    let kprobe = |target: &str| Attach {
        kind: AttachKind::Kprobe,
        target: target.to_owned(),
        syscall: target.starts_with("__x64_"),
    };
    let path = pick(random, &PATHS);
    let text = || vec![Value::Text(path.into())];
    let act = |path: &str| Act { cgroup: Some(cgroup.to_owned()), path: path.to_owned(), ..Act::default() };
    let syscall =
        |name: &str, args: Vec<script::Value>| Step::Syscall(Act { name: name.into(), args, ..act("") });
    match random.below(6) {
        0 => Happening {
            step: Step::Exec(act(path)),
            passes: vec![(lsm("file_open"), text()), (lsm("bprm_check_security"), text())],
            otherwise: "ENOEXEC",
            // Newer kernels copy the arguments behind the open, and that looks for signals (fs/exec.c, copy_strings).
            ends_at_a_kill: series != "6.1",
        },
        1 => Happening {
            step: Step::Open(act(path)),
            passes: vec![(lsm("file_open"), text())],
            otherwise: "ok",
            ends_at_a_kill: false,
        },
        2 => {
            let length = *[3, 7, 1 << 32 | 7].get(random.below(3)).unwrap_or(&3);
            let (pointer, string, otherwise) = string(random);
            let mut passes =
                vec![(kprobe("__x64_sys_truncate"), vec![string.clone(), Value::Int(length as u64)])];
            if otherwise == "ok" {
                let found = [kprobe("security_path_truncate"), lsm("path_truncate")];
                passes.extend(found.map(|attach| (attach, vec![string.clone()])));
            }
            Happening {
                step: syscall("truncate", vec![pointer, script::Value::Number(length)]),
                passes,
                otherwise,
                ends_at_a_kill: false,
            }
        }
        3 => {
            // Nothing is open there. What is beside a type's bytes in the register does not count.
            let mut wide = |low: i64| if random.below(4) == 0 { low | 5 << 32 } else { low };
            let (fd, offset, whence) = (wide(77), wide(7), wide(3));
            let args = [fd, offset, whence];
            Happening {
                step: syscall("lseek", args.map(script::Value::Number).to_vec()),
                passes: vec![(kprobe("__x64_sys_lseek"), args.map(|n| Value::Int(n as u64)).to_vec())],
                otherwise: "EBADF",
                ends_at_a_kill: false,
            }
        }
        4 => {
            // Datagrams of the local family, and of the internet's.
            let family = 1 + random.below(2) as i64;
            let called = [family, 2, 0, 0].map(|n| Value::Int(n as u64)).to_vec();
            Happening {
                step: syscall("socket", [family, 2, 0].map(script::Value::Number).to_vec()),
                passes: vec![
                    (kprobe("security_socket_create"), called.clone()),
                    (lsm("socket_create"), called),
                ],
                otherwise: "ok",
                ends_at_a_kill: false,
            }
        }
        _ => {
            // No such option.
            let args = [
                77,
                *[0, 2, 7].get(random.below(3)).unwrap_or(&0),
                *[3, 256 + 3, -1].get(random.below(3)).unwrap_or(&3),
            ];
            let called = args.map(|n: i64| Value::Int(n as u64)).to_vec();
            let target = "security_task_prctl".to_owned();
            let fmod_ret = Attach { kind: AttachKind::FmodRet, target, syscall: false };
            Happening {
                step: syscall("prctl", args.map(script::Value::Number).to_vec()),
                passes: vec![(kprobe("security_task_prctl"), called.clone()), (fmod_ret, called)],
                otherwise: "EINVAL",
                ends_at_a_kill: false,
            }
        }
    }
}

fn judged(set: &PolicySet, happening: &Happening, workload: &Workload) -> (String, Vec<(String, u64)>) {
    let (mut events, mut dies) = (Vec::new(), false);
    let mut outcome = happening.otherwise.to_owned();
    for (attach, args) in &happening.passes {
        // Which process it will be is not known beforehand: no policy here asks.
        let (attach, args, workload) = (attach.clone(), args.clone(), workload.clone());
        let event = Event { attach, args, process: BTreeMap::new(), workload };
        let Verdict { hits, value, sigkill } = interp::run(set, &event);
        let posted = hits.into_iter().filter(|hit| hit.post);
        events.extend(posted.map(|hit| (hit.policy.name, u64::from(hit.selector))));
        dies |= sigkill;
        if value != 0 {
            outcome = errno_name(-value);
            break;
        }
        if sigkill && happening.ends_at_a_kill {
            break;
        }
    }
    // The signal takes the process when the call returns, whatever it returns.
    (if dies { "SIGKILL".to_owned() } else { outcome }, events)
}
