//! What the release of Tetragon that was chosen does not know, or is about to drop.
//!
//! Looks at a document as written: a field that a release does not know is refused there, or dropped on the way by an
//! older API server, whatever else is right with it.

use crate::diag::{Diagnostics, release as codes};
use crate::syntax::yaml::{Node, NodeKind};
use crate::vocab::Vocabulary;
use crate::vocab::action::Action;
use crate::vocab::release::{ADDED, DEPRECATED_OPERATOR, Release};

pub fn check(root: &Node<'_>, release: Release, diags: &mut Diagnostics) {
    let (deprecated, since, instead) = DEPRECATED_OPERATOR;
    let mut open = vec![root];
    while let Some(node) = open.pop() {
        match &node.kind {
            NodeKind::Scalar { .. } => {}
            NodeKind::Sequence(items) => open.extend(items),
            NodeKind::Mapping(entries) => {
                for (key, value) in entries {
                    let name = key.key_text().unwrap_or_default();
                    if let Some(added) =
                        ADDED.iter().find(|added| added.field == name && added.since > release)
                    {
                        let enforces = name.starts_with("match") && is_enforcing(entries);
                        diags.push(codes::not_in_release(added, release, enforces, key.span));
                    }
                    if name == "operator"
                        && release >= since
                        && let NodeKind::Scalar { text, .. } = &value.kind
                        && text.eq_ignore_ascii_case(deprecated)
                    {
                        diags.push(codes::deprecated(deprecated, instead, value.span));
                    }
                    // Names and labels are free.
                    if !["metadata", "matchLabels", "selectorsMacros"].contains(&&*name) {
                        open.push(value);
                    } else if name == "selectorsMacros" {
                        open.extend(value.as_mapping().into_iter().flatten().map(|(_, selector)| selector));
                    }
                }
            }
        }
    }
}

/// Whether the selector with these fields has an action that enforces.
fn is_enforcing(entries: &[(Node<'_>, Node<'_>)]) -> bool {
    let of = |node: &Node<'_>, name: &str| {
        let entries = node.as_mapping().unwrap_or_default();
        let found = entries.iter().find(|(key, _)| key.key_text().is_some_and(|key| key == name));
        match found.map(|(_, value)| &value.kind) {
            Some(NodeKind::Scalar { text, .. }) => Some(text.to_string()),
            _ => None,
        }
    };
    let actions = entries.iter().filter(|(key, _)| key.key_text().is_some_and(|key| key == "matchActions"));
    let actions = actions.flat_map(|(_, list)| list.as_sequence().unwrap_or_default());
    let mut actions = actions.filter_map(|action| Action::parse(&of(action, "action")?));
    actions.any(Action::enforces)
}
