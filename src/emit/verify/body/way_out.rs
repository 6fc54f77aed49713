//! The end of a body: the decision lists, the records of the event, the verdict; and the places that lookups leave for.

use super::{Checked, Follower, Held, ensure, shown_code, small};
use crate::artifact::abi::LIMIT_KEY_HEAD;
use crate::artifact::manifest::{AttachKind, EventValue, Form, RowForm, Subject};
use crate::bpf::{Place, Step};
use crate::emit::verify::read::key_words;
use crate::vocab::arg_type::{ArgType, Class, Structure};

/// Places behind the verdict.
#[derive(Default)]
pub struct Ends {
    /// Gives the slot back and allows.
    release: Option<Place>,
    /// Refuses the call.
    refuse: Option<Place>,
}

impl Ends {
    pub fn releases(&self, place: Place) -> bool {
        self.release == Some(place)
    }

    pub fn refuses(&self, place: Place) -> bool {
        self.refuse == Some(place)
    }
}

/// What is behind the verdict.
///
/// # Errors
/// Steps there that are no way out.
pub fn of(steps: &[Step]) -> Result<Ends, String> {
    let verdict = steps.iter().position(|step| is(step, "verdict")).ok_or("steps without a verdict")?;
    let mut left = &steps[verdict + 1..];
    let mut ends = Ends::default();
    match left.split_first() {
        Some((Step::Return, behind)) => left = behind,
        _ => return Err("a verdict that is not returned".to_string()),
    }
    while !left.is_empty() {
        left = match left {
            [Step::Bind(place), release, Step::Jump(Place::ALLOW), behind @ ..]
                if is(release, "release") && ends.release.is_none() =>
            {
                ends.release = Some(*place);
                behind
            }
            [Step::Bind(place), refuse, Step::Return, behind @ ..]
                if is(refuse, "refuse") && ends.refuse.is_none() =>
            {
                ends.refuse = Some(*place);
                behind
            }
            _ => return Err("steps behind the verdict that are no way out".to_string()),
        };
    }
    Ok(ends)
}

/// A stencil without immediates that leaves for nowhere.
fn is(step: &Step, wanted: &str) -> bool {
    matches!(step, Step::Stencil { name, immediates, leave: None } if *name == wanted && immediates.is_empty())
}

/// Takes one step after the other.
struct Steps<'s> {
    left: &'s [Step],
}

impl<'s> Steps<'s> {
    fn take(&mut self, wanted: &str) -> Result<(&'s [i64], Option<Place>), String> {
        match self.left.split_first() {
            Some((Step::Stencil { name, immediates, leave }, rest)) if *name == wanted => {
                self.left = rest;
                Ok((immediates, *leave))
            }
            found => Err(format!("`{wanted}` comes here and not {:?}", found.map(|(step, _)| step))),
        }
    }

    /// The same of one that leaves for nowhere and has just these immediates.
    fn expect(&mut self, wanted: &str, immediates: &[i64]) -> Checked {
        let (found, leave) = self.take(wanted)?;
        ensure(found == immediates && leave.is_none(), format!("`{wanted}` {found:?} and not {immediates:?}"))
    }
}

/// From `act_*` on.
pub(super) fn check(follower: &Follower<'_>, steps: &[Step]) -> Checked {
    let operation = follower.body.operation;
    let at_return = operation.attach.kind == AttachKind::Kretprobe;
    let rows_may_be_lists = operation.dimensions.iter().any(|d| d.rows == RowForm::Any);
    let number = i64::from(operation.number);
    let tail = follower.tail_words() as i64;
    let mut steps = Steps { left: steps };
    let act = match rows_may_be_lists {
        _ if at_return => "act_returned",
        true => "act_any",
        false => "act_bits",
    };
    steps.expect(act, &[])?;
    let (found, unposted) = steps.take(if at_return { "if_returned" } else { "if_posted" })?;
    ensure(found == [tail], format!("values have {tail} words"))?;
    let (text, in_record) = values(follower, &mut steps)?;
    limit(follower, &mut steps, unposted)?;
    if follower.body.is_awaited {
        steps.expect("await_return", &[number, tail])?;
    }
    parts(follower, &mut steps)?;
    let post = if operation.attach.targets.len() > 1 { "post_of_several" } else { "post" };
    steps.expect(post, &[number, text, in_record, tail])?;
    match steps.left.split_first() {
        Some((Step::Bind(place), rest)) if Some(*place) == unposted => steps.left = rest,
        _ => return Err("who posts nothing goes elsewhere".to_string()),
    }
    for wanted in ["kill", "release", "verdict"] {
        steps.expect(wanted, &[])?;
    }
    Ok(())
}

