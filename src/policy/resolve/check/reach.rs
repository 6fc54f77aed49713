//! What can never decide: values that another of their list covers, and values and selectors that an earlier
//! selector has taken, since the first that matches decides.
//!
//! Looks at what is compared byte by byte (`Equal`, `Prefix`, `Postfix` and their opposites). A selector with
//! any other filter takes nothing that is known, so nothing is said of those behind it.

use std::borrow::Cow;

use rustc_hash::FxHashSet;

use super::super::values::number::parse_base0;
use crate::diag::lints;
use crate::policy::Scope;
use crate::policy::context::Cx;
use crate::source::{Span, Spanned};
use crate::syntax::ast::read::Text;
use crate::vocab::arg_type::{ArgType, FilterClass};
use crate::vocab::limit;
use crate::vocab::operator::{Operator, ValueKind};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Whole,
    Start,
    End,
}

/// A filter with its values as they are compared.
pub struct Compared<'v> {
    /// Position in the list of arguments.
    arg: usize,
    part: Part,
    negated: bool,
    values: Vec<(Cow<'v, [u8]>, Text<'v>)>,
}

impl<'v> Compared<'v> {
    /// `None` where values are compared otherwise than byte by byte.
    pub fn of(arg: usize, op: Spanned<Operator>, ty: ArgType, values: &[Text<'v>]) -> Option<Compared<'v>> {
        let part = match (op.value.value_kind(), ty.filter_class()) {
            (ValueKind::Typed, FilterClass::CapSet) => return None,
            (ValueKind::Typed, _) => Part::Whole,
            (ValueKind::Prefix, _) => Part::Start,
            (ValueKind::Postfix, _) => Part::End,
            (
                ValueKind::Above
                | ValueKind::Below
                | ValueKind::Bits
                | ValueKind::Range
                | ValueKind::Set
                | ValueKind::SubString
                | ValueKind::Port
                | ValueKind::Address
                | ValueKind::Protocol
                | ValueKind::Family
                | ValueKind::State
                | ValueKind::FileType
                | ValueKind::Expression
                | ValueKind::Nothing,
                _,
            ) => return None,
        };
        let values = values.iter().map(|&value| Some((bytes(ty, part, value.value)?, value)));
        let values = values.collect::<Option<Vec<_>>>()?;
        Some(Compared { arg, part, negated: op.value.is_negated(), values })
    }

    /// Values that make no difference since another of the list matches whatever they match.
    pub fn report_covered(&self, cx: &mut Cx<'_>) {
        let key = |i: usize| {
            let value: &[u8] = &self.values[i].0;
            match self.part {
                Part::Whole | Part::Start => Cow::Borrowed(value),
                Part::End => value.iter().rev().copied().collect(),
            }
        };
        let mut order: Vec<(Cow<'_, [u8]>, usize)> = (0..self.values.len()).map(|i| (key(i), i)).collect();
        order.sort();
        let mut covered: Vec<(usize, usize)> = vec![];
        let mut widest: Option<(&[u8], usize)> = None;
        for (value, i) in &order {
            match widest {
                Some((wide, by)) if self.covers(wide, value) => covered.push((*i, by)),
                Some(_) | None => widest = Some((value, *i)),
            }
        }
        covered.sort_unstable();
        for (value, by) in covered {
            let (value, by) = (self.values[value].1, self.values[by].1);
            cx.report(lints::covered_value(value, by));
        }
    }

    /// Of values in an order in which what covers a value comes before it.
    fn covers(&self, wide: &[u8], value: &[u8]) -> bool {
        match self.part {
            Part::Whole => wide == value,
            Part::Start | Part::End => value.starts_with(wide),
        }
    }

    fn set(&self) -> ValueSet<'_> {
        let all: FxHashSet<&[u8]> = self.values.iter().map(|(value, _)| &**value).collect();
        let mut lengths: Vec<usize> = all.iter().map(|value| value.len()).collect();
        lengths.sort_unstable();
        lengths.dedup();
        ValueSet { part: self.part, all, lengths }
    }
}

/// As it is compared; `None` for what is no number (and refused).
fn bytes(ty: ArgType, part: Part, value: &str) -> Option<Cow<'_, [u8]>> {
    let trimmed = || Cow::Borrowed(value.trim_end_matches('\0').as_bytes());
    Some(match (ty.filter_class(), part) {
        (FilterClass::Int { bytes, .. }, _) => {
            let number = parse_base0(value).ok()?;
            let bits = number as u64 & (u64::MAX >> (64 - u32::from(bytes) * 8));
            Cow::Owned(bits.to_be_bytes().to_vec())
        }
        (FilterClass::Buffer, _) => Cow::Borrowed(value.as_bytes()),
        (_, Part::End) => trimmed(),
        (_, Part::Whole) if ty == ArgType::String => trimmed(),
        (_, Part::Whole | Part::Start) => Cow::Borrowed(value.as_bytes()),
    })
}

struct ValueSet<'v> {
    part: Part,
    all: FxHashSet<&'v [u8]>,
    lengths: Vec<usize>,
}

