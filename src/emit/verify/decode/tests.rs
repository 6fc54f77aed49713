//! Damage: whatever the bytes are, the answer is an error or a table that is right in itself.

use proptest::prelude::*;

use super::*;
use crate::artifact::abi::{Act, Word};
use crate::artifact::evaluate::{self, TextMatch};
use crate::emit::lower::tables::automaton;
use crate::emit::lower::tables::blob::Blob;
use crate::emit::lower::tables::trie::{self, Direction};
use crate::emit::lower::tables::{self, intervals};

/// A region with one table of each kind.
struct Sample {
    bytes: Vec<u8>,
    paths: u32,
    prefixes: u32,
    postfixes: u32,
    ints: u32,
}

const PATHS: u32 = 40;
const TEXTS: u32 = 6;
const INTS: u32 = 5;

fn sample() -> Result<Sample, tables::TableError> {
    let mut blob = Blob::tables();
    let mut names: Vec<String> =
        (0..36).map(|i| format!("/{}/{}", ["bin", "usr/bin"][i % 2], i * i)).collect();
    names.extend(["/bin/sh", "/usr/bin/sh", "/sh", "/a-name-of-more-than-one-word/x"].map(String::from));
    let paths = automaton::build(&mut blob, &names)?.root;
    let texts = ["/usr/", "/usr/bin", "/", "/opt/a", "/opt/b", ""];
    let prefixes = trie::build(&mut blob, &texts, Direction::Forward)?;
    let postfixes = trie::build(&mut blob, &texts, Direction::Backward)?;
    let points = [1, 5, 9, 1 << 40, u64::MAX].map(Interval::point);
    let ints = intervals::build(&mut blob, &points)?;
    Ok(Sample { bytes: blob.finish().bytes, paths, prefixes, postfixes, ints })
}

fn decode_all(bytes: &[u8], sample: &Sample) -> Result<(Values, Values, Values, Vec<Interval>), DecodeError> {
    let tables = Tables::open(bytes)?;
    let paths = tables.paths(sample.paths, PATHS)?;
    let prefixes = tables.texts(sample.prefixes, TEXTS, false)?;
    let postfixes = tables.texts(sample.postfixes, TEXTS, true)?;
    let ints = tables.pieces(sample.ints, INTS)?;
    Ok((paths, prefixes, postfixes, ints))
}

/// What is decoded is found by the steps of a program, and under the same atom.
fn check_agreement(bytes: &[u8], sample: &Sample, decoded: &(Values, Values, Values, Vec<Interval>)) {
    let tables = evaluate::Tables::open(bytes).unwrap();
    for (i, path) in (1..).zip(decoded.0.iter()) {
        assert_eq!(tables.path(sample.paths, path), Ok(i));
    }
    for (i, text) in (1..).zip(decoded.1.iter()) {
        assert_eq!(tables.text(sample.prefixes, text, TextMatch::Equal), Ok(i));
    }
    for (i, text) in (1..).zip(decoded.2.iter()) {
        assert_eq!(tables.text(sample.postfixes, text, TextMatch::Postfix), Ok(i));
    }
    for (i, value) in (1..).zip(&decoded.3) {
        assert_eq!(tables.int(sample.ints, value.last), Ok(i));
    }
}

#[test]
fn a_whole_region_is_read_and_agrees() {
    let sample = sample().unwrap();
    let decoded = decode_all(&sample.bytes, &sample).unwrap();
    assert_eq!(decoded.3, [1, 5, 9, 1 << 40, u64::MAX].map(Interval::point));
    check_agreement(&sample.bytes, &sample, &decoded);
    let one_more = Tables::open(&sample.bytes).unwrap().paths(sample.paths, PATHS + 1);
    assert_eq!(one_more, Err(DecodeError::Count { expected: PATHS + 1, found: u64::from(PATHS) }));
}

/// One table as another: refused or read, never a panic.
#[test]
fn references_of_other_tables() {
    let sample = sample().unwrap();
    let tables = Tables::open(&sample.bytes).unwrap();
    let evaluated = evaluate::Tables::open(&sample.bytes).unwrap();
    for reference in 0..sample.bytes.len() as u32 + 16 {
        for expected in [0, 1, PATHS] {
            let _ = tables.paths(reference, expected);
            let _ = tables.texts(reference, expected, false);
            let _ = tables.pieces(reference, expected);
        }
        let _ = evaluated.path(reference, b"/usr/bin/sh");
        let _ = evaluated.text(reference, b"/usr/bin/sh", TextMatch::Prefix);
        let _ = evaluated.int(reference, 5);
        let _ = evaluate::row_holds(&sample.bytes, reference, 7);
    }
}

