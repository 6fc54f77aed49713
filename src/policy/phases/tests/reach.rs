//! Values and selectors that can never decide, and their near misses.

use super::meaningless::said;

/// Selectors of a hook with two paths and a number.
fn selectors(list: &str) -> Vec<String> {
    said(&format!(
        "lsmhooks: [{{hook: f, args: [{{index: 0, type: file}}, {{index: 1, type: path}}, {{index: 2, type: int8}}], selectors: [{list}]}}]"
    ))
}

/// One filter a selector: `index operator values`.
fn filters(list: &[(u8, &str, &str)]) -> Vec<String> {
    let one = |(index, op, values): &(u8, &str, &str)| {
        format!("{{matchArgs: [{{index: {index}, operator: {op}, values: [{values}]}}]}}")
    };
    selectors(&list.iter().map(one).collect::<Vec<_>>().join(", "))
}

const NOTHING: [&str; 0] = [];
const DEAD: [&str; 1] = ["TF0711 matchArgs"];

#[test]
fn a_selector_behind_one_that_takes_whatever_it_matches_is_dead() {
    for (first, second) in [
        ((0, "Equal", "/a, /b"), (0, "Equal", "/b")),
        ((0, "Prefix", "/etc/"), (0, "Equal", "/etc/a, /etc/b")),
        ((0, "Prefix", "/etc/"), (0, "Prefix", "/etc/ssh/")),
        ((0, "Postfix", ".so"), (0, "Postfix", "b.so")),
        ((0, "Postfix", ".so"), (0, "Equal", "/a.so")),
        ((0, "NotEqual", "/a"), (0, "NotEqual", "/a, /b")),
        ((0, "NotEqual", "/a"), (0, "NotPrefix", "/")),
        ((0, "NotEqual", "/a"), (0, "Equal", "/b")),
        ((0, "NotPrefix", "/a"), (0, "Equal", "/b")),
        ((2, "Equal", "\"0x10\", \"-1\""), (2, "Equal", "\"16\"")),
    ] {
        assert_eq!(filters(&[first, second]), DEAD, "{first:?} {second:?}");
    }
}

#[test]
fn a_selector_that_may_match_is_not_dead() {
    for (first, second) in [
        ((0, "Equal", "/a"), (0, "Prefix", "/a")),
        ((0, "Equal", "/a"), (1, "Equal", "/a")),
        ((0, "Prefix", "/etc"), (0, "Postfix", "/etc")),
        ((0, "Prefix", "/etc/ssh/"), (0, "Prefix", "/etc/")),
        ((0, "Equal", "/a"), (0, "NotEqual", "/a")),
        ((0, "NotEqual", "/a, /b"), (0, "NotEqual", "/a")),
        ((0, "NotEqual", "/a"), (0, "Equal", "/a")),
        ((0, "NotEqual", "/a"), (0, "Prefix", "/b")),
        ((2, "Equal", "\"1\""), (2, "Equal", "\"2\"")),
    ] {
        assert_eq!(filters(&[first, second]), NOTHING, "{first:?} {second:?}");
    }
}

#[test]
fn a_selector_of_several_filters_is_dead_where_each_follows() {
    let both = "{matchArgs: [{index: 0, operator: Equal, values: [/a]}, {index: 1, operator: Prefix, values: [/b/]}]}";
    let one = "{matchArgs: [{index: 0, operator: Prefix, values: [/]}]}";
    assert_eq!(selectors(&format!("{one}, {both}")), DEAD);
    assert_eq!(selectors(&format!("{both}, {one}")), NOTHING);
    assert_eq!(selectors(&format!("{both}, {both}")), DEAD);
    // What else the earlier one asks for is not compared.
    let pids = one.replace("{matchArgs", "{matchPIDs: [{operator: In, values: [1]}], matchArgs");
    assert_eq!(selectors(&format!("{pids}, {both}")), NOTHING);
    assert_eq!(selectors(&format!("{one}, {pids}")), ["TF0711 matchPIDs"]);
    let range = "{matchArgs: [{index: 2, operator: InRange, values: [\"1:2\"]}]}";
    // Of the type only that it has a sign.
    assert_eq!(selectors(&format!("{range}, {range}")), ["TF0706 InRange"; 2]);
    let pods = |app: &str| {
        one.replace(
            "{matchArgs",
            &format!("{{matchWorkloads: {{podSelector: {{matchLabels: {{app: {app}}}}}}}, matchArgs"),
        )
    };
    assert_eq!(selectors(&format!("{}, {one}", pods("a"))), NOTHING);
    assert_eq!(selectors(&format!("{}, {}", pods("a"), pods("b"))), NOTHING);
    assert_eq!(selectors(&format!("{}, {}", pods("a"), pods("a"))), ["TF0711 matchWorkloads"]);
}

/// A path that cannot be read makes a negated filter true in the second selector and false in the first.
#[test]
fn an_enforcing_selector_takes_unreadable_paths_that_another_leaves() {
    let not = |rest: &str| format!("{{matchArgs: [{{index: 0, operator: NotEqual, values: [/a]}}]{rest}}}");
    let kill = ", matchActions: [{action: Sigkill}]";
    // The second finding is allowed by default: it is an allowlist by path.
    assert_eq!(selectors(&format!("{}, {}", not(""), not(kill))), ["TF0721 NotEqual"]);
    assert_eq!(selectors(&format!("{}, {}", not(kill), not(""))), ["TF0721 NotEqual", "TF0711 matchArgs"]);
}

#[test]
fn values_that_an_earlier_selector_takes_are_pointed_out_one_by_one() {
    assert_eq!(filters(&[(0, "Prefix", "/etc/"), (0, "Equal", "/etc/a, /b")]), ["TF0712 /etc/a"]);
    assert_eq!(filters(&[(0, "Equal", "/a, /b"), (0, "Equal", "/b, /c, /a")]), ["TF0712 /b", "TF0712 /a"]);
    assert_eq!(filters(&[(0, "Equal", "/b, /c"), (0, "NotEqual", "/b")]), NOTHING);
    // An earlier selector that asks for more leaves some of the events.
    let both =
        "{matchArgs: [{index: 0, operator: Equal, values: [/a]}, {index: 1, operator: Equal, values: [/b]}]}";
    let later = "{matchArgs: [{index: 0, operator: Equal, values: [/a, /c]}]}";
    assert_eq!(selectors(&format!("{both}, {later}")), NOTHING);
}

#[test]
fn values_that_another_of_the_list_covers_make_no_difference() {
    for (op, values, found) in [
        ("Equal", "/a, /b, /a", &["TF0713 /a"][..]),
        ("NotEqual", "/a, /a", &["TF0713 /a"]),
        ("Prefix", "/lib64, /lib, /usr", &["TF0713 /lib64"]),
        ("Prefix", "/, /a, /b", &["TF0713 /a", "TF0713 /b"]),
        ("NotPrefix", "/a, /ab", &["TF0713 /ab"]),
        ("Postfix", "b.so, .so", &["TF0713 b.so"]),
        ("Equal", "/a, /ab", &[]),
        ("Prefix", "/lib/, /lib64/", &[]),
        ("Postfix", ".so, .so.1", &[]),
    ] {
        assert_eq!(filters(&[(0, op, values)]), found, "{op} {values}");
    }
    assert_eq!(filters(&[(2, "Equal", "\"16\", \"0x10\"")]), ["TF0713 \"0x10\""]);
}
