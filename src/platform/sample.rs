//! A kernel for tests, from C: declarations of structures and functions to the bytes of a `.BTF`.
//!
//! Reads the little C that `sample.h` is written in; anything else panics.

use std::collections::BTreeMap;

use super::description::{Btf, Description, Features, Field, PreemptModel, SCHEMA_VERSION, Tracepoint};
use super::kernel::{File, Kernel, join};

const TEXT: &str = include_str!("sample.h");

/// Of `sample.h`.
pub fn btf() -> Vec<u8> {
    compile(TEXT)
}

/// Of `sample.h` without the lines that contain any of `words`.
pub fn btf_without(words: &[&str]) -> Vec<u8> {
    let kept = |line: &&str| !words.iter().any(|word| line.contains(word));
    compile(&TEXT.lines().filter(kept).collect::<Vec<_>>().join("\n"))
}

/// Of `sample.h` and `more`.
pub fn btf_with(more: &str) -> Vec<u8> {
    compile(&format!("{TEXT}\n{more}"))
}

/// A node that runs the kernel of `sample.h` and tells all of it.
pub fn description() -> Description {
    let wrappers = TEXT.lines().filter_map(|line| line.strip_prefix("long __")?.split_once('('));
    let mut syscalls: Vec<String> = wrappers.map(|(name, _)| format!("__{name}")).collect();
    syscalls.sort();
    let event = |name: &str, own: &[(&str, &str, u32)]| {
        let common = [("common_type", "unsigned short", 2), ("common_flags", "unsigned char", 1)];
        let rest = [("common_preempt_count", "unsigned char", 1), ("common_pid", "int", 4)];
        let mut end = 0;
        let fields = common.iter().chain(&rest).chain(own).map(|&(name, ty, bytes)| {
            let offset = u32::next_multiple_of(end, bytes.min(8));
            end = offset + bytes;
            let (name, signed) = (name.into(), ty == "int" || ty == "long");
            Field { name, ty: ty.into(), bytes, signed, offset: Some(offset) }
        });
        Tracepoint { name: name.into(), fields: fields.collect() }
    };
    Description {
        schema_version: SCHEMA_VERSION,
        release: "6.12.0-test".into(),
        machine: "x86_64".into(),
        preempt: Some(PreemptModel::Voluntary),
        lsm: Some(["lockdown", "capability", "bpf"].map(String::from).to_vec()),
        features: Features {
            kprobe_override: Some(false),
            kprobe_multi: Some(true),
            fmod_ret: Some(true),
            error_injection: Some(true),
        },
        syscalls: Some(syscalls),
        tracepoints: Some(vec![
            event("raw_syscalls/sys_enter", &[("id", "long", 8), ("args", "unsigned long[6]", 48)]),
            event("raw_syscalls/sys_exit", &[("id", "long", 8), ("ret", "long", 8)]),
            event("sched/sched_process_exec", &[("filename", "__data_loc char[]", 4), ("pid", "pid_t", 4)]),
            // On real kernels the other way round.
            event("signal/signal_generate", &[("errno", "int", 4), ("sig", "int", 4)]),
            event(
                "syscalls/sys_enter_execve",
                &[("__syscall_nr", "int", 4), ("filename", "const char *", 8)],
            ),
            event(
                "syscalls/sys_enter_lseek",
                &[
                    ("__syscall_nr", "int", 4),
                    ("fd", "unsigned int", 8),
                    ("offset", "off_t", 8),
                    ("whence", "unsigned int", 8),
                ],
            ),
        ]),
        functions: Some(
            ["ksys_read", "security_file_open", "tcp_close", "tcp_connect"].map(String::from).to_vec(),
        ),
        module_functions: Some(vec!["nf_tables_newrule".into()]),
        btf: Some(Btf::of(&btf(), true)),
    }
}

