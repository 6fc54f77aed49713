//! Whole objects, made of the real stencils.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::btf::{Btf, Kind, Strings, Type, Word};
use super::object_file::ObjectFile;
use super::*;

/// A program that decides execs: most of the stencils there are.
fn exec() -> ProgramSpec {
    let leave = Some(Place::ALLOW);
    let slot_bytes = stencils().struct_size("slot") + stencils().struct_size("text");
    ProgramSpec {
        name: "exec".to_owned(),
        section: "lsm/bprm_check_security".to_owned(),
        steps: vec![
            Step::stencil("scope_set", &[4096], leave),
            Step::LoadContext { offset: 0, arg: 0 },
            Step::stencil("path_of_binprm_typed", &[0], None),
            Step::stencil("walk_typed", &[0, 4096, 0, 1], None),
            Step::stencil("quiet_bits", &[0], leave),
            Step::stencil("claim", &[3, 0], None),
            Step::stencil("text_of_path_typed", &[0, 0, 4096, 0], None),
            Step::stencil("refine", &[0, 501, 0], None),
            Step::stencil("act_bits", &[], None),
            Step::stencil("post", &[1, 0, 0, 0], None),
            Step::stencil("release", &[], None),
            Step::stencil("verdict", &[], None),
            Step::Return,
        ],
        patches: (1..=5).map(|n| (Patch(n), if n == 5 { 56 } else { 0xfff8 })).collect(),
        variables: BTreeMap::from([("tables".to_owned(), 0x1_0200), ("node".to_owned(), 0x1_0200)]),
        maps: BTreeMap::from([
            ("events".to_owned(), MapSize { max_entries: Some(131_072), ..MapSize::default() }),
            (
                "scratch".to_owned(),
                MapSize { value_bytes: Some(slot_bytes), max_entries: Some(3), ..MapSize::default() },
            ),
        ]),
    }
}

/// A program that only looks the scope set up.
fn scope_only() -> ProgramSpec {
    ProgramSpec { steps: vec![Step::stencil("scope_set", &[64], Some(Place::ALLOW))], ..exec() }
}

fn stencils() -> StencilObject {
    StencilObject::embedded().unwrap()
}

fn linked(spec: &ProgramSpec) -> Vec<u8> {
    link(&stencils(), spec).unwrap()
}

#[test]
fn a_whole_program_reads_back() {
    let facts = read_back(&linked(&exec())).unwrap();
    assert_eq!(facts.programs.len(), 1);
    let program = &facts.programs[0];
    assert_eq!((program.name.as_str(), program.section.as_str()), ("exec", "lsm/bprm_check_security"));
    assert_eq!(program.maps, ["events", "scratch"]);
    assert!(program.kernel_names.contains(&"struct dentry.d_name.len".to_owned()));
    assert!((1..=512).contains(&program.stack_bytes));
    let sizes: Vec<(&str, u32, u32)> =
        facts.maps.iter().map(|m| (m.name.as_str(), m.value_bytes, m.max_entries)).collect();
    let scratch = exec().maps["scratch"].value_bytes.unwrap();
    assert_eq!(sizes, [("events", 0, 131_072), ("scratch", scratch, 3)]);
    let variables: Vec<(&str, u32)> =
        facts.variables.iter().map(|(_, name, b)| (name.as_str(), *b)).collect();
    assert_eq!(variables, [("node", 0x1_0200), ("tables", 0x1_0200)]);
}

#[test]
fn the_same_specification_gives_the_same_bytes() {
    assert_eq!(linked(&exec()), linked(&exec()));
    assert_ne!(linked(&exec()), linked(&scope_only()));
}

#[test]
fn only_what_is_reached_gets_in() {
    let facts = read_back(&linked(&scope_only())).unwrap();
    assert_eq!(facts.programs[0].subprograms, 0);
    assert!(facts.maps.is_empty());
    assert_eq!(facts.variables.len(), 1);
    let bytes = linked(&scope_only());
    let btf = ObjectFile::read(&bytes).unwrap().btf;
    assert_eq!(btf.find(Kind::Struct, "dentry"), None);
    let all = ObjectFile::read(&linked(&exec())).unwrap().btf;
    assert!(all.find(Kind::Struct, "dentry").is_some());
    assert_eq!(btf.types().filter(|(_, ty)| ty.kind == Kind::Func).count(), 1);
}

#[test]
fn no_path_of_the_build_gets_in() {
    let bytes = linked(&exec());
    for trace in [&b".bpf.c"[..], b".h\0", b"/home", b"clang", b"./"] {
        assert!(!bytes.windows(trace.len()).any(|window| window == trace), "{trace:?}");
    }
}

