//! Makes the table from the test kernels, and holds the committed one against them.
//!
//! `tests/setup.sh --kernels` fetches the kernels; `TETRAFOLD_BLESS=1 cargo test --lib builtin` writes the table. The
//! names of modules come from `target/kernels/VERSION/module-names`, which `tests/setup.sh --module-names` writes;
//! where these are missing the filter is kept as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use object::{Object as _, ObjectSection as _};
use rustc_hash::FxHashMap;

use super::names::{Numbers, write};
use super::{BYTES, KERNELS, MAGIC, SECTIONS, TABLE, VERSION, filter_bits, shape};
use crate::platform::description::Field;
use crate::platform::types::c_type::{CType, Signature};
use crate::platform::types::{KernelTypes, Shape};

/// Where a kernel of `tests/setup.sh` lies.
fn folder(column: usize) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target"),
        |target| Path::new(env!("CARGO_MANIFEST_DIR")).join(target),
    );
    target.join("kernels").join(KERNELS[column].to_string())
}

/// The ELF file inside a bzImage (Documentation/arch/x86/boot.rst, 6.12).
fn unpacked(image: &[u8]) -> Vec<u8> {
    let word = |at: usize| u32::from_le_bytes(image[at..at + 4].try_into().unwrap()) as usize;
    let from = (usize::from(image[0x1f1]) + 1) * 512 + word(0x248);
    // The last four bytes are the size unpacked.
    let payload = image[from..from + word(0x24c) - 4].to_vec();
    let command: &[&str] = match payload.starts_with(b"\x28\xb5\x2f\xfd") {
        true => &["zstd", "-dcq"],
        false => &["xz", "-dcq", "--single-stream"],
    };
    let mut child = Command::new(command[0])
        .args(&command[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{} is needed (tests/setup.sh): {error}", command[0]));
    let mut input = child.stdin.take().unwrap();
    std::thread::spawn(move || input.write_all(&payload));
    child.wait_with_output().unwrap().stdout
}

/// What is read from the memory of a kernel that does not run.
struct Memory<'a> {
    sections: Vec<(u64, &'a [u8])>,
}

impl<'a> Memory<'a> {
    fn at(&self, address: u64) -> Option<&'a [u8]> {
        let (from, bytes) = self.sections.iter().find(|(from, bytes)| {
            address.checked_sub(*from).is_some_and(|offset| offset < bytes.len() as u64)
        })?;
        Some(&bytes[(address - from) as usize..])
    }

    fn word(&self, address: u64) -> Option<u64> {
        Some(u64::from_le_bytes(self.at(address)?.get(..8)?.try_into().ok()?))
    }

    fn half(&self, address: u64) -> Option<u32> {
        Some(u32::from_le_bytes(self.at(address)?.get(..4)?.try_into().ok()?))
    }

    fn text(&self, address: u64) -> Option<&'a str> {
        let bytes = self.at(address)?;
        let text = &bytes[..bytes.iter().take(100).position(|byte| *byte == 0)?];
        std::str::from_utf8(text).ok().filter(|text| !text.is_empty())
    }

    /// A name at an address, if it is one.
    fn name(&self, address: u64) -> Option<&'a str> {
        let is_of_name = |b: u8| b.is_ascii_alphanumeric() || b"_-".contains(&b);
        self.text(address).filter(|name| name.bytes().all(is_of_name))
    }
}

/// The common fields of every event (`struct trace_entry`).
const COMMON_BYTES: u32 = 8;

/// The fields of an event's own, from its `struct trace_event_call` (kernel/trace/trace_events.c,
/// trace_event_define_fields, 6.1 and 6.12).
fn fields(memory: &Memory<'_>, data: u64, call: u64, event: &str) -> Option<Vec<Field>> {
    // `fields_array` of the class; of a system call's event a function makes the rest.
    let mut at = memory.word(memory.word(call + 16)? + 32)?;
    let (mut fields, mut offset) = (vec![], COMMON_BYTES);
    while memory.word(at)? != 0 {
        if memory.word(at)? == u64::MAX {
            fields.extend(syscall_fields(memory, memory.word(call + data)?, event)?);
            break;
        }
        let (bytes, align) = (memory.half(at + 16)?, memory.half(at + 20)?);
        offset = offset.next_multiple_of(align);
        fields.push(Field {
            name: memory.name(memory.word(at + 8)?)?.to_string(),
            ty: memory.text(memory.word(at)?)?.to_string(),
            bytes,
            signed: memory.half(at + 24)? & 1 == 1,
            offset: Some(offset),
        });
        offset += bytes;
        at += ENTRY_BYTES;
    }
    Some(fields)
}

