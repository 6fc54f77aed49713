//! Faults put between the phases: whatever the compiler loses or changes on its way, the proof finds it.
//!
//! Each fault changes what one phase hands to the next, one thing at a time and everything there is: every hook,
//! selector, condition, value, action, scope, number. What then comes out must not be an artifact, or be the same to
//! the byte. The policies hold one condition of every operator that is compiled, so that a new one is damaged on the
//! day it is compiled. What [`tetrafold::policy::written`] is made from is not damaged: the proof starts there.

mod describing;
mod folding;
mod lowering;
mod policies;
mod resolving;
mod steps;
mod values;

use std::panic::{AssertUnwindSafe, catch_unwind};

use tetrafold::diag::Diagnostics;
use tetrafold::driver::{self, Input};
use tetrafold::emit::assemble::{self, Built};
use tetrafold::emit::lower::LoweredUnit;
use tetrafold::emit::verify;
use tetrafold::fold::ir::{self, Program};
use tetrafold::fold::opt::{self, Certificate};
use tetrafold::fold::plan::{self, Plan};
use tetrafold::platform::{Preempt, Target};
use tetrafold::policy::PolicySet;
use tetrafold::policy::phases::ResolveOptions;
use tetrafold::source::Sources;

/// What the phases hand on.
struct Honest {
    sources: Sources,
    target: Target,
    set: PolicySet,
    /// As built, before the passes.
    program: Program,
    optimised: Program,
    certificate: Certificate,
    plan: Plan,
    lowered: Vec<LoweredUnit>,
    built: Built,
}

impl Honest {
    fn compile(text: &str) -> Honest {
        let mut sources = Sources::default();
        sources.add("p.yaml", text);
        // So that every kind of attachment is there.
        let target = Target { preempt: Preempt::Voluntary, ..Target::default() };
        let input = Input {
            paths: vec![],
            exclude: Default::default(),
            threads: 1,
            allow_empty: false,
            resolve: ResolveOptions::default(),
        };
        let mut diags = Diagnostics::default();
        let set = driver::policies(&sources, &input, &mut diags).set;
        let said = || diags.iter().map(|d| format!("{} {}\n", d.code, d.message)).collect::<String>();
        assert!(!diags.blocks_compile(), "{}\n{text}", said());
        let set = set.unwrap();
        let program = ir::build(&set, &target, &mut Diagnostics::default());
        let mut optimised = program.clone();
        let certificate = opt::run(&mut optimised, &set.strings, &[]);
        let plan = plan::factor(&optimised, &mut Diagnostics::default()).unwrap();
        let lowered = assemble::lower(&set, &optimised, &plan).unwrap();
        let built = assemble::run(&sources, &set, &optimised, &plan, lowered.clone(), &target, None).unwrap();
        let proof = verify::prove(&sources, &set, &certificate, built.emitted());
        assert!(proof.is_ok(), "{}\n{text}", proof.unwrap_err());
        Honest { sources, target, set, program, optimised, certificate, plan, lowered, built }
    }

    /// From a set that resolving handed on.
    fn with_set(&self, set: &PolicySet) -> Outcome {
        guarded(|| self.with_program(set, &ir::build(set, &self.target, &mut Diagnostics::default())))
    }

    /// From rules as built.
    fn with_program(&self, set: &PolicySet, program: &Program) -> Outcome {
        guarded(|| {
            let mut program = program.clone();
            let certificate = opt::run(&mut program, &set.strings, &[]);
            self.with_optimised(set, &program, &certificate)
        })
    }

    fn with_optimised(&self, set: &PolicySet, program: &Program, certificate: &Certificate) -> Outcome {
        guarded(|| match plan::factor(program, &mut Diagnostics::default()) {
            Some(plan) => self.with_plan(set, program, certificate, &plan),
            None => Outcome::Refused,
        })
    }

    fn with_plan(
        &self,
        set: &PolicySet,
        program: &Program,
        certificate: &Certificate,
        plan: &Plan,
    ) -> Outcome {
        guarded(|| match assemble::lower(set, program, plan) {
            Ok(lowered) => self.with_lowered(set, program, certificate, plan, lowered),
            Err(_) => Outcome::Refused,
        })
    }

    fn with_lowered(
        &self,
        set: &PolicySet,
        program: &Program,
        certificate: &Certificate,
        plan: &Plan,
        lowered: Vec<LoweredUnit>,
    ) -> Outcome {
        guarded(|| match assemble::run(&self.sources, set, program, plan, lowered, &self.target, None) {
            Ok(built) => self.with_built(set, certificate, &built),
            Err(_) => Outcome::Refused,
        })
    }

    fn with_built(&self, set: &PolicySet, certificate: &Certificate, built: &Built) -> Outcome {
        match verify::prove(&self.sources, set, certificate, built.emitted()) {
            Err(_) => Outcome::Disproved,
            Ok(()) if same(built, &self.built) => Outcome::Same,
            Ok(()) => Outcome::Missed,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Exit 5.
    Disproved,
    /// A phase refused what it was given, or ran into it (which is exit 5 as well).
    Refused,
    /// The fault was none: the artifact is the same.
    Same,
    Missed,
}

fn same(one: &Built, other: &Built) -> bool {
    one.files == other.files && one.manifest == other.manifest && one.bodies == other.bodies
}

fn guarded(run: impl FnOnce() -> Outcome) -> Outcome {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or(Outcome::Refused)
}

/// Faults and what became of them.
#[derive(Default)]
struct Tally {
    disproved: usize,
    refused: usize,
    same: Vec<String>,
    missed: Vec<String>,
}

impl Tally {
    fn count(&mut self, what: impl Into<String>, outcome: Outcome) {
        match outcome {
            Outcome::Disproved => self.disproved += 1,
            Outcome::Refused => self.refused += 1,
            Outcome::Same => self.same.push(what.into()),
            Outcome::Missed => self.missed.push(what.into()),
        }
    }

    /// At least so many must have reached the proof, or the test tests nothing.
    fn check(self, least: usize) {
        println!(
            "{} disproved, {} refused before, {} without effect: {:?}",
            self.disproved,
            self.refused,
            self.same.len(),
            self.same
        );
        assert!(
            self.missed.is_empty(),
            "{} faults were missed:\n{}",
            self.missed.len(),
            self.missed.join("\n")
        );
        assert!(self.disproved >= least, "only {} faults reached the proof", self.disproved);
    }
}
