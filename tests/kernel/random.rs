//! Random policies and events that a guest can perform: execs, opens and truncations of files by path. The interpreter
//! says on the host what must come of each; the seed is printed, and `TRACEFOLD_SEED` repeats a run.

use std::collections::BTreeMap;
use std::fmt::Write;

use tracefold::diag::Diagnostics;
use tracefold::driver::{self, Input};
use tracefold::fold::ir::{Attach, AttachKind};
use tracefold::interp::{self, Event, Value, Verdict, Workload};
use tracefold::policy::PolicySet;
use tracefold::policy::resolve::ResolveOptions;
use tracefold::source::Sources;
use tracefold::target::Target;

use crate::case;
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
const HOOKS: [(&str, &str); 3] =
    [("bprm_check_security", "linux_binprm"), ("file_open", "file"), ("path_truncate", "path")];

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
        out.push_str("  lsmhooks:\n");
        let first = random.below(HOOKS.len());
        for nth in 0..1 + random.below(2) {
            hook(random, HOOKS[(first + nth) % HOOKS.len()], &mut out);
        }
    }
    out
}

fn hook(random: &mut Random, (name, ty): (&str, &str), out: &mut String) {
    let _ = writeln!(out, "  - hook: {name}\n    args:\n    - {{index: 0, type: {ty}}}\n    selectors:");
    for _ in 0..1 + random.below(3) {
        let operator =
            pick(random, &["Equal", "Equal", "NotEqual", "Prefix", "NotPrefix", "Postfix", "NotPostfix"]);
        let pool: &[&str] = match operator.trim_start_matches("Not") {
            "Prefix" => &PREFIXES,
            "Postfix" => &POSTFIXES,
            _ => &PATHS,
        };
        let count = 1 + random.below(if operator.starts_with("Not") { 6 } else { 3 });
        let values: Vec<String> = (0..count).map(|_| format!("\"{}\"", pick(random, pool))).collect();
        let values = values.join(", ");
        let _ = writeln!(
            out,
            "    - matchArgs:\n      - {{index: 0, operator: {operator}, values: [{values}]}}\n      matchActions:"
        );
        let actions: &[&str] = match random.below(6) {
            0 => &["{action: Override, argError: -1}"],
            1 => &["{action: Override, argError: -13}"],
            2 => &["{action: Override, argError: -5}", "{action: NoPost}"],
            3 => &["{action: NoPost}"],
            _ => &["{action: Post}"],
        };
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
    let input = Input { paths: vec![], threads: 1, allow_empty: false, resolve: ResolveOptions::default() };
    let all = |diags: &Diagnostics| diags.iter().map(|d| format!("{}\n", d.message)).collect::<String>();
    driver::policies(&sources, &input, &mut diags).set.ok_or_else(|| all(&diags))
}

pub fn on_a_kernel(series: &'static str) -> Result<(), String> {
    let seed = std::env::var("TRACEFOLD_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_261_124);
    println!("TRACEFOLD_SEED={seed}");
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
            let path = pick(&mut random, &PATHS);
            let (step, hooks, otherwise): (_, &[&str], _) = match random.below(3) {
                0 => (Step::Exec(act(cgroup, path)), &["file_open", "bprm_check_security"], "ENOEXEC"),
                1 => (Step::Open(act(cgroup, path)), &["file_open"], "ok"),
                _ => {
                    let args = vec![script::Value::Text(path.into()), script::Value::Number(3)];
                    let act = Act { name: "truncate".into(), args, ..act(cgroup, "") };
                    (Step::Syscall(act), &["path_truncate"], "ok")
                }
            };
            let (outcome, events) = judged(&set, hooks, path, workload, otherwise);
            denied += usize::from(outcome != otherwise);
            expected.act(step, outcome, Some(events));
        }
        all.push(expected);
    }
    println!("kernel {series}: {} events, {denied} of them denied", SETS as usize * EVENTS);
    sets::run(series, initramfs, &all).map_err(|why| format!("TRACEFOLD_SEED={seed}\n{why}"))
}

fn act(cgroup: &str, path: &str) -> Act {
    Act { cgroup: Some(cgroup.to_owned()), path: path.to_owned(), ..Act::default() }
}

/// A call passes the hooks in turn, until one denies it.
fn judged(
    set: &PolicySet,
    hooks: &[&str],
    path: &str,
    workload: &Workload,
    otherwise: &str,
) -> (String, Vec<(String, u64)>) {
    let mut events = Vec::new();
    for hook in hooks {
        let attach = Attach { kind: AttachKind::Lsm, target: (*hook).to_owned(), syscall: false };
        let event = Event { attach, args: vec![Value::Text(path.into())], workload: workload.clone() };
        let Verdict { hits, value, .. } = interp::run(set, &Target::default(), &event);
        let posted = hits.into_iter().filter(|hit| hit.post);
        events.extend(posted.map(|hit| (hit.policy.name, u64::from(hit.selector))));
        if value != 0 {
            return (errno_name(-value), events);
        }
    }
    (otherwise.to_owned(), events)
}
