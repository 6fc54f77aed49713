//! `spec.options` to what they set. Later ones override earlier ones, as in Tetragon.

use crate::diag::suggest::nearest;
use crate::diag::{lints, schema as codes};
use crate::policy::Mode;
use crate::policy::context::Cx;
use crate::source::Span;
use crate::syntax::ast::objects::Spec;
use crate::vocab::Vocabulary;
use crate::vocab::option::{OptionValue, PolicyOption};

/// What Go's `strconv.ParseBool` takes.
const BOOLS: [&str; 12] = ["1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"];

/// The policy's mode. Options about how Tetragon attaches mean nothing to artifacts and are only checked.
pub fn resolve(spec: &Spec<'_>, monitor: bool, cx: &mut Cx<'_>) -> Mode {
    let mut mode = Mode::Enforce;
    let mut seen: Vec<(PolicyOption, Span)> = vec![];
    for written in spec.options.iter().flat_map(|options| &options.items) {
        let Some(name) = written.name else { continue };
        let Some(option) = PolicyOption::parse(name.value) else {
            cx.report(lints::unknown_option(
                name.value,
                nearest(name.value, PolicyOption::names()),
                name.span,
            ));
            continue;
        };
        match seen.iter_mut().find(|(known, _)| *known == option) {
            Some((_, earlier)) => {
                let place = std::mem::replace(earlier, name.span);
                cx.report(lints::ignored(&format!("option `{option}`"), "it stands again below", place));
            }
            None => seen.push((option, name.span)),
        }
        if written.value.is_none() && written.poisoned {
            continue;
        }
        let value = written.value.map_or("", |value| value.value);
        let span = written.value.map_or(name.span, |value| value.span);
        if let Err(wanted) = check(option, value) {
            cx.report(codes::bad_option_value(option.name(), &wanted, span));
            continue;
        }
        match option {
            PolicyOption::PolicyMode => mode = if value == "monitor" { Mode::Monitor } else { Mode::Enforce },
            PolicyOption::DisableKprobeMulti
            | PolicyOption::DisableUprobeMulti
            | PolicyOption::OverrideMethod
            | PolicyOption::SleepablePreloadSize => {
                let what = format!("option `{option}`");
                cx.report(codes::left_out(&what, "says how Tetragon attaches or stores", name.span));
            }
        }
    }
    if monitor { Mode::Monitor } else { mode }
}

fn check(option: PolicyOption, value: &str) -> Result<(), String> {
    let (fits, wanted) = match option.value() {
        OptionValue::Bool => (BOOLS.contains(&value), "`true` or `false`".to_string()),
        OptionValue::OneOf(words) => (words.contains(&value), format!("`{}`", words.join("` or `"))),
        OptionValue::Positive => {
            let is_number = value.parse::<i64>().is_ok_and(|n| n > 0);
            (is_number, "a positive number".to_string())
        }
    };
    if fits { Ok(()) } else { Err(wanted) }
}
