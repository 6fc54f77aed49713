//! Random policy sets, as YAML, and random events for them. The same seed gives the same of both.

use std::collections::BTreeMap;
use std::fmt::Write;

use tetrafold::artifact::fact::{Fact, namespace_number};
use tetrafold::artifact::projection::Flow;
use tetrafold::fold::ir::{Attach, Operation};
use tetrafold::interp::{Event, Value, Workload};
use tetrafold::vocab::arg_type::{ArgType, Class};
use tetrafold::vocab::attach::{EQUIVALENTS, LSM_HOOKS, Param, lsm_hook};

use crate::conditions::{PORTS, Pools, condition, integers, operators};

/// splitmix64: small, and the same everywhere.
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// What policies name and events hold: near misses of each other on purpose.
const PATHS: &[&str] = &[
    "/usr/bin/cat",
    "/usr/bin/cats",
    "/usr/bin/ca",
    "/bin/cat",
    "/usr/sbin/cat",
    "/etc/passwd",
    "/etc/ssh/sshd_config",
    "/etc/ssh",
    "/etc",
    "/opt/app/bin/server",
    "/opt/app/bin/serve",
    "/opt/app",
    "/a",
    "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
    "/x/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/y",
    "/tmp/1234567",
    "/tmp/12345678",
    "/tmp/123456789",
];
const POSTFIXES: &[&str] = &["cat", "at", "/cat", ".conf", "_config", "server", "9", "bin/server"];
const PREFIXES: &[&str] =
    &["/etc", "/etc/", "/etc/ssh", "/usr", "/usr/bin/c", "/opt/app/", "/", "/tmp/123456"];
const INTS: &[i64] = &[0, 1, 2, -1, 7, 4096, 2147483647];
const POOLS: Pools<'static> = Pools { texts: PATHS, prefixes: PREFIXES, suffixes: POSTFIXES, numbers: INTS };
/// Beside openat, which hooks name by itself, too: lists overlap in part.
const CALLS: &[&str] = &["sys_openat2", "sys_readlinkat", "sys_unlinkat"];
const APPS: &[&str] = &["shop", "db", "web"];
const NAMESPACES: &[&str] = &["default", "prod"];

#[derive(Clone)]
struct HookKind {
    section: &'static str,
    yaml: String,
    /// Position and type; numbers are declared by any type that is read as one.
    args: Vec<(u8, Option<ArgType>)>,
    overrides: bool,
}

/// Every hook of the tables, every function that means the same as one, and some that none does.
fn hooks() -> Vec<HookKind> {
    let ty = |param: &Param| match param {
        Param::LinuxBinprm => Some(ArgType::LinuxBinprm),
        Param::File => Some(ArgType::File),
        Param::Path => Some(ArgType::Path),
        Param::Sock => Some(ArgType::Sock),
        Param::Socket => Some(ArgType::Socket),
        Param::Other => None,
    };
    let number = |args: Vec<Option<ArgType>>| (0..).zip(args).collect();
    let lsm = LSM_HOOKS.iter().map(|hook| HookKind {
        section: "lsmhooks",
        yaml: format!("hook: {}", hook.name),
        args: number(hook.params.iter().map(ty).collect()),
        overrides: true,
    });
    let functions = EQUIVALENTS.iter().map(|row| HookKind {
        section: "kprobes",
        yaml: format!("call: {}\n    syscall: false", row.function),
        args: number(
            row.params.iter().map(|&p| ty(&lsm_hook(row.hook).unwrap().params[p as usize])).collect(),
        ),
        overrides: true,
    });
    let other = |yaml: &str, args: &[(u8, Option<ArgType>)]| HookKind {
        section: "kprobes",
        yaml: yaml.to_string(),
        args: args.to_vec(),
        overrides: false,
    };
    let others = [
        other("call: fd_install\n    syscall: false", &[(0, None), (1, Some(ArgType::File))]),
        other("call: sys_openat", &[(1, Some(ArgType::String)), (2, None), (0, None)]),
        other("call: \"list:calls\"", &[(1, Some(ArgType::String)), (2, None), (0, None)]),
        other("call: tcp_connect\n    syscall: false", &[(0, Some(ArgType::Sock))]),
        other("call: ip_output\n    syscall: false", &[(2, Some(ArgType::Skb)), (1, Some(ArgType::Sock))]),
        other("call: inet_csk_listen_start\n    syscall: false", &[(0, Some(ArgType::Sock)), (1, None)]),
        other("call: vfs_write\n    syscall: false", &[(0, Some(ArgType::File)), (2, None)]),
    ];
    let tracepoint = |yaml: &str, args: &[(u8, Option<ArgType>)]| HookKind {
        section: "tracepoints",
        yaml: yaml.to_string(),
        args: args.to_vec(),
        overrides: false,
    };
    let tracepoints = [
        tracepoint(
            "subsystem: syscalls\n    event: sys_enter_openat",
            &[(6, Some(ArgType::String)), (7, None), (5, None), (8, None)],
        ),
        tracepoint("subsystem: raw_syscalls\n    event: sys_enter", &[(5, Some(ArgType::String)), (4, None)]),
        tracepoint("subsystem: raw_syscalls\n    event: sys_exit", &[(5, None), (4, None)]),
        tracepoint(
            "subsystem: sched\n    event: sched_process_exec\n    raw: true",
            &[(2, Some(ArgType::LinuxBinprm)), (1, None)],
        ),
    ];
    let shown = SHOWN.iter().map(|&(function, param, ty)| {
        other(&format!("call: {function}\n    syscall: false"), &[(param, Some(ty))])
    });
    lsm.chain(functions).chain(others).chain(tracepoints).chain(shown).collect()
}

