//! What can be typed. Help texts, completions and man pages come from here.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::config::Typed;
use super::level_args::LevelArgs;
use crate::artifact::digest::Digest;
use crate::driver::Input;
use crate::platform::kernel::{self, Kernel};
use crate::platform::{KernelVersion, OLDEST_KERNEL, Preempt, Target};
use crate::policy::phases::ResolveOptions;
use crate::report::{Budgets, parse_bytes};
use crate::vocab::release::Release;

const EXIT_STATUS: &str = "Exit status:
  0  done
  1  policies have errors
  2  wrong usage
  3  input or output cannot be read or written
  4  a budget is exceeded
  5  internal fault

An option that takes a value can be set in the environment too: TETRAFOLD_MAX_MEMLOCK stands for
--max-memlock where that is not typed.";

/// Compiles sets of Tetragon tracing policies, offline, into shared eBPF programs and tables
#[derive(Debug, Parser)]
#[command(name = "tetrafold", version, max_term_width = 100, after_help = EXIT_STATUS)]
#[command(arg_required_else_help = true, subcommand_required = true, infer_long_args = false)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub console: ConsoleArgs,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say whether policies are valid: every error of every file, with the exact place
    Check(CheckArgs),
    /// Compile policies into an artifact: objects, map images, manifest, report
    Compile(CompileArgs),
    /// Forecast programs, maps and kernel memory of policies or of an artifact
    Report(ReportArgs),
    /// Show what an artifact holds, and whether it is intact
    Inspect(InspectArgs),
    /// Describe the node that this runs on, to check policies against it elsewhere
    #[command(subcommand)]
    Target(TargetCommand),
    /// Explain a diagnostic code, or list all
    ExplainCode(ExplainCodeArgs),
    /// Print the JSON Schema of policies, for editors, or of an output
    Schema(SchemaArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Print a man page
    Man(ManArgs),
}

/// How findings are shown, whatever the command.
#[derive(Clone, Copy, Debug, Args)]
pub struct ConsoleArgs {
    /// Form of the diagnostics
    #[arg(long, value_enum, value_name = "FORM", default_value_t, global = true)]
    pub diagnostics: DiagnosticsForm,
    /// Most findings that are shown, errors first; the others are counted
    #[arg(long, value_name = "N", global = true)]
    pub max_diagnostics: Option<usize>,
    /// When to use colours (`auto`: on a terminal, unless NO_COLOR is set)
    #[arg(long, value_enum, value_name = "WHEN", default_value_t, global = true)]
    pub color: Colour,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DiagnosticsForm {
    /// Text with the lines concerned
    #[default]
    Human,
    /// One JSON object a line
    Json,
    /// One SARIF 2.1.0 log
    Sarif,
    /// GitHub workflow commands
    Github,
    /// One JUnit XML document
    Junit,
}

/// `FILE`, or `FORM=FILE` for a form of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFile {
    pub form: Option<String>,
    pub path: PathBuf,
}

impl OutputFile {
    /// Of findings. What begins otherwise is a name with a `=` in it.
    pub fn parse(text: &str) -> Result<OutputFile, String> {
        OutputFile::with(text, |form| DiagnosticsForm::from_str(form, false).is_ok())
    }

    /// Of findings or of a report.
    pub fn parse_any(text: &str) -> Result<OutputFile, String> {
        let known = |form: &str| {
            DiagnosticsForm::from_str(form, false).is_ok() || ReportForm::from_str(form, false).is_ok()
        };
        OutputFile::with(text, known)
    }

    fn with(text: &str, known: impl Fn(&str) -> bool) -> Result<OutputFile, String> {
        Ok(match text.split_once('=').filter(|(form, _)| known(form)) {
            Some((_, "")) => return Err("there is no file behind the `=`".to_string()),
            Some((form, path)) => OutputFile { form: Some(form.to_string()), path: path.into() },
            None => OutputFile { form: None, path: text.into() },
        })
    }
}

