//! Decision lists to the image from which a loader builds the sets of its node.

use crate::artifact::abi::{
    ACT_LIMIT_SHIFT, ACT_OVERRIDE, ACT_POST, ACT_RETURN, ACT_SIGKILL, Act, Word as AbiWord,
};
use crate::artifact::scope_block::{Builder, DecisionList, RowRef, ScopeBlock};
use crate::emit::lower::lists::Word;
use crate::emit::lower::{LoweredUnit, ScopeCode};
use crate::emit::numbers::Numbers;
use crate::fold::ir::{Outcome, Program};
use crate::fold::plan::{AtomSet, Limited};

/// The image of operation `number`.
pub fn encode(
    number: u32,
    unit: &LoweredUnit,
    limited: &Limited,
    program: &Program,
    numbers: &Numbers,
) -> Vec<u8> {
    let mut builder = Builder::new(number, unit.dimensions.len());
    let mut scopes: Vec<(u32, &ScopeCode)> =
        unit.scopes.iter().map(|(scope, code)| (numbers.scope(*scope), code)).collect();
    scopes.sort_by_key(|&(number, _)| number);
    for (scope, code) in scopes {
        let block = block(&mut builder, number, code, limited, program, numbers);
        builder.scope(scope, &block);
    }
    builder.finish()
}

fn block(
    builder: &mut Builder,
    operation: u32,
    code: &ScopeCode,
    limited: &Limited,
    program: &Program,
    numbers: &Numbers,
) -> ScopeBlock {
    let quiet = code.quiet.iter().map(|set| (!set.is_none()).then(|| row(builder, set))).collect();
    let lists = code
        .lists
        .iter()
        .map(|(index, list)| {
            let of = &program.lists[*index];
            let rank = of.policy as u32;
            let mut words = vec![];
            for word in &list.words {
                match word {
                    Word::Test { dimension, skip, row: set } => {
                        let row = row(builder, set).code();
                        words.push(AbiWord::Test { dimension: *dimension, skip: *skip, row }.encode());
                    }
                    Word::Act { selector, outcome } => {
                        let selector = of.first_selector + u32::from(*selector);
                        let record = numbers.record(of.policy, operation, selector);
                        let limit =
                            limited.number(&program.operations[of.operation.0 as usize], of, *outcome);
                        let act = act(*outcome, limit.unwrap_or(0), record);
                        words.push(AbiWord::Act(act).encode());
                        words.push(0);
                    }
                    Word::Skip { skip } => words.push(AbiWord::Skip(*skip).encode()),
                }
            }
            DecisionList { rank, first_selector: of.first_selector, words }
        })
        .collect();
    ScopeBlock { needs: code.needs, quiet, lists }
}

fn row(builder: &mut Builder, set: &AtomSet) -> RowRef {
    let row = builder.row(&set.ids);
    if set.inverted { row.inverted() } else { row }
}

fn act(outcome: Outcome, limit: u32, record: u32) -> Act {
    let flag = |set: bool, flag: u32| if set { flag } else { 0 };
    Act {
        flags: flag(outcome.post, ACT_POST)
            | flag(outcome.override_value.is_some(), ACT_OVERRIDE)
            | flag(outcome.sigkill, ACT_SIGKILL)
            | flag(outcome.half, ACT_RETURN)
            | limit << ACT_LIMIT_SHIFT,
        value: outcome.override_value.unwrap_or(0),
        record,
    }
}
