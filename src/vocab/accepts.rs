//! Which operator takes which class of argument: every cell decided, no default arm.
//!
//! What Tetragon 4fbfe2d does: `pkg/selectors/kernel.go` decides what loads, the filter functions of
//! `bpf/process/types/basic.h` decide what then happens. Counts and lengths of values are not here
//! ([`super::limit`]).

use super::arg_type::FilterClass;
use super::operator::Operator;

/// What becomes of an operator on a class of arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    Works,
    /// Refused when the policy is loaded.
    Refused,
    /// Loads; no program knows the pair, and the filter holds for every event.
    AlwaysTrue,
    /// Loads; no program knows the pair, and the filter holds for no event, negated or not.
    AlwaysFalse,
}

/// The matrix of the semantics, section 5.1. `CelExpr` names its arguments itself and fits any class.
pub fn accepts(op: Operator, class: FilterClass) -> Verdict {
    use FilterClass as C;
    use Operator::*;
    use Verdict::*;
    match op {
        Equal | NotEqual => match class {
            C::Int { .. } | C::CapSet | C::Text | C::Buffer | C::PathWithMode | C::Path | C::SockaddrUn => {
                Works
            }
            C::Sock | C::Skb | C::Sockaddr | C::Opaque | C::Unknown => Refused,
        },
        GreaterThan | LessThan | Gt | Lt | Mask => match class {
            C::Int { .. } | C::CapSet => Works,
            C::Text
            | C::Buffer
            | C::PathWithMode
            | C::Path
            | C::Sock
            | C::Skb
            | C::Sockaddr
            | C::SockaddrUn
            | C::Opaque
            | C::Unknown => Refused,
        },
        InRange | NotInRange | InMap | NotInMap => match class {
            C::Int { .. } => Works,
            C::CapSet
            | C::Text
            | C::Buffer
            | C::PathWithMode
            | C::Path
            | C::Sock
            | C::Skb
            | C::Sockaddr
            | C::SockaddrUn
            | C::Opaque
            | C::Unknown => Refused,
        },
        Prefix | NotPrefix | SubString | SubStringIgnCase => match class {
            C::Text | C::Buffer | C::PathWithMode | C::Path | C::SockaddrUn => Works,
            C::Int { .. } | C::CapSet | C::Sock | C::Skb | C::Sockaddr => AlwaysFalse,
            C::Opaque => AlwaysTrue,
            C::Unknown => Refused,
        },
        Postfix | NotPostfix => match class {
            C::Text | C::Buffer | C::PathWithMode | C::Path => Works,
            C::Int { .. } | C::CapSet | C::Sock | C::Skb | C::Sockaddr | C::SockaddrUn => AlwaysFalse,
            C::Opaque => AlwaysTrue,
            C::Unknown => Refused,
        },
        SPort | NotSPort | SPortPriv | NotSPortPriv | SAddr | NotSAddr => match class {
            C::Sock | C::Skb | C::Sockaddr => Works,
            C::Int { .. }
            | C::CapSet
            | C::Text
            | C::Buffer
            | C::PathWithMode
            | C::Path
            | C::SockaddrUn
            | C::Opaque
            | C::Unknown => Refused,
        },
        DPort | NotDPort | DPortPriv | NotDPortPriv | DAddr | NotDAddr | Protocol => match class {
            C::Sock | C::Skb => Works,
            C::Int { .. }
            | C::CapSet
            | C::Text
            | C::Buffer
            | C::PathWithMode
            | C::Path
            | C::Sockaddr
            | C::SockaddrUn
            | C::Opaque
            | C::Unknown => Refused,
        },
        Family => match class {
            C::Sock | C::Skb | C::Sockaddr | C::SockaddrUn => Works,
            C::Int { .. }
            | C::CapSet
            | C::Text
            | C::Buffer
            | C::PathWithMode
            | C::Path
            | C::Opaque
            | C::Unknown => Refused,
        },
        State => match class {
            C::Sock => Works,
            C::Skb => AlwaysFalse,
            C::Int { .. }
            | C::CapSet
            | C::Text
            | C::Buffer
            | C::PathWithMode
            | C::Path
            | C::Sockaddr
            | C::SockaddrUn
            | C::Opaque
            | C::Unknown => Refused,
        },
        FileType | NotFileType => match class {
            C::PathWithMode => Works,
            C::Int { .. }
            | C::CapSet
            | C::Text
            | C::Buffer
            | C::Path
            | C::Sock
            | C::Skb
            | C::Sockaddr
            | C::SockaddrUn
            | C::Opaque
            | C::Unknown => Refused,
        },
        CapabilitiesGained => match class {
            C::CapSet => Works,
            C::Int { .. }
            | C::Text
            | C::Buffer
            | C::PathWithMode
            | C::Path
            | C::Sock
            | C::Skb
            | C::Sockaddr
            | C::SockaddrUn
            | C::Opaque
            | C::Unknown => Refused,
        },
        CelExpr => match class {
            C::Int { .. }
            | C::CapSet
            | C::Text
            | C::Buffer
            | C::PathWithMode
            | C::Path
            | C::Sock
            | C::Skb
            | C::Sockaddr
            | C::SockaddrUn
            | C::Opaque
            | C::Unknown => Works,
        },
    }
}

/// The operators that work on a class, for a message. Synonyms are left out.
pub fn operators_for(class: FilterClass) -> impl Iterator<Item = Operator> {
    Operator::ALL.iter().copied().filter(move |&op| {
        !matches!(op, Operator::GreaterThan | Operator::LessThan | Operator::CelExpr)
            && accepts(op, class) == Verdict::Works
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
                        accepts(op, ty.filter_class()),
                        accepts(negation, ty.filter_class()),
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
            (Equal, ArgType::String, Works),
            (Equal, ArgType::Sock, Refused),
            (Equal, ArgType::BpfCmd, Refused),
            (Equal, ArgType::Capability, Refused),
            (Gt, ArgType::CapEffective, Works),
            (Gt, ArgType::String, Refused),
            (InRange, ArgType::KernelCapT, Refused),
            (InMap, ArgType::Syscall64, Works),
            (Prefix, ArgType::Int, AlwaysFalse),
            (Prefix, ArgType::Filename, AlwaysTrue),
            (Prefix, ArgType::SockaddrUn, Works),
            (Postfix, ArgType::SockaddrUn, AlwaysFalse),
            (SubString, ArgType::Kiocb, AlwaysTrue),
            (NotSPort, ArgType::Sockaddr, Works),
            (NotDPort, ArgType::Sockaddr, Refused),
            (Protocol, ArgType::Skb, Works),
            (Family, ArgType::SockaddrUn, Works),
            (State, ArgType::Skb, AlwaysFalse),
            (State, ArgType::Socket, Works),
            (FileType, ArgType::File, Works),
            (FileType, ArgType::Fd, Refused),
            (FileType, ArgType::LinuxBinprm, Refused),
            (CapabilitiesGained, ArgType::CapPermitted, Works),
            (CapabilitiesGained, ArgType::Capability, Refused),
        ];
        for (op, ty, verdict) in cells {
            assert_eq!(accepts(op, ty.filter_class()), verdict, "{op} on {ty}");
        }
    }

    #[test]
    fn what_compiles_works_in_tetragon() {
        for &op in Operator::ALL.iter().filter(|op| op.is_compiled()) {
            assert!(
                ArgType::ALL
                    .iter()
                    .any(|ty| ty.is_compiled() && accepts(op, ty.filter_class()) == Verdict::Works)
            );
        }
    }
}
