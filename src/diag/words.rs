//! What is meant by words that are in no vocabulary: by meaning, before anything is guessed by spelling.
//!
//! Words of other tools and of earlier Tetragon releases, and what people write first. A word is never taken for one
//! that says the opposite.

/// What to do about a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meant {
    /// Write this.
    Write(&'static str),
    /// A sentence without a full stop.
    Do(&'static str),
}

use Meant::{Do, Write};

const FD_RESOLVES: &str = "remove it: it is no action any more, and type `fd` resolves the path by itself";
const WORKLOADS_HERE: &str =
    "inside a selector, workloads are under `matchWorkloads`; for the whole policy, beside `kprobes`";
const KUBERNETES_NAMESPACE: &str = "these are the kernel's namespaces; pods of a Kubernetes namespace are selected by \
    `kind: TracingPolicyNamespaced`, or by `podSelector` with the label `k8s:io.kubernetes.pod.namespace`";
const CALL_SAYS: &str =
    "what is hooked is named by `call`, several system calls by a list: `call: \"list:NAME\"`";
const PATHS: &str = "read the path as an argument (`args`), and compare it under `matchArgs`";

/// By what the word stands for, as vocabularies call it; in lower case.
const WORDS: [(&str, &[(&str, Meant)]); 5] = [
    (
        "operator",
        &[
            ("in", Write("Equal")),
            ("notin", Write("NotEqual")),
            ("=", Write("Equal")),
            ("==", Write("Equal")),
            ("!=", Write("NotEqual")),
            ("equals", Write("Equal")),
            ("is", Write("Equal")),
            ("exact", Write("Equal")),
            ("contains", Write("SubString")),
            ("includes", Write("SubString")),
            ("instring", Write("SubString")),
            ("endswith", Write("Postfix")),
            ("suffix", Write("Postfix")),
            ("notendswith", Write("NotPostfix")),
            ("notsuffix", Write("NotPostfix")),
            ("startswith", Write("Prefix")),
            ("beginswith", Write("Prefix")),
            ("pathprefix", Write("Prefix")),
            ("notstartswith", Write("NotPrefix")),
            ("notpathprefix", Write("NotPrefix")),
            ("greaterthan", Write("GT")),
            ("lessthan", Write("LT")),
            (">", Write("GT")),
            ("<", Write("LT")),
            ("daddrin", Write("DAddr")),
            ("daddrnotin", Write("NotDAddr")),
            ("saddrin", Write("SAddr")),
            ("saddrnotin", Write("NotSAddr")),
            ("dportin", Write("DPort")),
            ("dportnotin", Write("NotDPort")),
            ("sportin", Write("SPort")),
            ("sportnotin", Write("NotSPort")),
            ("regex", Do("there are no patterns: use `Prefix`, `Postfix` or `SubString`")),
            ("matches", Do("there are no patterns: use `Prefix`, `Postfix` or `SubString`")),
            ("glob", Do("there are no patterns: use `Prefix`, `Postfix` or `SubString`")),
        ],
    ),
    (
        "action",
        &[
            ("kill", Write("Sigkill")),
            ("terminate", Write("Sigkill")),
            ("block", Write("Override")),
            ("deny", Write("Override")),
            ("return", Write("Override")),
            ("log", Write("Post")),
            ("alert", Write("Post")),
            ("audit", Write("Post")),
            ("allow", Write("NoPost")),
            ("ignore", Write("NoPost")),
            ("notifykiller", Write("NotifyEnforcer")),
            ("followfd", Do(FD_RESOLVES)),
            ("unfollowfd", Do(FD_RESOLVES)),
            ("copyfd", Do(FD_RESOLVES)),
        ],
    ),
    ("return action", &[("post", Do("remove it: `returnArg` already puts the value into the event"))]),
    (
        "argument type",
        &[
            ("u8", Write("uint8")),
            ("u16", Write("uint16")),
            ("u32", Write("uint32")),
            ("u64", Write("uint64")),
            ("i32", Write("int32")),
            ("i64", Write("int64")),
            ("unsigned int", Write("uint32")),
            ("linux_cred", Write("cred")),
            ("sockfd", Write("fd")),
            ("str", Write("string")),
            ("char", Write("string")),
            ("bool", Write("uint8")),
        ],
    ),
    (
        "namespace",
        &[
            ("default", Do(KUBERNETES_NAMESPACE)),
            ("production", Do(KUBERNETES_NAMESPACE)),
            ("kube-system", Do(KUBERNETES_NAMESPACE)),
            ("network", Write("Net")),
            ("mount", Write("Mnt")),
        ],
    ),
];

/// By the object that the field stands in, as the schema calls it; in lower case.
const FIELDS: [(&str, &[(&str, Meant)]); 4] = [
    (
        "KProbeSelector",
        &[
            ("actions", Write("matchActions")),
            ("action", Write("matchActions")),
            ("enforcementactions", Write("matchActions")),
            ("podselector", Do(WORKLOADS_HERE)),
            ("containerselector", Do(WORKLOADS_HERE)),
            ("matchpods", Do(WORKLOADS_HERE)),
            ("matchlabels", Do(WORKLOADS_HERE)),
            ("namespaceselector", Do(KUBERNETES_NAMESPACE)),
            ("matchpaths", Do(PATHS)),
            ("matchfiles", Do(PATHS)),
            (
                "matchcmdargs",
                Do("read an argument that has them under `args`, and compare it under `matchArgs`"),
            ),
            (
                "matchuids",
                Do("user ids are in `cred`: read it with `resolve`, and compare it under `matchArgs`"),
            ),
            ("matchparents", Write("matchParentBinaries")),
            ("matchsyscalls", Do(CALL_SAYS)),
            ("matchprocesses", Write("matchBinaries")),
        ],
    ),
    (
        "ActionSelector",
        &[
            ("argfd", Do("remove it: type `fd` resolves the path by itself")),
            ("argname", Do("remove it: type `fd` resolves the path by itself")),
            ("argsignal", Write("argSig")),
            ("argerr", Write("argError")),
        ],
    ),
    (
        "TracingPolicySpec",
        &[
            ("killers", Write("enforcers")),
            ("lsm", Write("lsmhooks")),
            ("lsms", Write("lsmhooks")),
            ("namespaceselector", Do(KUBERNETES_NAMESPACE)),
            ("policymode", Do("options: [{name: \"policy-mode\", value: \"monitor\"}]")),
            ("mode", Do("options: [{name: \"policy-mode\", value: \"monitor\"}]")),
            ("selectors", Do("selectors belong to a hook: below an entry of `kprobes`, for example")),
        ],
    ),
    (
        "KProbeSpec",
        &[
            ("syscalls", Do(CALL_SAYS)),
            ("function", Write("call")),
            ("podselector", Do("it stands beside `kprobes`, for the whole policy")),
        ],
    ),
];

pub fn word(what: &str, text: &str) -> Option<Meant> {
    let found = find(&WORDS, what, text);
    // Whatever else is named there, it is no namespace of a kernel.
    found.or_else(|| (what == "namespace" && is_kubernetes_name(text)).then_some(Do(KUBERNETES_NAMESPACE)))
}

pub fn field(object: &str, text: &str) -> Option<Meant> {
    find(&FIELDS, object, text)
}

fn find(table: &[(&str, &[(&str, Meant)])], of: &str, text: &str) -> Option<Meant> {
    let (_, words) = table.iter().find(|(name, _)| *name == of)?;
    words.iter().find(|(word, _)| text.eq_ignore_ascii_case(word)).map(|(_, meant)| *meant)
}

/// Longer than any of the kernel's, or with what none of those has.
fn is_kubernetes_name(text: &str) -> bool {
    let is_label = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    is_label && (text.contains('-') || text.len() > 8)
}

/// Whether one of two words negates and the other does not.
pub fn is_opposite(text: &str, other: &str) -> bool {
    let negates = |word: &str| {
        let word = word.to_ascii_lowercase();
        word.starts_with("not") && !word.starts_with("notify") || word.starts_with("doesnot")
    };
    negates(text) != negates(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocab::Vocabulary;
    use crate::vocab::action::Action;
    use crate::vocab::arg_type::ArgType;
    use crate::vocab::namespace::Namespace;
    use crate::vocab::operator::Operator;

    /// Every suggestion can be written where it is made, and says no opposite.
    #[test]
    fn what_is_suggested_exists() {
        let known = |what: &str, word: &str| match what {
            "operator" => Operator::parse(word).is_some(),
            "action" => Action::parse(word).is_some(),
            "argument type" => ArgType::parse(word).is_some(),
            "namespace" => Namespace::parse(word).is_some(),
            _ => false,
        };
        for (what, words) in WORDS {
            for (word, meant) in words {
                assert_eq!(*word, word.to_lowercase());
                assert!(!known(what, word), "{word} is a word of its own");
                if let Write(instead) = meant {
                    let opposite = is_opposite(word, instead) && *word != "!=" && !word.contains("notin");
                    assert!(known(what, instead) && !opposite, "{word}: {instead}");
                }
            }
        }
    }

    #[test]
    fn a_word_is_found_by_meaning_and_in_any_case() {
        assert_eq!(word("operator", "EndsWith"), Some(Write("Postfix")));
        assert_eq!(word("action", "followfd"), Some(Do(FD_RESOLVES)));
        assert_eq!(word("action", "EndsWith"), None);
        assert_eq!(field("KProbeSelector", "podSelector"), Some(Do(WORKLOADS_HERE)));
        assert_eq!(word("namespace", "production"), Some(Do(KUBERNETES_NAMESPACE)));
        assert_eq!(word("namespace", "my-shop"), Some(Do(KUBERNETES_NAMESPACE)));
        assert_eq!((word("namespace", "Nett"), word("namespace", "pid")), (None, None));
    }

    #[test]
    fn the_opposite_is_no_suggestion() {
        assert!(is_opposite("PathPrefix", "NotPrefix") && is_opposite("NotPrefx", "Prefix"));
        assert!(!is_opposite("Prefx", "Prefix") && !is_opposite("NotPrefx", "NotPrefix"));
        assert!(!is_opposite("Notify", "NotifyEnforcer") && is_opposite("Exist", "DoesNotExist"));
    }
}
