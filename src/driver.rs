//! The phases in their order. Nothing else knows it.
//!
//! Each phase takes what the one before made, and reports to the same [`Diagnostics`]; callers stop between
//! phases, so that all errors of a phase, of all files, are in one run. Writes no file: bytes leave as [`Built`].

pub mod partial;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::PathBuf;

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

use crate::artifact::abi::SET_WORDS_MAX;
use crate::artifact::manifest::Manifest;
use crate::bpf;
use crate::diag::kernels as report_kernels;
use crate::diag::{Diagnostics, documents, target as report};
use crate::emit::assemble::{self, AssembleError, Built};
use crate::emit::verify::{self, Disproof};
use crate::fold::ir::{self, Program};
use crate::fold::opt::{self, Certificate};
use crate::fold::plan::{self, Plan};
use crate::platform::Target;
use crate::platform::kernel::{self, Kernel};
use crate::platform::types::KernelTypes;
use crate::policy::PolicySet;
use crate::policy::phases::{ResolveOptions, Resolver};
use crate::source::ignore::Ignore;
use crate::source::{SourceId, Sources, discover};
use crate::syntax;

/// What is read and how.
#[derive(Clone, Debug)]
pub struct Input {
    /// Files, folders, `-`.
    pub paths: Vec<PathBuf>,
    /// Files that are not looked for in folders.
    pub exclude: Ignore,
    /// Changes no output.
    pub threads: usize,
    /// A set without any policy is meant.
    pub allow_empty: bool,
    pub resolve: ResolveOptions,
}

/// Paths to texts.
pub fn read(input: &Input, stdin: &mut dyn Read, diags: &mut Diagnostics) -> Sources {
    discover::load(&input.paths, &input.exclude, stdin, input.threads, diags)
}

/// The policies of a run.
#[derive(Debug)]
pub struct Policies {
    /// Documents that are policies, with errors or without.
    pub documents: usize,
    /// `None` if any of them has an error.
    pub set: Option<PolicySet>,
}

/// Texts to meaning: YAML, the schema, the language's rules. Trees are let go of one by one, but templates'.
pub fn policies(sources: &Sources, input: &Input, diags: &mut Diagnostics) -> Policies {
    let policies = policies_of(sources, input, &|_| true, diags);
    // A file that could not be read or understood may be where the policies are.
    if policies.documents == 0 && !input.allow_empty && !diags.has_errors() {
        diags.push(documents::no_policy(sources.len()));
    }
    policies
}

/// The same of the files that are taken.
fn policies_of(
    sources: &Sources,
    input: &Input,
    is_taken: &dyn Fn(SourceId) -> bool,
    diags: &mut Diagnostics,
) -> Policies {
    let mut resolver = Resolver::new(input.resolve.clone());
    let mut seen = 0;
    syntax::documents::for_each(sources, input.threads, diags, &mut |document, diags| {
        if is_taken(document.source) {
            seen += 1;
            resolver.take(document, diags);
        }
    });
    Policies { documents: seen, set: resolver.finish(diags) }
}

/// Everything between meaning and bytes.
#[derive(Clone, Debug)]
pub struct Folded {
    pub program: Program,
    pub certificate: Certificate,
    pub plan: Plan,
}

/// Meaning to shared parts, without the passes named in `skip_passes`. `None` if something cannot be attached or exceeds a limit.
pub fn fold(
    set: &PolicySet,
    target: &Target,
    skip_passes: &[String],
    diags: &mut Diagnostics,
) -> Option<Folded> {
    let mut program = ir::build(set, target, diags);
    let certificate = opt::run(&mut program, &set.strings, skip_passes);
    let plan = plan::factor(&program, diags)?;
    (!diags.blocks_compile()).then_some(Folded { program, certificate, plan })
}

/// The compiler's own fault, with what it was about.
#[derive(Debug)]
pub enum Fault {
    /// The emitted bytes do not say what the policies say.
    Disproved(Disproof),
    Object(String),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Disproved(disproof) => {
                write!(f, "the artifact does not say what the policies say; nothing was written\n{disproof}")
            }
            Fault::Object(text) => f.write_str(text),
        }
    }
}

