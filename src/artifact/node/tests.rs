//! Regions are read the way `bpf-templates/scope.h` and `act.h` read them, and compared with the scope blocks
//! evaluated directly.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::counts::counts;
use super::layout::{OperationBlocks, layout};
use super::sizing::Capacity;
use super::*;
use crate::abi::{ACT_POST, Act, ROW_INVERT, ROW_LIST, Word, u32_at, u64_at};
use crate::manifest::*;
use crate::projection::Projection;
use crate::sample::allowlists;
use crate::scope_block::{Builder, DecisionList, RowRef, ScopeBlock};

// ---- The program --------------------------------------------------------------------------------------------

/// What an event leads to: policies and selectors in order. Quiet means that nothing was looked at further.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    NoSet,
    Quiet,
    Acts(Vec<(u32, u8)>),
}

struct Program<'a> {
    region: &'a NodeRegion,
    heads: u32,
    bytes: &'a mut [u8],
}

impl Program<'_> {
    fn u32(&self, at: u64) -> u32 {
        u32_at(self.bytes, at as usize).unwrap()
    }

    fn masked(&self, reference: u32) -> u64 {
        u64::from(reference & self.region.mask)
    }

    fn set(&self, path: &[u64]) -> u32 {
        let ancestor = |level: u32| path.get(level as usize - 1).copied().unwrap_or(0);
        let (mut set, mut level) = (abi::SET_DEFAULT, self.u32(12));
        for _ in 0..5 {
            if level == 0 || ancestor(level) == 0 {
                break;
            }
            let value = self.lookup(ancestor(level));
            if value & abi::SET_NONE != abi::SET_NONE {
                set = value & abi::SET_NONE;
            }
            level = value >> 24;
        }
        set
    }

    fn lookup(&self, id: u64) -> u32 {
        let log2 = self.region.cgroup_slots.ilog2();
        let mut at = abi::node_header::SIZE as u64 + (id.wrapping_mul(abi::CGROUP_HASH) >> (64 - log2)) * 16;
        for _ in 0..8 {
            let found = u64_at(self.bytes, at as usize).unwrap();
            if found == id {
                return self.u32(at + 8);
            }
            if found == 0 {
                break;
            }
            at += 16;
        }
        abi::SET_NONE
    }

    fn in_row(&self, row: u32, atom: u32) -> bool {
        let at = self.masked(row);
        let bit =
            || u64_at(self.bytes, at as usize + 8 * (atom as usize / 64)).unwrap() >> (atom % 64) & 1 == 1;
        let listed = || (0..self.u32(at)).any(|i| self.u32(at + 4 + 4 * u64::from(i)) == atom);
        (if row & ROW_LIST == 0 { bit() } else { listed() }) ^ (row & ROW_INVERT != 0)
    }

    fn run(&mut self, path: &[u64], atoms: &[u32]) -> Seen {
        let head = self.u32(u64::from(self.heads) + 4 * u64::from(self.set(path)));
        if head == 0 {
            return Seen::NoSet;
        }
        let block = self.masked(head);
        let needs = self.u32(block);
        for (d, &atom) in atoms.iter().enumerate().filter(|(d, _)| needs >> d & 1 == 1) {
            let row = self.u32(block + 8 + 4 * d as u64);
            if row != 0 && self.in_row(row, atom) {
                return Seen::Quiet;
            }
        }
        let mut acts = vec![];
        let mut at = self.masked(self.u32(block + 4)) as usize;
        loop {
            let word = Word::decode(u64_at(self.bytes, at).unwrap()).unwrap();
            at += 8;
            match word {
                Word::End => return Seen::Acts(acts),
                Word::Test { dimension, skip, row } => {
                    assert_eq!(needs >> dimension & 1, 1, "only what is read is tested");
                    if !self.in_row(row, atoms[usize::from(dimension)]) {
                        at += 8 * usize::from(skip);
                    }
                }
                Word::Act(act) => {
                    acts.push((act.record >> 8, act.record as u8));
                    let count = u64_at(self.bytes, at).unwrap() + 1;
                    self.bytes[at..at + 8].copy_from_slice(&count.to_le_bytes());
                    at += 8;
                }
                Word::Skip(skip) => at += 8 * usize::from(skip),
            }
        }
    }
}

// ---- Policies made up for the test ---------------------------------------------------------------------------

#[derive(Clone, Debug)]
struct Selector {
    /// Dimension, atoms, inverted.
    tests: Vec<(u8, BTreeSet<u32>, bool)>,
}

/// One policy of a scope: its lists of selectors.
type Lists = Vec<Vec<Selector>>;

/// The first dimension names 5 values and is read as bits; the second names 3000, only the first 9 of which are
/// tested, and is read in any form.
const ATOMS: [u32; 2] = [5, 3000];
const TESTED: [u32; 2] = [6, 9];

struct Fixture {
    manifest: Manifest,
    blocks: Arc<[ScopeBlocks]>,
    /// By scope.
    policies: Vec<Lists>,
}

/// Every second scope holds the host.
fn holds_host(scope: u32) -> bool {
    scope.is_multiple_of(2)
}

