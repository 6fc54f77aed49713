//! Runs the loader example inside the machine, passes on what it says, and waits for the lines that matter.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use super::Port;
use super::process::kill;
use crate::script::Report;

/// Where the loader pins; removed with all that is in it after each case.
pub const PINS: &str = "/sys/fs/bpf/tetrafold";

const PATIENCE: Duration = Duration::from_secs(300);

pub struct Loader {
    child: Child,
    lines: Receiver<String>,
    /// Its last words on standard error.
    errors: std::thread::JoinHandle<VecDeque<String>>,
    output: std::thread::JoinHandle<()>,
}

impl Loader {
    /// `options` beside those that every run has.
    pub fn start(port: &Port, artifact: &str, workloads: &str, options: &[&str]) -> Result<Loader, String> {
        let mut command = Command::new("/bin/loader");
        command.arg(artifact).args(["--workloads", workloads, "--pin", PINS]).args(options);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|e| format!("/bin/loader: {e}"))?;
        let (sender, lines) = mpsc::channel();
        let stdout = child.stdout.take().ok_or("no pipe")?;
        let stderr = child.stderr.take().ok_or("no pipe")?;
        let to = port.clone();
        let output = std::thread::spawn(move || {
            for line in read_lines(stdout) {
                to.report(&Report::Loader { line: line.clone() });
                if !line.contains("\"policy\":") {
                    let _ = sender.send(line);
                }
            }
        });
        let to = port.clone();
        let errors = std::thread::spawn(move || {
            let mut last = VecDeque::new();
            for line in read_lines(stderr) {
                to.report(&Report::LoaderError { line: line.clone() });
                last.push_back(line);
                if last.len() > 50 {
                    last.pop_front();
                }
            }
            last
        });
        Ok(Loader { child, lines, errors, output })
    }

    /// Waits until the loader says `expected`; its end or a long silence is an error with its last words.
    pub fn wait_for(&mut self, expected: impl Fn(&str) -> bool) -> Result<(), String> {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) if expected(&line) => return Ok(()),
                Ok(_) => {}
                Err(mpsc::RecvTimeoutError::Timeout) => return Err("the loader is silent".to_owned()),
                Err(mpsc::RecvTimeoutError::Disconnected) => return Err("the loader has ended".to_owned()),
            }
        }
    }

    pub fn signal(&self, signal: i32) {
        kill(self.child.id(), signal);
    }

    /// Waits for its end; gives the last lines of its standard error.
    pub fn end(mut self) -> Result<(ExitStatus, String), String> {
        let end = Instant::now() + PATIENCE;
        let status = loop {
            match self.child.try_wait().map_err(|e| e.to_string())? {
                Some(status) => break status,
                None if Instant::now() < end => std::thread::sleep(Duration::from_millis(10)),
                None => {
                    self.signal(libc::SIGKILL);
                    return Err("the loader does not end".to_owned());
                }
            }
        };
        let _ = self.output.join();
        let words = self.errors.join().unwrap_or_default();
        Ok((status, Vec::from(words).join("\n")))
    }
}

fn read_lines(from: impl Read) -> impl Iterator<Item = String> {
    BufReader::new(from)
        .split(b'\n')
        .map_while(Result::ok)
        .map(|line| String::from_utf8_lossy(&line).into_owned())
}
