//! The operators of `matchArgs`, `matchData` and `matchReturnArgs`, and those of the other filters.
//!
//! To add one: add a row here, then its cells of [`super::condition::compare`], and follow the compiler.
//! Ids are Tetragon's (`pkg/selectors/kernel.go`, 4fbfe2d).

use super::vocabulary;

/// How the text of a value is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ValueKind {
    /// By the type of the argument: a number, a text, names of capabilities.
    Typed,
    /// A number, or names of capabilities: what is above it.
    Above,
    /// What is below it.
    Below,
    /// What has one of its bits.
    Bits,
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
    /// One of the values is equal.
    Equal { name: "Equal", id: 3, is_negated: false, value_kind: ValueKind::Typed }
    /// No value is equal.
    NotEqual { name: "NotEqual", id: 4, is_negated: true, value_kind: ValueKind::Typed }
    /// The text begins with one of the values.
    Prefix { name: "Prefix", id: 8, is_negated: false, value_kind: ValueKind::Prefix }
    /// The text begins with none of the values.
    NotPrefix { name: "NotPrefix", id: 26, is_negated: true, value_kind: ValueKind::Prefix }
    /// The text ends with one of the values.
    Postfix { name: "Postfix", id: 9, is_negated: false, value_kind: ValueKind::Postfix }
    /// The text ends with none of the values.
    NotPostfix { name: "NotPostfix", id: 27, is_negated: true, value_kind: ValueKind::Postfix }
    /// The number is greater than one of the values.
    GreaterThan { name: "GreaterThan", id: 1, is_negated: false, value_kind: ValueKind::Above }
    /// The number is less than one of the values.
    LessThan { name: "LessThan", id: 2, is_negated: false, value_kind: ValueKind::Below }
    /// The number is greater than one of the values; as `GreaterThan`.
    Gt { name: "GT", id: 1, is_negated: false, value_kind: ValueKind::Above }
    /// The number is less than one of the values; as `LessThan`.
    Lt { name: "LT", id: 2, is_negated: false, value_kind: ValueKind::Below }
    /// A bit of one of the values is set.
    Mask { name: "Mask", id: 12, is_negated: false, value_kind: ValueKind::Bits }
    /// The source port is one of the values or lies in a range `min:max`.
    SPort { name: "SPort", id: 15, is_negated: false, value_kind: ValueKind::Port }
    /// The source port is none of the values.
    NotSPort { name: "NotSPort", id: 18, is_negated: true, value_kind: ValueKind::Port }
    /// The source port is below 1024.
    SPortPriv { name: "SPortPriv", id: 20, is_negated: false, value_kind: ValueKind::Nothing }
    // Tetragon: the schema spells it with a small p (semantics 1.5); the documented spelling is refused.
    /// The source port is 1024 or above.
    NotSPortPriv { name: "NotSportPriv", id: 21, is_negated: true, value_kind: ValueKind::Nothing }
    /// The destination port is one of the values or lies in a range `min:max`.
    DPort { name: "DPort", id: 16, is_negated: false, value_kind: ValueKind::Port }
    /// The destination port is none of the values.
    NotDPort { name: "NotDPort", id: 19, is_negated: true, value_kind: ValueKind::Port }
    /// The destination port is below 1024.
    DPortPriv { name: "DPortPriv", id: 22, is_negated: false, value_kind: ValueKind::Nothing }
    /// The destination port is 1024 or above.
    NotDPortPriv { name: "NotDPortPriv", id: 23, is_negated: true, value_kind: ValueKind::Nothing }
    /// The source address lies in one of the networks, such as `10.0.0.0/8`.
    SAddr { name: "SAddr", id: 13, is_negated: false, value_kind: ValueKind::Address }
    /// The source address lies in none of the networks.
    NotSAddr { name: "NotSAddr", id: 24, is_negated: true, value_kind: ValueKind::Address }
    /// The destination address lies in one of the networks, such as `10.0.0.0/8`.
    DAddr { name: "DAddr", id: 14, is_negated: false, value_kind: ValueKind::Address }
    /// The destination address lies in none of the networks.
    NotDAddr { name: "NotDAddr", id: 25, is_negated: true, value_kind: ValueKind::Address }
    /// The protocol is one of the values, such as `IPPROTO_TCP`.
    Protocol { name: "Protocol", id: 17, is_negated: false, value_kind: ValueKind::Protocol }
    /// The address family is one of the values, such as `AF_INET`.
    Family { name: "Family", id: 28, is_negated: false, value_kind: ValueKind::Family }
    /// The state of the socket is one of the values, such as `TCP_SYN_SENT`.
    State { name: "State", id: 29, is_negated: false, value_kind: ValueKind::State }
    /// The number is one of the values, in a range `min:max`, or in a `list:NAME`.
    InMap { name: "InMap", id: 10, is_negated: false, value_kind: ValueKind::Set }
    /// The number is none of the values, in no range and no list.
    NotInMap { name: "NotInMap", id: 11, is_negated: true, value_kind: ValueKind::Set }
    /// The new capabilities hold one that the old ones do not.
    CapabilitiesGained { name: "CapabilitiesGained", id: 30, is_negated: false, value_kind: ValueKind::Nothing }
    /// The number lies in one of the ranges `min:max`.
    InRange { name: "InRange", id: 31, is_negated: false, value_kind: ValueKind::Range }
    /// The number lies in none of the ranges `min:max`.
    NotInRange { name: "NotInRange", id: 32, is_negated: true, value_kind: ValueKind::Range }
    /// The text holds one of the values.
    SubString { name: "SubString", id: 33, is_negated: false, value_kind: ValueKind::SubString }
    /// The text holds one of the values, whatever the case of its letters.
    SubStringIgnCase { name: "SubStringIgnCase", id: 34, is_negated: false, value_kind: ValueKind::SubString }
    /// The CEL expression is true.
    CelExpr { name: "CelExpr", id: 35, is_negated: false, value_kind: ValueKind::Expression }
    /// The file is of one of the types, such as `reg` or `dir`.
    FileType { name: "FileType", id: 36, is_negated: false, value_kind: ValueKind::FileType }
    /// The file is of none of the types.
    NotFileType { name: "NotFileType", id: 37, is_negated: true, value_kind: ValueKind::FileType }
}

