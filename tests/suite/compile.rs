//! From YAML text to a proved artifact, as the command line does it, without files.

use tetrafold::artifact::digest::{Digest, FileRef};
use tetrafold::artifact::judge::Argument;
use tetrafold::artifact::manifest::{Manifest, Operation};
use tetrafold::artifact::node::{Host, Node, Workload as NodeWorkload};
use tetrafold::artifact::read::Artifact;
use tetrafold::artifact::scope::{self, Container};
use tetrafold::artifact::scope_block::ScopeBlocks;
use tetrafold::artifact::{abi, judge};
use tetrafold::diag::Diagnostics;
use tetrafold::driver::{self, Folded, Input};
use tetrafold::emit::assemble::Built;
use tetrafold::interp::{Event, Value, Workload, applies};
use tetrafold::platform::Target;
use tetrafold::policy::PolicySet;
use tetrafold::policy::phases::ResolveOptions;
use tetrafold::source::Sources;

/// Everything that a compile makes.
pub struct Compiled {
    pub sources: Sources,
    pub set: PolicySet,
    pub folded: Folded,
    pub built: Built,
    blocks: std::sync::Arc<[ScopeBlocks]>,
}

/// Compiles the documents of `texts`, each a file of its own.
///
/// # Errors
/// What was found wrong, one message a line.
pub fn compile(texts: &[&str], target: &Target) -> Result<Compiled, String> {
    compile_after(texts, target, None)
}

/// With numbers kept from an earlier build.
///
/// # Errors
/// As [`compile`].
pub fn compile_after(
    texts: &[&str],
    target: &Target,
    previous: Option<&Manifest>,
) -> Result<Compiled, String> {
    let mut sources = Sources::default();
    for (i, text) in texts.iter().enumerate() {
        sources.add(format!("{i}.yaml"), *text);
    }
    let mut diags = Diagnostics::default();
    let input = Input {
        paths: vec![],
        exclude: Default::default(),
        threads: 1,
        allow_empty: false,
        resolve: ResolveOptions::default(),
    };
    let policies = driver::policies(&sources, &input, &mut diags);
    let said =
        |diags: &Diagnostics| diags.iter().map(|d| format!("{} {}\n", d.code, d.message)).collect::<String>();
    let set = policies.set.ok_or_else(|| said(&diags))?;
    let folded = driver::fold(&set, target, &[], &mut diags).ok_or_else(|| said(&diags))?;
    if diags.blocks_compile() {
        return Err(said(&diags));
    }
    let built = driver::emit(&sources, &set, &folded, target, &[], previous, &mut diags)
        .map_err(|fault| fault.to_string())?
        .ok_or_else(|| said(&diags))?;
    let blocks = built
        .manifest
        .operations
        .iter()
        .map(|o| {
            let atoms: Vec<u32> = o.dimensions.iter().map(|d| d.atoms).collect();
            ScopeBlocks::read(built.files.get(&o.scope_blocks).unwrap(), o.number, &atoms).unwrap()
        })
        .collect::<Vec<_>>()
        .into();
    Ok(Compiled { sources, set, folded, built, blocks })
}

/// What the emitted bytes say about an event.
#[derive(Debug, PartialEq, Eq)]
pub struct Judged {
    /// (policy number, selector as events number it, posts)
    pub hits: Vec<(u32, u32, bool)>,
    pub value: i32,
    pub sigkill: bool,
}

const CGROUP: u64 = 4242;

impl Compiled {
    pub fn blocks(&self) -> std::sync::Arc<[ScopeBlocks]> {
        self.blocks.clone()
    }

    /// The artifact as a loader reads it.
    pub fn artifact(&self) -> Artifact {
        let get = |file: &FileRef| Ok(self.built.files.get(file).unwrap().to_vec());
        let report = b"{}".to_vec();
        let mut manifest = self.built.manifest.clone();
        manifest.report_sha256 = Digest::of(&report);
        Artifact::from_parts(&manifest.to_json(), report, get).unwrap()
    }

    /// Builds the tables of a node on which `event`'s workload runs, and follows them as the programs do.
    pub fn judge(&self, event: &Event) -> Judged {
        let manifest = &self.built.manifest;
        let nothing = Judged { hits: vec![], value: 0, sigkill: false };
        let kind = format!("{}:", event.attach.kind.name());
        let is_hooked = |o: &&Operation| {
            o.name.starts_with(&kind)
                && o.attach.syscall == event.attach.syscall
                && o.attach.targets.contains(&event.attach.target)
        };
        let Some(operation) = manifest.operations.iter().find(is_hooked) else { return nothing };
        let workloads = match &event.workload {
            Workload::Host => vec![],
            Workload::Container { namespace, labels, name, repo } => {
                let container = scope::Workload::Container(Container {
                    namespace: namespace.clone(),
                    labels: labels.clone(),
                    container: name.clone(),
                    repo: repo.clone(),
                });
                let scopes = scope::scopes_of(manifest, &container);
                vec![NodeWorkload { name: "it".into(), path: vec![7, CGROUP], scopes }]
            }
        };
        let node = Node::new(manifest, self.blocks.clone(), 1, &workloads, Host::default()).unwrap();
        let set = if workloads.is_empty() {
            abi::SET_DEFAULT
        } else {
            judge::set_of_cgroup(manifest, node.bytes(), CGROUP).expect("the cgroup was entered")
        };
        let args = arguments(event);
        let process = |fact| event.process.get(&fact).map_or(Argument::Unreadable, argument);
        let files = &self.built.files;
        let acts = judge::judge(manifest, files, node.bytes(), set, operation, &args, &process).unwrap();
        let (value, sigkill) = judge::verdict(&acts);
        let records = manifest.records();
        let hit = |a: &abi::Act| {
            (records[&a.record].policy, records[&a.record].selector, a.flags & abi::ACT_POST != 0)
        };
        let hits = acts.iter().map(hit).collect();
        Judged { hits, value: i32::from(value), sigkill }
    }

    /// The oracle's answer in the same form.
    pub fn expected(&self, event: &Event, verdict: &tetrafold::interp::Verdict) -> Judged {
        let mut hits: Vec<(u32, u32, bool)> = vec![];
        for hit in &verdict.hits {
            let rank = self.set.policies.iter().position(|p| p.identity == hit.policy).unwrap();
            // The number that the manifest gives the selector where the event happened.
            let number = self.folded.program.lists.iter().filter(|l| l.policy == rank).find_map(|l| {
                let operation = &self.folded.program.operations[l.operation.0 as usize];
                let at = operation.attach.position(&event.attach)?;
                let selectors = &self.set.policies[rank].hooks[l.hooks[at]].selectors;
                let is_here = applies(&self.set.scopes[l.scope.0 as usize], &event.workload);
                let selector = selectors.iter().find(|s| is_here && s.span == hit.place)?;
                Some(l.first_selector + u32::from(selector.number))
            });
            hits.push((self.built.manifest.policies[rank].number, number.unwrap(), hit.post));
        }
        Judged { hits, value: verdict.value, sigkill: verdict.sigkill }
    }
}

fn arguments(event: &Event) -> Vec<Argument<'_>> {
    event.args.iter().map(argument).collect()
}

fn argument(value: &Value) -> Argument<'_> {
    match value {
        Value::Unreadable => Argument::Unreadable,
        Value::Text(text) => Argument::Text(text),
        Value::Int(register) => Argument::Int(*register),
        Value::Flow(flow) => Argument::Flow(*flow),
    }
}
