//! The filters of a selector.

use super::vocabulary;

vocabulary! {
    /// A field of a selector that narrows what it matches.
    "filter" enum FilterKind row FilterRow {}
    Pids { name: "matchPIDs" }
    Args { name: "matchArgs" }
    Data { name: "matchData" }
    ReturnArgs { name: "matchReturnArgs" }
    Binaries { name: "matchBinaries" }
    ParentBinaries { name: "matchParentBinaries" }
    Namespaces { name: "matchNamespaces" }
    NamespaceChanges { name: "matchNamespaceChanges" }
    Capabilities { name: "matchCapabilities" }
    CapabilityChanges { name: "matchCapabilityChanges" }
    Workloads { name: "matchWorkloads" }
}