/// A function that has each structure which events show, or a name.
const SHOWN: &[(&str, u8, ArgType)] = &[
    ("commit_creds", 0, ArgType::Cred),
    ("cap_capable", 1, ArgType::UserNamespace),
    ("bpf_check", 1, ArgType::BpfAttr),
    ("security_bpf_prog", 0, ArgType::BpfProg),
    ("security_bpf_map", 0, ArgType::BpfMap),
    ("security_perf_event_alloc", 0, ArgType::PerfEvent),
    ("do_init_module", 0, ArgType::Module),
    ("mod_sysfs_setup", 1, ArgType::LoadInfo),
    ("security_capset", 2, ArgType::CapEffective),
    ("security_capset", 3, ArgType::CapInheritable),
    ("security_capset", 4, ArgType::CapPermitted),
    ("security_capset", 4, ArgType::KernelCapT),
    ("register_netdevice", 0, ArgType::NetDevice),
    ("do_unlinkat", 1, ArgType::Filename),
];

#[test]
fn every_structure_that_events_show_is_in_random_policies() {
    for ty in ArgType::ALL {
        let is_structure = matches!(ty.class(), Some(Class::Structure(_)));
        assert!(!is_structure || SHOWN.iter().any(|(_, _, shown)| shown == ty), "{ty}");
    }
}

/// A multi-document text of 1 to 7 policies.
pub fn policies(rng: &mut Rng) -> String {
    let mut out = String::new();
    let all = hooks();
    // A few, so that policies meet.
    let few: Vec<HookKind> = (0..6).map(|_| rng.pick(&all).clone()).collect();
    for p in 0..1 + rng.below(7) {
        policy(rng, &few, p, &mut out);
    }
    out
}

fn policy(rng: &mut Rng, few: &[HookKind], number: usize, out: &mut String) {
    let namespaced = rng.chance(30);
    let kind = if namespaced { "TracingPolicyNamespaced" } else { "TracingPolicy" };
    let _ = write!(out, "---\napiVersion: cilium.io/v1alpha1\nkind: {kind}\nmetadata:\n  name: p{number}\n");
    if namespaced {
        let _ = writeln!(out, "  namespace: {}", rng.pick(NAMESPACES));
    }
    out.push_str("spec:\n");
    workload(rng, namespaced, out);
    if rng.chance(25) {
        let _ = writeln!(
            out,
            "  options:\n  - name: policy-mode\n    value: {}",
            rng.pick(&["monitor", "enforce"])
        );
    }
    let section = rng.pick(few).section;
    if section == "kprobes" {
        let calls: Vec<&str> = CALLS.iter().copied().filter(|_| rng.chance(60)).collect();
        let _ = writeln!(
            out,
            "  lists:\n  - {{name: calls, type: syscalls, values: [sys_openat, {}]}}",
            calls.join(", ")
        );
    }
    let _ = writeln!(out, "  {section}:");
    let hooks: Vec<&HookKind> = few.iter().filter(|h| h.section == section).collect();
    let first = rng.below(hooks.len());
    for i in 0..1 + rng.below(2) {
        hook(rng, hooks[(first + i) % hooks.len()], out);
    }
}