/// Policy of scope s has number 100 + s and rank `count - 1 - s`.
fn fixture(policies: Vec<Lists>, pods: u32) -> Fixture {
    let host = || ScopeTerm::Host(HostTerm { host: true });
    let scope = |number| {
        let pods = selecting(Some(&format!("k{number}")), "x");
        Scope { number, any: if holds_host(number) { vec![host(), pods] } else { vec![pods] } }
    };
    let scopes = (0..policies.len() as u32).map(scope).collect();
    fixture_of(policies, scopes, Capacity { pods, scopes_per_pod: 4 })
}

fn fixture_of(policies: Vec<Lists>, scopes: Vec<Scope>, capacity: Capacity) -> Fixture {
    let dimension = |d: usize, rows, merges_unreadable| Dimension {
        subject: Subject::Argument(d as u32),
        projection: Projection::Whole,
        integer: None,
        family: Table::Path,
        atoms: ATOMS[d],
        root: 0,
        merges_unreadable,
        rows,
    };
    let dimensions = vec![dimension(0, RowForm::Bits, false), dimension(1, RowForm::Any, true)];
    let mut builder = Builder::new(0, 2);
    for (scope, lists) in policies.iter().enumerate().filter(|(_, lists)| !lists.is_empty()) {
        let rank = (policies.len() - 1 - scope) as u32;
        let block = block(&mut builder, 100 + scope as u32, rank, lists);
        builder.scope(scope as u32, &block);
    }
    let blocks = ScopeBlocks::read(&builder.finish(), 0, &ATOMS).unwrap();
    let operations = [OperationBlocks { dimensions: &dimensions, blocks: &blocks }];
    let (node, heads) = layout(capacity, &scopes, &operations).unwrap();
    let mut manifest = allowlists(1, 5, 2).manifest;
    manifest.operations[0].dimensions = dimensions;
    manifest.operations[0].heads_offset = heads[0];
    (manifest.scopes, manifest.node) = (scopes, node);
    let template = manifest.policies.remove(0);
    manifest.policies = (100..100 + policies.len() as u32)
        .map(|number| {
            let mut policy = Policy { number, ..template.clone() };
            let selector = |n: u8| PolicySelector {
                number: n.into(),
                record: record(number, n),
                source: String::new(),
                action: Action::Post,
                rate_limit: None,
            };
            policy.hooks[0].selectors = (0..=u8::MAX).map(selector).collect();
            policy
        })
        .collect();
    Fixture { manifest, blocks: Arc::new([blocks]), policies }
}

fn block(builder: &mut Builder, policy: u32, rank: u32, lists: &Lists) -> ScopeBlock {
    let quiet = (0..2).map(|d| {
        // Behind the tested ones all atoms are alike.
        let known: Vec<bool> = (0..=TESTED[d] + 1).map(|atom| is_quiet(lists, d, atom)).collect();
        let is_quiet = |atom: &u32| known[(*atom).min(TESTED[d] + 1) as usize];
        let quiet: Vec<u32> = (0..=ATOMS[d] + 1).filter(is_quiet).collect();
        (!quiet.is_empty()).then(|| builder.row(&quiet))
    });
    let quiet = quiet.collect();
    let mut first = 0;
    let mut encoded = vec![];
    for list in lists {
        let words = words(builder, policy, first, list);
        encoded.push(DecisionList { rank, first_selector: first.into(), words });
        first += list.len() as u8;
    }
    ScopeBlock { needs: 0b11, quiet, lists: encoded }
}

fn record(policy: u32, selector: u8) -> u32 {
    policy << 8 | u32::from(selector)
}

fn words(builder: &mut Builder, policy: u32, first: u8, list: &[Selector]) -> Vec<u64> {
    let length = |selector: &Selector, last| selector.tests.len() + if last { 2 } else { 3 };
    let is_last = |i: usize| i + 1 == list.len();
    let lengths: Vec<usize> = list.iter().enumerate().map(|(i, s)| length(s, is_last(i))).collect();
    let mut words = vec![];
    for (i, selector) in list.iter().enumerate() {
        for (t, (dimension, atoms, invert)) in selector.tests.iter().enumerate() {
            let row = builder.row(&atoms.iter().copied().collect::<Vec<_>>());
            let row = RowRef { invert: *invert, ..row }.code();
            let skip = (lengths[i] - t - 1) as u16;
            words.push(Word::Test { dimension: *dimension, skip, row }.encode());
        }
        let act = Act { flags: ACT_POST, value: 0, record: record(policy, first + i as u8) };
        words.extend([Word::Act(act).encode(), 0]);
        if !is_last(i) {
            words.push(Word::Skip(lengths[i + 1..].iter().sum::<usize>() as u16).encode());
        }
    }
    words
}

fn acts(lists: &Lists, atoms: [u32; 2]) -> Vec<u8> {
    let mut first = 0;
    let mut acts = vec![];
    for list in lists {
        let holds =
            |s: &Selector| s.tests.iter().all(|(d, set, invert)| set.contains(&atoms[*d as usize]) ^ invert);
        acts.extend(list.iter().position(holds).map(|i| first + i as u8));
        first += list.len() as u8;
    }
    acts
}

/// Atoms that no row mentions are alike: the one behind the tested ones stands for them.
fn is_quiet(lists: &Lists, dimension: usize, atom: u32) -> bool {
    let other = 1 - dimension;
    (0..=TESTED[other] + 1).all(|o| {
        let mut atoms = [0; 2];
        (atoms[dimension], atoms[other]) = (atom, o);
        acts(lists, atoms).is_empty()
    })
}

