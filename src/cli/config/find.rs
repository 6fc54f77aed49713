//! Which file counts: the nearest [`NAME`] upwards from what all paths have in common.
//!
//! The paths decide, not the working directory, so that a set is judged alike from wherever it is compiled
//! and in whatever order its paths are named; standard input counts as the working directory. Nothing stops
//! the search but the root, as with ruff: a folder with `.git` may be a submodule of what has the file.

use std::path::{Component, Path, PathBuf};

/// Hidden, so that no search of a folder takes it for a policy.
pub const NAME: &str = ".tetrafold.yaml";

/// The file as it can be shown: relative to the working directory.
pub fn upwards(paths: &[PathBuf]) -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    let folder = paths.iter().map(|path| folder_of(path, &here)).reduce(|a, b| common(&a, &b))?;
    let found = folder.ancestors().map(|folder| folder.join(NAME)).find(|file| is_there(file))?;
    Some(relative(&found, &here))
}

/// What cannot be read is there too, and said to be so.
fn is_there(file: &Path) -> bool {
    file.symlink_metadata().is_ok() && !file.is_dir()
}

/// A folder itself, of anything else the folder it is in; absolute and without `.` and `..`.
fn folder_of(path: &Path, here: &Path) -> PathBuf {
    if path.as_os_str() == "-" {
        return here.to_path_buf();
    }
    let mut folder = PathBuf::new();
    for component in here.join(path).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => _ = folder.pop(),
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => folder.push(component),
        }
    }
    if !path.is_dir() {
        folder.pop();
    }
    folder
}

fn common(a: &Path, b: &Path) -> PathBuf {
    a.components().zip(b.components()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect()
}

fn relative(file: &Path, here: &Path) -> PathBuf {
    let shared = common(file, here);
    let up = here.components().skip(shared.components().count()).map(|_| Component::ParentDir);
    let down = file.components().skip(shared.components().count());
    up.chain(down).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_meet_in_the_folder_that_holds_them_all() {
        let here = Path::new("/nowhere/work");
        for (paths, folder) in [
            (&["a.yaml"][..], "/nowhere/work"),
            (&["-"], "/nowhere/work"),
            (&["x/a.yaml", "x/y/b.yaml"], "/nowhere/work/x"),
            (&["x/y/b.yaml", "x/a.yaml"], "/nowhere/work/x"),
            (&["../a.yaml", "./x/../b.yaml"], "/nowhere"),
            (&["/elsewhere/a.yaml", "b.yaml"], "/"),
        ] {
            let folders = paths.iter().map(|path| folder_of(Path::new(path), here));
            assert_eq!(folders.reduce(|a, b| common(&a, &b)).unwrap(), Path::new(folder), "{paths:?}");
        }
    }

    #[test]
    fn the_file_is_shown_from_the_working_directory() {
        let shown = |file: &str| relative(Path::new(file), Path::new("/a/b")).to_str().unwrap().to_string();
        assert_eq!(shown("/a/b/.tetrafold.yaml"), ".tetrafold.yaml");
        assert_eq!(shown("/a/b/c/.tetrafold.yaml"), "c/.tetrafold.yaml");
        assert_eq!(shown("/.tetrafold.yaml"), "../../.tetrafold.yaml");
        assert_eq!(shown("/a/c/.tetrafold.yaml"), "../c/.tetrafold.yaml");
    }
}