/// A hand-made edge at an offset of its own.
fn put_edge(blob: &mut Blob, name: &[u8], next: u32, weight: u32) -> u32 {
    let mut bytes = vec![];
    bytes.extend(next.to_le_bytes());
    bytes.extend(abi::len_weight(name.len() as u8, weight).to_le_bytes());
    bytes.extend(abi::last_word_mask(name.len()).to_le_bytes());
    bytes.extend(name);
    blob.put(&bytes).unwrap()
}

fn decoded_paths(blob: Blob, root: u32, expected: u32) -> Result<Vec<Vec<u8>>, DecodeError> {
    let region = blob.finish();
    let values = Tables::open(&region.bytes)?.paths(root, expected)?;
    Ok(values.iter().map(<[u8]>::to_vec).collect())
}

#[test]
fn edges_by_hand() {
    const LEAF: u32 = abi::EDGE_NONE | abi::EDGE_ACCEPT;
    let mut blob = Blob::tables();
    let bin = put_edge(&mut blob, b"bin", LEAF, 0);
    let sh = put_edge(&mut blob, b"sh", bin | abi::EDGE_MORE, 0);
    put_edge(&mut blob, b"ls", LEAF, 1);
    assert_eq!(decoded_paths(blob.clone(), sh, 2), Ok(vec![b"/bin/sh".to_vec(), b"/ls".to_vec()]));
    assert_eq!(
        decoded_paths(blob.clone(), sh | abi::EDGE_MORE, 2),
        Err(DecodeError::Reference { at: 0, reference: sh | 4 })
    );

    // Each of these is one fault.
    let fault = |names: [(&[u8], u32, u32); 2]| {
        let mut blob = blob.clone();
        let at = put_edge(&mut blob, names[0].0, names[0].1 | abi::EDGE_MORE, names[0].2);
        put_edge(&mut blob, names[1].0, names[1].1, names[1].2);
        decoded_paths(blob, at, 2).unwrap_err()
    };
    let at = 80 + 3 * 24;
    assert_eq!(fault([(b"a", LEAF, 0), (b"a", LEAF, 1)]), DecodeError::Misplaced { at: at + 24 });
    assert_eq!(fault([(b"a", LEAF, 0), (b"b", LEAF, 0)]), DecodeError::Weight { at: at + 24 });
    assert_eq!(fault([(b"a", LEAF, 0), (b"b", LEAF, 2)]), DecodeError::Weight { at: at + 24 });
    assert_eq!(fault([(b"a", LEAF, 1), (b"b", LEAF, 2)]), DecodeError::Weight { at });
    assert_eq!(fault([(b"a", abi::EDGE_NONE, 0), (b"b", abi::EDGE_NONE, 0)]), DecodeError::DeadEnd { at });
    assert_eq!(fault([(b"a", abi::EDGE_NONE, 0), (b"b", LEAF, 0)]), DecodeError::Weight { at: at + 24 });
    assert_eq!(fault([(b"a", at as u32, 0), (b"b", LEAF, 1)]), DecodeError::Forward { at });
    assert_eq!(fault([(b"a", 1 << 20, 0), (b"b", LEAF, 1)]), DecodeError::Forward { at });
    assert_eq!(fault([(b"..", LEAF, 0), (b"b", LEAF, 1)]), DecodeError::Name { at });
    assert_eq!(fault([(b"", LEAF, 0), (b"b", LEAF, 1)]), DecodeError::Name { at });
    assert_eq!(fault([(b"a/b", LEAF, 0), (b"b", LEAF, 1)]), DecodeError::Name { at });
    // Into the middle of a node: what stands there belongs to it.
    let inside = 80 + 24 + 24;
    assert_eq!(fault([(b"a", sh, 0), (b"b", inside | 1, 2)]), DecodeError::Overlap { at: inside as usize });
}

