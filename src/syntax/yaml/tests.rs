//! The tree against what is written, against an independent reader, and under damage.

use proptest::prelude::*;

use super::*;
use crate::diag::{Code, Diagnostic, Diagnostics, Severity};
use crate::source::SourceId;

fn read(text: &str) -> (Vec<Node<'_>>, Diagnostics) {
    let mut diags = Diagnostics::default();
    let mut reader = Reader::new(SourceId(0), text);
    let nodes = std::iter::from_fn(|| reader.next(&mut diags)).collect();
    (nodes, diags)
}

/// The only document of a text without errors.
fn one(text: &str) -> Node<'_> {
    let (mut nodes, diags) = read(text);
    assert!(!diags.has_errors(), "{text:?}: {diags:?}");
    assert_eq!(nodes.len(), 1, "{text:?}");
    nodes.remove(0)
}

fn codes(text: &str) -> Vec<Code> {
    read(text).1.iter().map(|d| d.code).collect()
}

/// A tree as compact text: quoted scalars in quotes, block scalars behind `|`.
fn shown(node: &Node<'_>) -> String {
    match &node.kind {
        NodeKind::Scalar { text, style: Style::Plain } => text.to_string(),
        NodeKind::Scalar { text, style: Style::SingleQuoted } => format!("'{text}'"),
        NodeKind::Scalar { text, style: Style::DoubleQuoted } => format!("{text:?}"),
        NodeKind::Scalar { text, style: Style::Block } => format!("|{text:?}"),
        NodeKind::Sequence(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(",")),
        NodeKind::Mapping(entries) => {
            let entry = |(key, value): &(Node, Node)| format!("{}:{}", shown(key), shown(value));
            format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(","))
        }
    }
}

/// The source text of a node.
fn slice<'t>(node: &Node<'_>, text: &'t str) -> &'t str {
    &text[node.span.start as usize..node.span.end as usize]
}

fn get<'a, 's>(node: &'a Node<'s>, key: &str) -> &'a Node<'s> {
    let entries = node.as_mapping().unwrap();
    &entries.iter().find(|(k, _)| k.key_text().as_deref() == Some(key)).unwrap().1
}

