//! Policies and scopes in the manifest: who they are, where they were written, whom they select.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// Which workloads: those that any term describes (rules in [`super::scope`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scope {
    /// Kept from build to build, so gaps are allowed and order means nothing.
    pub number: u32,
    pub any: Vec<ScopeTerm>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ScopeTerm {
    Host(HostTerm),
    Pods(PodTerm),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostTerm {
    /// Always true: every process that is in no known pod container.
    pub host: bool,
}

/// Containers for which every requirement holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodTerm {
    /// Absent: any namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Of the pod's labels.
    pub pod: Vec<LabelRequirement>,
    /// Of the container's `name` and `repo`.
    pub container: Vec<LabelRequirement>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabelRequirement {
    pub key: String,
    pub op: LabelOp,
    /// Empty for `Exists` and `DoesNotExist`.
    pub values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum LabelOp {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    /// Kept from build to build, so gaps are allowed and order means nothing.
    pub number: u32,
    pub kind: PolicyKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    pub name: String,
    /// As given on the command line, or below the folder given there.
    pub file: String,
    /// Of the policy's document.
    pub sha256: Digest,
    /// Of a binding: what it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<PolicyTemplate>,
    pub mode: Mode,
    /// Number of the scope of all hooks that name none.
    pub scope: u32,
    pub hooks: Vec<PolicyHook>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum PolicyKind {
    TracingPolicy,
    TracingPolicyNamespaced,
    TracingPolicyBinding,
}

/// The template of a binding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyTemplate {
    pub name: String,
    /// As a policy's `file`.
    pub file: String,
    /// Of the template's document.
    pub sha256: Digest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    Enforce,
    /// Override and Sigkill are reported, not done.
    Monitor,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyHook {
    pub operation: u32,
    /// `file:line` of the hook, of a binding's in its template.
    pub source: String,
    /// Number of the scope, where it is not the policy's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<u32>,
    /// What counts add to the numbers of the hook's selectors. Not 0 only if the policy has an earlier hook on the same
    /// operation. A hook whose selectors are for workloads of their own stands here once for each combination of them:
    /// with another scope, the same `firstSelector`, and those selectors that are for it.
    pub first_selector: u32,
    pub selectors: Vec<PolicySelector>,
    pub args: Vec<PolicyArg>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    pub tags: Vec<String>,
    /// Why the operation is attached the way it is, where that is not what the policy wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attach_reason: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicySelector {
    /// Its position in the hook as the policy writes it.
    pub number: u32,
    /// Number of its action record, by which decision words and events name it. Kept from build to build, so gaps are
    /// allowed and order means nothing. The parts of one hook have the same for the same selector.
    pub record: u32,
    /// `file:line`.
    pub source: String,
    pub action: Action,
    /// Its event is sent once in a while only, each time with the same arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RateLimit {
    pub milliseconds: u32,
    pub scope: RateLimitScope,
}

/// Whose events are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RateLimitScope {
    Thread,
    Process,
    Global,
}

impl PolicyHook {
    /// The selector with that action record.
    pub fn selector(&self, record: u32) -> Option<&PolicySelector> {
        self.selectors.iter().find(|selector| selector.record == record)
    }
}

/// Whose action a record number names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ActionRecord {
    /// Numbers of the operation and of the policy.
    pub operation: u32,
    pub policy: u32,
    /// Among those of the policy on the operation.
    pub selector: u32,
}

/// The action that events name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Action {
    Post,
    NoPost,
    Override,
    Sigkill,
}

/// An argument that the policy lists, hence one that its events show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyArg {
    pub index: u32,
    /// An event holds an integer extended to 64 bits. Where policies declare the argument with several types it is that
    /// of the widest: a reader takes as many bytes as its own type has (8 of a `size_t`) and extends them by that.
    #[serde(rename = "type")]
    pub ty: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}
