use super::*;

/// A policy whose spec is `spec`, in flow style so that a case fits a line.
fn policy(spec: &str) -> String {
    format!("kind: TracingPolicy\nmetadata: {{name: a}}\nspec: {{{spec}}}\n")
}

/// What is said of `spec` but what is not compiled: `code severity text`.
fn said(spec: &str) -> Vec<String> {
    let found = findings(&policy(spec));
    let found = found.into_iter().filter(|f| !f.contains(" not-compiled ") || f.starts_with("TF0499"));
    found
        .map(|f| {
            let mut words = f.splitn(4, ' ');
            let (code, severity) = (words.next().unwrap(), words.next().unwrap());
            format!("{code} {severity} {}", words.nth(1).unwrap_or(""))
        })
        // Short texts are for every process, and expressions are those of every release.
        .filter(|found| !found.starts_with("TF0723") && !found.starts_with("TF0144"))
        .collect()
}

fn kprobe(rest: &str) -> String {
    format!("kprobes: [{{call: f, syscall: false, {rest}}}]")
}

/// A kprobe whose argument 0 is of the type and is matched so.
fn matched(ty: &str, op: &str, values: &str) -> String {
    kprobe(&format!(
        "args: [{{index: 0, type: {ty}}}], selectors: [{{matchArgs: [{{index: 0, operator: {op}, values: [{values}]}}]}}]"
    ))
}

fn selector(rest: &str) -> String {
    kprobe(&format!("args: [{{index: 0, type: file}}], selectors: [{{{rest}}}]"))
}

fn check(cases: &[(String, &str)]) {
    for (spec, finding) in cases {
        let expected: Vec<&str> = if finding.is_empty() { vec![] } else { vec![*finding] };
        assert_eq!(said(spec), expected, "{spec}");
    }
}

#[test]
fn hooks() {
    check(&[
        ("kprobes: [{call: sys_read}], tracepoints: []".into(), ""),
        ("kprobes: [{call: sys_read}], fentries: [{call: sys_read}]".into(), "TF0114 error fentries"),
        (kprobe("data: [{index: 0, type: int, resolve: pid}]"), "TF0210 error index"),
        (kprobe("data: [{index: 0, type: int, source: current_task}]"), "TF0210 error index"),
        (kprobe("data: [{index: 0, type: int, source: pt_regs, resolve: rax}]"), ""),
        (kprobe("data: [{index: 0, type: int, source: pt_regs, resolve: foo}]"), "TF0210 error foo"),
        (kprobe("data: [{index: 0, source: pt_regs, resolve: rax}]"), "TF0203 error index"),
        (kprobe("data: [{index: 0, source: current_task, resolve: mm.owner}]"), ""),
        (kprobe("args: [{index: 0, type: int, source: current_task}]"), "TF0210 error current_task"),
        (kprobe("args: [{index: 0, type: syscall64}]"), "TF0203 error syscall64"),
        (kprobe("args: [{index: 0, type: int, sizeArgIndex: 16}]"), "TF0202 error 16"),
        (kprobe("args: [{index: 0, type: file, resolve: \"a..b\"}]"), "TF0210 error \"a..b\""),
        (kprobe("args: [{index: 0, type: file, resolve: a.b.c.d.e.f.g.h.i.j.k}]"), "TF0210 error a.b.c.d.e.f.g.h.i.j.k"),
        (kprobe("return: true, returnArg: {index: 0, type: bpf_cmd}"), "TF0203 error bpf_cmd"),
        (kprobe("return: true, returnArg: {index: 0}"), "TF0203 error index"),
        (kprobe("return: true, returnArg: {index: 0, type: nop}"), ""),
        (kprobe("return: true, returnArg: {index: 0, type: sock}, returnArgAction: Track"), "TF0106 error Track"),
        (kprobe("return: true, returnArg: {index: 0, type: sock}, returnArgAction: tracksock"), ""),
        (kprobe("returnArgAction: TrackSock"), "TF0706 warning TrackSock"),
        ("kprobes: [{call: sys_read, args: [{index: 0, type: int, resolve: a}]}]".into(), "TF0210 error a"),
        ("kprobes: [{call: sys_read, args: [{index: 0, type: int, resolve: a, btfType: task_struct}]}]".into(), ""),
        ("kprobes: [{call: __x64_sys_read, args: [{index: 1, type: int, resolve: a}]}]".into(), "TF0210 error a"),
        ("fentries: [{call: f, syscall: false, selectors: [{matchActions: [{action: Sigkill}]}]}]".into(), "TF0401 error Sigkill"),
        ("tracepoints: [{subsystem: a, event: b, args: [{index: 0, type: const_buf}]}]".into(), "TF0203 error const_buf"),
        ("tracepoints: [{subsystem: a, event: b, args: [{index: 9}]}]".into(), ""),
        ("tracepoints: [{subsystem: a, event: b, raw: true, args: [{index: 0}]}]".into(), "TF0203 error index"),
        ("tracepoints: [{subsystem: a, event: b, raw: true, args: [{index: 6, type: int}]}]".into(), "TF0202 error 6"),
        ("tracepoints: [{subsystem: a, event: b, args: [{index: 5, type: fd}]}]".into(), "TF0706 warning fd"),
        ("lsmhooks: [{hook: file_open, args: [{index: 0, type: bpf_cmd}]}]".into(), "TF0203 error bpf_cmd"),
        ("lsmhooks: [{hook: file_open, args: [{index: 0, resolve: f_path}]}]".into(), ""),
        ("uprobes: [{path: /a, symbols: [a], refCtrOffsets: [1, 2]}]".into(), "TF0124 error [1, 2]"),
        ("uprobes: [{path: /a, symbols: [\"a+0x10\"]}]".into(), ""),
        ("uprobes: [{path: /a, symbols: [\"a+b\"]}]".into(), "TF0124 error \"a+b\""),
        ("uprobes: [{path: /a, symbols: [\"a+1+2\"]}]".into(), "TF0124 error \"a+1+2\""),
        ("uprobes: [{path: /a, symbols: [a], binaryDigests: [\"md5:00\"]}]".into(), "TF0124 error \"md5:00\""),
        ("uprobes: [{path: /a, symbols: [a], binaryDigests: [\"SHA1:0123456789abcdef0123456789abcdef01234567\"]}]".into(), ""),
        ("usdts: [{path: /a, provider: b, name: c, selectors: [{matchActions: [{action: DnsLookup, argFqdn: a}]}]}]".into(), "TF0401 error DnsLookup"),
        ("enforcers: [{calls: [sys_a]}, {calls: [sys_b]}]".into(), "TF0121 error calls"),
        ("enforcers: [{calls: [security_a]}], options: [{name: override-method, value: override-return}]".into(), "TF0121 error security_a"),
        ("loader: true, hostSelector: {}".into(), "TF0125 error true"),
        ("loader: true".into(), ""),
    ]);
}

