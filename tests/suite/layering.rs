//! Who may use whom. A module may name itself and what is to its left; some have a list of their own, because an
//! oracle that reuses the code under test proves nothing. `artifact` and `bpf` are crates: Cargo sees to it that
//! they name nothing of this one. Files of one room may name each other, and not in a circle.

mod imports;

use std::collections::BTreeSet;
use std::path::Path;

use imports::Imports;

const ORDER: &[&str] = &[
    "source", "vocab", "diag", "syntax", "platform", "memory", "policy", "fold", "interp", "artifact",
    "emit", "report", "driver", "cli",
];

/// The rooms of a room, in order.
const ROOMS: &[(&str, &[&str])] =
    &[("policy", &["written", "overlap", "context", "expand", "resolve", "phases"])];

/// All that these may name, beside themselves.
const OWN_LISTS: &[(&str, &[&str])] = &[
    // The meaning of documents shares only their types and the vocabulary with the compiler.
    (
        "interp::document",
        &["interp::number", "interp::network", "vocab", "policy", "policy::written", "source"],
    ),
    ("interp::number", &["vocab", "policy"]),
    ("interp::network", &["interp::number", "vocab", "policy"]),
    ("interp", &["vocab", "policy", "policy::written", "fold::ir", "fold::plan", "source"]),
    // The proof shares certificates with what it proves, and the stand-in for a number that the loader chooses.
    (
        "emit::verify",
        &[
            "interp::document",
            "artifact",
            "bpf",
            "fold::opt",
            "emit::region_constants",
            "policy",
            "policy::written",
            "vocab",
            "source",
        ],
    ),
];

/// Modules to the right that a module may name.
const EXTRA: &[(&str, &str)] = &[
    ("source", "diag"),
    // Which tables and parts of arguments there are is described once; the rest of the compiler knows it by `vocab::condition`.
    ("vocab", "artifact"),
    // Limits that a program and the plan share are numbers of `abi.h`.
    ("fold", "artifact"),
    // The format of type information is described once.
    ("platform", "bpf"),
    ("emit", "bpf"),
    ("report", "bpf"),
    ("driver", "bpf"),
    ("cli", "bpf"),
];

/// Circles that are still there. A new one is an error, and so is one that is gone and still in this list.
const CIRCLES: &[&[&str]] = &[
    &["cli::args", "cli::config", "cli::config::read", "cli::console"],
    &["diag::codes", "diag::levels"],
    &["diag::lints", "diag::schema"],
    &["emit::describe", "emit::numbers"],
    &["policy::resolve::identity", "policy::resolve::workload"],
    &["policy::resolve::values::int", "policy::resolve::values::other"],
    &["syntax::ast::bindings", "syntax::ast::objects"],
    &["syntax::ast::read", "syntax::ast::rules"],
    &["vocab::arg_type", "vocab::condition"],
];

const CIRCLES_OF_ARTIFACT: &[&[&str]] = &[
    &[
        "image",
        "judge",
        "manifest",
        "manifest::check",
        "node",
        "node::cgroups",
        "node::rows",
        "node::sets",
        "projection",
        "scope_block",
        "table",
    ],
    &["node::layout", "node::sizing"],
];

fn source() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))
}

#[test]
fn a_module_names_only_what_is_to_its_left() {
    let imports = imports::read(source(), &["artifact", "bpf"]);
    assert!(imports.0.len() > 150, "the test found only {} modules", imports.0.len());
    let mut wrong = vec![];
    for (module, named) in &imports.0 {
        for (target, path) in named {
            let (module, target) = (module.join("::"), target.join("::"));
            if !allowed(&module, &target) {
                wrong.push(format!("{module} names {target}: {path}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn is_within(module: &str, room: &str) -> bool {
    module.strip_prefix(room).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn allowed(module: &str, target: &str) -> bool {
    // `lib.rs` ties everything together.
    if module.is_empty() || is_within(target, module) {
        return true;
    }
    if let Some((own, list)) = OWN_LISTS.iter().find(|(own, _)| is_within(module, own)) {
        return is_within(target, own)
            || list.iter().any(|room| match *room {
                // Its types, and none of its rooms.
                "policy" => target == "policy",
                room => is_within(target, room),
            });
    }
    let first = |path: &str| path.split("::").next().unwrap().to_string();
    let (from, to) = (first(module), first(target));
    if let (true, Some((_, rooms))) = (from == to, ROOMS.iter().find(|(room, _)| *room == from)) {
        let place = |path: &str| {
            let inner = path.split("::").nth(1);
            inner.and_then(|inner| rooms.iter().position(|room| *room == inner))
        };
        // What the room itself declares is for all of it.
        return place(module).is_none() || place(target) <= place(module);
    }
    let place = |name: &str| ORDER.iter().position(|room| *room == name);
    EXTRA.contains(&(&*from, &*to))
        || matches!((place(&from), place(&to)), (Some(mine), Some(theirs)) if theirs <= mine)
}

#[test]
fn modules_beside_each_other_do_not_name_each_other_in_a_circle() {
    let check = |imports: &Imports, known: &[&[&str]]| {
        let known: BTreeSet<BTreeSet<String>> =
            known.iter().map(|circle| circle.iter().map(ToString::to_string).collect()).collect();
        let found: BTreeSet<BTreeSet<String>> = imports::circles(imports).into_iter().collect();
        let new: Vec<_> = found.difference(&known).collect();
        let gone: Vec<_> = known.difference(&found).collect();
        assert!(new.is_empty() && gone.is_empty(), "new: {new:?}\ngone: {gone:?}");
    };
    check(&imports::read(source(), &["artifact", "bpf"]), CIRCLES);
    check(&imports::read(&source().join("artifact"), &[]), CIRCLES_OF_ARTIFACT);
    check(&imports::read(&source().join("bpf"), &[]), &[]);
}
