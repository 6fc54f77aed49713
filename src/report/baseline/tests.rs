//! The baseline against what the real agent took.

use super::*;
use crate::platform::KernelVersion;

const EXEC: &str = "security_bprm_creds_for_exec";

fn hook(kind: HookKind, overrides: bool, tables: Vec<ValueTable>) -> TetragonHook {
    TetragonHook { kind, overrides, selectors: 1, tables }
}

fn one(hook: TetragonHook) -> TetragonPolicy {
    TetragonPolicy { filtered: true, hooks: vec![hook] }
}

fn kprobe(overrides: bool) -> TetragonPolicy {
    let kind = HookKind::Kprobe { function: EXEC.into() };
    one(hook(kind, overrides, vec![ValueTable::Strings(vec![15, 15, 15])]))
}

fn lsm() -> TetragonPolicy {
    let kind = HookKind::Lsm { hook: "bprm_check_security".into() };
    one(hook(kind, true, vec![ValueTable::Strings(vec![15, 15, 15])]))
}

fn cost(policy: &TetragonPolicy, cpus: u32) -> BaselineTotals {
    let kernel = KernelProfile::of(KernelVersion::new(6, 12)).unwrap();
    objects::Costs::new(&kernel, cpus).unwrap().of(policy).unwrap()
}

