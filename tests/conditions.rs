//! The conditions of random policies: what the vocabulary's tables say that compiles, so that a new row is tested on the
//! day it is added.

use tetrafold::vocab::arg_type::{ArgType, Class, Reader};
use tetrafold::vocab::condition::{MatchKind, Projection, Verdict, compare};
use tetrafold::vocab::operator::{Operator, ValueKind};

/// What values are drawn from: near misses of each other on purpose.
pub struct Pools<'a> {
    pub texts: &'a [&'a str],
    pub prefixes: &'a [&'a str],
    pub suffixes: &'a [&'a str],
    pub numbers: &'a [i64],
}

/// Together they make seven: one argument is compared with eight different masks at most.
const MASKS: [i64; 3] = [1, 6, 64];

/// Networks in each other, beside each other, and of both families.
const NETWORKS: &[&str] = &[
    "127.0.0.1",
    "127.0.0.0/8",
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.1.2.3",
    "0.0.0.0/0",
    "::1",
    "fd00::/8",
    "fd00:1::/32",
    "::ffff:127.0.0.1",
    "::/0",
];
pub const PORTS: &[u16] = &[0, 80, 443, 1023, 1024, 8443, 65535];
const PROTOCOLS: &[&str] = &["IPPROTO_TCP", "IPPROTO_UDP", "17", "0:6"];
const FAMILIES: &[&str] = &["AF_INET", "AF_INET6", "AF_UNIX", "2:10"];
const STATES: &[&str] = &["TCP_ESTABLISHED", "TCP_CLOSE", "1:7"];

/// Every type that is read as a number and compared.
pub fn integers() -> Vec<ArgType> {
    let reads =
        |ty: &ArgType| ty.reader(Projection::Whole) == Some(Reader::Register) && !operators(*ty).is_empty();
    ArgType::ALL.iter().copied().filter(reads).collect()
}

/// The operators that compile on a type.
pub fn operators(ty: ArgType) -> Vec<(Operator, MatchKind)> {
    let compiled = |&op: &Operator| match compare(op, ty.filter_class()) {
        Verdict::Works(projection, kind) => {
            (kind.table().is_some() && ty.reader(projection).is_some()).then_some((op, kind))
        }
        Verdict::Refused | Verdict::AlwaysTrue | Verdict::AlwaysFalse => None,
    };
    Operator::ALL.iter().filter_map(compiled).collect()
}

/// An operator of the type, and values for it. `below` draws numbers.
pub fn condition(
    ty: ArgType,
    pools: &Pools<'_>,
    below: &mut impl FnMut(usize) -> usize,
) -> (Operator, Vec<String>) {
    let operators = operators(ty);
    let (op, kind) = operators[below(operators.len())];
    // A list that is allowed is long.
    let most = match kind {
        MatchKind::Intervals | MatchKind::AnyBit | MatchKind::AddressPrefix => 3,
        _ if op.is_negated() => 6,
        _ => 3,
    };
    let values = (0..1 + below(most)).map(|_| value(op, kind, ty, pools, below)).collect();
    (op, values)
}

fn value(
    op: Operator,
    kind: MatchKind,
    ty: ArgType,
    pools: &Pools<'_>,
    below: &mut impl FnMut(usize) -> usize,
) -> String {
    let texts = match kind {
        MatchKind::Intervals if op.value_kind() == ValueKind::Port => {
            let (a, b) = (PORTS[below(PORTS.len())], PORTS[below(PORTS.len())]);
            return if a == b { a.to_string() } else { format!("{a}:{b}") };
        }
        MatchKind::Intervals => {
            let name =
                |names: &[&str], below: &mut dyn FnMut(usize) -> usize| names[below(names.len())].to_string();
            match op.value_kind() {
                ValueKind::Protocol => return name(PROTOCOLS, below),
                ValueKind::Family => return name(FAMILIES, below),
                ValueKind::State => return name(STATES, below),
                _ => {}
            }
            let mut number = || {
                let number = pools.numbers[below(pools.numbers.len())];
                match ty.class() {
                    Some(Class::Int { signed: false, .. }) => number.max(0),
                    Some(
                        Class::Int { .. } | Class::Text | Class::Path | Class::Flow | Class::Structure(_),
                    )
                    | None => number,
                }
            };
            return match op.value_kind() {
                ValueKind::Range | ValueKind::Set => {
                    let (a, b) = (number(), number());
                    format!("{}:{}", a.min(b), a.max(b))
                }
                _ => number().to_string(),
            };
        }
        MatchKind::AnyBit => return MASKS[below(MASKS.len())].to_string(),
        MatchKind::AddressPrefix => return NETWORKS[below(NETWORKS.len())].to_string(),
        MatchKind::Prefix => pools.prefixes,
        MatchKind::Suffix => pools.suffixes,
        _ => pools.texts,
    };
    texts[below(texts.len())].to_string()
}