#[test]
fn lists() {
    let list = |list: &str, call: &str| {
        format!("lists: [{{name: l, {list}}}], kprobes: [{{call: \"{call}\", syscall: false}}]")
    };
    check(&[
        (list("values: [f, g]", "list:l"), ""),
        (list("values: [f, g]", "list:m"), "TF0116 error \"list:m\""),
        (list("type: syscalls, values: [sys_a, x64/sys_b, i386/__ia32_sys_c]", "list:l"), ""),
        (list("type: syscalls, values: [ksys_read]", "list:l"), "TF0117 error ksys_read"),
        (list("type: syscalls, values: [x64/i386/sys_a]", "list:l"), "TF0117 error x64/i386/sys_a"),
        (list("type: syscalls, values: [arm64/__x64_sys_a]", "list:l"), "TF0117 error arm64/__x64_sys_a"),
        (list("type: syscalls, values: [mips/sys_a]", "list:l"), "TF0117 error mips/sys_a"),
        (list("type: generated_syscalls, values: [sys_a]", "f"), "TF0117 error [sys_a]"),
        (list("type: generated_ftrace, pattern: \"\"", "f"), "TF0117 error \"\""),
        (list("type: generated_ftrace, pattern: \"^ksys\"", "list:l"), ""),
        (list("validated: true", "f"), "TF0117 error true"),
        (
            "lists: [{name: l, values: [f]}, {name: l}], kprobes: [{call: \"list:l\", syscall: false}]"
                .into(),
            "TF0706 warning l",
        ),
    ]);
}

#[test]
fn a_list_of_functions_is_one_hook_each() {
    let spec = "lists: [{name: l, type: syscalls, values: [sys_a, x64/__x64_sys_b]}], kprobes: [{call: \"list:l\", syscall: false}]";
    let set = set(&policy(spec));
    let calls: Vec<_> = set.policies[0].hooks.iter().map(|hook| hook.call.clone()).collect();
    // A list of syscalls makes the hook one on syscalls, whatever it says.
    let syscall = |function: &str| HookCall::Kprobe { function: function.into(), syscall: true };
    assert_eq!(calls, [syscall("__x64_sys_a"), syscall("__x64_sys_b")]);
}

