//! Conditions: what an operator compares of an argument, and how.
//!
//! A condition is **(source, projection, match kind, values)**. The source is an argument (later the returned value,
//! data, or a fact of the process); its type says how it is read ([`super::arg_type::Reader`]). The projection is what
//! of it is compared, the match kind how. All operators of the language fall on these few kinds, negated or not
//! ([`super::operator`]); [`compare`] is the one table that says how. What it does not name is refused.
//!
//! Whether a condition compiles is no flag. A kind has a [`Table`] or has none, a type has a reader or has none; both
//! are named by types that exist only together with the code that builds, reads and proves them.
//!
//! # From phase to phase
//! - here: operator and class of type to projection and match kind;
//! - `policy::Condition`: a source, a projection and `policy::Values`, which has a variant for each table;
//! - `fold::ir::Predicate`: the same on a parameter of what is attached, each once;
//! - `fold::plan::Dimension`: a source with its type, a projection and the values of all predicates;
//! - `emit::lower`: these values as a table, numbered (atoms), with the stencil that looks them up;
//! - [`crate::artifact`]: the table in the manifest and in bytes, its simulation, and `emit::verify` that reads it back.
//!
//! # To add
//! - an operator of an existing kind: its row in [`super::operator`], its cells here, and how its values are read, twice:
//!   by the compiler (`policy::resolve::values`), and by the oracle and the proof (`interp::document`);
//! - a match kind: its table here and in [`crate::artifact::table`], a variant of `policy::Values`, a builder in
//!   `emit::lower::tables`, a decoder in `emit::verify::decode`, a stencil; a variant of `interp::document::Is`, and its
//!   atoms in `emit::verify::spelling`; then follow the compiler.
//!
//! Source: what Tetragon 4fbfe2d does: `pkg/selectors/kernel.go` decides what loads, the filter functions of
//! `bpf/process/types/basic.h` decide what then happens. Counts and lengths of values are not here ([`super::limit`]).

use super::arg_type::FilterClass;
use super::operator::Operator;

pub use crate::artifact::projection::{Flow, Projection};
pub use crate::artifact::table::Table;

/// How a value is compared with those of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MatchKind {
    /// A number that lies in one of the intervals; a single number is an interval of one.
    Intervals,
    /// A whole path.
    Path,
    /// A whole text.
    Text,
    /// A text that begins with one of the values.
    Prefix,
    /// A text that ends with one of the values.
    Suffix,
    /// A text that holds one of the values.
    Substring,
    /// An address in one of the networks.
    AddressPrefix,
    /// A number that has a bit of one of the masks.
    AnyBit,
    /// The result of an expression over several arguments.
    Computed,
}

impl MatchKind {
    /// What classifies values for conditions of this kind; `None`: no table can, so that they are not compiled.
    pub const fn table(self) -> Option<Table> {
        match self {
            MatchKind::Intervals => Some(Table::Intervals),
            MatchKind::Path => Some(Table::Path),
            MatchKind::Text => Some(Table::Text),
            MatchKind::Prefix => Some(Table::Prefix),
            MatchKind::Suffix => Some(Table::Postfix),
            MatchKind::AnyBit => Some(Table::AnyBit),
            MatchKind::AddressPrefix => Some(Table::Address),
            MatchKind::Substring | MatchKind::Computed => None,
        }
    }
}

/// What becomes of an operator on a class of arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    Works(Projection, MatchKind),
    /// Refused when the policy is loaded.
    Refused,
    /// Loads; no program knows the pair, and the filter holds for every event.
    AlwaysTrue,
    /// Loads; no program knows the pair, and the filter holds for no event, negated or not.
    AlwaysFalse,
}

impl Verdict {
    pub const fn works(self) -> bool {
        matches!(self, Verdict::Works(..))
    }
}