/// Files that get the diagnostics in a form of their own, and the one that gets what would be printed.
pub fn outputs(all: &[OutputFile]) -> (Vec<(DiagnosticsForm, PathBuf)>, Option<&Path>) {
    let form = |output: &OutputFile| DiagnosticsForm::from_str(output.form.as_deref()?, false).ok();
    let also = all.iter().filter_map(|output| Some((form(output)?, output.path.clone()))).collect();
    let plain = all.iter().rev().find(|output| output.form.is_none());
    (also, plain.map(|output| output.path.as_path()))
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ReportForm {
    /// A table for people
    #[default]
    Human,
    /// One JSON document
    Json,
    /// A table in Markdown
    Markdown,
    /// Comma-separated values
    Csv,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TetragonRelease {
    #[value(name = "1.7")]
    V1_7,
    #[value(name = "1.8")]
    V1_8,
    /// The newest that is known
    #[default]
    Main,
}

impl TetragonRelease {
    pub fn release(self) -> Release {
        match self {
            TetragonRelease::V1_7 => Release::V1_7,
            TetragonRelease::V1_8 => Release::V1_8,
            TetragonRelease::Main => Release::Main,
        }
    }
}

/// What is read.
#[derive(Debug, Args)]
pub struct InputArgs {
    // First, since what is read of the line is gone from it.
    #[command(flatten)]
    pub typed: Typed,
    /// Files, folders (searched for *.yaml, *.yml and *.json) or `-` for standard input
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Pass over files and folders that fit, as in a .gitignore; a folder's `.tetrafoldignore` is read too
    #[arg(long, value_name = "PATTERN")]
    pub exclude: Vec<String>,
    /// Namespace of namespaced policies that name none
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = namespace)]
    pub namespace: String,
    /// Release of Tetragon whose language is checked: what it does not know is an error
    #[arg(long, value_enum, value_name = "RELEASE", default_value_t)]
    pub tetragon: TetragonRelease,
    /// Let no policy act: each only reports what it would do
    #[arg(long)]
    pub monitor: bool,
    /// Accept that there is no policy at all
    #[arg(long)]
    pub allow_empty: bool,
    #[command(flatten)]
    pub kernels: KernelArgs,
    /// Threads that read (default: one for each CPU)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Configuration to use instead of the `.tetrafold.yaml` found upwards from the paths
    #[arg(long, value_name = "FILE", conflicts_with = "no_config")]
    pub config: Option<PathBuf>,
    /// Use no configuration
    #[arg(long)]
    pub no_config: bool,
    #[command(flatten)]
    pub levels: LevelArgs,
}

impl InputArgs {
    pub fn input(&self) -> Input {
        let available = || std::thread::available_parallelism().map_or(1, |n| n.get());
        Input {
            paths: self.paths.clone(),
            exclude: Default::default(),
            threads: self.threads.map_or_else(available, usize::from),
            allow_empty: self.allow_empty,
            resolve: ResolveOptions {
                namespace: self.namespace.clone(),
                monitor: self.monitor,
                release: self.tetragon.release(),
                ..ResolveOptions::default()
            },
        }
    }
}

/// Kernels that policies are checked against, instead of the built-in ones. What none of them tells is reported as
/// unchecked.
#[derive(Debug, Default, Args)]
pub struct KernelArgs {
    /// Type information of a kernel: /sys/kernel/btf/vmlinux or a copy of it
    #[arg(long, value_name = "FILE")]
    pub btf: Vec<PathBuf>,
    /// Description of a node, written there by `tetrafold target record`
    #[arg(long, value_name = "FILE")]
    pub target: Vec<PathBuf>,
}

