//! "Did you mean": the nearest of a set of known names.

/// The known name that `text` most likely stands for: equal but for case, else the nearest within a third of
/// the longer one's length (Levenshtein, a swap of neighbours counting once). Of several as near the one
/// that begins most alike, then the first.
pub fn nearest<'k>(text: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    best(text, known, |longer| (longer / 3).clamp(1, 4))
}

/// As [`nearest`], at most `allowed` steps away.
pub fn nearest_within<'k>(
    text: &str,
    known: impl IntoIterator<Item = &'k str>,
    allowed: usize,
) -> Option<&'k str> {
    best(text, known, |_| allowed)
}

/// As [`nearest`], of the names that a kernel has, of which there are many: the first letter is taken to be right
/// and nothing else about their number.
pub fn nearest_symbol<'k>(text: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let first = text.as_bytes().first();
    let may_be = |name: &&str| name.as_bytes().first() == first && name.len().abs_diff(text.len()) <= 4;
    // Longer names differ by more, but not by a word of their own.
    best_of(text, known.into_iter().filter(may_be), |longer| (longer / 5).clamp(1, 3))
}

fn best<'k>(
    text: &str,
    known: impl IntoIterator<Item = &'k str>,
    allowed: impl Fn(usize) -> usize,
) -> Option<&'k str> {
    best_of(text, known.into_iter().take(MAX_NAMES), allowed)
}

fn best_of<'k>(
    text: &str,
    known: impl Iterator<Item = &'k str>,
    allowed: impl Fn(usize) -> usize,
) -> Option<&'k str> {
    let lower: Vec<char> = text.chars().take(MAX_CHARS + 1).flat_map(char::to_lowercase).collect();
    if lower.is_empty() || lower.len() > MAX_CHARS {
        return None;
    }
    let mut best: Option<(usize, usize, &str)> = None;
    for name in known {
        let name_lower: Vec<char> = name.chars().flat_map(char::to_lowercase).collect();
        let allowed = allowed(name_lower.len().max(lower.len()));
        if name_lower.len().abs_diff(lower.len()) > allowed {
            continue;
        }
        let distance = distance(&lower, &name_lower);
        let unlike = lower.len() - lower.iter().zip(&name_lower).take_while(|(a, b)| a == b).count();
        if distance <= allowed && best.is_none_or(|(d, u, _)| (distance, unlike) < (d, u)) {
            best = Some((distance, unlike, name));
        }
    }
    best.map(|(.., name)| name)
}

/// Longer texts are no misspelt name.
const MAX_CHARS: usize = 100;
/// A policy can name any number of lists and macros; comparing with all of them would be an attack's cost.
const MAX_NAMES: usize = 200;

/// Optimal string alignment.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before_last = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let changed = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + changed);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before_last[j - 2] + 1);
            }
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPERATORS: [&str; 6] = ["Equal", "NotEqual", "Prefix", "NotPrefix", "Postfix", "NotPostfix"];

    #[test]
    fn misspelt_names_find_the_one_meant() {
        for (text, meant) in [
            ("Equals", "Equal"),
            ("equal", "Equal"),
            ("Eqaul", "Equal"),
            ("NotEquel", "NotEqual"),
            ("Prefx", "Prefix"),
            ("notprefix", "NotPrefix"),
            ("PostFix", "Postfix"),
        ] {
            assert_eq!(nearest(text, OPERATORS), Some(meant), "{text}");
        }
        assert_eq!(nearest("kprobe", ["uprobes", "kprobes"]), Some("kprobes"));
        assert_eq!(nearest("NotSPortPriv", ["NotSportPriv"]), Some("NotSportPriv"));
        assert_eq!(nearest("argErr", ["argUrl", "argError"]), Some("argError"), "it begins more alike");
    }

    #[test]
    fn what_is_near_to_nothing_gets_no_suggestion() {
        for text in ["", "In", "Mask", "Contains", "Eq", "SubString", "äöü", &"x".repeat(500)] {
            assert_eq!(nearest(text, OPERATORS), None, "{text}");
        }
    }

    #[test]
    fn the_distance_can_be_bounded() {
        assert_eq!(nearest("TrafficPolicy", ["TracingPolicy"]), Some("TracingPolicy"));
        assert_eq!(nearest_within("TrafficPolicy", ["TracingPolicy"], 2), None);
        assert_eq!(nearest_within("TracingPolcy", ["TracingPolicy"], 2), Some("TracingPolicy"));
    }

    #[test]
    fn a_swap_of_neighbours_is_one_step() {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        assert_eq!(distance(&chars("abcd"), &chars("acbd")), 1);
        assert_eq!(distance(&chars("kitten"), &chars("sitting")), 3);
        assert_eq!(distance(&chars(""), &chars("abc")), 3);
        assert_eq!(distance(&chars("abc"), &chars("abc")), 0);
    }
}