vocabulary! {
    /// What `matchPIDs`, the namespace and the capability filters use.
    "operator" enum SetOperator row SetOperatorRow {
        /// Tetragon's number.
        id: u32,
    }
    /// One of the values.
    In { name: "In", id: 5 }
    /// None of the values.
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
    /// The path is one of the values.
    In { name: "In", id: 5, max_value_bytes: 255, allows_follow_children: true }
    /// The path is none of the values.
    NotIn { name: "NotIn", id: 6, max_value_bytes: 255, allows_follow_children: true }
    /// The path begins with one of the values.
    Prefix { name: "Prefix", id: 8, max_value_bytes: 256, allows_follow_children: false }
    /// The path begins with none of the values.
    NotPrefix { name: "NotPrefix", id: 26, max_value_bytes: 256, allows_follow_children: false }
    /// The path ends with one of the values.
    Postfix { name: "Postfix", id: 9, max_value_bytes: 127, allows_follow_children: false }
    /// The path ends with none of the values.
    NotPostfix { name: "NotPostfix", id: 27, max_value_bytes: 127, allows_follow_children: false }
}

vocabulary! {
    /// What `matchExpressions` of a label selector use.
    "operator" enum LabelOperator row LabelOperatorRow {}
    /// The label is there and has one of the values.
    In { name: "In" }
    /// The label is absent or has none of the values.
    NotIn { name: "NotIn" }
    /// The label is there.
    Exists { name: "Exists" }
    /// The label is absent.
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
