//! The objects of policies and templates, field by field; those of bindings are in [`super::bindings`].
//!
//! One declaration per object is everything the compiler knows of its shape: names, types, required
//! fields, defaults, limits, documentation. To add a field: a line here, and whoever resolves the object.
//! Source: Tetragon 4fbfe2d, `pkg/k8s/apis/cilium.io/v1alpha1/tracing_policy_types.go` and the CRDs made from it.

use super::bindings::Variable;
use super::read::{Coerced, List, Map, Text, object};
use super::schema::Rule::{AtMostOne, HostHasNoLabels, ReturnNeedsArg};
use crate::source::Spanned;
use crate::syntax::yaml::Node;
use crate::vocab::action::Action as ActionName;
use crate::vocab::arg_type::ArgType;
use crate::vocab::capability::CapabilitySet;
use crate::vocab::hook::ListKind;
use crate::vocab::namespace::Namespace;
use crate::vocab::operator::{BinaryOperator, LabelOperator, Operator, SetOperator};

type Flag = Spanned<bool>;

object! {
    /// A policy of either kind, or a template.
    Policy = "TracingPolicy" {
        /// `cilium.io/v1alpha1`; not looked at by Tetragon's file loader.
        api_version: Text<'n> = "apiVersion";
        /// `TracingPolicy` or `TracingPolicyNamespaced`.
        kind: Text<'n> = "kind" .required();
        /// Name, namespace and labels, as of every Kubernetes object.
        metadata: Metadata<'n> = "metadata" .required();
        /// What is hooked and what then happens.
        spec: Spec<'n> = "spec" .required();
        /// Of a controller; the API server prunes it.
        status: &'n Node<'n> = "status";
    }
}

object! {
    /// The parts of a Kubernetes object's metadata.
    Metadata = "ObjectMeta" {
        /// A DNS-1123 subdomain: lower case letters, digits, `-` and `.`.
        name: Coerced<'n> = "name";
        /// Stands in for `name` where the API server makes one up.
        generate_name: Coerced<'n> = "generateName";
        /// The namespace of a `TracingPolicyNamespaced`.
        namespace: Coerced<'n> = "namespace";
        /// Free labels.
        labels: Map<'n, Coerced<'n>> = "labels";
        /// Free annotations.
        annotations: Map<'n, Coerced<'n>> = "annotations";
        /// Set by the API server.
        self_link: Coerced<'n> = "selfLink";
        /// Set by the API server.
        uid: Coerced<'n> = "uid";
        /// Set by the API server.
        resource_version: Coerced<'n> = "resourceVersion";
        /// Set by the API server.
        generation: Coerced<'n> = "generation";
        /// Set by the API server.
        creation_timestamp: Coerced<'n> = "creationTimestamp";
        /// Set by the API server.
        deletion_timestamp: Coerced<'n> = "deletionTimestamp";
        /// Set by the API server.
        deletion_grace_period_seconds: Coerced<'n> = "deletionGracePeriodSeconds";
        /// Objects this one belongs to.
        owner_references: &'n Node<'n> = "ownerReferences";
        /// Who has to agree before it is deleted.
        finalizers: List<Coerced<'n>> = "finalizers";
        /// Set by the API server.
        managed_fields: &'n Node<'n> = "managedFields";
    }
}

object! {
    /// What is hooked and what then happens.
    Spec = "TracingPolicySpec" {
        /// What bindings give values for, in a template.
        variables: List<Variable<'n>> = "variables" .template_only();
        /// Hooks on kernel functions and syscalls.
        kprobes: List<Kprobe<'n>> = "kprobes" .exact_case();
        /// Hooks on kernel functions through fentry and fexit.
        fentries: List<Kprobe<'n>> = "fentries" .exact_case();
        /// Hooks on kernel tracepoints.
        tracepoints: List<Tracepoint<'n>> = "tracepoints";
        /// Hooks of the BPF LSM.
        lsmhooks: List<LsmHook<'n>> = "lsmhooks";
        /// Hooks on functions of user programs.
        uprobes: List<Uprobe<'n>> = "uprobes";
        /// Hooks on user programs' static probes.
        usdts: List<Usdt<'n>> = "usdts";
        /// Events for executable mappings.
        loader: Flag = "loader" .default("false");
        /// Functions at which `NotifyEnforcer` takes effect.
        enforcers: List<Enforcer<'n>> = "enforcers";
        /// Named lists of functions.
        lists: List<NamedList<'n>> = "lists";
        /// Settings of the policy.
        options: List<PolicyOption<'n>> = "options";
        /// Selectors that others can take over by name.
        selectors_macros: Map<'n, Selector<'n>> = "selectorsMacros";
        /// Pods whose processes the policy applies to.
        pod_selector: LabelSelector<'n> = "podSelector";
        /// Containers of those pods, by `name` and `repo`.
        container_selector: LabelSelector<'n> = "containerSelector";
        /// Whether it applies to the host's processes: absent or `{}`.
        host_selector: LabelSelector<'n> = "hostSelector";
        /// Nodes on which the policy is loaded.
        node_selector: LabelSelector<'n> = "nodeSelector";
    }
    rules [HostHasNoLabels];
}