fn workload(rng: &mut Rng, namespaced: bool, out: &mut String) {
    if rng.chance(50) {
        match rng.below(3) {
            0 => {
                let _ = writeln!(out, "  podSelector:\n    matchLabels:\n      app: {}", rng.pick(APPS));
            }
            1 => {
                let op = rng.pick(&["In", "NotIn"]);
                let _ = writeln!(
                    out,
                    "  podSelector:\n    matchExpressions:\n    - key: app\n      operator: {op}\n      values: [{}, {}]",
                    rng.pick(APPS),
                    rng.pick(APPS)
                );
            }
            _ => out
                .push_str("  podSelector:\n    matchExpressions:\n    - key: app\n      operator: Exists\n"),
        }
    }
    if rng.chance(20) {
        let _ = writeln!(
            out,
            "  containerSelector:\n    matchExpressions:\n    - key: name\n      operator: In\n      values: [main, {}]",
            rng.pick(&["side", "init"])
        );
    }
    if !namespaced && rng.chance(20) {
        out.push_str("  hostSelector: {}\n");
    }
}

fn hook(rng: &mut Rng, hook: &HookKind, out: &mut String) {
    let _ = write!(out, "  - {}\n    args:\n", hook.yaml);
    let integers = integers();
    let count = 1 + rng.below(hook.args.len());
    let args: Vec<(u8, ArgType)> =
        hook.args[..count].iter().map(|(i, ty)| (*i, ty.unwrap_or_else(|| *rng.pick(&integers)))).collect();
    for (index, ty) in &args {
        let _ = writeln!(out, "    - index: {index}\n      type: {ty}");
    }
    let returns = hook.section == "kprobes" && !hook.overrides && rng.chance(40);
    let returned = returns.then(|| *rng.pick(&integers));
    if let Some(ty) = returned {
        let _ = writeln!(out, "    return: true\n    returnArg:\n      index: 0\n      type: {ty}");
    }
    let selectors = rng.below(5);
    if selectors > 0 {
        out.push_str("    selectors:\n");
    }
    for _ in 0..selectors {
        selector(rng, hook, &args, out);
        if let Some(ty) = returned.filter(|_| rng.chance(60)) {
            let (op, values) = condition(ty, &POOLS, &mut |n| rng.below(n));
            let values = values.iter().map(|v| format!("\"{v}\"")).collect::<Vec<_>>().join(", ");
            let _ = writeln!(
                out,
                "      matchReturnArgs:\n      - index: 0\n        operator: {op}\n        values: [{values}]"
            );
        }
    }
}

fn selector(rng: &mut Rng, hook: &HookKind, args: &[(u8, ArgType)], out: &mut String) {
    let compared: Vec<(u8, ArgType)> =
        args.iter().copied().filter(|(_, ty)| !operators(*ty).is_empty()).collect();
    let filters = if compared.is_empty() { 0 } else { rng.below(3) };
    if filters > 0 {
        out.push_str("    - matchArgs:\n");
    }
    for _ in 0..filters {
        let (index, ty) = rng.pick(&compared);
        let (op, values) = condition(*ty, &POOLS, &mut |n| rng.below(n));
        let _ = writeln!(out, "      - index: {index}\n        operator: {op}\n        values:");
        for value in values {
            let _ = writeln!(out, "        - \"{value}\"");
        }
    }
    let head = if filters > 0 { "      " } else { "    - " };
    let actions: &[&str] = match (rng.below(7), hook.overrides) {
        (0, true) => &["action: Override\n        argError: -1"],
        (1, true) => &["action: Override\n        argError: -13", "action: NoPost"],
        (2, _) => &["action: Sigkill"],
        (3, _) => &["action: NoPost"],
        (4, true) => &["action: Sigkill", "action: Override\n        argError: -2"],
        (5, _) => &["action: Post\n        rateLimit: \"1m\"\n        rateLimitScope: process"],
        _ => &["action: Post"],
    };
    let _ = writeln!(out, "{head}matchActions:");
    for a in actions {
        let _ = writeln!(out, "      - {a}");
    }
    if rng.chance(25) {
        let _ = writeln!(out, "      {}", process_filter(rng));
    }
    if rng.chance(15) {
        let selector = match rng.below(4) {
            0 => "hostSelector: {}".to_string(),
            1 => format!("containerSelector: {{matchLabels: {{name: {}}}}}", rng.pick(&["main", "side"])),
            2 => format!("podSelector: {{matchLabels: {{app: {}}}}}", rng.pick(APPS)),
            _ => format!(
                "podSelector: {{matchExpressions: [{{key: app, operator: NotIn, values: [{}]}}]}}",
                rng.pick(APPS)
            ),
        };
        let _ = writeln!(out, "      matchWorkloads: {{{selector}}}");
    }
}