/// What is known of the nodes. Defaults are fixed and recorded, never taken from this machine.
#[derive(Clone, Debug, Args)]
pub struct TargetArgs {
    /// Kernel that is compiled and forecast for; if it is named and built in, policies are checked against it alone
    #[arg(long, value_name = "VERSION", value_parser = kernel_version, default_value = "6.12")]
    pub kernel: KernelVersion,
    /// Possible CPUs of a node, for forecasts
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=8192), default_value = "2")]
    pub cpus: u32,
    /// Pods that a node runs at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65536), default_value = "110")]
    pub pods: u32,
    /// Selectors of policies that one pod meets at most, beside those that every pod meets
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64), default_value = "4")]
    pub scopes_per_pod: u32,
    /// How the kernel preempts (default: as the nodes given with --target do, else unknown)
    #[arg(long, value_enum, value_name = "MODEL")]
    pub preempt: Option<PreemptModel>,
    /// Accept fmod_ret programs, which a kernel with full preemption may skip
    #[arg(long)]
    pub allow_fmod_ret_race: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PreemptModel {
    None,
    Voluntary,
    Full,
    Unknown,
}

impl TargetArgs {
    /// Takes over the option `name`, one of those that a configuration sets.
    pub fn take(&mut self, name: &str, from: &TargetArgs) {
        match name {
            "kernel" => self.kernel = from.kernel,
            "cpus" => self.cpus = from.cpus,
            "pods" => self.pods = from.pods,
            "scopes-per-pod" => self.scopes_per_pod = from.scopes_per_pod,
            "preempt" => self.preempt = from.preempt,
            _ => {}
        }
    }

    pub fn target(&self, kernels: &[Kernel]) -> Target {
        Target {
            kernel: self.kernel,
            cpus: self.cpus,
            pods: self.pods,
            scopes_per_pod: self.scopes_per_pod,
            preempt: match self.preempt {
                Some(PreemptModel::None) => Preempt::None,
                Some(PreemptModel::Voluntary) => Preempt::Voluntary,
                Some(PreemptModel::Full) => Preempt::Full,
                Some(PreemptModel::Unknown) => Preempt::Unknown,
                None => kernel::preempt(kernels),
            },
            allow_fmod_ret_race: self.allow_fmod_ret_race,
            ..Target::default()
        }
    }
}

fn digest(text: &str) -> Result<Digest, String> {
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    Digest::parse(hex).ok_or_else(|| "64 lowercase hexadecimal digits are wanted".to_string())
}

/// A DNS label, as Kubernetes wants it (RFC 1123).
pub(super) fn namespace(text: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    let ends = [bytes.first(), bytes.last()].into_iter().all(|b| b.is_some_and(|&b| plain(b)));
    if ends && bytes.len() <= 63 && bytes.iter().all(|&b| plain(b) || b == b'-') {
        return Ok(text.to_string());
    }
    Err("a namespace is at most 63 lowercase letters, digits and `-`, and begins and ends with one of the former"
        .to_string())
}

pub(super) fn kernel_version(text: &str) -> Result<KernelVersion, String> {
    let version = text.split_once('.').and_then(|(major, minor)| {
        let number =
            |digits: &str| digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?;
        Some(KernelVersion::new(number(major)?, number(minor)?))
    });
    match version {
        None => Err("a kernel version is two numbers, such as 6.12".to_string()),
        Some(version) if version < OLDEST_KERNEL => {
            Err(format!("the emitted programs are proved on {OLDEST_KERNEL} and newer"))
        }
        Some(version) => Ok(version),
    }
}

