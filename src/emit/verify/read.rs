//! What an artifact says, decoded: the form in which the proof compares it with the policies.

use object::{Object as _, ObjectSection as _, ObjectSymbol as _};

use super::claims::Point;
use super::decode::{self, Step, Tables, Values};
use super::fields;
use super::runs::Runs;
use crate::artifact::abi::{
    ACT_LIMIT_MAX, ACT_LIMIT_SHIFT, ACT_OVERRIDE, ACT_POST, ACT_RETURN, ACT_SIGKILL, Act, LIMIT_SOCKET_WORDS,
    LIMIT_TEXT_WORDS, LIMIT_WORDS,
};
use crate::artifact::digest::{FileRef, Files};
use crate::artifact::manifest::{
    AttachKind, Dimension, EventValue, Field, Form, Integer, LinkKind, Manifest, Operation, PolicyHook,
    Program, ProgramType, Role, Subject, Table,
};
use crate::artifact::projection::Projection;
use crate::artifact::scope_block::{DecisionList, RowRef, ScopeBlocks};
use crate::policy::{AddressRange, Interval};
use crate::vocab::arg_type::{ArgType, Class};

/// Everything about one operation that decides verdicts.
#[derive(Clone, Debug)]
pub struct DecodedOperation {
    /// As [`kind_name`] gives it.
    pub kind: &'static str,
    /// Where it is attached.
    pub targets: Vec<String>,
    /// Its arguments are those of a syscall.
    pub syscall: bool,
    pub dimensions: Vec<DecodedDimension>,
    pub scopes: Vec<DecodedScope>,
    /// Index and type of each argument that is shown or tested.
    pub args: Vec<(u32, String)>,
    /// What its events hold.
    pub values: Vec<EventValue>,
    /// Of a tracepoint: where they are, which the loader compares with the node's format.
    pub fields: Vec<Field>,
}

impl DecodedOperation {
    /// Where it is attached, at one of its targets.
    pub fn point(&self, target: &str) -> Point {
        Point { kind: self.kind, target: target.to_string(), syscall: self.syscall }
    }

    /// Whether a field is there from which all bytes of the type can be read at once.
    pub fn has_place(&self, index: u32, ty: ArgType) -> bool {
        let bytes = u32::from(ty.word_bytes());
        let is_it = |field: &&Field| field.index == index && field.bytes >= bytes;
        let field = self.fields.iter().find(is_it);
        field.is_some_and(|field| field.offset >= COMMON_FIELDS && field.offset.is_multiple_of(bytes))
    }

    /// Whether events hold the argument, with all bytes that the type has.
    pub fn shows(&self, index: u32, ty: ArgType) -> bool {
        let has_form = |value: &EventValue| match (ty.class(), value.form) {
            (Some(Class::Int { bytes, .. }), Form::Unsigned | Form::Signed) => {
                value.width.is_some_and(|width| width >= ty.event_bytes(bytes))
            }
            (Some(Class::Text | Class::Path), Form::Text) => true,
            (Some(Class::Flow), Form::Socket) => ty != ArgType::Skb,
            (Some(Class::Flow), Form::Packet) => ty == ArgType::Skb,
            (Some(Class::Structure(wanted)), Form::Structure(shown)) => wanted == shown,
            _ => false,
        };
        self.values.iter().any(|value| value.source == Subject::Argument(index) && has_form(value))
    }

    /// One that is not there.
    pub fn nothing(Point { kind, target, syscall }: Point) -> DecodedOperation {
        let targets = vec![target];
        let (dimensions, scopes, args, values, fields) = (vec![], vec![], vec![], vec![], vec![]);
        DecodedOperation { kind, targets, syscall, dimensions, scopes, args, values, fields }
    }
}

/// Bytes at the beginning of a record that programs do not see: the kernel puts an address there.
const COMMON_FIELDS: u32 = 8;

#[derive(Clone, Debug)]
pub struct DecodedDimension {
    pub subject: Subject,
    pub table: Table,
    pub projection: Projection,
    pub integer: Option<Integer>,
    pub atoms: Atoms,
    pub merges_unreadable: bool,
}

/// Atom `i + 1` is entry `i`.
#[derive(Clone, Debug)]
pub enum Atoms {
    Strings(Values),
    /// Ascending and apart from each other.
    Pieces(Vec<Interval>),
    /// Bit `i` of an atom is mask `i`.
    Masks(Vec<u64>),
    /// Ascending and apart from each other.
    Addresses(Vec<AddressRange>),
}

