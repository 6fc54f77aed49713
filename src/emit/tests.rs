//! From a policy set made by hand to a proved artifact.

use super::assemble;
use super::verify;
use crate::artifact::judge::{Argument, judge, set_of_cgroup, verdict};
use crate::artifact::manifest::PolicySelector;
use crate::artifact::node::{Node, Workload};
use crate::artifact::scope_block::ScopeBlocks;
use crate::diag::Diagnostics;
use crate::fold::{ir, opt, plan};
use crate::platform::Target;
use crate::policy::*;
use crate::source::{Sources, Span};
use crate::vocab::arg_type::ArgType;
use crate::vocab::condition::Projection;

fn allowlist(set: &mut PolicySet, sources: &mut Sources, name: &str, paths: &[&str]) {
    let file = sources.add(format!("{name}.yaml"), format!("name: {name}\n"));
    let span = Span::new(file, 0, 4);
    let scope = Scope {
        any: vec![ScopeTerm::Pods {
            namespace: None,
            pod: vec![Requirement { key: "app".into(), op: RequirementOp::In, values: vec![name.into()] }],
            container: vec![],
        }],
    };
    let scope = ScopeId(set.scopes.insert_full(scope).0 as u32);
    let mut values: Vec<StrId> = paths.iter().map(|p| set.strings.intern(p.as_bytes())).collect();
    values.sort();
    set.policies.push(Policy {
        identity: Identity { kind: PolicyKind::TracingPolicy, namespace: None, name: name.into() },
        file,
        span,
        document: span,
        template: None,
        mode: Mode::Enforce,
        scope,
        hooks: vec![Hook {
            scope: None,
            call: HookCall::Lsm { hook: "bprm_creds_for_exec".into() },
            entry: 0,
            args: vec![Arg { index: 0, ty: ArgType::LinuxBinprm, label: None, span }],
            selectors: vec![Selector {
                number: 0,
                conditions: vec![Condition {
                    source: Source::Argument(0),
                    projection: Projection::Whole,
                    negated: true,
                    values: Values::Path(values),
                    span,
                }],
                actions: Actions {
                    post: true,
                    override_value: Some(-1),
                    signal: None,
                    shown: ShownAction::Override,
                },
                span,
            }],
            message: None,
            tags: vec![],
            span,
        }],
    });
}

#[test]
fn an_allowlist_is_assembled_proved_and_judged() {
    let (mut set, mut sources) = (PolicySet::default(), Sources::default());
    allowlist(&mut set, &mut sources, "db", &["/usr/bin/postgres", "/bin/sh"]);
    allowlist(&mut set, &mut sources, "shop", &["/app/server", "/bin/sh"]);
    let target = Target::default();
    let mut diags = Diagnostics::default();
    let mut program = ir::build(&set, &target, &mut diags);
    let certificate = opt::run(&mut program, &set.strings, &[]);
    let plan = plan::factor(&program, &mut diags).expect("no limit is near");
    let built = assemble::run(&sources, &set, &program, &plan, &target, None).unwrap();
    built.manifest.check().unwrap();
    verify::prove(&set, &program, &certificate, &built.manifest, &built.files).unwrap();

    let operation = &built.manifest.operations[0];
    let atoms: Vec<u32> = operation.dimensions.iter().map(|d| d.atoms).collect();
    let blocks = ScopeBlocks::read(built.files.get(&operation.scope_blocks).unwrap(), 0, &atoms).unwrap();
    let workloads = [Workload { name: "shop".into(), path: vec![2, 7], scopes: vec![1] }];
    let node = Node::new(&built.manifest, vec![blocks].into(), 1, &workloads, None).unwrap();
    let shop = set_of_cgroup(&built.manifest, node.bytes(), 7).unwrap();
    let run = |set: u32, path: Argument<'_>| {
        let acts = judge(&built.manifest, &built.files, node.bytes(), set, operation, &[path]).unwrap();
        (verdict(&acts).0, acts.len())
    };
    assert_eq!(run(shop, Argument::Text(b"/app/server")), (0, 0));
    assert_eq!(run(shop, Argument::Text(b"/app/serve")), (-1, 1));
    assert_eq!(run(shop, Argument::Text(b"/usr/bin/postgres")), (-1, 1));
    assert_eq!(run(shop, Argument::Unreadable), (-1, 1));
    assert_eq!(run(0, Argument::Text(b"/usr/bin/postgres")), (0, 0));
}

#[test]
fn the_proof_sees_a_wrong_value_and_a_wrong_list() {
    let (mut set, mut sources) = (PolicySet::default(), Sources::default());
    allowlist(&mut set, &mut sources, "db", &["/usr/bin/postgres", "/bin/sh"]);
    let target = Target::default();
    let mut diags = Diagnostics::default();
    let mut program = ir::build(&set, &target, &mut diags);
    let certificate = opt::run(&mut program, &set.strings, &[]);
    let plan = plan::factor(&program, &mut diags).unwrap();
    let built = assemble::run(&sources, &set, &program, &plan, &target, None).unwrap();
    // The same artifact does not prove another set of policies.
    let (mut other, mut sources) = (PolicySet::default(), Sources::default());
    allowlist(&mut other, &mut sources, "db", &["/usr/bin/postgres", "/bin/bash"]);
    assert!(verify::prove(&other, &program, &certificate, &built.manifest, &built.files).is_err());
    other = set.clone();
    other.policies[0].hooks[0].selectors[0].actions.override_value = Some(-2);
    assert!(verify::prove(&other, &program, &certificate, &built.manifest, &built.files).is_err());
    other = set.clone();
    other.policies[0].hooks[0].selectors[0].conditions[0].negated = false;
    assert!(verify::prove(&other, &program, &certificate, &built.manifest, &built.files).is_err());
    other = set.clone();
    other.policies[0].hooks[0].selectors[0].number = 1;
    assert!(verify::prove(&other, &program, &certificate, &built.manifest, &built.files).is_err());
    // The manifest says of which selector an action record is.
    for change in [|s: &mut PolicySelector| s.number = 1, |s: &mut PolicySelector| s.record = 1] {
        let mut manifest = built.manifest.clone();
        change(&mut manifest.policies[0].hooks[0].selectors[0]);
        assert!(verify::prove(&set, &program, &certificate, &manifest, &built.files).is_err());
    }
}
