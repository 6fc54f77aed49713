//! What a loaded program costs: the figure it shows, its hidden functions, and its machine code.
//!
//! With the JIT every function of a program with more than one (subprograms and `bpf_loop` callbacks) is a `bpf_prog` of
//! its own, the main one included: one page and an aux each, which `memlock` never shows.
//!
//! Source: kernel/bpf/core.c (bpf_prog_alloc, bpf_jit_binary_pack_alloc), kernel/bpf/verifier.c (jit_subprogs);
//! memlock compared with 396 programs, hidden functions with programs of 0, 10 and 20 subprograms.

use super::alloc::{PAGE, Wide, per_cpu, round_up, slab, to_page};
use super::profile::{Build, Struct};
use super::{Amount, Bytes, Exactness, KernelProfile, Refused};

const INSN: Wide = 8;

/// The most instructions that the kernel puts in place of one: an inlined `bpf_loop` (inline_bpf_loop). Array lookups
/// take 9, divisions by a register 4.
const LONGEST_REPLACEMENT: Wide = 20;

/// One function as it is handed to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionShape {
    /// 8-byte slots: a 64-bit load counts twice.
    pub instructions: u32,
    /// Instructions that the kernel may replace by longer ones: helper calls, and divisions by a register.
    pub replaceable: u32,
}

/// Length of a program after the verifier's rewriting (`xlated` of bpftool).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XlatedSize {
    /// Recorded for this kernel.
    Exactly(Bytes),
    /// Bounded by what may grow. Dead code that the verifier removes does not give back the pages it was loaded into.
    Bounded,
}

/// Length of the machine code (`jited` of bpftool).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JitedSize {
    Exactly(Bytes),
    /// 0.5 to 1.5 times xlated, as 76 programs had it.
    Bounded,
}

/// A program as it is handed to the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramShape {
    /// The main function first.
    pub functions: Vec<FunctionShape>,
    pub xlated: XlatedSize,
    pub jited: JitedSize,
    pub used_maps: u32,
    /// Records of .BTF.ext line information.
    pub line_records: u32,
}

/// What one program takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramCost {
    /// `memlock:` of the program's fdinfo.
    pub memlock: Amount,
    /// Charged to the loader's memory cgroup, hidden functions included.
    pub charged: Amount,
    /// Machine code, charged to nobody; out of 2-MiB packs that all programs share.
    pub uncharged: Amount,
    pub xlated: Amount,
    /// `bpf_prog`s that no tool lists, and their part of `charged`.
    pub hidden_functions: u32,
    pub hidden: Amount,
    pub exactness: Exactness,
}

/// # Errors
/// [`Refused::NoCpu`], or [`Refused::NotInBuild`] for struct sizes that are no kernel's.
pub fn program_cost(shape: &ProgramShape, kernel: &KernelProfile, cpus: u32) -> Result<ProgramCost, Refused> {
    if cpus == 0 {
        return Err(Refused::NoCpu);
    }
    let mut cost: Option<ProgramCost> = None;
    for build in &kernel.builds {
        let mut next = cost_in(shape, build, cpus.into())?;
        if !kernel.measured {
            next.exactness = Exactness::Derived;
        }
        cost = Some(match cost {
            None => next,
            Some(so_far) => ProgramCost {
                memlock: so_far.memlock.union(next.memlock),
                charged: so_far.charged.union(next.charged),
                uncharged: so_far.uncharged.union(next.uncharged),
                hidden: so_far.hidden.union(next.hidden),
                exactness: so_far.exactness.max(next.exactness),
                ..next
            },
        });
    }
    cost.ok_or(Refused::KernelTooOld(kernel.version))
}

fn cost_in(shape: &ProgramShape, build: &Build, cpus: Wide) -> Result<ProgramCost, Refused> {
    let head = build.size(Struct::Prog)?;
    let loaded: Wide = shape.functions.iter().map(|f| INSN * Wide::from(f.instructions)).sum();
    let (xlated_least, xlated_most) = match shape.xlated {
        XlatedSize::Exactly(bytes) => (bytes.0.into(), bytes.0.into()),
        XlatedSize::Bounded => (0, shape.functions.iter().map(longest).sum()),
    };
    let memlock = (to_page(head + loaded.max(xlated_least)), to_page(head + loaded.max(xlated_most)));

    let aux = slab(build.size(Struct::ProgAux)?) + per_cpu(4, cpus);
    let maps = if shape.used_maps == 0 { 0 } else { slab(8 * Wide::from(shape.used_maps)) };
    let own = aux + per_cpu(build.size(Struct::ProgStats)?, cpus) + maps;
    let hidden = hidden_functions(shape, head, aux);
    let debug = line_information(shape);
    let functions = shape.functions.len() as Wide;
    Ok(ProgramCost {
        memlock: Amount::of_wide(memlock.0, memlock.1),
        charged: Amount::of_wide(memlock.0 + own + hidden.0, memlock.1 + own + hidden.1 + debug),
        uncharged: machine_code(shape.jited, (xlated_least, xlated_most), functions, build.rules.jit_packs),
        xlated: Amount::of_wide(xlated_least, xlated_most),
        hidden_functions: if functions > 1 { functions as u32 } else { 0 },
        hidden: Amount::of_wide(hidden.0, hidden.1),
        exactness: if functions > 1 { Exactness::Derived } else { Exactness::Measured },
    })
}