/// Of a `struct trace_event_fields`.
const ENTRY_BYTES: u64 = 40;

/// Where `data` is in the `struct trace_event_call` of each kernel.
const DATA_OF_CALL: [u64; 2] = [104, 80];

/// The arguments of a system call, by its `struct syscall_metadata` (kernel/trace/trace_syscalls.c,
/// syscall_enter_define_fields).
fn syscall_fields(memory: &Memory<'_>, metadata: u64, event: &str) -> Option<Vec<Field>> {
    let name = memory.name(memory.word(metadata)?)?;
    assert_eq!(name.strip_prefix("sys_"), event.strip_prefix("sys_enter_"));
    let (types, names) = (memory.word(metadata + 16)?, memory.word(metadata + 24)?);
    let field = |n: u64| {
        let text = |list: u64| memory.text(memory.word(list + 8 * n)?);
        let (name, ty) = (text(names)?.to_string(), text(types)?.to_string());
        Some(Field { name, ty, bytes: 8, signed: false, offset: Some(16 + 8 * n as u32) })
    };
    (0..u64::from(memory.half(metadata + 12)?)).map(field).collect()
}

/// Events of tracefs: every `struct trace_event_call` in the data, known by a class with the name of a subsystem and
/// a tracepoint, or the name of a system call's event (include/linux/trace_events.h, 6.1 and 6.12).
fn events(elf: &object::File<'_>, raw: &BTreeSet<String>, data_of_call: u64) -> BTreeMap<String, Vec<Field>> {
    let sections = elf.sections().filter(|section| section.address() != 0);
    let sections = sections.map(|section| (section.address(), section.data().unwrap_or_default()));
    let memory = Memory { sections: sections.collect() };
    let mut found = BTreeMap::new();
    for section in elf.sections().filter(|section| [".data", ".init.data"].contains(&section.name().unwrap()))
    {
        let data = section.data().unwrap();
        for at in (0..data.len().saturating_sub(32)).step_by(8) {
            let word = |n: usize| u64::from_le_bytes(data[at + 8 * n..at + 8 * n + 8].try_into().unwrap());
            if (word(0), word(1)) != (0, 0) || word(2) == 0 || word(3) == 0 {
                continue;
            }
            let Some(subsystem) = memory.word(word(2)).and_then(|name| memory.name(name)) else { continue };
            let of_tracepoint = memory.word(word(3)).and_then(|name| memory.name(name));
            let of_syscall = memory.name(word(3)).filter(|name| {
                subsystem == "syscalls" && (name.starts_with("sys_enter_") || name.starts_with("sys_exit_"))
            });
            if let Some(event) = of_tracepoint.filter(|event| raw.contains(*event)).or(of_syscall) {
                let fields = fields(&memory, data_of_call, section.address() + at as u64, event);
                let fields = fields.unwrap_or_else(|| panic!("the fields of {event}"));
                found.insert(format!("{subsystem}/{event}"), fields);
            }
        }
    }
    found
}

/// What one kernel gives.
struct Given {
    types: KernelTypes,
    /// With their own fields; raw tracepoints have none.
    events: BTreeMap<String, Vec<Field>>,
}

fn given(column: usize) -> Given {
    let image = std::fs::read(folder(column).join("vmlinuz")).unwrap();
    let elf = unpacked(&image);
    let elf = object::File::parse(&*elf).unwrap();
    let btf = elf.section_by_name(".BTF").unwrap().data().unwrap();
    let types = KernelTypes::parse(btf.to_vec()).unwrap();
    let raw = types.typedefs_with("btf_trace_").map(|name| name["btf_trace_".len()..].to_string());
    let raw: BTreeSet<String> = raw.collect();
    let mut events = events(&elf, &raw, DATA_OF_CALL[column]);
    events.extend(raw.into_iter().map(|name| (name, vec![])));
    Given { types, events }
}

