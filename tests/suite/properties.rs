//! Meaning is a property: policies, rules, plan and emitted bytes agree on every event.

use std::collections::BTreeSet;

use tetrafold::artifact::manifest::Manifest;
use tetrafold::fold::plan::Plan;
use tetrafold::fold::{ir, opt};
use tetrafold::interp;
use tetrafold::platform::{Preempt, Target};
use tetrafold::policy::Identity;

use crate::compile::{compile, compile_after};
use crate::random::{self, Rng};

/// Policy sets of one run; each is asked about [`EVENTS`] events.
const SETS: u64 = 1000;
const EVENTS: usize = 100;

fn seed() -> u64 {
    let seed = std::env::var("TETRAFOLD_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(20_261_124);
    println!("TETRAFOLD_SEED={seed}");
    seed
}

/// fmod_ret serves what no LSM hook does, so that every kind of attachment is asked.
fn target() -> Target {
    Target { preempt: Preempt::Voluntary, ..Target::default() }
}

/// Two halves, so that two processors work.
#[test]
fn policies_rules_plan_and_emitted_bytes_agree_on_every_event_of_one_half() {
    agree(0..SETS / 2);
}

#[test]
fn policies_rules_plan_and_emitted_bytes_agree_on_every_event_of_the_other_half() {
    agree(SETS / 2..SETS);
}

/// Returns of calls that nothing reports have no program, and nothing is said of them.
fn judged_operations<'a>(program: &'a ir::Program, plan: &Plan) -> Vec<&'a ir::Operation> {
    let has_calls = |calls| plan.units.iter().any(|unit| unit.operation == calls);
    program.operations.iter().filter(|operation| operation.calls.is_none_or(has_calls)).collect()
}

fn agree(sets: std::ops::Range<u64>) {
    let count = sets.end - sets.start;
    let seed = seed();
    let target = target();
    let (mut judged, mut acted, mut refused) = (0u64, 0u64, 0u64);
    for i in sets {
        let mut rng = Rng::new(seed.wrapping_add(i));
        let text = random::policies(&mut rng);
        let compiled = match compile(&[&text], &target) {
            Ok(compiled) => compiled,
            Err(reason) => {
                // Only what is documented as not compiled may be refused.
                assert!(
                    ["TF0113", "TF0602", "TF0606", "TF0607", "TF0608", "TF0611", "TF0612"]
                        .iter()
                        .any(|code| reason.contains(code)),
                    "seed {seed} set {i}\n{reason}\n{text}"
                );
                refused += 1;
                continue;
            }
        };
        let operations = judged_operations(&compiled.folded.program, &compiled.folded.plan);
        if operations.is_empty() {
            continue;
        }
        for _ in 0..EVENTS {
            let which = rng.below(operations.len());
            let event = random::event(&mut rng, operations[which]);
            let meaning = interp::run(&compiled.set, &event);
            let planned =
                interp::run_plan(&compiled.set, &compiled.folded.program, &compiled.folded.plan, &event);
            assert_eq!(meaning, planned, "seed {seed} set {i}: plan\n{event:?}\n{text}");
            let emitted = compiled.judge(&event);
            assert_eq!(
                compiled.expected(&event, &meaning),
                emitted,
                "seed {seed} set {i}: bytes\n{event:?}\n{text}"
            );
            judged += 1;
            acted += u64::from(!meaning.hits.is_empty());
        }
    }
    println!("{judged} events judged, {acted} of them by a policy; {refused} sets refused");
    assert!(judged > count * EVENTS as u64 * 8 / 10, "only {judged} events were judged");
    assert!(acted * 10 > judged, "only {acted} events met a policy");
}

