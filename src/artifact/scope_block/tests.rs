use proptest::prelude::*;

use super::*;
use crate::abi::{ACT_POST, Act};

const OPERATION: u32 = 3;
const ATOMS: [u32; 3] = [40, 7, 0];

fn act(record: u32) -> u64 {
    Word::Act(Act { flags: ACT_POST, value: 0, record }).encode()
}

fn test(dimension: u8, skip: u16, row: RowRef) -> u64 {
    Word::Test { dimension, skip, row: row.code() }.encode()
}

/// Two selectors in one list, one in another.
fn block(builder: &mut Builder) -> ScopeBlock {
    let (some, most) = (builder.row(&[1, 5, 6, 7]), builder.row(&[2]).inverted());
    let first = vec![test(0, 4, some), test(1, 3, most), act(9), 0, Word::Skip(2).encode(), act(9), 0];
    let second = vec![test(0, 2, some.inverted()), act(10), 0];
    ScopeBlock {
        needs: 0b11,
        quiet: vec![Some(some), None, None],
        lists: vec![
            DecisionList { rank: 2, first_selector: 0, words: first },
            DecisionList { rank: 2, first_selector: 2, words: second },
        ],
    }
}

fn image(change: impl FnOnce(&mut Builder, &mut ScopeBlock)) -> Vec<u8> {
    let mut builder = Builder::new(OPERATION, ATOMS.len());
    let mut block = block(&mut builder);
    builder.scope(1, &block);
    change(&mut builder, &mut block);
    builder.scope(8, &block);
    builder.finish()
}

fn refusal(change: impl FnOnce(&mut Builder, &mut ScopeBlock)) -> String {
    ScopeBlocks::read(&image(change), OPERATION, &ATOMS).expect_err("must be refused").0
}

#[test]
fn what_was_written_is_read() {
    let bytes = image(|_, _| {});
    let read = ScopeBlocks::read(&bytes, OPERATION, &ATOMS).unwrap();
    let expected = block(&mut Builder::new(OPERATION, ATOMS.len()));
    assert_eq!(read.scopes().collect::<Vec<_>>(), [1, 8]);
    assert_eq!((read.block(1), read.block(8), read.block(2)), (Some(expected.clone()), Some(expected), None));
    assert_eq!(read.rows.len(), 2, "equal rows stand once");
    let empty = Builder::new(OPERATION, 0).finish();
    assert_eq!(ScopeBlocks::read(&empty, OPERATION, &[]).unwrap().scopes().count(), 0);
    assert!(ScopeBlocks::read(&bytes, OPERATION + 1, &ATOMS).is_err());
    assert!(ScopeBlocks::read(&bytes, OPERATION, &ATOMS[..2]).is_err());
}

#[test]
fn lists_that_a_program_could_not_follow_are_refused() {
    assert!(ScopeBlocks::read(&image(|_, _| {}), OPERATION, &ATOMS).is_ok());
    let skip =
        |to: u16| move |_: &mut Builder, b: &mut ScopeBlock| b.lists[0].words[4] = Word::Skip(to).encode();
    assert!(refusal(skip(3)).contains("skip"), "one past the end");
    assert!(refusal(skip(1)).contains("skip"), "onto a count");
    assert!(refusal(|_, b| b.lists[0].words[3] = 1).contains("count"));
    assert!(refusal(|_, b| b.lists[1].words.truncate(2)).contains("count"));
    assert!(refusal(|_, b| b.lists[1].words[2] = Word::End.encode() + 4).contains("count"));
    assert!(refusal(|_, b| b.lists[0].words[4] = Word::End.encode()).contains("ends before"));
    assert!(refusal(|_, b| b.lists[0].words[4] = 15).contains("says nothing"));
    assert!(refusal(|_, b| b.needs = 0b01).contains("not read"));
    assert!(refusal(|_, b| b.needs = 0b1011).contains("dimension"));
    assert!(refusal(|_, b| b.lists[1].rank = 1).contains("order"));
    assert!(refusal(|_, b| b.lists[1].first_selector = 0).contains("order"));
    assert!(refusal(|_, b| b.lists.clear()).contains("order"));
}

#[test]
fn rows_fit_their_dimension() {
    let row_of = |last: u32| {
        move |builder: &mut Builder, b: &mut ScopeBlock| {
            let row = builder.row(&[last]);
            b.lists[0].words[1] = test(1, 3, row);
        }
    };
    assert!(ScopeBlocks::read(&image(row_of(8)), OPERATION, &ATOMS).is_ok(), "what cannot be read is 8");
    assert!(refusal(row_of(9)).contains("does not have"));
    assert!(refusal(|_, b| b.quiet[0] = Some(RowRef { row: 2, invert: false })).contains("not there"));
    let quiet_row = |builder: &mut Builder, b: &mut ScopeBlock| b.quiet[2] = Some(builder.row(&[2]));
    assert!(refusal(quiet_row).contains("does not have"));
}

#[test]
fn each_cut_and_each_longer_file_is_noticed() {
    let bytes = image(|_, _| {});
    for len in 0..bytes.len() {
        assert!(ScopeBlocks::read(&bytes[..len], OPERATION, &ATOMS).is_err(), "cut to {len}");
    }
    let mut longer = bytes;
    longer.extend([0; 8]);
    assert!(ScopeBlocks::read(&longer, OPERATION, &ATOMS).is_err());
}

proptest! {
    /// Whatever is accepted can be used without a panic, and is what the writer would write.
    #[test]
    fn damage_is_refused_or_harmless(places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u32>()), 1..4),
                                     small in any::<bool>()) {
        let mut bytes = image(|_, _| {});
        for (place, value) in places {
            let at = place.index(bytes.len() / 4) * 4;
            let value = if small { value % 16 } else { value };
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        if let Ok(read) = ScopeBlocks::read(&bytes, OPERATION, &ATOMS) {
            let mut builder = Builder::new(OPERATION, ATOMS.len());
            for row in 0..read.rows.len() as u32 {
                let row = read.rows.atoms(RowRef { row, invert: false }, u32::MAX - 2).unwrap();
                builder.row(&row.iter().collect::<Vec<_>>());
            }
            for scope in read.scopes().collect::<Vec<_>>() {
                builder.scope(scope, &read.block(scope).unwrap());
            }
            prop_assert_eq!(builder.finish(), bytes);
        }
    }

    #[test]
    fn any_bytes_are_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if bytes.len() >= 8 {
            bytes[..4].copy_from_slice(&MAGIC.to_le_bytes());
            bytes[4..8].copy_from_slice(&VERSION.to_le_bytes());
        }
        let _ = ScopeBlocks::read(&bytes, 0, &[3]);
    }
}
