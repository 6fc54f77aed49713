//! `--allow`, `--note`, `--warn` and `--deny`: three options of one list, in which the last one counts.

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::diag::levels::{self, Level, Levels, Named};

/// What was typed, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LevelArgs {
    set: Vec<(Named, Level)>,
}

impl LevelArgs {
    /// The defaults with what was typed on top, without a configuration.
    pub fn levels(&self) -> Levels {
        let mut levels = Levels::default();
        self.add_to(&mut levels);
        levels
    }

    pub fn add_to(&self, levels: &mut Levels) {
        self.set.iter().for_each(|&(named, level)| levels.set(named, level));
    }
}

const OPTIONS: [(Level, &str); 4] = [
    (Level::Allow, "Do not report a lint, given by its name or code; `warnings` stands for all that warn"),
    (Level::Note, "Report a lint in one line, without weight"),
    (Level::Warn, "Report a lint as a warning"),
    (Level::Deny, "Report a lint as an error; of options that name one lint the last counts"),
];

impl Args for LevelArgs {
    fn augment_args(command: Command) -> Command {
        OPTIONS.into_iter().fold(command, |command, (level, help)| {
            let arg = Arg::new(level.name()).long(level.name()).value_name("LINT").help(help);
            let arg = arg.action(ArgAction::Append).value_parser(NamedParser).hide_possible_values(true);
            command.arg(arg.help_heading("Lints"))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        LevelArgs::augment_args(command)
    }
}

impl FromArgMatches for LevelArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<LevelArgs, clap::Error> {
        let mut typed = vec![];
        for (level, _) in OPTIONS {
            let named = matches.get_many::<Named>(level.name()).into_iter().flatten();
            let places = matches.indices_of(level.name()).into_iter().flatten();
            typed.extend(places.zip(named).map(|(place, &named)| (place, (named, level))));
        }
        typed.sort_by_key(|(place, _)| *place);
        Ok(LevelArgs { set: typed.into_iter().map(|(_, set)| set).collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = LevelArgs::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Knows all names, for completions.
#[derive(Clone)]
struct NamedParser;

impl TypedValueParser for NamedParser {
    type Value = Named;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<Named, clap::Error> {
        let text = StringValueParser::new().parse_ref(command, arg, value)?;
        Named::parse(&text).map_err(|reason| {
            let option = arg.map_or(String::new(), |arg| format!("{arg}: "));
            clap::Error::raw(ErrorKind::ValueValidation, format!("{option}{reason}\n")).with_cmd(command)
        })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(levels::names().map(PossibleValue::new)))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::diag::Code;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        levels: LevelArgs,
    }

    #[test]
    fn the_order_on_the_line_counts_whatever_the_options() {
        let typed = ["x", "--deny", "warnings", "--allow=TF0704", "--deny", "no-effect", "--note", "TF0707"];
        let cli = Cli::parse_from(typed);
        let [never_matches, no_effect] = [Code::NEVER_MATCHES, Code::NO_EFFECT].map(Named::Lint);
        assert_eq!(
            cli.levels.set,
            [
                (Named::Warnings, Level::Deny),
                (never_matches, Level::Allow),
                (no_effect, Level::Deny),
                (no_effect, Level::Note),
            ]
        );
        assert_eq!(Cli::parse_from(["x"]).levels.levels(), Levels::default());
    }

    #[test]
    fn a_name_that_is_none_is_wrong_usage() {
        let Err(error) = Cli::try_parse_from(["x", "--deny", "never-match"]) else { panic!("taken") };
        assert_eq!(error.kind(), ErrorKind::ValueValidation);
        assert!(error.to_string().contains("did you mean `never-matches`?"), "{error}");
    }
}
