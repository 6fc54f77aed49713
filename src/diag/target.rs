//! What the target's kernels cannot do, and limits of what is built: `TF05xx` and `TF06xx`.

use super::{Code, Diagnostic, Severity};
use crate::source::Span;
use crate::vocab::arg_type::ArgType;

/// Only fmod_ret could serve the hook, and the target may preempt inside it.
pub fn fmod_ret_race(function: &str, known_to_preempt: bool, at: Span) -> Diagnostic {
    let target = if known_to_preempt { "runs with" } else { "may run with" };
    Diagnostic::new(
        Code::FMOD_RET_RACE,
        Severity::NotCompiled,
        format!("`Override` at `{function}` could be bypassed on the target"),
    )
    .label(at, "no LSM hook is known to mean the same, so only fmod_ret could serve it")
    .help("name the LSM hook itself under `lsmhooks`, or pass `--preempt voluntary` if every node runs so, or accept the race with `--allow-fmod-ret-race`")
    .note(format!("the target {target} `preempt=full`; the kernel then skips an fmod_ret program while another task is preempted inside it"))
}

/// An override at an LSM hook of which no test proves that its value is an error number.
pub fn unproved_lsm_override(hook: &str, proved: &[&str], at: Span) -> Diagnostic {
    Diagnostic::new(
        Code::UNPROVED_OVERRIDE,
        Severity::NotCompiled,
        format!("`Override` at the LSM hook `{hook}` is not compiled yet"),
    )
    .label(at, "no kernel test proves yet what a value returned here does")
    .help(format!("hooks with a proved `Override`: {}", proved.join(", ")))
    .note("some LSM hooks return nothing, or a number that is not an error")
}

/// Two policies read one parameter as things of different kinds.
pub fn different_readings(target: &str, param: u8, types: [&str; 2], at: [Span; 2]) -> Diagnostic {
    Diagnostic::new(
        Code::DIFFERENT_READINGS,
        Severity::NotCompiled,
        format!(
            "argument {param} of `{target}` is declared `{}` by one policy and `{}` by another",
            types[0], types[1]
        ),
    )
    .label(at[0], format!("declared `{}` by this hook", types[0]))
    .label(at[1], format!("declared `{}` by this one", types[1]))
    .help("declare the argument with one type in all policies")
}

/// Events count the selectors of a policy at an operation in eight bits.
pub fn too_many_selectors(target: &str, at: Span) -> Diagnostic {
    Diagnostic::new(
        Code::TOO_MANY_POLICY_SELECTORS,
        Severity::NotCompiled,
        format!("a policy has more than 256 selectors at `{target}`"),
    )
    .label(at, "with this hook")
    .help("split the policy")
}

/// `[texts, tests, most]`: arguments that are texts, ways to test them, and how many of these a kernel verifies.
pub fn too_many_text_tests(target: &str, [texts, tests, most]: [usize; 3], at: Span) -> Diagnostic {
    Diagnostic::new(
        Code::TOO_MANY_TEXT_TESTS,
        Severity::NotCompiled,
        format!("{texts} texts of `{target}` are tested in {tests} ways, at most {most} can be compiled"),
    )
    .label(at, "one of the hooks")
    .help(
        "test fewer of these arguments by `Prefix` and `Postfix`, or leave out arguments that nothing tests",
    )
    .note("a larger program may exceed the million instructions that a kernel's verifier follows")
}

/// The values of one operation do not fit what a program can index.
pub fn tables_too_large(target: &str, why: &str, at: Span) -> Diagnostic {
    Diagnostic::error(Code::TABLES_TOO_LARGE, format!("the tables of `{target}` cannot be built: {why}"))
        .label(at, "one of the hooks")
        .help("split the set over several artifacts, or name fewer distinct values")
}

/// One process would have to run more decision words than a program does.
pub fn set_too_large(
    target: &str,
    words: u64,
    most: u64,
    who: &dyn std::fmt::Display,
    at: Span,
) -> Diagnostic {
    Diagnostic::error(
        Code::SET_TOO_LARGE,
        format!("at `{target}` {who} has {words} decision words, at most {most} can run"),
    )
    .label(at, "one of the hooks")
    .help("let fewer policies select the same pods, or give them fewer selectors")
    .note("a selector has a word for each filter, two for what it does and one to end")
}

/// The tables that the loader fills do not fit what a program can index.
pub fn node_too_large(pods: u32) -> Diagnostic {
    Diagnostic::error(
        Code::NODE_TOO_LARGE,
        format!("the sets of a node with {pods} pods do not fit what a program can index"),
    )
    .help("compile for fewer pods (`--pods`), or fewer scopes a pod (`--scopes-per-pod`)")
}

