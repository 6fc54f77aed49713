//! Decision words as instructions with places to go to.

use super::DecodeError;
use crate::artifact::abi::{Act, Word};

/// One instruction. Places are indices into the steps that were decoded together; the number of steps itself is
/// the place behind a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// If the dimension's atom is not in the row, `otherwise` is next.
    Test {
        dimension: u8,
        row: u32,
        otherwise: usize,
    },
    /// `hits` as counted so far; 0 in an artifact.
    Act {
        act: Act,
        hits: u64,
    },
    Skip {
        to: usize,
    },
    End,
}

/// Words up to the first END, which must be there.
pub fn code(words: &[u64]) -> Result<Vec<Step>, DecodeError> {
    let steps = steps(words, true)?;
    if steps.last() == Some(&Step::End) { Ok(steps) } else { Err(DecodeError::NoEnd) }
}

/// All words of a piece that the loader joins with others: there is no END, and skips may end behind it.
pub fn fragment(words: &[u64]) -> Result<Vec<Step>, DecodeError> {
    steps(words, false)
}

fn steps(words: &[u64], ends: bool) -> Result<Vec<Step>, DecodeError> {
    let mut steps = vec![];
    // Of each step its position, and of each word the step that begins there.
    let mut positions = vec![];
    let mut begins: Vec<Option<usize>> = vec![];
    let mut position = 0;
    while let Some(&word) = words.get(position) {
        let word = Word::decode(word).ok_or(DecodeError::Word { position })?;
        positions.push(position);
        begins.push(Some(steps.len()));
        let target = |skip: u16| position + 1 + usize::from(skip);
        match word {
            Word::End if !ends => return Err(DecodeError::Word { position }),
            Word::End => {
                steps.push(Step::End);
                break;
            }
            // Targets are positions until all steps are known.
            Word::Test { dimension, skip, row } => {
                steps.push(Step::Test { dimension, row, otherwise: target(skip) });
            }
            Word::Skip(skip) => steps.push(Step::Skip { to: target(skip) }),
            Word::Act(act) => {
                let hits = *words.get(position + 1).ok_or(DecodeError::NoEnd)?;
                steps.push(Step::Act { act, hits });
                begins.push(None);
                position += 1;
            }
        }
        position += 1;
    }
    if !ends {
        begins.push(Some(steps.len()));
    }
    for (step, &position) in steps.iter_mut().zip(&positions) {
        match step {
            Step::Test { otherwise: target, .. } | Step::Skip { to: target } => {
                *target = begins.get(*target).copied().flatten().ok_or(DecodeError::Skip { position })?;
            }
            Step::Act { .. } | Step::End => {}
        }
    }
    Ok(steps)
}
