//! Against the decoder, the evaluator and a plain set, which share no code with the builder.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::blob::Region;
use super::*;
use crate::artifact::evaluate;
use crate::emit::verify::decode;

fn built(paths: &[impl AsRef<[u8]>]) -> (Region, Automaton) {
    let mut blob = Blob::tables();
    let automaton = build(&mut blob, paths).unwrap();
    (blob.finish(), automaton)
}

fn id_of(region: &Region, automaton: &Automaton, path: &[u8]) -> u32 {
    evaluate::Tables::open(&region.bytes).unwrap().path(automaton.root, path).unwrap()
}

/// Every value comes back, with the id that was returned and in the order that is promised; no neighbour does.
fn check(paths: &[Vec<u8>]) -> (Region, Automaton) {
    let (region, automaton) = built(paths);
    let tables = decode::Tables::open(&region.bytes).unwrap();
    let decoded = tables.paths(automaton.root, automaton.count).unwrap();
    let mut expected: Vec<&[u8]> = vec![];
    for (path, id) in paths.iter().zip(&automaton.ids) {
        match id {
            Ok(id) => {
                assert_eq!(decoded.get(*id), Some(&path[..]));
                assert_eq!(id_of(&region, &automaton, path), *id);
                expected.push(path);
            }
            Err(why) => {
                assert_eq!(check_path(path), Err(*why));
                assert_eq!(id_of(&region, &automaton, path), 0, "{path:?}");
            }
        }
    }
    expected.sort_by_key(|p| leaf_first(p).map(<[u8]>::to_vec).collect::<Vec<_>>());
    assert!(decoded.iter().eq(expected), "ids are ranks of the reversed component lists");
    let known: BTreeSet<&[u8]> = decoded.iter().collect();
    for near in decoded.iter().flat_map(near_misses).filter(|p| !known.contains(&p[..])) {
        assert_eq!(id_of(&region, &automaton, &near), 0, "{:?}", String::from_utf8_lossy(&near));
    }
    (region, automaton)
}

/// Paths that a sloppy compare would take for this one.
fn near_misses(path: &[u8]) -> Vec<Vec<u8>> {
    let mut near = vec![[b"/x", path].concat(), [path, b"x"].concat(), [path, b"/x"].concat()];
    near.push(path[..path.len() - 1].to_vec());
    near.push([path, b"\0"].concat());
    let second = path.iter().skip(1).position(|&b| b == b'/').map(|i| i + 1);
    near.extend(second.map(|i| path[i..].to_vec()));
    for at in [1, 7, 8, 9, path.len() / 2, path.len().wrapping_sub(2), path.len() - 1] {
        if let Some(&byte) = path.get(at) {
            let mut other = path.to_vec();
            other[at] = byte ^ 1;
            near.push(other.clone());
            other.remove(at);
            near.push(other);
        }
    }
    near
}

fn paths(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|t| t.as_bytes().to_vec()).collect()
}

#[test]
fn suffixes_are_shared_and_told_apart() {
    let (_, automaton) =
        check(&paths(&["/usr/bin/sh", "/bin/sh", "/usr/bin/ls", "/bin/ls", "/sh", "/opt/usr/bin/sh"]));
    assert_eq!(automaton.count, 6);
    // By leaf, then by its folder, and so on; a shorter path before those that go on.
    assert_eq!(automaton.ids, [Ok(5), Ok(4), Ok(2), Ok(1), Ok(3), Ok(6)]);
}

#[test]
fn equal_subtrees_are_written_once() {
    let mut set = vec![];
    for name in ["a", "b", "c", "d", "e"] {
        for folder in ["/usr/bin", "/bin", "/sbin"] {
            set.push(format!("{folder}/{name}").into_bytes());
        }
    }
    let (_, automaton) = check(&set);
    assert_eq!(automaton.shape, Shape { nodes: 4, hashed_nodes: 1, edges: 5 + 2 + 1 });
}

#[test]
fn nothing_and_the_root_directory() {
    let (region, automaton) = check(&[]);
    assert_eq!((automaton.root, automaton.count), (abi::EDGE_NONE, 0));
    assert_eq!(id_of(&region, &automaton, b"/"), 0);

    let (_, automaton) = check(&paths(&["/"]));
    assert_eq!((automaton.root, automaton.count), (abi::EDGE_NONE | abi::EDGE_ACCEPT, 1));

    let (region, automaton) = check(&paths(&["/a", "/", "/b/a"]));
    assert_eq!(automaton.ids, [Ok(2), Ok(1), Ok(3)]);
    assert_eq!(id_of(&region, &automaton, b"/b"), 0);
}

