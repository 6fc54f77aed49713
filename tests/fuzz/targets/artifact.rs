//! Damaged artifacts: any bytes as one of the files, alone or in a whole artifact whose digests fit it.
//!
//! The first byte says which reader gets the rest.

#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use tetrafold::artifact::digest::{Digest, FileKind, FileRef};
use tetrafold::artifact::evaluate::{Tables, TextMatch};
use tetrafold::artifact::image::{self, MapImage};
use tetrafold::artifact::judge::{Argument, judge};
use tetrafold::artifact::manifest::Manifest;
use tetrafold::artifact::node::{Host, Node, Workload, counts};
use tetrafold::artifact::read::{Artifact, ArtifactError, Reason};
use tetrafold::artifact::scope_block::ScopeBlocks;
use tetrafold::bpf::{self, KernelBtf, StencilObject};
use tetrafold::diag::Diagnostics;
use tetrafold::driver::{self, Input};
use tetrafold::emit::assemble::Built;
use tetrafold::policy::phases::ResolveOptions;
use tetrafold::report::Report;
use tetrafold::platform::Target;
use tetrafold::platform::description::Description;
use tetrafold::platform::types::KernelTypes;

const POLICIES: [&str; 3] = [
    include_str!("../../../examples/policies/database-exec-allowlist.yaml"),
    include_str!("../../../examples/policies/host-openat.yaml"),
    include_str!("../../../examples/policies/watch-credentials.yaml"),
];

static BUILT: LazyLock<Built> = LazyLock::new(|| {
    let input =
        Input { paths: vec!["-".into()], exclude: Default::default(), threads: 1, allow_empty: false, resolve: ResolveOptions::default() };
    let (target, mut diags) = (Target::default(), Diagnostics::default());
    let sources = driver::read(&input, &mut POLICIES.join("\n---\n").as_bytes(), &mut diags);
    let set = driver::policies(&sources, &input, &mut diags).set.expect("the policies are valid");
    let folded = driver::fold(&set, &target, &[], &mut diags).expect("the policies can be compiled");
    let built = driver::emit(&sources, &set, &folded, &target, &[], None, &mut diags);
    let mut built = built.expect("no fault").expect("no limit");
    built.manifest.report_sha256 = Digest::of(b"{}");
    built
});

/// What `bpf` catches and refuses is no finding.
fn let_refusals_pass() {
    let stop = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !info.location().is_some_and(|at| at.file().contains("/aya-obj-")) {
            stop(info);
        }
    }));
}

fuzz_target!(init: let_refusals_pass(), |data: &[u8]| {
    let Some((&reader, data)) = data.split_first() else { return };
    match reader {
        b'm' => {
            let get = |file: &FileRef| Ok(BUILT.files.get(file).map(<[u8]>::to_vec).unwrap_or_default());
            if let Ok(artifact) = Artifact::from_parts(data, b"{}".to_vec(), get) {
                use_it(&artifact);
            }
        }
        b'f' => whole(data),
        b'i' => {
            if let Ok(image) = MapImage::read(data) {
                assert_eq!(image.entries().count(), image.count as usize);
                assert_eq!(image::encode(image.shape, image.entries()).as_deref(), Ok(data));
            }
            let _ = image::check_tables(data, 1 << 20);
        }
        b's' => {
            if let Ok(blocks) = ScopeBlocks::read(data, 0, &[3]) {
                blocks.scopes().for_each(|scope| drop(blocks.block(scope)));
            }
        }
        b't' => tables(data),
        b'o' => {
            let _ = bpf::facts(data);
            let _ = bpf::disassemble(data);
            let _ = bpf::read_back(data);
            let _ = StencilObject::read(data);
        }
        b'k' => {
            let _ = KernelBtf::parse(data);
            if let Ok(types) = KernelTypes::parse(data.to_vec()) {
                for name in types.function_names() {
                    let function = types.function(name).expect("it has a name");
                    for param in types.prototype(function).into_iter().flat_map(|(params, _)| params) {
                        let _ = (types.spelling(param.ty), types.shape(param.ty));
                    }
                }
                for name in types.structure_names() {
                    let _ = types.structure(name).map(|id| types.members(id));
                }
            }
        }
        b'd' => {
            if let Some(read) = std::str::from_utf8(data).ok().and_then(|text| Description::from_json(text).ok()) {
                assert!(Description::from_json(&read.to_json()).is_ok());
            }
        }
        b'r' => {
            if let Some(report) = std::str::from_utf8(data).ok().and_then(|text| Report::from_json(text).ok())
            {
                assert_eq!(Report::from_json(&report.to_json()).ok(), Some(report));
            }
        }
        _ => {}
    }
});