impl Atoms {
    pub fn count(&self) -> u32 {
        match self {
            Atoms::Strings(v) => v.len() as u32,
            Atoms::Pieces(v) => v.len() as u32,
            Atoms::Masks(v) => (1 << v.len()) - 1,
            Atoms::Addresses(v) => v.len() as u32,
        }
    }
}

#[derive(Clone, Debug)]
pub struct DecodedScope {
    /// Its number in the manifest.
    pub scope: u32,
    pub needs: u32,
    pub quiet: Vec<Option<Row>>,
    pub lists: Vec<DecodedList>,
}

/// A set of atoms as stored: these, or all but these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub runs: Runs,
    pub inverted: bool,
}

impl Row {
    /// Of a dimension whose last atom is `top`.
    pub fn atoms(&self, top: u32) -> Runs {
        if self.inverted { self.runs.complement(top) } else { self.runs.and(&Runs::all(top)) }
    }
}

#[derive(Clone, Debug)]
pub struct DecodedList {
    /// Position of the policy.
    pub rank: usize,
    /// What the numbers of its selectors begin from.
    pub first: u32,
    pub rules: Vec<DecodedRule>,
}

/// `act` is `None` for a rule that shields later ones and does nothing.
#[derive(Clone, Debug)]
pub struct DecodedRule {
    pub tests: Vec<(u8, Row)>,
    pub act: Option<DecodedAct>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodedAct {
    /// Its number, as events have it.
    pub selector: u32,
    pub post: bool,
    pub override_value: Option<i16>,
    pub sigkill: bool,
    /// Its event is one half.
    pub half: bool,
    pub limit: Option<DecodedLimit>,
}

/// What limits a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodedLimit {
    pub nanoseconds: u64,
    /// `LIMIT_*`
    pub scope: u32,
    /// Bit `i`: events that differ in argument `i` are not counted together.
    pub args: u64,
}

/// The kind of what functions return.
pub const RETURN: &str = "kretprobe";

/// As sections and documents are compared by.
pub fn kind_name(kind: AttachKind) -> &'static str {
    match kind {
        AttachKind::Kprobe => "kprobe",
        AttachKind::Kretprobe => RETURN,
        AttachKind::Lsm => "lsm",
        AttachKind::FmodRet => "fmod_ret",
        AttachKind::Tracepoint => "tracepoint",
        AttachKind::RawTracepoint => "raw_tracepoint",
    }
}

/// Decodes one operation. The text says what cannot be read.
pub fn operation(
    manifest: &Manifest,
    operation: &Operation,
    files: &Files,
) -> Result<DecodedOperation, String> {
    let mut programs = manifest.programs.iter().filter(|p| p.operation == operation.number);
    let (Some(first), Some(second), None) = (programs.next(), programs.next(), programs.next()) else {
        return Err("an operation has a stub and a body".to_string());
    };
    if first.role == second.role {
        return Err("stub and body are the same".to_string());
    }
    check_attach(operation, first, files)?;
    check_attach(operation, second, files)?;
    if operation.attach.kind == AttachKind::Tracepoint {
        let body = if first.role == Role::Body { first } else { second };
        let bytes = files.get(&body.object).ok_or("a body without a file")?;
        fields::check(bytes, &body.symbol, &operation.attach.fields)?;
    }
    let file = |file: &FileRef| files.get(file).ok_or_else(|| format!("there is no file {}", file.path));
    let tables = Tables::open(file(&operation.tables)?).map_err(|e| e.to_string())?;
    let dimensions: Vec<DecodedDimension> =
        operation.dimensions.iter().map(|d| dimension(&tables, d)).collect::<Result<_, _>>()?;
    let atoms: Vec<u32> = operation.dimensions.iter().map(|d| d.atoms).collect();
    let blocks = ScopeBlocks::read(file(&operation.scope_blocks)?, operation.number, &atoms)
        .map_err(|e| e.to_string())?;
    let at_return = operation.attach.kind == AttachKind::Kretprobe;
    let limits = limits(&tables, operation)?;
    let reader = ScopeReader { manifest, operation: operation.number, blocks: &blocks, limits, at_return };
    let scopes = blocks.scopes().map(|s| reader.scope(s)).collect::<Result<_, _>>()?;
    let args = operation.args.iter().map(|arg| (arg.index, arg.ty.clone())).collect();
    let (kind, targets) = (kind_name(operation.attach.kind), operation.attach.targets.clone());
    let syscall = operation.attach.syscall;
    let fields = operation.attach.fields.clone();
    let values = operation.values.clone();
    Ok(DecodedOperation { kind, targets, syscall, dimensions, scopes, args, values, fields })
}

