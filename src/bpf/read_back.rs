//! An emitted object, taken apart again by code that had no part in making it.
//!
//! [`read_back`] has aya-obj parse the object, resolve its maps and link its functions, and compares what it
//! found with [`facts`](super::facts()). [`relocate_against`] has it resolve the CO-RE records against the BTF of
//! a kernel, so that a field that is not there is found at compile time. aya 0.3 knows no `fmod_ret/` sections:
//! a copy is read in which they are called `fentry.s/`, which is as long and attaches in the same way.

use std::collections::{BTreeMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use aya_obj::generated::bpf_insn;
use object::{Object as _, ObjectSection as _, SectionKind};

use super::btf::Btf;
use super::code::{CoreRecord, Item, lift};
use super::constants;
use super::error::Error;
use super::facts::{ObjectFacts, facts_of};
use super::flow::Flow;
use super::insn::{CALL, Insn, JMP};
use super::link::{DATA_MAX, LICENSE};
use super::object_file::{ObjectFile, elf_error, parse_elf};

/// Reads an object that is to be trusted: with this crate's reader and with aya-obj.
///
/// # Errors
/// The first thing that either cannot read, or on which the two differ.
pub fn read_back(bytes: &[u8]) -> Result<ObjectFacts, Error> {
    let ours = facts_of(&ObjectFile::read(bytes)?)?;
    if ours.license != LICENSE {
        return Err(Error::ReadBack(format!("its license is `{}`", ours.license)));
    }
    let mut theirs = parse_with_aya(bytes)?;
    compare_maps(&ours, &theirs)?;
    let text_sections = text_sections(bytes)?;
    guarded(|| {
        // Any number will do for file descriptors that nothing is loaded with.
        let maps = theirs.maps.clone();
        let named = maps.iter().map(|(name, map)| (name.as_str(), 3, map));
        theirs.relocate_maps(named, &text_sections)?;
        theirs.relocate_calls(&text_sections)
    })?
    .map_err(|error| Error::ReadBack(with_causes(&error)))?;
    compare_programs(&ours, &theirs)?;
    Ok(ours)
}

fn compare_maps(ours: &ObjectFacts, theirs: &aya_obj::Object) -> Result<(), Error> {
    let mut expected: BTreeMap<&str, [u32; 5]> = ours
        .maps
        .iter()
        .map(|m| (m.name.as_str(), [m.map_type, m.key_bytes, m.value_bytes, m.max_entries, m.flags]))
        .collect();
    const ARRAY: u32 = 2;
    for (section, _, bytes) in &ours.variables {
        let [.., value, _, _] = expected.entry(section.name()).or_insert([ARRAY, 4, 0, 1, 0]);
        *value = value.saturating_add(7) / 8 * 8;
        *value = value.saturating_add(*bytes);
    }
    let found: BTreeMap<&str, [u32; 5]> = theirs
        .maps
        .iter()
        .map(|(name, m)| {
            (name.as_str(), [m.map_type(), m.key_size(), m.value_size(), m.max_entries(), m.map_flags()])
        })
        .collect();
    if expected == found {
        return Ok(());
    }
    Err(Error::ReadBack(format!("maps are {expected:?} to us and {found:?} to aya-obj")))
}

fn compare_programs(ours: &ObjectFacts, theirs: &aya_obj::Object) -> Result<(), Error> {
    let expected: BTreeMap<&str, usize> =
        ours.programs.iter().map(|p| (p.name.as_str(), p.insns as usize)).collect();
    let found: BTreeMap<&str, usize> = theirs
        .programs
        .iter()
        .map(|(name, program)| {
            let function = theirs.functions.get(&program.function_key());
            (name.as_str(), function.map_or(0, |f| f.instructions.len()))
        })
        .collect();
    if expected == found {
        return Ok(());
    }
    Err(Error::ReadBack(format!("programs have {expected:?} instructions to us and {found:?} to aya-obj")))
}

/// Numbers of the sections that hold code.
fn text_sections(bytes: &[u8]) -> Result<HashSet<usize>, Error> {
    let elf = parse_elf(bytes)?;
    Ok(elf.sections().filter(|s| s.kind() == SectionKind::Text).map(|s| s.index().0).collect())
}

/// The BTF of a kernel (`/sys/kernel/btf/vmlinux`), checked and parsed.
pub struct KernelBtf(aya_obj::btf::Btf);

impl std::fmt::Debug for KernelBtf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KernelBtf")
    }
}

impl KernelBtf {
    pub fn parse(bytes: &[u8]) -> Result<KernelBtf, Error> {
        Btf::parse(bytes)?;
        // The host's byte order (aya-obj reads headers in no other), of a type that it does not export.
        let parsed = guarded(|| aya_obj::btf::Btf::parse(bytes, Default::default()))?;
        parsed.map(KernelBtf).map_err(|error| Error::ReadBack(with_causes(&error)))
    }
}

/// Something that a program reads and a kernel does not have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Missing {
    pub function: String,
    /// As C names it: `struct dentry.d_iname`.
    pub what: String,
}

