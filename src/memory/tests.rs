//! The model against everything that was measured.

use super::*;

const MAPS: &str = include_str!("../../tests/data/kernel-memory/maps.csv");
const PROGRAMS: &str = include_str!("../../tests/data/kernel-memory/programs.csv");
const SETS: &str = include_str!("../../tests/data/kernel-memory/sets.csv");

fn version(text: &str) -> KernelVersion {
    let (major, minor) = text.split_once('.').unwrap();
    KernelVersion::new(major.parse().unwrap(), minor.parse().unwrap())
}

fn profile(text: &str) -> KernelProfile {
    KernelProfile::of(version(text)).unwrap()
}

fn flags(text: &str) -> u32 {
    text.split('|')
        .map(|name| match name {
            "0" => 0,
            "NO_PREALLOC" => NO_PREALLOC,
            "NO_COMMON_LRU" => NO_COMMON_LRU,
            "MMAPABLE" => MMAPABLE,
            other => panic!("flag {other}"),
        })
        .sum()
}

struct Row {
    kernel: &'static str,
    cpus: u32,
    shape: MapShape,
    memlock: u64,
    charged: Option<f64>,
    copies: f64,
    text: &'static str,
}

fn rows() -> impl Iterator<Item = Row> {
    MAPS.lines().skip(1).map(|text| {
        let field: Vec<&str> = text.split(',').collect();
        let number = |i: usize| field[i].parse().unwrap();
        let filled: u32 = number(7);
        let mut shape = MapShape::new(MapType::by_name(field[2]).unwrap(), number(4), number(5), number(6))
            .flags(flags(field[3]))
            .live(filled);
        // The measured tries held prefixes of which none contains another.
        shape.inner_nodes = Some(filled.saturating_sub(1));
        Row {
            kernel: field[0],
            cpus: number(1),
            shape,
            memlock: field[8].parse().unwrap(),
            charged: field[9].parse().ok(),
            copies: field[10].parse().unwrap_or(1.0),
            text,
        }
    })
}

#[test]
fn memlock_is_exact_on_every_measured_map() {
    let mut seen = 0;
    for row in rows() {
        let cost = map_cost(&row.shape, &profile(row.kernel), row.cpus)
            .unwrap_or_else(|e| panic!("{e}: {}", row.text));
        assert_eq!(cost.memlock, Amount::exactly(Bytes(row.memlock)), "{}", row.text);
        seen += 1;
    }
    assert_eq!(seen, 21_951);
}

/// One stray page a measurement on 6.1 and 6.12; a counter that moves by pages on 6.18.
fn error_of(row: &Row) -> f64 {
    if row.kernel == "6.18" { 8.0 + 2600.0 / row.copies } else { 0.5 + 4500.0 / row.copies }
}

#[test]
fn charged_bytes_are_within_the_error_of_measurement() {
    let (mut predictable, mut outside, mut unpredictable) = (0, vec![], 0);
    for row in rows() {
        let Some(charged) = row.charged else { continue };
        let cost = map_cost(&row.shape, &profile(row.kernel), row.cpus).unwrap();
        let error = error_of(&row);
        let (least, most) = (cost.charged.least.0 as f64 - error, cost.charged.most.0 as f64 + error);
        let holds = least <= charged && charged <= most;
        match cost.exactness {
            Exactness::Measured => {
                assert!(cost.charged.is_exact(), "{}", row.text);
                predictable += 1;
                if !holds {
                    outside.push(row.text);
                }
            }
            Exactness::Unpredictable => {
                unpredictable += 1;
                assert!(holds, "{} is outside {:?}", row.text, cost.charged);
            }
            Exactness::Derived => panic!("{}: a measured kernel is not derived", row.text),
        }
    }
    assert_eq!((predictable, unpredictable), (10_843, 1_501));
    // One or two stray objects a map; not seen again when repeated.
    assert!(outside.len() <= 6, "{outside:#?}");
}

#[test]
fn every_type_was_measured_or_says_so() {
    for &ty in MapType::ALL {
        let measured = rows().any(|row| row.shape.ty == ty);
        assert_eq!(measured, ty != MapType::Arena, "{}", ty.name());
    }
    let arena = MapShape::new(MapType::Arena, 0, 0, 100);
    let cost = map_cost(&arena, &profile("6.12"), 2).unwrap();
    assert_eq!((cost.memlock, cost.exactness), (Amount::default(), Exactness::Derived));
    assert!(matches!(map_cost(&arena, &profile("6.1"), 2), Err(Refused::NoSuchType { .. })));
}

#[test]
fn programs_show_and_take_what_was_measured() {
    let (mut seen, mut exact) = (0, 0);
    for text in PROGRAMS.lines().skip(1) {
        let field: Vec<&str> = text.split(',').collect();
        let instructions = field[3].parse().unwrap();
        let shape = ProgramShape {
            functions: vec![FunctionShape { instructions, replaceable: 0 }],
            xlated: XlatedSize::Exactly(Bytes(field[4].parse().unwrap())),
            jited: JitedSize::Exactly(Bytes(field[5].parse().unwrap())),
            used_maps: 0,
            line_records: 0,
        };
        let cost = program_cost(&shape, &profile(field[0]), field[1].parse().unwrap()).unwrap();
        assert_eq!(cost.memlock, Amount::exactly(Bytes(field[6].parse().unwrap())), "{text}");
        let charged: f64 = field[7].parse().unwrap();
        let off = (cost.charged.most.0 as f64 - charged).abs();
        // 6.18 counts by pages; on 6.12 two rows are a stray object of 1 KiB off, on 6.1 twenty of at most 264 bytes.
        assert!(off <= if field[0] == "6.18" { 350.0 } else { 1030.0 }, "{text}");
        seen += 1;
        exact += u32::from(off < 0.5);
    }
    assert_eq!((seen, exact), (396, 238));
}