impl Fixture {
    fn workloads(&self, wanted: &BTreeMap<Vec<u64>, BTreeSet<u32>>) -> Vec<Workload> {
        let workload = |(path, scopes): (&Vec<u64>, &BTreeSet<u32>)| Workload {
            name: format!("{path:?}"),
            path: path.clone(),
            scopes: scopes.iter().copied().collect(),
        };
        wanted.iter().map(workload).collect()
    }

    /// Scopes of a process, straight from the rules.
    fn scopes(&self, wanted: &BTreeMap<Vec<u64>, BTreeSet<u32>>, path: &[u64]) -> BTreeSet<u32> {
        let around: Vec<_> = (1..=path.len()).filter_map(|n| wanted.get(&path[..n])).collect();
        match around.is_empty() {
            true => (0..self.policies.len() as u32).filter(|&s| holds_host(s)).collect(),
            false => around.into_iter().flatten().copied().collect(),
        }
    }

    fn expected(
        &self,
        wanted: &BTreeMap<Vec<u64>, BTreeSet<u32>>,
        path: &[u64],
        atoms: [u32; 2],
    ) -> Vec<(u32, u8)> {
        // Ranks fall with scopes.
        let scopes = self.scopes(wanted, path).into_iter().rev();
        let of_scope =
            |s: u32| acts(&self.policies[s as usize], atoms).into_iter().map(move |n| (100 + s, n));
        scopes.flat_map(of_scope).collect()
    }

    fn run(&self, bytes: &mut [u8], path: &[u64], atoms: [u32; 2]) -> Seen {
        let (region, heads) = (&self.manifest.node, self.manifest.operations[0].heads_offset);
        Program { region, heads, bytes }.run(path, &atoms)
    }

    fn acts(&self, bytes: &mut [u8], path: &[u64], atoms: [u32; 2]) -> Vec<(u32, u8)> {
        match self.run(bytes, path, atoms) {
            Seen::NoSet | Seen::Quiet => vec![],
            Seen::Acts(acts) => acts,
        }
    }
}

// ---- Properties ----------------------------------------------------------------------------------------------

fn some_policies() -> impl Strategy<Value = Vec<Lists>> {
    let test = (0u8..2).prop_flat_map(|d| {
        let atoms = proptest::collection::btree_set(0..=TESTED[d as usize], 0..5);
        (Just(d), atoms, any::<bool>())
    });
    let selector = proptest::collection::vec(test, 0..3).prop_map(|tests| Selector { tests });
    let list = proptest::collection::vec(selector, 1..4);
    proptest::collection::vec(proptest::collection::vec(list, 0..3), 6)
}

/// Ids along a path of a tree with up to three children each, five levels deep.
fn ids(steps: &[u64]) -> Vec<u64> {
    let below = |id: &mut u64, step: &u64| {
        *id = *id * 4 + step + 1;
        Some(*id)
    };
    steps.iter().scan(0u64, below).collect()
}

fn some_path() -> impl Strategy<Value = Vec<u64>> {
    proptest::collection::vec(0u64..3, 1..6).prop_map(|steps| ids(&steps))
}

fn some_workloads() -> impl Strategy<Value = BTreeMap<Vec<u64>, BTreeSet<u32>>> {
    proptest::collection::btree_map(some_path(), proptest::collection::btree_set(0u32..6, 0..4), 0..8)
}

/// A process beside, in and below each workload, and one far away.
fn processes(workloads: &[&BTreeMap<Vec<u64>, BTreeSet<u32>>]) -> Vec<Vec<u64>> {
    let mut paths = vec![vec![], ids(&[2, 2, 2, 2, 2, 2])];
    for path in workloads.iter().flat_map(|w| w.keys()) {
        paths.extend((1..=path.len()).map(|n| path[..n].to_vec()));
        paths.push([path.as_slice(), &[900, 901]].concat());
    }
    paths
}

const EVENTS: [[u32; 2]; 6] = [[0, 0], [1, 1], [2, 3001], [6, 0], [3, 8], [5, 2500]];

