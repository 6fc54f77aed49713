//! The closed vocabularies of the language, one table each.
//!
//! A vocabulary is an enum whose rows carry what the language says of each word: its spelling, Tetragon's
//! number for it, what it belongs to. Everything that matches on such an enum matches without a default
//! arm, so that a new row is followed by compile errors up to the last place that has to decide about it.

#![warn(clippy::wildcard_enum_match_arm)]

pub mod action;
pub mod arg_type;
pub mod attach;
pub mod capability;
pub mod condition;
pub mod fact;
pub mod file_type;
pub mod filter;
pub mod hook;
pub mod kind;
pub mod limit;
pub mod namespace;
pub mod network;
pub mod operator;
pub mod option;
pub mod register;
pub mod release;

/// A closed set of words.
pub trait Vocabulary: Copy + Eq + 'static {
    /// What one of the words is called, for a message: `operator`.
    const WHAT: &'static str;
    /// Every word, in the order of the schema.
    const ALL: &'static [Self];

    fn name(self) -> &'static str;

    /// What it means, for those who write it; empty for words that no field takes alone.
    fn doc(self) -> &'static str;

    /// Exact spelling only; the schema compares case as well.
    fn parse(text: &str) -> Option<Self>;

    fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().map(|word| word.name())
    }
}

/// Declares a vocabulary: the enum, its [`Vocabulary`] implementation and one method per column. The doc comment
/// of a row is part of the published schema.
macro_rules! vocabulary {
    (
        $(#[$meta:meta])*
        $what:literal enum $name:ident row $row:ident { $($(#[$col_meta:meta])* $col:ident: $ty:ty),* $(,)? }
        $($(#[doc = $doc:literal])* $variant:ident { name: $text:literal $(, $field:ident: $value:expr)* $(,)? })*
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[doc = $doc])* $variant),* }

        #[allow(dead_code, reason = "a table of names alone has no columns")]
        struct $row { $($col: $ty),* }

        impl $name {
            #[allow(dead_code, reason = "a table of names alone has no columns")]
            const ROWS: &[$row] = &[$($row { $($field: $value),* }),*];

            pub const ALL: &[$name] = &[$($name::$variant),*];

            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $text),* }
            }

            $($(#[$col_meta])* pub const fn $col(self) -> $ty { Self::ROWS[self as usize].$col })*
        }

        impl $crate::vocab::Vocabulary for $name {
            const WHAT: &'static str = $what;
            const ALL: &'static [$name] = $name::ALL;

            fn name(self) -> &'static str {
                $name::name(self)
            }

            fn doc(self) -> &'static str {
                match self { $($name::$variant => concat!($($doc),*).trim_ascii()),* }
            }

            fn parse(text: &str) -> Option<$name> {
                match text { $($text => Some($name::$variant),)* _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}
use vocabulary;

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trips<V: Vocabulary + std::fmt::Debug>() {
        assert!(!V::ALL.is_empty());
        for &word in V::ALL {
            assert_eq!(V::parse(word.name()), Some(word));
            assert_eq!(V::parse(&format!("{}x", word.name())), None);
        }
        let names: std::collections::BTreeSet<_> = V::names().collect();
        assert_eq!(names.len(), V::ALL.len(), "{}: a name stands twice", V::WHAT);
    }

    #[test]
    fn every_name_round_trips_and_stands_once() {
        round_trips::<arg_type::ArgType>();
        round_trips::<operator::Operator>();
        round_trips::<operator::SetOperator>();
        round_trips::<operator::BinaryOperator>();
        round_trips::<operator::LabelOperator>();
        round_trips::<action::Action>();
        round_trips::<action::RateLimitScope>();
        round_trips::<capability::Capability>();
        round_trips::<capability::CapabilitySet>();
        round_trips::<namespace::Namespace>();
        round_trips::<file_type::FileType>();
        round_trips::<filter::FilterKind>();
        round_trips::<kind::PolicyKind>();
        round_trips::<hook::HookKind>();
        round_trips::<hook::ListKind>();
        round_trips::<hook::DataSource>();
        round_trips::<option::PolicyOption>();
        round_trips::<network::Protocol>();
        round_trips::<network::Family>();
        round_trips::<network::State>();
    }
}
