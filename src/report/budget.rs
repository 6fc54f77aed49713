//! Ceilings that a user sets, and which of them a report exceeds, by what.
//!
//! A range is judged by its upper end: a budget that might not hold does not.

use std::cmp::Reverse;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Memory, Report};

/// What is limited; `None` everywhere limits nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budgets {
    pub max_programs: Option<u64>,
    pub max_maps: Option<u64>,
    /// Bytes that the kernel shows as `memlock`.
    pub max_memlock: Option<u64>,
    /// Bytes that the machine gives up: charged and uncharged.
    pub max_kernel_memory: Option<u64>,
    /// Of each operation: what is its own.
    pub max_operation_memlock: Option<u64>,
    pub max_operation_kernel_memory: Option<u64>,
    /// Of each policy: its share.
    pub max_policy_memlock: Option<u64>,
    pub max_policy_kernel_memory: Option<u64>,
}

/// One ceiling, and how near the report comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    /// Its option on the command line, without dashes.
    pub name: String,
    pub limit: u64,
    /// What is needed at most; of a budget for each operation or policy, by the largest of them.
    pub actual: u64,
    pub unit: Unit,
    pub holds: bool,
    /// Operations or policies that exceed it, of a budget for each of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exceeded_by: Option<u64>,
    /// What contributes most, largest first.
    pub largest: Vec<Contributor>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Unit {
    Bytes,
    Count,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Contributor {
    /// Of an operation, map, program or policy.
    pub name: String,
    pub amount: u64,
}

/// Contributors that are named.
const MOST_NAMED: usize = 5;

impl Budgets {
    /// Those that are set, in the order of their declaration.
    pub fn judge(&self, report: &Report) -> Vec<Budget> {
        let memlock: fn(&Memory) -> u64 = |memory| memory.memlock_bytes;
        let taken: fn(&Memory) -> u64 = |memory| memory.taken_bytes();
        let totals = &report.totals;
        let counted = |name, limit: Option<u64>, actual, of: fn(&super::OperationRow) -> u64| {
            let operations = report.operations.iter().map(|o| (o.name.as_str(), of(o)));
            limit.map(|limit| budget(name, limit, actual, Unit::Count, None, operations))
        };
        let total = |name, limit: Option<u64>, of: fn(&Memory) -> u64| {
            limit.map(|limit| budget(name, limit, of(&totals.memory), Unit::Bytes, None, items(report, of)))
        };
        let operations = |name, limit: Option<u64>, of: fn(&Memory) -> u64| {
            let rows = report.operations.iter().map(move |o| (o.name.as_str(), of(&o.memory)));
            limit.map(|limit| for_each(name, limit, rows))
        };
        let policies = |name, limit: Option<u64>, of: fn(&Memory) -> u64| {
            let rows = report.policies.iter().map(move |p| (p.policy.as_str(), of(&p.share())));
            limit.map(|limit| for_each(name, limit, rows))
        };
        let judged = [
            counted("max-programs", self.max_programs, totals.programs, |o| o.programs),
            counted("max-maps", self.max_maps, totals.maps, |o| o.maps),
            total("max-memlock", self.max_memlock, memlock),
            total("max-kernel-memory", self.max_kernel_memory, taken),
            operations("max-operation-memlock", self.max_operation_memlock, memlock),
            operations("max-operation-kernel-memory", self.max_operation_kernel_memory, taken),
            policies("max-policy-memlock", self.max_policy_memlock, memlock),
            policies("max-policy-kernel-memory", self.max_policy_kernel_memory, taken),
        ];
        judged.into_iter().flatten().collect()
    }
}

/// All maps and programs that are loaded.
fn items(report: &Report, of: fn(&Memory) -> u64) -> impl Iterator<Item = (&str, u64)> {
    let maps = report.maps.iter().map(move |m| (m.name.as_str(), of(&m.memory)));
    maps.chain(report.programs.iter().map(move |p| (p.name.as_str(), of(&p.memory))))
}

fn for_each<'r>(name: &str, limit: u64, rows: impl Iterator<Item = (&'r str, u64)> + Clone) -> Budget {
    let actual = rows.clone().map(|(_, amount)| amount).max().unwrap_or(0);
    let exceeding = rows.clone().filter(|&(_, amount)| amount > limit).count() as u64;
    budget(name, limit, actual, Unit::Bytes, Some(exceeding), rows)
}

fn budget<'r>(
    name: &str,
    limit: u64,
    actual: u64,
    unit: Unit,
    exceeded_by: Option<u64>,
    rows: impl Iterator<Item = (&'r str, u64)>,
) -> Budget {
    let mut rows: Vec<(&str, u64)> = rows.filter(|&(_, amount)| amount > 0).collect();
    // In the order of the report among equals.
    rows.sort_by_key(|&(_, amount)| Reverse(amount));
    let largest = rows.into_iter().take(MOST_NAMED);
    let largest = largest.map(|(name, amount)| Contributor { name: name.to_owned(), amount }).collect();
    Budget { name: name.to_owned(), limit, actual, unit, holds: actual <= limit, exceeded_by, largest }
}