/// Ceilings; a run that exceeds one ends with status 4. Bytes may be written as 65536, 64KiB or 1.5MiB.
#[derive(Clone, Debug, Default, Args)]
pub struct BudgetArgs {
    /// Most programs that may be loaded
    #[arg(long, value_name = "N", help_heading = "Budgets")]
    pub max_programs: Option<u64>,
    /// Most maps that may be loaded
    #[arg(long, value_name = "N", help_heading = "Budgets")]
    pub max_maps: Option<u64>,
    /// Most bytes that the kernel may show as memlock, such as 64KiB
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes, help_heading = "Budgets")]
    pub max_memlock: Option<u64>,
    /// Most bytes of kernel memory, charged or not
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes, help_heading = "Budgets")]
    pub max_kernel_memory: Option<u64>,
    /// Most bytes of memlock of any one operation, without what all share
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes, help_heading = "Budgets")]
    pub max_operation_memlock: Option<u64>,
    /// Most bytes of kernel memory of any one operation
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes, help_heading = "Budgets")]
    pub max_operation_kernel_memory: Option<u64>,
    /// Most bytes of memlock that are any one policy's share
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes, help_heading = "Budgets")]
    pub max_policy_memlock: Option<u64>,
    /// Most bytes of kernel memory that are any one policy's share
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes, help_heading = "Budgets")]
    pub max_policy_kernel_memory: Option<u64>,
}