/// A node that tells as much, with less in its kernel: what a policy may need is renamed or left out.
pub fn lacking() -> Description {
    let renamed = ["owner;", "sa_family;", "sin_", "s_addr", "struct file *file; const"];
    let text: String = TEXT
        .lines()
        .filter(|line| {
            let gone = ["module", "_creds(", "kfree_skb", "bpf_lsm_file_permission", "__x64_", "__ia32_"];
            !gone.iter().any(|word| line.contains(word))
        })
        .map(|line| {
            renamed.iter().fold(line.to_string(), |line, word| line.replace(word, &format!("x{word}"))) + "\n"
        })
        .collect();
    let text = text
        .replace("struct xsin_", "struct sin_")
        .replace("xstruct file *file; const", "struct file *exe; const");
    Description {
        release: "5.10.0-test".into(),
        preempt: Some(PreemptModel::Full),
        lsm: Some(vec!["capability".into()]),
        features: Features {
            kprobe_override: Some(false),
            kprobe_multi: Some(true),
            fmod_ret: Some(false),
            error_injection: Some(false),
        },
        syscalls: Some(vec![]),
        tracepoints: Some(vec![]),
        functions: Some(vec![]),
        module_functions: Some(vec![]),
        btf: Some(Btf::of(&compile(&text), true)),
        ..description()
    }
}

/// The kernel of [`description`].
pub fn kernel() -> Kernel {
    kernel_of(description())
}

pub fn kernel_of(description: Description) -> Kernel {
    let file = File { name: "node.json".into(), bytes: description.to_json().into_bytes() };
    let (mut kernels, unusable) = join(&[file], &[]);
    assert_eq!(unusable, []);
    kernels.remove(0)
}

/// `text` in C to a `.BTF`.
pub fn compile(text: &str) -> Vec<u8> {
    let mut compiler = Compiler { tokens: tokens(text), ..Compiler::default() };
    compiler.strings.push(0);
    while !compiler.tokens.is_empty() {
        compiler.declaration();
    }
    compiler.bytes()
}

fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = vec![];
    let mut rest = text.trim();
    while let Some(c) = rest.chars().next() {
        let len = match c {
            '/' => rest.find("*/").unwrap() + 2,
            _ if c.is_alphanumeric() || c == '_' => {
                rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
            }
            _ => 1,
        };
        if c != '/' {
            tokens.push(rest[..len].to_string());
        }
        rest = rest[len..].trim_start();
    }
    tokens.reverse();
    tokens
}

const INT: u32 = 1;
const PTR: u32 = 2;
const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const FWD: u32 = 7;
const TYPEDEF: u32 = 8;
const CONST: u32 = 10;
const FUNC: u32 = 12;
const FUNC_PROTO: u32 = 13;

#[derive(Default)]
struct Compiler {
    /// The next one last.
    tokens: Vec<String>,
    strings: Vec<u8>,
    /// The words of each type.
    types: Vec<Vec<u32>>,
    known: BTreeMap<String, u32>,
}

impl Compiler {
    fn next(&mut self) -> String {
        self.tokens.pop().expect("more text")
    }

    fn eat(&mut self, token: &str) -> bool {
        let is_next = self.tokens.last().is_some_and(|next| next == token);
        if is_next {
            self.tokens.pop();
        }
        is_next
    }

    fn expect(&mut self, token: &str) {
        let next = self.next();
        assert_eq!(next, token);
    }

    fn name(&mut self, name: &str) -> u32 {
        let at = self.strings.len() as u32;
        self.strings.extend(name.bytes().chain([0]));
        if name.is_empty() { 0 } else { at }
    }

    fn add(&mut self, name: &str, kind: u32, vlen: usize, size_or_type: u32, words: &[u32]) -> u32 {
        let mut all = vec![self.name(name), kind << 24 | vlen as u32, size_or_type];
        all.extend(words);
        self.types.push(all);
        self.types.len() as u32
    }

