//! Paths of fields: `mm.owner.comm`, `a[0].b`.

use crate::vocab::limit;

/// Whether it is a path of fields that can be followed.
pub fn is_path(path: &str) -> bool {
    path_steps(path).is_ok_and(|steps| steps <= limit::RESOLVE_STEPS)
}

/// How many steps a path takes, or why it is none.
pub fn path_steps(path: &str) -> Result<usize, &'static str> {
    let mut steps = 0;
    for component in path.split('.') {
        let (name, mut indexes) = match component.find('[') {
            Some(at) => component.split_at(at),
            None => (component, ""),
        };
        if name.is_empty() && (indexes.is_empty() || steps > 0) {
            return Err("a name is wanted between dots");
        }
        if name.contains(']') {
            return Err("a `[` is missing");
        }
        steps += usize::from(!name.is_empty());
        while !indexes.is_empty() {
            let inner = indexes.strip_prefix('[').ok_or("a `.` is wanted after `]`")?;
            let (number, rest) = inner.split_once(']').ok_or("a `]` is missing")?;
            if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
                return Err("a number is wanted in brackets");
            }
            steps += 1;
            indexes = rest;
        }
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_counted_or_refused() {
        for (path, steps) in [("mm", 1), ("mm.owner.comm", 3), ("a[0].b", 3), ("[1].a", 2), ("a[1][2]", 3)] {
            assert_eq!(path_steps(path), Ok(steps), "{path}");
        }
        for path in ["", ".", "a.", ".a", "a..b", "a.[0]", "a[]", "a[x]", "a[0", "a]0", "a[0]b", "a[[0]]"] {
            assert!(path_steps(path).is_err(), "{path}");
        }
    }
}
