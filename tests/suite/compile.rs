//! From YAML text to a proved artifact, as the command line does it, without files.

use tetrafold::artifact::judge::Argument;
use tetrafold::artifact::node::{Node, Workload as NodeWorkload};
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
use tetrafold::vocab::arg_type::{ArgType, Class};

/// Everything that a compile makes.
pub struct Compiled {
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
    let mut sources = Sources::default();
    for (i, text) in texts.iter().enumerate() {
        sources.add(format!("{i}.yaml"), *text);
    }
    let mut diags = Diagnostics::default();
    let input = Input { paths: vec![], threads: 1, allow_empty: false, resolve: ResolveOptions::default() };
    let policies = driver::policies(&sources, &input, &mut diags);
    let said =
        |diags: &Diagnostics| diags.iter().map(|d| format!("{} {}\n", d.code, d.message)).collect::<String>();
    let set = policies.set.ok_or_else(|| said(&diags))?;
    let folded = driver::fold(&set, target, &[], &mut diags).ok_or_else(|| said(&diags))?;
    if diags.blocks_compile() {
        return Err(said(&diags));
    }
    let built = driver::emit(&sources, &set, &folded, target, &[], &mut diags)
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
    Ok(Compiled { set, folded, built, blocks })
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
    /// Builds the tables of a node on which `event`'s workload runs, and follows them as the programs do.
    pub fn judge(&self, event: &Event) -> Judged {
        let manifest = &self.built.manifest;
        let nothing = Judged { hits: vec![], value: 0, sigkill: false };
        let kind = event.attach.kind.name();
        let name = format!("{kind}:{}", event.attach.target);
        let Some(operation) = manifest.operations.iter().find(|o| o.name == name) else { return nothing };
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
        let node = Node::new(manifest, self.blocks.clone(), 1, &workloads).unwrap();
        let set = if workloads.is_empty() {
            abi::SET_DEFAULT
        } else {
            judge::set_of_cgroup(manifest, node.bytes(), CGROUP).expect("the cgroup was entered")
        };
        let args = arguments(operation, event);
        let acts = judge::judge(manifest, &self.built.files, node.bytes(), set, operation, &args).unwrap();
        let (value, sigkill) = judge::verdict(&acts);
        let hits =
            acts.iter().map(|a| (a.policy, u32::from(a.selector), a.flags & abi::ACT_POST != 0)).collect();
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
                let selectors = &self.set.policies[rank].hooks[l.hook].selectors;
                let scope = &self.set.scopes[l.scope.0 as usize];
                let is_here = operation.attach == event.attach && applies(scope, &event.workload);
                let at = selectors.iter().position(|s| is_here && s.span == hit.place)?;
                Some(l.first_selector + at as u32)
            });
            hits.push((rank as u32, number.unwrap(), hit.post));
        }
        Judged { hits, value: verdict.value, sigkill: verdict.sigkill }
    }
}

fn arguments<'a>(
    operation: &tetrafold::artifact::manifest::Operation,
    event: &'a Event,
) -> Vec<Argument<'a>> {
    event
        .args
        .iter()
        .enumerate()
        .map(|(i, value)| match value {
            Value::Unreadable => Argument::Unreadable,
            Value::Text(text) => Argument::Text(text),
            Value::Int(register) => {
                let declared = operation.args.iter().find(|a| a.index as usize == i);
                let ty = declared.and_then(|a| ArgType::ALL.iter().find(|t| t.name() == a.ty));
                Argument::Int(match ty.and_then(|t| t.class()) {
                    Some(Class::Int { bytes, signed }) => widen(*register, bytes, signed),
                    Some(Class::Text | Class::Path) | None => *register,
                })
            }
        })
        .collect()
}

/// As the stencil `int_lookup`.
fn widen(register: u64, bytes: u8, signed: bool) -> u64 {
    let unused = 64 - u32::from(bytes) * 8;
    if signed { ((register << unused) as i64 >> unused) as u64 } else { register << unused >> unused }
}
