//! The options of `spec.options`. Source: Tetragon 4fbfe2d, `pkg/sensors/tracing/options.go`.

use super::vocabulary;

/// What an option's value may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OptionValue {
    /// Go's `strconv.ParseBool`.
    Bool,
    OneOf(&'static [&'static str]),
    /// A positive decimal number.
    Positive,
}

vocabulary! {
    /// A name that `options[].name` can have. Tetragon ignores others in silence.
    "option" enum PolicyOption row OptionRow {
        value: OptionValue,
    }
    DisableKprobeMulti { name: "disable-kprobe-multi", value: OptionValue::Bool }
    DisableUprobeMulti { name: "disable-uprobe-multi", value: OptionValue::Bool }
    OverrideMethod { name: "override-method", value: OptionValue::OneOf(&["fmod-ret", "override-return"]) }
    PolicyMode { name: "policy-mode", value: OptionValue::OneOf(&["enforce", "monitor"]) }
    SleepablePreloadSize { name: "sleepable-preload-size", value: OptionValue::Positive }
}
