//! An object's code as text for people: one instruction a line, in the notation of the kernel's verifier.
//!
//! Places that are jumped to are named `L1`, `L2` and so on in order; numbers of instructions do not show, so
//! that a changed instruction is one changed line. `;` lines say which stencil follows.

use std::fmt::Write as _;

use super::btf::Btf;
use super::code::{Code, CoreRecord, Item, Op, Reference};
use super::error::Error;
use super::insn::{self, ALU32, ALU64, Insn, JMP32, LD, LDX, MEM, ST, STX};
use super::object_file::ObjectFile;

/// Lists every function of an object.
pub fn disassemble(bytes: &[u8]) -> Result<String, Error> {
    let file = ObjectFile::read(bytes)?;
    let mut out = String::new();
    for (section, functions) in &file.sections {
        for function in functions {
            let separator = if out.is_empty() { "" } else { "\n" };
            let _ = writeln!(out, "{separator}{} ({section}):", function.name);
            list(&function.code, &file.btf, &mut out);
        }
    }
    Ok(out)
}

fn list(code: &Code, btf: &Btf, out: &mut String) {
    let mut names = vec![0u32; code.label_count()];
    let mut next = 0;
    for item in &code.items {
        if let Item::Label(label) = item {
            next += 1;
            names[label.0 as usize] = next;
        }
    }
    for item in &code.items {
        let op = match item {
            Item::Label(label) => {
                let _ = writeln!(out, "L{}:", names[label.0 as usize]);
                continue;
            }
            Item::Op(op) => op,
        };
        if let Some(note) = &op.note {
            let _ = writeln!(out, "; {note}");
        }
        let mut text = operation(op);
        if let Some(target) = op.target {
            let _ = write!(text, "goto L{}", names[target.0 as usize]);
        }
        if let Some(core) = &op.core {
            let _ = write!(text, "  ; {}", core_text(core, btf));
        }
        let _ = writeln!(out, "\t{text}");
    }
}

/// What a loader puts into the instruction.
fn core_text(core: &CoreRecord, btf: &Btf) -> String {
    const KINDS: [&str; 12] = [
        "offset of",
        "size of",
        "exists",
        "signed",
        "left shift of",
        "right shift of",
        "local type of",
        "type of",
        "exists",
        "size of",
        "exists",
        "value of",
    ];
    let kind = KINDS.get(core.kind as usize).copied().unwrap_or("unknown");
    format!("{kind} {}", btf.access_name(core.type_id, &core.access))
}

/// An operation without its target.
fn operation(op: &Op) -> String {
    let insn = op.insn;
    match insn.class() {
        LD => load_immediate(op),
        LDX => format!("r{} = *({} *)({})", insn.dst, size(insn), address(insn.src, insn.off)),
        ST => format!("*({} *)({}) = {}", size(insn), address(insn.dst, insn.off), insn.imm),
        STX if insn.mode() == MEM => {
            format!("*({} *)({}) = r{}", size(insn), address(insn.dst, insn.off), insn.src)
        }
        STX => atomic(insn),
        ALU32 | ALU64 => alu(insn),
        _ => jump(op),
    }
}

fn size(insn: Insn) -> &'static str {
    match insn.op & 0x18 {
        insn::B => "u8",
        insn::H => "u16",
        insn::W => "u32",
        _ => "u64",
    }
}

fn address(base: u8, off: i16) -> String {
    let sign = if off < 0 { '-' } else { '+' };
    format!("r{base} {sign} {}", off.unsigned_abs())
}

fn load_immediate(op: &Op) -> String {
    let dst = op.insn.dst;
    match &op.reference {
        Some(Reference::Map(name)) => format!("r{dst} = map {name}"),
        Some(Reference::Variable { name, addend: 0 }) => format!("r{dst} = &{name}"),
        Some(Reference::Variable { name, addend }) => format!("r{dst} = &{name} + {addend}"),
        Some(Reference::Function(name)) => format!("r{dst} = &{name}"),
        None => {
            let value = u64::from(op.insn.imm as u32) | u64::from(op.high as u32) << 32;
            format!("r{dst} = {value:#x} ll")
        }
    }
}