/// A type as the file has it.
fn encoded(ty: &CType<'_>) -> Vec<u8> {
    let mut name = "";
    let of = |shape: Shape<'_>, name_of: &mut &'static str| match shape {
        Shape::Void => [shape::VOID, 0],
        Shape::Int { bytes, signed } => [shape::INT, bytes as u8 | if signed { shape::SIGNED } else { 0 }],
        Shape::Pointer(_) => [shape::POINTER, 0],
        Shape::Record { is_union, name } => {
            *name_of = name.to_string().leak();
            [if is_union { shape::UNION } else { shape::STRUCT }, 0]
        }
        Shape::Array { .. } => [shape::ARRAY, 0],
        Shape::Other => [shape::OTHER, 0],
    };
    let own = of(ty.shape, &mut name);
    let target = ty.target.map_or([0, 0], |target| of(target, &mut name));
    // A name that is not in the text, behind a typedef for example, is put behind it.
    let mut text = ty.spelling.to_string();
    let from = text.find(name).unwrap_or_else(|| {
        text.push('\0');
        text.push_str(name);
        text.len() - name.len()
    });
    let mut bytes = [own, target].concat();
    bytes.extend([u8::try_from(from).unwrap(), u8::try_from(from + name.len()).unwrap()]);
    write::varint(&mut bytes, text.len() as u32);
    bytes.extend(text.bytes());
    bytes
}

fn encoded_field(field: &Field) -> Vec<u8> {
    let mut bytes = vec![];
    write::varint(&mut bytes, field.offset.unwrap());
    write::varint(&mut bytes, field.bytes << 1 | u32::from(field.signed));
    for text in [&field.ty, &field.name] {
        write::varint(&mut bytes, text.len() as u32);
        bytes.extend(text.bytes());
    }
    bytes
}

/// Distinct pieces, frequent ones first, and where each begins.
fn placed(counts: &BTreeMap<Vec<u8>, u32>) -> (Vec<u8>, FxHashMap<Vec<u8>, u32>) {
    let mut all: Vec<(&Vec<u8>, &u32)> = counts.iter().collect();
    all.sort_by_key(|(bytes, count)| (std::cmp::Reverse(**count), *bytes));
    let (mut section, mut places) = (vec![], FxHashMap::default());
    for (bytes, _) in all {
        places.insert(bytes.clone(), section.len() as u32);
        section.extend_from_slice(bytes);
    }
    (section, places)
}

