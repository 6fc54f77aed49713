//! Compares what a guest reported of a case with what its script demands.
//!
//! Events are joined to steps by the process that acted: per process, the events of the loader's lines must be exactly
//! those of its steps, in order. A step without `events` takes as many as come; a process all of whose steps are
//! such is not compared. Losses, failed tail calls and recursion misses must be 0 throughout.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::script::{ExpectedEvent, Report, Script, Step};

/// Everything that is wrong, a line each; empty if the case passed.
pub fn judge(script: &Script, reports: &[Report]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut acted: BTreeMap<usize, (u32, &str)> = BTreeMap::new();
    let mut joined = BTreeMap::new();
    let mut events: BTreeMap<u32, Vec<Value>> = BTreeMap::new();
    let (mut ended, mut lost) = (false, 0);
    for report in reports {
        match report {
            Report::Acted { step, pid, outcome } => {
                acted.insert(*step, (*pid, outcome));
            }
            Report::Joined { step, counts, pids } => {
                joined.insert(*step, (counts, pids));
            }
            Report::Loader { line } => judge_line(line, &mut events, &mut lost, &mut wrong),
            Report::Failed { step, why } => wrong.push(format!("{}: {why}", describe(script, *step))),
            Report::End { .. } => ended = true,
            Report::Begin { .. } | Report::LoaderError { .. } | Report::Data { .. } => {}
        }
    }
    for (number, step) in script.steps.iter().enumerate() {
        if let Some((expected, _)) = step.expectation() {
            match acted.get(&number) {
                None => wrong.push(format!("{}: was not taken", describe(script, number))),
                Some((_, outcome)) if *outcome != expected => {
                    wrong.push(format!("{}: expected {expected}, got {outcome}", describe(script, number)));
                }
                Some(_) => {}
            }
        }
        if let Step::Join(join) = step {
            let Some((counts, pids)) = joined.get(&number) else {
                wrong.push(format!("{}: was not taken", describe(script, number)));
                continue;
            };
            let seen: BTreeSet<&String> = counts.keys().collect();
            let total: u64 = counts.values().sum();
            if seen != join.sees.iter().collect() || total < join.at_least {
                wrong.push(format!("{}: got {counts:?}", describe(script, number)));
            }
            if !join.paths.is_empty() {
                let of_it: Vec<&Value> = pids.iter().filter_map(|pid| events.get(pid)).flatten().collect();
                let mut strange: BTreeMap<&str, u64> = BTreeMap::new();
                for event in &of_it {
                    let path = event.pointer("/args/0").and_then(Value::as_str).unwrap_or("none");
                    if !join.paths.iter().any(|known| known == path) {
                        *strange.entry(path).or_default() += 1;
                    }
                }
                if of_it.is_empty() || !strange.is_empty() {
                    let (step, all) = (describe(script, number), of_it.len());
                    wrong.push(format!("{step}: of {all} events some have other paths: {strange:?}"));
                }
            }
        }
    }
    judge_events(script, &acted, &events, &mut wrong);
    if !script.may_lose && (lost > 0) != script.loses {
        wrong.push(format!("the loader reports {lost} lost events"));
    }
    if !ended {
        wrong.push("the guest did not come to the end of the case".to_owned());
    }
    wrong
}

fn judge_line(line: &str, events: &mut BTreeMap<u32, Vec<Value>>, lost: &mut u64, wrong: &mut Vec<String>) {
    if line == "ready" {
        return;
    }
    let Ok(value) = serde_json::from_str::<Value>(line) else {
        return wrong.push(format!("the loader says {line}"));
    };
    if value.get("policy").or(value.get("actionRecord")).is_some() {
        let pid = value.get("pid").and_then(Value::as_u64).unwrap_or(0) as u32;
        events.entry(pid).or_default().push(value);
        return;
    }
    *lost = value.get("lost").and_then(Value::as_u64).unwrap_or(*lost);
    for counter in ["failedTailCalls", "recursionMisses", "unsettledPaths"] {
        if value.get(counter).and_then(Value::as_u64).unwrap_or(0) != 0 {
            wrong.push(format!("the loader reports {line}"));
        }
    }
}

