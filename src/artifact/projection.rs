//! What of an argument is compared: all of it, or a part that its reader takes out of it.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::judge::Argument;

/// What of a source is compared.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Projection {
    /// All of it.
    #[default]
    Whole,
    SourcePort,
    DestinationPort,
    SourceAddress,
    DestinationAddress,
    Protocol,
    Family,
    State,
    /// What kind of file it is.
    FileType,
    /// The capabilities of the second argument that the first one lacks.
    Gained,
}

/// What a socket or a packet is about, as a program reads it. Numbers in host order; `None`: it has no such part, or it
/// cannot be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// `AF_*`.
    pub family: Option<u16>,
    /// `IPPROTO_*`.
    pub protocol: Option<u16>,
    /// `TCP_*`, of sockets of other protocols too.
    pub state: Option<u8>,
    /// 0 where the protocol has no ports.
    pub source_port: Option<u16>,
    pub destination_port: Option<u16>,
    /// Of the family's kind.
    pub source_address: Option<IpAddr>,
    pub destination_address: Option<IpAddr>,
}

impl Projection {
    pub fn is_whole(&self) -> bool {
        *self == Projection::Whole
    }

    /// As people say it, behind the argument.
    pub const fn name(self) -> &'static str {
        match self {
            Projection::Whole => "",
            Projection::SourcePort => "source port",
            Projection::DestinationPort => "destination port",
            Projection::SourceAddress => "source address",
            Projection::DestinationAddress => "destination address",
            Projection::Protocol => "protocol",
            Projection::Family => "family",
            Projection::State => "state",
            Projection::FileType => "file type",
            Projection::Gained => "gained capabilities",
        }
    }

    /// This part of a flow. What it does not have cannot be read.
    pub fn of_flow(self, flow: Flow) -> Argument<'static> {
        let number = |number: Option<u16>| number.map_or(Argument::Unreadable, |n| Argument::Int(n.into()));
        let address = |address: Option<IpAddr>| address.map_or(Argument::Unreadable, Argument::Address);
        match self {
            Projection::SourcePort => number(flow.source_port),
            Projection::DestinationPort => number(flow.destination_port),
            Projection::SourceAddress => address(flow.source_address),
            Projection::DestinationAddress => address(flow.destination_address),
            Projection::Protocol => number(flow.protocol),
            Projection::Family => number(flow.family),
            Projection::State => number(flow.state.map(u16::from)),
            Projection::Whole | Projection::FileType | Projection::Gained => Argument::Unreadable,
        }
    }
}