object! {
    /// Labels to ask for; every part has to hold.
    LabelSelector = "LabelSelector" {
        /// Labels with the value they must have.
        match_labels: Map<'n, Text<'n>> = "matchLabels";
        /// Tests of labels.
        match_expressions: List<LabelExpression<'n>> = "matchExpressions";
    }
}

object! {
    /// A test of one label.
    LabelExpression = "LabelSelectorRequirement" {
        /// The label.
        key: Text<'n> = "key" .required();
        /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
        operator: Spanned<LabelOperator> = "operator" .required();
        /// Values for `In` and `NotIn`.
        values: List<Text<'n>> = "values";
    }
}

object! {
    /// A hook on a kernel function or a syscall.
    Kprobe = "KProbeSpec" {
        /// The function or syscall, or `list:NAME`.
        call: Text<'n> = "call" .required();
        /// Whether `call` is a syscall.
        syscall: Flag = "syscall" .default("true");
        /// Whether the return is hooked as well.
        returns: Flag = "return" .default("false");
        /// How the returned value is read.
        return_arg: Arg<'n> = "returnArg";
        /// `TrackSock` or `UntrackSock` on the returned value.
        return_arg_action: Text<'n> = "returnArgAction" .default("\"\"");
        /// Arguments to read.
        args: List<Arg<'n>> = "args";
        /// Values to read from elsewhere.
        data: List<Arg<'n>> = "data";
        /// What is matched, in order; the first that matches decides.
        selectors: List<Selector<'n>> = "selectors";
        /// Shown with every event.
        message: Text<'n> = "message" .default("\"\"");
        /// Shown with every event.
        tags: List<Text<'n>> = "tags" .max_items(crate::vocab::limit::TAGS);
        /// What may be missing.
        ignore: KprobeIgnore<'n> = "ignore";
    }
    rules [ReturnNeedsArg];
}

object! {
    /// What a kprobe does without.
    KprobeIgnore = "KprobeIgnoreSpec" {
        /// Skip functions that the kernel does not have.
        call_not_found: Flag = "callNotFound" .default("false");
    }
}

object! {
    /// A value to read.
    Arg = "KProbeArg" {
        /// Position in the function, or of the tracepoint's field.
        index: Spanned<u32> = "index" .required();
        /// How it is read.
        ty: Spanned<ArgType> = "type" .default("auto");
        /// A path of fields from the value, or a register.
        resolve: Text<'n> = "resolve" .default("\"\"");
        /// The struct from which `resolve` starts.
        btf_type: Text<'n> = "btfType";
        /// The kernel module that knows `btfType`.
        btf_type_module: Text<'n> = "btfTypeModule";
        /// The number, from 1, of the argument that holds the size.
        size_arg_index: Spanned<u32> = "sizeArgIndex" .default("0");
        /// Read when the function returns.
        return_copy: Flag = "returnCopy" .default("false");
        /// Read as much as is there.
        max_data: Flag = "maxData" .default("false");
        /// Shown with the value.
        label: Text<'n> = "label" .default("\"\"");
        /// In `data`: `current_task` or `pt_regs`.
        source: Text<'n> = "source" .default("\"\"");
    }
}

object! {
    /// A hook on a tracepoint.
    Tracepoint = "TracepointSpec" {
        /// As in tracefs.
        subsystem: Text<'n> = "subsystem" .required();
        /// As in tracefs.
        event: Text<'n> = "event" .required();
        /// Fields to read.
        args: List<Arg<'n>> = "args";
        /// What is matched, in order; the first that matches decides.
        selectors: List<Selector<'n>> = "selectors";
        /// Shown with every event.
        message: Text<'n> = "message" .default("\"\"");
        /// Shown with every event.
        tags: List<Text<'n>> = "tags" .max_items(crate::vocab::limit::TAGS);
        /// Attach as a raw tracepoint.
        raw: Flag = "raw" .default("false");
    }
}