#[test]
fn every_section_name_that_loaders_know_reads_back() {
    for section in ["kprobe/security_file_open", "fmod_ret/security_bprm_check", "lsm/file_open"] {
        let bytes = linked(&ProgramSpec { section: section.to_owned(), ..scope_only() });
        assert_eq!(read_back(&bytes).unwrap().programs[0].section, section);
        assert_eq!(read_back(&stub(section).unwrap()).unwrap().programs[0].section, section);
    }
    let unknown = linked(&ProgramSpec { section: "nosuch/x".to_owned(), ..scope_only() });
    assert!(matches!(read_back(&unknown), Err(Error::ReadBack(_))));
}

#[test]
fn what_the_specification_lacks_is_an_error() {
    let object = stencils();
    let without = |n| {
        let mut spec = exec();
        spec.patches.remove(&Patch(n));
        link(&object, &spec)
    };
    for patch in [1, 3, 4, 5] {
        assert!(
            matches!(without(patch), Err(Error::MissingPatch { patch: p, .. }) if p == u32::from(patch)),
            "{patch}"
        );
    }
    // Nothing in the program reads tables, so their masks are not needed.
    let mut spec = scope_only();
    spec.patches.remove(&Patch(1));
    assert!(link(&object, &spec).is_ok());
}

#[test]
fn wrong_specifications_are_errors() {
    let object = stencils();
    let steps = |steps: Vec<Step>| link(&object, &ProgramSpec { steps, ..exec() });
    assert_eq!(steps(vec![Step::stencil("nosuch", &[], None)]), Err(Error::UnknownStencil("nosuch".into())));
    assert_eq!(
        steps(vec![Step::stencil("post", &[0; 5], None)]),
        Err(Error::Immediates { stencil: "post".into(), given: 5, taken: 4 })
    );
    assert_eq!(steps(vec![Step::Jump(Place(1))]), Err(Error::UnboundLabel { function: "exec".into() }));
    assert_eq!(
        steps(vec![Step::Bind(Place(1)), Step::Bind(Place(1))]),
        Err(Error::LabelBoundTwice { function: "exec".into() })
    );
    assert!(matches!(steps(vec![Step::LoadContext { offset: 0, arg: 9 }]), Err(Error::Frame(_))));
    for name in ["", "1st", "a-b", "a b"] {
        assert!(link(&object, &ProgramSpec { name: name.into(), ..exec() }).is_err(), "{name:?}");
    }
    let mut spec = exec();
    spec.maps.insert("events".into(), MapSize { value_bytes: Some(8), ..MapSize::default() });
    assert!(matches!(link(&object, &spec), Err(Error::MapDefinition { .. })));
    spec = exec();
    spec.variables.insert("tables".into(), u32::MAX);
    assert_eq!(link(&object, &spec), Err(Error::TooLarge("a data section")));
}

#[test]
fn a_program_without_steps_allows() {
    let bytes = linked(&ProgramSpec { steps: vec![], maps: BTreeMap::new(), ..exec() });
    let listing = disassemble(&bytes).unwrap();
    assert_eq!(
        listing,
        "exec (lsm/bprm_check_security):\n; exec\n\t*(u64 *)(r10 - 152) = r1\n; allow\n\tr0 = 0\n\texit\n"
            .replace("152", &stencils().struct_size("frame").to_string())
    );
}

#[test]
fn the_stub_is_what_it_says() {
    let listing = disassemble(&stub("lsm/file_open").unwrap()).unwrap();
    let expected = "\
stub (lsm/file_open):
\tr2 = map slots
\tr3 = 0
\tcall tail_call
\t*(u32 *)(r10 - 4) = 0
\tr2 = r10
\tr2 += -4
\tr1 = map missed
\tcall map_lookup_elem
\tif r0 == 0 goto L1
\tr1 = 1
\tlock *(u64 *)(r0 + 0) += r1
L1:
\tr0 = 0
\texit
";
    assert_eq!(listing, expected);
    let facts = read_back(&stub("lsm/file_open").unwrap()).unwrap();
    let maps: Vec<(&str, u32, u32, u32)> =
        facts.maps.iter().map(|m| (m.name.as_str(), m.map_type, m.value_bytes, m.max_entries)).collect();
    assert_eq!(maps, [(MISSED, 2, 8, 1), (SLOTS, 3, 4, 1)]);
}