    /// The type that C calls so, which is made if it is not there.
    fn known(&mut self, key: &str, make: impl FnOnce(&mut Compiler) -> u32) -> u32 {
        if let Some(&id) = self.known.get(key) {
            return id;
        }
        let id = make(self);
        self.known.insert(key.to_string(), id);
        id
    }

    fn declaration(&mut self) {
        if self.eat("typedef") {
            let ty = self.ty();
            let name = self.next();
            self.known(&name.clone(), |c| c.add(&name, TYPEDEF, 0, ty, &[]));
            return self.expect(";");
        }
        let ty = self.ty();
        if self.eat("{") {
            let members = self.members();
            let words = &mut self.types[ty as usize - 1];
            words[1] = STRUCT << 24 | (members.len() / 3) as u32;
            words[2] = 8 * (members.len() / 3) as u32;
            words.extend(members);
            return self.expect(";");
        }
        let name = self.next();
        self.expect("(");
        let mut params = vec![];
        while !self.eat(")") {
            let ty = self.ty();
            let name = self.next();
            params.extend([self.name(&name), ty]);
            self.eat(",");
        }
        self.expect(";");
        let prototype = self.add("", FUNC_PROTO, params.len() / 2, ty, &params);
        self.add(&name, FUNC, 0, prototype, &[]);
    }

    fn members(&mut self) -> Vec<u32> {
        let mut words = vec![];
        while !self.eat("}") {
            let mut ty = self.ty();
            let name = if self.eat(";") { String::new() } else { self.next() };
            if self.eat("[") {
                let count = if self.eat("]") { 0 } else { self.next().parse().unwrap() };
                if count > 0 {
                    self.expect("]");
                }
                ty = self.add("", ARRAY, 0, 0, &[ty, ty, count]);
            }
            let place = words.len() as u32 / 3 * 64;
            words.extend([self.name(&name), ty, place]);
            if !name.is_empty() {
                self.expect(";");
            }
        }
        words
    }

    fn ty(&mut self) -> u32 {
        let is_const = self.eat("const");
        let mut ty = self.base();
        if is_const {
            ty = self.known(&format!("const {ty}"), |c| c.add("", CONST, 0, ty, &[]));
        }
        while self.eat("*") {
            ty = self.known(&format!("{ty} *"), |c| c.add("", PTR, 0, ty, &[]));
        }
        ty
    }

    fn base(&mut self) -> u32 {
        let mut word = self.next();
        match word.as_str() {
            "void" => 0,
            "struct" | "union" => {
                let kind = if word == "struct" { STRUCT } else { UNION };
                if self.eat("{") {
                    let members = self.members();
                    return self.add("", kind, members.len() / 3, 8, &members);
                }
                let name = self.next();
                self.known(&format!("{word} {name}"), |c| c.add(&name, FWD, 0, 0, &[]))
            }
            _ => {
                if word == "unsigned" {
                    word = format!("unsigned {}", self.next());
                }
                let signed = !word.starts_with("unsigned");
                let bytes = match word.trim_start_matches("unsigned ") {
                    "char" => 1,
                    "short" => 2,
                    "int" => 4,
                    "long" => 8,
                    _ => return *self.known.get(&word).unwrap_or_else(|| panic!("no type {word}")),
                };
                let encoding = (u32::from(signed) << 24) | (bytes * 8);
                self.known(&word.clone(), |c| c.add(&word, INT, 0, bytes, &[encoding]))
            }
        }
    }

    fn bytes(self) -> Vec<u8> {
        let types: Vec<u32> = self.types.concat();
        let (type_len, str_len) = (types.len() as u32 * 4, self.strings.len() as u32);
        let header = [0x1eb9f, 24, 0, type_len, type_len, str_len];
        let mut bytes: Vec<u8> = header.into_iter().chain(types).flat_map(u32::to_le_bytes).collect();
        bytes.extend(self.strings);
        bytes
    }
}
