//! Case directories: what one is, and where they are.

pub mod golden;
pub mod phases;
pub mod snapshots;
pub mod texts;

use std::fs;
use std::path::Path;

/// One input of the compiler with its options.
#[derive(Debug)]
pub struct Case {
    /// Names its snapshots.
    pub name: String,
    /// Name and text of each file, in order of name.
    pub files: Vec<(String, String)>,
    /// As they would be typed.
    pub args: Vec<String>,
}

/// What the examples are called among the cases, and where they are.
const EXAMPLES: [(&str, &str); 2] =
    [("the-examples", "examples/policies"), ("the-templates", "examples/templates")];

/// All cases, in order of name.
///
/// # Errors
/// A directory that is no case, or no case at all.
pub fn find(root: &Path) -> Result<Vec<Case>, String> {
    let mut cases = vec![];
    let folder = root.join("tests/cases");
    for name in names(&folder)? {
        let path = folder.join(&name);
        if !path.is_dir() {
            return Err(format!("tests/cases/{name} is no directory"));
        }
        if EXAMPLES.iter().any(|(example, _)| *example == name)
            || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        {
            return Err(format!("tests/cases/{name}: a case has letters, digits and `-` in its name"));
        }
        cases.push(read(&path, name)?);
    }
    if cases.is_empty() {
        return Err("there is no case in tests/cases".to_string());
    }
    for (name, folder) in EXAMPLES {
        cases.push(read(&root.join(folder), name.to_string())?);
    }
    Ok(cases)
}

fn read(path: &Path, name: String) -> Result<Case, String> {
    let mut case = Case { name, files: vec![], args: vec![] };
    for file in names(path)? {
        let bytes = fs::read(path.join(&file)).map_err(|e| format!("{}/{file}: {e}", case.name))?;
        let text = String::from_utf8(bytes).map_err(|e| format!("{}/{file}: {e}", case.name))?;
        match file.as_str() {
            "args" => {
                for line in text.lines() {
                    case.args.extend(line.split(' ').map(str::to_string));
                }
            }
            _ if file.ends_with(".yaml") => case.files.push((file, text)),
            _ => return Err(format!("nobody reads {}/{file}; a case has `*.yaml` and `args`", case.name)),
        }
    }
    if case.files.is_empty() { Err(format!("{} has no policy", case.name)) } else { Ok(case) }
}

/// Names in a folder, in order.
pub fn names(folder: &Path) -> Result<Vec<String>, String> {
    let said = |e: std::io::Error| format!("{}: {e}", folder.display());
    let mut names = vec![];
    for entry in fs::read_dir(folder).map_err(said)? {
        names.push(entry.map_err(said)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Whether what is found becomes what is expected.
pub fn blessing() -> bool {
    std::env::var_os("INSTA_UPDATE").is_some_and(|v| v == "always" || v == "force")
}