/// The values of a fixed length, one after the other: the argument of the record's own text, and how many values it has.
fn values(follower: &Follower<'_>, steps: &mut Steps<'_>) -> Result<(i64, i64), String> {
    const NO_TEXT: i64 = 0xff;
    let (mut text, mut in_record) = (NO_TEXT, 0);
    for (value, word) in placed(follower) {
        let index = i64::from(argument(value)?);
        match value.form {
            Form::Text if !is_own_text(follower, value) => continue,
            Form::Text => text = index,
            Form::Unsigned | Form::Signed => {
                let code = shown_code(value.form, value.width).ok_or("an integer without a width")?;
                integer(follower, steps, (index, value.source), word, code)?;
            }
            Form::Socket => socket(follower, steps, index, word)?,
            Form::Packet => {
                is_there(follower, index, ArgType::Skb)?;
                steps.expect("value_packet", &[index, word])?;
            }
            Form::Structure(shown) => structure(follower, steps, index, word, shown)?,
        }
        in_record += 1;
    }
    Ok((text, in_record))
}

/// Each text but the record's own, in a record before it.
fn parts(follower: &Follower<'_>, steps: &mut Steps<'_>) -> Checked {
    let operation = follower.body.operation;
    for value in operation.values.iter().filter(|v| v.form == Form::Text && !is_own_text(follower, v)) {
        let index = i64::from(argument(value)?);
        let (found, leave) = steps.take("post_text")?;
        let is_it = match *found {
            [number, argument, text] => {
                let of = follower.frame.texts.get(&small(text));
                number == i64::from(operation.number) && argument == index && of == Some(&value.source)
            }
            _ => false,
        };
        ensure(is_it && leave.is_none(), format!("{found:?} does not send argument {index}"))?;
    }
    Ok(())
}

/// The manifest's values, each with its first word of the tail.
fn placed<'f>(follower: &Follower<'f>) -> impl Iterator<Item = (&'f EventValue, i64)> {
    follower.body.operation.values.iter().scan(0, |next, value| {
        let word = *next;
        *next += value.form.tail_words().map_or(0, i64::from);
        Some((value, word))
    })
}

fn is_own_text(follower: &Follower<'_>, value: &EventValue) -> bool {
    follower.frame.texts.get(&0) == Some(&value.source)
}

fn argument(value: &EventValue) -> Result<u32, String> {
    match value.source {
        Subject::Argument(index) => Ok(index),
        Subject::Fact(_) => Err("events hold no facts".to_string()),
    }
}

