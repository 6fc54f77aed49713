//! The table of diagnostic codes. To add one: a row here, a page `codes/TFnnnn.md`, a constructor in the
//! file of its area, and the tests then hold the page's examples against what the compiler really says.
//!
//! A code is never reused and never changes its meaning. A row with `lint` can be given a level, by its name too
//! ([`super::levels`]); all others are errors. Ranges: 00xx files and YAML (up to 0019: input or
//! output that cannot be read or written; from 0060: the configuration) · 01xx schema · 02xx arguments and operators · 03xx workload ·
//! 04xx actions · 05xx target and kernel features · 06xx limits and budgets · 07xx lints · 09xx internal.

use super::Code;
use super::levels::{Level, Lint};

/// What is known of a code without an instance of it.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub code: Code,
    /// Lowercase, without a full stop.
    pub title: &'static str,
    /// The name by which `--allow` and `--deny` know it, and its level without them; errors have none.
    pub lint: Option<Lint>,
    /// Markdown with the headings of [`HEADINGS`].
    pub page: &'static str,
}

/// Every page has these, in this order. Examples fenced as `yaml` are tested: the wrong one must give
/// exactly this code, the right one nothing.
pub const HEADINGS: [&str; 4] = ["## What it means", "## Why it is reported", "## Wrong", "## Right"];

macro_rules! lint {
    () => {
        None
    };
    ($name:literal) => {
        Some(Lint { name: $name, default: Level::Warn })
    };
    ($name:literal note) => {
        Some(Lint { name: $name, default: Level::Note })
    };
    ($name:literal allow) => {
        Some(Lint { name: $name, default: Level::Allow })
    };
}

