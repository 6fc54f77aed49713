//! The phases in their order. Nothing else knows it.
//!
//! Each phase takes what the one before made, and reports to the same [`Diagnostics`]; the driver stops between
//! phases, so that all errors of a phase, of all files, are in one run. Reads no file and writes none: texts
//! come as [`Sources`], bytes leave as [`Built`].

use crate::diag::{Diagnostics, target as report};
use crate::emit::assemble::{self, AssembleError, Built};
use crate::emit::verify::{self, Disproof};
use crate::fold::ir::{self, Program};
use crate::fold::opt::{self, Certificate};
use crate::fold::plan::{self, Plan};
use crate::policy::PolicySet;
use crate::policy::resolve::{ResolveOptions, Resolver};
use crate::source::Sources;
use crate::syntax::{ast, documents};
use crate::target::Target;

/// What the user says about a run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub resolve: ResolveOptions,
    pub target: Target,
    /// Readers at work; never changes an output. 0 counts as 1.
    pub threads: usize,
    /// Names of passes that are left out.
    pub skip_passes: Vec<String>,
}

/// Text to meaning. `None` if there are errors; policies that cannot be compiled are reported and not in it.
pub fn read(sources: &Sources, options: &Options, diags: &mut Diagnostics) -> Option<PolicySet> {
    let errors_before = diags.error_count();
    let mut resolver = Resolver::new(options.resolve.clone());
    documents::for_each(sources, options.threads, diags, &mut |document, diags| {
        if let Some(document) = ast::read(&document.root, diags) {
            resolver.add(&document, diags);
        }
    });
    let set = resolver.finish()?;
    (diags.error_count() == errors_before).then_some(set)
}

/// Everything between meaning and bytes.
#[derive(Clone, Debug)]
pub struct Folded {
    pub program: Program,
    pub certificate: Certificate,
    pub plan: Plan,
}

/// Meaning to shared parts. `None` if something cannot be attached or exceeds a limit.
pub fn fold(set: &PolicySet, options: &Options, diags: &mut Diagnostics) -> Option<Folded> {
    let mut program = ir::build(set, &options.target, diags);
    let certificate = opt::run(&mut program, &options.skip_passes);
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

/// Shared parts to proved bytes. `Ok(None)` if a limit is exceeded.
///
/// # Errors
/// Only for faults of the compiler itself.
pub fn emit(
    sources: &Sources,
    set: &PolicySet,
    folded: &Folded,
    options: &Options,
    diags: &mut Diagnostics,
) -> Result<Option<Built>, Fault> {
    let Folded { program, certificate, plan } = folded;
    let built = match assemble::run(sources, set, program, plan, &options.target) {
        Ok(built) => built,
        Err(AssembleError::Tables { unit, error }) => {
            let list = plan.units[unit].scopes.values().flatten().next().expect("a unit has lists");
            let operation = &program.operations[plan.units[unit].operation.0 as usize];
            diags.push(report::tables_too_large(
                &operation.attach.target,
                &error.to_string(),
                program.lists[*list].span,
            ));
            return Ok(None);
        }
        Err(AssembleError::NodeTooLarge) => {
            diags.push(report::node_too_large(options.target.pods));
            return Ok(None);
        }
        Err(AssembleError::Object(text)) => return Err(Fault::Object(text)),
    };
    verify::prove(set, program, certificate, &built.manifest, &built.files).map_err(Fault::Disproved)?;
    Ok(Some(built))
}

/// All phases.
///
/// # Errors
/// As [`emit`].
pub fn compile(
    sources: &Sources,
    options: &Options,
    diags: &mut Diagnostics,
) -> Result<Option<(PolicySet, Folded, Built)>, Fault> {
    let Some(set) = read(sources, options, diags) else { return Ok(None) };
    if diags.blocks_compile() {
        return Ok(None);
    }
    let Some(folded) = fold(&set, options, diags) else { return Ok(None) };
    let Some(built) = emit(sources, &set, &folded, options, diags)? else { return Ok(None) };
    Ok(Some((set, folded, built)))
}