/// Where posts are limited: the key gets the values that the manifest names, then the limits are asked.
fn limit(follower: &Follower<'_>, steps: &mut Steps<'_>, unposted: Option<Place>) -> Checked {
    let operation = follower.body.operation;
    let Some(limits) = &operation.limits else { return Ok(()) };
    let areas = follower.frame.texts.len().max(1) as i64;
    let mut at = 0;
    for &index in &limits.key {
        let is_it = |value: &EventValue| value.source == Subject::Argument(index);
        let found = placed(follower).find(|(value, _)| is_it(value));
        let (value, word) = found.ok_or("a key of what no event shows")?;
        let (name, place) = match value.form {
            Form::Unsigned | Form::Signed => ("limit_integer", word),
            Form::Socket | Form::Packet => ("limit_socket", word),
            Form::Text => {
                let text = follower.frame.texts.iter().find(|(_, of)| **of == value.source);
                ("limit_text", *text.ok_or("a key of a text that is not read")?.0 as i64)
            }
            Form::Structure(_) => ("limit_structure", word),
        };
        let mut immediates = vec![place, i64::from(at), areas];
        if matches!(value.form, Form::Structure(_)) {
            immediates.push(key_words(operation, index)?.into());
        }
        steps.expect(name, &immediates)?;
        at += key_words(operation, index)?;
    }
    let several = operation.attach.targets.len() > 1;
    let (found, leave) = steps.take(if several { "limit_of_several" } else { "limit" })?;
    let bytes = LIMIT_KEY_HEAD + 8 * at;
    let of_map = follower.body.limit_key_bytes;
    ensure(of_map >= bytes, format!("keys of {bytes} bytes have no map"))?;
    // The map compares all of its key: what is not this operation's has to be cleared.
    let wanted = [limits.root, follower.tail_words() as u32, areas as u32, (of_map - LIMIT_KEY_HEAD) / 8]
        .map(i64::from);
    ensure(found == wanted, format!("{found:?} and not {wanted:?}"))?;
    ensure(leave == unposted, "who posts nothing goes elsewhere")
}

fn integer(
    follower: &Follower<'_>,
    steps: &mut Steps<'_>,
    (index, source): (i64, Subject),
    word: i64,
    code: i64,
) -> Checked {
    let needed = (code & 0xf) as u8;
    let (name, held) = match follower.kind() {
        AttachKind::Tracepoint => {
            let Some((Step::LoadField { offset, bytes, arg: 0 }, rest)) = steps.left.split_first() else {
                return Err(format!("field {index} is not read"));
            };
            steps.left = rest;
            let held = follower.in_context(u32::from(*offset), *bytes);
            ("value_field", held.ok_or("a read where no field is")?)
        }
        AttachKind::Kprobe
        | AttachKind::Kretprobe
        | AttachKind::Lsm
        | AttachKind::FmodRet
        | AttachKind::RawTracepoint => ("value_integer", follower.frame.held(small(index))),
    };
    let is_it = matches!(held, Held::Word { of, bytes } if of == source && bytes >= needed);
    ensure(is_it, format!("argument {index} is shown from {held:?}"))?;
    steps.expect(name, &[index, word, code])
}

/// The pointer is still there, of a type that shows this structure.
fn structure(
    follower: &Follower<'_>,
    steps: &mut Steps<'_>,
    index: i64,
    word: i64,
    shown: Structure,
) -> Checked {
    let is_of_it = |ty: &&ArgType| ty.class() == Some(Class::Structure(shown));
    let types = ArgType::ALL.iter().filter(is_of_it);
    let is_there = types
        .map(|&ty| follower.pointer(index, ty))
        .any(|found| found == Ok(Subject::Argument(index as u32)));
    ensure(is_there, format!("args[{index}] holds no {shown:?}"))?;
    steps.expect(shown.stencil(), &[index, word])
}

fn socket(follower: &Follower<'_>, steps: &mut Steps<'_>, index: i64, word: i64) -> Checked {
    if follower.is_declared(index as u32, ArgType::Sockaddr) {
        is_there(follower, index, ArgType::Sockaddr)?;
        return steps.expect("value_sockaddr", &[index, word]);
    }
    is_there(follower, index, ArgType::Sock)?;
    let is_typed = matches!(steps.left.first(), Some(Step::Stencil { name: "value_sock_typed", .. }));
    steps.expect(if is_typed { "value_sock_typed" } else { "value_sock_probed" }, &[index, word])
}

/// The argument is still in its own place.
fn is_there(follower: &Follower<'_>, index: i64, ty: ArgType) -> Checked {
    let of = follower.flow(index, ty)?;
    ensure(of == Subject::Argument(index as u32), format!("argument {index} is not there"))
}
