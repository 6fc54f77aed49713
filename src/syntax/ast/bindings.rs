//! The objects that templates and bindings add, field by field.
//!
//! Source: Cilium CFP-4191.

use super::objects::{LabelSelector, Metadata};
use super::read::{List, Text, object};
use super::schema::Rule::HostHasNoLabels;
use crate::source::Spanned;
use crate::vocab::arg_type::ArgType;

object! {
    /// A named list of values that bindings give.
    Variable = "TemplateVariable" {
        /// What `valuesFromVariable` refers to.
        name: Text<'n> = "name" .required();
        /// The type of the arguments that its values are compared with; checked if given.
        ty: Spanned<ArgType> = "type";
    }
}

object! {
    /// A template with values and workloads.
    Binding = "TracingPolicyBinding" {
        /// `cilium.io/v1alpha1`.
        api_version: Text<'n> = "apiVersion";
        /// `TracingPolicyBinding`.
        kind: Text<'n> = "kind" .required();
        /// Name, namespace and labels, as of every Kubernetes object.
        metadata: Metadata<'n> = "metadata" .required();
        /// The template, its values and its workloads.
        spec: BindingSpec<'n> = "spec" .required();
    }
}

object! {
    /// The template, its values and its workloads. Without any selector and override field it applies to pods
    /// labelled `tetragon-<template>=<binding name>`, and is named `<template>-<binding name>`.
    BindingSpec = "TracingPolicyBindingSpec" {
        /// The template.
        template_ref: TemplateRef<'n> = "templateRef" .required();
        /// Whether another binding of the template may take over workloads that both select.
        override_allowed: Spanned<bool> = "overrideAllowed" .default("false");
        /// Among bindings that select the same workload the highest one applies.
        override_priority: Spanned<i32> = "overridePriority" .default("0");
        /// Pods whose processes the binding applies to.
        pod_selector: LabelSelector<'n> = "podSelector";
        /// Containers of those pods, by `name` and `repo`.
        container_selector: LabelSelector<'n> = "containerSelector";
        /// Whether it applies to the host's processes: absent or `{}`.
        host_selector: LabelSelector<'n> = "hostSelector";
        /// Nodes on which the binding is loaded.
        node_selector: LabelSelector<'n> = "nodeSelector";
        /// Values of the template's variables.
        bindings: List<BoundVariable<'n>> = "bindings";
    }
    rules [HostHasNoLabels];
}

object! {
    /// The template of a binding.
    TemplateRef = "TemplateReference" {
        /// Its `metadata.name`.
        name: Text<'n> = "name" .required();
    }
}

object! {
    /// The values of one variable.
    BoundVariable = "VariableBinding" {
        /// The variable, as the template declares it.
        name: Text<'n> = "name" .required();
        /// What the filters that name it compare with.
        values: List<Text<'n>> = "values" .required();
    }
}
