//! The operators of `matchArgs`, `matchData` and `matchReturnArgs`, and those of the other filters.
//!
//! To add one: add a row here, then decide every cell of [`super::accepts`] and follow the compiler.
//! Ids are Tetragon's (`pkg/selectors/kernel.go`, 4fbfe2d).

use super::vocabulary;

/// How the text of a value is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ValueKind {
    /// By the type of the argument: a number, a text, names of capabilities.
    Typed,
    /// A number to compare with, or names of capabilities.
    Number,
    /// `min:max`.
    Range,
    /// Decimal numbers, `min:max`, or `list:NAME`.
    Set,
    Prefix,
    Postfix,
    SubString,
    Port,
    Address,
    Protocol,
    Family,
    State,
    FileType,
    /// One CEL expression.
    Expression,
    /// Values are not looked at.
    Nothing,
}

vocabulary! {
    /// What compares an argument with values.
    "operator" enum Operator row OperatorRow {
        /// Tetragon's number.
        id: u32,
        /// Whether it holds where no value matches.
        is_negated: bool,
        value_kind: ValueKind,
    }
    Equal { name: "Equal", id: 3, is_negated: false, value_kind: ValueKind::Typed }
    NotEqual { name: "NotEqual", id: 4, is_negated: true, value_kind: ValueKind::Typed }
    Prefix { name: "Prefix", id: 8, is_negated: false, value_kind: ValueKind::Prefix }
    NotPrefix { name: "NotPrefix", id: 26, is_negated: true, value_kind: ValueKind::Prefix }
    Postfix { name: "Postfix", id: 9, is_negated: false, value_kind: ValueKind::Postfix }
    NotPostfix { name: "NotPostfix", id: 27, is_negated: true, value_kind: ValueKind::Postfix }
    GreaterThan { name: "GreaterThan", id: 1, is_negated: false, value_kind: ValueKind::Number }
    LessThan { name: "LessThan", id: 2, is_negated: false, value_kind: ValueKind::Number }
    Gt { name: "GT", id: 1, is_negated: false, value_kind: ValueKind::Number }
    Lt { name: "LT", id: 2, is_negated: false, value_kind: ValueKind::Number }
    Mask { name: "Mask", id: 12, is_negated: false, value_kind: ValueKind::Number }
    SPort { name: "SPort", id: 15, is_negated: false, value_kind: ValueKind::Port }
    NotSPort { name: "NotSPort", id: 18, is_negated: true, value_kind: ValueKind::Port }
    SPortPriv { name: "SPortPriv", id: 20, is_negated: false, value_kind: ValueKind::Nothing }
    /// Tetragon: the schema spells it with a small p (semantics 1.5); the documented spelling is refused.
    NotSPortPriv { name: "NotSportPriv", id: 21, is_negated: true, value_kind: ValueKind::Nothing }
    DPort { name: "DPort", id: 16, is_negated: false, value_kind: ValueKind::Port }
    NotDPort { name: "NotDPort", id: 19, is_negated: true, value_kind: ValueKind::Port }
    DPortPriv { name: "DPortPriv", id: 22, is_negated: false, value_kind: ValueKind::Nothing }
    NotDPortPriv { name: "NotDPortPriv", id: 23, is_negated: true, value_kind: ValueKind::Nothing }
    SAddr { name: "SAddr", id: 13, is_negated: false, value_kind: ValueKind::Address }
    NotSAddr { name: "NotSAddr", id: 24, is_negated: true, value_kind: ValueKind::Address }
    DAddr { name: "DAddr", id: 14, is_negated: false, value_kind: ValueKind::Address }
    NotDAddr { name: "NotDAddr", id: 25, is_negated: true, value_kind: ValueKind::Address }
    Protocol { name: "Protocol", id: 17, is_negated: false, value_kind: ValueKind::Protocol }
    Family { name: "Family", id: 28, is_negated: false, value_kind: ValueKind::Family }
    State { name: "State", id: 29, is_negated: false, value_kind: ValueKind::State }
    InMap { name: "InMap", id: 10, is_negated: false, value_kind: ValueKind::Set }
    NotInMap { name: "NotInMap", id: 11, is_negated: true, value_kind: ValueKind::Set }
    CapabilitiesGained { name: "CapabilitiesGained", id: 30, is_negated: false, value_kind: ValueKind::Nothing }
    InRange { name: "InRange", id: 31, is_negated: false, value_kind: ValueKind::Range }
    NotInRange { name: "NotInRange", id: 32, is_negated: true, value_kind: ValueKind::Range }
    SubString { name: "SubString", id: 33, is_negated: false, value_kind: ValueKind::SubString }
    SubStringIgnCase { name: "SubStringIgnCase", id: 34, is_negated: false, value_kind: ValueKind::SubString }
    CelExpr { name: "CelExpr", id: 35, is_negated: false, value_kind: ValueKind::Expression }
    FileType { name: "FileType", id: 36, is_negated: false, value_kind: ValueKind::FileType }
    NotFileType { name: "NotFileType", id: 37, is_negated: true, value_kind: ValueKind::FileType }
}

