use super::*;

#[test]
fn foreign_bytes_are_not_opened() {
    assert!(Tables::open(&[]).is_err());
    assert!(Tables::open(&[0; 200]).is_err());
    let mut header = vec![0; 80];
    header[..4].copy_from_slice(&abi::TABLES_MAGIC.to_le_bytes());
    header[4] = abi::TABLES_ABI as u8;
    header[8] = 81;
    assert_eq!(Tables::open(&header).err(), Some(Damaged { at: 8, what: "length" }));
    header[8] = 79;
    assert!(Tables::open(&header).is_err());
    header[8] = 80;
    assert!(Tables::open(&header).is_ok());
    header[4] += 1;
    assert_eq!(Tables::open(&header).err(), Some(Damaged { at: 4, what: "abi number" }));
}

/// Two lists: the first has two selectors, of which the first that matches decides; the second acts alone.
#[test]
fn first_match_wins_and_lists_are_independent() {
    let act = |record| Act { flags: abi::ACT_POST, value: 0, record };
    let word = Word::encode;
    // Bits over atoms 0..64: a row with {1}, one with {1, 2}; at 8 and 16.
    let mut rows = vec![0u8; 24];
    rows[8] = 0b010;
    rows[16] = 0b110;
    let code = [
        word(Word::Test { dimension: 0, skip: 3, row: 8 }),
        word(Word::Act(act(1))),
        0,
        word(Word::Skip(3)),
        word(Word::Test { dimension: 1, skip: 2, row: 16 }),
        word(Word::Act(act(2))),
        5,
        word(Word::Test { dimension: 0, skip: 2, row: 16 | abi::ROW_INVERT }),
        word(Word::Act(act(3))),
        0,
        word(Word::End),
    ];
    for (atoms, records) in [
        ([1, 1], &[(1, 2)][..]),
        ([1, 0], &[(1, 2)]),
        ([0, 2], &[(2, 6), (3, 9)]),
        ([2, 2], &[(2, 6)]),
        ([2, 0], &[]),
        ([0, 0], &[(3, 9)]),
    ] {
        let reached = decide(&code, &rows, &atoms).unwrap();
        let reached: Vec<_> = reached.iter().map(|(act, counter)| (act.record, *counter)).collect();
        assert_eq!(reached, records, "{atoms:?}");
    }
    assert_eq!(decide(&code, &rows, &[0]), Err(Damaged { at: 4, what: "test of an unknown dimension" }));
    assert!(decide(&code[..10], &rows, &[0, 0]).is_err(), "no end");
    assert!(decide(&code, &rows[..16], &[0, 0]).is_err(), "a row that is not there");
}
