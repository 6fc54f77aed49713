//! One case through the compiler, as the command line does it, without files: each phase as text.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use clap::Parser;
use jsonschema::Validator;
use tetrafold::artifact::digest::Digest;
use tetrafold::cli::args::{Cli, Command, CompileArgs};
use tetrafold::diag::{Diagnostics, render};
use tetrafold::driver;
use tetrafold::emit::assemble::Built;
use tetrafold::report::measure;
use tetrafold::source::Sources;

use super::{Case, texts};

/// What became of a case.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Name and text, in order. Those behind `diag` are there if the case compiles.
    pub phases: Vec<(&'static str, String)>,
    /// Digest of each program's object.
    pub objects: BTreeMap<String, String>,
    /// What is wrong whatever the snapshots say.
    pub wrong: Vec<String>,
}

/// # Errors
/// The case cannot be run, or the compiler is at fault.
pub fn run(case: &Case) -> Result<Outcome, String> {
    let args = options(case)?;
    let mut sources = Sources::default();
    for (name, text) in &case.files {
        sources.add(name.clone(), text.clone());
    }
    let mut diags = Diagnostics::default();
    let is_chosen = case.args.iter().any(|arg| arg.starts_with("--kernel"));
    let chosen = is_chosen.then_some(args.target.kernel);
    let kernels = tetrafold::cli::kernels::load(&args.input.kernels, chosen, &mut diags);
    let (mut input, target) = (args.input.input(), args.target.target(&kernels));
    input.resolve.kernels = kernels.clone();
    let set = driver::policies(&sources, &input, &mut diags).set.filter(|_| !diags.has_errors());
    let folded = set.as_ref().and_then(|set| driver::fold(set, &target, &[], &mut diags));
    diags.apply(&args.input.levels.levels());
    let mut outcome = Outcome::default();
    let mut of_phases = vec![];
    if let (Some(set), Some(folded)) = (&set, &folded)
        && !diags.blocks_compile()
        && let Some(mut built) = driver::emit(&sources, set, folded, &target, &kernels, None, &mut diags)
            .map_err(|f| f.to_string())?
    {
        let report = measure::report(set, &built, &target).map_err(|e| e.to_string())?;
        measure::complete(&mut built.manifest, &report);
        let steps = texts::programs(&built);
        of_phases = vec![
            ("ir", folded.program.to_text(set, &sources)),
            ("plan", texts::plan(set, folded)),
            ("programs", steps),
            ("maps", texts::maps(&built)?),
            ("manifest", without_digests(&String::from_utf8_lossy(&built.manifest.to_json()))),
        ];
        outcome.objects = objects(&built);
        outcome.wrong.extend(invalid("manifest.json", &MANIFEST, &built.manifest.to_json()));
        outcome.wrong.extend(invalid("report.json", &REPORT, report.to_json().as_bytes()));
    } else if !diags.blocks_compile() {
        outcome.wrong.push(format!("{} does not compile and nothing says why", case.name));
    }
    outcome.phases.push(("diag", diagnostics(&diags, &sources)));
    outcome.phases.extend(of_phases);
    Ok(outcome)
}

/// The crate's own definitions read the options.
fn options(case: &Case) -> Result<CompileArgs, String> {
    let typed = ["tetrafold", "compile", "--output", "none", "policy.yaml"].into_iter();
    let cli = Cli::try_parse_from(typed.chain(case.args.iter().map(String::as_str)))
        .map_err(|e| format!("{}/args: {e}", case.name))?;
    match cli.command {
        Command::Compile(args) => Ok(args),
        _ => Err(format!("{}/args: options of `compile` only", case.name)),
    }
}

fn diagnostics(diags: &Diagnostics, sources: &Sources) -> String {
    let mut out = vec![];
    let options = render::Options { colour: false, width: 100, ..render::Options::default() };
    render::write(&mut out, &diags.sorted(), sources, options).expect("memory takes it");
    match String::from_utf8(out) {
        Ok(text) if text.is_empty() => "nothing found\n".to_string(),
        Ok(text) => text,
        Err(error) => format!("no UTF-8: {error}\n"),
    }
}

fn objects(built: &Built) -> BTreeMap<String, String> {
    let programs = built.manifest.programs.iter();
    programs
        .map(|p| {
            let object = built.files.get(&p.object).expect("every program has its object");
            (p.name.clone(), Digest::of(object).to_string())
        })
        .collect()
}

/// Digests change with every byte of the stencils; that an object changed is in `objects.sha256`.
fn without_digests(text: &str) -> String {
    let mut out = String::new();
    let mut run = String::new();
    for c in text.chars().chain(['\n']) {
        if matches!(c, '0'..='9' | 'a'..='f') {
            run.push(c);
            continue;
        }
        out.push_str(if run.len() == 64 { "<sha256>" } else { &run });
        run.clear();
        out.push(c);
    }
    out.pop();
    out
}

static MANIFEST: LazyLock<Validator> =
    LazyLock::new(|| validator(include_str!("../../src/artifact/manifest.schema.json")));
static REPORT: LazyLock<Validator> =
    LazyLock::new(|| validator(include_str!("../../src/report/report.schema.json")));

fn validator(schema: &str) -> Validator {
    let schema = serde_json::from_str(schema).expect("the committed schema is JSON");
    jsonschema::validator_for(&schema).expect("the committed schema is a schema")
}

fn invalid(file: &str, validator: &Validator, json: &[u8]) -> Vec<String> {
    let value: serde_json::Value = match serde_json::from_slice(json) {
        Ok(value) => value,
        Err(error) => return vec![format!("{file}: {error}")],
    };
    validator.iter_errors(&value).map(|e| format!("{file}: {}: {e}", e.instance_path())).collect()
}
