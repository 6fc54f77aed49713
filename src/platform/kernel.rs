//! The kernels that policies are checked against: each from a description, from type information, or from both.
//!
//! A file of types belongs to the description that names its digest; whatever belongs to none is a kernel of its
//! own, called by its file. Where no file is given, built-in kernels are asked.

use std::borrow::Cow;

use object::{Object as _, ObjectSection as _};

use super::base64;
use super::builtin::{BuiltIn, Role};
use super::description::{Description, Field, digest};
use super::types::KernelTypes;
use super::types::c_type::Signature;
use super::{KernelVersion, Preempt};

/// A kernel and what is known of it.
#[derive(Debug)]
pub struct Kernel {
    /// What findings call it: its release, or the file that its types are from.
    pub name: String,
    pub types: Option<KernelTypes>,
    pub node: Option<Description>,
    /// In place of both.
    pub built_in: Option<BuiltIn>,
}

/// A file that was named on the command line.
#[derive(Clone, Debug)]
pub struct File {
    /// As named.
    pub name: String,
    pub bytes: Vec<u8>,
}

/// A file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    pub name: String,
    /// A sentence without a full stop.
    pub why: String,
}

/// The kernels of some descriptions and some files of types, descriptions first, each in the order given.
pub fn join(descriptions: &[File], types: &[File]) -> (Vec<Kernel>, Vec<Unusable>) {
    let (mut kernels, mut unusable) = (vec![], vec![]);
    let mut used = vec![false; types.len()];
    for file in descriptions {
        match described(file, types, &mut used) {
            Ok(kernel) => kernels.push((file.name.as_str(), kernel)),
            Err(why) => unusable.push(Unusable { name: file.name.clone(), why }),
        }
    }
    for (file, _) in types.iter().zip(used).filter(|(_, used)| !used) {
        match raw_types(&file.bytes).and_then(parsed) {
            Ok(types) => {
                let kernel =
                    Kernel { name: file.name.clone(), types: Some(types), node: None, built_in: None };
                kernels.push((file.name.as_str(), kernel));
            }
            Err(why) => unusable.push(Unusable { name: file.name.clone(), why }),
        }
    }
    let names: Vec<String> = kernels.iter().map(|(_, kernel)| kernel.name.clone()).collect();
    for (file, kernel) in &mut kernels {
        if names.iter().filter(|name| **name == kernel.name).count() > 1 && kernel.name != *file {
            kernel.name = format!("{} ({file})", kernel.name);
        }
    }
    (kernels.into_iter().map(|(_, kernel)| kernel).collect(), unusable)
}

fn described(file: &File, types: &[File], used: &mut [bool]) -> Result<Kernel, String> {
    let text = std::str::from_utf8(&file.bytes).map_err(|_| "it is no text".to_owned())?;
    let mut node = Description::from_json(text)?;
    let mut bytes = None;
    if let Some(btf) = &mut node.btf {
        if let Some(data) = btf.data.take() {
            let decoded = base64::decode(&data).filter(|bytes| digest(bytes) == btf.sha256);
            bytes = Some(decoded.ok_or("its BTF is damaged")?);
        }
        for (file, used) in types.iter().zip(used) {
            if let Ok(raw) = raw_types(&file.bytes)
                && digest(&raw) == btf.sha256
            {
                *used = true;
                bytes.get_or_insert(raw);
            }
        }
    }
    let types = bytes.map(parsed).transpose()?;
    Ok(Kernel { name: node.release.clone(), types, node: Some(node), built_in: None })
}

/// The built-in kernels that are asked where no file is given: the one that was chosen, else all.
pub fn built_in(chosen: Option<KernelVersion>) -> Vec<Kernel> {
    let kernel = |built_in: BuiltIn| Kernel {
        name: built_in.version().to_string(),
        types: None,
        node: None,
        built_in: Some(built_in),
    };
    BuiltIn::for_chosen(chosen).into_iter().map(kernel).collect()
}

/// A raw `.BTF`, or that of an ELF file.
fn raw_types(bytes: &[u8]) -> Result<Vec<u8>, String> {
    if !bytes.starts_with(b"\x7fELF") {
        return Ok(bytes.to_vec());
    }
    let elf = object::File::parse(bytes).map_err(|error| error.to_string())?;
    let section = elf.section_by_name(".BTF").ok_or("the ELF file has no section `.BTF`")?;
    Ok(section.data().map_err(|error| error.to_string())?.to_vec())
}

fn parsed(bytes: Vec<u8>) -> Result<KernelTypes, String> {
    let types = KernelTypes::parse(bytes).map_err(|error| format!("not a kernel's BTF: {error}"))?;
    if types.structure("task_struct").is_none() {
        return Err("not a kernel's BTF: it has no `struct task_struct`".to_owned());
    }
    Ok(types)
}