proptest! {
    #[test]
    fn every_process_gets_what_its_scopes_say(policies in some_policies(), wanted in some_workloads()) {
        let fixture = fixture(policies, 8);
        let built = Node::new(&fixture.manifest, fixture.blocks.clone(), 7, &fixture.workloads(&wanted), Host::default());
        let node = match built {
            Ok(node) => node,
            Err(NodeError::Full { .. }) => return Ok(()),
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        };
        let mut bytes = node.bytes().to_vec();
        for path in processes(&[&wanted]) {
            for mut atoms in EVENTS {
                let expected = fixture.expected(&wanted, &path, atoms);
                prop_assert_eq!(fixture.acts(&mut bytes, &path, atoms), expected.clone());
                // A walk that cannot tell says 0 where it is 3001: then quiet must mean quiet for both.
                if atoms[1] == 3001 && !expected.is_empty() {
                    atoms[1] = 0;
                    prop_assert_ne!(fixture.run(&mut bytes, &path, atoms) == Seen::Quiet && quiet_by(&fixture, &wanted, &path, atoms), true);
                }
            }
        }
    }

    /// Between any two stores of an update, each process is judged by its old set or by its new one.
    #[test]
    fn updates_never_leave_a_process_unjudged(policies in some_policies(), steps in proptest::collection::vec(some_workloads(), 2..5)) {
        let fixture = fixture(policies, 8);
        let Ok(mut node) = Node::new(&fixture.manifest, fixture.blocks.clone(), 7, &fixture.workloads(&steps[0]), Host::default()) else {
            return Ok(());
        };
        let mut bytes = node.bytes().to_vec();
        let mut old = &steps[0];
        for new in &steps[1..] {
            let before = node.clone();
            let writes = match node.update(&fixture.workloads(new)) {
                Ok(writes) => writes,
                Err(error) => {
                    prop_assert!(error.calls_for_new_generation(), "{}", error);
                    prop_assert_eq!(node.bytes(), before.bytes());
                    continue;
                }
            };
            for write in &writes {
                let at = write.offset as usize;
                bytes[at..at + write.bytes.len()].copy_from_slice(&write.bytes);
                for path in processes(&[old, new]) {
                    for atoms in EVENTS {
                        let acts = fixture.acts(&mut bytes, &path, atoms);
                        let (was, is) = (fixture.expected(old, &path, atoms), fixture.expected(new, &path, atoms));
                        prop_assert!(acts == was || acts == is, "{:?} {:?}: {:?}, not {:?} or {:?}", path, atoms, acts, was, is);
                    }
                }
            }
            for path in processes(&[old, new]) {
                for atoms in EVENTS {
                    prop_assert_eq!(fixture.acts(&mut bytes, &path, atoms), fixture.expected(new, &path, atoms));
                }
            }
            old = new;
        }
    }

    #[test]
    fn counts_of_any_bytes_never_panic(places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u32>()), 0..20)) {
        let fixture = fixture(vec![vec![vec![Selector { tests: vec![] }]]], 4);
        let mut bytes = Node::new(&fixture.manifest, fixture.blocks.clone(), 7, &[], Host::default()).unwrap().bytes().to_vec();
        for (place, value) in places {
            let at = place.index(bytes.len() / 4) * 4;
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        let _ = counts(&fixture.manifest, &bytes);
    }
}

/// Whether the second dimension alone makes it quiet.
fn quiet_by(
    fixture: &Fixture,
    wanted: &BTreeMap<Vec<u64>, BTreeSet<u32>>,
    path: &[u64],
    atoms: [u32; 2],
) -> bool {
    (0..=TESTED[0]).any(|a| !fixture.expected(wanted, path, [a, 3001]).is_empty())
        && fixture.scopes(wanted, path).iter().all(|&s| !is_quiet(&fixture.policies[s as usize], 0, atoms[0]))
}

// ---- Cases ---------------------------------------------------------------------------------------------------

/// Six scopes, each with one policy that acts on everything.
fn plain(pods: u32) -> Fixture {
    fixture(vec![vec![vec![Selector { tests: vec![] }]]; 6], pods)
}

fn workload(steps: &[u64], scopes: &[u32]) -> Workload {
    Workload { name: format!("{steps:?}"), path: ids(steps), scopes: scopes.to_vec() }
}

fn new(fixture: &Fixture, workloads: &[Workload]) -> Result<Node, NodeError> {
    Node::new(&fixture.manifest, fixture.blocks.clone(), 1, workloads, Host::default())
}

#[test]
fn header_says_what_it_is() {
    let fixture = plain(4);
    let node = new(&fixture, &[workload(&[0, 1, 2], &[1])]).unwrap();
    let header: Vec<u32> = (0..4).map(|i| u32_at(node.bytes(), 4 * i).unwrap()).collect();
    assert_eq!(header, [abi::NODE_MAGIC, abi::NODE_ABI, 1, 3]);
    assert_eq!(u32_at(new(&fixture, &[]).unwrap().bytes(), 12), Some(0), "no workload, no level");
}

#[test]
fn default_set_is_for_every_other_cgroup_and_an_empty_set_for_unselected_pods() {
    let fixture = plain(4);
    let mut bytes =
        new(&fixture, &[workload(&[0, 1], &[]), workload(&[0, 2], &[1])]).unwrap().bytes().to_vec();
    let host = vec![(104, 0), (102, 0), (100, 0)];
    assert_eq!(fixture.acts(&mut bytes, &[], [0, 0]), host, "root");
    assert_eq!(fixture.acts(&mut bytes, &ids(&[0]), [0, 0]), host, "above");
    assert_eq!(fixture.acts(&mut bytes, &ids(&[1, 1]), [0, 0]), host, "beside");
    assert_eq!(fixture.run(&mut bytes, &ids(&[0, 1]), [0, 0]), Seen::NoSet);
    assert_eq!(fixture.run(&mut bytes, &ids(&[0, 1, 2]), [0, 0]), Seen::NoSet, "its child");
    assert_eq!(fixture.acts(&mut bytes, &ids(&[0, 2, 0, 0]), [0, 0]), [(101, 0)], "a grandchild");
}

#[test]
fn a_workload_inside_another_has_both_scopes() {
    let fixture = plain(4);
    let inner_first = [workload(&[0, 0, 0], &[1]), workload(&[0], &[3])];
    let mut bytes = new(&fixture, &inner_first).unwrap().bytes().to_vec();
    assert_eq!(fixture.acts(&mut bytes, &ids(&[0, 0, 0]), [0, 0]), [(103, 0), (101, 0)]);
    assert_eq!(fixture.acts(&mut bytes, &ids(&[0, 0]), [0, 0]), [(103, 0)]);
}

