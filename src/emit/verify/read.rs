//! What an artifact says, decoded: the form in which the proof compares it with the policies.

use super::decode::{self, Step, Tables, Values};
use crate::artifact::abi::{ACT_OVERRIDE, ACT_POST, ACT_SIGKILL, Act};
use crate::artifact::digest::{FileRef, Files};
use crate::artifact::manifest::{
    AttachKind, Dimension, Integer, Manifest, Operation, PolicyHook, Role, Subject, Table,
};
use crate::artifact::projection::Projection;
use crate::artifact::scope_block::{DecisionList, RowRef, ScopeBlocks};
use crate::policy::{AddressRange, Interval};

/// Everything about one operation that decides verdicts.
#[derive(Clone, Debug)]
pub struct DecodedOperation {
    pub kind: String,
    /// The attach point that is compared; of an operation that was just decoded, all of them.
    pub target: String,
    pub dimensions: Vec<DecodedDimension>,
    pub scopes: Vec<DecodedScope>,
}

#[derive(Clone, Debug)]
pub struct DecodedDimension {
    pub param: u8,
    pub table: Table,
    pub projection: Projection,
    pub integer: Option<Integer>,
    pub atoms: Atoms,
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
    /// Its number in the manifest; to be compared, it is made the set's own.
    pub scope: u32,
    pub needs: u32,
    pub quiet: Vec<Option<Row>>,
    pub lists: Vec<DecodedList>,
}

/// A set of atoms as stored: ascending ids, or all but those.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub ids: Vec<u32>,
    pub inverted: bool,
}

impl Row {
    pub fn contains(&self, atom: u32) -> bool {
        self.ids.binary_search(&atom).is_ok() != self.inverted
    }
}

#[derive(Clone, Debug)]
pub struct DecodedList {
    /// Rank of its policy.
    pub rank: u32,
    /// Number of the first selector of its hook as it is written.
    pub first_selector: u32,
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
    pub selector: u8,
    pub post: bool,
    pub override_value: Option<i16>,
    pub sigkill: bool,
}

/// Decodes one operation. The text says what cannot be read.
pub fn operation(
    manifest: &Manifest,
    operation: &Operation,
    files: &Files,
) -> Result<DecodedOperation, String> {
    if !manifest.programs.iter().any(|p| p.operation == operation.number && p.role == Role::Body) {
        return Err("the operation has no program".to_string());
    }
    let file = |file: &FileRef| files.get(file).ok_or_else(|| format!("there is no file {}", file.path));
    let tables = Tables::open(file(&operation.tables)?).map_err(|e| e.to_string())?;
    let dimensions: Vec<DecodedDimension> =
        operation.dimensions.iter().map(|d| dimension(&tables, d)).collect::<Result<_, _>>()?;
    let atoms: Vec<u32> = operation.dimensions.iter().map(|d| d.atoms).collect();
    let blocks = ScopeBlocks::read(file(&operation.scope_blocks)?, operation.number, &atoms)
        .map_err(|e| e.to_string())?;
    let mut reader = ScopeReader { manifest, operation: operation.number, blocks: &blocks };
    let scopes = blocks.scopes().map(|s| reader.scope(s)).collect::<Result<_, _>>()?;
    let kind = match operation.attach.kind {
        AttachKind::Kprobe => "kprobe",
        AttachKind::Lsm => "lsm",
        AttachKind::FmodRet => "fmod_ret",
    };
    let target = operation.attach.targets.join(", ");
    Ok(DecodedOperation { kind: kind.to_string(), target, dimensions, scopes })
}

fn dimension(tables: &Tables<'_>, d: &Dimension) -> Result<DecodedDimension, String> {
    let Subject::Argument(param) = d.subject;
    let atoms = match d.family {
        Table::Path => tables.paths(d.root, d.atoms).map(Atoms::Strings),
        Table::Text | Table::Prefix => tables.texts(d.root, d.atoms, false).map(Atoms::Strings),
        Table::Postfix => tables.texts(d.root, d.atoms, true).map(Atoms::Strings),
        Table::Intervals => tables.pieces(d.root, d.atoms).map(Atoms::Pieces),
        Table::AnyBit => tables.masks(d.root, d.atoms).map(Atoms::Masks),
        Table::Address => tables.addresses(d.root, d.atoms).map(Atoms::Addresses),
    };
    let atoms = atoms.map_err(|e| e.to_string())?;
    let (table, projection, integer) = (d.family, d.projection, d.integer);
    Ok(DecodedDimension { param: param as u8, table, projection, integer, atoms })
}

struct ScopeReader<'a> {
    manifest: &'a Manifest,
    operation: u32,
    blocks: &'a ScopeBlocks,
}

impl ScopeReader<'_> {
    fn scope(&mut self, scope: u32) -> Result<DecodedScope, String> {
        let block = self.blocks.block(scope).ok_or("a scope without a block")?;
        let quiet =
            block.quiet.iter().map(|row| row.map(|r| self.row(r)).transpose()).collect::<Result<_, _>>()?;
        let lists = block.lists.iter().map(|l| self.list(scope, l)).collect::<Result<_, _>>()?;
        Ok(DecodedScope { scope, needs: block.needs, quiet, lists })
    }

    fn row(&self, row: RowRef) -> Result<Row, String> {
        let runs = self.blocks.rows.runs(row.row).ok_or("a row that is not there")?;
        let ids = runs.flat_map(|(first, last)| first..=last).collect();
        Ok(Row { ids, inverted: row.invert })
    }

    fn list(&self, scope: u32, list: &DecisionList) -> Result<DecodedList, String> {
        let steps = decode::fragment(&list.words).map_err(|e| e.to_string())?;
        let policy = self.manifest.policies.get(list.rank as usize).ok_or("a list of no policy")?;
        let first_act = steps.iter().find_map(|s| match s {
            Step::Act { act, .. } => Some(act.record),
            Step::Test { .. } | Step::Skip { .. } | Step::End => None,
        });
        let record = first_act.ok_or("a list that does nothing")?;
        let hook = policy
            .hooks
            .iter()
            .filter(|h| h.operation == self.operation && h.scope.unwrap_or(policy.scope) == scope)
            .find(|h| h.first_selector == list.first_selector && h.selector(record).is_some())
            .ok_or("a list of no hook of its scope")?;
        let rules = self.rules(&steps, hook)?;
        Ok(DecodedList { rank: list.rank, first_selector: hook.first_selector, rules })
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
                act = Some(decoded_act(word, hook)?);
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

fn decoded_act(word: &Act, hook: &PolicyHook) -> Result<DecodedAct, String> {
    let selector = hook.selector(word.record).ok_or("an action of another hook")?;
    Ok(DecodedAct {
        selector: selector.number as u8,
        post: word.flags & ACT_POST != 0,
        override_value: (word.flags & ACT_OVERRIDE != 0).then_some(word.value),
        sigkill: word.flags & ACT_SIGKILL != 0,
    })
}
