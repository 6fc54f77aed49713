//! Plays cases in as few boots as possible and hands each its verdict.
//!
//! Cases that boot alike share a machine; one that stops the machine fails, and those behind it get a new one.
//! The first trial of a group that runs boots for all of it, so that a filter boots only what it needs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Failed, Trial};

use tetrafold::vocab::attach::EQUIVALENTS;

use crate::case::{self, Case, Verdict};
use crate::judge::{CHECKS, judge};
use crate::script::{Report, Script, Step, Task};
use crate::vm::{self, Boot};

/// One machine's worth of cases.
struct Group {
    boot: Boot,
    cases: Vec<Case>,
    verdicts: Mutex<Option<BTreeMap<String, Verdict>>>,
}

pub fn trials(arguments: &Arguments) -> Result<Vec<Trial>, String> {
    let mut cases = case::find()?;
    for case in &mut cases {
        lengthen(&mut case.script);
    }
    if cases.is_empty() {
        return Err("there is no case".to_owned());
    }
    let mut trials: Vec<Trial> = CHECKS
        .iter()
        .map(|(name, check)| {
            Trial::test(*name, || {
                check();
                Ok(())
            })
        })
        .collect();
    let exercised = every_move_is_exercised(&cases);
    trials.push(Trial::test("every-move-to-another-hook-is-exercised", move || {
        exercised.map_err(Failed::from)
    }));
    trials.push(crate::load::cilium_trial());
    // One kernel's trials and the next one's alternate: a thread that waits for a group's machine does not keep the
    // other kernel's from starting.
    let mut of_kernels: Vec<Vec<Trial>> = Vec::new();
    for series in vm::SERIES {
        let mut trials = Vec::new();
        let mut groups: BTreeMap<(bool, Option<String>), Vec<Case>> = BTreeMap::new();
        for case in &cases {
            if wanted(arguments, &name(series, case)) {
                groups
                    .entry((case.script.preempt_full, case.script.lsm.clone()))
                    .or_default()
                    .push(case.clone());
            }
        }
        for ((preempt_full, lsm), cases) in groups {
            let mut boot = Boot { preempt_full, ..Boot::new(series) };
            if let Some(lsm) = lsm {
                boot.lsm = lsm.leak();
            }
            let group = Arc::new(Group { boot, cases, verdicts: Mutex::new(None) });
            for case in &group.cases {
                let (group, case_name) = (group.clone(), case.name.clone());
                trials.push(Trial::test(name(series, case), move || group.verdict(&case_name)));
            }
        }
        trials.push(crate::load::trial(series));
        trials.push(crate::facts::trial(series));
        trials.extend(crate::sets::trials(series));
        trials.reverse();
        of_kernels.push(trials);
    }
    while of_kernels.iter().any(|left| !left.is_empty()) {
        trials.extend(of_kernels.iter_mut().filter_map(Vec::pop));
    }
    Ok(trials)
}

/// `TETRAFOLD_CALLS=100000` makes every storm that has no end of its own last for so many calls.
fn lengthen(script: &mut Script) {
    let calls = std::env::var("TETRAFOLD_CALLS").ok().and_then(|calls| calls.parse().ok());
    let endless: Vec<String> = script
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Storm(storm) if storm.tries.is_none() => Some(storm.name.clone()),
            _ => None,
        })
        .collect();
    for step in &mut script.steps {
        if let (Step::Join(join), Some(calls)) = (step, calls)
            && endless.contains(&join.storm)
        {
            join.at_least = join.at_least.max(calls);
        }
    }
}

/// A row of the table of equivalent hooks is believed only with a case that attaches it.
fn every_move_is_exercised(cases: &[Case]) -> Result<(), String> {
    let policies: Vec<String> = cases
        .iter()
        .filter_map(|case| std::fs::read_to_string(case.directory.join("policy.yaml")).ok())
        .collect();
    let missing: Vec<&str> = EQUIVALENTS
        .iter()
        .map(|row| row.function)
        .filter(|function| !policies.iter().any(|text| text.contains(&format!("call: {function}\n"))))
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("no case hooks {missing:?}")) }
}

fn name(series: &str, case: &Case) -> String {
    format!("kernel-{series}::{}", case.name)
}

/// As libtest decides it.
fn wanted(arguments: &Arguments, name: &str) -> bool {
    let hit = |filter: &str| if arguments.exact { name == filter } else { name.contains(filter) };
    arguments.filter.as_deref().is_none_or(hit) && !arguments.skip.iter().any(|skip| hit(skip))
}

impl Group {
    fn verdict(&self, case: &str) -> Result<(), Failed> {
        let mut verdicts = self.verdicts.lock().map_err(|_| "another trial of this group panicked")?;
        let verdicts = verdicts.get_or_insert_with(|| play(&self.boot, &self.cases));
        match verdicts.get(case) {
            Some(Ok(())) => Ok(()),
            Some(Err(why)) => Err(why.into()),
            None => Err("was not played".into()),
        }
    }
}

fn play(boot: &Boot, cases: &[Case]) -> BTreeMap<String, Verdict> {
    let mut verdicts = BTreeMap::new();
    let mut initramfs = match case::base(boot.series) {
        Ok(base) => base,
        Err(why) => return cases.iter().map(|case| (case.name.clone(), Err(why.clone()))).collect(),
    };
    let mut left = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        match case.pack(number, &mut initramfs) {
            Ok(()) => left.push(number),
            Err(why) => {
                verdicts.insert(case.name.clone(), Err(why));
            }
        }
    }
    while !left.is_empty() {
        let task = Task::Cases {
            cases: left.iter().map(|number| (*number, cases[*number].script.clone())).collect(),
        };
        initramfs.file("/task.json", serde_json::to_vec(&task).unwrap_or_default());
        let mut reports: BTreeMap<usize, Vec<Report>> = BTreeMap::new();
        let mut current = left[0];
        let ended = vm::run(boot, &initramfs, |line| match serde_json::from_str(line) {
            Ok(report) => {
                if let Report::Begin { case } = report {
                    current = case;
                }
                reports.entry(current).or_default().push(report);
            }
            Err(_) => eprintln!("kernel {}: {line}", boot.series),
        });
        eprintln!("kernel {}: {} cases in {:.1} s", boot.series, reports.len(), ended.seconds);
        let finished = |number: &usize| {
            reports
                .get(number)
                .is_some_and(|all| all.iter().any(|report| matches!(report, Report::End { .. })))
        };
        for number in left.iter().filter(|number| finished(number)) {
            verdicts.insert(cases[*number].name.clone(), verdict_of(&cases[*number], &reports[number]));
        }
        left.retain(|number| !finished(number));
        if let (Err(why), false) = (ended.result, left.is_empty()) {
            // The case that was on when the machine stopped; without progress, every further boot would do the same.
            let stopped = left.remove(0);
            verdicts.insert(cases[stopped].name.clone(), Err(why.clone()));
            if reports.is_empty() {
                for number in left.drain(..) {
                    verdicts.insert(cases[number].name.clone(), Err(why.clone()));
                }
            }
        }
    }
    verdicts
}

fn verdict_of(case: &Case, reports: &[Report]) -> Verdict {
    let wrong = judge(&case.script, reports);
    if wrong.is_empty() {
        return Ok(());
    }
    let words = reports.iter().filter_map(|report| match report {
        Report::LoaderError { line } => Some(format!("loader: {line}")),
        _ => None,
    });
    let mut text = wrong;
    text.extend(words.take(40));
    Err(text.join("\n"))
}