object! {
    /// A hook of the BPF LSM.
    LsmHook = "LsmHookSpec" {
        /// Without `bpf_lsm_` or `security_`.
        hook: Text<'n> = "hook" .required();
        /// Arguments to read.
        args: List<Arg<'n>> = "args";
        /// What is matched, in order; the first that matches decides.
        selectors: List<Selector<'n>> = "selectors";
        /// Shown with every event.
        message: Text<'n> = "message" .default("\"\"");
        /// Shown with every event.
        tags: List<Text<'n>> = "tags" .max_items(crate::vocab::limit::TAGS);
    }
}

object! {
    /// A hook on functions of a user program.
    Uprobe = "UProbeSpec" {
        /// The program or library.
        path: Text<'n> = "path" .required();
        /// Functions by name, or `name+offset`.
        symbols: List<Text<'n>> = "symbols";
        /// Functions by offset in the file.
        offsets: List<Spanned<u64>> = "offsets";
        /// Functions by address.
        addrs: List<Spanned<u64>> = "addrs";
        /// Reference counters that belong to the functions.
        ref_ctr_offsets: List<Spanned<u64>> = "refCtrOffsets";
        /// A file with BTF of the program.
        btf_path: Text<'n> = "btfPath";
        /// Arguments to read.
        args: List<Arg<'n>> = "args";
        /// Values to read from elsewhere.
        data: List<Arg<'n>> = "data";
        /// Whether the return is hooked as well.
        returns: Flag = "return" .default("false");
        /// How the returned value is read.
        return_arg: Arg<'n> = "returnArg";
        /// What is matched, in order; the first that matches decides.
        selectors: List<Selector<'n>> = "selectors";
        /// Shown with every event.
        message: Text<'n> = "message" .default("\"\"");
        /// Shown with every event.
        tags: List<Text<'n>> = "tags" .max_items(crate::vocab::limit::TAGS);
        /// `algorithm:hex`; one of them must fit the file.
        binary_digests: List<Text<'n>> = "binaryDigests";
        /// What may be wrong.
        ignore: UprobeIgnore<'n> = "ignore";
    }
    rules [ReturnNeedsArg, AtMostOne(&["symbols", "addrs", "offsets"])];
}

object! {
    /// What a uprobe does without.
    UprobeIgnore = "UprobeIgnoreSpec" {
        /// Skip the program if no digest fits.
        digest_verification_failure: Flag = "digestVerificationFailure" .default("false");
    }
}

object! {
    /// A hook on a static probe of a user program.
    Usdt = "UsdtSpec" {
        /// The program or library.
        path: Text<'n> = "path" .required();
        /// The probe's provider.
        provider: Text<'n> = "provider" .required();
        /// The probe.
        name: Text<'n> = "name" .required();
        /// A file with BTF of the program.
        btf_path: Text<'n> = "btfPath";
        /// Arguments to read.
        args: List<Arg<'n>> = "args";
        /// What is matched, in order; the first that matches decides.
        selectors: List<Selector<'n>> = "selectors";
        /// Shown with every event.
        message: Text<'n> = "message" .default("\"\"");
        /// Shown with every event.
        tags: List<Text<'n>> = "tags" .max_items(crate::vocab::limit::TAGS);
    }
}

object! {
    /// Functions at which `NotifyEnforcer` takes effect.
    Enforcer = "EnforcerSpec" {
        /// Syscalls, `security_` functions, or `list:NAME`.
        calls: List<Text<'n>> = "calls" .required();
    }
}

object! {
    /// A named list of functions.
    NamedList = "ListSpec" {
        /// What `list:NAME` refers to.
        name: Text<'n> = "name" .required();
        /// Without it, values are symbols.
        ty: Spanned<ListKind> = "type";
        /// The functions or syscalls.
        values: List<Text<'n>> = "values";
        /// What names of a `generated_ftrace` list match.
        pattern: Text<'n> = "pattern";
        /// Tetragon's own; skips the expansion of the list.
        validated: Flag = "validated";
    }
}

