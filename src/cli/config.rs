//! What a team writes down once: levels of lints, and defaults of options (`.tetrafold.yaml`).
//!
//! One file counts for a run ([`find`]), and an option that is typed counts more. The file is an input like
//! the policies: its name stands in no output, what it says stands where the option's value would.
//! Not settable here: what weakens policies (`--monitor`, `--allow-fmod-ret-race`) is said where it is meant.

mod find;
mod read;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use super::Status;
use super::args::{BudgetArgs, InputArgs, TargetArgs};
use super::console::{Console, NotWritten, Place};
use crate::diag::Diagnostics;
use crate::diag::levels::{Level, Levels, Named};
use crate::driver::Input;
use crate::platform::KernelVersion;
use crate::report::Budgets;
use crate::source::discover;

/// What the file says.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// `warnings` come first: the lists have no order.
    levels: Vec<(Named, Level)>,
    namespace: Option<String>,
    exclude: Vec<String>,
    /// Names of options of [`TargetArgs`], each once.
    named: Vec<&'static str>,
    target: Option<TargetArgs>,
    budgets: BudgetArgs,
}

/// Everything that a run is told: what was typed, on top of what the file says, on top of the defaults.
pub struct Settled {
    pub input: Input,
    pub levels: Levels,
    config: Config,
    typed: Typed,
}

/// Finds and reads the configuration. What is wrong with it has been shown when it gives a status instead.
pub fn settle(typed: &InputArgs, console: Console<'_>) -> Result<Result<Settled, Status>, NotWritten> {
    let file = match &typed.config {
        Some(file) => Some(file.clone()),
        None if typed.no_config => None,
        None => find::upwards(&typed.paths),
    };
    let mut diags = Diagnostics::default();
    let mut config = Config::default();
    if let Some(file) = file {
        let sources = discover::load_file(&file, &mut diags);
        if !diags.has_errors() {
            config = read::config(&sources, &mut diags);
        }
        if diags.has_errors() {
            let status = if diags.has_io_errors() { Status::Unreadable } else { Status::WrongUsage };
            console.diagnostics(Place::Stderr, &diags, &sources)?;
            return Ok(Err(status));
        }
    }
    let mut levels = Levels::default();
    config.levels.iter().for_each(|&(named, level)| levels.set(named, level));
    typed.levels.add_to(&mut levels);
    let mut input = typed.input();
    config.exclude.iter().chain(&typed.exclude).for_each(|pattern| input.exclude.add(pattern));
    if let Some(namespace) = config.namespace.take()
        && !typed.typed.has("namespace")
    {
        input.resolve.namespace = namespace;
    }
    config.named.retain(|name| !typed.typed.has(name));
    Ok(Ok(Settled { input, levels, config, typed: typed.typed.clone() }))
}

impl Settled {
    /// The ceilings: as typed, with what the file says where nothing was.
    pub fn budgets(&self, typed: &BudgetArgs) -> Budgets {
        typed.over(&self.config.budgets)
    }

    /// Whether the option `name`, one of [`TargetArgs`], has more than its default.
    pub fn says(&self, name: &str) -> bool {
        self.typed.has(name) || self.config.named.contains(&name)
    }

    /// The kernel that was chosen, if one was.
    pub fn kernel(&self, typed: Option<KernelVersion>) -> Option<KernelVersion> {
        let configured = || self.config.target.as_ref().map(|target| target.kernel);
        match self.config.named.contains(&"kernel") {
            true => configured(),
            false => typed.filter(|_| self.typed.has("kernel")),
        }
    }

    /// The options about the nodes: as typed, with what the file says where nothing was.
    pub fn target(&self, typed: &TargetArgs) -> TargetArgs {
        let mut target = typed.clone();
        if let Some(from) = &self.config.target {
            self.config.named.iter().for_each(|name| target.take(name, from));
        }
        target
    }
}

/// Which options were typed, in contrast to those that have their default.
#[derive(Clone, Debug, Default)]
pub struct Typed {
    names: Vec<String>,
}

impl Typed {
    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|typed| typed == name)
    }
}

impl Args for Typed {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}

impl FromArgMatches for Typed {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Typed, clap::Error> {
        let is_typed = |id: &&clap::Id| matches.value_source(id.as_str()) == Some(ValueSource::CommandLine);
        Ok(Typed { names: matches.ids().filter(is_typed).map(clap::Id::to_string).collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Typed::from_arg_matches(matches)?;
        Ok(())
    }
}