/// The matrix of the semantics, section 5.1. `CelExpr` names its arguments itself and fits any class.
pub fn compare(op: Operator, class: FilterClass) -> Verdict {
    use FilterClass as C;
    use MatchKind as K;
    use Operator::*;
    use Projection as P;
    use Verdict::*;
    let whole = |kind| Works(P::Whole, kind);
    match op {
        Equal | NotEqual => match class {
            C::Int { .. } | C::CapSet => whole(K::Intervals),
            C::PathWithMode | C::Path => whole(K::Path),
            C::Text | C::Buffer | C::SockaddrUn => whole(K::Text),
            C::Sock | C::Skb | C::Sockaddr | C::Opaque | C::Unknown => Refused,
        },
        GreaterThan | LessThan | Gt | Lt => numbers(class, K::Intervals, true),
        Mask => numbers(class, K::AnyBit, true),
        InRange | NotInRange | InMap | NotInMap => numbers(class, K::Intervals, false),
        Prefix | NotPrefix => texts(class, K::Prefix, true),
        SubString | SubStringIgnCase => texts(class, K::Substring, true),
        Postfix | NotPostfix => texts(class, K::Suffix, false),
        SPort | NotSPort | SPortPriv | NotSPortPriv => sources(class, P::SourcePort, K::Intervals),
        SAddr | NotSAddr => sources(class, P::SourceAddress, K::AddressPrefix),
        DPort | NotDPort | DPortPriv | NotDPortPriv => flows(class, P::DestinationPort, K::Intervals),
        DAddr | NotDAddr => flows(class, P::DestinationAddress, K::AddressPrefix),
        Protocol => flows(class, P::Protocol, K::Intervals),
        Family => match class {
            C::Sock | C::Skb | C::Sockaddr | C::SockaddrUn => Works(P::Family, K::Intervals),
            C::Int { .. }
            | C::CapSet
            | C::Text
            | C::Buffer
            | C::PathWithMode
            | C::Path
            | C::Opaque
            | C::Unknown => Refused,
        },
        State if class == C::Skb => AlwaysFalse,
        State => only(class == C::Sock, P::State, K::Intervals),
        FileType | NotFileType => only(class == C::PathWithMode, P::FileType, K::Intervals),
        CapabilitiesGained => only(class == C::CapSet, P::Gained, K::Intervals),
        CelExpr => whole(K::Computed),
    }
}

/// Operators on one class alone.
fn only(is_the_class: bool, projection: Projection, kind: MatchKind) -> Verdict {
    if is_the_class { Verdict::Works(projection, kind) } else { Verdict::Refused }
}

/// Operators on numbers.
fn numbers(class: FilterClass, kind: MatchKind, with_capabilities: bool) -> Verdict {
    use FilterClass as C;
    match class {
        C::Int { .. } => Verdict::Works(Projection::Whole, kind),
        C::CapSet => only(with_capabilities, Projection::Whole, kind),
        C::Text
        | C::Buffer
        | C::PathWithMode
        | C::Path
        | C::Sock
        | C::Skb
        | C::Sockaddr
        | C::SockaddrUn
        | C::Opaque
        | C::Unknown => Verdict::Refused,
    }
}

/// Operators on a part of a text.
fn texts(class: FilterClass, kind: MatchKind, with_sockets: bool) -> Verdict {
    use FilterClass as C;
    match class {
        C::Text | C::Buffer | C::PathWithMode | C::Path => Verdict::Works(Projection::Whole, kind),
        C::SockaddrUn if with_sockets => Verdict::Works(Projection::Whole, kind),
        C::SockaddrUn | C::Int { .. } | C::CapSet | C::Sock | C::Skb | C::Sockaddr => Verdict::AlwaysFalse,
        C::Opaque => Verdict::AlwaysTrue,
        C::Unknown => Verdict::Refused,
    }
}

/// Operators on what a flow has, and an address not.
fn flows(class: FilterClass, projection: Projection, kind: MatchKind) -> Verdict {
    only(matches!(class, FilterClass::Sock | FilterClass::Skb), projection, kind)
}

