//! Options that the environment sets: `TETRAFOLD_MAX_MEMLOCK` for `--max-memlock`, where that is not typed.
//!
//! They are put where they would have been typed, in front of the others, so that they are read alike and count more
//! than the configuration. Only options that take a value: what weakens policies is said where it is meant.

use std::ffi::OsString;

use clap::Command;

const PREFIX: &str = "TETRAFOLD_";

/// What was typed with what `get` knows put in. `arguments` begin with the program's name.
pub fn put_in(
    command: &Command,
    mut arguments: Vec<OsString>,
    get: impl Fn(&str) -> Option<OsString>,
) -> Vec<OsString> {
    let mut command = command;
    let mut at = 0;
    while command.has_subcommands() {
        let mut rest = arguments.iter().enumerate().skip(at + 1);
        let Some((place, found)) = rest.find_map(|(i, name)| Some((i, command.find_subcommand(name)?)))
        else {
            return arguments;
        };
        (at, command) = (place, found);
    }
    let typed = |name: &str| {
        let is_it =
            |text: &str| text.strip_prefix("--").is_some_and(|text| text.split('=').next() == Some(name));
        arguments
            .iter()
            .take_while(|a| a.to_str() != Some("--"))
            .any(|argument| argument.to_str().is_some_and(is_it))
    };
    let mut put = vec![];
    for option in command.get_arguments().filter(|option| option.get_action().takes_values()) {
        let Some(name) = option.get_long() else { continue };
        let variable = format!("{PREFIX}{}", name.to_ascii_uppercase().replace('-', "_"));
        let excluded =
            name == "config" && typed("no-config") || is_short_typed(option.get_short(), &arguments);
        if let Some(value) = get(&variable).filter(|value| !value.is_empty() && !typed(name) && !excluded) {
            let mut argument = OsString::from(format!("--{name}="));
            argument.push(value);
            put.push(argument);
        }
    }
    arguments.splice(at + 1..at + 1, put);
    arguments
}

fn is_short_typed(short: Option<char>, arguments: &[OsString]) -> bool {
    let Some(short) = short else { return false };
    arguments
        .iter()
        .any(|a| a.to_str().is_some_and(|text| text.strip_prefix('-').is_some_and(|t| t.starts_with(short))))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::args::Cli;

    fn with(typed: &[&str], environment: &[(&str, &str)]) -> Vec<String> {
        let mut command = Cli::command();
        command.build();
        let get = |name: &str| {
            environment.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(*value))
        };
        let arguments = typed.iter().map(OsString::from).collect();
        put_in(&command, arguments, get).into_iter().map(|a| a.into_string().unwrap()).collect()
    }

    #[test]
    fn what_is_set_stands_in_front_of_what_is_typed() {
        let set = [("TETRAFOLD_CPUS", "8"), ("TETRAFOLD_MAX_MEMLOCK", "1MiB"), ("TETRAFOLD_MONITOR", "1")];
        let both = ["t", "report", "--cpus=8", "--max-memlock=1MiB", "x"];
        assert_eq!(with(&["t", "report", "x"], &set), both);
        assert_eq!(
            with(&["t", "report", "x", "--cpus", "4"], &set),
            ["t", "report", "--max-memlock=1MiB", "x", "--cpus", "4"]
        );
        assert_eq!(with(&["t", "check", "x"], &set), ["t", "check", "--cpus=8", "x"]);
        assert_eq!(with(&["t", "inspect", "x"], &set), ["t", "inspect", "x"]);
        let nested = [("TETRAFOLD_OUTPUT", "f")];
        assert_eq!(with(&["t", "target", "record"], &nested), ["t", "target", "record", "--output=f"]);
        assert_eq!(with(&["t", "compile", "x", "-o", "y"], &nested), ["t", "compile", "x", "-o", "y"]);
    }

    #[test]
    fn what_is_empty_or_excluded_says_nothing() {
        assert_eq!(with(&["t", "check", "x"], &[("TETRAFOLD_NAMESPACE", "")]), ["t", "check", "x"]);
        let config = [("TETRAFOLD_CONFIG", "c.yaml")];
        assert_eq!(with(&["t", "check", "x", "--no-config"], &config), ["t", "check", "x", "--no-config"]);
        assert_eq!(with(&["t"], &config), ["t"]);
        assert_eq!(with(&["t", "--help"], &config), ["t", "--help"]);
    }
}
