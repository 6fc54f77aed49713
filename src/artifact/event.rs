//! Ring buffer records, taken apart.
//!
//! Turns a record's bytes into its header, values and ACT words (`bpf-templates/abi.h`, `struct event`). `None` for one
//! that is not exactly as long as its parts, or of another event ABI. What a value or a word means is for the reader,
//! who has the manifest of its generation.

use std::net::IpAddr;

use super::abi::{self, EVENT_ABI, u8_at, u16_at, u32_at, u64_at};
use super::projection::Flow;

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// [`abi::EVENT_POLICY`], or [`abi::EVENT_PART`]: its values belong to the next policy record with the same key
    /// and thread.
    pub kind: u32,
    pub generation: u32,
    /// Number of the operation.
    pub operation: u32,
    /// Position of the hooked function among the operation's targets.
    pub point: u32,
    /// Nanoseconds since boot, of the call.
    pub key: u64,
    pub cgroup: u64,
    pub pid: u32,
    pub tid: u32,
    pub values: Vec<RawValue<'a>>,
    /// ACT words, one for each selector that reports the call.
    pub words: Vec<u64>,
}

/// A value as its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawValue<'a> {
    /// `VALUE_ARGUMENT`.
    pub source: u32,
    /// Which one of the source.
    pub index: u8,
    /// `VALUE_UNSIGNED`, `VALUE_SIGNED`, `VALUE_TEXT`, `VALUE_SOCKET`, `VALUE_PACKET`.
    pub form: u32,
    /// `VALUE_UNREADABLE`.
    pub flags: u32,
    pub bytes: &'a [u8],
}

/// A value of a known form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// Extended to 64 bits.
    Integer(u64),
    Text(&'a [u8]),
    Socket(Flow),
    Packet(Packet),
    Unreadable,
}

/// What an event shows of a `struct sk_buff`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packet {
    /// No family: of neither version of IP.
    pub flow: Flow,
    /// Bytes, from the header on that the hooked function is at.
    pub length: u32,
    pub priority: u32,
    pub mark: u32,
    pub hash: u32,
}

impl<'a> Record<'a> {
    pub fn read(record: &'a [u8]) -> Option<Record<'a>> {
        use abi::event as at;
        if u32::from(u8_at(record, at::ABI)?) != EVENT_ABI {
            return None;
        }
        let mut rest = record.get(at::SIZE..)?;
        let count = u8_at(record, at::VALUES)?;
        let values = (0..count).map(|_| RawValue::take(&mut rest)).collect::<Option<_>>()?;
        let (words, behind) = rest.as_chunks::<8>();
        let is_whole = behind.is_empty() && words.len() == usize::from(u8_at(record, at::ACTS)?);
        is_whole.then_some(Record {
            kind: u8_at(record, at::KIND)?.into(),
            generation: u32_at(record, at::GENERATION)?,
            operation: u32_at(record, at::OPERATION)?,
            point: u32_at(record, at::POINT)?,
            key: u64_at(record, at::KEY)?,
            cgroup: u64_at(record, at::CGROUP)?,
            pid: u32_at(record, at::PID)?,
            tid: u32_at(record, at::TID)?,
            values,
            words: words.iter().map(|word| u64::from_le_bytes(*word)).collect(),
        })
    }
}

impl<'a> RawValue<'a> {
    /// Takes one off the front.
    fn take(rest: &mut &'a [u8]) -> Option<RawValue<'a>> {
        use abi::value as at;
        let (bytes, len) = (*rest, usize::try_from(u32_at(rest, at::LEN)?).ok()?);
        let end = at::SIZE.checked_add(len)?;
        let field = |place| Some(u32::from(u8_at(bytes, place)?));
        let value = RawValue {
            source: field(at::SOURCE)?,
            index: u8_at(bytes, at::INDEX)?,
            form: field(at::FORM)?,
            flags: field(at::FLAGS)?,
            bytes: bytes.get(at::SIZE..end)?,
        };
        *rest = &bytes[end..];
        Some(value)
    }

    /// `None`: of a form or with a flag that this version does not know, or not as long as its form is.
    pub fn content(&self) -> Option<Content<'a>> {
        match (self.form, self.flags) {
            (_, abi::VALUE_UNREADABLE) if self.bytes.is_empty() => Some(Content::Unreadable),
            (abi::VALUE_SOCKET | abi::VALUE_PACKET, abi::VALUE_UNREADABLE) => Some(Content::Unreadable),
            (abi::VALUE_SOCKET, 0) => socket(self.bytes).map(Content::Socket),
            (abi::VALUE_PACKET, 0) => packet(self.bytes).map(Content::Packet),
            (abi::VALUE_UNSIGNED | abi::VALUE_SIGNED, 0) => {
                Some(Content::Integer(u64::from_le_bytes(self.bytes.try_into().ok()?)))
            }
            (abi::VALUE_TEXT, 0) => Some(Content::Text(self.bytes)),
            _ => None,
        }
    }
}

/// `struct value_socket`.
fn socket(bytes: &[u8]) -> Option<Flow> {
    use abi::value_socket as at;
    if bytes.len() != at::SIZE {
        return None;
    }
    let family = u16::from(u8_at(bytes, at::FAMILY)?);
    Some(Flow {
        family: Some(family),
        state: u8_at(bytes, at::STATE),
        protocol: u16_at(bytes, at::PROTOCOL),
        source_port: u16_at(bytes, at::SOURCE_PORT),
        destination_port: u16_at(bytes, at::DESTINATION_PORT),
        source_address: address(family, bytes, at::SOURCE),
        destination_address: address(family, bytes, at::DESTINATION),
    })
}

/// `struct value_packet`.
fn packet(bytes: &[u8]) -> Option<Packet> {
    use abi::value_packet as at;
    if bytes.len() != at::SIZE {
        return None;
    }
    let family = u16::from(u8_at(bytes, at::FAMILY)?);
    let lacks = u32::from(u8_at(bytes, at::LACKS)?);
    let has = |what: u32| lacks & what == 0;
    let port = |place| u16_at(bytes, place).filter(|_| has(abi::PACKET_PORTS));
    let flow = Flow {
        family: Some(family).filter(|&family| family != 0),
        protocol: u16_at(bytes, at::PROTOCOL).filter(|_| has(abi::PACKET_PROTOCOL)),
        state: None,
        source_port: port(at::SOURCE_PORT),
        destination_port: port(at::DESTINATION_PORT),
        source_address: address(family, bytes, at::SOURCE),
        destination_address: address(family, bytes, at::DESTINATION),
    };
    Some(Packet {
        flow,
        length: u32_at(bytes, at::LENGTH)?,
        priority: u32_at(bytes, at::PRIORITY)?,
        mark: u32_at(bytes, at::MARK)?,
        hash: u32_at(bytes, at::HASH)?,
    })
}

fn address(family: u16, bytes: &[u8], place: usize) -> Option<IpAddr> {
    let bytes = bytes.get(place..place + 16)?;
    match family {
        AF_INET => Some(IpAddr::from(<[u8; 4]>::try_from(&bytes[..4]).ok()?)),
        AF_INET6 => Some(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        _ => None,
    }
}

/// Source: Linux, include/linux/socket.h.
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

#[cfg(test)]
mod tests;