#[test]
fn listings_name_what_is_referred_to() {
    let listing = disassemble(&linked(&exec())).unwrap();
    for text in [
        "; walk_typed\n",
        "r1 = &node\n",
        "r1 = map events\n",
        "= &walk_round\n",
        "call loop\n",
        "; offset of struct linux_binprm.file\n",
        "; exists struct dentry.d_iname\n",
        "walk_round (.text):\n",
    ] {
        assert!(listing.contains(text), "{text}");
    }
}

/// A kernel whose types are those that the object itself names, with `change` applied to each.
fn kernel(bytes: &[u8], change: impl Fn(&mut Type)) -> KernelBtf {
    let own = ObjectFile::read(bytes).unwrap().btf;
    let mut types = Btf::default();
    for (id, ty) in own.types() {
        let mut ty = ty.clone();
        change(&mut ty);
        let added = types.add_unmerged(ty);
        assert_eq!(added, id);
    }
    KernelBtf::parse(&types.encode(&mut Strings::default())).unwrap()
}

fn rename_member(ty: &mut Type, of: &str, from: &str, to: &str) {
    if ty.name == of && ty.kind == Kind::Struct {
        for word in &mut ty.words {
            if *word == Word::Name(from.to_owned()) {
                *word = Word::Name(to.to_owned());
            }
        }
    }
}

#[test]
fn a_field_that_a_kernel_lacks_is_named() {
    let bytes = linked(&exec());
    assert_eq!(relocate_against(&bytes, &kernel(&bytes, |_| {})), Ok(vec![]));
    let renamed = kernel(&bytes, |ty| rename_member(ty, "linux_binprm", "file", "the_file"));
    let missing = relocate_against(&bytes, &renamed).unwrap();
    let expected = Missing { function: "exec".to_owned(), what: "struct linux_binprm.file".to_owned() };
    assert_eq!(missing, [expected]);
}

/// `d_iname` became `d_shortname`: the stencils test which one there is, and need only one.
#[test]
fn a_field_behind_a_test_for_its_existence_is_not_missing() {
    let bytes = linked(&exec());
    let renamed = kernel(&bytes, |ty| {
        rename_member(ty, "dentry", "d_iname", "other");
        if ty.name == "dentry___shortname" {
            ty.name = "dentry".to_owned();
        }
    });
    assert_eq!(relocate_against(&bytes, &renamed), Ok(vec![]));
    let neither = kernel(&bytes, |ty| {
        rename_member(ty, "dentry", "d_iname", "other");
        rename_member(ty, "dentry___shortname", "d_shortname", "other");
    });
    let missing = relocate_against(&bytes, &neither).unwrap();
    let names: Vec<&str> = missing.iter().map(|m| m.what.as_str()).collect();
    assert!(names.contains(&"struct dentry.d_shortname"), "{names:?}");
    assert!(!names.contains(&"struct dentry.d_iname"), "{names:?}");
}

/// Changes bytes at random places.
fn damage(bytes: &[u8], changes: &[(prop::sample::Index, u8)]) -> Vec<u8> {
    let mut damaged = bytes.to_vec();
    for (place, value) in changes {
        let at = place.index(damaged.len());
        damaged[at] = *value;
    }
    damaged
}

fn arb_changes() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)
}

/// The object without its large, meaningless zeros, so that damage hits what has a meaning.
fn small() -> Vec<u8> {
    let mut spec = exec();
    spec.variables = BTreeMap::from([("tables".to_owned(), 1024), ("node".to_owned(), 1024)]);
    linked(&spec)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_damaged_stencil_object_never_panics(changes in arb_changes()) {
        let intact = include_bytes!("../../bpf-templates/stencils.bpf.o");
        if let Ok(object) = StencilObject::read(&damage(intact, &changes)) {
            let _ = link(&object, &exec());
        }
    }

    #[test]
    fn a_damaged_object_never_panics(changes in arb_changes(), cut in any::<prop::sample::Index>(), whole: bool) {
        let mut damaged = damage(&small(), &changes);
        if !whole {
            damaged.truncate(cut.index(damaged.len()));
        }
        let _ = facts(&damaged);
        let _ = disassemble(&damaged);
        let _ = read_back(&damaged);
    }

    #[test]
    fn damaged_kernel_types_never_panic(changes in arb_changes()) {
        let bytes = small();
        let types = ObjectFile::read(&bytes).unwrap().btf.encode(&mut Strings::default());
        if let Ok(kernel) = KernelBtf::parse(&damage(&types, &changes)) {
            let _ = relocate_against(&bytes, &kernel);
        }
    }
}