fn run(policies: &[TetragonPolicy]) -> Baseline {
    let names: Vec<String> = (1..=policies.len()).map(|i| format!("policy-{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let policies: Vec<&TetragonPolicy> = policies.iter().collect();
    let kernel = KernelProfile::of(KernelVersion::new(6, 12)).unwrap();
    baseline(&names, &policies, &kernel, 1).unwrap()
}

/// Map memlock of one policy on 1, 2, 4 and 8 CPUs; maps, programs, program memlock.
#[test]
fn one_policy_of_each_kind_takes_what_was_measured() {
    let connect =
        hook(HookKind::Kprobe { function: "tcp_connect".into() }, false, vec![ValueTable::Addresses4(3)]);
    let measured = [
        (kprobe(true), [5_485_320, 5_566_104, 5_727_672, 6_050_808], (45, 8, 131_072)),
        (kprobe(false), [2_863_960, 2_944_744, 3_106_312, 3_429_448], (45, 7, 126_976)),
        (lsm(), [3_162_352, 3_243_472, 3_405_712, 3_730_192], (49, 7, 122_880)),
        (
            one(hook(HookKind::Tracepoint, false, vec![])),
            [2_828_488, 2_876_272, 2_971_840, 3_162_976],
            (42, 6, 143_360),
        ),
        (one(connect), [2_862_743, 2_943_399, 3_104_711, 3_427_335], (45, 7, 126_976)),
    ];
    for (policy, memlock, (maps, programs, program_memlock)) in measured {
        for (cpus, memlock) in [1, 2, 4, 8].into_iter().zip(memlock) {
            let cost = cost(&policy, cpus);
            assert_eq!((cost.maps, cost.programs), (maps, programs), "{policy:?}");
            assert_eq!(cost.memory.memlock_bytes, memlock + program_memlock, "{policy:?}, {cpus} CPUs");
            assert_eq!(cost.memory.memlock_bytes, cost.memory.memlock_least_bytes);
        }
    }
    // Without a selector there is no filter map; measured on one CPU.
    let without_selector = cost(&TetragonPolicy { filtered: false, ..kprobe(false) }, 1);
    assert_eq!((without_selector.maps, without_selector.memory.memlock_bytes), (44, 241_520 + 126_976));
}

/// Ten paths instead of three: one string map more and 1,960 bytes, measured.
#[test]
fn values_go_to_the_maps_of_their_lengths() {
    let kind = HookKind::Kprobe { function: EXEC.into() };
    let ten = one(hook(kind, true, vec![ValueTable::Strings(vec![20, 24, 22, 25, 30, 31, 32, 33, 40, 48])]));
    let (ten, three) = (cost(&ten, 1), cost(&kprobe(true), 1));
    assert_eq!(ten.maps, three.maps + 1);
    assert_eq!(ten.memory.memlock_bytes, three.memory.memlock_bytes + 1_960);
}

#[test]
fn memory_grows_with_the_policies_and_loading_stops_at_38_overrides() {
    let policies = vec![kprobe(true); 40];
    let all = run(&policies);
    assert_eq!((all.wanted.policies, all.wanted.maps, all.wanted.programs), (40, 1800, 320));
    assert_eq!((all.loaded.policies, all.loaded.maps, all.loaded.programs), (38, 1710, 304));
    assert_eq!(all.loaded.memory.memlock_bytes, 208_442_160 + 4_980_736);
    assert!(!all.loads_all);
    let ceiling = &all.ceilings[0];
    assert_eq!((ceiling.limit, ceiling.wanted, ceiling.refused), (38, 40, 2));
    assert_eq!(ceiling.first_refused, "policy-39");
    assert!(ceiling.reason.contains("argument list too long"));
    assert!(run(&policies[..38]).loads_all);
}

#[test]
fn loading_stops_at_19_policies_of_one_lsm_hook() {
    let all = run(&vec![lsm(); 20]);
    assert_eq!((all.loaded.policies, all.loaded.maps, all.loaded.programs), (19, 931, 133));
    assert_eq!(all.loaded.memory.memlock_bytes, 60_084_688 + 2_334_720);
    assert_eq!(all.ceilings[0].first_refused, "policy-20");
}

/// Post policies meet no attach limit: the workload filters run out, and without selectors nothing does.
#[test]
fn loading_stops_at_127_filters() {
    let all = run(&vec![kprobe(false); 128]);
    assert_eq!((all.loaded.policies, all.ceilings[0].limit, all.ceilings[0].refused), (127, 127, 1));
    let unfiltered = TetragonPolicy { filtered: false, ..kprobe(false) };
    assert!(run(&vec![unfiltered; 500]).loads_all);
}

#[test]
fn ceilings_are_of_one_hook_and_a_refused_policy_holds_nothing() {
    let other = one(hook(HookKind::Kprobe { function: "security_file_open".into() }, true, vec![]));
    let mut policies = vec![kprobe(true); 60];
    policies.push(other);
    let all = run(&policies);
    assert_eq!(all.loaded.policies, 39);
    assert_eq!(all.ceilings.len(), 1);
    // Overrides elsewhere go through no trampoline.
    let syscall = one(hook(HookKind::Kprobe { function: "__x64_sys_openat".into() }, true, vec![]));
    assert!(run(&vec![syscall; 60]).loads_all);
}

/// Kprobes without Override share one set of programs; an Override needs a set for each hook.
#[test]
fn several_kprobes_share_programs_unless_one_overrides() {
    let two = |overrides| {
        let open = hook(HookKind::Kprobe { function: "security_file_open".into() }, false, vec![]);
        let exec = hook(HookKind::Kprobe { function: EXEC.into() }, overrides, vec![]);
        TetragonPolicy { filtered: false, hooks: vec![open, exec] }
    };
    assert_eq!(cost(&two(false), 1).programs, 7);
    assert_eq!(cost(&two(true), 1).programs, 15);
}

/// Kernel memory (slab, vmalloc, per-CPU) grew by this much a policy on one CPU, with BTF, hidden functions and cgroups:
/// what is counted here is the greater part of it, and never more.
#[test]
fn the_true_charge_is_below_what_the_machine_lost() {
    let without_selector = TetragonPolicy { filtered: false, ..kprobe(false) };
    let grown = [
        (kprobe(true), 6_705_595, 88),
        (kprobe(false), 4_070_100, 80),
        (lsm(), 4_118_300, 86),
        (without_selector, 1_459_430, 44),
    ];
    for (policy, grew, percent) in grown {
        let taken = cost(&policy, 1).memory.taken_bytes();
        assert_eq!(taken * 100 / grew, percent, "{taken} of {grew}");
    }
}
