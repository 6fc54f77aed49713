//! What an artifact says, decoded: the form in which the proof compares it with the policies.

use object::{Object as _, ObjectSection as _, ObjectSymbol as _};

use super::decode::{self, Step, Tables, Values};
use super::runs::Runs;
use crate::artifact::abi::{ACT_OVERRIDE, ACT_POST, ACT_SIGKILL, Act};
use crate::artifact::digest::{FileRef, Files};
use crate::artifact::manifest::{AttachKind, Dimension, Family, Manifest, Operation, Program, Subject};
use crate::artifact::scope_block::{DecisionList, RowRef, ScopeBlocks};

/// Everything about one operation that decides verdicts.
#[derive(Clone, Debug)]
pub struct DecodedOperation {
    /// As [`kind_name`] gives it.
    pub kind: &'static str,
    pub target: String,
    pub dimensions: Vec<DecodedDimension>,
    pub scopes: Vec<DecodedScope>,
    /// Index and type of each argument that is shown or tested.
    pub args: Vec<(u32, String)>,
}

impl DecodedOperation {
    /// One that is not there.
    pub fn nothing(kind: &'static str, target: String) -> DecodedOperation {
        DecodedOperation { kind, target, dimensions: vec![], scopes: vec![], args: vec![] }
    }
}

#[derive(Clone, Debug)]
pub struct DecodedDimension {
    pub param: u8,
    pub family: Family,
    pub atoms: Atoms,
    pub merges_unreadable: bool,
}

/// Atom `i + 1` is entry `i`.
#[derive(Clone, Debug)]
pub enum Atoms {
    Strings(Values),
    Ints(Vec<u64>),
}

impl Atoms {
    pub fn count(&self) -> u32 {
        match self {
            Atoms::Strings(v) => v.len() as u32,
            Atoms::Ints(v) => v.len() as u32,
        }
    }
}

#[derive(Clone, Debug)]
pub struct DecodedScope {
    /// Index into the manifest's scopes.
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
    pub rules: Vec<DecodedRule>,
}

impl DecodedList {
    /// Number of the first selector that does something.
    pub fn first_act(&self) -> Option<u32> {
        self.rules.iter().find_map(|rule| rule.act).map(|act| act.selector)
    }
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
}

/// As sections and documents are compared by.
pub fn kind_name(kind: AttachKind) -> &'static str {
    match kind {
        AttachKind::Kprobe => "kprobe",
        AttachKind::Lsm => "lsm",
        AttachKind::FmodRet => "fmod_ret",
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
    if first.role == second.role || first.attach != second.attach {
        return Err("stub and body are attached to different things".to_string());
    }
    let (kind, target) = (kind_name(first.attach.kind), first.attach.target.clone());
    if operation.name != format!("{kind}:{target}") {
        return Err(format!("its programs are attached to {kind} {target}"));
    }
    check_section(first, files)?;
    check_section(second, files)?;
    let file = |file: &FileRef| files.get(file).ok_or_else(|| format!("there is no file {}", file.path));
    let tables = Tables::open(file(&operation.tables)?).map_err(|e| e.to_string())?;
    let dimensions: Vec<DecodedDimension> =
        operation.dimensions.iter().map(|d| dimension(&tables, d)).collect::<Result<_, _>>()?;
    let atoms: Vec<u32> = operation.dimensions.iter().map(|d| d.atoms).collect();
    let blocks = ScopeBlocks::read(file(&operation.scope_blocks)?, operation.number, &atoms)
        .map_err(|e| e.to_string())?;
    let reader = ScopeReader { manifest, blocks: &blocks };
    let scopes = blocks.scopes().map(|s| reader.scope(s)).collect::<Result<_, _>>()?;
    let args = operation.args.iter().map(|arg| (arg.index, arg.ty.clone())).collect();
    Ok(DecodedOperation { kind, target, dimensions, scopes, args })
}

