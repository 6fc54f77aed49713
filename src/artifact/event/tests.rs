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

/// A packet of IPv4 or IPv6, or neither, as programs write it.
fn packet(family: u8, lacks: u8) -> Option<Packet> {
    let mut bytes = vec![family, lacks, 17, 0, 53, 0, 0x88, 0x13];
    bytes.extend([10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    bytes.extend([10, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4]);
    for word in [29_u32, 3, 7, 0x1234] {
        bytes.extend(word.to_le_bytes());
    }
    let form = abi::VALUE_PACKET;
    let value = RawValue { source: abi::VALUE_ARGUMENT, index: 2, form, flags: 0, bytes: &bytes };
    match value.content()? {
        Content::Packet(packet) => Some(packet),
        Content::Integer(_) | Content::Text(_) | Content::Socket(_) | Content::Unreadable => None,
    }
}

#[test]
fn a_packet_has_what_it_does_not_lack() {
    let address = |text: &str| Some(text.parse().unwrap());
    let flow = Flow {
        family: Some(2),
        protocol: Some(17),
        state: None,
        source_port: Some(53),
        destination_port: Some(5000),
        source_address: address("10.0.0.1"),
        destination_address: address("10.0.0.3"),
    };
    let whole = Packet { flow, length: 29, priority: 3, mark: 7, hash: 0x1234 };
    assert_eq!(packet(2, 0), Some(whole));
    let portless = Flow { source_port: None, destination_port: None, ..flow };
    assert_eq!(packet(2, 2), Some(Packet { flow: portless, ..whole }));
    let none =
        Flow { family: None, protocol: None, source_address: None, destination_address: None, ..portless };
    assert_eq!(packet(0, 3), Some(Packet { flow: none, ..whole }));
    assert_eq!(packet(10, 0).and_then(|p| p.flow.destination_address), address("a00:3::4"));
}