/// 64 nodes of two edges each to the next stand for 2^64 strings.
#[test]
fn exponentially_many_strings_cost_no_more_than_their_nodes() {
    let mut blob = Blob::tables();
    let mut next = abi::EDGE_NONE | abi::EDGE_ACCEPT;
    for level in 0..64u32 {
        let strings = if level < 23 { 1 << level } else { 0 };
        let at = put_edge(&mut blob, b"a", next | abi::EDGE_MORE, 0);
        put_edge(&mut blob, b"b", next, strings);
        next = at;
    }
    assert!(matches!(decoded_paths(blob, next, 1), Err(DecodeError::Weight { .. })));

    // Weights that are right say 2^20 strings of 4096 bytes: more than any input.
    let mut blob = Blob::tables();
    let mut next = abi::EDGE_NONE | abi::EDGE_ACCEPT;
    for level in 0..36u32 {
        let at = if level < 16 {
            put_edge(&mut blob, &[b'n'; 254], next, 0)
        } else {
            let at = put_edge(&mut blob, b"a", next | abi::EDGE_MORE, 0);
            put_edge(&mut blob, b"b", next, 1 << (level - 16));
            at
        };
        next = at;
    }
    let result = decoded_paths(blob, next, 1 << 20);
    assert!(matches!(result, Err(DecodeError::TooLong { .. } | DecodeError::TooMuch)), "{result:?}");
}

#[test]
fn decision_words_become_steps() {
    let act = Act { flags: abi::ACT_OVERRIDE, value: -13, record: 9 };
    let test = Word::Test { dimension: 2, skip: 3, row: 24 }.encode();
    let words = [test, Word::Act(act).encode(), 7, Word::Skip(0).encode(), Word::End.encode(), 0xff];
    let steps = [
        Step::Test { dimension: 2, row: 24, otherwise: 3 },
        Step::Act { act, hits: 7 },
        Step::Skip { to: 3 },
        Step::End,
    ];
    assert_eq!(code(&words), Ok(steps.to_vec()));
    assert_eq!(fragment(&words[..4]), Ok(steps[..3].to_vec()));
    assert_eq!(fragment(&words[..5]), Err(DecodeError::Word { position: 4 }));
    assert_eq!(code(&words[..4]), Err(DecodeError::Skip { position: 0 }));
    assert_eq!(code(&words[1..4]), Err(DecodeError::Skip { position: 2 }));
    assert_eq!(code(&words[1..3]), Err(DecodeError::NoEnd));
    assert_eq!(fragment(&words[1..2]), Err(DecodeError::NoEnd));
    assert_eq!(code(&[]), Err(DecodeError::NoEnd));
    // Into the counter.
    let inside = Word::Test { dimension: 2, skip: 1, row: 24 }.encode();
    assert_eq!(code(&[inside, words[1], 7, 0]), Err(DecodeError::Skip { position: 0 }));
    // Behind the end of a fragment, and one further.
    assert!(fragment(&[Word::Skip(0).encode()]).is_ok());
    assert_eq!(fragment(&[Word::Skip(1).encode()]), Err(DecodeError::Skip { position: 0 }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn damaged_regions_never_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..6),
        probe in "[a-z/]{0,20}",
    ) {
        let sample = sample().unwrap();
        let mut bytes = sample.bytes.clone();
        for (at, flip) in &flips {
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
        }
        if let Ok(decoded) = decode_all(&bytes, &sample) {
            check_agreement(&bytes, &sample, &decoded);
        }
        if let Ok(tables) = evaluate::Tables::open(&bytes) {
            let probe = probe.as_bytes();
            let _ = tables.path(sample.paths, probe);
            let _ = tables.path(sample.paths, b"/usr/bin/sh");
            let _ = tables.text(sample.prefixes, probe, TextMatch::Equal);
            let _ = tables.text(sample.prefixes, b"/usr/bin/x", TextMatch::Prefix);
            let _ = tables.text(sample.postfixes, probe, TextMatch::Postfix);
            let _ = tables.int(sample.ints, 9);
        }
    }

    #[test]
    fn any_words_never_panic(words in prop::collection::vec(prop_oneof![
        any::<u64>(), 0u64..4, (0u64..4, 0u64..8).prop_map(|(op, skip)| op | skip << 16),
        (0u64..8).prop_map(|skip| 1 | skip << 16 | 8 << 32),
    ], 0..30)) {
        let _ = fragment(&words);
        let decided = evaluate::decide(&words, &[0xaa; 64], &[3; 4]);
        if let Ok(steps) = code(&words) {
            let counts = steps.iter().filter(|s| matches!(s, Step::Act { .. })).count();
            if let Ok(decided) = decided {
                prop_assert!(decided.len() <= counts);
            }
        }
    }
}
