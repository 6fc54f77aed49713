//! How long a check and a whole compile take, against parsing the same files alone.
//!
//! `cargo bench --bench compile`. Sets are shaped like CFP-4191's example: allowlists of ten paths out of 500,
//! one file a policy. `parse` is the floor to compare with: every file read and turned from parser events into
//! a tree with byte ranges, on one thread, each tree freed before the next. `check` is everything that
//! `tetrafold check --for tetragon --threads 1` does, `compile` what `tetrafold compile --threads 1` does: reading, resolving,
//! folding, tables, objects, proof, report, and the artifact written to disk.

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use granit_parser::{Event, Parser, Span};
use tetrafold::diag::{Diagnostics, render};
use tetrafold::driver::{self, Input};
use tetrafold::emit::write;
use tetrafold::platform::Target;
use tetrafold::policy::phases::ResolveOptions;
use tetrafold::report::measure;

#[path = "../tests/generate.rs"]
#[allow(dead_code)]
mod generate;

/// A node with its bytes, the least that diagnostics need.
enum Node {
    Scalar(String, (usize, usize)),
    Sequence(Vec<Node>),
    Mapping(Vec<Node>),
}

fn range(span: Span) -> (usize, usize) {
    (span.start.byte_offset().unwrap_or(0), span.end.byte_offset().unwrap_or(0))
}

fn parse(text: &str) -> Vec<Node> {
    let mut parser = Parser::new_from_str(text);
    let mut open: Vec<Node> = vec![];
    let mut documents = vec![];
    while let Some(Ok((event, span))) = parser.next_event() {
        let done = match event {
            Event::Scalar(text, ..) => Node::Scalar(text.into_owned(), range(span)),
            Event::SequenceStart(..) => {
                open.push(Node::Sequence(vec![]));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Node::Mapping(vec![]));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => open.pop().expect("an end has a start"),
            _ => continue,
        };
        match open.last_mut() {
            Some(Node::Sequence(items) | Node::Mapping(items)) => items.push(done),
            Some(Node::Scalar(..)) | None => documents.push(done),
        }
    }
    documents
}

fn parse_all(folder: &Path) -> usize {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files
        .iter()
        .map(|file| black_box(parse(&fs::read_to_string(file).unwrap())).iter().map(count).sum::<usize>())
        .sum()
}

/// Touches every node, so that none is optimised away.
fn count(node: &Node) -> usize {
    match node {
        Node::Scalar(text, (start, end)) => text.len().min(end - start).min(1),
        Node::Sequence(items) | Node::Mapping(items) => items.iter().map(count).sum(),
    }
}

fn input(folder: &Path) -> Input {
    Input {
        paths: vec![folder.to_path_buf()],
        exclude: Default::default(),
        threads: 1,
        allow_empty: false,
        resolve: ResolveOptions::default(),
    }
}

fn check_all(folder: &Path) {
    let (input, mut diags) = (input(folder), Diagnostics::default());
    let sources = driver::read(&input, &mut std::io::empty(), &mut diags);
    let policies = driver::policies(&sources, &input, &mut diags);
    assert!(policies.set.is_some(), "the set is valid");
    render::write(&mut std::io::sink(), &diags.sorted(), &sources, render::Options::default()).unwrap();
}

fn compile_all(folder: &Path, output: &Path) {
    let (input, target, mut diags) = (input(folder), Target::default(), Diagnostics::default());
    let sources = driver::read(&input, &mut std::io::empty(), &mut diags);
    let set = driver::policies(&sources, &input, &mut diags).set.expect("the set is valid");
    let folded = driver::fold(&set, &target, &[], &mut diags).expect("the set can be compiled");
    let mut built = driver::emit(&sources, &set, &folded, &target, &[], None, &mut diags).unwrap().unwrap();
    let report = measure::report(&set, &built, &target).unwrap();
    measure::complete(&mut built.manifest, &report);
    write::write(output, &built.manifest.to_json(), report.to_json().as_bytes(), &built.files).unwrap();
}

fn write_policies(policies: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let shape = generate::Shape { policies, ..generate::Shape::default() };
    let pool = generate::pool(&shape);
    for (number, draw) in generate::draws(&shape).into_iter().enumerate() {
        let text = generate::policy(&shape, number, draw.iter().map(|&path| pool[path].as_str()));
        fs::write(folder.path().join(format!("{number:05}.yaml")), text).unwrap();
    }
    folder
}

fn benches(c: &mut Criterion) {
    for policies in [1000, 10_000] {
        let folder = write_policies(policies);
        let output = tempfile::tempdir().unwrap();
        let mut group = c.benchmark_group("policies");
        group.sample_size(10);
        group.bench_function(BenchmarkId::new("parse", policies), |b| b.iter(|| parse_all(folder.path())));
        group.bench_function(BenchmarkId::new("check", policies), |b| b.iter(|| check_all(folder.path())));
        group.bench_function(BenchmarkId::new("compile", policies), |b| {
            b.iter(|| compile_all(folder.path(), &output.path().join("artifact")));
        });
        group.finish();
    }
}

criterion_group!(compile, benches);
criterion_main!(compile);
