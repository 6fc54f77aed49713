//! The file's text to a [`Config`]. Every mistake in it is reported, each with its place.
//!
//! A setting has the name of an option and is read by that option's own definition, so that both take and
//! refuse the same values.

use std::error::Error as _;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Parser, ValueEnum as _};

use super::Config;
use crate::cli::args::{BudgetArgs, TargetArgs, TetragonRelease, namespace};
use crate::diag::levels::{Level, Named};
use crate::diag::{Diagnostics, config as report, schema};
use crate::source::{Sources, Span};
use crate::syntax::yaml::{Node, NodeKind, Reader};

/// Options of [`TargetArgs`] that can be set.
const TARGET: [&str; 5] = ["kernel", "cpus", "pods", "scopes-per-pod", "preempt"];
/// Options of [`BudgetArgs`], all of which can be set.
const BUDGETS: [&str; 8] = [
    "max-programs",
    "max-maps",
    "max-memlock",
    "max-kernel-memory",
    "max-operation-memlock",
    "max-operation-kernel-memory",
    "max-policy-memlock",
    "max-policy-kernel-memory",
];
const LEVELS: [Level; 4] = [Level::Allow, Level::Note, Level::Warn, Level::Deny];

/// Of the only source.
pub fn config(sources: &Sources, diags: &mut Diagnostics) -> Config {
    let mut config = Config::default();
    let Some((id, source)) = sources.iter().next() else { return config };
    let mut reader = Reader::new(id, &source.text);
    let mut is_first = true;
    while let Some(root) = reader.next(diags) {
        if root.is_null() {
            continue;
        }
        if !std::mem::take(&mut is_first) {
            diags.push(report::second_document(root.span));
            break;
        }
        document(&root, &mut config, diags);
    }
    config
}

fn document(root: &Node<'_>, config: &mut Config, diags: &mut Diagnostics) {
    let mut options: Vec<String> = vec![];
    let settings = [&["lints", "namespace", "tetragon", "exclude"], &TARGET[..], &BUDGETS].concat();
    for (name, _, value) in fields(root, "a configuration", &settings, diags) {
        match name {
            "lints" => config.levels = lints(value, diags),
            "namespace" => {
                let Some(text) = text(name, value, diags) else { continue };
                match namespace(text) {
                    Ok(namespace) => config.namespace = Some(namespace),
                    Err(why) => diags.push(report::refused_setting(name, text, &why, value.span)),
                }
            }
            "tetragon" => {
                let Some(text) = text(name, value, diags) else { continue };
                match TetragonRelease::from_str(text, false) {
                    Ok(release) => config.tetragon = Some(release),
                    Err(_) => {
                        let why = "one of `1.7`, `1.8`, `main` is wanted";
                        diags.push(report::refused_setting(name, text, why, value.span));
                    }
                }
            }
            "exclude" => config.exclude = texts(name, value, diags),
            option => {
                let Some(text) = text(option, value, diags) else { continue };
                match parsed(&[format!("--{option}={text}")]) {
                    Ok(_) => {
                        options.push(format!("--{option}={text}"));
                        if TARGET.contains(&option) {
                            config.named.push(option);
                        }
                    }
                    Err(why) => diags.push(report::refused_setting(option, text, &why, value.span)),
                }
            }
        }
    }
    if let Ok(Options { target, budgets }) = parsed(&options) {
        config.target = Some(target);
        config.budgets = budgets;
    }
}

/// Known keys with their values, in the order written. Null counts as absent.
fn fields<'n>(
    node: &'n Node<'n>,
    what: &str,
    known: &[&'static str],
    diags: &mut Diagnostics,
) -> Vec<(&'static str, Span, &'n Node<'n>)> {
    let mut fields: Vec<(&'static str, Span, &Node<'_>)> = vec![];
    let NodeKind::Mapping(entries) = &node.kind else {
        diags.push(report::bad_setting(what, "a mapping", node.kind_name(), node.span));
        return fields;
    };
    for (key, value) in entries {
        let text = key.key_text().unwrap_or_default();
        let Some(&name) = known.iter().find(|name| **name == text) else {
            diags.push(report::unknown_setting(&text, known, key.span));
            continue;
        };
        match fields.iter().find(|(other, ..)| *other == name) {
            Some((_, first, _)) => diags.push(schema::duplicate_field(name, *first, key.span)),
            None => fields.push((name, key.span, value)),
        }
    }
    fields.retain(|(_, _, value)| !value.is_null());
    fields
}

/// A scalar as it is written: `6.10` is no number here.
fn text<'n>(name: &str, node: &'n Node<'n>, diags: &mut Diagnostics) -> Option<&'n str> {
    match &node.kind {
        NodeKind::Scalar { text, .. } => Some(text),
        NodeKind::Sequence(_) | NodeKind::Mapping(_) => {
            diags.push(report::bad_setting(name, "one value", node.kind_name(), node.span));
            None
        }
    }
}

fn texts<'n>(name: &str, node: &'n Node<'n>, diags: &mut Diagnostics) -> Vec<String> {
    let NodeKind::Sequence(items) = &node.kind else {
        diags.push(report::bad_setting(name, "a list", node.kind_name(), node.span));
        return vec![];
    };
    items.iter().filter_map(|item| text(name, item, diags)).map(str::to_string).collect()
}

