//! Ceilings that a user sets, and which of them a report exceeds.
//!
//! A range is judged by its upper end: a budget that might not hold does not.

use super::Totals;

/// What is limited; `None` everywhere limits nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budgets {
    pub max_programs: Option<u64>,
    pub max_maps: Option<u64>,
    /// Bytes that the kernel shows as `memlock`.
    pub max_memlock: Option<u64>,
    /// Bytes that the machine gives up: charged and uncharged.
    pub max_kernel_memory: Option<u64>,
}

/// Which ceiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Budget {
    Programs,
    Maps,
    Memlock,
    KernelMemory,
}

impl Budget {
    /// Its option on the command line.
    pub fn option(self) -> &'static str {
        match self {
            Budget::Programs => "--max-programs",
            Budget::Maps => "--max-maps",
            Budget::Memlock => "--max-memlock",
            Budget::KernelMemory => "--max-kernel-memory",
        }
    }

    /// Whether its numbers are bytes.
    pub fn in_bytes(self) -> bool {
        match self {
            Budget::Programs | Budget::Maps => false,
            Budget::Memlock | Budget::KernelMemory => true,
        }
    }
}

/// A ceiling that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    pub budget: Budget,
    pub limit: u64,
    pub actual: u64,
}

impl Budgets {
    /// In the order of [`Budget`].
    pub fn exceeded(&self, totals: &Totals) -> Vec<Exceeded> {
        let judged = [
            (Budget::Programs, self.max_programs, totals.programs),
            (Budget::Maps, self.max_maps, totals.maps),
            (Budget::Memlock, self.max_memlock, totals.memory.memlock_bytes),
            (Budget::KernelMemory, self.max_kernel_memory, totals.memory.taken_bytes()),
        ];
        let over = |(budget, limit, actual): (Budget, Option<u64>, u64)| {
            limit.filter(|&limit| actual > limit).map(|limit| Exceeded { budget, limit, actual })
        };
        judged.into_iter().filter_map(over).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_holds_up_to_its_number() {
        let mut totals = Totals { programs: 3, maps: 5, ..Totals::default() };
        totals.memory.charged_bytes = 100;
        totals.memory.uncharged_bytes = 20;
        let at = Budgets {
            max_programs: Some(3),
            max_maps: Some(5),
            max_memlock: Some(0),
            max_kernel_memory: Some(120),
        };
        assert_eq!(at.exceeded(&totals), []);
        let below = Budgets { max_programs: Some(2), max_kernel_memory: Some(119), ..Budgets::default() };
        let programs = Exceeded { budget: Budget::Programs, limit: 2, actual: 3 };
        let memory = Exceeded { budget: Budget::KernelMemory, limit: 119, actual: 120 };
        assert_eq!(below.exceeded(&totals), [programs, memory]);
        assert_eq!(Budgets::default().exceeded(&totals), []);
    }
}
