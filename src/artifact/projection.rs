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

/// What a socket is about: `struct sock`, as a program reads it. Numbers in host order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// `AF_*`.
    pub family: u16,
    /// `IPPROTO_*`.
    pub protocol: u16,
    /// `TCP_*`, of other protocols too.
    pub state: u8,
    pub source_port: u16,
    pub destination_port: u16,
    /// Of the family's kind; `None` for a family that has none.
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

    /// This part of a socket. What it does not have cannot be read.
    pub fn of_flow(self, flow: Flow) -> Argument<'static> {
        let address = |address: Option<IpAddr>| address.map_or(Argument::Unreadable, Argument::Address);
        match self {
            Projection::SourcePort => Argument::Int(flow.source_port.into()),
            Projection::DestinationPort => Argument::Int(flow.destination_port.into()),
            Projection::SourceAddress => address(flow.source_address),
            Projection::DestinationAddress => address(flow.destination_address),
            Projection::Protocol => Argument::Int(flow.protocol.into()),
            Projection::Family => Argument::Int(flow.family.into()),
            Projection::State => Argument::Int(flow.state.into()),
            Projection::Whole | Projection::FileType | Projection::Gained => Argument::Unreadable,
        }
    }
}