#[test]
fn what_no_walk_gives_has_no_id() {
    use Unreachable::*;
    let long = format!("/{}", "n".repeat(256));
    let longest = format!("/{}", "n".repeat(255));
    let deep = "/d".repeat(2049);
    let deepest = "/d".repeat(2048);
    for (path, verdict) in [
        ("", Err(NotAbsolute)),
        ("bin/sh", Err(NotAbsolute)),
        ("./sh", Err(NotAbsolute)),
        ("/a\0", Err(Nul)),
        ("/bin/", Err(TrailingSlash)),
        ("//", Err(TrailingSlash)),
        ("//sh", Err(EmptyComponent)),
        ("/bin//sh", Err(EmptyComponent)),
        ("/./sh", Err(DotComponent)),
        ("/bin/..", Err(DotComponent)),
        ("/...", Ok(())),
        ("/.a", Ok(())),
        (&long, Err(LongComponent)),
        (&longest, Ok(())),
        (&deep, Err(TooLong)),
        (&deepest, Ok(())),
        ("/", Ok(())),
    ] {
        assert_eq!(check_path(path.as_bytes()), verdict, "{path:?}");
    }
    let (_, automaton) = check(&paths(&["bin/sh", "/bin/sh", "/bin//sh", "bin/sh", &deepest]));
    assert_eq!(
        automaton.ids,
        [Err(NotAbsolute), Ok(2), Err(EmptyComponent), Err(NotAbsolute), Ok(1)],
        "ids are dense, and a value that has none may stand twice"
    );
}

#[test]
fn twice_the_same_is_refused() {
    let twice = paths(&["/b", "/a", "/c/a", "/a"]);
    assert_eq!(build(&mut Blob::tables(), &twice), Err(TableError::Duplicate { first: 1, second: 3 }));
    let twice = paths(&["/", "/a", "/"]);
    assert_eq!(build(&mut Blob::tables(), &twice), Err(TableError::Duplicate { first: 0, second: 2 }));
}

/// Names around the sizes where a word or the name inside a dentry ends, alone and among many.
#[test]
fn names_of_every_length_and_one_byte_off() {
    for others in [0, 2, 40] {
        let mut set = vec![];
        for len in [1, 7, 8, 9, 15, 16, 17, 23, 24, 25, 31, 32, 33, 40, 48, 49, 64, 65, 100, 254, 255] {
            let name = "abcdefghijklmnopqrstuvwxyz".chars().cycle().take(len).collect::<String>();
            for at in [0, 6, 7, 8, len - 1] {
                let mut other = name.clone().into_bytes();
                if at < len {
                    other[at] = b'#';
                    set.push([b"/bin/", &other[..]].concat());
                }
            }
            set.push(format!("/bin/{name}").into_bytes());
            set.push(format!("/{name}/sh").into_bytes());
        }
        set.extend((0..others).map(|i| format!("/bin/other-{i}").into_bytes()));
        set.sort();
        set.dedup();
        check(&set);
    }
}

#[test]
fn names_of_ones_do_not_equal_the_empty_edge() {
    for len in [8, 16, 48, 255] {
        let ones = vec![0xff; len];
        let (region, automaton) = check(&paths(&["/a", "/b", "/c", "/d", "/e"]));
        assert_eq!(id_of(&region, &automaton, &[b"/", &ones[..]].concat()), 0);
    }
}

#[test]
fn bytes_do_not_depend_on_the_order_given() {
    let set = paths(&["/usr/bin/sh", "/bin/sh", "/a", "/b", "/c", "/d", "/d/e/f"]);
    let mut backward = set.clone();
    backward.reverse();
    assert_eq!(built(&set).0, built(&backward).0);
}