/// What begins the symbols of syscalls, by machine.
const PREFIXES: [(&str, &str); 2] = [("x86_64", "__x64_"), ("aarch64", "__arm64_")];

/// What a kernel tells of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// Where nothing tells the types, that it exists is enough.
    Typed,
    /// It exists and takes a kprobe, and the types do not name it: Tetragon does not find it.
    Untyped {
        /// The name that the types have for the same code.
        body: Option<Cow<'a, str>>,
    },
    Absent,
}

/// On x86 the wrapper of a system call without arguments is an alias of its body, `__do_sys_getppid` for example,
/// and type information is made for bodies (`SYSCALL_DEFINE0`, arch/x86/include/asm/syscall_wrapper.h, 6.1 and
/// 6.12). On arm64 it is a function like the others.
fn wrapped(symbol: &str) -> Option<String> {
    let name = ["__x64_", "__ia32_"].iter().find_map(|prefix| symbol.strip_prefix(prefix))?;
    Some(format!("__do_{name}"))
}

fn is_wrapper(symbol: &str) -> bool {
    symbol.starts_with("__") && symbol.contains("_sys_")
}

impl Kernel {
    pub fn preempt(&self) -> Preempt {
        self.node.as_ref().and_then(|node| node.preempt).map_or(Preempt::Unknown, Preempt::from)
    }

    /// As `uname -m` names it: told by the node, else by the registers that the types have.
    pub fn machine(&self) -> Option<&str> {
        if let Some(node) = &self.node {
            return Some(&node.machine);
        }
        if self.built_in.is_some() {
            return Some("x86_64");
        }
        let types = self.types.as_ref()?;
        let registers = types.members(types.structure("pt_regs")?);
        let has = |name: &str| registers.iter().any(|register| register.name == name);
        // Source: arch/{x86,arm64,riscv}/include/asm/ptrace.h, 6.1 and 6.12.
        [("di", "x86_64"), ("orig_x0", "aarch64"), ("epc", "riscv64")]
            .into_iter()
            .find(|(register, _)| has(register))
            .map_or(Some("another machine"), |(_, machine)| Some(machine))
    }