fn lints(node: &Node<'_>, diags: &mut Diagnostics) -> Vec<(Named, Level)> {
    let mut levels: Vec<(Named, Level, Span)> = vec![];
    for (name, _, list) in fields(node, "lints", &LEVELS.map(Level::name), diags) {
        let Some(level) = LEVELS.into_iter().find(|level| level.name() == name) else { continue };
        let NodeKind::Sequence(items) = &list.kind else {
            diags.push(report::bad_setting(name, "a list of lints", list.kind_name(), list.span));
            continue;
        };
        for item in items {
            let Some(text) = text(name, item, diags) else { continue };
            match Named::parse(text) {
                Ok(named) => match levels.iter().find(|(other, ..)| *other == named) {
                    Some((_, _, first)) => diags.push(report::two_levels(text, *first, item.span)),
                    None => levels.push((named, level, item.span)),
                },
                Err(why) => diags.push(report::unknown_lint(why, item.span)),
            }
        }
    }
    levels.sort_by_key(|(named, ..)| *named != Named::Warnings);
    levels.into_iter().map(|(named, level, _)| (named, level)).collect()
}

#[derive(Parser)]
#[command(no_binary_name = true)]
struct Options {
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    budgets: BudgetArgs,
}

/// Or why not, in the words of the option.
fn parsed(options: &[String]) -> Result<Options, String> {
    Options::try_parse_from(options).map_err(|error| {
        match (error.kind(), error.source(), error.get(ContextKind::ValidValue)) {
            (ErrorKind::InvalidValue, _, Some(ContextValue::Strings(valid))) => {
                format!("one of `{}` is wanted", valid.join("`, `"))
            }
            (_, Some(source), _) => source.to_string(),
            (_, None, _) => "no such value".to_string(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{Code, codes};

    fn read(text: &str) -> (Config, Vec<Code>) {
        let mut sources = Sources::default();
        sources.add(".tetrafold.yaml", text);
        let mut diags = Diagnostics::default();
        let config = config(&sources, &mut diags);
        (config, diags.sorted().iter().map(|d| d.code).collect())
    }

    #[test]
    fn settings_are_read_as_their_options_are() {
        assert_eq!(read("tetragon: 1.7\n").0.tetragon, Some(TetragonRelease::V1_7));
        assert_eq!(read("tetragon: 1.6\n").1, [Code::BAD_SETTING]);
        let text = "lints:\n  deny: [warnings, TF0501]\n  allow: [never-matches]\nnamespace: shop\nkernel: 6.10\ncpus: 16\npreempt: voluntary\npods:\n";
        let (config, found) = read(text);
        assert_eq!(found, []);
        assert_eq!(
            config.levels,
            [
                (Named::Warnings, Level::Deny),
                (Named::Lint(Code::UNCHECKED), Level::Deny),
                (Named::Lint(Code::NEVER_MATCHES), Level::Allow),
            ]
        );
        assert_eq!(config.namespace.as_deref(), Some("shop"));
        assert_eq!(config.named, ["kernel", "cpus", "preempt"]);
        let target = config.target.unwrap();
        assert_eq!((target.kernel.to_string(), target.cpus, target.pods), ("6.10".to_string(), 16, 110));
        let (config, found) = read("max-memlock: 1.5MiB\nmax-programs: 4\nmax-policy-memlock: 64KiB\n");
        assert_eq!((found, config.named.len()), (vec![], 0));
        let budgets = config.budgets;
        assert_eq!((budgets.max_memlock, budgets.max_policy_memlock), (Some(1_572_864), Some(65_536)));
        assert_eq!((budgets.max_programs, budgets.max_maps), (Some(4), None));
        for empty in ["", "# nothing\n", "lints: {}\n", "lints:\n"] {
            assert_eq!(read(empty).1, [], "{empty}");
        }
    }

    #[test]
    fn every_mistake_is_found_in_one_run() {
        let text = "lint: {}\nkernel: 5.4\ncpus: 0\ncpus: many\nlints: {deny: [never-match, TF0101, warnings], allow: [warnings], forbid: [x], warn: all}\npreempt: rt\nnamespace: [a]\nmax-memlock: 64K\nmax-maps: -1\n";
        let (_, found) = read(text);
        let [unknown, bad] = [Code::UNKNOWN_SETTING, Code::BAD_SETTING];
        let [lint, twice] = [Code::UNKNOWN_LINT, Code::TWO_LEVELS];
        assert_eq!(
            found,
            [unknown, bad, bad, Code::DUPLICATE_FIELD, lint, lint, twice, unknown, bad, bad, bad, bad, bad]
        );
        assert_eq!(read("[]\n").1, [bad]);
        assert_eq!(read("kernel: 6.1\n---\ncpus: 2\n").1, [bad]);
        assert_eq!(read("lints: [\n").1, [Code::YAML_SYNTAX]);
    }

    /// The pages' examples, which are no policies.
    #[test]
    fn the_examples_of_the_pages_are_true() {
        let mut seen = 0;
        for row in codes::ALL {
            let mut parts = row.page.split("```yaml .tetrafold.yaml\n").skip(1);
            let (Some(wrong), Some(right)) = (parts.next(), parts.next()) else { continue };
            let body = |part: &'static str| part.split("```").next().unwrap();
            assert_eq!(read(body(wrong)).1, [row.code], "{}", row.code);
            assert_eq!(read(body(right)).1, [], "{}", row.code);
            seen += 1;
        }
        assert_eq!(seen, 4);
    }
}