impl BudgetArgs {
    /// Where nothing is typed, what the configuration says.
    pub fn over(&self, config: &BudgetArgs) -> Budgets {
        Budgets {
            max_programs: self.max_programs.or(config.max_programs),
            max_maps: self.max_maps.or(config.max_maps),
            max_memlock: self.max_memlock.or(config.max_memlock),
            max_kernel_memory: self.max_kernel_memory.or(config.max_kernel_memory),
            max_operation_memlock: self.max_operation_memlock.or(config.max_operation_memlock),
            max_operation_kernel_memory: self
                .max_operation_kernel_memory
                .or(config.max_operation_kernel_memory),
            max_policy_memlock: self.max_policy_memlock.or(config.max_policy_memlock),
            max_policy_kernel_memory: self.max_policy_kernel_memory.or(config.max_policy_kernel_memory),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Whom {
    /// `compile`: what it would refuse is an error, also what is valid and not compiled yet
    #[default]
    Compile,
    /// Tetragon alone: does it accept them?
    Tetragon,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    pub input: InputArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    /// Who is asked whether the policies are fine
    #[arg(long = "for", value_enum, value_name = "WHOM", default_value_t)]
    pub whom: Whom,
    /// Write the diagnostics to a file instead of standard output; `sarif=FILE` and the like: to that one as well
    #[arg(long, value_name = "[FORM=]FILE", value_parser = OutputFile::parse)]
    pub output_file: Vec<OutputFile>,
}

#[derive(Debug, Args)]
pub struct CompileArgs {
    #[command(flatten)]
    pub input: InputArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub budgets: BudgetArgs,
    /// Write the diagnostics to a file instead of standard error; `sarif=FILE` and the like: to that one as well
    #[arg(long, value_name = "[FORM=]FILE", value_parser = OutputFile::parse)]
    pub output_file: Vec<OutputFile>,
    /// Write an in-toto statement about the artifact (SLSA v1 provenance), unsigned and without times
    #[arg(long, value_name = "FILE")]
    pub provenance: Option<PathBuf>,
    /// Compile the files that can be compiled, and leave the others to Tetragon
    #[arg(long)]
    pub partial: bool,
    /// Write the paths of the files that stay with Tetragon, one a line
    #[arg(long, value_name = "FILE", requires = "partial")]
    pub left_out: Option<PathBuf>,
    /// Artifact of an earlier build, whose numbers policies, scopes and operations keep
    #[arg(long, value_name = "DIR")]
    pub previous: Option<PathBuf>,
    /// Folder for the artifact, made if it is missing; an older artifact there is replaced, anything else refused
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
}

#[derive(Debug, Args)]
pub struct ReportArgs {
    #[command(flatten)]
    pub input: InputArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub budgets: BudgetArgs,
    /// Forecast the files that can be compiled, and leave the others to Tetragon
    #[arg(long)]
    pub partial: bool,
    /// Form of the report
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    pub format: ReportForm,
    /// Write the report to a file instead of standard output; `csv=FILE`, `sarif=FILE` and the like: the report or the
    /// diagnostics to that one as well
    #[arg(long, value_name = "[FORM=]FILE", value_parser = OutputFile::parse_any)]
    pub output_file: Vec<OutputFile>,
}

#[derive(Debug, Args)]
pub struct InspectArgs {
    /// Folder of the artifact
    #[arg(value_name = "DIR")]
    pub artifact: PathBuf,
    /// Digest that the artifact must have: the one that `compile` printed
    #[arg(long, value_name = "HEX", value_parser = digest)]
    pub digest: Option<Digest>,
    /// List the instructions of every program as well
    #[arg(long)]
    pub instructions: bool,
    /// Form of what is shown
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    pub format: ReportForm,
    /// Write it to a file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub output_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum TargetCommand {
    /// Write what /sys and /proc tell of the kernel; what cannot be read is left open
    Record(RecordArgs),
}

#[derive(Debug, Args)]
pub struct RecordArgs {
    /// Write it to a file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Leave the type information out; only its digest is kept, and --btf has to be given beside it
    #[arg(long)]
    pub without_btf: bool,
}

#[derive(Debug, Args)]
pub struct ExplainCodeArgs {
    /// A code such as TF0030; without it, all codes are listed
    #[arg(value_name = "CODE")]
    pub code: Option<String>,
}

#[derive(Debug, Args)]
pub struct SchemaArgs {
    #[arg(value_enum, value_name = "WHAT")]
    pub of: SchemaOf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// Policies, templates and bindings
    Policies,
    /// `manifest.json` of an artifact
    Manifest,
    /// `report.json`, also `report --format json`
    Report,
    /// A line of `--diagnostics json`
    Diagnostics,
    /// What `target record` writes
    Target,
}

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub struct ManArgs {
    /// The page of a command; without it, the page of tetrafold
    #[arg(value_name = "COMMAND")]
    pub command: Option<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::platform::description::{Description, PreemptModel as Model};

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_defaults_of_the_target_are_those_of_the_library() {
        let cli = Cli::parse_from(["tetrafold", "compile", "x", "-o", "y"]);
        let Command::Compile(args) = cli.command else { unreachable!() };
        assert_eq!(args.target.target(&[]), Target::default());
    }

    /// What is typed wins over what nodes tell, and what nodes tell over nothing.
    #[test]
    fn how_the_targets_preempt_can_be_overruled() {
        let node = Description { preempt: Some(Model::Full), ..Description::default() };
        let kernels = [Kernel { name: String::new(), types: None, node: Some(node), built_in: None }];
        let preempt = |options: &[&str]| {
            let cli = Cli::parse_from([&["tetrafold", "compile", "x", "-o", "y"], options].concat());
            let Command::Compile(args) = cli.command else { unreachable!() };
            args.target.target(&kernels).preempt
        };
        assert_eq!(preempt(&[]), Preempt::Full);
        assert_eq!(preempt(&["--preempt", "voluntary"]), Preempt::Voluntary);
        assert_eq!(preempt(&["--preempt", "unknown"]), Preempt::Unknown);
    }

    #[test]
    fn namespaces_are_those_that_kubernetes_takes() {
        for good in ["default", "a", "0", "kube-system", &"x".repeat(63)] {
            assert_eq!(namespace(good).as_deref(), Ok(good));
        }
        for bad in ["", "A", "a_b", "a.b", "-a", "a-", "a/b", "\u{e9}", " a", &"x".repeat(64)] {
            assert!(namespace(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn kernel_versions_are_two_numbers_and_not_too_old() {
        assert_eq!(kernel_version("6.12"), Ok(KernelVersion::new(6, 12)));
        assert_eq!(kernel_version("6.1"), Ok(OLDEST_KERNEL));
        for bad in ["", "6", "6.", ".1", "6.12.3", "v6.12", "6.1x", "+6.1", "6.99999999", "5.15", "6.0"] {
            assert!(kernel_version(bad).is_err(), "{bad}");
        }
    }
}