macro_rules! codes {
    ($($number:literal $name:ident $title:literal $(lint $lint:literal $($level:ident)?)? ;)*) => {
        #[allow(clippy::zero_prefixed_literal)]
        impl Code {
            $(#[doc = $title] pub const $name: Code = Code($number);)*
        }

        /// Every code, in ascending order.
        pub const ALL: &[Row] = &[$(Row {
            code: Code::$name,
            title: $title,
            lint: lint!($($lint $($level)?)?),
            page: include_str!(concat!("codes/TF", stringify!($number), ".md")),
        }),*];
    };
}

codes! {
    // Input and output that cannot be read or written: exit status 3.
    0001 UNREADABLE_FILE "file cannot be read";
    0002 UNREADABLE_FOLDER "folder cannot be read";
    0003 FILE_TOO_LARGE "file is too large";
    0004 OUTPUT_NOT_WRITTEN "output cannot be written";

    // Text.
    0020 NOT_UTF8 "not UTF-8";
    0021 CONTROL_CHARACTER "control character";

    // YAML.
    0030 YAML_SYNTAX "invalid YAML";
    0031 NESTED_TOO_DEEPLY "nested too deeply";
    0032 DOCUMENT_TOO_LARGE "document has too many values";
    0033 EXCESSIVE_ALIASING "aliases expand to too many values";
    0034 UNKNOWN_ANCHOR "alias without an anchor";
    0035 RECURSIVE_ALIAS "anchor contains itself";
    0036 BAD_MERGE "merge of something that is not a mapping";
    0037 TAG_MISMATCH "value does not fit its tag";
    0038 UNSUPPORTED_TAG "tag is not supported";
    0039 UNKNOWN_TAG "tag has no meaning here" lint "unknown-tag";
    0040 BAD_KEY "mapping key is not a simple value";

    // Documents.
    0050 NO_KIND "not a Kubernetes object";
    0051 OTHER_DOCUMENT "document is not a policy" lint "other-document" note;
    0052 UNKNOWN_KIND "unknown kind";
    0053 NO_POLICY "no policy found";
    0054 BAD_LIST "list without items";
    0055 UNEXPECTED_API_VERSION "policy with another API version" lint "api-version";

    // The configuration file: exit status 2.
    0060 UNKNOWN_SETTING "unknown setting";
    0061 BAD_SETTING "setting with a bad value";
    0062 UNKNOWN_LINT "unknown lint";
    0063 TWO_LEVELS "lint with two levels";

    // Schema.
    0101 UNKNOWN_FIELD "unknown field";
    0102 DUPLICATE_FIELD "field stands twice";
    0103 MISSING_FIELD "required field is missing";
    0104 WRONG_TYPE "value of the wrong type";
    0105 INTEGER_OUT_OF_RANGE "number out of range";
    0106 UNKNOWN_WORD "unknown word";
    0107 TOO_MANY_ITEMS "too many items";
    0108 MISCASED_FIELD "field must be spelt exactly";
    0109 RETURN_WITHOUT_ARG "return without returnArg";
    0110 EXCLUSIVE_FIELDS "fields exclude each other";
    0111 BAD_NAME "name is not allowed";
    0112 UNEXPECTED_NAMESPACE "namespace on a cluster-wide policy" lint "cluster-wide";
    0113 DUPLICATE_POLICY "policy stands twice";
    0114 SEVERAL_HOOK_KINDS "several kinds of hooks in one policy";
    0115 BAD_CALL "hook cannot exist";
    0116 UNKNOWN_LIST "unknown list";
    0117 BAD_LIST_CONTENT "list cannot be used";
    0118 BAD_OPTION "option has a bad value";
    0119 TEXT_TOO_SHORT "text is too short";
    0120 BAD_MACRO "macro cannot be used";
    0121 BAD_ENFORCER "enforcer cannot be used";
    0122 TOO_MANY_SELECTORS "too many selectors";
    0123 HOST_ONLY_HOOK "hook in a namespaced policy";
    0124 BAD_USER_PROBE "probe of a user program cannot be used";
    0125 LOADER_WITH_WORKLOAD "loader in a policy that selects workloads";
    0130 OUTSIDE_TEMPLATE "field of a template";
    0131 DUPLICATE_VARIABLE "variable stands twice";
    0132 UNKNOWN_VARIABLE "unknown variable";
    0133 UNUSED_VARIABLE "variable that nothing uses";
    0134 UNBOUND_VARIABLE "variable without values";
    0135 BOUND_TWICE "variable is bound twice";
    0136 VARIABLE_TYPE "variable of another type";
    0137 UNKNOWN_TEMPLATE "unknown template";
    0138 BINDING_NAME "binding cannot have this name";
    0139 TEMPLATE_WITH_WORKLOAD "template that selects workloads";
    0140 UNUSED_TEMPLATE "template without bindings" lint "unused-template" note;
    0141 BINDING_WITHOUT_WORKLOAD "binding that says no workload";
    0142 UNUSED_LIST "list that nothing uses" lint "unused-list";
    0143 NOT_IN_RELEASE "not in the Tetragon that was chosen";
    0144 DEPRECATED "deprecated" lint "deprecated";
    0197 LEFT_OUT "without counterpart in an artifact" lint "left-out" note;
    0198 UNFILLED_VARIABLE "variable that is not filled in";
    0199 NOT_COMPILED "valid, but not compiled yet";

    // Arguments and operators.
    0201 TOO_MANY_ARGS "too many arguments";
    0202 ARG_INDEX "argument out of reach";
    0203 ARG_TYPE_UNUSABLE "type cannot be used here";
    0204 OPERATOR_TYPE "operator does not fit the type";
    0205 NO_SUCH_ARG "no such argument";
    0206 BAD_VALUE "value cannot be read";
    0207 TOO_MANY_VALUES "too many values";
    0208 NO_VALUES "no values to compare with";
    0209 VALUE_TOO_LONG "value is too long";
    0210 BAD_SOURCE "value cannot be read from there";
    0211 TOO_MANY_FILTERS "too many filters";
    0212 BAD_EXPRESSION "expression cannot be used";
    0213 FILTER_UNAVAILABLE "filter cannot be used at this hook";
    0214 FOLLOW_CHILDREN "followChildren with another operator";

    // Workload.
    0301 HOST_SELECTOR_LABELS "hostSelector with labels";
    0302 HOST_SELECTOR_NAMESPACED "hostSelector in a namespaced policy";
    0303 BAD_LABEL_VALUE "not a label's value";
    0311 BINDING_CONFLICT "bindings of one template select one pod";
    0312 CONTRADICTORY_OVERRIDES "policies override with different values" lint "contradictory-overrides";

    // Actions.
    0401 ACTION_UNAVAILABLE "action cannot be used at this hook";
    0402 OVERRIDE_TARGET "Override on a function that cannot be overridden";
    0403 TOO_MANY_ACTIONS "too many actions";
    0404 BAD_RATE_LIMIT "rate limit cannot be used";
    0405 NO_ENFORCER "NotifyEnforcer without enforcers";
    0406 ACTION_PARAMETER "parameter does not fit the action";
    0499 OVERRIDE_NOT_COMPILED "Override is valid here, but not compiled yet";

    // Target and kernel features.
    0501 UNCHECKED "fact of a node, not checked" lint "unchecked-fact" note;
    0502 NO_FUNCTION "function that a target does not have" lint "skipped-function";
    0503 NO_LSM_HOOK "LSM hook that a target does not have";
    0504 NO_TRACEPOINT "tracepoint that a target does not have";
    0505 BAD_RESOLVE "path that leads nowhere on a target";
    0506 TYPE_MISMATCH "type that does not fit the kernel's" lint "type-mismatch";
    0507 NO_OVERRIDE "override that a target cannot do" lint "refused-override";
    0508 EMPTY_LIST "list that a target fills with nothing";
    0509 LACKING_KERNEL "target lacks what this needs" lint "hooked-twice";
    0510 BAD_TARGET_FILE "description of a target cannot be used";
    0511 FMOD_RET_RACE "Override that could be bypassed";
    0512 UNPROVED_OVERRIDE "Override at a hook without proof";
    0513 OTHER_MACHINE "target of a machine that artifacts are not for";
    0514 KERNEL_DEPENDENT "what only some kernels have" lint "kernel-dependent";
    0515 FIELD_PLACE "field of a tracepoint that no program can read";

    // Limits and budgets.
    0602 DIFFERENT_READINGS "one argument, two types";
    0603 TABLES_TOO_LARGE "tables do not fit";
    0604 TOO_MANY_POLICY_SELECTORS "too many selectors of one policy";
    0605 NODE_TOO_LARGE "tables of a node do not fit";
    0606 TOO_MANY_TEXT_TESTS "texts are tested in too many ways";
    0607 TOO_MANY_MASKS "too many masks";
    0608 TOO_MANY_DIMENSIONS "too many ways to test one function";
    0609 SET_TOO_LARGE "too many policies for one process";
    0610 BUDGET_EXCEEDED "budget is exceeded";
    0611 NO_PLACE_FOR_BINARY "no place for the program's path";
    0612 RATE_LIMITS "rate limits that do not fit together";

    // Lints.
    0701 EXPLICIT_NULL "null counts as absent" lint "explicit-null";
    0702 MISCASED_NAME "field in another spelling" lint "miscased-field";
    0703 UNKNOWN_OPTION "unknown option" lint "unknown-option";
    0704 NEVER_MATCHES "never matches" lint "never-matches";
    0705 ALWAYS_MATCHES "always matches" lint "always-matches";
    0706 IGNORED "part without effect" lint "ignored-part";
    0707 NO_EFFECT "action without effect" lint "no-effect";
    0708 TEXT_TRUNCATED "text is cut" lint "text-truncated";
    0709 UNKNOWN_CONTAINER_KEY "label that no container has" lint "container-key";
    0710 VALUE_READ_AS "value is read as another" lint "value-read-as";
    0711 UNREACHABLE_SELECTOR "selector is never reached" lint "unreachable-selector";
    0712 UNREACHABLE_VALUE "value is never reached" lint "unreachable-value";
    0713 REDUNDANT_VALUE "value makes no difference" lint "redundant-value" note;
    0714 AMBIGUOUS_INDEX "index of a field and of an argument" lint "ambiguous-index";
    0715 TETRAGON_DIFFERS "Tetragon does otherwise" lint "tetragon-differs" note;
    0716 LITERAL_PATTERN "pattern is compared as it is written" lint "literal-pattern";
    0717 SYMLINKED_PATH "path through a link" lint "symlinked-path" note;
    0718 SYSCALL_WRAPPER "argument of a system call's wrapper" lint "syscall-wrapper";
    0719 ONE_ADDRESS_FAMILY "addresses of one family" lint "one-address-family";
    0720 USER_MEMORY "decided on user memory" lint "override-on-user-memory";
    0721 ESCAPABLE_ALLOWLIST "paths that a process may make up" lint "path-allowlist-escapable" allow;
    0722 FMOD_RET_ONLY "Override that only fmod_ret can serve" lint "fmod-ret-only";
    0723 ENFORCES_EVERYWHERE "enforces on every process" lint "enforces-everywhere";
    0724 PACKET_OF_ANOTHER "packet of another process" lint "packet-of-another";
    0730 SELECTS_NOTHING "selects no workload" lint "selects-nothing";
    0731 NO_KUBERNETES_SELECTOR "Kubernetes refuses the selector" lint "kubernetes-selector";
    0740 CALLER_NOT_CALLEE "caller of exec, not the program started" lint "caller-not-callee";
    0741 SPLIT_SELECTOR "filters and actions in two selectors" lint "split-selector";
    0742 RATE_LIMIT_KEY "rate limit that limits nothing" lint "rate-limit-key";

    // Internal.
}

/// The row of `code`; `None` for a number that no phase uses.
pub fn row(code: Code) -> Option<&'static Row> {
    ALL.binary_search_by_key(&code, |row| row.code).ok().map(|i| &ALL[i])
}