/// Sets that follow each other, each with some policies of the one before: numbers are kept or new, and their order
/// changes no verdict.
#[test]
fn numbers_are_kept_from_build_to_build_and_change_no_meaning() {
    let (seed, target) = (seed(), target());
    let (mut kept, mut gaps, mut judged) = (0, 0, 0);
    for i in 0..40 {
        let mut rng = Rng::new(seed ^ (i << 40));
        let mut previous: Option<Manifest> = None;
        let mut given: BTreeSet<u32> = BTreeSet::new();
        let mut last: Vec<(Identity, u32)> = vec![];
        for _ in 0..4 {
            let text = random::policies(&mut rng);
            let Ok(compiled) = compile_after(&[&text], &target, previous.as_ref()) else { continue };
            let manifest = &compiled.built.manifest;
            manifest.check().unwrap();
            let identities = compiled.set.policies.iter().map(|policy| policy.identity.clone());
            let now: Vec<(Identity, u32)> =
                identities.zip(manifest.policies.iter().map(|p| p.number)).collect();
            for (identity, number) in &now {
                match last.iter().find(|(earlier, _)| earlier == identity) {
                    Some((_, earlier)) => {
                        assert_eq!(number, earlier, "seed {seed} set {i}\n{text}");
                        kept += 1;
                    }
                    None => assert!(!given.contains(number), "seed {seed} set {i}: {number} twice\n{text}"),
                }
            }
            given.extend(now.iter().map(|(_, number)| number));
            last = now;
            for operation in &manifest.operations {
                let before =
                    previous.as_ref().and_then(|p| p.operations.iter().find(|o| o.name == operation.name));
                assert!(before.is_none_or(|before| before.number == operation.number));
            }
            for scope in &manifest.scopes {
                let before = previous.as_ref().and_then(|p| p.scopes.iter().find(|s| s.any == scope.any));
                assert!(before.is_none_or(|before| before.number == scope.number));
            }
            gaps += u32::from(manifest.next_numbers.policy as usize > manifest.policies.len());
            let operations = judged_operations(&compiled.folded.program, &compiled.folded.plan);
            for _ in 0..if operations.is_empty() { 0 } else { 20 } {
                let event = {
                    let which = rng.below(operations.len());
                    random::event(&mut rng, operations[which])
                };
                let meaning = interp::run(&compiled.set, &event);
                let emitted = compiled.judge(&event);
                assert_eq!(
                    compiled.expected(&event, &meaning),
                    emitted,
                    "seed {seed} set {i}\n{event:?}\n{text}"
                );
                judged += 1;
            }
            previous = Some(compiled.built.manifest);
        }
    }
    assert!(kept > 20 && gaps > 20 && judged > 1500, "{kept} kept, {gaps} with gaps, {judged} events");
}

#[test]
fn every_pass_alone_keeps_the_meaning_and_changes_nothing_the_second_time() {
    let seed = seed();
    let target = target();
    for i in 0..100 {
        let mut rng = Rng::new(seed ^ (i << 32));
        let text = random::policies(&mut rng);
        let Ok(compiled) = compile(&[&text], &target) else { continue };
        let built = ir::build(&compiled.set, &target, &mut Default::default());
        for pass in opt::PASSES {
            let mut program = built.clone();
            (pass.run)(&mut program, &compiled.set.strings, &mut opt::Certificate::default());
            let mut diags = Default::default();
            // What one pass leaves may be more than a program can hold, where all of them leave less.
            let Some(plan) = tetrafold::fold::plan::factor(&program, &mut diags) else { continue };
            for operation in judged_operations(&program, &plan) {
                for _ in 0..20 {
                    let event = random::event(&mut rng, operation);
                    let wanted = interp::run(&compiled.set, &event);
                    let got = interp::run_plan(&compiled.set, &program, &plan, &event);
                    assert_eq!(wanted, got, "seed {seed} set {i} pass {}\n{text}", pass.name);
                }
            }
            let mut again = program.clone();
            (pass.run)(&mut again, &compiled.set.strings, &mut opt::Certificate::default());
            let rules = |p: &ir::Program| p.lists.iter().map(|l| l.rules.clone()).collect::<Vec<_>>();
            assert_eq!(rules(&program), rules(&again), "pass {}", pass.name);
        }
    }
}
