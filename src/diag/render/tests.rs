use super::*;

fn rendered(diagnostics: &[&Diagnostic], sources: &Sources) -> String {
    let mut out = Vec::new();
    write(&mut out, diagnostics, sources, Options { width: 60, per_code: 3, colour: false, unicode: true })
        .unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_finding_shows_its_places_with_the_first_in_the_head() {
    let mut sources = Sources::default();
    let a = sources.add("a.yaml", "apiVersion: cilium.io/v1\nkind: TracingPolcy\nmetadata:\n");
    let b = sources.add("b.yaml", "x:\n  é: y\n");
    let finding = Diagnostic::error(Code::UNKNOWN_KIND, "unknown kind `TracingPolcy`")
        .label(Span::new(a, 31, 43), "no policy has this kind")
        .label(Span::new(a, 0, 10), "of this group")
        .label(Span::new(b, 5, 7), "elsewhere")
        .help("did you mean `TracingPolicy`?\nor not")
        .note("a note of so many words that it has to be wrapped at the width");
    let expected = "\
TF0052

  × unknown kind `TracingPolcy`
   ╭─[a.yaml:2:7]
 1 │ apiVersion: cilium.io/v1
   · ─────┬────
   ·      ╰── of this group
 2 │ kind: TracingPolcy
   ·       ──────┬─────
   ·             ╰── no policy has this kind
 3 │ metadata:
   ╰────
   ╭─[b.yaml:2:3]
 1 │ x:
 2 │   é: y
   ·   ┬
   ·   ╰── elsewhere
   ╰────
  help: did you mean `TracingPolicy`?
        or not
  note: a note of so many words that it has to be wrapped at
        the width

1 error in 1 file
";
    assert_eq!(rendered(&[&finding], &sources), expected);
}

#[test]
fn a_note_takes_one_line() {
    let mut sources = Sources::default();
    let id = sources.add("a.yaml", "x: 1\ny: 2\n");
    let note = Diagnostic::new(Code::OTHER_DOCUMENT, Severity::Note, "`Pod` is not a policy")
        .label(Span::new(id, 8, 9), "document skipped");
    let expected = "a.yaml:2:4: note: `Pod` is not a policy: document skipped (TF0051)\n";
    assert_eq!(rendered(&[&note], &sources), expected);
}

#[test]
fn a_label_of_many_lines_shows_its_first() {
    let mut sources = Sources::default();
    let id = sources.add("a.yaml", "a:\n- b\n".to_string() + &"- c\n".repeat(1000));
    let finding = Diagnostic::error(Code::BAD_KEY, "m").label(Span::new(id, 0, 4000), "all of this");
    let text = rendered(&[&finding], &sources);
    assert!(text.lines().count() < 12 && text.contains("╭─[a.yaml:1:1]"), "{text}");
}

#[test]
fn places_far_apart_are_shown_apart() {
    let mut sources = Sources::default();
    let text = "a: 1\n".to_string() + &"b: 2\n".repeat(50) + "end: 3\n";
    let (at, id) = (text.find("end").unwrap(), sources.add("a.yaml", text));
    let finding = Diagnostic::error(Code::BAD_KEY, "m")
        .label(Span::new(id, at, at + 3), "the last")
        .label(Span::new(id, 0, 1), "the first");
    let text = rendered(&[&finding], &sources);
    assert!(
        text.contains("52 │ end: 3") && text.contains(" 1 │ a: 1") && text.lines().count() < 20,
        "{text}"
    );
    assert!(text.contains("[a.yaml:52:1]"), "{text}");
}

#[test]
fn a_long_line_is_cut_around_the_place() {
    let mut sources = Sources::default();
    let text = format!("x: 1\ny: {}HERE{}\n", "é".repeat(50_000), "ü".repeat(50_000));
    let (at, id) = (text.find("HERE").unwrap(), sources.add("a.yaml", text));
    let finding = Diagnostic::error(Code::BAD_KEY, "m").label(Span::new(id, at, at + 4), "here");
    let text = rendered(&[&finding], &sources);
    assert!(text.len() < 1000 && text.contains("éHEREü") && text.contains('…'), "{text}");
    assert!(text.contains("[a.yaml:2:50004]"), "{text}");
}

#[test]
fn no_input_can_steer_the_terminal() {
    let mut sources = Sources::default();
    let id =
        sources.add_file("a".into(), "a\u{1b}.yaml".into(), Origin::Refused, "ab\u{1b}[31mcd\0\n".into());
    let finding = Diagnostic::error(Code::CONTROL_CHARACTER, "name `\u{1b}]0;x\u{7}`")
        .label(Span::new(id, 2, 3), "\u{9b}31m")
        .help("\u{1b}[0m");
    let text = rendered(&[&finding], &sources);
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
    assert!(text.contains("\\u{1b}") && text.contains(":1:3]"), "{text}");
}

/// YAML takes a lone carriage return for a line break, a terminal for the start of the line it is in.
#[test]
fn carriage_returns_are_shown_not_sent() {
    let many = "\r".repeat(300);
    for (text, at) in [
        ("a: 1\nb: \rc\nd: 2\n", 0),
        ("a: 1\nb: \rc\n", 8),
        ("a: b\r\r\nc: 1\n", 3),
        ("a\n b\r", 1),
        ("\r\r", 1),
        (&format!("{many}\n"), 299),
        (&format!("{many}\nb"), 300),
    ] {
        let mut sources = Sources::default();
        let id = sources.add("a.yaml", text);
        let finding = Diagnostic::error(Code::BAD_KEY, "m").label(Span::new(id, at, at + 1), "here");
        let shown = rendered(&[&finding], &sources);
        assert!(!shown.contains(['\r', '\u{85}']) && shown.contains("here"), "{text:?}: {shown:?}");
    }
}

#[test]
fn an_empty_place_at_the_end_or_a_file_without_text_does_no_harm() {
    let mut sources = Sources::default();
    for text in ["", "\n", "a", "a\n", "é", "a\r\nb"] {
        let id = sources.add(format!("{text:?}"), text);
        for at in 0..=text.len() {
            let at = text.floor_char_boundary(at);
            let finding = Diagnostic::error(Code::NO_KIND, "m").label(Span::new(id, at, at), "here");
            let shown = rendered(&[&finding], &sources);
            assert!(
                shown.contains("× m") && (text.is_empty() || shown.contains("here")),
                "{text:?} {at}: {shown}"
            );
        }
    }
}

#[test]
fn only_so_many_of_one_code_are_printed_and_all_are_counted() {
    let sources = Sources::default();
    let many: Vec<Diagnostic> =
        (0..1000).map(|i| Diagnostic::error(Code::BAD_KEY, format!("m{i}"))).collect();
    let other = Diagnostic::error(Code::NO_POLICY, "other");
    let text = rendered(&many.iter().chain([&other]).collect::<Vec<_>>(), &sources);
    assert!(text.contains("m2") && !text.contains("m3") && text.contains("× other"));
    assert!(text.ends_with(
        "TF0040 (mapping key is not a simple value): 997 more; `--diagnostics json` has all\n1001 errors\n"
    ));
}

#[test]
fn a_hundred_thousand_findings_take_no_time_worth_mentioning() {
    let mut sources = Sources::default();
    let id = sources.add("a.yaml", "é ".repeat(1 << 20));
    let mut diags = crate::diag::Diagnostics::default();
    for i in 0..100_000 {
        diags.push(Diagnostic::error(Code::BAD_KEY, "m").label(Span::new(id, i * 3, i * 3 + 2), "here"));
    }
    let sorted = diags.sorted();
    assert_eq!(sorted.len(), 100_000);
    assert!(rendered(&sorted, &sources).len() < 10_000);
    let mut out = Vec::new();
    crate::diag::json::write(&mut out, &sorted, &sources).unwrap();
    assert_eq!(out.iter().filter(|&&b| b == b'\n').count(), 100_000);
}
