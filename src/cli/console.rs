//! Where text goes: standard output, standard error or a file; and how findings are shown there.
//!
//! A reader that has gone away (`| head`) is no error: what else would be written is dropped. A file is
//! written whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use super::args::{Colour, ConsoleArgs, DiagnosticsForm};
use crate::diag::{Diagnostic, Diagnostics, files, github, json, junit, render, sarif};
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
pub struct Console<'a> {
    args: ConsoleArgs,
    /// Files that get the findings of the run as well, each in its form.
    also: &'a [(DiagnosticsForm, PathBuf)],
}

impl<'a> Console<'a> {
    pub fn new(args: ConsoleArgs) -> Console<'a> {
        Console { args, also: &[] }
    }

    pub fn with(self, also: &[(DiagnosticsForm, PathBuf)]) -> Console<'_> {
        Console { args: self.args, also }
    }

    /// Whether people read the diagnostics.
    pub fn is_human(&self) -> bool {
        self.args.diagnostics == DiagnosticsForm::Human
    }

    /// Shows the findings of the run, and writes them to whatever other files were asked for.
    pub fn findings(
        &self,
        place: Place<'_>,
        diags: &Diagnostics,
        sources: &Sources,
    ) -> Result<(), NotWritten> {
        for (form, path) in self.also {
            self.shown(*form, Place::File(path), diags, sources)?;
        }
        self.diagnostics(place, diags, sources)
    }

    /// Shows what was found, in order.
    pub fn diagnostics(
        &self,
        place: Place<'_>,
        diags: &Diagnostics,
        sources: &Sources,
    ) -> Result<(), NotWritten> {
        self.shown(self.args.diagnostics, place, diags, sources)
    }

    fn shown(
        &self,
        form: DiagnosticsForm,
        place: Place<'_>,
        diags: &Diagnostics,
        sources: &Sources,
    ) -> Result<(), NotWritten> {
        let all = diags.sorted();
        let kept = heaviest(&all, self.args.max_diagnostics.unwrap_or(usize::MAX));
        self.write(place, |out| match form {
            DiagnosticsForm::Human => {
                let options = self.options(place);
                render::findings(out, &kept, sources, options)?;
                if kept.len() < all.len() {
                    let more = all.len() - kept.len();
                    writeln!(out, "{more} more; `--max-diagnostics` limits what is shown")?;
                }
                render::summary(out, &all)
            }
            DiagnosticsForm::Json => json::write(out, &kept, sources),
            DiagnosticsForm::Sarif => sarif::write(out, &kept, sources),
            DiagnosticsForm::Github => github::write(out, &kept, sources),
            DiagnosticsForm::Junit => junit::write(out, &kept, sources),
        })
    }

    /// Text for people, in characters that they can see.
    pub fn human(&self, place: Place<'_>, text: &str) -> Result<(), NotWritten> {
        if is_utf8() { self.text(place, text) } else { self.text(place, &render::ascii(text)) }
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
        render::Options { colour, width, unicode: is_utf8(), ..default }
    }
}

/// At most so many, of those that weigh most, in their order.
fn heaviest<'d>(sorted: &[&'d Diagnostic], most: usize) -> Vec<&'d Diagnostic> {
    let mut order: Vec<usize> = (0..sorted.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(sorted[i].severity));
    order.truncate(most);
    order.sort_unstable();
    order.into_iter().map(|i| sorted[i]).collect()
}

/// Whether the locale can show more than ASCII (POSIX: `LC_ALL`, `LC_CTYPE`, `LANG`, in this order).
fn is_utf8() -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(std::env::var_os).find(|v| !v.is_empty());
    let says =
        |value: OsString| value.to_string_lossy().to_ascii_lowercase().replace('-', "").contains("utf8");
    // Elsewhere than on POSIX systems nobody sets these.
    set.map_or(!cfg!(unix), says)
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
