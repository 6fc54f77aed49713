//! Kinds of policies. The order is that in which policies of one name are told apart and overrides win.

use super::vocabulary;

vocabulary! {
    /// What `kind` of a policy can be.
    "kind" enum PolicyKind row PolicyKindRow {}
    TracingPolicy { name: "TracingPolicy" }
    TracingPolicyNamespaced { name: "TracingPolicyNamespaced" }
    /// A template with its values.
    TracingPolicyBinding { name: "TracingPolicyBinding" }
}