/// A call of what `operation` is attached to.
pub fn event(rng: &mut Rng, operation: &Operation) -> Event {
    let last = operation.subjects.iter().filter_map(|s| s.param()).map(usize::from).max().unwrap_or(0);
    let mut args = vec![Value::Int(0); last + 1];
    for subject in &operation.subjects {
        let Some(param) = subject.param() else { continue };
        args[param as usize] = match subject.ty.class() {
            Some(Class::Int { .. } | Class::Structure(_)) | None => Value::Int(int(rng)),
            Some(Class::Text) if rng.chance(5) => Value::Text(vec![]),
            Some(Class::Text | Class::Path) if rng.chance(10) => Value::Unreadable,
            Some(Class::Text | Class::Path) => Value::Text(text(rng)),
            Some(Class::Flow) if rng.chance(10) => Value::Unreadable,
            Some(Class::Flow) if subject.ty == ArgType::Skb => Value::Flow(packet(rng)),
            Some(Class::Flow) => Value::Flow(flow(rng)),
        };
    }
    let points: Vec<Attach> = operation.attach.points().collect();
    let attach = points[rng.below(points.len())].clone();
    Event { attach, args, process: process(rng), workload: place(rng) }
}

const PIDS: &[u32] = &[0, 1, 77, u32::MAX];
const INODES: &[u32] = &[4026531840, 4026531841, 0];
const CAPABILITIES: &[&str] = &["CAP_CHOWN", "CAP_NET_RAW", "CAP_SYS_ADMIN", "CAP_CHECKPOINT_RESTORE"];

/// One filter on the process that makes the call, as the keys of a selector.
fn process_filter(rng: &mut Rng) -> String {
    let set = *rng.pick(&["In", "NotIn"]);
    match rng.below(4) {
        0 => {
            let (a, b) = (rng.pick(PIDS), rng.pick(PIDS));
            let of_namespace = rng.chance(50);
            format!("matchPIDs: [{{operator: {set}, isNamespacePID: {of_namespace}, values: [{a}, {b}]}}]")
        }
        1 => {
            let kind = *rng.pick(&["Uts", "Pid", "Net", "User", "TimeForChildren"]);
            let (a, b) = (rng.pick(INODES), rng.pick(&["host_ns", "\"4026531840\""]));
            format!("matchNamespaces: [{{namespace: {kind}, operator: {set}, values: [\"{a}\", {b}]}}]")
        }
        2 => {
            let (kind, of_namespace) = (rng.pick(&["Permitted", "Effective", "Inheritable"]), rng.chance(30));
            let (a, b) = (rng.pick(CAPABILITIES), rng.pick(CAPABILITIES));
            format!(
                "matchCapabilities: [{{type: {kind}, operator: {set}, isNamespaceCapability: {of_namespace}, values: [{a}, {b}]}}]"
            )
        }
        _ => {
            let (operators, pool) = match rng.below(3) {
                0 => (["In", "NotIn"], PATHS),
                1 => (["Prefix", "NotPrefix"], PREFIXES),
                _ => (["Postfix", "NotPostfix"], POSTFIXES),
            };
            let (operator, a, b) = (rng.pick(&operators), rng.pick(pool), rng.pick(pool));
            format!("matchBinaries: [{{operator: {operator}, values: [\"{a}\", \"{b}\"]}}]")
        }
    }
}

