//! The filters of a selector.

use super::vocabulary;

vocabulary! {
    /// A field of a selector that narrows what it matches.
    "filter" enum FilterKind row FilterRow {
        /// Whether this back end evaluates it.
        is_compiled: bool,
    }
    Pids { name: "matchPIDs", is_compiled: false }
    Args { name: "matchArgs", is_compiled: true }
    Data { name: "matchData", is_compiled: false }
    ReturnArgs { name: "matchReturnArgs", is_compiled: false }
    Binaries { name: "matchBinaries", is_compiled: false }
    ParentBinaries { name: "matchParentBinaries", is_compiled: false }
    Namespaces { name: "matchNamespaces", is_compiled: false }
    NamespaceChanges { name: "matchNamespaceChanges", is_compiled: false }
    Capabilities { name: "matchCapabilities", is_compiled: false }
    CapabilityChanges { name: "matchCapabilityChanges", is_compiled: false }
    Workloads { name: "matchWorkloads", is_compiled: true }
}