impl ValueSet<'_> {
    /// Whether whatever equals, starts or ends with `value` (as `part` says) is in the set.
    fn covers(&self, part: Part, value: &[u8]) -> bool {
        match self.part {
            Part::Whole => part == Part::Whole && self.all.contains(value),
            Part::Start if part != Part::End => self.has_piece(value, |n| &value[..n]),
            Part::End if part != Part::Start => self.has_piece(value, |n| &value[value.len() - n..]),
            Part::Start | Part::End => false,
        }
    }

    fn has_piece<'b>(&self, value: &[u8], piece: impl Fn(usize) -> &'b [u8]) -> bool {
        let fitting = self.lengths.iter().take_while(|&&length| length <= value.len());
        fitting.into_iter().any(|&length| self.all.contains(piece(length)))
    }
}

/// A selector as far as it is known.
pub struct Seen<'v> {
    pub compared: Vec<Compared<'v>>,
    /// The filters are all that it has.
    pub is_whole: bool,
    pub workload: Option<Scope>,
    pub enforces: bool,
    pub span: Span,
}

/// The selectors of a hook so far.
#[derive(Default)]
pub struct Earlier<'v> {
    all: Vec<Seen<'v>>,
}

impl<'v> Earlier<'v> {
    /// Takes the next selector, and says what of it can never decide.
    pub fn take(&mut self, seen: Seen<'v>, cx: &mut Cx<'_>) {
        let dead = self.all.iter().find(|earlier| earlier.takes_all_of(&seen));
        match dead {
            Some(earlier) => {
                let takes_all = earlier.compared.is_empty() && earlier.workload.is_none();
                cx.report(lints::unreachable_selector(seen.span, earlier.span, takes_all));
            }
            None => self.report_taken_values(&seen, cx),
        }
        // More are refused, and then not compared with each other.
        if seen.is_whole && self.all.len() < limit::SELECTORS_PER_HOOK {
            self.all.push(seen);
        }
    }

    /// Values of `seen` that one earlier selector takes whatever else `seen` asks for.
    fn report_taken_values(&self, seen: &Seen<'v>, cx: &mut Cx<'_>) {
        for earlier in &self.all {
            let [taken] = &earlier.compared[..] else { continue };
            if taken.negated || !earlier.is_for(seen) {
                continue;
            }
            let set = taken.set();
            for filter in seen.compared.iter().filter(|f| f.arg == taken.arg && !f.negated) {
                for (value, written) in &filter.values {
                    if set.covers(filter.part, value) {
                        cx.report(lints::taken_value(*written, earlier.span));
                    }
                }
            }
        }
    }
}

impl Seen<'_> {
    fn is_for(&self, later: &Seen<'_>) -> bool {
        self.workload.is_none() || self.workload == later.workload
    }

    /// Whether each event that `later` matches matches this one: each filter here follows from one there.
    fn takes_all_of(&self, later: &Seen<'_>) -> bool {
        let follows = |mine: &Compared<'_>| {
            later.compared.iter().any(|theirs| mine.arg == theirs.arg && self.follows(mine, later, theirs))
        };
        self.is_for(later) && self.compared.iter().all(follows)
    }

    fn follows(&self, mine: &Compared<'_>, later: &Seen<'_>, theirs: &Compared<'_>) -> bool {
        match (mine.negated, theirs.negated) {
            (false, false) => {
                let set = mine.set();
                theirs.values.iter().all(|(value, _)| set.covers(theirs.part, value))
            }
            (true, true) => {
                // An argument that cannot be read makes a negated filter true where the selector enforces.
                let set = theirs.set();
                (self.enforces || !later.enforces)
                    && mine.values.iter().all(|(value, _)| set.covers(mine.part, value))
            }
            (true, false) => {
                let set = mine.set();
                theirs.part == Part::Whole
                    && theirs.values.iter().all(|(value, _)| !set.covers(Part::Whole, value))
            }
            (false, true) => false,
        }
    }
}