fn table(kernels: &[Given; 2], of_modules: &[u8]) -> Vec<u8> {
    let signatures = kernels.each_ref().map(|kernel| {
        let mut all: BTreeMap<&str, Signature<'_>> = BTreeMap::new();
        for name in kernel.types.function_names() {
            if !all.contains_key(name) {
                all.extend(kernel.types.signature(name).map(|signature| (name, signature)));
            }
        }
        all
    });
    let all = || signatures.iter().flat_map(|of_kernel| of_kernel.values());
    let mut counts: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
    for ty in all().flat_map(|signature| signature.params.iter().chain([&signature.returned])) {
        *counts.entry(encoded(ty)).or_default() += 1;
    }
    let (types, type_places) = placed(&counts);
    let of_signature = |signature: &Signature<'_>| {
        let mut bytes = vec![];
        write::varint(&mut bytes, signature.params.len() as u32);
        for ty in [&signature.returned].into_iter().chain(&signature.params) {
            write::varint(&mut bytes, type_places[&encoded(ty)]);
        }
        bytes
    };
    let mut counts: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
    all().for_each(|signature| *counts.entry(of_signature(signature)).or_default() += 1);
    let (of_signatures, places) = placed(&counts);
    let formats = || kernels.iter().flat_map(|kernel| kernel.events.values());
    let mut counts: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
    formats().flatten().for_each(|field| *counts.entry(encoded_field(field)).or_default() += 1);
    let (fields, field_places) = placed(&counts);
    let of_format = |format: &[Field]| {
        let mut bytes = vec![];
        write::varint(&mut bytes, format.len() as u32);
        format.iter().for_each(|field| write::varint(&mut bytes, field_places[&encoded_field(field)]));
        bytes
    };
    let mut counts: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
    formats().for_each(|format| *counts.entry(of_format(format)).or_default() += 1);
    let (of_formats, format_places) = placed(&counts);
    let mut functions: BTreeMap<&str, Numbers> = BTreeMap::new();
    let mut events: BTreeMap<&str, Numbers> = BTreeMap::new();
    for (column, kernel) in kernels.iter().enumerate() {
        for (name, signature) in &signatures[column] {
            functions.entry(name).or_default()[column] = places[&of_signature(signature)] + 1;
        }
        for (name, format) in &kernel.events {
            events.entry(name).or_default()[column] = format_places[&of_format(format)] + 1;
        }
    }
    let [index, blocks] = write::names(functions.into_iter());
    let [event_index, event_blocks] = write::names(events.into_iter());
    let sections: [&[u8]; SECTIONS] = [
        &types,
        &of_signatures,
        &index,
        &blocks,
        &event_index,
        &event_blocks,
        &fields,
        &of_formats,
        of_modules,
    ];
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    sections.iter().for_each(|section| bytes.extend((section.len() as u32).to_le_bytes()));
    bytes.extend(sections.concat());
    bytes
}

/// The names of modules' functions and tracepoints, if they were fetched.
fn module_names() -> Option<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for column in 0..KERNELS.len() {
        let text = std::fs::read_to_string(folder(column).join("module-names")).ok()?;
        names.extend(text.lines().map(str::to_string));
    }
    Some(names)
}

fn filter(names: &BTreeSet<String>) -> Vec<u8> {
    // Ten bits a name.
    let mut bytes = vec![0; names.len() * 10 / 8 + 1];
    for name in names {
        for bit in filter_bits(name, bytes.len()).unwrap() {
            bytes[bit / 8] |= 1 << (bit % 8);
        }
    }
    bytes
}

/// Every name, and none that is nearly one.
#[test]
fn every_name_of_a_kernel_is_found() {
    let Some(kernel) = super::BuiltIn::for_chosen(Some(KERNELS[1])).pop() else { return };
    let all = kernel.functions_with("");
    let known: BTreeSet<&str> = all.iter().map(String::as_str).collect();
    assert!(all.len() > 40_000 && all.is_sorted());
    for name in &all {
        assert!(kernel.has_function(name), "{name}");
        for near in [&name[..name.len() - 1], &format!("{name}_"), &format!("{name}\u{1}")] {
            assert_eq!(kernel.has_function(near), known.contains(near), "{near}");
        }
    }
}

/// Of which packages the committed table is; others have other functions.
const PACKAGES: [&str; 2] = ["linux-image-6.1.0-57-amd64", "linux-image-6.12.117+deb12-amd64"];

#[test]
fn the_committed_table_is_what_the_test_kernels_give() {
    let packages = [0, 1].map(|column| std::fs::read_to_string(folder(column).join("package")));
    let [Ok(first), Ok(second)] = packages else {
        assert!(std::env::var_os("CI").is_none(), "tests/setup.sh --kernels fetches the kernels");
        return eprintln!("skipped: tests/setup.sh --kernels fetches the kernels");
    };
    let bless = std::env::var_os("TETRAFOLD_BLESS").is_some();
    if [first.trim(), second.trim()] != PACKAGES && !bless {
        return eprintln!("skipped: the table is of {PACKAGES:?}, the test kernels are newer");
    }
    let of_modules = module_names().map_or_else(|| TABLE.of_modules.to_vec(), |names| filter(&names));
    let made = table(&[given(0), given(1)], &of_modules);
    if bless {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/platform/builtin/kernels.table");
        std::fs::write(path, &made).unwrap();
    } else {
        assert!(made == BYTES, "run it with TETRAFOLD_BLESS=1");
    }
}