#[test]
fn counts_are_summed_over_sets() {
    let fixture = plain(4);
    let workloads = [workload(&[0], &[1]), workload(&[1], &[1, 3])];
    let mut bytes = new(&fixture, &workloads).unwrap().bytes().to_vec();
    for (steps, times) in [(&[0u64], 2), (&[1], 3)] {
        (0..times).for_each(|_| drop(fixture.acts(&mut bytes, &ids(steps), [0, 0])));
    }
    let found = counts(&fixture.manifest, &bytes).unwrap();
    let found: BTreeMap<u32, u64> = found.into_iter().map(|c| (c.policy, c.count)).collect();
    assert_eq!(found, BTreeMap::from([(100, 0), (101, 5), (102, 0), (103, 3), (104, 0)]));
    bytes[0] ^= 1;
    assert!(counts(&fixture.manifest, &bytes).is_err());
    assert!(counts(&fixture.manifest, &bytes[..1000]).is_err());
}

#[test]
fn sets_share_blocks_where_they_do_not_differ() {
    let mut policies = vec![vec![vec![Selector { tests: vec![] }]]; 2];
    policies.push(vec![]);
    let fixture = fixture(policies, 4);
    let node = new(&fixture, &[workload(&[0], &[1]), workload(&[1], &[1, 2])]).unwrap();
    let heads = fixture.manifest.operations[0].heads_offset as usize;
    let head = |set: usize| u32_at(node.bytes(), heads + 4 * set).unwrap();
    assert_ne!(head(0), head(1));
    assert_eq!(head(1), head(2), "scope 2 has no list here");
}

#[test]
fn changing_a_set_is_one_store_and_leaving_too() {
    let fixture = plain(8);
    let mut node = new(&fixture, &[workload(&[0, 0], &[1]), workload(&[0, 1], &[3])]).unwrap();
    let moved = [workload(&[0, 0], &[3]), workload(&[0, 1], &[3])];
    let writes = node.update(&moved).unwrap();
    assert_eq!(writes.iter().map(|w| w.bytes.len()).collect::<Vec<_>>(), [4]);
    assert_eq!(node.update(&moved).unwrap(), []);
    let left = node.update(&moved[1..]).unwrap();
    assert_eq!(left, [Write::u32(writes[0].offset, abi::SET_NONE)]);
    let back = node.update(&moved).unwrap();
    assert_eq!(back, writes, "its slot is still there");
}

#[test]
fn a_new_workload_counts_once_all_of_it_is_there() {
    let fixture = plain(8);
    let mut node = new(&fixture, &[]).unwrap();
    let writes = node.update(&[workload(&[0, 0], &[1])]).unwrap();
    let sizes: Vec<usize> = writes.iter().skip(1).map(|w| w.bytes.len()).collect();
    assert_eq!(sizes, [4, 4, 8, 4, 4], "behind the block: head, nothing yet, id, value, lowest level");
    assert_eq!(writes.last(), Some(&Write::u32(12, 2)));
    assert_eq!((writes[2].offset, writes[4].offset), (writes[3].offset + 8, writes[3].offset + 8));
}

#[test]
fn what_a_generation_cannot_take_asks_for_a_new_one() {
    let fixture = plain(2);
    let mut node = new(&fixture, &[workload(&[0, 0], &[1])]).unwrap();
    let above = node.update(&[workload(&[1], &[1])]).unwrap_err();
    assert!(matches!(above, NodeError::AboveLowest { .. }) && above.calls_for_new_generation());
    let many: Vec<Workload> = (0..100).map(|n| workload(&[0, n], &[1])).collect();
    let full = node.update(&many).unwrap_err();
    assert!(matches!(full, NodeError::Full { part: Part::Cgroups, .. }) && full.calls_for_new_generation());
    let subsets: Vec<Workload> = (0..30u64)
        .map(|n| {
            let scopes: Vec<u32> = (0..5).filter(|s| n >> s & 1 == 1).collect();
            Workload { name: String::new(), path: vec![9, 100 + n], scopes }
        })
        .collect();
    let full = new(&fixture, &subsets).unwrap_err();
    assert!(matches!(full, NodeError::Full { part: Part::Sets | Part::Blocks, .. }), "{full:?}");
    assert!(new(&fixture, &[workload(&[1], &[1])]).is_ok());
}

