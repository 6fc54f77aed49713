//! What is refused because nothing has room for it.

use tetrafold::platform::Target;

use crate::compile::compile;

/// A policy that shows so many packets.
fn packets(count: usize) -> String {
    let args: Vec<String> = (0..count).map(|index| format!("{{index: {index}, type: skb}}")).collect();
    format!(
        "apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {{name: p}}\nspec:\n  kprobes:\n  - call: f\n    syscall: false\n    args: [{}]\n",
        args.join(", ")
    )
}

/// The actions of an event always find room behind its values.
#[test]
fn an_event_holds_four_packets_and_not_five() {
    let compile = |count| compile(&[&packets(count)], &Target::default()).map(drop);
    assert_eq!(compile(4), Ok(()));
    let said = compile(5).unwrap_err();
    assert!(said.contains("TF0608 policies read 5 values of `f`: 320 bytes"), "{said}");
}
