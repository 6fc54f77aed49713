//! The table of an operation's limits: what a post waits for, and which words of the key count (`struct limit`).

use super::TableError;
use super::blob::Blob;
use crate::artifact::abi::{LIMIT_GLOBAL, LIMIT_PROCESS, LIMIT_THREAD};
use crate::fold::plan::{Limited, PostLimit};
use crate::vocab::action::RateLimitScope;

const NANOSECONDS: u64 = 1_000_000;

/// Its reference; 0 if nothing is limited.
pub fn build(blob: &mut Blob, limited: &Limited) -> Result<u32, TableError> {
    if limited.all.is_empty() {
        return Ok(0);
    }
    let mut bytes = vec![];
    for limit in &limited.all {
        bytes.extend((u64::from(limit.limit.milliseconds) * NANOSECONDS).to_le_bytes());
        bytes.extend(scope(limit.limit.scope).to_le_bytes());
        bytes.extend(words(limited, limit).to_le_bytes());
    }
    blob.put(&bytes)
}

fn scope(scope: RateLimitScope) -> u32 {
    match scope {
        RateLimitScope::Thread => LIMIT_THREAD,
        RateLimitScope::Process => LIMIT_PROCESS,
        RateLimitScope::Global => LIMIT_GLOBAL,
    }
}

fn words(limited: &Limited, limit: &PostLimit) -> u32 {
    let mine = limited.places().filter(|(param, _, _)| limit.params.contains(param));
    mine.flat_map(|(_, at, words)| at..at + words).fold(0, |bits, word| bits | 1 << word)
}