#[test]
fn macros() {
    let spec = |macros: &str, own: &str| format!("selectorsMacros: {{m: {{{macros}}}}}, {}", selector(own));
    check(&[
        (spec("matchActions: [{action: NoPost}]", "macros: [m]"), ""),
        (spec("matchActions: [{action: NoPost}]", "macros: [other]"), "TF0120 error other"),
        (spec("macros: [m]", "macros: [m]"), "TF0120 error [m]"),
        (
            spec("matchActions: [{action: NoPost}]", "matchActions: [{action: Post}], macros: [m]"),
            "TF0120 error m",
        ),
        (spec("matchActions: [{action: NoPost}]", "matchActions: [], macros: [m]"), ""),
        (spec("matchArgs: [{index: 3, operator: Equal, values: [a]}]", ""), ""),
        (spec("matchArgs: [{index: 3, operator: Equal, values: [/a]}]", "macros: [m]"), "TF0205 error 3"),
    ]);
    let (quiet, _) =
        run(&policy(&spec("matchActions: [{action: NoPost}]", "macros: [m]")), &ResolveOptions::default());
    assert!(!quiet.unwrap().policies[0].hooks[0].selectors[0].actions.post, "expanded before it is compiled");
}

#[test]
fn process_filters() {
    let s = |rest: &str| selector(rest);
    check(&[
        (s("matchPIDs: [{operator: In, values: [1, 2, 3, 4]}]"), ""),
        (
            s("matchPIDs: [{operator: In, values: [1]}, {operator: NotIn, values: [2]}]"),
            "TF0706 warning operator",
        ),
        (s("matchPIDs: [{operator: In, values: [1, 2, 3, 4, 5]}]"), "TF0706 warning 5"),
        (s("matchPIDs: [{operator: In, values: [-1]}]"), "TF0105 error -1"),
        (s("matchPIDs: [{operator: In, values: []}]"), "TF0704 warning []"),
        (
            s("matchPIDs: [{operator: NotIn, values: [0, 1], isNamespacePID: true, followForks: true}]"),
            "TF0704 warning 0",
        ),
        (s("matchBinaries: [{operator: In, values: [/a]}]"), ""),
        (
            s("matchBinaries: [{operator: In, values: [/a]}, {operator: In, values: [/b]}]"),
            "TF0107 error {operator: In, values: [/b]}",
        ),
        (s("matchBinaries: [{operator: Equal, values: [/a]}]"), "TF0106 error Equal"),
        (s("matchBinaries: [{operator: Prefix, values: [/a], followChildren: true}]"), "TF0214 error true"),
        (
            s(&format!("matchBinaries: [{{operator: In, values: [/{}]}}]", "x".repeat(255))),
            &format!("TF0209 error /{}", "x".repeat(255)),
        ),
        (s("matchNamespaces: [{namespace: Pid, operator: In, values: [\"4026531836\", host_ns]}]"), ""),
        (s("matchNamespaces: [{namespace: pid, operator: In, values: [host_ns]}]"), "TF0106 error pid"),
        (s("matchNamespaces: [{namespace: Pid, operator: In, values: [\"0x10\"]}]"), "TF0206 error \"0x10\""),
        (
            s(
                "matchNamespaces: [{namespace: Pid, operator: In, values: [\"1\", \"2\", \"3\", \"4\", \"5\"]}]",
            ),
            "TF0207 error \"5\"",
        ),
        (s("matchNamespaceChanges: [{operator: In, values: [mnt, User]}]"), ""),
        (s("matchNamespaceChanges: [{operator: In, values: [Mount]}]"), "TF0106 error Mount"),
        (
            s("matchNamespaceChanges: [{operator: In, values: [Mnt]}, {operator: In, values: [Mnt]}]"),
            "TF0211 error operator",
        ),
        (s("matchCapabilities: [{operator: In, values: [cap_sys_admin]}]"), ""),
        (s("matchCapabilities: [{operator: In, values: [CAP_SYS_ADMN]}]"), "TF0106 error CAP_SYS_ADMN"),
        (
            s("matchCapabilities: [{type: effective, operator: In, values: [CAP_BPF]}]"),
            "TF0106 error effective",
        ),
        (
            s(
                "matchCapabilityChanges: [{operator: In, values: [CAP_BPF]}, {operator: In, values: [CAP_BPF]}]",
            ),
            "TF0706 warning operator",
        ),
        (s("matchWorkloads: {hostSelector: {matchLabels: {a: b}}}"), "TF0301 error matchLabels"),
        (s("matchWorkloads: {podSelector: {matchLabels: {a: b}}, hostSelector: {}}"), ""),
    ]);
}