object! {
    /// A setting of the policy.
    PolicyOption = "OptionSpec" {
        /// Which setting.
        name: Text<'n> = "name" .required();
        /// Its value.
        value: Text<'n> = "value";
    }
}

object! {
    /// Filters that have to hold together, and what then happens.
    Selector = "KProbeSelector" {
        /// Names it in metrics.
        label: Text<'n> = "label";
        /// Processes by number.
        match_pids: List<PidFilter<'n>> = "matchPIDs";
        /// Conditions on arguments.
        match_args: List<ArgFilter<'n>> = "matchArgs";
        /// Conditions on data.
        match_data: List<ArgFilter<'n>> = "matchData";
        /// Conditions on the returned value.
        match_return_args: List<ArgFilter<'n>> = "matchReturnArgs";
        /// What happens when it matches.
        match_actions: List<Action<'n>> = "matchActions";
        /// What happens when the return matches.
        match_return_actions: List<Action<'n>> = "matchReturnActions";
        /// The program that runs.
        match_binaries: List<BinaryFilter<'n>> = "matchBinaries" .max_items(1);
        /// The program of the parent process.
        match_parent_binaries: List<BinaryFilter<'n>> = "matchParentBinaries" .max_items(1);
        /// Namespaces of the process.
        match_namespaces: List<NamespaceFilter<'n>> = "matchNamespaces";
        /// Namespaces that the process changed.
        match_namespace_changes: List<NamespaceChangeFilter<'n>> = "matchNamespaceChanges";
        /// Capabilities of the process.
        match_capabilities: List<CapabilityFilter<'n>> = "matchCapabilities";
        /// Capabilities that the process changed.
        match_capability_changes: List<CapabilityFilter<'n>> = "matchCapabilityChanges";
        /// Workloads of this selector.
        match_workloads: WorkloadFilter<'n> = "matchWorkloads";
        /// Selectors of `selectorsMacros` to take over.
        macros: List<Text<'n>> = "macros";
        /// An expression over arguments and data.
        match_cel: CelFilter<'n> = "matchCEL";
        /// Words of the process's command line.
        match_cmd_args: List<CmdArgFilter<'n>> = "matchCmdArgs";
        /// Functions of the user program that called the probed one.
        match_user_callers: List<UserCallerFilter<'n>> = "matchUserCallers";
    }
}

object! {
    /// An expression over arguments and data.
    CelFilter = "CELSelector" {
        /// In CEL, with `arg0` and `data0` for values by position.
        expr: Text<'n> = "expr" .required();
    }
}

object! {
    /// A word of the process's command line.
    CmdArgFilter = "CmdArgSelector" {
        /// Position behind the program's name, from 0.
        index: Spanned<u32> = "index" .required();
        /// How it is compared.
        operator: Spanned<Operator> = "operator" .required();
        /// What it is compared with.
        values: List<Text<'n>> = "values" .required();
    }
}

object! {
    /// A function on the user stack.
    UserCallerFilter = "UserCallerSelector" {
        /// `any`, or how far up, from `1`.
        depth: Text<'n> = "depth" .required();
        /// The file that holds the function.
        path: Text<'n> = "path";
        /// The function by name.
        symbol: Text<'n> = "symbol";
        /// The function by its first offset in the file.
        start_range: Spanned<u64> = "startRange";
        /// And its last one.
        end_range: Spanned<u64> = "endRange";
    }
}

object! {
    /// Processes by number.
    PidFilter = "PIDSelector" {
        /// `In` or `NotIn`.
        operator: Spanned<SetOperator> = "operator" .required();
        /// Process ids.
        values: List<Spanned<u32>> = "values" .required();
        /// Ids of the innermost PID namespace.
        is_namespace_pid: Flag = "isNamespacePID" .default("false");
        /// Also processes that descend from them.
        follow_forks: Flag = "followForks" .default("false");
    }
}

object! {
    /// A condition on an argument.
    ArgFilter = "ArgSelector" {
        /// Position in the function of the argument.
        index: Spanned<u32> = "index" .default("0");
        /// Position in the list of arguments; comes before `index`.
        args: List<Spanned<u32>> = "args";
        /// How it is compared.
        operator: Spanned<Operator> = "operator" .required();
        /// What it is compared with.
        values: List<Text<'n>> = "values";
        /// The variable whose values stand here, in a template.
        variable: Text<'n> = "valuesFromVariable" .replaces("values");
    }
}