#[test]
fn every_style_is_told_apart() {
    let text = "a: x\nb: 'x'\nc: \"x\"\nd: |\n  x\ne: >-\n  x\n  y\nf:\ng: ~\nh: {i: [1, ]}\n";
    assert_eq!(shown(&one(text)), r#"{a:x,b:'x',c:"x",d:|"x\n",e:|"x y",f:,g:~,h:{i:[1]}}"#);
}

#[test]
fn spans_are_the_bytes_of_what_is_written() {
    let text = "é: 'ö'\nlist:\n- a\n-  b: \"c\"\nflow: [ x, {y: z} ] # end\nblock: |\n  one\n  two\n\nnone:\nend: 1\n";
    let root = one(text);
    assert_eq!(slice(&root, text), text.trim_end());
    assert_eq!(slice(&root.as_mapping().unwrap()[0].0, text), "é");
    assert_eq!(slice(get(&root, "é"), text), "'ö'");
    assert_eq!(slice(get(&root, "list"), text), "a\n-  b: \"c\"");
    assert_eq!(slice(&get(&root, "list").as_sequence().unwrap()[1], text), "b: \"c\"");
    assert_eq!(slice(get(&root, "flow"), text), "[ x, {y: z} ]");
    assert_eq!(slice(&get(&root, "flow").as_sequence().unwrap()[1], text), "{y: z}");
    assert_eq!(slice(get(&root, "block"), text), "one\n  two");
    let none = get(&root, "none").span;
    assert_eq!((none.start, none.end), (text.find("none:").unwrap() as u32 + 5, none.start));
}

#[test]
fn a_byte_order_mark_is_skipped_and_moves_no_span() {
    let text = "\u{feff}a: b\n";
    assert_eq!(slice(get(&one(text), "a"), text), "b");
    assert_eq!(shown(&one(text)), "{a:b}");
}

#[test]
fn json_is_yaml() {
    let text = "{\n\t\"a\": [1, true, null, \"x\\u0041\\/\"],\n\t\"b\": {\"c\": {}}\n}";
    assert_eq!(shown(&one(text)), r#"{"a":[1,true,null,"xA/"],"b":{"c":{}}}"#);
}

#[test]
fn a_character_is_not_escaped_by_halves() {
    let found = |text: &str| -> Vec<(String, Option<String>)> {
        let (nodes, diags) = read(text);
        assert_eq!(nodes.is_empty(), diags.has_errors());
        let shown = |d: &Diagnostic| {
            let span = d.labels[0].span;
            (text[span.start as usize..span.end as usize].to_string(), d.help.clone())
        };
        diags.iter().map(shown).collect()
    };
    let help = Some("write `😀`, or `\\U0001F600`".to_string());
    assert_eq!(found(r#"a: "x \\ é \ud83d\ude00 y""#), [(r"\ud83d\ude00".to_string(), help.clone())]);
    assert_eq!(found(r#"{"a": ["\uD83D\uDE00"]}"#), [(r"\uD83D\uDE00".to_string(), help)]);
    for accepted in [r#""\\ud83d\\ude00""#, r"'\ud83d\ude00'", r#""\U0001F600\u00e9\ud7ff\ue000""#, r"\ud83d"]
    {
        assert_eq!(found(accepted), [], "{accepted}");
    }
    for half in [r#""\ud83d""#, r#""\ude00""#, r#""\ud83d\u0041""#, r#""\U0000d83d""#] {
        assert_eq!(found(half).len(), 1, "{half}");
    }
    // The oracle reads with a port of libyaml's scanner.
    assert!(oracle(r#"a: "\ud83d\ude00""#).is_err());
    assert!(oracle(r#"a: "\U0001F600""#).is_ok());
}

#[test]
fn a_comma_without_a_value_is_what_is_wrong() {
    let texts =
        [("a: {,}", 4), ("[,]", 1), ("[a,,b]", 3), ("{a: b,,c: d}", 6), ("[[],  , x]", 6), ("{,a: 1}", 1)];
    for (text, at) in texts {
        let (_, diags) = read(text);
        let first = diags.iter().next().expect(text);
        assert_eq!(first.message, "invalid YAML: nothing comes before this comma", "{text}");
        assert_eq!(first.labels[0].span.start, at, "{text}");
    }
}

#[test]
fn all_documents_are_read_and_an_error_costs_only_its_own() {
    let (nodes, diags) = read("a: 1\n---\nb: [1\n---\n---\nc: }\n...\nd: 2\n");
    assert_eq!(nodes.iter().map(shown).collect::<Vec<_>>(), ["{a:1}", "", "{d:2}"]);
    assert_eq!(diags.iter().map(|d| d.code).collect::<Vec<_>>(), [Code::YAML_SYNTAX; 2]);
}

#[test]
fn a_text_of_comments_has_no_document() {
    assert!(read("").0.is_empty());
    assert!(read("# only\n\n# comments\n").0.is_empty());
    assert_eq!(read("---\n# only\n").0.len(), 1);
}

#[test]
fn many_comment_lines_between_a_key_and_its_value_are_read() {
    let text = format!("a:\n{}  b: 1\n", "  # commented out\n".repeat(5000));
    assert_eq!(shown(&one(&text)), "{a:{b:1}}");
}

#[test]
fn a_block_scalar_that_ends_with_the_file_ends_without_a_line_break() {
    assert_eq!(shown(&one("a: |\n  x")), r#"{a:|"x"}"#);
    assert_eq!(shown(&one("a: |\n  x\n")), r#"{a:|"x\n"}"#);
}

#[test]
fn aliases_are_expanded_in_place() {
    let text = "a: &x [1, 'b']\nb: *x\nc: &x d\ne: *x\n*x : f\n";
    assert_eq!(shown(&one(text)), "{a:[1,'b'],b:[1,'b'],c:d,e:d,d:f}");
    // The alias has the span of its anchor; the list that holds it ends with the alias.
    let text = "a: &x 1\nb:\n- 0\n- *x\nc: 2\n";
    let root = one(text);
    assert_eq!(slice(get(&root, "b"), text), "0\n- *x");
    assert_eq!(get(&root, "b").as_sequence().unwrap()[1].span, get(&root, "a").span);
}

#[test]
fn an_alias_without_or_inside_its_anchor_is_an_error_and_reading_goes_on() {
    assert_eq!(codes("a: *x\nb: &x 1\nc: *y\n"), [Code::UNKNOWN_ANCHOR; 2]);
    assert_eq!(codes("a: &x [*x]\nb: &y {c: {d: *y}}\n"), [Code::RECURSIVE_ALIAS; 2]);
    assert_eq!(codes("a: &x 1\n---\nb: *x\n"), [Code::UNKNOWN_ANCHOR]);
}

#[test]
fn merges_are_spliced_where_they_stand() {
    let text =
        "base: &b {x: 1}\nmore: &m {y: 2}\nuse:\n  w: 0\n  <<: *b\n  z: 3\nall:\n  <<: [*b, *m, {v: 4}]\n";
    assert_eq!(shown(get(&one(text), "use")), "{w:0,x:1,z:3}");
    assert_eq!(shown(get(&one(text), "all")), "{x:1,y:2,v:4}");
}

/// go-yaml v2 in strict mode refuses a key that a merge brings a second time; it is kept for whoever looks.
#[test]
fn a_merged_key_does_not_hide_the_one_written() {
    assert_eq!(shown(get(&one("b: &b {x: 1}\nuse: {x: 2, <<: *b}\n"), "use")), "{x:2,x:1}");
}

#[test]
fn only_a_plain_arrow_as_a_key_merges() {
    for text in ["'<<': {a: 1}\n", "\"<<\": {a: 1}\n", "!!str <<: {a: 1}\n"] {
        assert!(
            matches!(one(text).as_mapping(), Some([(_, value)]) if value.as_mapping().is_some()),
            "{text}"
        );
    }
    assert_eq!(shown(&one("a: <<\nb: [<<]\n")), "{a:<<,b:[<<]}");
    assert_eq!(shown(&one("!!merge <<: {a: 1}\n")), "{a:1}");
    for text in ["<<: 1\n", "<<:\n", "<<: [a]\n", "<<: [[{a: 1}]]\n"] {
        assert_eq!(codes(text), [Code::BAD_MERGE], "{text}");
    }
}

#[test]
fn tags_of_yaml_decide_and_demand() {
    use super::scalars::Scalar::*;
    let meaning = |text: &str| {
        format!("{:?}", one(&format!("a: {text}\n")).as_mapping().unwrap()[0].1.scalar().unwrap())
    };
    for (text, scalar) in [
        ("!!str 5", Str("5")),
        ("!!str", Str("")),
        ("!<tag:yaml.org,2002:str> true", Str("true")),
        ("!!int \"5\"", Int(5)),
        ("!!int 0x1f", Int(31)),
        ("!!bool 'yes'", Bool(true)),
        ("!!null ''", Null),
        ("!!float 1", Int(1)),
        ("!!float '1.5'", Float(1.5)),
        ("! 5", Int(5)),
        ("! '5'", Int(5)),
        ("!local 5", Str("5")),
        ("!!set 5", Str("5")),
    ] {
        assert_eq!(meaning(text), format!("{scalar:?}"), "{text}");
    }
    for text in ["!!int a", "!!int 1.5", "!!bool 1", "!!null a", "!!float a", "!!int"] {
        assert_eq!(codes(&format!("a: {text}\n")), [Code::TAG_MISMATCH], "{text}");
    }
    for text in ["!!binary aa", "!!timestamp 2024-01-01", "!!float 9007199254740993"] {
        assert_eq!(codes(&format!("a: {text}\n")), [Code::UNSUPPORTED_TAG], "{text}");
    }
}

#[test]
fn foreign_tags_are_dropped_with_a_warning() {
    let (nodes, diags) = read("a: !Ref x\nb: !obj {c: 1}\nd: !!map {e: 1}\nf: !!seq [1]\n");
    assert_eq!(shown(&nodes[0]), r#"{a:"x",b:{c:1},d:{e:1},f:[1]}"#);
    let found: Vec<_> = diags.iter().map(|d| (d.code, d.severity)).collect();
    assert_eq!(found, [(Code::UNKNOWN_TAG, Severity::Warning); 2]);
}

#[test]
fn only_simple_values_are_keys() {
    for text in
        ["? [a]\n: b\n", "? {a: b}\n: c\n", "{{ x }}: 1\n", "~: 1\n", "? \n: 1\n", "a: &l [1]\n*l : 2\n"]
    {
        assert_eq!(codes(text), [Code::BAD_KEY], "{text}");
    }
    assert_eq!(shown(&one("1: a\ntrue: b\n'': c\n1.5: d\n")), "{1:a,true:b,'':c,1.5:d}");
}

#[test]
fn depth_is_limited_in_both_styles() {
    let flow = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    let block = |n: usize| format!("{}x", "- ".repeat(n));
    assert!(codes(&flow(255)).is_empty() && codes(&block(255)).is_empty());
    assert_eq!(codes(&flow(256)), [Code::NESTED_TOO_DEEPLY]);
    assert_eq!(codes(&block(256)), [Code::NESTED_TOO_DEEPLY]);
    assert_eq!(codes(&flow(10_000)), [Code::NESTED_TOO_DEEPLY]);
    assert_eq!(codes(&"{a: ".repeat(10_000)), [Code::NESTED_TOO_DEEPLY]);
}

#[test]
fn a_document_of_too_many_values_is_given_up_and_the_next_is_read() {
    let text = format!("[{}]\n---\na: 1\n", "[],".repeat(MAX_NODES));
    let (nodes, diags) = read(&text);
    assert_eq!(nodes.iter().map(shown).collect::<Vec<_>>(), ["{a:1}"]);
    assert_eq!(diags.iter().map(|d| d.code).collect::<Vec<_>>(), [Code::DOCUMENT_TOO_LARGE]);
    let fits = format!("[{}]\n", "1,".repeat(MAX_NODES - 1));
    assert!(codes(&fits).is_empty());
}

fn bomb(levels: usize) -> String {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_string();
    for level in 1..levels {
        let alias = format!("*a{}", level - 1);
        text += &format!("a{level}: &a{level} [{}]\n", [alias.as_str(); 9].join(", "));
    }
    text
}

#[test]
fn an_alias_bomb_ends_at_the_limit_of_go_yaml() {
    assert!(codes(&bomb(3)).is_empty());
    assert_eq!(codes(&bomb(9)), [Code::EXCESSIVE_ALIASING]);
    // Few values of their own, and 999 or more of 1000 through aliases: too much; half of them: fine.
    let repeated = |own: usize, uses: usize| {
        format!("a: &a [{}]\nb: [{}]\n", vec!["x"; own].join(", "), vec!["*a"; uses].join(", "))
    };
    assert_eq!(codes(&format!("a: &a {{{}}}\n", "<<: {}, ".repeat(2))), []);
    assert!(codes(&repeated(400, 90)).is_empty());
    assert_eq!(codes(&repeated(2000, 200)), [Code::EXCESSIVE_ALIASING]);
}

#[test]
fn nested_anchors_cannot_multiply_the_copies() {
    let text = format!("{}{}{}", "&a [".repeat(255), "x,".repeat(10_000), "]".repeat(255));
    assert_eq!(codes(&text), [Code::DOCUMENT_TOO_LARGE]);
}

#[test]
fn tabs_are_refused_where_libyaml_refuses_them() {
    for text in [
        "\tx: 1\n",
        "a:\n\tb: 1\n",
        "a:\n  \tb: 1\n",
        "-\ta\n",
        "- \ta\n",
        "a: 1\n\t# c\nb: 2\n",
        "a: 1\n---\n\tb: 2\n",
    ] {
        assert_eq!(codes(text), [Code::YAML_SYNTAX], "{text:?}");
    }
    for text in [
        "a:\tb\n",
        "a: b\t\n",
        "a: b\t# c\n",
        "a: # -\tx\n  b\n",
        "a: '\n\tx'\n",
        "a: |\n  \tx\n",
        "a: x\n \ty\n",
        "[\n\t1,\n\t2\n\t]\n",
        "a: x -\ty\n",
    ] {
        assert_eq!(codes(text), [], "{text:?}");
    }
}

/// What the independent reader makes of a document, in the form of [`shown`] without quotes.
fn oracle(text: &str) -> Result<Vec<String>, serde_yaml::Error> {
    use serde::Deserialize;
    let documents = serde_yaml::Deserializer::from_str(text).map(serde_yaml::Value::deserialize);
    documents.map(|value| value.map(|value| oracle_shown(&value))).collect()
}

fn oracle_shown(value: &serde_yaml::Value) -> String {
    use serde_yaml::Value;
    match value {
        Value::Null => "null".to_string(),
        Value::Bool(b) => format!("{b:?}"),
        Value::Number(n) => n.to_string(),
        Value::String(text) => format!("{text:?}"),
        Value::Sequence(items) => {
            format!("[{}]", items.iter().map(oracle_shown).collect::<Vec<_>>().join(","))
        }
        Value::Mapping(entries) => {
            let entry =
                |(key, value): (&Value, &Value)| format!("{}:{}", oracle_shown(key), oracle_shown(value));
            format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(","))
        }
        Value::Tagged(tagged) => format!("{} {}", tagged.tag, oracle_shown(&tagged.value)),
    }
}

fn resolved(node: &Node<'_>) -> String {
    use super::scalars::Scalar;
    match &node.kind {
        NodeKind::Scalar { .. } => match node.scalar().unwrap() {
            Scalar::Null => "null".to_string(),
            Scalar::Bool(b) => format!("{b:?}"),
            Scalar::Int(n) => n.to_string(),
            Scalar::Unsigned(n) => n.to_string(),
            Scalar::Float(n) => format!("{n:?}"),
            Scalar::Str(text) => format!("{text:?}"),
        },
        NodeKind::Sequence(items) => {
            format!("[{}]", items.iter().map(resolved).collect::<Vec<_>>().join(","))
        }
        NodeKind::Mapping(entries) => {
            let entry = |(key, value): &(Node, Node)| format!("{}:{}", resolved(key), resolved(value));
            format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(","))
        }
    }
}

/// A value that both readers resolve alike: no word or number of YAML 1.1 alone.
#[derive(Clone, Debug)]
enum Value {
    Plain(&'static str),
    Quoted(String),
    Literal(Vec<String>),
    List(Vec<Value>),
    Map(Vec<Value>),
}

fn arb_value() -> impl Strategy<Value = Value> {
    let plain = prop::sample::select(vec![
        "abc",
        "/usr/bin/x",
        "a b",
        "a#b",
        "x:y",
        "-1",
        "42",
        "0x1f",
        "true",
        "null",
        "1.5",
        "a-b",
        "12:30",
        "{{x}}y",
    ]);
    let plain = plain.prop_filter("flow", |text| !text.contains('{')).prop_map(Value::Plain);
    let quoted = "[ -~é\u{1F600}\\n\\t]{0,12}".prop_map(Value::Quoted);
    let literal = prop::collection::vec("[a-z#:' ]{0,8}[a-z]", 1..4).prop_map(Value::Literal);
    prop_oneof![3 => plain, 3 => quoted, 1 => literal].prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::List),
            prop::collection::vec(inner, 0..5).prop_map(Value::Map),
        ]
    })
}

/// Writes a value; `flow` as in brackets, else in block style at `indent`.
fn write(value: &Value, indent: usize, flow: bool, style: u32, out: &mut String) {
    let pad = " ".repeat(indent);
    match value {
        Value::Plain(text) => *out += text,
        Value::Literal(lines) if !flow && lines.iter().all(|line| !line.starts_with(' ')) => {
            *out += "|";
            for line in lines {
                *out += &format!("\n{pad}  {line}");
            }
        }
        Value::Literal(lines) => *out += &format!("'{}'", lines.join(" ").replace('\'', "''")),
        Value::Quoted(text) if style.is_multiple_of(2) || text.contains(['\n', '\t']) => {
            *out += &serde_json::to_string(text).unwrap();
        }
        Value::Quoted(text) => *out += &format!("'{}'", text.replace('\'', "''")),
        Value::List(items) if flow || items.is_empty() => {
            *out += "[";
            for item in items {
                write(item, indent, true, style / 2, out);
                *out += if style.is_multiple_of(3) { ",\n  " } else { ", " };
                *out += &pad;
            }
            *out += "]";
        }
        Value::Map(items) if flow || items.is_empty() => {
            *out += "{";
            for (i, item) in items.iter().enumerate() {
                *out += &format!("k{i}: ");
                write(item, indent, true, style / 2, out);
                *out += ", ";
            }
            *out += "}";
        }
        Value::List(items) => {
            for item in items {
                *out += &format!("\n{pad}- ");
                write(item, indent + 2, style % 5 == 1, style / 2, out);
            }
        }
        Value::Map(items) => {
            for (i, item) in items.iter().enumerate() {
                *out += &format!("\n{pad}k{i}: ");
                write(item, indent + 2, style % 5 == 1, style / 2, out);
            }
        }
    }
}

/// Every span lies inside the text, on character boundaries, and children lie inside their parent.
fn check_spans(node: &Node<'_>, text: &str) {
    let (start, end) = (node.span.start as usize, node.span.end as usize);
    assert!(start <= end && end <= text.len() && text.is_char_boundary(start) && text.is_char_boundary(end));
    match &node.kind {
        NodeKind::Scalar { .. } => {}
        NodeKind::Sequence(items) => items.iter().for_each(|item| check_spans(item, text)),
        NodeKind::Mapping(entries) => entries.iter().for_each(|(key, value)| {
            check_spans(key, text);
            check_spans(value, text);
        }),
    }
}

fn check_anything(text: &str) {
    let (nodes, diags) = read(text);
    nodes.iter().for_each(|node| check_spans(node, text));
    for label in diags.iter().flat_map(|d| &d.labels) {
        let (start, end) = (label.span.start as usize, label.span.end as usize);
        assert!(
            start <= end && end <= text.len() && text.is_char_boundary(start) && text.is_char_boundary(end)
        );
    }
}

const SAMPLE: &str = "apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy # c\nmetadata: &m\n  name: 'a'\nspec:\n  <<: *m\n  \
    kprobes:\n  - call: \"x\\n\"\n    args: [{index: 0, type: !!str int}, ]\n    text: |\n      é\n      b\n---\n? a\n: b\n";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_tree_is_the_one_of_serde_yaml(value in arb_value(), style in any::<u32>()) {
        let mut text = String::from("root: ");
        write(&value, 2, false, style, &mut text);
        text.push('\n');
        let (nodes, diags) = read(&text);
        prop_assert!(diags.is_empty(), "{text}\n{diags:?}");
        prop_assert_eq!(nodes.iter().map(resolved).collect::<Vec<_>>(), oracle(&text).unwrap(), "{}", text);
        nodes.iter().for_each(|node| check_spans(node, &text));
    }

    #[test]
    fn random_text_does_no_harm(text in "[-?:,\\[\\]{}#&*!|>'\"%@` \\n\\tab<~.0é\u{feff}]{0,60}") {
        check_anything(&text);
    }

    #[test]
    fn damaged_text_does_no_harm(at in 0..SAMPLE.len(), len in 0usize..20, put in "[-?:,\\[\\]{}#&*!|>'\"\\n\\t é]{0,3}") {
        let start = SAMPLE.floor_char_boundary(at);
        let end = SAMPLE.floor_char_boundary((at + len).min(SAMPLE.len()));
        check_anything(&format!("{}{put}{}", &SAMPLE[..start], &SAMPLE[end..]));
    }

    /// What libyaml refuses must not pass, except what is known to be a newer YAML's right.
    #[test]
    fn what_is_read_is_read_alike(text in "[-:,\\[\\]{}#'\" \\nab]{0,24}") {
        let (nodes, diags) = read(&text);
        if diags.is_empty() && let Ok(expected) = oracle(&text) {
            let expected = if nodes.is_empty() { vec![] } else { expected };
            prop_assert_eq!(nodes.iter().map(resolved).collect::<Vec<_>>(), expected, "{:?}", text);
        }
    }
}
