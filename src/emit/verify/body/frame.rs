//! What the frame and the slot hold between two steps, as far as the proof needs it.

use std::collections::BTreeMap;

use crate::artifact::abi;
use crate::artifact::fact::Fact;
use crate::artifact::manifest::Subject;
use crate::artifact::projection::Projection;

/// Places for arguments.
pub const ARGS: usize = abi::EVENT_ARGS as usize;

/// What is in a place for an argument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Held {
    #[default]
    Nothing,
    /// An argument, or so many bytes of one, as the kernel has it.
    Word { of: Subject, bytes: u8 },
    /// The registers of a system call's caller.
    Registers,
    /// The `struct path *` of an argument or a fact.
    Path(Subject),
    /// The `struct sock *` of a socket.
    Sock(Subject),
    /// The address of an argument's name.
    Name(Subject),
    /// A call that waits for its return.
    Call,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    args: [Held; ARGS],
    /// Part of an argument that was read for a dimension.
    pub number: Option<(Subject, Projection, usize)>,
    pub fact: Option<Fact>,
    /// By number in the slot.
    pub texts: BTreeMap<usize, Subject>,
    /// Bit per dimension: its atom is known, or not needed.
    pub decided: u64,
    /// Bit per dimension: its atom tells other paths from those that cannot be read.
    pub refined: u64,
    /// Bit per dimension: what its atom makes sure of has ended the event, or it is not needed.
    pub ended: u64,
    pub is_scoped: bool,
    pub is_claimed: bool,
    pub has_waited: bool,
    pub has_moment: bool,
    pub has_left_layers: bool,
    pub is_call_forgotten: bool,
}

impl Frame {
    /// # Errors
    /// If there is no such place.
    pub fn put(&mut self, place: usize, held: Held) -> Result<(), String> {
        *self.args.get_mut(place).ok_or("a place that is not there")? = held;
        Ok(())
    }

    pub fn held(&self, place: usize) -> Held {
        self.args.get(place).copied().unwrap_or_default()
    }

    pub fn decide(&mut self, dimension: usize) {
        self.decided |= 1u64.checked_shl(dimension as u32).unwrap_or(0);
    }

    pub fn is_decided(&self, dimension: usize) -> bool {
        self.decided.checked_shr(dimension as u32).unwrap_or(0) & 1 == 1
    }

    /// What holds on both ways.
    pub fn meet(&self, other: &Frame) -> Frame {
        let mut both = self.clone();
        for (mine, others) in both.args.iter_mut().zip(other.args) {
            if *mine != others {
                *mine = Held::Nothing;
            }
        }
        both.number = both.number.filter(|number| other.number == Some(*number));
        both.fact = both.fact.filter(|fact| other.fact == Some(*fact));
        both.texts.retain(|number, of| other.texts.get(number) == Some(of));
        both.decided &= other.decided;
        both.refined &= other.refined;
        both.ended &= other.ended;
        both.is_scoped &= other.is_scoped;
        both.is_claimed &= other.is_claimed;
        both.has_waited &= other.has_waited;
        both.has_moment &= other.has_moment;
        both.has_left_layers &= other.has_left_layers;
        both.is_call_forgotten &= other.is_call_forgotten;
        both
    }
}