object! {
    /// The program that runs.
    BinaryFilter = "BinarySelector" {
        /// How the path is compared.
        operator: Spanned<BinaryOperator> = "operator" .required();
        /// Absolute paths, or parts of them.
        values: List<Text<'n>> = "values" .required();
        /// The variable whose values stand here, in a template.
        variable: Text<'n> = "valuesFromVariable" .replaces("values");
        /// Also programs that descend from them.
        follow_children: Flag = "followChildren" .default("false");
    }
}

object! {
    /// Namespaces of the process.
    NamespaceFilter = "NamespaceSelector" {
        /// The kind of namespace.
        namespace: Spanned<Namespace> = "namespace" .required();
        /// `In` or `NotIn`.
        operator: Spanned<SetOperator> = "operator" .required();
        /// Inode numbers, or `host_ns`.
        values: List<Text<'n>> = "values" .required();
        /// The variable whose values stand here, in a template.
        variable: Text<'n> = "valuesFromVariable" .replaces("values");
    }
}

object! {
    /// Namespaces that the process changed.
    NamespaceChangeFilter = "NamespaceChangesSelector" {
        /// `In` or `NotIn`.
        operator: Spanned<SetOperator> = "operator" .required();
        /// Kinds of namespaces.
        values: List<Text<'n>> = "values" .required();
        /// The variable whose values stand here, in a template.
        variable: Text<'n> = "valuesFromVariable" .replaces("values");
    }
}

object! {
    /// Capabilities of the process, or those that it changed.
    CapabilityFilter = "CapabilitiesSelector" {
        /// The set that is looked at.
        ty: Spanned<CapabilitySet> = "type" .default("Effective");
        /// `In` or `NotIn`.
        operator: Spanned<SetOperator> = "operator" .required();
        /// Only in a user namespace that is not the host's.
        is_namespace_capability: Flag = "isNamespaceCapability" .default("false");
        /// Names of capabilities.
        values: List<Text<'n>> = "values" .required();
        /// The variable whose values stand here, in a template.
        variable: Text<'n> = "valuesFromVariable" .replaces("values");
    }
}

object! {
    /// Workloads of one selector.
    WorkloadFilter = "WorkloadSelector" {
        /// Pods.
        pod_selector: LabelSelector<'n> = "podSelector";
        /// Containers of those pods.
        container_selector: LabelSelector<'n> = "containerSelector";
        /// Whether the host's processes belong to it.
        host_selector: LabelSelector<'n> = "hostSelector";
    }
    rules [HostHasNoLabels];
}

object! {
    /// What happens when a selector matches.
    Action = "ActionSelector" {
        /// What is done.
        action: Spanned<ActionName> = "action" .required();
        /// For `GetUrl`.
        url: Text<'n> = "argUrl";
        /// For `DnsLookup`.
        fqdn: Text<'n> = "argFqdn";
        /// For `Override` and `NotifyEnforcer`: what the call returns.
        error: Spanned<i32> = "argError";
        /// For `Signal` and `NotifyEnforcer`: the signal's number.
        signal: Spanned<u32> = "argSig";
        /// For `TrackSock` and `UntrackSock`: position in the list of arguments.
        sock: Spanned<u32> = "argSock";
        /// For `Set`: position in the list of arguments.
        index: Spanned<u32> = "argIndex";
        /// For `Set`: what is written.
        value: Spanned<u32> = "argValue";
        /// For `Override` on a uprobe: assignments to registers.
        registers: List<Text<'n>> = "argRegs";
        /// For `Override` on a uprobe: the function that runs instead.
        new_symbol: Text<'n> = "argNewSymbol";
        /// For `Override` on a uprobe: its address.
        new_addr: Spanned<u64> = "argNewAddr";
        /// For `Override` on a uprobe: its distance.
        new_offset: Spanned<i64> = "argNewOffset";
        /// For `Post`: at most one such event in this time.
        rate_limit: Text<'n> = "rateLimit";
        /// For `Post`: what counts as such an event.
        rate_limit_scope: Text<'n> = "rateLimitScope";
        /// For `Post`: with the kernel's stack.
        kernel_stack_trace: Flag = "kernelStackTrace";
        /// For `Post`: with the process's stack.
        user_stack_trace: Flag = "userStackTrace";
        /// For `Post` on an LSM hook: with the file's IMA hash.
        ima_hash: Flag = "imaHash";
    }
    rules [AtMostOne(&["argNewSymbol", "argNewAddr", "argNewOffset"])];
}