/// Every fact of a process.
fn process(rng: &mut Rng) -> BTreeMap<Fact, Value> {
    let mut one = |fact: Fact| match fact {
        Fact::Binary if rng.chance(10) => Value::Unreadable,
        Fact::Binary => Value::Text(text(rng)),
        Fact::Pid | Fact::NamespacePid => Value::Int((*rng.pick(PIDS)).into()),
        Fact::PermittedCapabilities | Fact::EffectiveCapabilities | Fact::InheritableCapabilities => {
            let bits = [0, 13, 21, 40, 1].map(|bit: u32| u64::from(rng.chance(30)) << bit);
            Value::Int(bits.into_iter().fold(0, |all, bit| all | bit))
        }
        _ => Value::Int(namespace_number(*rng.pick(INODES), rng.chance(40))),
    };
    Fact::ALL.iter().map(|&fact| (fact, one(fact))).collect()
}

fn flow(rng: &mut Rng) -> Flow {
    const OF4: &[&str] =
        &["127.0.0.1", "127.0.0.2", "10.1.2.3", "10.1.2.4", "10.2.0.0", "192.168.0.1", "0.0.0.0"];
    const OF6: &[&str] = &["::1", "::", "fd00:1::5", "fd00:2::", "::ffff:127.0.0.1", "fe80::1"];
    let family = *rng.pick(&[2, 10, 1, 0]);
    let mut address = || {
        let text = match family {
            2 => rng.pick(OF4),
            10 => rng.pick(OF6),
            _ => return None,
        };
        Some(text.parse().unwrap())
    };
    let (source_address, destination_address) = (address(), address());
    Flow {
        family: Some(family),
        protocol: Some(*rng.pick(&[0, 6, 17, 262])),
        state: Some(*rng.pick(&[0, 1, 7, 10])),
        source_port: Some(*rng.pick(PORTS)),
        destination_port: Some(*rng.pick(PORTS)),
        source_address,
        destination_address,
    }
}

/// Some of neither version of IP, some without ports, some whose protocol cannot be told.
fn packet(rng: &mut Rng) -> Flow {
    let mut flow = flow(rng);
    let has_ports = matches!(flow.protocol, Some(6 | 17));
    let port = |port: Option<u16>| if has_ports { port } else { Some(0) };
    (flow.source_port, flow.destination_port) = (port(flow.source_port), port(flow.destination_port));
    flow.state = None;
    if flow.source_address.is_none() {
        (flow.family, flow.protocol) = (None, None);
    } else if rng.chance(20) {
        flow.protocol = None;
    }
    if flow.protocol.is_none() || has_ports && rng.chance(20) {
        (flow.source_port, flow.destination_port) = (None, None);
    }
    flow
}

fn int(rng: &mut Rng) -> u64 {
    let v = *rng.pick(INTS) as u64;
    // The upper half of a register that holds a narrower value is anything.
    if rng.chance(30) { v & 0xffff_ffff | rng.next() << 32 } else { v }
}

fn text(rng: &mut Rng) -> Vec<u8> {
    let mut t = rng.pick(PATHS).as_bytes().to_vec();
    match rng.below(6) {
        0 => t.extend_from_slice(b"/x"),
        1 => t.push(b'c'),
        2 if t.len() > 2 => {
            let last = t.len() - 1;
            t[last] ^= 1;
        }
        3 => t.splice(0..0, b"/srv".iter().copied()).for_each(drop),
        _ => {}
    }
    t
}

fn place(rng: &mut Rng) -> Workload {
    if rng.chance(25) {
        return Workload::Host;
    }
    let mut labels = BTreeMap::new();
    if rng.chance(85) {
        labels.insert("app".to_string(), (*rng.pick(APPS)).to_string());
    }
    Workload::Container {
        namespace: (*rng.pick(NAMESPACES)).to_string(),
        labels,
        name: (*rng.pick(&["main", "side", "other"])).to_string(),
        repo: "registry.example/app".to_string(),
    }
}