/// A loader attaches by the operation's targets, or, if there is one, by the section.
fn check_attach(operation: &Operation, program: &Program, files: &Files) -> Result<(), String> {
    let attach = &operation.attach;
    let (ty, links): (_, &[LinkKind]) = match attach.kind {
        AttachKind::Kprobe => (ProgramType::Kprobe, &[LinkKind::Kprobe, LinkKind::KprobeMulti]),
        AttachKind::Kretprobe => (ProgramType::Kprobe, &[LinkKind::Kretprobe]),
        AttachKind::Lsm => (ProgramType::Lsm, &[LinkKind::Lsm]),
        AttachKind::FmodRet => (ProgramType::Tracing, &[LinkKind::FmodRet]),
        AttachKind::Tracepoint => (ProgramType::Tracepoint, &[LinkKind::Tracepoint]),
        AttachKind::RawTracepoint => (ProgramType::RawTracepoint, &[LinkKind::RawTracepoint]),
    };
    if program.ty != ty || attach.ways.iter().any(|way| !links.contains(&way.link)) {
        return Err(format!("`{}` is of another type than what it is attached to", program.symbol));
    }
    let section = match &attach.targets[..] {
        [target] => format!("{}/{target}", kind_name(attach.kind)),
        _ => kind_name(attach.kind).to_string(),
    };
    let bytes =
        files.get(&program.object).ok_or_else(|| format!("there is no file {}", program.object.path))?;
    let object = object::File::parse(bytes).map_err(|e| e.to_string())?;
    let symbol = object.symbols().find(|symbol| symbol.name() == Ok(&program.symbol));
    let found = symbol.and_then(|symbol| object.section_by_index(symbol.section_index()?).ok());
    let found = found.as_ref().and_then(|section| section.name().ok());
    let is_stub = program.role == Role::Stub;
    if program.section != section || found != Some(&section) || is_stub == program.slot.is_some() {
        return Err(format!("`{}` is in section {found:?} and not in `{section}`", program.symbol));
    }
    Ok(())
}

fn dimension(tables: &Tables<'_>, d: &Dimension) -> Result<DecodedDimension, String> {
    let atoms = match d.family {
        Table::Path => tables.paths(d.root, d.atoms).map(Atoms::Strings),
        Table::Text | Table::Prefix => tables.texts(d.root, d.atoms, false).map(Atoms::Strings),
        Table::Postfix => tables.texts(d.root, d.atoms, true).map(Atoms::Strings),
        Table::Intervals => tables.pieces(d.root, d.atoms).map(Atoms::Pieces),
        Table::AnyBit => tables.masks(d.root, d.atoms).map(Atoms::Masks),
        Table::Address => tables.addresses(d.root, d.atoms).map(Atoms::Addresses),
    };
    let atoms = atoms.map_err(|e| e.to_string())?;
    let Dimension { subject, projection, family: table, integer, merges_unreadable, .. } = *d;
    Ok(DecodedDimension { subject, projection, table, integer, atoms, merges_unreadable })
}

/// Words of a key: those of the value of one argument after the other.
pub(super) fn key_words(operation: &Operation, index: u32) -> Result<u32, String> {
    let is_it = |value: &&EventValue| value.source == Subject::Argument(index);
    let value = operation.values.iter().find(is_it).ok_or("a key of what no event shows")?;
    Ok(match value.form {
        Form::Unsigned | Form::Signed => 1,
        Form::Text => LIMIT_TEXT_WORDS,
        Form::Socket | Form::Packet => LIMIT_SOCKET_WORDS,
        // With its header, which says whether it could be read.
        Form::Structure(_) => value.form.tail_words().ok_or("a structure without an end")?,
    })
}

fn limits(tables: &Tables<'_>, operation: &Operation) -> Result<Vec<DecodedLimit>, String> {
    let Some(limits) = &operation.limits else { return Ok(vec![]) };
    let mut words = vec![];
    for &index in &limits.key {
        let count = key_words(operation, index)?;
        words.extend((0..count).map(|_| index));
    }
    if words.len() > LIMIT_WORDS as usize || limits.key.iter().any(|&index| index >= u64::BITS) {
        return Err("a key that no program has".to_string());
    }
    let decoded = tables.limits(limits.root, limits.count).map_err(|e| e.to_string())?.into_iter();
    let limit = |(nanoseconds, scope, bits): (u64, u32, u32)| {
        if u64::from(bits) >> words.len() != 0 {
            return Err("a limit that looks behind the key".to_string());
        }
        let is_set = |at: usize| bits >> at & 1 == 1;
        let args = (0..words.len()).filter(|&at| is_set(at)).fold(0u64, |args, at| args | 1 << words[at]);
        let is_whole = (0..words.len()).all(|at| is_set(at) == (args >> words[at] & 1 == 1));
        if !is_whole {
            return Err("a limit that looks at part of an argument".to_string());
        }
        Ok(DecodedLimit { nanoseconds, scope, args })
    };
    decoded.map(limit).collect()
}