/// The section decides where libraries attach a program.
fn check_section(program: &Program, files: &Files) -> Result<(), String> {
    let bytes =
        files.get(&program.object).ok_or_else(|| format!("there is no file {}", program.object.path))?;
    let expected = format!("{}/{}", kind_name(program.attach.kind), program.attach.target);
    let object = object::File::parse(bytes).map_err(|e| e.to_string())?;
    let symbol = object.symbols().find(|symbol| symbol.name() == Ok(&program.symbol));
    let section = symbol.and_then(|symbol| object.section_by_index(symbol.section_index()?).ok());
    let name = section.as_ref().and_then(|section| section.name().ok());
    if program.section == expected && name == Some(&expected) {
        Ok(())
    } else {
        Err(format!("`{}` is in section {name:?} and not in `{expected}`", program.symbol))
    }
}

fn dimension(tables: &Tables<'_>, d: &Dimension) -> Result<DecodedDimension, String> {
    let Subject::Argument(param) = d.subject;
    let atoms = match d.family {
        Family::Path => tables.paths(d.root, d.atoms).map(Atoms::Strings),
        Family::Text | Family::Prefix => tables.texts(d.root, d.atoms, false).map(Atoms::Strings),
        Family::Postfix => tables.texts(d.root, d.atoms, true).map(Atoms::Strings),
        Family::Int => tables.ints(d.root, d.atoms).map(Atoms::Ints),
    };
    let atoms = atoms.map_err(|e| e.to_string())?;
    let merges_unreadable = d.merges_unreadable;
    Ok(DecodedDimension { param: param as u8, family: d.family, atoms, merges_unreadable })
}

struct ScopeReader<'a> {
    manifest: &'a Manifest,
    blocks: &'a ScopeBlocks,
}

impl ScopeReader<'_> {
    fn scope(&self, scope: u32) -> Result<DecodedScope, String> {
        let block = self.blocks.block(scope).ok_or("a scope without a block")?;
        let quiet =
            block.quiet.iter().map(|row| row.map(|r| self.row(r)).transpose()).collect::<Result<_, _>>()?;
        let lists = block.lists.iter().map(|l| self.list(l)).collect::<Result<_, _>>()?;
        Ok(DecodedScope { scope, needs: block.needs, quiet, lists })
    }

    fn row(&self, row: RowRef) -> Result<Row, String> {
        let runs = self.blocks.rows.runs(row.row).ok_or("a row that is not there")?;
        Ok(Row { runs: Runs::of(runs.collect()), inverted: row.invert })
    }

    fn list(&self, list: &DecisionList) -> Result<DecodedList, String> {
        let steps = decode::fragment(&list.words).map_err(|e| e.to_string())?;
        let policy = self.manifest.policies.get(list.rank as usize).ok_or("a list of no policy")?;
        Ok(DecodedList { rank: list.rank as usize, rules: self.rules(&steps, policy.number)? })
    }

    /// Rules from instructions: tests that all lead to the next rule, then at most one action, then out.
    fn rules(&self, steps: &[Step], policy: u32) -> Result<Vec<DecodedRule>, String> {
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
                act = Some(decoded_act(word, policy)?);
                at += 1;
            }
            match steps.get(at) {
                None => {}
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
}

fn decoded_act(word: &Act, policy: u32) -> Result<DecodedAct, String> {
    if word.policy != policy {
        return Err(format!("an action of policy {} in a list of policy {policy}", word.policy));
    }
    if word.flags & ACT_OVERRIDE == 0 && word.value != 0 {
        return Err(format!("an action that returns {} without saying so", word.value));
    }
    if word.flags & !(ACT_POST | ACT_OVERRIDE | ACT_SIGKILL) != 0 {
        return Err(format!("an action with flags {:#x}", word.flags));
    }
    Ok(DecodedAct {
        selector: u32::from(word.selector),
        post: word.flags & ACT_POST != 0,
        override_value: (word.flags & ACT_OVERRIDE != 0).then_some(word.value),
        sigkill: word.flags & ACT_SIGKILL != 0,
    })
}