/// Operators on where a flow begins; an address is one.
fn sources(class: FilterClass, projection: Projection, kind: MatchKind) -> Verdict {
    if class == FilterClass::Sockaddr {
        return Verdict::Works(projection, kind);
    }
    flows(class, projection, kind)
}

/// The operators that work on a class, for a message. Synonyms are left out.
pub fn operators_for(class: FilterClass) -> impl Iterator<Item = Operator> {
    Operator::ALL.iter().copied().filter(move |&op| {
        !matches!(op, Operator::GreaterThan | Operator::LessThan | Operator::CelExpr)
            && compare(op, class).works()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocab::arg_type::ArgType;

    #[test]
    fn a_negation_is_accepted_where_its_positive_is() {
        for &op in Operator::ALL {
            for &ty in ArgType::ALL {
                if let Some(negation) = op.negation() {
                    assert_eq!(
                        compare(op, ty.filter_class()),
                        compare(negation, ty.filter_class()),
                        "{op} on {ty}"
                    );
                }
            }
        }
    }

    /// One spot of each row of the table, and its near miss.
    #[test]
    fn the_matrix_says_what_tetragon_does() {
        use Operator::*;
        use Verdict::*;
        let cells = [
            (Equal, ArgType::String, Works(Projection::Whole, MatchKind::Text)),
            (Equal, ArgType::Sock, Refused),
            (Equal, ArgType::BpfCmd, Refused),
            (Equal, ArgType::Capability, Refused),
            (Gt, ArgType::CapEffective, Works(Projection::Whole, MatchKind::Intervals)),
            (Gt, ArgType::String, Refused),
            (InRange, ArgType::KernelCapT, Refused),
            (InMap, ArgType::Syscall64, Works(Projection::Whole, MatchKind::Intervals)),
            (Prefix, ArgType::Int, AlwaysFalse),
            (Prefix, ArgType::Filename, AlwaysTrue),
            (Prefix, ArgType::SockaddrUn, Works(Projection::Whole, MatchKind::Prefix)),
            (Postfix, ArgType::SockaddrUn, AlwaysFalse),
            (SubString, ArgType::Kiocb, AlwaysTrue),
            (NotSPort, ArgType::Sockaddr, Works(Projection::SourcePort, MatchKind::Intervals)),
            (NotDPort, ArgType::Sockaddr, Refused),
            (Protocol, ArgType::Skb, Works(Projection::Protocol, MatchKind::Intervals)),
            (Family, ArgType::SockaddrUn, Works(Projection::Family, MatchKind::Intervals)),
            (State, ArgType::Skb, AlwaysFalse),
            (State, ArgType::Socket, Works(Projection::State, MatchKind::Intervals)),
            (FileType, ArgType::File, Works(Projection::FileType, MatchKind::Intervals)),
            (FileType, ArgType::Fd, Refused),
            (FileType, ArgType::LinuxBinprm, Refused),
            (CapabilitiesGained, ArgType::CapPermitted, Works(Projection::Gained, MatchKind::Intervals)),
            (CapabilitiesGained, ArgType::Capability, Refused),
        ];
        for (op, ty, verdict) in cells {
            assert_eq!(compare(op, ty.filter_class()), verdict, "{op} on {ty}");
        }
    }

    /// A table without an operator would be code that nothing reaches.
    #[test]
    fn every_table_serves_an_operator_on_a_type_that_is_read() {
        let served = |table| {
            Operator::ALL.iter().any(|&op| {
                ArgType::ALL.iter().any(|ty| match compare(op, ty.filter_class()) {
                    Verdict::Works(projection, kind) => {
                        kind.table() == Some(table) && ty.reader(projection).is_some()
                    }
                    Verdict::Refused | Verdict::AlwaysTrue | Verdict::AlwaysFalse => false,
                })
            })
        };
        for &table in Table::ALL {
            assert!(served(table), "{table:?}");
        }
    }
}
