//! Regions are read the way `bpf-templates/scope.h` and `act.h` read them, and compared with the scope blocks
//! evaluated directly.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::counts::counts;
use super::layout::{OperationBlocks, layout};
use super::*;
use crate::abi::{ACT_POST, Act, ROW_INVERT, ROW_LIST, Word, u32_at, u64_at};
use crate::manifest::*;
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
        let mut at = 64 + (id.wrapping_mul(abi::CGROUP_HASH) >> (64 - log2)) * 16;
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
                    acts.push((act.policy, act.selector));
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
    let dimension = |d: usize, rows, merges_unreadable| Dimension {
        subject: Subject::Argument(d as u32),
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
    let host = || ScopeTerm::Host(HostTerm { host: true });
    let scope = |number| Scope { number, any: if holds_host(number) { vec![host()] } else { vec![] } };
    let scopes: Vec<Scope> = (0..policies.len() as u32).map(scope).collect();
    let operations = [OperationBlocks { dimensions: &dimensions, blocks: &blocks }];
    let (node, heads) = layout(pods, &scopes, &operations).unwrap();
    let mut manifest = allowlists(1, 5, 2).manifest;
    manifest.operations[0].dimensions = dimensions;
    manifest.operations[0].heads_offset = heads[0];
    (manifest.scopes, manifest.node) = (scopes, node);
    Fixture { manifest, blocks: Arc::new([blocks]), policies }
}

fn block(builder: &mut Builder, policy: u32, rank: u32, lists: &Lists) -> ScopeBlock {
    let quiet = (0..2).map(|d| {
        let quiet: Vec<u32> = (0..=ATOMS[d] + 1).filter(|&atom| is_quiet(lists, d, atom)).collect();
        (!quiet.is_empty()).then(|| builder.row(&quiet))
    });
    let quiet = quiet.collect();
    let mut first = 0;
    let mut encoded = vec![];
    for list in lists {
        encoded.push(DecisionList { rank, words: words(builder, policy, first, list) });
        first += list.len() as u8;
    }
    ScopeBlock { needs: 0b11, quiet, lists: encoded }
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
        let act = Act { flags: ACT_POST, selector: first + i as u8, value: 0, policy };
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
        let built = Node::new(&fixture.manifest, fixture.blocks.clone(), 7, &fixture.workloads(&wanted), None);
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
        let Ok(mut node) = Node::new(&fixture.manifest, fixture.blocks.clone(), 7, &fixture.workloads(&steps[0]), None) else {
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
        let mut bytes = Node::new(&fixture.manifest, fixture.blocks.clone(), 7, &[], None).unwrap().bytes().to_vec();
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
    Node::new(&fixture.manifest, fixture.blocks.clone(), 1, workloads, None)
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
    let refused = |workloads: &[Workload]| new(&fixture, workloads).unwrap_err().to_string();
    assert!(refused(&[workload(&[], &[1])]).contains("root"));
    assert!(refused(&[Workload { path: vec![5, 0], ..workload(&[0], &[1]) }]).contains("id of 0"));
    assert!(refused(&[Workload { path: (1..=256).collect(), ..workload(&[0], &[1]) }]).contains("deeply"));
    assert!(refused(&[workload(&[0], &[1]), workload(&[0], &[3])]).contains("as well"));
    assert!(refused(&[workload(&[0], &[9])]).contains("no scope 9"));
    let elsewhere = Workload { path: vec![77, ids(&[0])[0]], ..workload(&[1], &[1]) };
    assert!(refused(&[workload(&[0, 0], &[1]), elsewhere]).contains("elsewhere"));
    let nested =
        |depth: usize| -> Vec<Workload> { (1..=depth).map(|n| workload(&vec![0; n], &[1])).collect() };
    assert!(new(&fixture, &nested(5)).is_ok());
    assert!(refused(&nested(6)).contains("levels"));
}

#[test]
fn more_scopes_than_a_set_holds_are_refused_and_the_workload_named() {
    let fixture = fixture(vec![vec![]; 40], 4);
    let scopes = |n: u32| -> Vec<u32> { (0..n).collect() };
    assert!(new(&fixture, &[workload(&[0], &scopes(32))]).is_ok());
    let refused = new(&fixture, &[workload(&[0], &scopes(33))]).unwrap_err();
    assert_eq!(refused, NodeError::TooManyScopes { workload: "[0]".into(), scopes: 33 });
    let across = [workload(&[0], &scopes(20)), workload(&[0, 0], &(20..40).collect::<Vec<_>>())];
    let refused = new(&fixture, &across).unwrap_err();
    assert_eq!(refused, NodeError::TooManyScopes { workload: "[0, 0]".into(), scopes: 40 });
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
    assert_eq!((node.cgroup_slots, node.sets, node.blocks_offset), (1024, 152, 17_184));
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
        Node::new(&artifact.manifest, artifact.scope_blocks.clone(), 1, &containers, None).unwrap();
    let new_pod = Workload { name: "late".into(), path: vec![1000, 3000, 6000], scopes: vec![998] };
    node.update(&[containers, vec![new_pod]].concat()).unwrap();
}