struct ScopeReader<'a> {
    manifest: &'a Manifest,
    operation: u32,
    blocks: &'a ScopeBlocks,
    /// The first has number 1.
    limits: Vec<DecodedLimit>,
    /// Rules do not leave their list.
    at_return: bool,
}

impl ScopeReader<'_> {
    fn scope(&self, scope: u32) -> Result<DecodedScope, String> {
        let block = self.blocks.block(scope).ok_or("a scope without a block")?;
        let quiet =
            block.quiet.iter().map(|row| row.map(|r| self.row(r)).transpose()).collect::<Result<_, _>>()?;
        let lists = block.lists.iter().map(|l| self.list(scope, l)).collect::<Result<_, _>>()?;
        Ok(DecodedScope { scope, needs: block.needs, quiet, lists })
    }

    fn row(&self, row: RowRef) -> Result<Row, String> {
        let runs = self.blocks.rows.runs(row.row).ok_or("a row that is not there")?;
        Ok(Row { runs: Runs::of(runs.collect()), inverted: row.invert })
    }

    fn list(&self, scope: u32, list: &DecisionList) -> Result<DecodedList, String> {
        let steps = decode::fragment(&list.words).map_err(|e| e.to_string())?;
        let policy = self.manifest.policies.get(list.rank as usize).ok_or("a list of no policy")?;
        let first = list.first_selector;
        let hook = policy
            .hooks
            .iter()
            .filter(|h| h.operation == self.operation && h.scope.unwrap_or(policy.scope) == scope)
            .find(|h| h.first_selector == first)
            .ok_or("a list of no hook of its scope")?;
        Ok(DecodedList { rank: list.rank as usize, first, rules: self.rules(&steps, hook)? })
    }

    /// Rules from instructions: tests that all lead to the next rule, then at most one action, then out.
    fn rules(&self, steps: &[Step], hook: &PolicyHook) -> Result<Vec<DecodedRule>, String> {
        let mut rules = vec![];
        let mut at = 0;
        while at < steps.len() {
            let mut tests = vec![];
            let mut next = None;
            while let Some(&Step::Test { dimension, row, otherwise }) = steps.get(at) {
                if next.is_some_and(|n| n != otherwise) {
                    return Err("tests of one rule that lead to different places".to_string());
                }
                next = Some(otherwise);
                tests.push((dimension, self.row(RowRef::from_code(row))?));
                at += 1;
            }
            let mut act = None;
            if let Some(Step::Act { act: word, .. }) = steps.get(at) {
                act = Some(self.act(word, hook)?);
                at += 1;
            }
            match steps.get(at) {
                None => {}
                Some(_) if self.at_return => {}
                Some(Step::Skip { to }) if *to == steps.len() => at += 1,
                Some(_) => return Err("a rule that goes on behind its action".to_string()),
            }
            if next.is_some_and(|n| n != at) {
                return Err("a test that does not lead to the next rule".to_string());
            }
            rules.push(DecodedRule { tests, act });
        }
        Ok(rules)
    }

    fn act(&self, word: &Act, hook: &PolicyHook) -> Result<DecodedAct, String> {
        let selector = hook.selector(word.record).ok_or("an action of another hook")?;
        if word.flags & ACT_OVERRIDE == 0 && word.value != 0 {
            return Err(format!("an action that returns {} without saying so", word.value));
        }
        let limit = ACT_LIMIT_MAX << ACT_LIMIT_SHIFT;
        if word.flags & !(ACT_POST | ACT_OVERRIDE | ACT_SIGKILL | ACT_RETURN | limit) != 0 {
            return Err(format!("an action with flags {:#x}", word.flags));
        }
        let numbered =
            |number: usize| self.limits.get(number - 1).copied().ok_or("a limit that is not there");
        let limit = Some(word.limit() as usize).filter(|&number| number > 0).map(numbered);
        Ok(DecodedAct {
            selector: hook.first_selector + selector.number,
            post: word.flags & ACT_POST != 0,
            override_value: (word.flags & ACT_OVERRIDE != 0).then_some(word.value),
            sigkill: word.flags & ACT_SIGKILL != 0,
            half: word.flags & ACT_RETURN != 0,
            limit: limit.transpose()?,
        })
    }
}
