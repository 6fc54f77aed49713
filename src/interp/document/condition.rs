//! What an operator asks of an argument, read from its words.
//!
//! To add an operator: its arm in [`Reader::of_argument`]. To add a match kind: a variant of [`Is`], and what it says of
//! a value (`interp`) and of the values in a table (`emit::verify::spelling`). To add a source: a
//! variant of [`Source`], its words in [`written::Filter`], an arm in [`Reader::conditions`], what an event holds of it
//! (`interp`), and where an artifact reads it (`emit::verify::compare::Checker::subject`).

use super::{Arg, Reader, Unread, unread};
use crate::interp::network;
use crate::interp::number::{self, View};
use crate::policy::written::{self, ArgOf};
use crate::policy::{AddressRange, Interval, Source};
use crate::vocab::arg_type::{ArgType, Class};
use crate::vocab::condition::{Projection, Table, Verdict, compare};
use crate::vocab::hook::HookKind;
use crate::vocab::network::{Family, Protocol, State};
use crate::vocab::operator::Operator;

pub struct Condition<'w> {
    pub source: Source,
    pub projection: Projection,
    /// Holds for the values that this is not.
    pub negated: bool,
    pub is: Is<'w>,
}

/// The values for which a condition holds, `negated` aside: those that any of the values describes.
#[derive(Clone, Debug)]
pub enum Is<'w> {
    /// None, negated or not: Tetragon does not look at the operator there.
    Never,
    Path(Vec<&'w [u8]>),
    Text(Vec<&'w [u8]>),
    Prefix(Vec<&'w [u8]>),
    Postfix(Vec<&'w [u8]>),
    /// Bits at the argument's width, extended to 64 by its sign. Ascending, with a gap between any two.
    Intervals(Vec<Interval>),
    /// One of these bits.
    AnyBit(u64),
    /// Ascending and apart from each other.
    Addresses(Vec<AddressRange>),
}

impl<'w> Is<'w> {
    /// The kind of table that tells such values apart.
    pub fn table(&self) -> Option<Table> {
        match self {
            Is::Never => None,
            Is::Path(_) => Some(Table::Path),
            Is::Text(_) => Some(Table::Text),
            Is::Prefix(_) => Some(Table::Prefix),
            Is::Postfix(_) => Some(Table::Postfix),
            Is::Intervals(_) => Some(Table::Intervals),
            Is::AnyBit(_) => Some(Table::AnyBit),
            Is::Addresses(_) => Some(Table::Address),
        }
    }

    /// The texts, where values are texts.
    pub fn texts(&self) -> Option<&[&'w [u8]]> {
        match self {
            Is::Path(texts) | Is::Text(texts) | Is::Prefix(texts) | Is::Postfix(texts) => Some(texts),
            Is::Never | Is::Intervals(_) | Is::AnyBit(_) | Is::Addresses(_) => None,
        }
    }
}

impl<'w> Reader<'w> {
    pub(super) fn of_argument(
        &self,
        kind: HookKind,
        filter: &'w written::ArgFilter,
        args: &[Arg<'_>],
    ) -> Result<Condition<'w>, Unread> {
        let found = match filter.arg {
            ArgOf::Position(position) => Some(position as usize).filter(|&at| at < args.len()),
            ArgOf::Index(index) => {
                let named = args.iter().position(|arg| u32::from(arg.index) == index);
                // Of a tracepoint's arguments, by the field or else by the position (semantics 2.4).
                let is_tracepoint = matches!(kind, HookKind::Tracepoint | HookKind::RawTracepoint);
                named.or((is_tracepoint && (index as usize) < args.len()).then_some(index as usize))
            }
        };
        let Some(arg) = found else { return unread("a filter on no argument") };
        let (source, ty) = (Source::Argument(arg), args[arg].ty);
        let (projection, kind) = match compare(filter.operator, ty.filter_class()) {
            Verdict::Works(projection, kind) => (projection, kind),
            Verdict::AlwaysFalse => {
                let projection = Projection::Whole;
                return Ok(Condition { source, projection, negated: false, is: Is::Never });
            }
            Verdict::AlwaysTrue | Verdict::Refused => {
                return unread(format!("`{}` on `{ty}`", filter.operator));
            }
        };
        let (negated, is) = match filter.operator {
            Operator::Equal => (false, self.equal(ty, filter)?),
            Operator::NotEqual => (true, self.equal(ty, filter)?),
            Operator::Prefix => (false, Is::Prefix(self.texts(filter, false))),
            Operator::NotPrefix => (true, Is::Prefix(self.texts(filter, false))),
            Operator::Postfix => (false, Is::Postfix(self.texts(filter, ty != ArgType::CharBuf))),
            Operator::NotPostfix => (true, Is::Postfix(self.texts(filter, ty != ArgType::CharBuf))),
            Operator::GreaterThan | Operator::Gt => (false, self.above(ty, filter)?),
            Operator::LessThan | Operator::Lt => (false, self.below(ty, filter)?),
            Operator::InRange => (false, self.ranges(ty, filter)?),
            Operator::NotInRange => (true, self.ranges(ty, filter)?),
            Operator::InMap => (false, self.keys(ty, filter)?),
            Operator::NotInMap => (true, self.keys(ty, filter)?),
            Operator::Mask => (false, self.bits(ty, filter)?),
            Operator::SPort | Operator::DPort => (false, self.network(filter, network::numbers)?),
            Operator::NotSPort | Operator::NotDPort => (true, self.network(filter, network::numbers)?),
            Operator::SPortPriv | Operator::DPortPriv => (false, privileged()),
            Operator::NotSPortPriv | Operator::NotDPortPriv => (true, privileged()),
            Operator::SAddr | Operator::DAddr => (false, self.addresses(filter)?),
            Operator::NotSAddr | Operator::NotDAddr => (true, self.addresses(filter)?),
            Operator::Protocol => {
                (false, self.network(filter, |text| network::named(text, |known: Protocol| known.number()))?)
            }
            Operator::Family => {
                (false, self.network(filter, |text| network::named(text, |known: Family| known.number()))?)
            }
            Operator::State => {
                (false, self.network(filter, |text| network::named(text, |known: State| known.number()))?)
            }
            Operator::CapabilitiesGained
            | Operator::SubString
            | Operator::SubStringIgnCase
            | Operator::CelExpr
            | Operator::FileType
            | Operator::NotFileType => return unread(format!("operator `{}`", filter.operator)),
        };
        // The words and the table of conditions must agree on how it is compared.
        if is.table() != kind.table() || projection != part(filter.operator) {
            return unread(format!("`{}` on `{ty}` as {kind:?} of {projection:?}", filter.operator));
        }
        Ok(Condition { source, projection, negated, is })
    }

    fn equal(&self, ty: ArgType, filter: &'w written::ArgFilter) -> Result<Is<'w>, Unread> {
        match ty.class() {
            Some(Class::Int { bytes, signed }) => {
                let numbers = self.numbers(filter, number::parse)?;
                let bits = numbers.into_iter().filter_map(|n| number::bits(n, bytes, signed));
                Ok(Is::Intervals(number::joined(bits.map(Interval::point).collect())))
            }
            Some(Class::Text) => Ok(Is::Text(self.texts(filter, ty == ArgType::String))),
            Some(Class::Path) => {
                // Conditions on an empty path are false (semantics 5.4).
                let mut paths = self.texts(filter, ty == ArgType::String);
                paths.retain(|path| !path.is_empty());
                Ok(Is::Path(paths))
            }
            Some(Class::Flow | Class::Structure(_)) | None => {
                unread(format!("`{}` on `{ty}`", filter.operator))
            }
        }
    }

    /// What is greater than one of the values is greater than the least.
    fn above(&self, ty: ArgType, filter: &'w written::ArgFilter) -> Result<Is<'w>, Unread> {
        let view = self.ordered(ty, filter)?;
        let numbers = self.numbers(filter, number::parse)?;
        let Some(least) = numbers.into_iter().map(|n| view.stored(n)).min() else {
            return unread("no value");
        };
        Ok(Is::Intervals(number::joined(view.intervals(least + 1, i128::MAX))))
    }

    fn below(&self, ty: ArgType, filter: &'w written::ArgFilter) -> Result<Is<'w>, Unread> {
        let view = self.ordered(ty, filter)?;
        let numbers = self.numbers(filter, number::parse)?;
        let Some(most) = numbers.into_iter().map(|n| view.stored(n)).max() else { return unread("no value") };
        Ok(Is::Intervals(number::joined(view.intervals(i128::MIN, most - 1))))
    }

    fn ranges(&self, ty: ArgType, filter: &'w written::ArgFilter) -> Result<Is<'w>, Unread> {
        let view = self.ordered(ty, filter)?;
        let mut found = vec![];
        for &value in &filter.values {
            let text = self.written.text(value);
            let ends = text.split_once(':').map(|(a, b)| (number::parse(a), number::parse(b)));
            let Some((Some(first), Some(last))) = ends else { return unread(format!("range `{text}`")) };
            found.extend(view.intervals(view.stored(first), view.stored(last)));
        }
        Ok(Is::Intervals(number::joined(found)))
    }

    /// A set of 64-bit keys, in which an argument is looked up without its sign, but for 8 bytes (semantics 5.2).
    fn keys(&self, ty: ArgType, filter: &'w written::ArgFilter) -> Result<Is<'w>, Unread> {
        let Some(Class::Int { bytes, signed }) = ty.class() else {
            return unread(format!("`{}` on `{ty}`", filter.operator));
        };
        let view = View { bytes, signed, with_sign: signed && bytes == 8 };
        let mut found = vec![];
        for &value in &filter.values {
            let text = self.written.text(value);
            let (a, b) = text.split_once(':').unwrap_or((text, text));
            let (Some(a), Some(b)) = (number::decimal(a), number::decimal(b)) else {
                return unread(format!("number `{text}`"));
            };
            found.extend(view.intervals(a.min(b), a.max(b)));
        }
        Ok(Is::Intervals(number::joined(found)))
    }

    fn bits(&self, ty: ArgType, filter: &'w written::ArgFilter) -> Result<Is<'w>, Unread> {
        let Some(Class::Int { bytes, .. }) = ty.class() else {
            return unread(format!("`{}` on `{ty}`", filter.operator));
        };
        let all = self.numbers(filter, number::parse)?.into_iter().fold(0, |all, n| all | n as u64);
        Ok(Is::AnyBit(number::widen(all, bytes, false)))
    }

    fn network(
        &self,
        filter: &'w written::ArgFilter,
        read: impl Fn(&str) -> Option<Vec<Interval>>,
    ) -> Result<Is<'w>, Unread> {
        let mut found = vec![];
        for &value in &filter.values {
            let text = self.written.text(value);
            let Some(intervals) = read(text) else { return unread(format!("`{text}`")) };
            found.extend(intervals);
        }
        Ok(Is::Intervals(number::joined(found)))
    }

    fn addresses(&self, filter: &'w written::ArgFilter) -> Result<Is<'w>, Unread> {
        let mut found = vec![];
        for &value in &filter.values {
            let text = self.written.text(value);
            let Some(range) = network::network(text) else { return unread(format!("address `{text}`")) };
            found.push(range);
        }
        Ok(Is::Addresses(network::apart(found)))
    }

    /// With a sign for `int`, `int32` and `int64` alone (semantics 5.2).
    fn ordered(&self, ty: ArgType, filter: &'w written::ArgFilter) -> Result<View, Unread> {
        let Some(Class::Int { bytes, signed }) = ty.class() else {
            return unread(format!("`{}` on `{ty}`", filter.operator));
        };
        Ok(View { bytes, signed, with_sign: signed && bytes >= 4 })
    }

    fn numbers(
        &self,
        filter: &written::ArgFilter,
        parse: impl Fn(&str) -> Option<i128>,
    ) -> Result<Vec<i128>, Unread> {
        let number = |&value| {
            let text = self.written.text(value);
            parse(text).map_or_else(|| unread(format!("number `{text}`")), Ok)
        };
        filter.values.iter().map(number).collect()
    }

    /// Some values lose the NULs at their end (semantics 5.3). One with a NUL is no text's: that ends at its first.
    fn texts(&self, filter: &'w written::ArgFilter, trims: bool) -> Vec<&'w [u8]> {
        let trim = |text: &'w str| if trims { text.trim_end_matches('\0') } else { text };
        let texts = filter.values.iter().map(|&value| trim(self.written.text(value)).as_bytes());
        texts.filter(|text| !text.contains(&0)).collect()
    }
}

/// Ports below 1024, whatever the values are.
fn privileged() -> Is<'static> {
    Is::Intervals(vec![Interval { first: 0, last: 1023 }])
}

/// What of an argument an operator looks at.
fn part(operator: Operator) -> Projection {
    match operator {
        Operator::SPort | Operator::NotSPort | Operator::SPortPriv | Operator::NotSPortPriv => {
            Projection::SourcePort
        }
        Operator::DPort | Operator::NotDPort | Operator::DPortPriv | Operator::NotDPortPriv => {
            Projection::DestinationPort
        }
        Operator::SAddr | Operator::NotSAddr => Projection::SourceAddress,
        Operator::DAddr | Operator::NotDAddr => Projection::DestinationAddress,
        Operator::Protocol => Projection::Protocol,
        Operator::Family => Projection::Family,
        Operator::State => Projection::State,
        Operator::CapabilitiesGained => Projection::Gained,
        Operator::FileType | Operator::NotFileType => Projection::FileType,
        Operator::Equal
        | Operator::NotEqual
        | Operator::Prefix
        | Operator::NotPrefix
        | Operator::Postfix
        | Operator::NotPostfix
        | Operator::GreaterThan
        | Operator::LessThan
        | Operator::Gt
        | Operator::Lt
        | Operator::Mask
        | Operator::InMap
        | Operator::NotInMap
        | Operator::InRange
        | Operator::NotInRange
        | Operator::SubString
        | Operator::SubStringIgnCase
        | Operator::CelExpr => Projection::Whole,
    }
}
