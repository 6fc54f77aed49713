//! Reads the workloads file: which cgroup is which container.
//!
//! Turns each entry into the ids of its cgroup and of those around it, and the scopes that select it. A cgroup is
//! named below the mount point of the hierarchy or by its full path; its id is the inode number of its directory.
//! An entry whose cgroup is not there is refused, and the others are taken: pods come and go while a list is read.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tetrafold::artifact::manifest::Manifest;
use tetrafold::artifact::node;
use tetrafold::artifact::scope::{self, Container};

use crate::Outcome;

pub const CGROUPS: &str = "/sys/fs/cgroup";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    workloads: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    cgroup: String,
    namespace: String,
    #[serde(default)]
    pod: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    container: String,
    #[serde(default)]
    repo: String,
}

/// The workloads, and why others are refused.
///
/// # Errors
/// A file that is not what it should be.
pub fn read(path: &Path, manifest: &Manifest) -> Outcome<(Vec<node::Workload>, Vec<String>)> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let file: File = serde_saphyr::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
    let (mut workloads, mut refused) = (vec![], vec![]);
    for entry in file.workloads {
        match workload(entry, manifest) {
            Ok(workload) => workloads.push(workload),
            Err(error) => refused.push(error.to_string()),
        }
    }
    Ok((workloads, refused))
}

fn workload(entry: Entry, manifest: &Manifest) -> Outcome<node::Workload> {
    let name = format!("{}/{} ({})", entry.namespace, entry.pod, entry.container);
    let path = ancestry(&entry.cgroup).map_err(|e| format!("{name}: cgroup {}: {e}", entry.cgroup))?;
    let container = Container {
        namespace: entry.namespace,
        labels: entry.labels,
        container: entry.container,
        repo: entry.repo,
    };
    let scopes = scope::scopes_of(manifest, &scope::Workload::Container(container));
    Ok(node::Workload { name, path, scopes })
}

/// Ids from level 1 down to the cgroup itself.
fn ancestry(cgroup: &str) -> Outcome<Vec<u64>> {
    let below = cgroup.strip_prefix(CGROUPS).unwrap_or(cgroup);
    let mut directory = PathBuf::from(CGROUPS);
    let mut ids = Vec::new();
    for part in below.split('/').filter(|part| !part.is_empty()) {
        if part == "." || part == ".." {
            return Err("not a plain path".into());
        }
        directory.push(part);
        let metadata = std::fs::symlink_metadata(&directory)?;
        if !metadata.is_dir() {
            return Err("not a directory".into());
        }
        ids.push(metadata.ino());
    }
    Ok(ids)
}
