//! The cgroup table: from a process's ancestors to the set that applies to it.
//!
//! A program looks its ancestor at the lowest level of any workload up, then at the level that the entry names,
//! and so on; the deepest entry with a set wins. So each workload has an entry, and so has each ancestor at
//! which the way to a workload goes on: *next level* of an entry is the smallest level of the workloads below
//! it. A process outside every workload's subtree pays for one lookup.
//!
//! Entries stay where they are for a generation. A workload that went away leaves its entry without a set, so
//! that ways to others are never cut, and ways only ever become longer. What an entry names is written before
//! the entry, and its value before its id, so a program never finds half of it.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::{NodeError, Part, Write};
use crate::artifact::abi::{self, CGROUP_HASH, CGROUP_PROBES, SET_NONE};
use crate::artifact::manifest::NodeRegion;

/// Lookups that a program makes at most (`bpf-templates/scope.h`, NESTED).
pub(super) const LOOKUPS: usize = 5;
/// An entry's next level has 8 bits.
pub(super) const LEVEL_MAX: usize = 255;

/// A workload and its set.
pub(super) struct Place<'a> {
    pub(super) name: &'a str,
    /// Ids of its ancestors from level 1 on, its own last; not empty, without 0.
    pub(super) path: &'a [u64],
    pub(super) set: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Cgroups {
    offset: u32,
    slots: u32,
    /// Every cgroup that is or was a workload's in this generation: name for messages, path, and its set now.
    known: BTreeMap<u64, Known>,
    /// Which slot an id has, and the value there once it is written.
    entries: FxHashMap<u64, (u32, Option<u32>)>,
    /// Id in a slot, 0 = free.
    taken: Vec<u64>,
    lowest: usize,
}

#[derive(Clone, Debug)]
struct Known {
    name: String,
    path: Vec<u64>,
    set: u32,
}

/// An entry as it should be.
struct Target {
    id: u64,
    level: usize,
    value: u32,
    /// Whose way needs it.
    name: String,
}

impl Cgroups {
    pub(super) fn new(region: &NodeRegion) -> Cgroups {
        Cgroups {
            offset: region.cgroups_offset,
            slots: region.cgroup_slots,
            known: BTreeMap::new(),
            entries: FxHashMap::default(),
            taken: vec![0; (region.cgroup_slots + abi::CGROUP_SPARE) as usize],
            lowest: 0,
        }
    }

    /// Makes these workloads, and no others, those that have sets.
    pub(super) fn place(&mut self, places: &[Place<'_>], writes: &mut Vec<Write>) -> Result<(), NodeError> {
        self.known.values_mut().for_each(|known| known.set = SET_NONE);
        for place in places {
            let Some(&id) = place.path.last() else { continue };
            let known = Known { name: place.name.into(), path: place.path.into(), set: place.set };
            self.known.insert(id, known);
        }
        self.check_paths()?;
        let lowest = self.known.values().map(|known| known.path.len()).min().unwrap_or(0);
        if lowest < self.lowest
            && let Some(known) = self.known.values().find(|known| known.path.len() == lowest)
        {
            return Err(NodeError::AboveLowest { workload: known.name.clone() });
        }
        let mut targets = self.targets(lowest)?;
        self.assign_slots(&targets)?;
        // Deepest first: whatever an entry leads to is there before it.
        targets.sort_by_key(|target| (std::cmp::Reverse(target.level), target.id));
        targets.iter().for_each(|target| self.write(target, writes));
        if lowest != self.lowest {
            self.lowest = lowest;
            writes.push(Write::u32(abi::node_header::LOW_LEVEL as u32, lowest as u32));
        }
        Ok(())
    }

    /// A cgroup has one parent, hence one level.
    fn check_paths(&self) -> Result<(), NodeError> {
        let mut parents = BTreeMap::new();
        for known in self.known.values() {
            let mut parent = 0;
            for (level, &id) in known.path.iter().enumerate() {
                if *parents.entry(id).or_insert((parent, level)) != (parent, level) {
                    let reason = format!("cgroup {id} stands elsewhere in another workload's path");
                    return Err(NodeError::Path { workload: known.name.clone(), reason });
                }
                parent = id;
            }
        }
        Ok(())
    }

    /// Every entry, by following the ways from the lowest level to all workloads at once.
    fn targets(&self, lowest: usize) -> Result<Vec<Target>, NodeError> {
        let mut targets = vec![];
        let all: Vec<&Known> = self.known.values().collect();
        let mut open = vec![(lowest, 1, all)];
        while let Some((level, lookups, members)) = open.pop() {
            if level == 0 {
                continue;
            }
            let mut groups: BTreeMap<u64, Vec<&Known>> = BTreeMap::new();
            members.into_iter().for_each(|known| groups.entry(known.path[level - 1]).or_default().push(known));
            for (id, members) in groups {
                let (name, at) = (members[0].name.clone(), self.known.get(&id));
                if lookups > LOOKUPS {
                    return Err(NodeError::TooDeep { workload: name });
                }
                let deeper: Vec<&Known> = members.into_iter().filter(|k| k.path.len() > level).collect();
                let next = deeper.iter().map(|known| known.path.len()).min().unwrap_or(0);
                let value = at.map_or(SET_NONE, |known| known.set) | (next as u32) << 24;
                targets.push(Target { id, level, value, name });
                open.push((next, lookups + 1, deeper));
            }
        }
        Ok(targets)
    }

    /// Slots for the ids that have none. In order of their first choice, each takes the first free one: if
    /// an empty table has a place for all of them at most [`CGROUP_PROBES`] behind their first choice, this
    /// finds it (unit jobs with equal windows, earliest deadline first). No gap lies between a first choice
    /// and its slot, so a lookup may stop at a free one.
    fn assign_slots(&mut self, targets: &[Target]) -> Result<(), NodeError> {
        let mut new: Vec<&Target> = targets.iter().filter(|t| !self.entries.contains_key(&t.id)).collect();
        new.sort_by_key(|target| (home(target.id, self.slots), target.id));
        for target in new {
            let home = home(target.id, self.slots);
            let free = (home..home + CGROUP_PROBES).find(|&slot| self.taken[slot as usize] == 0);
            let Some(slot) = free else {
                return Err(NodeError::Full { workload: target.name.clone(), part: Part::Cgroups });
            };
            self.taken[slot as usize] = target.id;
            self.entries.insert(target.id, (slot, None));
        }
        Ok(())
    }

    fn write(&mut self, target: &Target, writes: &mut Vec<Write>) {
        let Some((slot, value)) = self.entries.get_mut(&target.id) else { return };
        let at = self.offset + *slot * abi::cgroup_slot::SIZE as u32;
        let before = value.replace(target.value);
        if before != Some(target.value) {
            writes.push(Write::u32(at + abi::cgroup_slot::VALUE as u32, target.value));
        }
        if before.is_none() {
            writes.push(Write::u64(at + abi::cgroup_slot::ID as u32, target.id));
        }
    }
}

/// First choice of an id among `slots`, a power of two from 2 on.
fn home(id: u64, slots: u32) -> u32 {
    (id.wrapping_mul(CGROUP_HASH) >> (64 - slots.trailing_zeros())) as u32
}