/// Shared parts to proved bytes. Numbers are kept from `previous`. `Ok(None)` if a limit is exceeded.
///
/// # Errors
/// Only for faults of the compiler itself.
pub fn emit(
    sources: &Sources,
    set: &PolicySet,
    folded: &Folded,
    target: &Target,
    kernels: &[Kernel],
    previous: Option<&Manifest>,
    diags: &mut Diagnostics,
) -> Result<Option<Built>, Fault> {
    let Folded { program, certificate, plan } = folded;
    let built = assemble::lower(set, program, plan)
        .and_then(|lowered| assemble::run(sources, set, program, plan, lowered, target, previous));
    let built = match built {
        Ok(built) => built,
        Err(AssembleError::Tables { unit, error }) => {
            let list = plan.units[unit].scopes.values().flatten().next().expect("a unit has lists");
            let operation = &program.operations[plan.units[unit].operation.0 as usize];
            diags.push(report::tables_too_large(
                &operation.attach.shown(),
                &error.to_string(),
                program.lists[*list].span,
            ));
            return Ok(None);
        }
        Err(AssembleError::SetTooLarge { unit, words, witness }) => {
            let list = plan.units[unit].scopes.values().flatten().next().expect("a unit has lists");
            let operation = &program.operations[plan.units[unit].operation.0 as usize];
            let (target, span) = (&operation.attach.shown(), program.lists[*list].span);
            diags.push(report::set_too_large(target, words, SET_WORDS_MAX as u64, &witness, span));
            return Ok(None);
        }
        Err(AssembleError::NodeTooLarge) => {
            diags.push(report::node_too_large(target.pods));
            return Ok(None);
        }
        Err(AssembleError::Object(text)) => return Err(Fault::Object(text)),
    };
    verify::prove(sources, set, certificate, built.emitted()).map_err(Fault::Disproved)?;
    if !check_objects(&built, folded, kernels, diags) {
        return Ok(None);
    }
    Ok(Some(built))
}

/// Resolves what the programs read against each kernel's types. False if something that is needed is not there.
fn check_objects(built: &Built, folded: &Folded, kernels: &[Kernel], diags: &mut Diagnostics) -> bool {
    let before = diags.len();
    // By operation and what it lacks: the kernels that lack just that.
    let mut lacking: IndexMap<(u32, Vec<String>), Vec<&Kernel>, FxBuildHasher> = IndexMap::default();
    for (kernel, types) in kernels.iter().filter_map(|kernel| Some((kernel, kernel.types.as_ref()?))) {
        match missing_members(built, types) {
            Ok(missing) => {
                for (operation, members) in missing {
                    lacking.entry((operation, Vec::from_iter(members))).or_default().push(kernel);
                }
            }
            Err(error) => diags.push(report_kernels::unfit_programs(&error.to_string(), &kernel.name)),
        }
    }
    for ((operation, members), on) in &lacking {
        let Some(unit) = built.numbers.unit(*operation).and_then(|u| folded.plan.units.get(u)) else {
            continue;
        };
        let name = folded.program.operations[unit.operation.0 as usize].attach.shown();
        let list = unit.scopes.values().flatten().next();
        let span = list.map(|list| folded.program.lists[*list].span);
        diags.push(report_kernels::missing_members(&name, members, kernel::listed(on), span));
    }
    diags.len() == before
}

/// Members of structures that an operation's programs read and a kernel does not have.
fn missing_members(
    built: &Built,
    types: &KernelTypes,
) -> Result<BTreeMap<u32, BTreeSet<String>>, bpf::Error> {
    let types = bpf::KernelBtf::parse(types.bytes())?;
    let mut all: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    for program in &built.manifest.programs {
        let Some(object) = built.files.get(&program.object) else { continue };
        for missing in bpf::relocate_against(object, &types)? {
            all.entry(program.operation).or_default().insert(missing.what);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
