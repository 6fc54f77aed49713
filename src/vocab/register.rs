//! Registers that `source: pt_regs` and a uprobe's Override name on x86-64.

use super::vocabulary;

vocabulary! {
    /// A register or its lower part.
    "register" enum Register row RegisterRow {
        bytes: u8,
    }
    Rip { name: "rip", bytes: 8 }
    Rax { name: "rax", bytes: 8 }
    Eax { name: "eax", bytes: 4 }
    Ax { name: "ax", bytes: 2 }
    Al { name: "al", bytes: 1 }
    Rbx { name: "rbx", bytes: 8 }
    Ebx { name: "ebx", bytes: 4 }
    Bx { name: "bx", bytes: 2 }
    Bl { name: "bl", bytes: 1 }
    Rcx { name: "rcx", bytes: 8 }
    Ecx { name: "ecx", bytes: 4 }
    Cx { name: "cx", bytes: 2 }
    Cl { name: "cl", bytes: 1 }
    Rdx { name: "rdx", bytes: 8 }
    Edx { name: "edx", bytes: 4 }
    Dx { name: "dx", bytes: 2 }
    Dl { name: "dl", bytes: 1 }
    Rsi { name: "rsi", bytes: 8 }
    Esi { name: "esi", bytes: 4 }
    Si { name: "si", bytes: 2 }
    Sil { name: "sil", bytes: 1 }
    Rdi { name: "rdi", bytes: 8 }
    Edi { name: "edi", bytes: 4 }
    Di { name: "di", bytes: 2 }
    Dil { name: "dil", bytes: 1 }
    Rbp { name: "rbp", bytes: 8 }
    Ebp { name: "ebp", bytes: 4 }
    Bp { name: "bp", bytes: 2 }
    Bpl { name: "bpl", bytes: 1 }
    Rsp { name: "rsp", bytes: 8 }
    Esp { name: "esp", bytes: 4 }
    Sp { name: "sp", bytes: 2 }
    Spl { name: "spl", bytes: 1 }
    R8 { name: "r8", bytes: 8 }
    R8d { name: "r8d", bytes: 4 }
    R8w { name: "r8w", bytes: 2 }
    R8b { name: "r8b", bytes: 1 }
    R9 { name: "r9", bytes: 8 }
    R9d { name: "r9d", bytes: 4 }
    R9w { name: "r9w", bytes: 2 }
    R9b { name: "r9b", bytes: 1 }
    R10 { name: "r10", bytes: 8 }
    R10d { name: "r10d", bytes: 4 }
    R10w { name: "r10w", bytes: 2 }
    R10b { name: "r10b", bytes: 1 }
    R11 { name: "r11", bytes: 8 }
    R11d { name: "r11d", bytes: 4 }
    R11w { name: "r11w", bytes: 2 }
    R11b { name: "r11b", bytes: 1 }
    R12 { name: "r12", bytes: 8 }
    R12d { name: "r12d", bytes: 4 }
    R12w { name: "r12w", bytes: 2 }
    R12b { name: "r12b", bytes: 1 }
    R13 { name: "r13", bytes: 8 }
    R13d { name: "r13d", bytes: 4 }
    R13w { name: "r13w", bytes: 2 }
    R13b { name: "r13b", bytes: 1 }
    R14 { name: "r14", bytes: 8 }
    R14d { name: "r14d", bytes: 4 }
    R14w { name: "r14w", bytes: 2 }
    R14b { name: "r14b", bytes: 1 }
    R15 { name: "r15", bytes: 8 }
    R15d { name: "r15d", bytes: 4 }
    R15w { name: "r15w", bytes: 2 }
    R15b { name: "r15b", bytes: 1 }
}
