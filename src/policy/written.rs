//! Documents with nothing left in them that stands for something else, and everything else as it was written.
//!
//! Made by [`super::expand`] from the very parts that are resolved: templates, variables, macros and lists are
//! spelled out, fields that were left out have their default. Operators are words, values are texts, and what they
//! mean is nobody's yet. The oracle and the proof read this, and nothing that the compiler made of it; so a hook, a
//! condition or an action that is lost behind this point is found.
//! Holds only documents in which nothing was refused. A part that has no place here is named (`unread`): who reads
//! it must refuse the document rather than pass over it.

use std::sync::Arc;

use super::{Identity, Template};
use crate::source::Span;
use crate::vocab::action::Action as ActionName;
use crate::vocab::arg_type::ArgType;
use crate::vocab::capability::CapabilitySet;
use crate::vocab::filter::FilterKind;
use crate::vocab::hook::HookKind;
use crate::vocab::namespace::Namespace;
use crate::vocab::operator::{BinaryOperator, LabelOperator, Operator, SetOperator};

/// Every policy of a run, in order of identity.
#[derive(Clone, Debug, Default)]
pub struct Written {
    pub policies: Vec<Policy>,
    texts: String,
}

/// A piece of text of a document; [`Written::text`] gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    start: usize,
    len: u32,
}

impl Written {
    pub fn text(&self, text: Text) -> &str {
        &self.texts[text.start..][..text.len as usize]
    }

    pub fn add(&mut self, text: &str) -> Text {
        let start = self.texts.len();
        self.texts.push_str(text);
        Text { start, len: text.len() as u32 }
    }
}

#[derive(Clone, Debug)]
pub struct Policy {
    pub identity: Identity,
    /// Of a binding: what it was made from.
    pub template: Option<Template>,
    /// Name and value, in order.
    pub options: Vec<(Text, Text)>,
    /// The run asks for policies that only report.
    pub monitor: bool,
    pub workloads: Workloads,
    pub hooks: Vec<Hook>,
    /// Parts of the document that have no place here.
    pub unread: Vec<&'static str>,
}

/// The processes that a policy is for.
#[derive(Clone, Debug, Default)]
pub struct Workloads {
    pub of: Arc<Select>,
    /// Of a binding: those of others that take over from it.
    pub except: Vec<Arc<Select>>,
}

/// Selectors of a policy, a binding or one `matchWorkloads`. What is `None` was not written.
#[derive(Clone, Debug, Default)]
pub struct Select {
    /// Of a namespaced policy or binding.
    pub namespace: Option<String>,
    pub pod: Option<Vec<Label>>,
    pub container: Option<Vec<Label>>,
    pub host: bool,
}

/// One entry of `matchExpressions`, or of `matchLabels` as `In` with one value.
#[derive(Clone, Debug)]
pub struct Label {
    pub key: String,
    pub operator: LabelOperator,
    pub values: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct Hook {
    pub kind: HookKind,
    /// What it is placed on; each is a hook of its own.
    pub places: Vec<Place>,
    /// Of a kprobe.
    pub syscall: bool,
    pub args: Vec<Arg>,
    /// What is read of the function's return, if that is hooked.
    pub returned: Option<Arg>,
    /// None were written if there are none.
    pub selectors: Vec<Selector>,
    /// Parts of the hook that have no place here.
    pub unread: Vec<&'static str>,
    /// Of `call` or `hook`.
    pub span: Span,
}

/// A function or LSM hook.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub name: Text,
    pub from: From,
}

/// Where a name was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    Hook,
    /// In a list of symbols, which are used as they are.
    Symbols,
    /// In a list of syscalls: `[ABI/]NAME`.
    Syscalls,
}

#[derive(Clone, Copy, Debug)]
pub struct Arg {
    pub index: u32,
    pub ty: ArgType,
    pub label: Option<Text>,
}

#[derive(Clone, Debug)]
pub struct Selector {
    pub workloads: Option<Select>,
    pub filters: Vec<Filter>,
    /// `matchReturnArgs`, where the return is hooked.
    pub returned: Vec<Filter>,
    pub actions: Vec<Action>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum Filter {
    Arg(ArgFilter),
    /// An entry of `matchPIDs`, without `followForks`.
    Pids {
        operator: SetOperator,
        is_of_namespace: bool,
        values: Vec<u32>,
    },
    /// An entry of `matchBinaries`, without `followChildren`.
    Binaries {
        operator: BinaryOperator,
        values: Vec<Text>,
    },
    /// An entry of `matchNamespaces`.
    Namespaces {
        kind: Namespace,
        operator: SetOperator,
        values: Vec<Text>,
    },
    /// An entry of `matchCapabilities`.
    Capabilities {
        set: CapabilitySet,
        operator: SetOperator,
        is_of_namespace: bool,
        values: Vec<Text>,
    },
    /// One that has no place here.
    Other(FilterKind),
}

/// An entry of `matchArgs`.
#[derive(Clone, Debug)]
pub struct ArgFilter {
    pub arg: ArgOf,
    pub operator: Operator,
    pub values: Vec<Text>,
}

/// How a filter names its argument.
#[derive(Clone, Copy, Debug)]
pub enum ArgOf {
    /// `args: [n]`
    Position(u32),
    /// `index: n`
    Index(u32),
}

#[derive(Clone, Copy, Debug)]
pub struct Action {
    pub action: ActionName,
    /// `argError`
    pub error: Option<i32>,
    /// `rateLimit` and `rateLimitScope`; what is empty is not there.
    pub rate_limit: Option<Text>,
    pub rate_limit_scope: Option<Text>,
    /// A parameter that has no place here.
    pub unread: Option<&'static str>,
}

impl Policy {
    /// Position of a selector in its hook; `None` if there is none at this place.
    pub fn position(&self, span: Span) -> Option<usize> {
        self.hooks.iter().find_map(|hook| {
            if hook.selectors.is_empty() && hook.span == span {
                return Some(0);
            }
            hook.selectors.iter().position(|selector| selector.span == span)
        })
    }
}