/// Bytes as people write them: `65536`, `64KiB`, `1.5MiB`, `2 GB`. What is left of a byte is dropped.
///
/// # Errors
/// What is wrong with it, for people.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (&text[..digits], text[digits..].trim_start());
    let factor = UNITS.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name)).map(|&(_, factor)| factor);
    let factor = factor.ok_or_else(|| match unit.to_ascii_uppercase().as_str() {
        letter @ ("K" | "M" | "G" | "T") => {
            format!(
                "`{unit}` may mean two things: write `{letter}iB` (powers of 1024) or `{letter}B` (of 1000)"
            )
        }
        _ => "a number of bytes is wanted, such as 65536, 64KiB or 1.5MiB".to_string(),
    })?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || number.ends_with('.') || fraction.contains('.') || fraction.len() > 9 {
        return Err("a number of bytes is wanted, such as 65536, 64KiB or 1.5MiB".to_string());
    }
    let too_large = || "that is more than any machine has".to_string();
    let whole = whole.parse::<u64>().map_err(|_| too_large())?.checked_mul(factor).ok_or_else(too_large)?;
    let scale = 10u128.pow(fraction.len() as u32);
    let fraction = fraction.parse::<u128>().unwrap_or(0) * u128::from(factor) / scale;
    whole.checked_add(fraction as u64).ok_or_else(too_large)
}

const UNITS: [(&str, u64); 10] = [
    ("", 1),
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::forecast;
    use crate::report::tests::input;

    fn names(budget: &Budget) -> Vec<&str> {
        budget.largest.iter().map(|c| c.name.as_str()).collect()
    }

    #[test]
    fn a_budget_holds_up_to_its_number() {
        let report = forecast(&input(3)).unwrap();
        let t = &report.totals;
        let at = Budgets {
            max_programs: Some(t.programs),
            max_maps: Some(t.maps),
            max_memlock: Some(t.memory.memlock_bytes),
            max_kernel_memory: Some(t.memory.taken_bytes()),
            ..Budgets::default()
        };
        assert!(at.judge(&report).iter().all(|b| b.holds && b.actual == b.limit));
        let below = Budgets {
            max_programs: Some(t.programs - 1),
            max_kernel_memory: Some(t.memory.taken_bytes() - 1),
            ..Budgets::default()
        };
        let judged = below.judge(&report);
        assert_eq!(
            judged.iter().map(|b| b.name.as_str()).collect::<Vec<_>>(),
            ["max-programs", "max-kernel-memory"]
        );
        assert!(judged.iter().all(|b| !b.holds && b.actual == b.limit + 1 && b.exceeded_by.is_none()));
        assert_eq!(names(&judged[0])[0], "lsm:bprm_check_security");
        assert_eq!(judged[1].largest.len(), MOST_NAMED);
        assert!(judged[1].largest.is_sorted_by_key(|c| Reverse(c.amount)));
        assert_eq!(Budgets::default().judge(&report), []);
    }

    /// The last of the policies hooks one operation more.
    #[test]
    fn budgets_of_each_policy_and_operation_name_who_exceeds_them() {
        let report = forecast(&input(3)).unwrap();
        let last = report.policies.last().unwrap();
        let all = Budgets {
            max_operation_memlock: Some(1 << 40),
            max_operation_kernel_memory: Some(0),
            max_policy_memlock: Some(last.memlock_bytes - 1),
            max_policy_kernel_memory: Some(last.share().taken_bytes()),
            ..Budgets::default()
        };
        let judged = all.judge(&report);
        assert_eq!(judged.iter().map(|b| b.holds).collect::<Vec<_>>(), [true, false, false, true]);
        let exceeding: Vec<_> = judged.iter().map(|b| b.exceeded_by.unwrap()).collect();
        assert_eq!(exceeding, [0, report.operations.len() as u64, 1, 0]);
        assert_eq!(names(&judged[2])[0], last.policy);
        assert_eq!(judged[2].actual, judged[2].limit + 1);
    }

    #[test]
    fn bytes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("0", 0),
            ("65536", 65_536),
            ("64KiB", 65_536),
            ("64 kib", 65_536),
            ("1.5MiB", 1_572_864),
            ("0.1KiB", 102),
            ("10B", 10),
            ("2GB", 2_000_000_000),
            ("2.25 gib", 2_415_919_104),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for bad in [
            "",
            "KiB",
            ".5KiB",
            "1.KiB",
            "1.2.3KiB",
            "-1",
            "+1",
            "64K",
            "1e6",
            "64KiBs",
            "20000000TiB",
            "1_000",
            "\u{661}",
        ] {
            assert!(parse_bytes(bad).is_err(), "{bad}");
        }
        assert!(parse_bytes("64k").unwrap_err().contains("`KiB`"));
    }
}
