//! Where text goes: standard output, standard error or a file; and how findings are shown there.
//!
//! A reader that has gone away (`| head`) is no error: what else would be written is dropped. A file is
//! written whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;

use super::args::{Colour, ConsoleArgs, DiagnosticsForm};
use crate::diag::{Diagnostics, files, github, json, render, sarif};
use crate::source::Sources;

/// Where something is written.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    Stdout,
    Stderr,
    File(&'a Path),
}

impl<'a> Place<'a> {
    pub fn file_or_stdout(file: Option<&'a Path>) -> Place<'a> {
        file.map_or(Place::Stdout, Place::File)
    }
}

/// Output could not be written; it has been said on standard error.
#[derive(Debug)]
pub struct NotWritten;

#[derive(Clone, Copy, Debug)]
pub struct Console {
    args: ConsoleArgs,
}

impl Console {
    pub fn new(args: ConsoleArgs) -> Console {
        Console { args }
    }

    /// Whether people read the diagnostics.
    pub fn is_human(&self) -> bool {
        self.args.diagnostics == DiagnosticsForm::Human
    }

    /// Shows what was found, in order.
    pub fn diagnostics(
        &self,
        place: Place<'_>,
        diags: &Diagnostics,
        sources: &Sources,
    ) -> Result<(), NotWritten> {
        let sorted = diags.sorted();
        self.write(place, |out| match self.args.diagnostics {
            DiagnosticsForm::Human => render::write(out, &sorted, sources, self.options(place)),
            DiagnosticsForm::Json => json::write(out, &sorted, sources),
            DiagnosticsForm::Sarif => sarif::write(out, &sorted, sources),
            DiagnosticsForm::Github => github::write(out, &sorted, sources),
        })
    }

    pub fn text(&self, place: Place<'_>, text: &str) -> Result<(), NotWritten> {
        self.write(place, |out| out.write_all(text.as_bytes()))
    }

    /// Writes what `produce` produces.
    pub fn write(
        &self,
        place: Place<'_>,
        produce: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), NotWritten> {
        let (name, result) = match place {
            Place::Stdout => ("standard output".to_string(), buffered(io::stdout().lock(), produce)),
            Place::Stderr => ("standard error".to_string(), buffered(io::stderr().lock(), produce)),
            Place::File(path) => (path.to_string_lossy().into_owned(), write_whole(path, produce)),
        };
        match result {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => {
                let mut diags = Diagnostics::default();
                diags.push(files::output_not_written(&name, &files::io_cause(&error)));
                // If standard error is what cannot be written, the exit status has to do.
                let _ = render::write(
                    &mut io::stderr().lock(),
                    &diags.sorted(),
                    &Sources::default(),
                    self.options(Place::Stderr),
                );
                Err(NotWritten)
            }
        }
    }

    fn options(&self, place: Place<'_>) -> render::Options {
        let (terminal, size) = match place {
            Place::Stdout => (io::stdout().is_terminal(), terminal_size::terminal_size_of(io::stdout())),
            Place::Stderr => (io::stderr().is_terminal(), terminal_size::terminal_size_of(io::stderr())),
            Place::File(_) => (false, None),
        };
        let wanted = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let colour = match self.args.color {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => {
                terminal && !wanted("NO_COLOR") && std::env::var_os("TERM") != Some(OsString::from("dumb"))
            }
        };
        let default = render::Options::default();
        let width = size.map_or(default.width, |(terminal_size::Width(columns), _)| columns.into());
        render::Options { colour, width, ..default }
    }
}

fn buffered(stream: impl Write, produce: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, stream);
    let result = produce(&mut out).and_then(|()| out.flush());
    // What is left after an error is not tried again.
    let _ = out.into_parts();
    result
}

/// Writes beside the file and renames.
fn write_whole(path: &Path, produce: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    // A device or a pipe cannot be replaced.
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir()) {
        return buffered(File::options().write(true).open(path)?, produce);
    }
    let Some(name) = path.file_name() else { return Err(io::ErrorKind::IsADirectory.into()) };
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut temporary_name = OsString::from(".");
    temporary_name.push(name);
    temporary_name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(temporary_name);
    let file = File::options().write(true).create_new(true).open(&temporary)?;
    let result =
        buffered(&file, produce).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&temporary, path));
    if result.is_err() {
        // Best effort: the error that matters is the first.
        let _ = fs::remove_file(&temporary);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.json");
        fs::write(&path, "old").unwrap();
        let failed = write_whole(&path, |out| {
            out.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert!(failed.is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        write_whole(&path, |out| out.write_all(b"new")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_file_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let error = |path: &Path| write_whole(path, |out| out.write_all(b"x")).unwrap_err().kind();
        assert_eq!(error(dir.path()), io::ErrorKind::IsADirectory);
        assert_eq!(error(&dir.path().join("no/such/out")), io::ErrorKind::NotFound);
        assert_eq!(error(Path::new("/dev/full")), io::ErrorKind::StorageFull);
        assert!(Path::new("/dev/full").exists());
    }
}
