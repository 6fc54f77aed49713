//! What an artifact says, decoded: the form in which the proof compares it with the policies.

/// Everything about one operation that decides verdicts.
#[derive(Clone, Debug)]
pub struct DecodedOperation {
    pub kind: String,
    pub target: String,
    pub dimensions: Vec<DecodedDimension>,
    pub scopes: Vec<DecodedScope>,
}

#[derive(Clone, Debug)]
pub struct DecodedDimension {
    pub param: u8,
    /// As the manifest names it: `equal`, `prefix`, `postfix` or `int`.
    pub family: &'static str,
    pub atoms: Atoms,
}

/// Atom `i + 1` is entry `i`.
#[derive(Clone, Debug)]
pub enum Atoms {
    Strings(Vec<Vec<u8>>),
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
    /// The list's number, which every event carries.
    pub number: u32,
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