#[test]
fn values() {
    let m = matched;
    check(&[
        (m("int", "GT", "\"1\""), ""),
        (m("string", "GT", "\"1\""), "TF0204 error GT"),
        (m("cap_effective", "Mask", "\"CAP_BPF,CAP_SYS_ADMIN\""), ""),
        (m("cap_effective", "Mask", "\"CAP_BPF,CAP_X\""), "TF0106 error \"CAP_BPF,CAP_X\""),
        (m("int", "InRange", "\"1:0x10\""), ""),
        (m("int", "InRange", "\"1\""), "TF0206 error \"1\""),
        (m("int", "InRange", "\"1:4294967296\""), "TF0206 error \"1:4294967296\""),
        (m("int", "InRange", "\"5:1\""), "TF0704 warning \"5:1\""),
        (m("int", "InMap", "\"1\", \"5:1\""), ""),
        (m("int", "InMap", "\"0x1\""), "TF0206 error \"0x1\""),
        (m("int", "InMap", "\"-1\""), "TF0704 warning \"-1\""),
        (m("int64", "InMap", "\"-1\""), ""),
        (m("uint32", "InMap", "\"-1\""), "TF0206 error \"-1\""),
        (m("int", "InMap", "\"list:l\""), "TF0206 error \"list:l\""),
        (m("file", "SubString", &"x".repeat(99)), ""),
        (m("file", "SubString", &"x".repeat(100)), &format!("TF0209 error {}", "x".repeat(100))),
        (m("filename", "Prefix", "/a"), "TF0705 warning Prefix"),
        (m("sock", "DAddr", "\"10.0.0.0/8\", \"::1\""), ""),
        (m("sock", "DAddr", "\"10.0.0.0/33\""), "TF0206 error \"10.0.0.0/33\""),
        (m("sockaddr", "DAddr", "\"::1\""), "TF0204 error DAddr"),
        (m("sock", "DPort", "\"80\", \"1000:2000\""), ""),
        (m("sock", "DPort", "http"), "TF0206 error http"),
        (m("sock", "DPort", "\"65536\""), "TF0704 warning \"65536\""),
        (m("sock", "SPortPriv", ""), ""),
        (m("sock", "NotSPortPriv", ""), "TF0106 error NotSPortPriv"),
        (m("sock", "Protocol", "IPPROTO_TCP, \"58\""), ""),
        (m("sock", "Protocol", "IPPROTO_ICMPV6"), "TF0106 error IPPROTO_ICMPV6"),
        (m("sock", "Family", "AF_INET6, \"2\""), ""),
        (m("sock", "Family", "AF_LOCAL"), "TF0106 error AF_LOCAL"),
        (m("sock", "State", "TCP_LISTEN"), ""),
        (m("sock", "State", "tcp_listen"), "TF0106 error tcp_listen"),
        (m("skb", "State", "TCP_LISTEN"), "TF0704 warning State"),
        (m("file", "FileType", "reg, dir"), ""),
        (m("file", "FileType", "REG"), "TF0106 error REG"),
        (m("fd", "FileType", "reg"), "TF0204 error FileType"),
        (m("bpf_cmd", "Equal", "\"1\""), "TF0204 error Equal"),
        (m("capability", "Equal", "\"1\""), "TF0204 error Equal"),
        (m("file", "Equal", "bin/sh"), "TF0704 warning bin/sh"),
        (m("file", "Postfix", "bin/sh"), ""),
        (m("\"char_buf\", sizeArgIndex: 2", "Equal", "\"a\\0\""), ""),
        (m("int64", "CelExpr", "\"arg0 > 1\""), ""),
        (m("int64", "CelExpr", "\"arg0\""), "TF0212 error \"arg0\""),
        (m("int64", "CelExpr", "\"arg0 > 1\", \"true\""), "TF0212 error \"true\""),
    ]);
    let lsm = "lsmhooks: [{hook: a, args: [{index: 0, type: int64}], selectors: [{matchArgs: [{operator: CelExpr, values: [\"arg0 > 1\"]}]}]}]";
    check(&[(lsm.into(), "TF0704 warning CelExpr")]);
}