#[test]
fn workloads_that_cannot_be_are_refused() {
    let fixture = plain(8);
    let refused = |workloads: &[Workload]| {
        let node = new(&fixture, workloads).unwrap();
        node.refused().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    assert!(refused(&[workload(&[], &[1])]).contains("root"));
    assert!(refused(&[Workload { path: vec![5, 0], ..workload(&[0], &[1]) }]).contains("id of 0"));
    assert!(refused(&[Workload { path: (1..=256).collect(), ..workload(&[0], &[1]) }]).contains("deeply"));
    assert!(refused(&[workload(&[0], &[1]), workload(&[0], &[3])]).contains("as well"));
    assert!(refused(&[workload(&[0], &[9])]).contains("no scope 9"));
    let elsewhere = Workload { path: vec![77, ids(&[0])[0]], ..workload(&[1], &[1]) };
    assert!(refused(&[workload(&[0, 0], &[1]), elsewhere]).contains("elsewhere"));
    let nested =
        |depth: usize| -> Vec<Workload> { (1..=depth).map(|n| workload(&vec![0; n], &[1])).collect() };
    assert_eq!(refused(&nested(5)), "");
    assert!(refused(&nested(6)).contains("levels"));
}

/// Tetragon takes 127 policies with workloads; here each scope has one policy that acts on everything.
#[test]
fn a_set_holds_as_many_scopes_as_there_are() {
    let fixture = fixture(vec![vec![vec![Selector { tests: vec![] }]]; 300], 4);
    let all: Vec<u32> = (0..300).collect();
    let mut bytes = new(&fixture, &[workload(&[0], &all)]).unwrap().bytes().to_vec();
    let everyone: Vec<(u32, u8)> = (0..300).rev().map(|scope| (100 + scope, 0)).collect();
    assert_eq!(fixture.acts(&mut bytes, &ids(&[0]), [0, 0]), everyone);
    let host: Vec<(u32, u8)> = everyone.into_iter().filter(|(policy, _)| policy % 2 == 0).collect();
    assert_eq!(fixture.acts(&mut bytes, &[], [0, 0]), host);
}

/// Its second hook has the first scope, as two `matchWorkloads` in the order of their keys may give.
#[test]
fn hooks_of_one_policy_run_in_their_order_whatever_their_scopes() {
    let mut fixture = fixture(vec![vec![]; 2], 4);
    let mut builder = Builder::new(0, 2);
    for (scope, first_selector) in [(0, 1), (1, 0)] {
        let record = record(100, first_selector as u8);
        let act = Word::Act(Act { flags: ACT_POST, value: 0, record }).encode();
        let lists = vec![DecisionList { rank: 0, first_selector, words: vec![act, 0] }];
        builder.scope(scope, &ScopeBlock { needs: 0, quiet: vec![None; 2], lists });
    }
    fixture.blocks = Arc::new([ScopeBlocks::read(&builder.finish(), 0, &ATOMS).unwrap()]);
    let mut bytes = new(&fixture, &[workload(&[0], &[0, 1])]).unwrap().bytes().to_vec();
    assert_eq!(fixture.acts(&mut bytes, &ids(&[0]), [0, 0]), [(100, 0), (100, 1)]);
}

/// As many rounds as a program's loop has: one more list, and what is behind it would be passed over in silence.
#[test]
fn more_words_than_a_program_runs_are_refused_and_the_workload_named() {
    let template = include_str!("../../../bpf-templates/act.h");
    assert!(template.contains("#define ACT_ROUNDS (1 << 20)"));
    assert_eq!(abi::SET_WORDS_MAX, 1 << 20);
    let mut fixture = fixture(vec![vec![]; 4], 4);
    let act = Word::Act(Act { flags: ACT_POST, value: 0, record: 0 }).encode();
    let mut builder = Builder::new(0, 2);
    for (rank, scope) in [1, 3].into_iter().enumerate() {
        let words = [act, 0].repeat(abi::SET_WORDS_MAX / 4);
        let lists = vec![DecisionList { rank: rank as u32, first_selector: 0, words }];
        builder.scope(scope, &ScopeBlock { needs: 0, quiet: vec![None; 2], lists });
    }
    fixture.blocks = Arc::new([ScopeBlocks::read(&builder.finish(), 0, &ATOMS).unwrap()]);
    let operations = [OperationBlocks {
        dimensions: &fixture.manifest.operations[0].dimensions,
        blocks: &fixture.blocks[0],
    }];
    let capacity = Capacity { pods: 4, scopes_per_pod: 4 };
    fixture.manifest.node = layout(capacity, &fixture.manifest.scopes, &operations).unwrap().0;
    let across = [workload(&[0], &[1]), workload(&[0, 0], &[3])];
    let node = new(&fixture, &across).unwrap();
    // With its END one too many.
    let words = abi::SET_WORDS_MAX + 1;
    assert_eq!(node.refused(), [NodeError::TooManyWords { workload: "[0, 0]".into(), operation: 0, words }]);
    assert!(!node.refused()[0].calls_for_new_generation());
}

/// Whatever is wrong with one of them.
#[test]
fn a_refused_workload_never_stops_the_others() {
    let fixture = plain(8);
    let good = [workload(&[0, 0], &[1]), workload(&[0, 1], &[3])];
    let bad = [
        workload(&[], &[1]),
        Workload { path: vec![5, 0], ..workload(&[0], &[1]) },
        workload(&[0, 1], &[5]),
        workload(&[1, 1], &[9]),
        Workload { path: vec![77, ids(&[0])[0], 1000], ..workload(&[1], &[1]) },
    ];
    let list = [&bad[..2], &good, &bad[2..]].concat();
    let mut node = new(&fixture, &list).unwrap();
    assert_eq!(node.refused().len(), bad.len());
    let mut bytes = node.bytes().to_vec();
    assert_eq!(fixture.acts(&mut bytes, &ids(&[0, 0]), [0, 0]), [(101, 0)]);
    assert_eq!(fixture.acts(&mut bytes, &ids(&[0, 1]), [0, 0]), [(103, 0)]);
    assert_eq!(
        fixture.acts(&mut bytes, &ids(&[1, 1]), [0, 0]),
        [(104, 0), (102, 0), (100, 0)],
        "as the host"
    );
    let deep: Vec<Workload> = (1..=7).map(|n| workload(&vec![2; n], &[1])).collect();
    let mut with_deep = new(&fixture, &[deep, good.to_vec()].concat()).unwrap();
    let too_deep = |n: usize| NodeError::TooDeep { workload: format!("{:?}", vec![2; n]) };
    assert_eq!(with_deep.refused(), [too_deep(6), too_deep(7)]);
    // What it had is better than nothing.
    node.update(&[workload(&[0, 0], &[1, 9]), good[1].clone()]).unwrap();
    assert_eq!(node.refused(), [NodeError::UnknownScope { workload: "[0, 0]".into(), scope: 9 }]);
    let mut bytes = node.bytes().to_vec();
    assert_eq!(fixture.acts(&mut bytes, &ids(&[0, 0]), [0, 0]), [(101, 0)]);
    with_deep.update(&good).unwrap();
    assert_eq!(with_deep.refused(), []);
}

#[test]
fn where_a_region_cannot_grow_what_fits_is_entered() {
    let fixture = plain(2);
    let many: Vec<Workload> = (0..100).map(|n| workload(&[0, n], &[1])).collect();
    let node =
        Node::new_of_what_fits(&fixture.manifest, fixture.blocks.clone(), 1, &many, Host::default()).unwrap();
    let (taken, mut bytes) = (100 - node.refused().len(), node.bytes().to_vec());
    let is_in = |bytes: &mut Vec<u8>, n: &u64| fixture.acts(bytes, &ids(&[0, *n]), [0, 0]) == [(101, 0)];
    assert_eq!((0..100).filter(|n| is_in(&mut bytes, n)).count(), taken);
    assert!((2..100).contains(&taken), "{taken}");
}

/// As often as it takes, each time with twice as much of what was full.
fn new_or_grown(fixture: &mut Fixture, workloads: &[Workload]) -> (Node, usize) {
    for times in 0.. {
        match new(fixture, workloads) {
            Ok(node) => return (node, times),
            Err(NodeError::Full { part, .. }) => fixture.manifest = fixture.manifest.grown(part).unwrap(),
            Err(error) => panic!("{error}"),
        }
    }
    unreachable!()
}

#[test]
fn a_region_grows_until_a_list_fits() {
    let mut fixture = plain(2);
    let before = fixture.manifest.node.clone();
    let every_set = |n: u64| (0..6).filter(|s| n >> s & 1 == 1).collect::<Vec<u32>>();
    let list: Vec<Workload> = (0..64u64)
        .map(|n| Workload { name: format!("{n}"), path: vec![9, 100 + n], scopes: every_set(n) })
        .collect();
    let (node, times) = new_or_grown(&mut fixture, &list);
    assert!(times > 1 && fixture.manifest.node.sets > before.sets && node.refused().is_empty());
    let mut bytes = node.bytes().to_vec();
    for n in 0..64u64 {
        let expected: Vec<(u32, u8)> = every_set(n).into_iter().rev().map(|scope| (100 + scope, 0)).collect();
        assert_eq!(fixture.acts(&mut bytes, &[9, 100 + n], [0, 0]), expected);
    }
    let too_large = (0..40).try_fold(fixture.manifest.clone(), |manifest, _| manifest.grown(Part::Blocks));
    assert!(too_large.is_none());
}

// ---- The guarantee -------------------------------------------------------------------------------------------

/// A policy that tests both dimensions, each one others.
fn tests_both(number: u32) -> Lists {
    let atoms = |d: u8, max: u32| (d, (0..4).map(|n| (number * 7 + n * 3) % (max + 1)).collect(), false);
    vec![vec![Selector { tests: vec![atoms(0, TESTED[0]), atoms(1, TESTED[1])] }; 2]]
}

fn selecting(key: Option<&str>, value: &str) -> ScopeTerm {
    let label = |key: &str| LabelRequirement { key: key.into(), op: LabelOp::In, values: vec![value.into()] };
    ScopeTerm::Pods(PodTerm {
        namespace: key.is_none().then(|| value.to_string()),
        pod: key.map(label).into_iter().collect(),
        container: vec![],
    })
}

/// Policies for so many namespaces, applications and teams.
fn cluster(namespaces: u32, apps: u32, teams: u32, pods: u32) -> Fixture {
    let of = |key: Option<&'static str>, n: u32| (0..n).map(move |i| selecting(key, &format!("v{i}")));
    let terms = of(None, namespaces).chain(of(Some("app"), apps)).chain(of(Some("team"), teams));
    let scopes: Vec<Scope> =
        terms.enumerate().map(|(n, term)| Scope { number: n as u32, any: vec![term] }).collect();
    let policies = (0..scopes.len() as u32).map(tests_both).collect();
    fixture_of(policies, scopes, Capacity { pods, scopes_per_pod: 4 })
}

/// As kubelet lays them out: three containers a pod, most of them one level deeper than the guaranteed ones.
fn containers(pod: u64, scopes: &[u32]) -> Vec<Workload> {
    let around = if pod.is_multiple_of(3) { vec![1000] } else { vec![1000, 1001 + pod % 2] };
    let path = |n: u64| [around.as_slice(), &[2000 + 60 * pod, 2001 + 60 * pod + 20 * n]].concat();
    (0..3).map(|n| Workload { name: format!("pod {pod}"), path: path(n), scopes: scopes.to_vec() }).collect()
}

/// Regions that once had no room: at pod 45 of 110, 180 of 250, 3 of 4, and below 300 of 400.
#[test]
fn as_many_pods_as_compiled_for_fit_whatever_selects_them() {
    for (namespaces, apps, teams, pods) in [
        (20, 60, 10, 110),
        (0, 300, 20, 250),
        (0, 4, 2, 4),
        (0, 300, 20, 400),
        (20, 60, 10, 400),
        (40, 0, 0, 110),
    ] {
        let fixture = cluster(namespaces, apps, teams, pods);
        for step in [1u32, 7, 31] {
            let one = |first: u32, n: u32, i: u32| (n > 0).then(|| first + i % n);
            let workloads: Vec<Workload> = (0..pods)
                .flat_map(|pod| {
                    let i = pod * step;
                    let scopes = [
                        one(0, namespaces, i),
                        one(namespaces, apps, i / 2 + pod),
                        one(namespaces + apps, teams, i / 3 + pod / 5),
                    ];
                    containers(pod.into(), &scopes.into_iter().flatten().collect::<Vec<_>>())
                })
                .collect();
            let node = new(&fixture, &workloads)
                .unwrap_or_else(|e| panic!("{namespaces} {apps} {teams} {pods}: {e}"));
            assert_eq!(node.refused(), []);
        }
    }
}

/// 40 policies that spare pods by a label each: a pod without labels is in all of them, and so is the next one.
#[test]
fn pods_without_labels_fit_whatever_selects_them() {
    let absent = |key: String| LabelRequirement { key, op: LabelOp::DoesNotExist, values: vec![] };
    let scope = |n: u32| {
        let term = PodTerm { namespace: None, pod: vec![absent(format!("exempt-{n}"))], container: vec![] };
        Scope { number: n, any: vec![ScopeTerm::Pods(term)] }
    };
    for pods in [1, 4, 110] {
        let capacity = Capacity { pods, scopes_per_pod: 1 };
        let fixture = fixture_of((0..40).map(tests_both).collect(), (0..40).map(scope).collect(), capacity);
        let all: Vec<u32> = (0..40).collect();
        let workloads: Vec<Workload> = (0..pods).flat_map(|pod| containers(pod.into(), &all)).collect();
        assert_eq!(new(&fixture, &workloads).unwrap().refused(), []);
    }
}

proptest! {
    /// At the edge: as many pods as there may be, each in as many scopes as it may be, all of them different.
    #[test]
    fn the_guarantee_holds(
        policies in proptest::collection::vec(some_policies(), 2),
        everywhere in proptest::collection::vec(any::<bool>(), 12),
        pods in 1u32..12,
        scopes_per_pod in 1u32..4,
        chosen in proptest::collection::vec(proptest::collection::btree_set(0u32..12, 0..4), 12),
    ) {
        let free = |n: u32| selecting(Some(&format!("k{n}")), "x");
        let all = || ScopeTerm::Pods(PodTerm { namespace: None, pod: vec![], container: vec![] });
        let term = |n: u32| if everywhere[n as usize] && n.is_multiple_of(4) { all() } else { free(n) };
        let scopes: Vec<Scope> = (0..12).map(|n| Scope { number: n, any: vec![term(n)] }).collect();
        let always: Vec<u32> = scopes.iter().filter(|s| s.any == [all()]).map(|s| s.number).collect();
        let fixture = fixture_of(policies.concat(), scopes, Capacity { pods, scopes_per_pod });
        let workload = |(pod, chosen): (usize, &BTreeSet<u32>)| {
            let own = chosen.iter().filter(|s| !always.contains(s)).take(scopes_per_pod as usize);
            let scopes: BTreeSet<u32> = own.chain(&always).copied().collect();
            containers(pod as u64, &scopes.into_iter().collect::<Vec<_>>())
        };
        let workloads: Vec<Workload> = chosen.iter().take(pods as usize).enumerate().flat_map(workload).collect();
        prop_assert!(new(&fixture, &workloads).is_ok());
    }
}

/// The claim's node: 1000 policies of ten paths out of 500, 110 pods with two containers each.
#[test]
fn the_region_of_a_thousand_allowlists_has_32_kib() {
    let sample = allowlists(1000, 500, 10);
    let artifact = crate::read::Artifact::from_parts(
        &sample.manifest.to_json(),
        crate::sample::REPORT.to_vec(),
        |file| Ok(sample.files.get(file).unwrap().to_vec()),
    )
    .unwrap();
    let node = &artifact.manifest.node;
    assert_eq!((node.mask | 7) + 1, 32 * 1024);
    assert_eq!((node.cgroup_slots, node.sets, node.blocks_offset), (1024, 152, 17_240));
    let containers = (0..220u64).map(|n| Workload {
        name: format!("pod {}", n / 2),
        // kubepods, quality of service, pod, container; every third pod one level higher.
        path: match n / 2 % 3 {
            0 => vec![1000, 2000 + n / 2, 5000 + n],
            _ => vec![1000, 1001, 2000 + n / 2, 5000 + n],
        },
        scopes: vec![(n / 2 * 9) as u32],
    });
    let containers: Vec<Workload> = containers.collect();
    let mut node =
        Node::new(&artifact.manifest, artifact.scope_blocks.clone(), 1, &containers, Host::default())
            .unwrap();
    let new_pod = Workload { name: "late".into(), path: vec![1000, 3000, 6000], scopes: vec![998] };
    node.update(&[containers, vec![new_pod]].concat()).unwrap();
}
