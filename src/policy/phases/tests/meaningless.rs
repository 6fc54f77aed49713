//! What Tetragon accepts and does not do as written: the list of the semantics, section 10.6, and the traps of
//! section 13, item by item with what is said of each. An item that is decided elsewhere says where.

use super::*;
use crate::diag::Code;

enum Held {
    /// Given this `spec`, exactly this is said: code and text, `TF0199` and `TF0501` aside.
    Said(&'static str, &'static [&'static str]),
    /// Why nothing is said, or where it is shown.
    Elsewhere(&'static str),
}

use Held::{Elsewhere, Said};

const NEEDS_BTF: Held = Elsewhere("only a kernel's types tell; TF0501 says that it was not checked");

/// Section 10.6.
const MEANINGLESS: &[(&str, Held)] = &[
    (
        "second matchPIDs entry",
        Said(
            "kprobes: [{call: sys_a, selectors: [{matchPIDs: [{operator: In, values: [1]}, {operator: In, values: [2]}]}]}]",
            &["TF0706 operator"],
        ),
    ),
    (
        "second matchCapabilities entry",
        Said(
            "kprobes: [{call: sys_a, selectors: [{matchCapabilities: [{operator: In, values: [CAP_BPF]}, {operator: In, values: [CAP_BPF]}]}]}]",
            &["TF0706 operator"],
        ),
    ),
    (
        "second matchCapabilityChanges entry",
        Said(
            "kprobes: [{call: sys_a, selectors: [{matchCapabilityChanges: [{operator: In, values: [CAP_BPF]}, {operator: In, values: [CAP_BPF]}]}]}]",
            &["TF0706 operator"],
        ),
    ),
    (
        "more than 4 PID values",
        Said(
            "kprobes: [{call: sys_a, selectors: [{matchPIDs: [{operator: In, values: [1, 2, 3, 4, 5]}]}]}]",
            &["TF0706 5"],
        ),
    ),
    (
        "Prefix on filename, kiocb, cred",
        Said(
            "kprobes: [{call: f, syscall: false, args: [{index: 0, type: filename}, {index: 1, type: kiocb}, {index: 2, type: cred}], \
             selectors: [{matchArgs: [{index: 0, operator: Prefix, values: [/a]}, {index: 1, operator: Postfix, values: [/a]}, {index: 2, operator: NotPrefix, values: [/a]}]}]}]",
            &["TF0705 Prefix", "TF0705 Postfix", "TF0705 NotPrefix"],
        ),
    ),
    (
        "Prefix on integers",
        Said(
            "kprobes: [{call: f, syscall: false, args: [{index: 0, type: int}], selectors: [{matchArgs: [{index: 0, operator: Prefix, values: [\"1\"]}]}]}]",
            &["TF0704 Prefix"],
        ),
    ),
    (
        "State on skb",
        Said(
            "kprobes: [{call: f, syscall: false, args: [{index: 0, type: skb}], selectors: [{matchArgs: [{index: 0, operator: State, values: [TCP_LISTEN]}]}]}]",
            &["TF0704 State"],
        ),
    ),
    (
        "CelExpr outside kprobe and uprobe entry",
        Said(
            "lsmhooks: [{hook: f, args: [{index: 0, type: int64}], selectors: [{matchArgs: [{operator: CelExpr, values: [\"arg0 > 1\"]}]}]}]",
            &["TF0704 CelExpr"],
        ),
    ),
    (
        "matchReturnArgs without return",
        Said(
            "kprobes: [{call: sys_a, selectors: [{matchReturnArgs: [{index: 0, operator: Equal, values: [\"1\"]}]}]}]",
            &["TF0706 [{index: 0, operator: Equal, values: [\"1\"]}]"],
        ),
    ),
    (
        "return selectors on tracepoints",
        Said(
            "tracepoints: [{subsystem: a, event: b, selectors: [{matchReturnActions: [{action: Post}]}]}]",
            &["TF0706 [{action: Post}]"],
        ),
    ),
    (
        "Override on tracepoints",
        Said(
            "tracepoints: [{subsystem: a, event: b, selectors: [{matchActions: [{action: Override, argError: -1}]}]}]",
            &["TF0707 Override"],
        ),
    ),
    (
        "Override on USDT probes",
        Said(
            "usdts: [{path: /a, provider: b, name: c, selectors: [{matchActions: [{action: Override, argError: -1}]}]}]",
            &["TF0707 Override"],
        ),
    ),
    (
        "NotifyEnforcer on uprobes",
        Said(
            "uprobes: [{path: /a, symbols: [b], selectors: [{matchActions: [{action: NotifyEnforcer, argError: -1}]}]}]",
            &["TF0707 NotifyEnforcer"],
        ),
    ),
    (
        "NotifyEnforcer on raw tracepoints",
        Said(
            "tracepoints: [{subsystem: a, event: b, raw: true, selectors: [{matchActions: [{action: NotifyEnforcer, argError: -1}]}]}]",
            &["TF0707 NotifyEnforcer"],
        ),
    ),
    (
        "maxData and a filter",
        Said(
            "kprobes: [{call: f, syscall: false, args: [{index: 0, type: char_buf, sizeArgIndex: 2, maxData: true}], selectors: [{matchArgs: [{index: 0, operator: Prefix, values: [a]}]}]}]",
            &["TF0704 Prefix"],
        ),
    ),
    (
        "maxData and returnCopy",
        Said(
            "kprobes: [{call: f, syscall: false, args: [{index: 0, type: char_buf, sizeArgIndex: 2, maxData: true, returnCopy: true}]}]",
            &["TF0706 true"],
        ),
    ),
    (
        "rateLimitScope without rateLimit",
        Said(
            "kprobes: [{call: sys_a, selectors: [{matchActions: [{action: Post, rateLimitScope: global}]}]}]",
            &["TF0706 global"],
        ),
    ),
    ("unknown options", Said("options: [{name: policy-mod, value: monitor}]", &["TF0703 policy-mod"])),
    (
        "NUL suffix on path values",
        Said(
            "kprobes: [{call: f, syscall: false, args: [{index: 0, type: file}], selectors: [{matchArgs: [{index: 0, operator: Equal, values: [\"/a\\0\"]}]}]}]",
            &["TF0704 \"/a\\0\""],
        ),
    ),
    (
        "reversed InRange",
        Said(
            "kprobes: [{call: f, syscall: false, args: [{index: 0, type: int}], selectors: [{matchArgs: [{index: 0, operator: InRange, values: [\"5:1\"]}]}]}]",
            &["TF0704 \"5:1\""],
        ),
    ),
    (
        "port above 65535",
        Said(
            "kprobes: [{call: f, syscall: false, args: [{index: 0, type: sock}], selectors: [{matchArgs: [{index: 0, operator: DPort, values: [\"65536\"]}]}]}]",
            &["TF0704 \"65536\""],
        ),
    ),
    (
        "enforcing actions only in macros",
        Said(
            "selectorsMacros: {m: {matchActions: [{action: Sigkill}]}}, kprobes: [{call: sys_a, selectors: [{macros: [m]}]}]",
            &["TF0715 Sigkill"],
        ),
    ),
    (
        "enforcing actions only in return actions",
        Said(
            "kprobes: [{call: sys_a, return: true, returnArg: {index: 0, type: int}, selectors: [{matchReturnActions: [{action: Sigkill}]}]}]",
            &["TF0715 Sigkill"],
        ),
    ),
    (
        "value 0 with isNamespacePID and followForks",
        Said(
            "kprobes: [{call: sys_a, selectors: [{matchPIDs: [{operator: NotIn, values: [0, 1], isNamespacePID: true, followForks: true}]}]}]",
            &["TF0704 0"],
        ),
    ),
    (
        "the same, In",
        Said(
            "kprobes: [{call: sys_a, selectors: [{matchPIDs: [{operator: In, values: [0, 1], isNamespacePID: true, followForks: true}]}]}]",
            &["TF0705 0"],
        ),
    ),
    (
        "fd or any object type on a tracepoint's field",
        Said(
            "tracepoints: [{subsystem: a, event: b, args: [{index: 5, type: fd}, {index: 6, type: cred}, {index: 7, type: net_device}, {index: 8, type: sock}]}]",
            &["TF0706 fd", "TF0706 cred", "TF0706 net_device"],
        ),
    ),
    (
        "returnArgAction without return",
        Said("kprobes: [{call: sys_a, returnArgAction: TrackSock}]", &["TF0706 TrackSock"]),
    ),
    ("resolve whose BTF type differs from type", NEEDS_BTF),
    (
        "empty values",
        Said(
            "kprobes: [{call: f, syscall: false, args: [{index: 0, type: file}], selectors: [{matchArgs: [{index: 0, operator: Equal, values: []}]}]}]",
            &["TF0208 []"],
        ),
    ),
    (
        "empty values of matchBinaries",
        Said(
            "kprobes: [{call: sys_a, selectors: [{matchBinaries: [{operator: In, values: []}]}]}]",
            &["TF0706 []"],
        ),
    ),
    (
        "empty values of matchNamespaces",
        Said(
            "kprobes: [{call: sys_a, selectors: [{matchNamespaces: [{namespace: Pid, operator: In, values: []}]}]}]",
            &["TF0704 []"],
        ),
    ),
    (
        "sizeArgIndex on raw tracepoints",
        Said(
            "tracepoints: [{subsystem: a, event: b, raw: true, args: [{index: 0, type: char_buf, sizeArgIndex: 2}]}]",
            &["TF0706 2"],
        ),
    ),
    ("argument index beyond the prototype", NEEDS_BTF),
    ("type mismatches", NEEDS_BTF),
    ("validated: true in lists", Said("lists: [{name: l, values: [a], validated: true}]", &["TF0117 true"])),
    (
        "hidden selector overflow",
        Elsewhere("`selectors_beyond_what_tetragon_addresses_are_pointed_out`, TF0715"),
    ),
];

/// Section 13, where an item is not one of the above.
const TRAPS: &[(&str, Held)] = &[
    ("1. syscall defaults to true", Said("kprobes: [{call: fd_install}]", &["TF0115 fd_install"])),
    (
        "2. unquoted numbers",
        Said(
            "kprobes: [{call: f, syscall: false, args: [{index: 0, type: int}], selectors: [{matchArgs: [{index: 0, operator: Equal, values: [1]}]}]}]",
            &["TF0104 1"],
        ),
    ),
    (
        "3. spelling of field names",
        Said("kprobes: [{call: sys_a, selectors: [{matchPids: []}]}]", &["TF0702 matchPids"]),
    ),
    ("4. unknown options", Elsewhere("10.6")),
    (
        "5. first matching selector only",
        Said(
            "kprobes: [{call: f, syscall: false, args: [{index: 0, type: file}], selectors: [\
             {matchArgs: [{index: 0, operator: Prefix, values: [/etc/]}]}, {matchArgs: [{index: 0, operator: Equal, values: [/etc/a]}]}]}]",
            &["TF0711 matchArgs"],
        ),
    ),
    (
        "6. Sigkill posts, NoPost does not",
        Said(
            "kprobes: [{call: sys_a, selectors: [{matchActions: [{action: NoPost}, {action: Post}]}]}]",
            &["TF0707 Post"],
        ),
    ),
    ("7. BTF mismatches", NEEDS_BTF),
    (
        "8. NotSportPriv",
        Said(
            "kprobes: [{call: f, syscall: false, args: [{index: 0, type: sock}], selectors: [{matchArgs: [{index: 0, operator: NotSPortPriv}]}]}]",
            &["TF0106 NotSPortPriv"],
        ),
    ),
    (
        "9. InMap is decimal",
        Said(
            "kprobes: [{call: f, syscall: false, args: [{index: 0, type: int}], selectors: [{matchArgs: [{index: 0, operator: InMap, values: [\"0x1\"]}]}]}]",
            &["TF0206 \"0x1\""],
        ),
    ),
    (
        "10. int8 and int16 compare without sign",
        Said(
            "kprobes: [{call: f, syscall: false, args: [{index: 0, type: int8}], selectors: [{matchArgs: [{index: 0, operator: Equal, values: [\"200\"]}]}]}]",
            &["TF0710 \"200\""],
        ),
    ),
    (
        "11. negative members of InMap",
        Said(
            "kprobes: [{call: f, syscall: false, args: [{index: 0, type: int}], selectors: [{matchArgs: [{index: 0, operator: InMap, values: [\"-1\"]}]}]}]",
            &["TF0704 \"-1\""],
        ),
    ),
    ("12. negations on what cannot be read", Elsewhere("DIFFERENCES.md: true where the selector enforces")),
    ("13. trailing NULs", Elsewhere("10.6")),
    (
        "14. filename and kiocb cannot be filtered",
        Said(
            "kprobes: [{call: f, syscall: false, args: [{index: 0, type: filename}], selectors: [{matchArgs: [{index: 0, operator: Equal, values: [/a]}]}]}]",
            &["TF0204 Equal"],
        ),
    ),
    ("15. one entry", Elsewhere("10.6")),
    ("16. kprobe.multi shares tables by mistake", Elsewhere("done right: every hook has its own tables")),
    (
        "17. Override on other functions",
        Said(
            "kprobes: [{call: f, syscall: false, selectors: [{matchActions: [{action: Override, argError: -1}]}]}]",
            &["TF0402 Override"],
        ),
    ),
    (
        "18. Override of an LSM hook is clamped",
        Said(
            "lsmhooks: [{hook: file_open, selectors: [{matchActions: [{action: Override, argError: 1}]}]}]",
            &["TF0707 1"],
        ),
    ),
    ("19. modes ignore macros", Elsewhere("10.6")),
    ("20. return events are merged", Elsewhere("returns are not compiled yet, TF0199")),
    (
        "21. index of a field and a position",
        Said(
            "tracepoints: [{subsystem: a, event: b, args: [{index: 7, type: int32}, {index: 0, type: int32}], selectors: [{matchArgs: [{index: 0, operator: Equal, values: [\"1\"]}]}]}]",
            &["TF0714 0"],
        ),
    ),
    ("22. CelExpr", Elsewhere("10.6")),
    (
        "23. argSock is a position",
        Said(
            "kprobes: [{call: f, syscall: false, args: [{index: 3, type: sock}], selectors: [{matchActions: [{action: TrackSock, argSock: 3}]}]}]",
            &["TF0707 3"],
        ),
    ),
    ("24. policy numbers collide", Elsewhere("numbers of an artifact are its own")),
    ("25. LSM hooks without selectors", Said("lsmhooks: [{hook: file_open}]", &["TF0715 file_open"])),
    ("26. matchPIDs 0", Elsewhere("10.6")),
    (
        "27. resolve needs the prefixed name",
        Said("kprobes: [{call: sys_read, args: [{index: 0, type: int, resolve: a}]}]", &["TF0210 a"]),
    ),
    ("28. namespaces and nulls", Said("kprobes: ~", &["TF0701 ~"])),
    ("29. list: in InMap needs syscall64", Elsewhere("`lists_in_values_need_a_tracepoint_and_a_syscall`")),
    (
        "30. CelExpr never mixes types",
        Said(
            "kprobes: [{call: f, syscall: false, args: [{index: 0, type: int}], selectors: [{matchArgs: [{operator: CelExpr, values: [\"arg0 == 1\"]}]}]}]",
            &["TF0212 \"arg0 == 1\""],
        ),
    ),
    ("31. fd on tracepoints", Elsewhere("10.6")),
    ("32. rules test presence", Said("uprobes: [{path: /a, symbols: [], addrs: [1]}]", &["TF0110 addrs"])),
    ("33. y and n are booleans", Said("kprobes: [{call: y}]", &["TF0104 y"])),
];

/// Further places of the semantics.
const OTHERS: &[(&str, Held)] = &[
    (
        "5.2 Mask with 0",
        Said(
            "kprobes: [{call: f, syscall: false, args: [{index: 0, type: int}], selectors: [{matchArgs: [{index: 0, operator: Mask, values: [\"0\"]}]}]}]",
            &["TF0704 \"0\""],
        ),
    ),
    (
        "1.9 an option twice",
        Said(
            "options: [{name: policy-mode, value: monitor}, {name: policy-mode, value: enforce}]",
            &["TF0706 policy-mode"],
        ),
    ),
    (
        "2.2 two returnCopy",
        Said(
            "kprobes: [{call: f, syscall: false, args: [{index: 0, type: char_buf, returnCopy: y}, {index: 1, type: char_buf, returnCopy: true}]}]",
            &["TF0706 y"],
        ),
    ),
    (
        "3.2 a buffer without a size",
        Said(
            "kprobes: [{call: f, syscall: false, args: [{index: 0, type: char_buf}]}]",
            &["TF0706 char_buf"],
        ),
    ),
    (
        "6.1 one URL",
        Said(
            "kprobes: [{call: sys_a, selectors: [{matchActions: [{action: GetUrl, argUrl: a}, {action: GetUrl, argUrl: b}]}]}]",
            &["TF0707 GetUrl"],
        ),
    ),
    (
        "6.3 GetUrl needs the event",
        Said(
            "kprobes: [{call: sys_a, selectors: [{matchActions: [{action: GetUrl, argUrl: a}, {action: NoPost}]}]}]",
            &["TF0707 GetUrl"],
        ),
    ),
    (
        "6.3 signal 0",
        Said(
            "kprobes: [{call: sys_a, selectors: [{matchActions: [{action: Signal, argSig: 0}]}]}]",
            &["TF0707 Signal"],
        ),
    ),
    (
        "6.3 NotifyEnforcer with nothing",
        Said(
            "enforcers: [{calls: [sys_a]}], kprobes: [{call: sys_a, selectors: [{matchActions: [{action: NotifyEnforcer}]}]}]",
            &["TF0707 NotifyEnforcer"],
        ),
    ),
    (
        "6.3 two Overrides in one selector",
        Said(
            "lsmhooks: [{hook: file_open, selectors: [{matchActions: [{action: Override, argError: -1}, {action: Override, argError: -2}]}]}]",
            &["TF0707 Override"],
        ),
    ),
];

#[test]
fn every_item_of_the_semantics_is_held() {
    for (item, held) in MEANINGLESS.iter().chain(TRAPS).chain(OTHERS) {
        match held {
            Said(spec, expected) => assert_eq!(said(spec), *expected, "{item}: {spec}"),
            Elsewhere(where_) => assert!(!where_.is_empty(), "{item}"),
        }
    }
    assert_eq!(TRAPS.len(), 33);
}

/// Code and text of what is found, notes of lints too, but for what is not compiled or not checked.
pub fn said(spec: &str) -> Vec<String> {
    // What short texts have by the way, and `meant` is about.
    let by_the_way = ["TF0144", "TF0717", "TF0723"];
    said_all(spec)
        .into_iter()
        .filter(|found| !by_the_way.iter().any(|code| found.starts_with(code)))
        .collect()
}

pub fn said_all(spec: &str) -> Vec<String> {
    let text = format!("kind: TracingPolicy\nmetadata: {{name: a}}\nspec: {{{spec}}}\n");
    let (_, diags) = run(&text, &ResolveOptions::default());
    let found = diags.iter().filter(|d| {
        !matches!(d.code, Code::UNCHECKED | Code::LEFT_OUT) && d.severity != Severity::NotCompiled
    });
    let shown = |d: &Diagnostic| {
        let span = d.labels[0].span;
        format!("{} {}", d.code, &text[span.start as usize..span.end as usize])
    };
    found.map(shown).collect()
}

/// A selector with `filters` string filters and three Posts takes 124 + 60 * `filters` bytes, of which the last 76 are
/// the actions; the first one starts behind a number and the place of each.
#[test]
fn selectors_beyond_what_tetragon_addresses_are_pointed_out() {
    let spec = |selectors: usize, filters: usize| {
        let selector = |i: usize| {
            let filter = |j: usize| format!("{{index: 0, operator: Equal, values: [/{j}/{i}]}}");
            let filters: Vec<String> = (0..filters).map(filter).collect();
            format!(
                "{{matchArgs: [{}], matchActions: [{{action: Post}}, {{action: Post}}, {{action: Post}}]}}",
                filters.join(", ")
            )
        };
        let selectors: Vec<String> = (0..selectors).map(selector).collect();
        format!(
            "kprobes: [{{call: f, syscall: false, args: [{{index: 0, type: file}}], selectors: [{}]}}]",
            selectors.join(", ")
        )
    };
    let last_filter = |selectors: usize, filters: usize| {
        4 + 4 * selectors + (selectors - 1) * (124 + 60 * filters) + 48 + 60 * (filters - 1)
    };
    for (selectors, filters) in [(1, 5), (2, 5), (3, 5), (3, 4), (4, 3), (5, 1), (5, 2), (5, 5)] {
        let expected: &[&str] =
            if last_filter(selectors, filters) > 1023 { &["TF0715 matchArgs"] } else { &[] };
        assert_eq!(said(&spec(selectors, filters)), expected, "{selectors} {filters}");
    }
    assert!(last_filter(5, 2) > 1023 && last_filter(5, 1) < 1023);
}
