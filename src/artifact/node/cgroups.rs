//! The cgroup table: from a process's ancestors to the set that applies to it.
//!
//! A program looks its ancestor at the lowest level of any workload up, then at the level that the entry names,
//! and so on; the deepest entry with a set wins. So each workload has an entry, and so has each ancestor at
//! which the way to a workload goes on: *next level* of an entry is the smallest level of the workloads below
//! it. A process outside every workload's subtree pays for one lookup.
//!
//! Entries stay where they are for a generation. A workload that went away leaves its entry without a set, so
//! that ways to others are never cut, and ways only ever become longer. New entries are first written so that
//! they say what a missing one says, all of them: a slot still free would hide those behind it. Then every
//! change of meaning is one store of an entry's value; for their order see `turn`.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::{NodeError, Part, Write};
use crate::abi::{self, CGROUP_HASH, CGROUP_PROBES, SET_NONE};
use crate::manifest::NodeRegion;

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
    entries: FxHashMap<u64, Entry>,
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

impl Known {
    fn id(&self) -> u64 {
        self.path.last().copied().unwrap_or(0)
    }
}

/// An entry as it is: where its value stands.
#[derive(Clone, Debug)]
struct Entry {
    at: u32,
    value: u32,
}

/// An entry as it should be.
struct Target {
    id: u64,
    level: usize,
    value: u32,
    /// Whose way needs it.
    name: String,
    workload: u64,
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

    /// The set that a workload's cgroup has now.
    pub(super) fn set_of(&self, id: u64) -> Option<u32> {
        self.known.get(&id).map(|known| known.set).filter(|&set| set != SET_NONE)
    }

    /// Makes these workloads, and no others, those that have sets. With an error comes the cgroup of the workload
    /// without which there would not be this one.
    pub(super) fn place(
        &mut self,
        places: &[Place<'_>],
        writes: &mut Vec<Write>,
    ) -> Result<(), (u64, NodeError)> {
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
            return Err((known.id(), NodeError::AboveLowest { workload: known.name.clone() }));
        }
        let mut targets = self.targets(lowest)?;
        self.assign_slots(&targets, writes)?;
        targets.sort_by_key(|target| (self.turn(target), target.id));
        targets.iter().for_each(|target| self.store(target, writes));
        if lowest != self.lowest {
            self.lowest = lowest;
            writes.push(Write::u32(abi::node_header::LOW_LEVEL as u32, lowest as u32));
        }
        Ok(())
    }

    /// A cgroup has one parent, hence one level. Those that went away come first: they were right.
    fn check_paths(&self) -> Result<(), (u64, NodeError)> {
        let mut parents = BTreeMap::new();
        let (went, are) = (|k: &&Known| k.set == SET_NONE, |k: &&Known| k.set != SET_NONE);
        for known in self.known.values().filter(went).chain(self.known.values().filter(are)) {
            let mut parent = 0;
            for (level, &id) in known.path.iter().enumerate() {
                if *parents.entry(id).or_insert((parent, level)) != (parent, level) {
                    let reason = format!("cgroup {id} stands elsewhere in another workload's path");
                    return Err((known.id(), NodeError::Path { workload: known.name.clone(), reason }));
                }
                parent = id;
            }
        }
        Ok(())
    }

    /// Every entry, by following the ways from the lowest level to all workloads at once.
    fn targets(&self, lowest: usize) -> Result<Vec<Target>, (u64, NodeError)> {
        let mut targets = vec![];
        let all: Vec<&Known> = self.known.values().collect();
        let mut open = vec![(lowest, 1, all)];
        while let Some((level, lookups, members)) = open.pop() {
            if level == 0 {
                continue;
            }
            let mut groups: BTreeMap<u64, Vec<&Known>> = BTreeMap::new();
            members
                .into_iter()
                .for_each(|known| groups.entry(known.path[level - 1]).or_default().push(known));
            for (id, members) in groups {
                let (name, at) = (members[0].name.clone(), self.known.get(&id));
                if lookups > LOOKUPS {
                    let current = members.iter().find(|known| known.set != SET_NONE);
                    let blamed = current.unwrap_or(&members[0]);
                    return Err((blamed.id(), NodeError::TooDeep { workload: blamed.name.clone() }));
                }
                let members_id = members[0].id();
                let deeper: Vec<&Known> = members.into_iter().filter(|k| k.path.len() > level).collect();
                let next = deeper.iter().map(|known| known.path.len()).min().unwrap_or(0);
                let value = at.map_or(SET_NONE, |known| known.set) | (next as u32) << 24;
                targets.push(Target { id, level, value, name, workload: members_id });
                open.push((next, lookups + 1, deeper));
            }
        }
        Ok(targets)
    }

    /// Slots for the ids that have none. In order of their first choice, each takes the first free one: if
    /// an empty table has a place for all of them at most [`CGROUP_PROBES`] behind their first choice, this
    /// finds it (unit jobs with equal windows, earliest deadline first). No gap lies between a first choice
    /// and its slot, so a lookup may stop at a free one.
    fn assign_slots(&mut self, targets: &[Target], writes: &mut Vec<Write>) -> Result<(), (u64, NodeError)> {
        let mut new: Vec<&Target> = targets.iter().filter(|t| !self.entries.contains_key(&t.id)).collect();
        new.sort_by_key(|target| (home(target.id, self.slots), target.id));
        for target in new {
            let home = home(target.id, self.slots);
            let free = (home..home + CGROUP_PROBES).find(|&slot| self.taken[slot as usize] == 0);
            let Some(slot) = free else {
                let full = NodeError::Full { workload: target.name.clone(), part: Part::Cgroups };
                return Err((target.workload, full));
            };
            self.taken[slot as usize] = target.id;
            let at = self.value_offset(slot);
            self.entries.insert(target.id, Entry { at, value: SET_NONE });
            writes.push(Write::u32(at, SET_NONE));
            writes.push(Write::u64(at - abi::cgroup_slot::VALUE as u32, target.id));
        }
        Ok(())
    }

    /// When an entry's value is stored, so that a process has its old set or its new one at every moment.
    /// First what gets a set or only leads on, deepest first: whatever an entry leads to is there before it,
    /// and who gets a set of his own does not see the outer one change. Then what loses its set, from the top
    /// down: who falls back to an outer set finds the new one.
    fn turn(&self, target: &Target) -> (bool, isize) {
        let has_none = |value: u32| value & SET_NONE == SET_NONE;
        let before = self.entries.get(&target.id).map_or(SET_NONE, |entry| entry.value);
        let loses = !has_none(before) && has_none(target.value);
        (loses, if loses { target.level as isize } else { -(target.level as isize) })
    }

    fn store(&mut self, target: &Target, writes: &mut Vec<Write>) {
        let Some(entry) = self.entries.get_mut(&target.id) else { return };
        if entry.value != target.value {
            entry.value = target.value;
            writes.push(Write::u32(entry.at, entry.value));
        }
    }

    fn value_offset(&self, slot: u32) -> u32 {
        self.offset + slot * abi::cgroup_slot::SIZE as u32 + abi::cgroup_slot::VALUE as u32
    }
}

/// First choice of an id among `slots`, a power of two from 2 on.
fn home(id: u64, slots: u32) -> u32 {
    (id.wrapping_mul(CGROUP_HASH) >> (64 - slots.trailing_zeros())) as u32
}
