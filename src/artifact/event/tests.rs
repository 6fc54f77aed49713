use proptest::prelude::*;

use super::*;

/// One signed integer, one text, one ACT word.
fn sample() -> Vec<u8> {
    let mut bytes = vec![1, EVENT_ABI as u8, 2, 1];
    for word in [7_u32, 8, 9] {
        bytes.extend(word.to_le_bytes());
    }
    for word in [10_u64, 11] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend([12, 0, 0, 0, 13, 0, 0, 0]);
    bytes.extend([1, 0, abi::VALUE_TEXT as u8, 0, 5, 0, 0, 0]);
    bytes.extend(b"/a/bc");
    bytes.extend([1, 3, abi::VALUE_SIGNED as u8, 0, 8, 0, 0, 0]);
    bytes.extend((-2_i64).to_le_bytes());
    bytes.extend(0x55_u64.to_le_bytes());
    bytes
}

#[test]
fn a_record_is_its_parts() {
    let bytes = sample();
    let record = Record::read(&bytes).unwrap();
    assert_eq!(
        (record.kind, record.generation, record.operation, record.point),
        (abi::EVENT_POLICY, 7, 8, 9)
    );
    assert_eq!((record.key, record.cgroup, record.pid, record.tid), (10, 11, 12, 13));
    let contents: Vec<_> = record.values.iter().map(|v| (v.index, v.content())).collect();
    let text = Content::Text(b"/a/bc");
    assert_eq!(contents, [(0, Some(text)), (3, Some(Content::Integer(-2_i64 as u64)))]);
    assert_eq!(record.words, [0x55]);
}

#[test]
fn a_record_of_another_length_or_version_is_none() {
    let whole = sample();
    for len in 0..whole.len() {
        assert_eq!(Record::read(&whole[..len]), None, "{len} bytes");
    }
    let mut longer = whole.clone();
    longer.push(0);
    assert_eq!(Record::read(&longer), None);
    let mut older = whole;
    older[abi::event::ABI] = 0;
    assert_eq!(Record::read(&older), None);
}

#[test]
fn an_unknown_value_is_passed_over() {
    let mut bytes = sample();
    bytes[abi::event::SIZE + abi::value::FORM] = 200;
    let record = Record::read(&bytes).unwrap();
    assert_eq!(record.values[0].content(), None);
    assert_eq!(record.values[1].content(), Some(Content::Integer(-2_i64 as u64)));
}

#[test]
fn what_cannot_be_read_has_no_bytes() {
    let unreadable = |bytes| RawValue {
        source: abi::VALUE_ARGUMENT,
        index: 0,
        form: abi::VALUE_TEXT,
        flags: abi::VALUE_UNREADABLE,
        bytes,
    };
    assert_eq!(unreadable(b"").content(), Some(Content::Unreadable));
    assert_eq!(unreadable(b"x").content(), None);
}

proptest! {
    #[test]
    fn any_bytes_are_a_record_or_none(values in 0..5u8, acts in 0..3u8, rest in proptest::collection::vec(0..12u8, 0..120)) {
        let bytes = [&[1, EVENT_ABI as u8, values, acts][..], &rest].concat();
        if let Some(record) = Record::read(&bytes) {
            let parts: usize = record.values.iter().map(|v| abi::value::SIZE + v.bytes.len()).sum();
            prop_assert_eq!(abi::event::SIZE + parts + 8 * record.words.len(), bytes.len());
            let _ = record.values.iter().filter(|v| v.content().is_some()).count();
        }
    }
}
