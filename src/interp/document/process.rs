//! What the filters on the process ask for, read from their words (semantics 4.2 to 4.6).

use super::condition::{Condition, Is};
use super::{Unread, unread};
use crate::interp::number;
use crate::policy::{Interval, Source};
use crate::vocab::capability::{Capability, CapabilitySet};
use crate::vocab::condition::Projection;
use crate::vocab::fact::Fact;
use crate::vocab::namespace::Namespace;
use crate::vocab::operator::{BinaryOperator, SetOperator};

/// The numbers of namespaces of the host are above all inodes.
const HOSTS: u64 = 1 << 32;

fn of<'w>(fact: Fact, negated: bool, is: Is<'w>) -> Condition<'w> {
    Condition { source: Source::Fact(fact), projection: Projection::Whole, negated, is }
}

pub(super) fn pids<'w>(operator: SetOperator, is_of_namespace: bool, values: &[u32]) -> Vec<Condition<'w>> {
    let fact = if is_of_namespace { Fact::NamespacePid } else { Fact::Pid };
    let numbers = values.iter().map(|&pid| Interval::point(pid.into())).collect();
    vec![of(fact, operator == SetOperator::NotIn, Is::Intervals(number::joined(numbers)))]
}

/// Without values the filter is none.
pub(super) fn binaries(operator: BinaryOperator, values: Vec<&[u8]>) -> Vec<Condition<'_>> {
    if values.is_empty() {
        return vec![];
    }
    // A path ends at its first NUL, and is not empty.
    let mut values = values;
    values.retain(|value| !value.contains(&0));
    let paths = |mut values: Vec<_>| {
        values.retain(|value: &&[u8]| !value.is_empty());
        Is::Path(values)
    };
    let (negated, is) = match operator {
        BinaryOperator::In => (false, paths(values)),
        BinaryOperator::NotIn => (true, paths(values)),
        BinaryOperator::Prefix => (false, Is::Prefix(values)),
        BinaryOperator::NotPrefix => (true, Is::Prefix(values)),
        BinaryOperator::Postfix => (false, Is::Postfix(values)),
        BinaryOperator::NotPostfix => (true, Is::Postfix(values)),
    };
    vec![of(Fact::Binary, negated, is)]
}

pub(super) fn namespaces<'w>(
    kind: Namespace,
    operator: SetOperator,
    values: impl Iterator<Item = &'w str>,
) -> Result<Vec<Condition<'w>>, Unread> {
    let fact = match kind {
        Namespace::Uts => Fact::UtsNamespace,
        Namespace::Ipc => Fact::IpcNamespace,
        Namespace::Mnt => Fact::MntNamespace,
        Namespace::Pid => Fact::PidNamespace,
        Namespace::PidForChildren => Fact::PidForChildrenNamespace,
        Namespace::Net => Fact::NetNamespace,
        Namespace::Time => Fact::TimeNamespace,
        Namespace::TimeForChildren => Fact::TimeForChildrenNamespace,
        Namespace::Cgroup => Fact::CgroupNamespace,
        Namespace::User => Fact::UserNamespace,
    };
    let mut found = vec![];
    for value in values {
        if value == "host_ns" {
            found.push(Interval { first: HOSTS, last: 2 * HOSTS - 1 });
            continue;
        }
        let Ok(inode) = value.parse::<u32>() else { return unread(format!("namespace `{value}`")) };
        found.extend([inode.into(), u64::from(inode) + HOSTS].map(Interval::point));
    }
    Ok(vec![of(fact, operator == SetOperator::NotIn, Is::Intervals(number::joined(found)))])
}

pub(super) fn capabilities<'w>(
    set: CapabilitySet,
    operator: SetOperator,
    is_of_namespace: bool,
    values: impl Iterator<Item = &'w str>,
) -> Result<Vec<Condition<'w>>, Unread> {
    let fact = match set {
        CapabilitySet::Permitted => Fact::PermittedCapabilities,
        CapabilitySet::Effective => Fact::EffectiveCapabilities,
        CapabilitySet::Inheritable => Fact::InheritableCapabilities,
    };
    let mut mask = 0;
    for value in values {
        // Blanks and case say nothing (semantics 4.6).
        let name = value.trim().to_ascii_uppercase();
        let Some(bit) = Capability::ALL.iter().position(|known| known.name() == name) else {
            return unread(format!("capability `{value}`"));
        };
        mask |= 1 << bit;
    }
    let mut found = vec![of(fact, operator == SetOperator::NotIn, Is::AnyBit(mask))];
    if is_of_namespace {
        let hosts = Is::Intervals(vec![Interval { first: HOSTS, last: 2 * HOSTS - 1 }]);
        found.push(of(Fact::UserNamespace, true, hosts));
    }
    Ok(found)
}