vocabulary! {
    /// What `matchPIDs`, the namespace and the capability filters use.
    "operator" enum SetOperator row SetOperatorRow {
        /// Tetragon's number.
        id: u32,
    }
    In { name: "In", id: 5 }
    NotIn { name: "NotIn", id: 6 }
}

vocabulary! {
    /// What `matchBinaries` and `matchParentBinaries` use.
    "operator" enum BinaryOperator row BinaryOperatorRow {
        /// Tetragon's number.
        id: u32,
        /// The longest value that the loader takes, in bytes.
        max_value_bytes: usize,
        allows_follow_children: bool,
    }
    In { name: "In", id: 5, max_value_bytes: 255, allows_follow_children: true }
    NotIn { name: "NotIn", id: 6, max_value_bytes: 255, allows_follow_children: true }
    Prefix { name: "Prefix", id: 8, max_value_bytes: 256, allows_follow_children: false }
    NotPrefix { name: "NotPrefix", id: 26, max_value_bytes: 256, allows_follow_children: false }
    Postfix { name: "Postfix", id: 9, max_value_bytes: 127, allows_follow_children: false }
    NotPostfix { name: "NotPostfix", id: 27, max_value_bytes: 127, allows_follow_children: false }
}

vocabulary! {
    /// What `matchExpressions` of a label selector use.
    "operator" enum LabelOperator row LabelOperatorRow {}
    In { name: "In" }
    NotIn { name: "NotIn" }
    Exists { name: "Exists" }
    DoesNotExist { name: "DoesNotExist" }
}

impl Operator {
    /// The operator that holds exactly where this one does not, if the language has it.
    pub fn negation(self) -> Option<Operator> {
        use Operator::*;
        Some(match self {
            Equal => NotEqual,
            NotEqual => Equal,
            Prefix => NotPrefix,
            NotPrefix => Prefix,
            Postfix => NotPostfix,
            NotPostfix => Postfix,
            SPort => NotSPort,
            NotSPort => SPort,
            SPortPriv => NotSPortPriv,
            NotSPortPriv => SPortPriv,
            DPort => NotDPort,
            NotDPort => DPort,
            DPortPriv => NotDPortPriv,
            NotDPortPriv => DPortPriv,
            SAddr => NotSAddr,
            NotSAddr => SAddr,
            DAddr => NotDAddr,
            NotDAddr => DAddr,
            InMap => NotInMap,
            NotInMap => InMap,
            InRange => NotInRange,
            NotInRange => InRange,
            FileType => NotFileType,
            NotFileType => FileType,
            GreaterThan | LessThan | Gt | Lt | Mask | Protocol | Family | State | CapabilitiesGained
            | SubString | SubStringIgnCase | CelExpr => return None,
        })
    }

    /// Whether this back end compares with it.
    pub fn is_compiled(self) -> bool {
        use Operator::*;
        matches!(self, Equal | NotEqual | Prefix | NotPrefix | Postfix | NotPostfix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_knows_36_operators() {
        assert_eq!(Operator::ALL.len(), 36);
    }

    #[test]
    fn negation_is_an_involution_between_a_positive_and_a_negative() {
        for &op in Operator::ALL {
            match op.negation() {
                Some(other) => {
                    assert_eq!(other.negation(), Some(op));
                    assert_ne!(op.is_negated(), other.is_negated(), "{op}");
                    assert_eq!(op.value_kind(), other.value_kind(), "{op}");
                }
                None => assert!(!op.is_negated(), "{op} negates nothing"),
            }
        }
    }

    #[test]
    fn an_id_stands_for_one_meaning() {
        for &a in Operator::ALL {
            for &b in Operator::ALL {
                let synonyms = [("GreaterThan", "GT"), ("LessThan", "LT")];
                if a < b && a.id() == b.id() {
                    assert!(synonyms.contains(&(a.name(), b.name())), "{a} and {b}");
                }
            }
        }
    }
}
