//! Against the decoder, the evaluator and searches over the plain values.

use proptest::prelude::*;

use super::super::blob::Region;
use super::*;
use crate::artifact::evaluate::{self, TextMatch};
use crate::emit::verify::decode;

fn built(values: &[Vec<u8>], from: Direction) -> (Region, u32) {
    let mut blob = Blob::tables();
    let root = build(&mut blob, values, from).unwrap();
    (blob.finish(), root)
}

/// What the program must find, by looking at every value.
fn naive(values: &[Vec<u8>], text: &[u8], how: TextMatch) -> u32 {
    let hit = |v: &[u8]| match how {
        TextMatch::Equal => text == v,
        TextMatch::Prefix => text.starts_with(v),
        TextMatch::Postfix => text.ends_with(v),
    };
    (1..).zip(values).filter(|(_, v)| hit(v)).max_by_key(|(_, v)| v.len()).map_or(0, |(atom, _)| atom)
}

fn check(values: &[Vec<u8>], probes: &[Vec<u8>]) {
    for (from, kinds) in [
        (Direction::Forward, &[TextMatch::Equal, TextMatch::Prefix][..]),
        (Direction::Backward, &[TextMatch::Postfix]),
    ] {
        let (region, root) = built(values, from);
        let decoded = decode::Tables::open(&region.bytes)
            .unwrap()
            .texts(root, values.len() as u32, from == Direction::Backward)
            .unwrap();
        assert!(decoded.iter().eq(values.iter().map(Vec::as_slice)));
        let tables = evaluate::Tables::open(&region.bytes).unwrap();
        let variants = values.iter().chain(probes).flat_map(|v| {
            let cut = v.len() / 2;
            [
                v.clone(),
                [v, &b"x"[..]].concat(),
                [&b"x"[..], v].concat(),
                v[..cut].to_vec(),
                v[cut..].to_vec(),
            ]
        });
        for probe in variants {
            for &how in kinds {
                assert_eq!(
                    tables.text(root, &probe, how),
                    Ok(naive(values, &probe, how)),
                    "{how:?} {probe:?}"
                );
            }
        }
    }
}

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|t| t.as_bytes().to_vec()).collect()
}

#[test]
fn nested_prefixes_give_the_longest() {
    check(
        &texts(&["/usr/", "/usr/bin/", "/usr/bin/python", "/", "/usr/sbin", "/var"]),
        &texts(&["/usr/bin/perl", "/us", "/usr/lib", "", "x"]),
    );
}

#[test]
fn no_value_and_the_empty_value() {
    check(&[], &texts(&["", "a"]));
    check(&texts(&[""]), &texts(&["", "a"]));
    check(&texts(&["", "a"]), &texts(&["b", "ab"]));
}

/// Labels end at 64 bytes; the byte that leads to a child is not in one.
#[test]
fn long_values_go_through_several_labels() {
    let lens = [1, 63, 64, 65, 66, 129, 130, 131, 195, 255, 4095, 4096];
    let values: Vec<Vec<u8>> = lens.map(|len| vec![b'a'; len]).to_vec();
    check(&values, &lens.map(|len| [vec![b'a'; len - 1], vec![b'b']].concat()));
    check(&[vec![b'z'; 4096]], &[]);
}

#[test]
fn every_byte_may_follow() {
    let mut values: Vec<Vec<u8>> = (0..=255).map(|b| vec![b'p', b, b's']).collect();
    values.push(vec![0]);
    values.push(vec![255]);
    check(&values, &[vec![b'p'], vec![b'p', 7]]);
}

#[test]
fn too_long_and_twice_the_same_are_refused() {
    let blob = &mut Blob::tables();
    let long = build(blob, &[b"a".to_vec(), vec![b'a'; 4097]], Direction::Forward);
    assert_eq!(long, Err(TableError::TextTooLong { value: 1, len: 4097 }));
    let twice = build(blob, &[b"b", b"a", b"b"], Direction::Backward);
    assert_eq!(twice, Err(TableError::Duplicate { first: 0, second: 2 }));
}

/// Each value is the start of the next: as deep as it can be, without recursion and in linear time.
#[test]
fn a_chain_of_prefixes() {
    let values: Vec<Vec<u8>> = (1..=4096).map(|len| vec![b'a'; len]).collect();
    let (region, root) = built(&values, Direction::Forward);
    let tables = evaluate::Tables::open(&region.bytes).unwrap();
    assert_eq!(tables.text(root, &[b'a'; 3000], TextMatch::Prefix), Ok(3000));
    let decoded = decode::Tables::open(&region.bytes).unwrap().texts(root, 4096, false).unwrap();
    assert!(decoded.iter().eq(values.iter().map(Vec::as_slice)));
}

proptest! {
    #[test]
    fn any_set_agrees_with_a_search(
        values in prop::collection::hash_set("[ab]{0,8}|[abc]{60,70}|[a]{120,135}|.{0,5}", 0..40),
        probes in prop::collection::vec("[ab]{0,10}|[abc]{60,72}|[a]{120,136}", 0..20),
    ) {
        let mut values: Vec<Vec<u8>> = values.into_iter().map(String::into_bytes).collect();
        values.sort();
        let by = values.len() / 2;
        values.rotate_left(by);
        let probes: Vec<Vec<u8>> = probes.into_iter().map(String::into_bytes).collect();
        check(&values, &probes);
    }
}
