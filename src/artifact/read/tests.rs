use proptest::prelude::*;

use super::*;
use crate::abi::{ACT_POST, Act};
use crate::digest::FileKind;
use crate::sample::{OPERATION, REPORT, Sample, allowlists};
use crate::scope_block::{Builder, ScopeBlock};

fn open(manifest: &[u8], files: &Files) -> Result<Artifact, ArtifactError> {
    Artifact::from_parts(manifest, REPORT.to_vec(), |file| {
        Ok(files.get(file).ok_or_else(|| damaged(&file.path, "not there"))?.to_vec())
    })
}

fn sample() -> Sample {
    allowlists(5, 50, 4)
}

#[test]
fn an_intact_artifact_opens() {
    let Sample { manifest, files } = sample();
    let artifact = open(&manifest.to_json(), &files).unwrap();
    assert_eq!((&artifact.manifest, &artifact.files), (&manifest, &files));
    assert_eq!(artifact.scope_blocks[0].scopes().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert_eq!(artifact.content(&manifest.programs[0].object), b"object of bprm_check_security");
}

/// Each file in turn with one byte changed, one more, one less.
#[test]
fn changed_content_is_noticed_and_the_file_named() {
    let Sample { manifest, files } = sample();
    for (path, content) in files.iter() {
        let mut changed = content.to_vec();
        changed[content.len() / 2] ^= 1;
        for (content, reason) in
            [(changed, "digest"), ([content, &[0]].concat(), "bytes"), (content[1..].to_vec(), "bytes")]
        {
            let opened = Artifact::from_parts(&manifest.to_json(), REPORT.to_vec(), |file| {
                Ok(if file.path == path { content.clone() } else { files.get(file).unwrap().to_vec() })
            });
            let error = opened.unwrap_err();
            assert_eq!(error.file, path);
            assert!(error.to_string().contains(reason), "{error}");
        }
    }
    let report = Artifact::from_parts(&manifest.to_json(), b"{".to_vec(), |_| unreachable!()).unwrap_err();
    assert_eq!(report.file, REPORT_FILE);
    let no_json = Manifest { report_sha256: Digest::of(b"{"), ..manifest };
    let report = Artifact::from_parts(&no_json.to_json(), b"{".to_vec(), |_| unreachable!()).unwrap_err();
    assert_eq!(report.file, REPORT_FILE);
}

/// A scope block image that is well formed but does not belong to the manifest.
#[test]
fn lists_of_other_policies_are_refused() {
    let with_list = |scope: u32, rank: u32, record: u32| {
        let Sample { mut manifest, mut files } = sample();
        let mut builder = Builder::new(OPERATION, 1);
        let act = Word::Act(Act { flags: ACT_POST, value: 0, record }).encode();
        let lists = vec![DecisionList { rank, first_selector: 0, words: vec![act, 0] }];
        builder.scope(scope, &ScopeBlock { needs: 0, quiet: vec![None], lists });
        manifest.operations[0].scope_blocks = files.add(FileKind::Image, builder.finish());
        open(&manifest.to_json(), &files).map_err(|error| error.to_string())
    };
    assert!(with_list(2, 2, 2).is_ok());
    assert!(with_list(5, 2, 2).unwrap_err().contains("no scope 5"));
    assert!(with_list(2, 3, 3).unwrap_err().contains("does not have"), "another scope's policy");
    assert!(with_list(2, 9, 2).unwrap_err().contains("does not have"), "no such rank");
    assert!(with_list(2, 2, 3).unwrap_err().contains("does not have"), "another policy's record");
    assert!(with_list(2, 2, 1 << 30).unwrap_err().contains("does not have"), "no such record");
}

#[test]
fn images_belong_to_their_maps() {
    let Sample { mut manifest, files } = sample();
    manifest.maps[1].value_size = 600;
    assert!(open(&manifest.to_json(), &files).unwrap_err().to_string().contains("longer than the map"));
    manifest.maps[1].value_size = 1024;
    manifest.maps[1].operation = None;
    assert!(open(&manifest.to_json(), &files).unwrap_err().to_string().contains("no map of its tables"));
    let Sample { mut manifest, files } = sample();
    manifest.maps[0].image = Some(manifest.operations[0].scope_blocks.clone());
    assert!(open(&manifest.to_json(), &files).unwrap_err().to_string().contains("a map image"));
}

proptest! {
    /// Bytes of the manifest replaced, or cut: refused, or still one that can be used.
    #[test]
    fn a_damaged_manifest_never_panics(at in any::<prop::sample::Index>(), new in proptest::collection::vec(any::<u8>(), 0..3),
                                       gone in 0usize..40) {
        let Sample { manifest, files } = sample();
        let mut bytes = manifest.to_json();
        let at = at.index(bytes.len());
        let end = (at + gone).min(bytes.len());
        bytes.splice(at..end, new);
        let _ = open(&bytes, &files);
    }
}
