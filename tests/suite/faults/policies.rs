//! The policies that are damaged: small, and nothing in them is without effect.

use tetrafold::vocab::arg_type::{ArgType, Class};
use tetrafold::vocab::condition::{Verdict, compare};
use tetrafold::vocab::operator::{Operator, ValueKind};

/// Hooks, lists, workloads, bindings, modes: everything but the choice of operators. Small sets, since each fault
/// is compiled to the end.
pub const SHAPES: &[&str] = &[
    r#"
apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: shown}
spec:
  kprobes:
  - call: commit_creds
    syscall: false
    args: [{index: 0, type: cred}]
"#,
    r#"
apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: returns}
spec:
  podSelector: {matchLabels: {app: shop}}
  kprobes:
  - call: sys_lseek
    return: true
    returnArg: {index: 0, type: int64}
    args: [{index: 2, type: int}]
    selectors:
    - matchArgs: [{index: 2, operator: Equal, values: ["4"]}]
      matchReturnArgs: [{index: 0, operator: LessThan, values: ["0"]}]
    - matchReturnArgs: [{index: 0, operator: Equal, values: ["7", "9"]}]
"#,
    r#"
apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: allowlist}
spec:
  podSelector: {matchLabels: {app: shop}}
  lsmhooks:
  - hook: file_open
    args: [{index: 0, type: file, label: f}]
    selectors:
    - matchArgs: [{index: 0, operator: Prefix, values: [/etc/ssh/, /root/]}]
      matchActions: [{action: Sigkill}]
    - matchArgs: [{index: 0, operator: NotEqual, values: [/etc/passwd, /etc/hosts]}]
      matchActions: [{action: Override, argError: -1}]
    - matchArgs: [{index: 0, operator: Equal, values: [/etc/hosts]}]
  - hook: bprm_check_security
    args: [{index: 0, type: linux_binprm}]
---
apiVersion: cilium.io/v1alpha1
kind: TracingPolicyNamespaced
metadata: {name: beside, namespace: prod}
spec:
  lsmhooks:
  - hook: file_open
    args: [{index: 0, type: file}]
    selectors:
    - matchArgs: [{index: 0, operator: Equal, values: [/etc/passwd]}]
"#,
    r#"
apiVersion: cilium.io/v1alpha1
kind: TracingPolicyNamespaced
metadata: {name: moved, namespace: prod}
spec:
  containerSelector: {matchExpressions: [{key: name, operator: In, values: [main]}]}
  kprobes:
  - call: security_path_rename
    syscall: false
    args: [{index: 2, type: path}, {index: 0, type: path}, {index: 4, type: uint32}]
    selectors:
    - matchArgs:
      - {index: 0, operator: Postfix, values: [.conf]}
      - {args: [0], operator: NotPostfix, values: [.bak]}
      - {index: 4, operator: Equal, values: ["0", "0x2"]}
      matchActions: [{action: Override, argError: -13}, {action: NoPost}]
    - matchArgs: [{index: 2, operator: Equal, values: [/etc/shadow]}]
      matchActions: [{action: NoPost}]
    - {}
"#,
    // Twice the same arguments, and one that declares fewer.
    r#"
apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: quiet}
spec:
  kprobes:
  - call: sys_openat
    args: [{index: 0, type: int}, {index: 1, type: string}]
    selectors:
    - matchArgs: [{index: 1, operator: Equal, values: [/a]}]
      matchActions: [{action: Post, rateLimit: 1H, rateLimitScope: process}, {action: Sigkill}]
    - matchArgs: [{index: 0, operator: Equal, values: ["5"]}]
      matchActions: [{action: Post, rateLimit: "7"}]
    - {}
  - call: security_socket_connect
    syscall: false
    args: [{index: 0, type: socket}]
    selectors:
    - matchActions: [{action: Post, rateLimit: 2m, rateLimitScope: global}]
  - call: commit_creds
    syscall: false
    args: [{index: 0, type: cred}]
    selectors:
    - matchActions: [{action: Post, rateLimit: 3m}]
---
apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: quieter}
spec:
  kprobes:
  - call: sys_openat
    args: [{index: 1, type: string}]
    selectors:
    - matchActions: [{action: Post, rateLimit: "7"}]
"#,
    // By field, by position, and one on the kernel's own below.
    r#"
apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: traced}
spec:
  tracepoints:
  - subsystem: syscalls
    event: sys_enter_openat
    args: [{index: 5, type: int32}, {index: 6, type: string}, {index: 7, type: uint64}]
    selectors:
    - matchArgs:
      - {index: 6, operator: Prefix, values: [/etc/]}
      - {index: 2, operator: Equal, values: ["0"]}
      matchActions: [{action: Sigkill}]
    - matchArgs: [{index: 5, operator: NotEqual, values: ["-100"]}]
  - subsystem: raw_syscalls
    event: sys_exit
    args: [{index: 4, type: int64}]
    selectors:
    - matchArgs: [{index: 4, operator: Equal, values: ["59", "322"]}]
      matchActions: [{action: NoPost}]
    - {}
  - subsystem: sched
    event: sched_process_exec
    raw: true
    args: [{index: 2, type: linux_binprm}]
    selectors:
    - matchArgs: [{index: 2, operator: Equal, values: [/usr/bin/passwd]}]
"#,
    r#"
apiVersion: cilium.io/v1alpha1
kind: TracingPolicyNamespaced
metadata: {name: raced, namespace: prod}
spec:
  containerSelector: {matchExpressions: [{key: name, operator: In, values: [main]}]}
  kprobes:
  - call: security_task_prctl
    syscall: false
    args: [{index: 0, type: int}, {index: 1, type: uint64}]
    selectors:
    - matchArgs: [{index: 0, operator: NotEqual, values: ["15", "-1"]}, {index: 1, operator: Equal, values: ["0"]}]
      matchActions: [{action: Override, argError: -1}]
"#,
    r#"
apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: watcher}
spec:
  options: [{name: policy-mode, value: monitor}]
  lists:
  - {name: calls, type: syscalls, values: [sys_openat, sys_openat2]}
  kprobes:
  - call: "list:calls"
    args: [{index: 1, type: string}, {index: 0, type: int}]
    selectors:
    - matchArgs: [{index: 1, operator: NotPrefix, values: [/tmp/]}, {index: 0, operator: NotEqual, values: ["3"]}]
      matchActions: [{action: Sigkill}, {action: NoPost}]
    - matchArgs: [{index: 1, operator: Equal, values: [/var/x]}]
  - call: sys_openat
    args: [{index: 2, type: int}]
"#,
    r#"
apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: workloads}
spec:
  lsmhooks:
  - hook: file_open
    args: [{index: 0, type: file}]
    selectors:
    - matchArgs: [{index: 0, operator: Equal, values: [/a]}]
      matchWorkloads: {podSelector: {matchLabels: {app: shop}}}
      matchActions: [{action: Override, argError: -2}]
    - matchArgs: [{index: 0, operator: Equal, values: [/a, /b]}]
      matchWorkloads: {podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [db]}]}}
    - matchArgs: [{index: 0, operator: Equal, values: [/c]}]
"#,
    r#"
apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: process}
spec:
  lsmhooks:
  - hook: file_open
    args: [{index: 0, type: file}]
    selectors:
    - matchBinaries: [{operator: NotIn, values: [/usr/bin/nginx, /usr/bin/sh]}]
      matchPIDs: [{operator: In, isNamespacePID: true, values: [1, 7]}]
      matchActions: [{action: Override, argError: -1}]
    - matchBinaries: [{operator: Prefix, values: [/opt/]}]
      matchPIDs: [{operator: NotIn, values: [1]}, {operator: NotIn, values: [2]}]
    - matchNamespaces: [{namespace: Net, operator: NotIn, values: [host_ns, "4026531840"]}, {namespace: Pid, operator: In, values: [host_ns]}]
      matchActions: [{action: Sigkill}]
    - matchBinaries: [{operator: NotPostfix, values: [/sh]}]
      matchCapabilities: [{type: Permitted, operator: NotIn, values: [CAP_CHOWN, CAP_BPF], isNamespaceCapability: true}]
"#,
    r#"
apiVersion: cilium.io/v1alpha1
kind: TracingPolicyTemplate
metadata: {name: t}
spec:
  variables: [{name: paths}]
  lsmhooks:
  - hook: bprm_creds_for_exec
    args: [{index: 0, type: linux_binprm}]
    selectors:
    - matchArgs: [{index: 0, operator: NotEqual, valuesFromVariable: paths}]
      matchActions: [{action: Override, argError: -1}]
---
apiVersion: cilium.io/v1alpha1
kind: TracingPolicyBinding
metadata: {name: low}
spec:
  templateRef: {name: t}
  overrideAllowed: true
  podSelector: {matchLabels: {app: shop}}
  bindings: [{name: paths, values: [/bin/sh, /bin/cat]}]