#[test]
fn lists_in_values_need_a_tracepoint_and_a_syscall() {
    let spec = |list: &str, ty: &str| {
        format!(
            "lists: [{{name: l, {list}}}], tracepoints: [{{subsystem: a, event: b, args: [{{index: 4, type: {ty}}}], \
             selectors: [{{matchArgs: [{{index: 4, operator: InMap, values: [\"list:l\"]}}]}}]}}]"
        )
    };
    check(&[
        (spec("type: syscalls, values: [sys_a]", "syscall64"), ""),
        (spec("type: syscalls, values: [sys_a]", "uint64"), "TF0206 error \"list:l\""),
        (spec("values: [sys_a]", "syscall64"), "TF0117 error \"list:l\""),
    ]);
}

#[test]
fn targets() {
    let filters = |rest: &str| {
        kprobe(&format!(
            "args: [{{index: 1, type: cap_effective}}, {{index: 2, type: cap_permitted}}, {{index: 3, type: int}}], \
             return: true, returnArg: {{index: 0, type: int}}, \
             data: [{{index: 7, type: int, source: current_task, resolve: pid}}], selectors: [{{{rest}}}]"
        ))
    };
    check(&[
        (filters("matchData: [{index: 0, operator: Equal, values: [\"1\"]}]"), ""),
        (filters("matchData: [{index: 7, operator: Equal, values: [\"1\"]}]"), "TF0205 error 7"),
        (filters("matchReturnArgs: [{operator: Equal, values: [\"1\"]}]"), ""),
        (filters("matchReturnArgs: [{index: 1, operator: Equal, values: [\"1\"]}]"), "TF0205 error 1"),
        (filters("matchReturnArgs: [{args: [0], operator: Equal, values: [x]}]"), "TF0206 error x"),
        (filters("matchArgs: [{args: [2], operator: Equal, values: [\"1\"]}]"), ""),
        (filters("matchArgs: [{args: [3], operator: Equal, values: [\"1\"]}]"), "TF0205 error 3"),
        (filters("matchArgs: [{args: [0, 1], operator: CapabilitiesGained}]"), ""),
        (filters("matchArgs: [{args: [0], operator: CapabilitiesGained}]"), "TF0205 error [0]"),
        (
            filters("matchArgs: [{args: [0, 2], operator: CapabilitiesGained}]"),
            "TF0204 error CapabilitiesGained",
        ),
    ]);
}

#[test]
fn actions() {
    let a = |action: &str| selector(&format!("matchActions: [{{{action}}}]"));
    let lsm = |action: &str| {
        format!("lsmhooks: [{{hook: file_open, selectors: [{{matchActions: [{{{action}}}]}}]}}]")
    };
    let uprobe = |actions: &str| {
        format!("uprobes: [{{path: /a, symbols: [b], selectors: [{{matchActions: [{actions}]}}]}}]")
    };
    check(&[
        (a("action: Post, rateLimit: \"1m\", rateLimitScope: global"), ""),
        (a("action: Post, rateLimit: \"1m\", rateLimitScope: Global"), "TF0106 error Global"),
        (a("action: Post, rateLimitScope: x"), "TF0706 warning x"),
        (a("action: Post, rateLimit: 1d"), "TF0404 error 1d"),
        (a("action: Sigkill, rateLimit: \"1\""), "TF0404 error \"1\""),
        (a("action: Sigkill, userStackTrace: true"), "TF0406 error true"),
        (a("action: Sigkill, argSig: 9"), "TF0706 warning 9"),
        (a("action: Set, argIndex: 0, argValue: 1"), "TF0707 warning Set"),
        (a("action: TrackSock, argSock: 1"), "TF0707 warning 1"),
        (a("action: NotifyEnforcer, argError: -1"), "TF0405 error NotifyEnforcer"),
        (lsm("action: Post, userStackTrace: true"), "TF0406 error true"),
        (lsm("action: Post, imaHash: true"), ""),
        (a("action: Post, imaHash: true"), "TF0706 warning true"),
        (lsm("action: TrackSock"), "TF0401 error TrackSock"),
        (uprobe("{action: Override, argRegs: [\"rax=1\"]}"), ""),
        (uprobe("{action: Override, argRegs: [\"rax\"]}"), "TF0406 error \"rax\""),
        (uprobe("{action: Override}, {action: Override}"), "TF0406 error action"),
        (uprobe("{action: NotifyEnforcer}"), "TF0707 warning NotifyEnforcer"),
        (selector("matchReturnActions: [{action: Post}]"), "TF0706 warning [{action: Post}]"),
    ]);
}