/// One file of a whole artifact replaced: the second byte says which.
fn whole(data: &[u8]) {
    let Some((&which, data)) = data.split_first() else { return };
    let mut manifest = String::from_utf8(BUILT.manifest.to_json()).expect("JSON is text");
    let paths: Vec<&str> = BUILT.files.iter().map(|(path, _)| path).collect();
    let path = paths[usize::from(which) % paths.len()];
    let kind = if path.starts_with(FileKind::Object.folder()) { FileKind::Object } else { FileKind::Image };
    let old = FileRef::of(kind, BUILT.files.iter().find(|(p, _)| *p == path).expect("it is there").1);
    let new = FileRef::of(kind, data);
    let size = |file: &FileRef| format!("\"bytes\":{}", file.bytes);
    for (old, new) in [
        (old.path.clone(), new.path.clone()),
        (old.sha256.to_string(), new.sha256.to_string()),
        (size(&old), size(&new)),
    ] {
        manifest = manifest.replace(&old, &new);
    }
    let get = |file: &FileRef| {
        let unreadable = Reason::Unreadable(std::io::ErrorKind::NotFound.into());
        match BUILT.files.get(file) {
            _ if file.path == new.path => Ok(data.to_vec()),
            Some(content) => Ok(content.to_vec()),
            None => Err(ArtifactError { file: file.path.clone(), reason: unreadable }),
        }
    };
    if let Ok(artifact) = Artifact::from_parts(manifest.as_bytes(), b"{}".to_vec(), get) {
        use_it(&artifact);
    }
}

/// What a loader and `inspect` do with an artifact that was accepted.
fn use_it(artifact: &Artifact) {
    let manifest = &artifact.manifest;
    assert_eq!(Manifest::from_json(&manifest.to_json()).as_ref().ok(), Some(manifest));
    for program in &manifest.programs {
        let _ = bpf::disassemble(artifact.content(&program.object));
    }
    // A region may be as large as memory allows; that is the loader's business.
    if manifest.node.bytes > 1 << 24 {
        return;
    }
    let scopes: Vec<u32> = manifest.scopes.iter().map(|scope| scope.number).take(3).collect();
    let workload = |name: &str, path: Vec<u64>| Workload { name: name.into(), path, scopes: scopes.clone() };
    let workloads = [workload("a", vec![1, 2, 3]), workload("b", vec![1, 2, 4])];
    let Ok(mut node) = Node::new(manifest, Arc::clone(&artifact.scope_blocks), 1, &workloads[..1], Host::default()) else {
        return;
    };
    let _ = node.update(&workloads);
    let _ = counts::counts(manifest, node.bytes());
    let _ = counts::lost(manifest, node.bytes());
    let _ = counts::unsettled(manifest, node.bytes());
    for operation in &manifest.operations {
        for argument in [Argument::Text(b"/usr/bin/sh"), Argument::Int(2), Argument::Unreadable] {
            for set in 0..3 {
                let _ = judge(manifest, &artifact.files, node.bytes(), set, operation, &[argument; 4], &|_| argument);
            }
        }
    }
}

fn tables(data: &[u8]) {
    let Ok(tables) = Tables::open(data) else { return };
    for root in (0..data.len() as u32).step_by(8).take(64).chain([1, u32::MAX]) {
        for text in [&b"/"[..], b"/usr/bin/sh", b"", b"//", b"/a/very-long-name-of-a-component-of-a-path"] {
            let _ = tables.path(root, text);
            for how in [TextMatch::Equal, TextMatch::Prefix, TextMatch::Postfix] {
                let _ = tables.text(root, text, how);
            }
        }
        for value in [0, 1, 1 << 31, u64::MAX] {
            let _ = tables.int(root, value);
        }
    }
}