/// Reads `TF0030`, `tf0030` or `30`.
pub fn parse(text: &str) -> Option<&'static Row> {
    let text = text.trim();
    let digits = match text.get(..2) {
        Some(prefix) if prefix.eq_ignore_ascii_case("TF") => &text[2..],
        Some(_) | None => text,
    };
    let all_digits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    row(Code(digits.parse().ok().filter(|_| all_digits)?))
}

impl Code {
    /// Whether it says that input or output could not be read or written, which has an exit status of its own.
    pub fn is_io(self) -> bool {
        self.0 < 20 || self == Code::BAD_TARGET_FILE
    }
}

/// The first example fenced as `yaml` under `heading` of a page.
pub fn example(page: &'static str, heading: &str) -> Option<&'static str> {
    let section = page.split_once(&format!("\n{heading}\n"))?.1;
    let section = section.split("\n## ").next().unwrap_or(section);
    let body = section.split_once("```yaml\n")?.1;
    Some(body.split_once("```").map_or(body, |(example, _)| example))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_ascend_so_that_each_stands_once() {
        for pair in ALL.windows(2) {
            assert!(pair[0].code < pair[1].code, "{} and {}", pair[0].code, pair[1].code);
        }
    }

    #[test]
    fn titles_are_one_line_without_a_full_stop() {
        for row in ALL {
            assert!(!row.title.ends_with('.') && !row.title.contains('\n'), "{}", row.code);
        }
    }

    /// The 07xx are lints; codes of other ranges are, where they only warn. That nothing else warns is seen to by
    /// [`Diagnostic::lint`](crate::diag::Diagnostic::lint), and that no error can be allowed by `Diagnostics::apply`.
    #[test]
    fn every_lint_has_a_name_of_its_own() {
        let mut names = std::collections::BTreeSet::new();
        for row in ALL {
            assert!(row.lint.is_some() || !(700..800).contains(&row.code.0), "{}", row.code);
            let Some(lint) = row.lint else { continue };
            let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
            assert!(lint.name.split('-').all(is_word), "{}", lint.name);
            assert!(names.insert(lint.name) && lint.name != crate::diag::levels::WARNINGS, "{}", lint.name);
        }
    }

    /// A warning is made by `Diagnostic::lint`, so that it has a name to allow it by.
    #[test]
    fn only_lints_warn() {
        for file in walkdir::WalkDir::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")) {
            let file = file.unwrap();
            if file.path().extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(file.path()).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap();
                let made = code.split_whitespace().collect::<String>();
                let is_test = file.path().ends_with("tests.rs");
                assert!(is_test || !made.contains(",Severity::Warning,"), "{}", file.path().display());
            }
        }
    }

    #[test]
    fn every_page_starts_with_its_code_and_has_the_headings_in_order() {
        for row in ALL {
            assert!(row.page.starts_with(&format!("# {}: {}\n", row.code, row.title)), "{}", row.code);
            let found: Vec<&str> = row.page.lines().filter(|line| line.starts_with("## ")).collect();
            assert_eq!(found, HEADINGS, "{}", row.code);
        }
    }

    /// A page whose code has no row would be shown by nothing.
    #[test]
    fn every_page_has_a_code() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/diag/codes");
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let code = name.strip_suffix(".md").and_then(parse);
            assert!(code.is_some_and(|row| format!("{}.md", row.code) == name), "{name} has no row");
        }
    }

    #[test]
    fn a_code_is_read_in_the_usual_spellings_and_in_no_other() {
        for text in ["TF0030", "tf0030", " 30 ", "TF30"] {
            assert_eq!(parse(text).map(|row| row.code), Some(Code::YAML_SYNTAX), "{text}");
        }
        for text in ["", "TF", "TF00300", "XF0030", "TF+030", "TF9999", "TF0029", "ü30", "70000"] {
            assert!(parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn an_example_is_the_fenced_text_of_its_own_section() {
        let page = "# x\n\n## Wrong\n\nWords.\n\n```yaml\na: 1\n```\n\n## Right\n\n```text\nno\n```\n";
        assert_eq!(example(page, "## Wrong"), Some("a: 1\n"));
        assert_eq!(example(page, "## Right"), None);
        assert_eq!(example(page, "## What it means"), None);
    }
}