---
apiVersion: cilium.io/v1alpha1
kind: TracingPolicyBinding
metadata: {name: high}
spec:
  templateRef: {name: t}
  overrideAllowed: true
  overridePriority: 1
  podSelector: {matchLabels: {tier: back}}
  bindings: [{name: paths, values: [/bin/sh]}]
"#,
];

/// Rules that the passes leave out.
pub const OMITTED: &str = r#"
apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: omitted}
spec:
  lsmhooks:
  - hook: file_open
    args: [{index: 0, type: file}]
    selectors:
    - matchArgs:
      - {index: 0, operator: Equal, values: [/never]}
      - {index: 0, operator: NotEqual, values: [/never]}
    - matchArgs: [{index: 0, operator: Equal, values: [/a]}]
      matchActions: [{action: Override, argError: -1}]
    - matchArgs: [{index: 0, operator: Equal, values: [/a]}, {index: 0, operator: NotPostfix, values: [b]}]
    - matchArgs: [{index: 0, operator: Prefix, values: [/c]}]
    - matchArgs: [{index: 0, operator: Prefix, values: [/d]}]
      matchActions: [{action: NoPost}]
"#;

/// A policy with one condition for each operator that is compiled and each argument that it works on.
pub fn of_every_operator() -> Vec<String> {
    let on = |op: &'static Operator| {
        TYPES.iter().enumerate().filter(move |(_, ty)| is_compiled(*op, **ty)).map(move |of| (op, of))
    };
    let policy = |(op, (index, ty)): (&Operator, (usize, &ArgType))| {
        let values = values(*op, *ty);
        let args: Vec<String> =
            TYPES.iter().enumerate().map(|(i, ty)| format!("{{index: {i}, type: {ty}}}")).collect();
        format!(
            "apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {{name: operators}}\nspec:\n  \
             kprobes:\n  - call: f\n    syscall: false\n    args: [{}]\n    selectors:\n    \
             - matchArgs: [{{index: {index}, operator: {op}, values: {values}}}]\n      \
             matchActions: [{{action: Sigkill}}]\n",
            args.join(", ")
        )
    };
    Operator::ALL.iter().flat_map(on).map(policy).collect()
}

/// One of each class of types that is read.
const TYPES: [ArgType; 5] = [ArgType::File, ArgType::Int, ArgType::String, ArgType::Sock, ArgType::Skb];

/// As the table of conditions has it.
fn is_compiled(op: Operator, ty: ArgType) -> bool {
    match compare(op, ty.filter_class()) {
        Verdict::Works(projection, kind) => kind.table().is_some() && ty.reader(projection).is_some(),
        Verdict::AlwaysFalse | Verdict::AlwaysTrue | Verdict::Refused => false,
    }
}

/// Both.
pub fn all() -> Vec<String> {
    SHAPES.iter().map(ToString::to_string).chain(of_every_operator()).collect()
}

/// Values for an operator on an argument.
fn values(op: Operator, ty: ArgType) -> &'static str {
    match (op.value_kind(), ty.class()) {
        (ValueKind::Typed, Some(Class::Int { signed: true, .. })) => r#"["-3", "5"]"#,
        (ValueKind::Typed, Some(Class::Int { signed: false, .. })) => r#"["3", "0x5"]"#,
        (ValueKind::Typed, Some(Class::Path)) => "[/a, /b/c]",
        (ValueKind::Typed, Some(Class::Text)) => "[x, xa]",
        (ValueKind::Prefix | ValueKind::Postfix, _) => "[/b, /b/c, x]",
        (ValueKind::Above | ValueKind::Below, _) => r#"["5", "7"]"#,
        (ValueKind::Bits, _) => r#"["6"]"#,
        (ValueKind::Range | ValueKind::Set, _) => r#"["5:7", "9:9"]"#,
        (ValueKind::Port, _) => r#"["80", "8000:9000"]"#,
        (ValueKind::Address, _) => r#"["10.0.0.0/8", "::1"]"#,
        (ValueKind::Protocol, _) => r#"["IPPROTO_TCP", "17"]"#,
        (ValueKind::Family, _) => r#"["AF_INET", "10"]"#,
        (ValueKind::State, _) => r#"["TCP_LISTEN", "1:2"]"#,
        (ValueKind::Nothing, _) => "[]",
        (kind, class) => panic!("{op} ({kind:?}) is compiled on {class:?}: give it values"),
    }
}