/// The pool of the exec policies that the project measures with: 19 folders, 32 names and their versions.
fn pool(distinct: usize) -> Vec<Vec<u8>> {
    const FOLDERS: [&str; 19] = [
        "/usr/bin",
        "/usr/sbin",
        "/usr/local/bin",
        "/bin",
        "/sbin",
        "/opt/app/bin",
        "/usr/lib/jvm/java-17/bin",
        "/usr/lib/postgresql/15/bin",
        "/usr/lib/git-core",
        "/usr/share/elasticsearch/bin",
        "/opt/scripts",
        "/usr/local/lib/node_modules/.bin",
        "/app/venv/bin",
        "/usr/libexec/coreutils",
        "/home/app/.local/bin",
        "/var/lib/rancher/rke2/data/current/bin",
        "/usr/lib/gconv",
        "/opt/prometheus",
        "/srv/service/bin",
    ];
    const NAMES: [&str; 8] =
        ["sh", "bash", "python3.11", "node", "redis-server", "consul-template", "pg_isready", "php-fpm8.2"];
    (0..distinct)
        .map(|i| {
            let (folder, name) = (FOLDERS[i % 19], NAMES[i / 19 % 8]);
            format!("{folder}/{name}-{}.{}", i / 152, i * 7919 % 10).into_bytes()
        })
        .collect()
}

#[test]
fn hundred_thousand_paths() {
    let set = pool(100_000);
    let start = std::time::Instant::now();
    let (region, automaton) = built(&set);
    println!("built in {:?}: {} bytes, {:?}", start.elapsed(), region.bytes.len(), automaton.shape);
    let start = std::time::Instant::now();
    let decoded = decode::Tables::open(&region.bytes).unwrap().paths(automaton.root, 100_000).unwrap();
    println!("decoded in {:?}", start.elapsed());
    for (path, id) in set.iter().zip(&automaton.ids) {
        assert_eq!(decoded.get(id.unwrap()), Some(&path[..]));
        assert_eq!(id_of(&region, &automaton, path), id.unwrap());
    }
    assert_eq!(id_of(&region, &automaton, b"/usr/bin/sh-0.00"), 0);
}

/// One folder with more names than a displacement has bits; and a path of every depth.
#[test]
fn wide_and_deep() {
    let mut set: Vec<Vec<u8>> = (0..80_000).map(|i| format!("/bin/{i:x}").into_bytes()).collect();
    set.extend((1..=400).map(|depth| b"/d".repeat(depth)));
    let (region, automaton) = built(&set);
    let decoded =
        decode::Tables::open(&region.bytes).unwrap().paths(automaton.root, automaton.count).unwrap();
    for (path, id) in set.iter().zip(&automaton.ids) {
        assert_eq!(decoded.get(id.unwrap()), Some(&path[..]));
    }
}

/// Components that share words, prefixes and suffixes.
pub(crate) fn component() -> impl Strategy<Value = Vec<u8>> {
    let stem = prop::sample::select(vec![1usize, 7, 8, 9, 16, 17, 24, 25, 31, 32, 33, 255]);
    prop_oneof![
        6 => "[abc]{1,2}".prop_map(String::into_bytes),
        2 => (stem, prop::option::of((0usize..255, 1u8..3))).prop_map(|(len, change)| {
            let mut name = vec![b'n'; len];
            if let Some((at, by)) = change {
                name[at % len] += by;
            }
            name
        }),
        1 => prop::collection::vec(1u8..=255, 1..20).prop_map(|mut name| {
            name.iter_mut().filter(|b| **b == b'/').for_each(|b| *b = b'|');
            if name.iter().all(|&b| b == b'.') { b"dots".to_vec() } else { name }
        }),
    ]
}

pub(crate) fn path() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(component(), 0..5).prop_map(|components| match components.len() {
        0 => b"/".to_vec(),
        _ => components.iter().flat_map(|c| [b"/", &c[..]].concat()).collect(),
    })
}

proptest! {
    #[test]
    fn any_set_comes_back(set in prop::collection::btree_set(path(), 0..60)) {
        check(&set.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn any_bytes_are_taken_or_refused(set in prop::collection::btree_set("[/.a\0]{0,6}", 0..40)) {
        check(&set.into_iter().map(String::into_bytes).collect::<Vec<_>>());
    }

    #[test]
    fn other_paths_are_not_found(
        set in prop::collection::btree_set(path(), 1..40),
        probes in prop::collection::vec(path(), 1..40),
    ) {
        let set: Vec<Vec<u8>> = set.into_iter().collect();
        let (region, automaton) = built(&set);
        for probe in &probes {
            let expected = set.iter().position(|p| p == probe).map_or(0, |i| automaton.ids[i].unwrap());
            prop_assert_eq!(id_of(&region, &automaton, probe), expected);
        }
    }
}