/// Whole representations, which mix map types: totals as measured, and the uncharged part as computed then.
#[test]
fn sets_of_maps_add_up() {
    let held = |kernel: &str, maps: &[(u32, MapShape)]| {
        let mut sum = [0; 3];
        for (count, shape) in maps {
            let cost = map_cost(shape, &profile(kernel), 2).unwrap();
            for (total, part) in sum.iter_mut().zip([cost.memlock, cost.charged, cost.uncharged]) {
                assert!(part.is_exact());
                *total += part.least.0 * u64::from(*count);
            }
        }
        sum
    };
    let hash = |key, value, entries| MapShape::new(MapType::Hash, key, value, entries);
    let outer = MapShape::new(MapType::HashOfMaps, 4, 4, 500).flags(NO_PREALLOC).live(500);
    let data = |bytes| MapShape::new(MapType::Array, 4, bytes, 1).flags(MMAPABLE);
    let cases: [(&str, Vec<(u32, MapShape)>); 5] = [
        ("hom inner hash64 prealloc", vec![(1, outer), (500, hash(64, 1, 8))]),
        ("hom inner u64hash prealloc", vec![(1, outer), (500, hash(8, 1, 8))]),
        ("flat set+u64hash prealloc", vec![(1, hash(16, 1, 4000))]),
        ("exact pool+bitset rodata", vec![(1, data(30_000))]),
        ("hashed strings+u16 lists plain ARRAY", vec![(1, MapShape::new(MapType::Array, 4, 11_424, 1))]),
    ];
    for (name, maps) in cases {
        let text = SETS.lines().find(|l| l.starts_with("6.12,") && l.contains(name)).unwrap();
        let field: Vec<u64> = text.split(',').skip(4).map(|f| f.parse().unwrap()).collect();
        assert_eq!(held("6.12", &maps), [field[0], field[1], field[2]], "{text}");
    }
}

#[test]
fn an_unknown_kernel_gets_a_range_that_holds_its_neighbours() {
    let shape = MapShape::new(MapType::Hash, 8, 4, 1000);
    let between = map_cost(&shape, &profile("6.8"), 4).unwrap();
    assert_eq!(between.exactness, Exactness::Derived);
    for kernel in ["6.12", "6.18"] {
        let known = map_cost(&shape, &profile(kernel), 4).unwrap();
        assert!(between.memlock.holds(known.memlock.least), "{kernel}");
    }
    // The footprint of older kernels needs no struct size.
    assert!(map_cost(&shape, &profile("5.15"), 4).unwrap().memlock.is_exact());
}

#[test]
fn shapes_that_a_kernel_refuses_are_refused() {
    let kernel = profile("6.12");
    let refused = |shape: MapShape| map_cost(&shape, &kernel, 2).unwrap_err().to_string();
    assert!(refused(MapShape::new(MapType::Array, 4, 4, 0)).contains("max_entries must not be 0"));
    assert!(refused(MapShape::new(MapType::Ringbuf, 0, 0, 5000)).contains("power of two"));
    assert!(refused(MapShape::new(MapType::LpmTrie, 4, 1, 1).flags(NO_PREALLOC)).contains("length"));
    assert!(refused(MapShape::new(MapType::LpmTrie, 8, 1, 1)).contains("NO_PREALLOC"));
    assert!(refused(MapShape::new(MapType::TaskStorage, 4, 8, 1)).contains("must be 0"));
    assert!(refused(MapShape::new(MapType::PercpuArray, 4, (32 << 10) + 1, 1)).contains("32 KiB"));
    assert!(refused(MapShape::new(MapType::Hash, 4, 4, 2).live(3)).contains("more entries"));
    assert_eq!(map_cost(&MapShape::new(MapType::Array, 4, 4, 1), &kernel, 0), Err(Refused::NoCpu));
}

#[test]
fn the_largest_attributes_neither_wrap_nor_panic() {
    for kernel in ["5.15", "6.1", "6.8", "6.12", "6.15", "6.18", "7.0"] {
        for &ty in MapType::ALL {
            for flags in [0, NO_PREALLOC, NO_COMMON_LRU, MMAPABLE] {
                let mut shape = MapShape::new(ty, u32::MAX, u32::MAX, u32::MAX).flags(flags).live(u32::MAX);
                if map_cost(&shape, &profile(kernel), u32::MAX).is_err() {
                    shape.max_entries = 0;
                    shape.live = 0;
                    let _ = map_cost(&shape, &profile(kernel), u32::MAX);
                }
            }
        }
    }
    let huge = MapShape::new(MapType::Hash, u32::MAX, u32::MAX, u32::MAX);
    assert_eq!(map_cost(&huge, &profile("6.12"), 2).unwrap().memlock.most, Bytes(u64::MAX));
}

#[test]
fn names_and_numbers_of_types_are_unique() {
    for &ty in MapType::ALL {
        assert_eq!(MapType::by_name(ty.name()), Some(ty));
        assert_eq!(MapType::by_id(ty.id()), Some(ty));
    }
    assert_eq!(MapType::by_id(26), None);
}