fn atomic(insn: Insn) -> String {
    let place = format!("*({} *)({})", size(insn), address(insn.dst, insn.off));
    let fetch = if insn.imm & insn::FETCH != 0 { format!("r{} = fetch ", insn.src) } else { String::new() };
    let operator = match insn.imm {
        insn::XCHG => return format!("r{0} = xchg({place}, r{0})", insn.src),
        insn::CMPXCHG => return format!("r0 = cmpxchg({place}, r0, r{})", insn.src),
        imm => operator((imm & 0xf0) as u8),
    };
    format!("{fetch}lock {place} {operator}= r{}", insn.src)
}

fn operator(operation: u8) -> &'static str {
    match operation {
        insn::ADD => "+",
        insn::SUB => "-",
        insn::MUL => "*",
        insn::DIV => "/",
        insn::OR => "|",
        insn::AND => "&",
        insn::LSH => "<<",
        insn::RSH => ">>",
        insn::MOD => "%",
        insn::XOR => "^",
        insn::ARSH => "s>>",
        _ => "?",
    }
}

fn alu(insn: Insn) -> String {
    let width = if insn.class() == ALU32 { 'w' } else { 'r' };
    let dst = format!("{width}{}", insn.dst);
    let operand = if insn.is_register_form() { format!("{width}{}", insn.src) } else { insn.imm.to_string() };
    match insn.operation() {
        insn::MOV => format!("{dst} = {operand}"),
        insn::NEG => format!("{dst} = -{dst}"),
        insn::END => {
            let order = if insn.is_register_form() { "be" } else { "le" };
            format!("r{0} = {order}{1} r{0}", insn.dst, insn.imm)
        }
        operation => format!("{dst} {}= {operand}", operator(operation)),
    }
}

fn jump(op: &Op) -> String {
    let insn = op.insn;
    let width = if insn.class() == JMP32 { 'w' } else { 'r' };
    let relation = match insn.operation() {
        _ if insn.is_call() => return call(op),
        _ if insn.is_exit() => return "exit".to_owned(),
        _ if insn.is_goto() => return String::new(),
        insn::JEQ => "==",
        insn::JNE => "!=",
        insn::JGT => ">",
        insn::JGE => ">=",
        insn::JLT => "<",
        insn::JLE => "<=",
        insn::JSET => "&",
        insn::JSGT => "s>",
        insn::JSGE => "s>=",
        insn::JSLT => "s<",
        insn::JSLE => "s<=",
        _ => "?",
    };
    let operand = if insn.is_register_form() { format!("{width}{}", insn.src) } else { insn.imm.to_string() };
    format!("if {width}{} {relation} {operand} ", insn.dst)
}

fn call(op: &Op) -> String {
    if let Some(Reference::Function(name)) = &op.reference {
        return format!("call {name}");
    }
    match HELPERS.iter().find(|(number, _)| *number == op.insn.imm) {
        Some((_, name)) => format!("call {name}"),
        None => format!("call #{}", op.insn.imm),
    }
}

/// Helpers that stencils and stubs call (Linux 6.12, include/uapi/linux/bpf.h); others show by number.
const HELPERS: [(i32, &str); 25] = [
    (1, "map_lookup_elem"),
    (2, "map_update_elem"),
    (3, "map_delete_elem"),
    (5, "ktime_get_ns"),
    (8, "get_smp_processor_id"),
    (12, "tail_call"),
    (14, "get_current_pid_tgid"),
    (15, "get_current_uid_gid"),
    (16, "get_current_comm"),
    (58, "override_return"),
    (80, "get_current_cgroup_id"),
    (109, "send_signal"),
    (112, "probe_read_user"),
    (113, "probe_read_kernel"),
    (114, "probe_read_user_str"),
    (115, "probe_read_kernel_str"),
    (123, "get_current_ancestor_cgroup_id"),
    (130, "ringbuf_output"),
    (131, "ringbuf_reserve"),
    (132, "ringbuf_submit"),
    (133, "ringbuf_discard"),
    (147, "d_path"),
    (158, "get_current_task_btf"),
    (174, "get_attach_cookie"),
    (181, "loop"),
];
