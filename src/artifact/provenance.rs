//! Where an artifact comes from, as an in-toto statement (v1) with the SLSA provenance predicate (v1).
//!
//! The subject is the artifact by its one digest, that of `manifest.json`; what it was made of are the policies' documents
//! and templates, by theirs (of the document, which a file may hold with others). No time, no host and no user is in it: the same input gives the same bytes. It is not
//! signed; that is for whoever ran the build (`cosign attest-blob` and the like take it as it is).
//!
//! Source: in-toto Attestation Framework, Statement v1; SLSA v1.0, Provenance.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::digest::Digest;
use super::manifest::{self, Manifest};
use super::read::REPORT_FILE;

const BUILD_TYPE: &str = "urn:tetrafold:build:compile:v1";
const BUILDER: &str = "urn:tetrafold:builder";

/// JSON, indented, with a newline at the end. `digest` is that of the manifest's file.
pub fn statement(manifest: &Manifest, digest: Digest) -> String {
    // A file may hold several documents, and a template serve several bindings.
    let policies = manifest.policies.iter().map(|p| (p.file.as_str(), p.name.as_str(), p.sha256));
    let templates = manifest.policies.iter().filter_map(|p| p.template.as_ref());
    let templates = templates.map(|t| (t.file.as_str(), t.name.as_str(), t.sha256));
    let sources: BTreeMap<(&str, &str, Digest), ()> =
        policies.chain(templates).map(|key| (key, ())).collect();
    let sources = sources
        .into_keys()
        .map(|(file, name, sha256)| json!({"name": format!("{file}#{name}"), "digest": {"sha256": sha256}}));
    let mut external = json!({"target": manifest.target});
    external["policies"] = manifest.policies.len().into();
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": manifest::FILE_NAME, "digest": {"sha256": digest}},
            {"name": REPORT_FILE, "digest": {"sha256": manifest.report_sha256}},
        ],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": external,
                "resolvedDependencies": sources.collect::<Vec<Value>>(),
            },
            "runDetails": {
                "builder": {"id": BUILDER, "version": {&manifest.tool.name: &manifest.tool.version}},
            },
        },
    });
    format!("{statement:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::allowlists;

    #[test]
    fn it_names_the_artifact_and_every_source_and_no_time() {
        let manifest = allowlists(3, 50, 4).manifest;
        let digest = Digest::of(&manifest.to_json());
        let text = statement(&manifest, digest);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["_type"], "https://in-toto.io/Statement/v1");
        assert_eq!(value["predicateType"], "https://slsa.dev/provenance/v1");
        assert_eq!(value["subject"][0]["digest"]["sha256"], digest.to_string());
        let sources = value["predicate"]["buildDefinition"]["resolvedDependencies"].as_array().unwrap();
        let first = json!({"name": "workload-0000.yaml#workload-0000", "digest": {"sha256": manifest.policies[0].sha256}});
        assert_eq!((sources.len(), &sources[0]), (3, &first));
        assert!(!text.contains("Time") && !text.contains("invocation"));
        assert_eq!(text, statement(&manifest, digest));
    }
}
