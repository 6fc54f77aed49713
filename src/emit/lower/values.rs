//! What the events of an operation hold: every value that a policy declares, and where its record has it.
//!
//! Steps of the program and the manifest follow from this one list. A text has no fixed length: the first lies in front
//! of the tail, each further one goes into a record of its own. Values of a fixed length are in the tail, one behind the
//! other (`bpf-templates/event.h`).

use std::collections::BTreeMap;

use crate::artifact::manifest::Form;
use crate::fold::ir::{Operation, Subject};
use crate::fold::plan::Unit;

/// A value of the argument `param`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried {
    pub param: u8,
    pub form: Form,
    /// Of an integer: bytes of its widest type.
    pub width: Option<u8>,
    pub place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The text of that number in the slot, in a record before the event's.
    Part { text: usize },
    /// Text 0, in the event's record.
    Text,
    /// Words of the tail before it.
    Tail { word: u32 },
}

/// In the order of the records and in them.
pub fn of(operation: &Operation, unit: &Unit) -> Vec<Carried> {
    let texts = unit.texts.iter().enumerate().filter_map(|(text, &id)| {
        let place = if text == 0 { Place::Text } else { Place::Part { text } };
        Some(Carried { param: operation.subject(id).param()?, form: Form::Text, width: None, place })
    });
    let mut word = 0;
    // Limits leave each one type.
    let flows: BTreeMap<u8, Form> = operation.subjects.iter().filter_map(flow).collect();
    let mut place = |param: u8, form: Form, width: Option<u8>| {
        let value = Carried { param, form, width, place: Place::Tail { word } };
        word += words(form);
        value
    };
    let integers: Vec<Carried> = operation
        .shown_integers
        .iter()
        .map(|(&param, &(width, signed))| {
            place(param, if signed { Form::Signed } else { Form::Unsigned }, Some(width))
        })
        .collect();
    let flows: Vec<Carried> = flows.into_iter().map(|(param, form)| place(param, form, None)).collect();
    let (parts, first): (Vec<_>, Vec<_>) = texts.partition(|v| matches!(v.place, Place::Part { .. }));
    parts.into_iter().chain(first).chain(integers).chain(flows).collect()
}

/// Words of the tail that values take.
pub fn tail_words(values: &[Carried]) -> u32 {
    values.iter().filter(|v| matches!(v.place, Place::Tail { .. })).map(|v| words(v.form)).sum()
}

/// A value of the tail with its header.
fn words(form: Form) -> u32 {
    form.tail_words().expect("what has no fixed length is not in the tail")
}

fn flow(subject: &Subject) -> Option<(u8, Form)> {
    let form = subject.ty.flow_form()?;
    Some((subject.param()?, form))
}