fn judge_events(
    script: &Script,
    acted: &BTreeMap<usize, (u32, &str)>,
    events: &BTreeMap<u32, Vec<Value>>,
    wrong: &mut Vec<String>,
) {
    let mut by_pid: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (step, (pid, _)) in acted {
        by_pid.entry(*pid).or_default().push(*step);
    }
    for (pid, steps) in by_pid {
        let demanded = |step: &usize| script.steps[*step].expectation().and_then(|(_, events)| events);
        if !steps.iter().all(|step| demanded(step).is_some()) {
            continue;
        }
        let expected: Vec<(usize, &ExpectedEvent)> = steps
            .iter()
            .flat_map(|step| demanded(step).unwrap_or_default().iter().map(|event| (*step, event)))
            .collect();
        let got = events.get(&pid).map_or(&[][..], Vec::as_slice);
        for (position, (step, event)) in expected.iter().enumerate() {
            match got.get(position) {
                None => wrong.push(format!("{}: no event {event:?}", describe(script, *step))),
                Some(value) if !agrees(event, value) => {
                    wrong.push(format!("{}: expected event {event:?}, got {value}", describe(script, *step)));
                }
                Some(_) => {}
            }
        }
        for value in got.iter().skip(expected.len()) {
            wrong.push(format!("steps {steps:?}: surplus event {value}"));
        }
    }
}

fn agrees(expected: &ExpectedEvent, got: &Value) -> bool {
    expected.iter().all(|(key, value)| got.get(key).is_some_and(|got| holds(value, got)))
}

/// Of an object only the keys that are given are compared.
fn holds(expected: &Value, got: &Value) -> bool {
    match (expected, got) {
        (Value::Object(wanted), Value::Object(all)) => {
            wanted.iter().all(|(key, value)| all.get(key).is_some_and(|got| holds(value, got)))
        }
        (Value::Array(wanted), Value::Array(all)) => {
            wanted.len() == all.len() && wanted.iter().zip(all).all(|(value, got)| holds(value, got))
        }
        _ => expected == got,
    }
}

fn describe(script: &Script, step: usize) -> String {
    match script.steps.get(step) {
        Some(what) => {
            let mut value = serde_json::to_value(what).unwrap_or_default();
            if let Some(Value::Object(fields)) =
                value.as_object_mut().and_then(|step| step.values_mut().next())
            {
                fields.retain(|_, field| {
                    !matches!(field, Value::Null | Value::Bool(false))
                        && *field != ""
                        && *field != Value::Array(Vec::new())
                });
            }
            let mut text = value.to_string();
            if text.len() > 300 {
                text = text.chars().take(300).chain("...".chars()).collect();
            }
            format!("step {step} {text}")
        }
        None => "at the end".to_owned(),
    }
}

/// This binary has its own `main`, which runs these among its trials.
pub const CHECKS: [(&str, fn()); 3] = [
    ("judge::what-is-demanded-passes", checks::what_is_demanded_passes),
    ("judge::each-difference-is-found", checks::each_difference_is_found),
    ("judge::an-unknown-word-in-a-step-is-refused", checks::an_unknown_word_in_a_step_is_refused),
];

mod checks {
    use super::*;

    fn script(steps: &str) -> Script {
        serde_saphyr::from_str(&format!("shows: x\nsteps:\n{steps}")).unwrap()
    }

    const DENIED: &str =
        "- exec: {in: /a, path: /x, expect: EPERM, events: [{policy: p, action: Override}]}\n";

    fn reports(outcome: &str, events: &[&str]) -> Vec<Report> {
        let mut all = vec![Report::Acted { step: 0, pid: 7, outcome: outcome.into() }];
        all.extend(events.iter().map(|line| Report::Loader { line: (*line).into() }));
        all.push(Report::End { case: 0 });
        all
    }

    const EVENT: &str = r#"{"policy":"p","action":"Override","pid":7}"#;

    pub fn what_is_demanded_passes() {
        assert_eq!(judge(&script(DENIED), &reports("EPERM", &["ready", EVENT])), Vec::<String>::new());
    }

    pub fn each_difference_is_found() {
        let other = r#"{"policy":"q","action":"Override","pid":7}"#;
        for (outcome, events) in [
            ("ENOEXEC", vec![EVENT]),
            ("EPERM", vec![]),
            ("EPERM", vec![EVENT, EVENT]),
            ("EPERM", vec![other]),
        ] {
            assert_eq!(judge(&script(DENIED), &reports(outcome, &events)).len(), 1, "{outcome} {events:?}");
        }
        assert_eq!(judge(&script(DENIED), &reports("EPERM", &[EVENT, r#"{"lost":1}"#])).len(), 1);
        assert_eq!(judge(&script(DENIED), &[]).len(), 2);
    }

    pub fn an_unknown_word_in_a_step_is_refused() {
        let text = "shows: x\nsteps:\n- exec: {in: /a, path: /x, expct: EPERM}\n";
        assert!(serde_saphyr::from_str::<Script>(text).is_err());
    }
}