/// A function's bytes if all that can be replaced is, by the longest replacement.
fn longest(function: &FunctionShape) -> Wide {
    INSN * (Wide::from(function.instructions) + (LONGEST_REPLACEMENT - 1) * Wide::from(function.replaceable))
}

/// Least and most for the copies that the JIT makes of each function: their code in pages, an aux, and the table of them.
fn hidden_functions(shape: &ProgramShape, head: Wide, aux: Wide) -> (Wide, Wide) {
    let functions = shape.functions.len() as Wide;
    if functions < 2 {
        return (0, 0);
    }
    let fixed = functions * aux + slab(8 * functions);
    let pages: Wide = shape.functions.iter().map(|f| to_page(head + longest(f))).sum();
    (functions * PAGE + fixed, pages + fixed)
}

/// Line and function records, read in the source and not measured apart.
fn line_information(shape: &ProgramShape) -> Wide {
    let lines = Wide::from(shape.line_records);
    if lines == 0 {
        return 0;
    }
    slab(16 * lines) + slab(8 * lines) + slab(8 * shape.functions.len() as Wide)
}

/// Each function has an image of its own, with a header of 16 and a guard of 8 bytes.
fn machine_code(jited: JitedSize, xlated: (Wide, Wide), functions: Wide, packs: bool) -> Amount {
    let (least, most) = match jited {
        JitedSize::Exactly(bytes) => (bytes.0.into(), bytes.0.into()),
        JitedSize::Bounded => (xlated.0 / 2, xlated.1 + xlated.1 / 2),
    };
    if functions == 1 && packs {
        return Amount::of_wide(round_up(least + 24, 64), round_up(most + 24, 64));
    }
    let (head, step) = if packs { (24, 64) } else { (132, PAGE) };
    Amount::of_wide(round_up(least + head * functions, step), most + (head + step - 1) * functions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::KernelVersion;

    fn program(functions: &[u32], line_records: u32) -> ProgramShape {
        ProgramShape {
            functions: functions
                .iter()
                .map(|&instructions| FunctionShape { instructions, replaceable: 0 })
                .collect(),
            xlated: XlatedSize::Bounded,
            jited: JitedSize::Bounded,
            used_maps: 0,
            line_records,
        }
    }

    fn on(version: KernelVersion, shape: &ProgramShape) -> ProgramCost {
        program_cost(shape, &KernelProfile::of(version).unwrap(), 2).unwrap()
    }

    /// Freed from the memory cgroup when 50 programs of 0, 10 and 20 subprograms were closed: 7.4, 75 and 138 KB each,
    /// on 6.1 and on 6.12.
    #[test]
    fn each_function_of_several_is_a_hidden_program() {
        for version in [KernelVersion::new(6, 1), KernelVersion::new(6, 12)] {
            for (subprograms, took) in [(0, 7_400), (10, 75_000), (20, 138_000)] {
                let mut functions = vec![60];
                functions.extend(std::iter::repeat_n(6, subprograms));
                let cost = on(version, &program(&functions, 25 + 2 * subprograms as u32));
                let most = cost.charged.most.0;
                assert!(most.abs_diff(took) * 100 <= took * 5, "{version}, {subprograms}: {most} for {took}");
                assert_eq!(
                    cost.hidden_functions as usize,
                    if subprograms == 0 { 0 } else { subprograms + 1 }
                );
                assert_eq!(cost.memlock, Amount::exactly(Bytes(4096)));
            }
        }
    }

    #[test]
    fn pages_that_were_loaded_stay_though_the_verifier_shrinks_the_program() {
        let version = KernelVersion::new(6, 12);
        let mut shape = program(&[600], 0);
        shape.xlated = XlatedSize::Exactly(Bytes(800));
        assert_eq!(on(version, &shape).memlock, Amount::exactly(Bytes(8192)));
        shape.functions[0].instructions = 100;
        assert_eq!(on(version, &shape).memlock, Amount::exactly(Bytes(4096)));
    }

    #[test]
    fn calls_widen_the_range_only_where_a_page_may_be_crossed() {
        let version = KernelVersion::new(6, 12);
        let mut shape = program(&[400], 0);
        shape.functions[0].replaceable = 5;
        assert!(on(version, &shape).memlock.is_exact());
        shape.functions[0].replaceable = 6;
        assert_eq!(on(version, &shape).memlock, Amount { least: Bytes(4096), most: Bytes(8192) });
    }
}
