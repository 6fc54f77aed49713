//! Limits of the language. Source: Tetragon 4fbfe2d; the name in Tetragon stands behind each.

/// `MaxSelectors`, `MAX_SELECTORS`.
pub const SELECTORS_PER_HOOK: usize = 5;
/// `ParseMatchArgs`: entries of `matchArgs` and `matchData` together; also of `matchReturnArgs`.
pub const ARG_FILTERS_PER_SELECTOR: usize = 5;
/// `EventConfigMaxArgs`: `args` and `data` together.
pub const ARGS_PER_HOOK: usize = 5;
/// `MAX_ACCESSIBLE_ARGS`: positions 0 to 4 of a function are in registers.
pub const MAX_ARG_INDEX: u32 = 4;
/// How many arguments that are.
pub const MAX_ACCESSIBLE_ARGS: u32 = 5;
/// Raw tracepoints are checked against 5, and 5 reads nothing.
pub const MAX_RAW_TRACEPOINT_INDEX: u32 = 5;
/// Four bits of the meta word.
pub const MAX_SIZE_ARG_INDEX: u32 = 15;
/// `MAX_ACTIONS`.
pub const ACTIONS_PER_SELECTOR: usize = 3;
/// `MAX_MATCH_VALUES`: numbers, ranges, file types, PIDs and namespaces stand in the selector itself.
pub const INLINE_VALUES: usize = 4;
/// The longest string that a kernel of 5.11 or newer compares, in bytes.
pub const STRING_BYTES: usize = 4096;
/// The key of the prefix trie.
pub const PREFIX_BYTES: usize = 256;
/// The argument is cut to 255 bytes before the lookup, so a prefix of 256 bytes never matches.
pub const PREFIX_EFFECTIVE_BYTES: usize = 255;
pub const POSTFIX_BYTES: usize = 127;
/// `SubstringMapEntries`; a value has to be shorter than its slot of 100 bytes.
pub const SUBSTRING_BYTES: usize = 99;
pub const SUBSTRINGS_PER_HOOK: usize = 100;
/// Entries of `matchNamespaces`.
pub const NAMESPACE_FILTERS: usize = 10;
/// `MaxCelExprFunctions`.
pub const CEL_EXPRESSIONS: usize = 8;
/// `MaxBTFArgDepth`.
pub const RESOLVE_STEPS: usize = 10;
pub const MESSAGE_BYTES: usize = 256;
pub const MESSAGE_MIN_BYTES: usize = 2;
pub const TAGS: usize = 16;
pub const TAG_BYTES: usize = 128;
pub const TAG_MIN_BYTES: usize = 2;
pub const LABEL_VALUE_BYTES: usize = 63;
/// `REGS_MAX`: assignments of one uprobe Override.
pub const REGISTER_ASSIGNMENTS: usize = 18;
pub const ENFORCERS_PER_POLICY: usize = 1;
/// Processes that `followForks` climbs over.
pub const FOLLOW_FORKS_DEPTH: usize = 9;