/// `by` is how many exceed a ceiling for each; `limit` and `actual` have their unit. `largest` are names with amounts.
pub fn budget_exceeded(
    name: &str,
    limit: &str,
    actual: &str,
    by: Option<u64>,
    largest: &[String],
) -> Diagnostic {
    let actual = match by {
        None => format!("{actual} are needed"),
        Some(1) => format!("one needs {actual}"),
        Some(more) => format!("{more} need more, up to {actual}"),
    };
    let diagnostic = Diagnostic::error(Code::BUDGET_EXCEEDED, format!("`{name}` is {limit}, and {actual}"));
    if largest.is_empty() {
        diagnostic
    } else {
        diagnostic.note(format!("most is taken by {}", largest.join(", ")))
    }
}

/// `[masks, most]`: different masks that policies name for one argument, and how many an atom has bits for.
pub fn too_many_masks(target: &str, what: &str, [masks, most]: [usize; 2], at: &[Span]) -> Diagnostic {
    let diagnostic = Diagnostic::new(
        Code::TOO_MANY_MASKS,
        Severity::NotCompiled,
        format!(
            "{what} at `{target}` is compared with {masks} different masks, at most {most} can be compiled"
        ),
    )
    .help("use masks that other policies use as well, or split the set over several artifacts")
    .note("the values of one filter count as one mask");
    each_hook(diagnostic, at)
}

/// A program has five places for what it reads, and all are the arguments' that policies declare.
pub fn no_place_for_binary(target: &str, at: &[Span]) -> Diagnostic {
    let diagnostic = Diagnostic::new(
        Code::NO_PLACE_FOR_BINARY,
        Severity::NotCompiled,
        format!("`matchBinaries` at `{target}`, of which policies declare five arguments"),
    )
    .help("leave out an argument that nothing tests, or split the set over several artifacts")
    .note("a program has five places for what it reads; policies of one function share them");
    each_hook(diagnostic, at)
}

/// `[dimensions, most]`: ways in which policies test the arguments of one function. `rarest` is the one that the fewest
/// hooks need, those at `at`: parameter, type and kind of test.
pub fn too_many_dimensions(
    target: &str,
    [dimensions, most]: [usize; 2],
    (what, ty, test): (&str, ArgType, &str),
    at: &[Span],
) -> Diagnostic {
    let diagnostic = Diagnostic::new(
        Code::TOO_MANY_DIMENSIONS,
        Severity::NotCompiled,
        format!("calls of `{target}` are tested in {dimensions} ways, at most {most} can be compiled"),
    )
    .help(format!(
        "test {what} as another policy does, not by {test} as `{ty}`; or split the set over several artifacts"
    ))
    .note("each argument, each type that it is read by and each kind of test is one way, however many policies share it")
    .note("the marked hooks have a way that the fewest others share");
    each_hook(diagnostic, at)
}

/// `bytes`: those of the values, and what there is room for.
pub fn too_many_values(target: &str, values: usize, bytes: [u32; 2], span: Span) -> Diagnostic {
    let [bytes, most] = bytes;
    Diagnostic::new(
        Code::TOO_MANY_DIMENSIONS,
        Severity::NotCompiled,
        format!(
            "policies read {values} values of `{target}`: {bytes} bytes, of which an event can hold {most}"
        ),
    )
    .label(span, "one of the hooks there")
    .help("leave out those that need not be shown, or split the set over several artifacts")
}

pub fn rate_limits(target: &str, why: &str, at: &[Span]) -> Diagnostic {
    let diagnostic = Diagnostic::new(
        Code::RATE_LIMITS,
        Severity::NotCompiled,
        format!("the rate limits at `{target}` cannot be compiled together: {why}"),
    )
    .help("leave arguments out of hooks that are limited, or split the set over several artifacts");
    each_hook(diagnostic, at)
}

/// The places of a limit that several hooks reach together; of many, the first ones.
fn each_hook(diagnostic: Diagnostic, at: &[Span]) -> Diagnostic {
    const SHOWN: usize = 3;
    let diagnostic =
        at.iter().take(SHOWN).fold(diagnostic, |diagnostic, &span| diagnostic.label(span, "by this hook"));
    match at.len().checked_sub(SHOWN) {
        Some(more @ 1..) => diagnostic.note(format!("and by {more} more hooks")),
        Some(0) | None => diagnostic,
    }
}