    /// What begins the symbols of the kernel's own syscalls, `__x64_` for example. From its machine, else from
    /// the functions it has.
    pub fn syscall_prefix(&self) -> Option<&'static str> {
        let told = match self.built_in {
            Some(_) => Some("x86_64"),
            None => self.node.as_ref().map(|node| node.machine.as_str()),
        };
        let has = |prefix: &str| {
            let start = format!("{prefix}sys_");
            Some(
                self.types
                    .as_ref()?
                    .functions_from(&start)
                    .next()
                    .is_some_and(|name| name.starts_with(&start)),
            )
        };
        let matches = |(machine, prefix): &&(&str, &'static str)| match told {
            Some(told) => told == *machine,
            None => has(prefix) == Some(true),
        };
        PREFIXES.iter().find(matches).map(|(_, prefix)| *prefix)
    }

    /// Whether there is a function of this name; `None` if nothing tells.
    pub fn has_function(&self, name: &str) -> Option<bool> {
        let of_modules = self.node.as_ref().and_then(|node| node.module_functions.as_ref());
        let is_in_module = |all: &Vec<String>| all.binary_search_by(|known| known.as_str().cmp(name)).is_ok();
        if of_modules.is_some_and(is_in_module) {
            return Some(true);
        }
        if let Some(built_in) = self.built_in {
            return match built_in.has_function(name) {
                false if built_in.is_of_a_module(name) => None,
                has => Some(has),
            };
        }
        Some(self.types.as_ref()?.function(name).is_some())
    }

    /// What a function takes and returns; `None` if it is not there, or nothing tells.
    pub fn signature(&self, function: &str) -> Option<Signature<'_>> {
        match (&self.types, self.built_in) {
            (Some(types), _) => types.signature(function),
            (None, Some(built_in)) => built_in.signature(function),
            (None, None) => None,
        }
    }

    /// Whether [`Kernel::signature`] knows every function of the kernel proper.
    pub fn tells_signatures(&self) -> bool {
        self.types.is_some() || self.built_in.is_some()
    }

    /// Functions whose names begin with `prefix`, in order.
    pub fn functions_with(&self, prefix: &str) -> Vec<Cow<'_, str>> {
        match (&self.types, self.built_in) {
            (Some(types), _) => {
                let with = types.functions_from(prefix).take_while(|name| name.starts_with(prefix));
                with.map(Cow::Borrowed).collect()
            }
            (None, Some(built_in)) => built_in.functions_with(prefix).into_iter().map(Cow::Owned).collect(),
            (None, None) => vec![],
        }
    }

    /// The fields of the event `SUBSYSTEM/EVENT`, the common ones first, if something tells.
    pub fn fields(&self, event: &str) -> Option<Cow<'_, [Field]>> {
        match self.built_in {
            Some(built_in) => built_in.fields(event).map(Cow::Owned),
            None => Some(Cow::Borrowed(&self.node.as_ref()?.tracepoint(event)?.fields)),
        }
    }

    /// Whether nobody chose it, so that what it lacks may be on the nodes.
    pub fn role(&self) -> Role {
        self.built_in.map_or(Role::Chosen, |built_in| built_in.role)
    }

    /// As [`Kernel::has_function`], and what else tells that a function exists which the types do not name.
    pub fn find_function(&self, name: &str) -> Option<Found<'_>> {
        match self.has_function(name) {
            Some(true) => return Some(Found::Typed),
            None if self.built_in.is_some() => return None,
            // Of another machine's symbols a built-in kernel tells nothing.
            Some(false) if self.built_in.is_some() && name.starts_with("__arm64_") => return None,
            Some(false) | None => {}
        }
        let node = self.node.as_ref();
        let is_listed = |all: &Option<Vec<String>>| {
            let all = all.as_ref()?;
            Some(all.binary_search_by(|known| known.as_str().cmp(name)).is_ok())
        };
        let of_syscalls = node.and_then(|node| is_listed(&node.syscalls));
        if !self.tells_signatures() {
            return match of_syscalls {
                Some(true) => Some(Found::Typed),
                Some(false) if is_wrapper(name) => Some(Found::Absent),
                _ => None,
            };
        }
        let body = wrapped(name).filter(|body| self.has_function(body) == Some(true)).map(Cow::Owned);
        let is_traceable = node.and_then(|node| is_listed(&node.functions)) == Some(true);
        if body.is_some() || is_traceable || of_syscalls == Some(true) {
            return Some(Found::Untyped { body });
        }
        Some(Found::Absent)
    }

    /// Every syscall by its symbol, as far as something tells. From types, those without arguments are not among
    /// them ([`Found::Untyped`]), as they are not in a `generated_syscalls` list of Tetragon's.
    pub fn syscalls(&self) -> Vec<Cow<'_, str>> {
        match self.syscall_prefix().filter(|_| self.tells_signatures()) {
            Some(prefix) => self.functions_with(&format!("{prefix}sys_")),
            None => {
                let all = self.node.as_ref().and_then(|node| node.syscalls.as_ref());
                all.into_iter().flatten().map(|name| Cow::Borrowed(name.as_str())).collect()
            }
        }
    }
}

/// How the least favourable of the kernels preempts. Without any, nobody knows.
pub fn preempt(kernels: &[Kernel]) -> Preempt {
    let mut models: Vec<Preempt> = kernels.iter().map(Kernel::preempt).collect();
    let worst = |model: &Preempt| match model {
        Preempt::None => 0,
        Preempt::Voluntary => 1,
        Preempt::Unknown => 2,
        Preempt::Full => 3,
    };
    models.sort_by_key(worst);
    models.last().copied().unwrap_or(Preempt::Unknown)
}

