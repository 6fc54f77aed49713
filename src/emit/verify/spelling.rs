//! Which atoms the values of a condition are, as the tables of a dimension spell them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustc_hash::FxHashMap;

use super::Difference;
use super::read::{Atoms, DecodedDimension};
use super::runs::Runs;
use crate::artifact::abi::{COMPONENT_MAX, TEXT_MAX};
use crate::artifact::manifest::Table;
use crate::interp::document::Is;
use crate::policy::{AddressRange, Interval};

/// Which atom each value is, in one dimension, as the tables spell it.
pub struct Spelling<'a> {
    pub dimension: &'a DecodedDimension,
    count: u32,
    /// Of whole texts.
    atoms: FxHashMap<&'a [u8], u32>,
    /// In the order in which beginnings, or ends, are in a row: each with its atom.
    sorted: Vec<(&'a [u8], u32)>,
}

impl<'a> Spelling<'a> {
    pub fn of(dimension: &'a DecodedDimension) -> Spelling<'a> {
        let (mut atoms, mut sorted) = (FxHashMap::default(), vec![]);
        match (&dimension.atoms, dimension.table) {
            (Atoms::Strings(values), table @ (Table::Prefix | Table::Postfix)) => {
                sorted = values.iter().zip(1..).collect();
                sorted.sort_by(|(a, _), (b, _)| compare_ends(table, a, b));
            }
            (Atoms::Strings(values), _) => atoms = values.iter().zip(1..).collect(),
            (Atoms::Pieces(_) | Atoms::Masks(_) | Atoms::Addresses(_), _) => {}
        }
        Spelling { dimension, count: dimension.atoms.count(), atoms, sorted }
    }

    /// The last atom: one above the values, which cannot be read, but of whole numbers, which always can.
    pub fn top(&self) -> u32 {
        self.count + u32::from(self.dimension.table.holds_texts() || !self.dimension.projection.is_whole())
    }

    /// The atoms for which a condition holds, readable ones. An error is a value that no atom stands for.
    ///
    /// To add a match kind: its arm.
    pub fn described(&self, is: &Is<'_>) -> Result<Runs, Difference> {
        let mut runs = vec![];
        match is {
            Is::Never => {}
            Is::Path(values) | Is::Text(values) => {
                let is_path = matches!(is, Is::Path(_));
                for value in values {
                    match self.atoms.get(value) {
                        Some(&atom) => runs.push((atom, atom)),
                        None if is_path && no_path(value) => {}
                        None => return Err(self.missing(&String::from_utf8_lossy(value))),
                    }
                }
            }
            Is::Prefix(values) | Is::Postfix(values) => {
                let table = self.dimension.table;
                for value in values {
                    let from =
                        self.sorted.partition_point(|(text, _)| compare_ends(table, text, value).is_lt());
                    match self.sorted.get(from) {
                        Some((text, _)) if text == value => {}
                        // So much of a text is seen.
                        Some(_) | None if table == Table::Prefix && value.len() > 255 => continue,
                        Some(_) | None => return Err(self.missing(&String::from_utf8_lossy(value))),
                    }
                    let here = &self.sorted[from..];
                    let len = here.partition_point(|(text, _)| is_part(table, value, text));
                    runs.extend(here[..len].iter().map(|&(_, atom)| (atom, atom)));
                }
            }
            Is::Intervals(intervals) => {
                for interval in intervals {
                    runs.push(self.pieces_of(*interval)?);
                }
            }
            Is::Addresses(ranges) => {
                for range in ranges {
                    runs.push(self.pieces_of_range(*range)?);
                }
            }
            Is::AnyBit(0) => {}
            Is::AnyBit(mask) => {
                let Atoms::Masks(masks) = &self.dimension.atoms else { return Err(self.missing("a mask")) };
                let Some(bit) = masks.iter().position(|m| m == mask) else {
                    return Err(self.missing(&format!("{mask:#x}")));
                };
                runs.extend((1..=self.count).filter(|atom| atom >> bit & 1 == 1).map(|atom| (atom, atom)));
            }
        }
        Ok(Runs::of(runs))
    }

    /// The pieces that the interval is made of. Each number of it has to be in one, and no number beside it.
    fn pieces_of(&self, interval: Interval) -> Result<(u32, u32), Difference> {
        let Atoms::Pieces(pieces) = &self.dimension.atoms else { return Err(self.missing("a number")) };
        let from = pieces.partition_point(|piece| piece.last < interval.first);
        let to = pieces.partition_point(|piece| piece.first <= interval.last);
        let mut wanted = Some(interval.first);
        for piece in &pieces[from..to.max(from)] {
            if wanted != Some(piece.first) || piece.last > interval.last {
                return Err((format!("the numbers {interval}"), format!("a piece {piece}")));
            }
            wanted = piece.last.checked_add(1);
        }
        if from >= to || wanted != interval.last.checked_add(1) {
            return Err(self.missing(&interval.to_string()));
        }
        Ok((from as u32 + 1, to as u32))
    }

    /// The same of addresses.
    fn pieces_of_range(&self, range: AddressRange) -> Result<(u32, u32), Difference> {
        let Atoms::Addresses(pieces) = &self.dimension.atoms else { return Err(self.missing("an address")) };
        let from = pieces.partition_point(|piece| piece.last < range.first);
        let to = pieces.partition_point(|piece| piece.first <= range.last);
        let mut wanted = Some(range.first);
        for piece in &pieces[from..to.max(from)] {
            if wanted != Some(piece.first) || piece.last > range.last {
                return Err((format!("the addresses {range}"), format!("a piece {piece}")));
            }
            wanted = behind(piece.last);
        }
        if from >= to || wanted != behind(range.last) {
            return Err(self.missing(&range.to_string()));
        }
        Ok((from as u32 + 1, to as u32))
    }

    fn missing(&self, value: &str) -> Difference {
        let DecodedDimension { subject, table, .. } = self.dimension;
        (format!("{subject:?} is compared with `{value}`"), format!("no {} holds it", table.name()))
    }
}

/// The next address of the same family.
fn behind(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(at) => at.to_bits().checked_add(1).map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
        IpAddr::V6(at) => at.to_bits().checked_add(1).map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))),
    }
}

/// Prefix tries are in byte order, postfix tries in that of the reversed bytes.
fn compare_ends(table: Table, a: &[u8], b: &[u8]) -> std::cmp::Ordering {
    if table == Table::Postfix { a.iter().rev().cmp(b.iter().rev()) } else { a.cmp(b) }
}

fn is_part(table: Table, part: &[u8], of: &[u8]) -> bool {
    if table == Table::Postfix { of.ends_with(part) } else { of.starts_with(part) }
}

/// Whether a walk, which gives whole components of an absolute path, never gives this, so that no table need hold it.
fn no_path(value: &[u8]) -> bool {
    match value.split_first() {
        None => true,
        Some((b'/', [])) => false,
        Some((b'/', names)) => {
            let is_name = |name: &[u8]| !matches!(name, b"" | b"." | b"..") && name.len() <= COMPONENT_MAX;
            value.len() > TEXT_MAX || !names.split(|&b| b == b'/').all(is_name)
        }
        Some(_) => true,
    }
}