/// Resolves an object's CO-RE records against a kernel; gives what is needed and not there.
///
/// What is missing but only read behind a test for its existence is not needed.
///
/// # Errors
/// An object that cannot be read, or a record that cannot be applied (a field of another size, say).
pub fn relocate_against(bytes: &[u8], kernel: &KernelBtf) -> Result<Vec<Missing>, Error> {
    let ours = ObjectFile::read(bytes)?;
    let mut theirs = parse_with_aya(bytes)?;
    guarded(|| theirs.relocate_btf(&kernel.0))?.map_err(|error| Error::ReadBack(with_causes(&error)))?;
    let mut missing = vec![];
    for (_, functions) in &ours.sections {
        for function in functions {
            let relocated = theirs.functions.values().find(|f| f.name == function.name);
            let relocated = relocated.ok_or_else(|| Error::UnknownFunction(function.name.clone()))?;
            let mut slot = 0;
            let mut records: BTreeMap<usize, &CoreRecord> = BTreeMap::new();
            for op in function.code.ops() {
                records.extend(op.core.iter().map(|core| (slot, core)));
                slot += op.slots();
            }
            for at in needed_and_missing(&function.name, &relocated.instructions)? {
                let what = match records.get(&at) {
                    Some(core) => without_flavour(&ours.btf.access_name(core.type_id, &core.access)),
                    None => format!("instruction {at}"),
                };
                missing.push(Missing { function: function.name.clone(), what });
            }
        }
    }
    missing.sort();
    missing.dedup();
    Ok(missing)
}

/// aya-obj, like libbpf, makes this helper call of an instruction that it cannot relocate; the verifier refuses
/// the program if it can be reached.
const POISON: Insn = Insn { op: JMP | CALL, dst: 0, src: 0, off: 0, imm: 0x0bad_2310 };

/// Slots of poisoned instructions that can be executed, as far as constants tell.
fn needed_and_missing(function: &str, insns: &[bpf_insn]) -> Result<Vec<usize>, Error> {
    let bytes: Vec<u8> = insns.iter().flat_map(|insn| encode(insn).encode()).collect();
    if insns.iter().all(|insn| encode(insn) != POISON) {
        return Ok(vec![]);
    }
    let code = lift(function, &bytes, &BTreeMap::new(), &BTreeMap::new())?;
    let known = constants::before(&code, &Flow::new(&code, function)?);
    let (mut slot, mut found) = (0, vec![]);
    for (item, known) in code.items.iter().zip(known) {
        if let Item::Op(op) = item {
            if op.insn == POISON && known.is_some() {
                found.push(slot);
            }
            slot += op.slots();
        }
    }
    Ok(found)
}

/// The kernel's name of a structure of which the stencils know several versions, `dentry___shortname` for example.
fn without_flavour(name: &str) -> String {
    match name.split_once("___") {
        Some((name, rest)) => format!("{name}{}", rest.find('.').map_or("", |at| &rest[at..])),
        None => name.to_owned(),
    }
}

fn encode(insn: &bpf_insn) -> Insn {
    Insn { op: insn.code, dst: insn.dst_reg(), src: insn.src_reg(), off: insn.off, imm: insn.imm }
}

const UNKNOWN_TO_AYA: &[u8; 9] = b"fmod_ret/";
const KNOWN_TO_AYA: &[u8; 9] = b"fentry.s/";

fn parse_with_aya(bytes: &[u8]) -> Result<aya_obj::Object, Error> {
    let copy = with_known_sections(bytes)?;
    // aya-obj allocates what a section without bytes in the file claims to be.
    if parse_elf(bytes)?.sections().any(|section| section.size() > u64::from(DATA_MAX)) {
        return Err(Error::TooLarge("a section"));
    }
    guarded(|| aya_obj::Object::parse(&copy))?.map_err(|error| Error::ReadBack(with_causes(&error)))
}

/// A copy whose section names aya-obj knows, in the section header's strings and in those of BTF.
fn with_known_sections(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let mut copy = bytes.to_vec();
    let elf = parse_elf(bytes)?;
    for name in [".shstrtab", ".BTF"] {
        let Some(section) = elf.section_by_name(name) else { continue };
        let (start, len) = section.file_range().ok_or_else(|| Error::MissingSection(name.to_owned()))?;
        let range = start as usize..(start as usize).saturating_add(len as usize);
        section.data().map_err(elf_error)?;
        let part = copy.get_mut(range).ok_or_else(|| Error::MissingSection(name.to_owned()))?;
        let mut at = 0;
        while let Some(window) = part.get_mut(at..at + UNKNOWN_TO_AYA.len()) {
            if window == UNKNOWN_TO_AYA {
                window.copy_from_slice(KNOWN_TO_AYA);
            }
            at += 1;
        }
    }
    Ok(copy)
}

/// Runs foreign code that may panic on bytes that are not what they should be.
fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|_| Error::ReadBack("aya-obj cannot take it".to_owned()))
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