/// Names of kernels in a sentence: `a, b and c`.
pub fn listed(kernels: &[&Kernel]) -> String {
    match kernels.split_last() {
        None => String::new(),
        Some((last, [])) => last.name.clone(),
        Some((last, rest)) => {
            let rest: Vec<&str> = rest.iter().map(|kernel| kernel.name.as_str()).collect();
            format!("{} and {}", rest.join(", "), last.name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::description::{Btf, PreemptModel};
    use crate::platform::sample;

    fn file(name: &str, bytes: impl Into<Vec<u8>>) -> File {
        File { name: name.into(), bytes: bytes.into() }
    }

    #[test]
    fn types_belong_to_the_description_that_names_them() {
        let without = Description { btf: Some(Btf::of(&sample::btf(), false)), ..sample::description() };
        let alone = file("a.json", Description { btf: None, ..sample::description() }.to_json());
        let types = [file("x.btf", sample::btf_without(&["tcp_close"])), file("y.btf", sample::btf())];
        let (kernels, unusable) = join(&[file("b.json", without.to_json()), alone], &types);
        let shown: Vec<(&str, bool)> = kernels.iter().map(|k| (k.name.as_str(), k.types.is_some())).collect();
        assert_eq!(unusable, []);
        assert_eq!(shown, [("6.12.0-test (b.json)", true), ("6.12.0-test (a.json)", false), ("x.btf", true)]);
        assert_eq!(kernels[0].has_function("tcp_close"), Some(true));
        assert_eq!(kernels[1].has_function("tcp_close"), None);
        assert_eq!(kernels[2].has_function("tcp_close"), Some(false));
    }

    #[test]
    fn one_file_is_enough() {
        let (kernels, _) = join(&[file("a.json", sample::description().to_json())], &[]);
        assert_eq!(kernels[0].has_function("tcp_close"), Some(true));
        assert!(kernels[0].syscalls().iter().any(|name| name == "__x64_sys_openat"));
    }

    #[test]
    fn what_cannot_be_used_is_said() {
        let mut damaged = sample::description();
        damaged.btf.as_mut().unwrap().sha256 = "0".repeat(64);
        let why = |description: &[u8], types: &[u8]| {
            let (_, unusable) = join(&[file("d", description)], &[file("t", types)]);
            unusable.into_iter().map(|unusable| unusable.why).collect::<Vec<_>>()
        };
        let whys = why(damaged.to_json().as_bytes(), b"BTF");
        assert_eq!(whys, ["its BTF is damaged", "not a kernel's BTF: the header is cut short"]);
        let whys = why(b"\xff", &sample::compile("int f(int a);"));
        assert_eq!(whys, ["it is no text", "not a kernel's BTF: it has no `struct task_struct`"]);
        assert!(why(b"{}", b"\x7fELF").iter().all(|why| !why.is_empty()));
    }

    #[test]
    fn what_exists_without_types_is_told_apart_from_what_does_not() {
        const WITHOUT_ARGUMENTS: &str = "long __do_sys_getppid(const struct pt_regs *unused);";
        let (kernels, _) = join(&[], &[file("x.btf", sample::btf_with(WITHOUT_ARGUMENTS))]);
        let kernel = &kernels[0];
        let untyped = Found::Untyped { body: Some("__do_sys_getppid".into()) };
        assert_eq!(kernel.find_function("__x64_sys_getppid"), Some(untyped.clone()));
        assert_eq!(kernel.find_function("__ia32_sys_getppid"), Some(untyped));
        assert_eq!(kernel.find_function("__do_sys_getppid"), Some(Found::Typed));
        assert_eq!(kernel.find_function("__x64_sys_getpid"), Some(Found::Absent));
        assert_eq!(kernel.find_function("__x64_sys_openat"), Some(Found::Typed));

        // Of which symbols and traceable functions tell.
        let mut node = sample::description();
        node.syscalls.as_mut().unwrap().insert(0, "__arm64_sys_sync".into());
        node.functions.as_mut().unwrap().insert(0, "do_optimised".into());
        let kernel = sample::kernel_of(node.clone());
        assert_eq!(kernel.find_function("do_optimised"), Some(Found::Untyped { body: None }));
        assert_eq!(kernel.find_function("__arm64_sys_sync"), Some(Found::Untyped { body: None }));
        node.btf = None;
        let kernel = sample::kernel_of(node);
        assert_eq!(kernel.find_function("__arm64_sys_sync"), Some(Found::Typed));
        assert_eq!(kernel.find_function("__x64_sys_sync"), Some(Found::Absent));
        assert_eq!(kernel.find_function("do_optimised"), None);
    }

    #[test]
    fn the_machine_is_told_by_registers() {
        let machine = |registers: &str| {
            let text = format!("struct task_struct {{ int pid; }}; struct pt_regs {{ {registers} }};");
            let (kernels, unusable) = join(&[], &[file("x.btf", sample::compile(&text))]);
            assert_eq!(unusable, []);
            kernels[0].machine().map(str::to_string)
        };
        assert_eq!(machine("unsigned long r15; unsigned long di;").as_deref(), Some("x86_64"));
        let arm64 = "union { struct user_pt_regs user_regs; struct { unsigned long pc; }; }; \
                     unsigned long orig_x0;";
        assert_eq!(machine(arm64).as_deref(), Some("aarch64"));
        assert_eq!(machine("unsigned long gpr[32];").as_deref(), Some("another machine"));
        assert_eq!(sample::kernel().machine(), Some("x86_64"));
    }

    #[test]
    fn the_least_favourable_preemption_counts() {
        let kernel = |model| Kernel {
            name: String::new(),
            types: None,
            node: Some(Description { preempt: model, ..Description::default() }),
            built_in: None,
        };
        let of =
            |models: &[Option<PreemptModel>]| preempt(&models.iter().map(|m| kernel(*m)).collect::<Vec<_>>());
        assert_eq!(of(&[]), Preempt::Unknown);
        assert_eq!(of(&[Some(PreemptModel::None), Some(PreemptModel::Voluntary)]), Preempt::Voluntary);
        assert_eq!(of(&[Some(PreemptModel::Voluntary), None]), Preempt::Unknown);
        assert_eq!(of(&[Some(PreemptModel::Lazy), None]), Preempt::Full);
    }
}
