//! From documents to a proved artifact, and what its bytes then say.

use super::assemble;
use super::verify;
use crate::artifact::judge::{Argument, judge, set_of_cgroup, verdict};
use crate::artifact::node::{Host, Node, Workload};
use crate::artifact::scope_block::ScopeBlocks;
use crate::diag::Diagnostics;
use crate::driver::{self, Input};
use crate::emit::assemble::Built;
use crate::fold::opt::Certificate;
use crate::fold::{ir, opt, plan};
use crate::platform::Target;
use crate::policy::PolicySet;
use crate::policy::phases::ResolveOptions;
use crate::source::Sources;

fn allowlist(name: &str, paths: &str) -> String {
    format!(
        "apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {{name: {name}}}\nspec:\n  \
         podSelector: {{matchLabels: {{app: {name}}}}}\n  lsmhooks:\n  - hook: bprm_creds_for_exec\n    \
         args: [{{index: 0, type: linux_binprm}}]\n    selectors:\n    - matchArgs:\n      \
         - {{index: 0, operator: NotEqual, values: [{paths}]}}\n      \
         matchActions: [{{action: Override, argError: -1}}]\n"
    )
}

fn policies(texts: &[String]) -> (Sources, PolicySet) {
    let mut sources = Sources::default();
    for (i, text) in texts.iter().enumerate() {
        sources.add(format!("{i}.yaml"), text.as_str());
    }
    let input = Input {
        paths: vec![],
        exclude: Default::default(),
        threads: 1,
        allow_empty: false,
        resolve: ResolveOptions::default(),
    };
    let set = driver::policies(&sources, &input, &mut Diagnostics::default()).set.expect("they are valid");
    (sources, set)
}

fn build(sources: &Sources, set: &PolicySet) -> (Certificate, Built) {
    let target = Target::default();
    let mut diags = Diagnostics::default();
    let mut program = ir::build(set, &target, &mut diags);
    let certificate = opt::run(&mut program, &set.strings, &[]);
    let plan = plan::factor(&program, &mut diags).expect("no limit is near");
    let lowered = assemble::lower(set, &program, &plan).unwrap();
    (certificate, assemble::run(sources, set, &program, &plan, lowered, &target, None).unwrap())
}

#[test]
fn an_allowlist_is_assembled_proved_and_judged() {
    let texts = [allowlist("db", "/usr/bin/postgres, /bin/sh"), allowlist("shop", "/app/server, /bin/sh")];
    let (sources, set) = policies(&texts);
    let (certificate, built) = build(&sources, &set);
    built.manifest.check().unwrap();
    verify::prove(&sources, &set, &certificate, built.emitted()).unwrap();

    let operation = &built.manifest.operations[0];
    let atoms: Vec<u32> = operation.dimensions.iter().map(|d| d.atoms).collect();
    let blocks = ScopeBlocks::read(built.files.get(&operation.scope_blocks).unwrap(), 0, &atoms).unwrap();
    let workloads = [Workload { name: "shop".into(), path: vec![2, 7], scopes: vec![1] }];
    let node = Node::new(&built.manifest, vec![blocks].into(), 1, &workloads, Host::default()).unwrap();
    let shop = set_of_cgroup(&built.manifest, node.bytes(), 7).unwrap();
    let run = |set: u32, path: Argument<'_>| {
        let acts = judge(&built.manifest, &built.files, node.bytes(), set, operation, &[path], &|_| {
            Argument::Unreadable
        })
        .unwrap();
        (verdict(&acts).0, acts.len())
    };
    assert_eq!(run(shop, Argument::Text(b"/app/server")), (0, 0));
    assert_eq!(run(shop, Argument::Text(b"/app/serve")), (-1, 1));
    assert_eq!(run(shop, Argument::Text(b"/usr/bin/postgres")), (-1, 1));
    assert_eq!(run(shop, Argument::Unreadable), (-1, 1));
    assert_eq!(run(0, Argument::Text(b"/usr/bin/postgres")), (0, 0));
}

#[test]
fn an_artifact_does_not_prove_other_documents() {
    let (sources, set) = policies(&[allowlist("db", "/usr/bin/postgres, /bin/sh")]);
    let (certificate, built) = build(&sources, &set);
    for (name, paths) in [("db", "/usr/bin/postgres, /bin/bash"), ("bd", "/usr/bin/postgres, /bin/sh")] {
        let (sources, other) = policies(&[allowlist(name, paths)]);
        assert!(verify::prove(&sources, &other, &certificate, built.emitted()).is_err());
    }
}
