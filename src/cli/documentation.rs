//! Commands that print what is built in: pages of codes, schemas, completions, man pages.

use std::fmt::Write as _;

use clap::CommandFactory;

use super::Status;
use super::args::{Cli, CompletionsArgs, ExplainCodeArgs, ManArgs, SchemaArgs, SchemaOf};
use super::console::{Console, NotWritten, Place};
use crate::artifact::manifest::Manifest;
use crate::diag::codes::{self, Row};
use crate::diag::json;
use crate::diag::levels::{self, Lint};
use crate::diag::suggest::nearest;
use crate::platform::description::Description;
use crate::report::Report;
use crate::syntax::ast::publish;

pub fn explain_code(args: &ExplainCodeArgs, console: Console<'_>) -> Result<Status, NotWritten> {
    let Some(code) = &args.code else {
        let mut list = String::new();
        for row in codes::ALL {
            let lint = |lint: Lint| format!(" ({}, {} by default)", lint.name, lint.default.name());
            let lint = row.lint.map_or(String::new(), lint);
            let _ = writeln!(list, "{}  {}{lint}", row.code, row.title);
        }
        console.text(Place::Stdout, &list)?;
        return Ok(Status::Done);
    };
    let is_named = |row: &&Row| row.lint.is_some_and(|lint| lint.name == code);
    let by_lint = || codes::ALL.iter().find(is_named);
    match codes::parse(code).or_else(by_lint) {
        Some(row) => {
            console.text(Place::Stdout, &page(row))?;
            Ok(Status::Done)
        }
        None => {
            let known: Vec<String> = codes::ALL.iter().map(|row| row.code.to_string()).collect();
            let names =
                known.iter().map(|code| code as &str).chain(levels::names().skip(1).map(|name| name as &str));
            let hint = match nearest(code, names) {
                Some(name) => format!("did you mean `{name}`?"),
                None => "`tetrafold explain-code` lists all".to_string(),
            };
            console.text(
                Place::Stderr,
                &format!("error: there is no code `{}`; {hint}\n", code.escape_debug()),
            )?;
            Ok(Status::WrongUsage)
        }
    }
}

/// The page of a code; that of a lint says its name and level below the title.
fn page(row: &Row) -> String {
    let Some(Lint { name, default }) = row.lint else { return row.page.to_string() };
    let (title, rest) = row.page.split_once('\n').unwrap_or((row.page, ""));
    format!("{title}\n\nLint `{name}`, {} by default.\n{rest}", default.name())
}

pub fn schema(args: &SchemaArgs, console: Console<'_>) -> Result<Status, NotWritten> {
    let schema = match args.of {
        SchemaOf::Policies => publish::schema(),
        SchemaOf::Manifest => Manifest::schema(),
        SchemaOf::Report => Report::schema(),
        SchemaOf::Diagnostics => json::schema_text(),
        SchemaOf::Target => Description::schema(),
    };
    console.text(Place::Stdout, &schema)?;
    Ok(Status::Done)
}

pub fn completions(args: &CompletionsArgs, console: Console<'_>) -> Result<Status, NotWritten> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tetrafold", &mut script);
    console.write(Place::Stdout, |out| out.write_all(&script))?;
    Ok(Status::Done)
}

pub fn man(args: &ManArgs, console: Console<'_>) -> Result<Status, NotWritten> {
    let mut command = Cli::command();
    command.build();
    let page = match &args.command {
        None => Some(clap_mangen::Man::new(command)),
        // `build` gives a subcommand its full name, with a space that a page's title cannot have.
        Some(name) => command
            .find_subcommand(name)
            .map(|sub| clap_mangen::Man::new(sub.clone()).title(format!("tetrafold-{}", sub.get_name()))),
    };
    match page {
        Some(page) => {
            let page = page.source(format!("tetrafold {}", env!("CARGO_PKG_VERSION")));
            console.write(Place::Stdout, |out| page.render(out))?;
            Ok(Status::Done)
        }
        None => {
            console.text(Place::Stderr, "error: there is no such command; `tetrafold --help` lists all\n")?;
            Ok(Status::WrongUsage)
        }
    }
}
