use crate::json;
use serde_json::{Value, json};

use super::*;
use crate::sample::allowlists;

/// The sample manifest after a change to its JSON.
fn changed(change: impl FnOnce(&mut Value)) -> Result<Manifest, ManifestError> {
    let mut value: Value = serde_json::from_slice(&allowlists(3, 50, 4).manifest.to_json()).unwrap();
    change(&mut value);
    Manifest::from_json(value.to_string().as_bytes())
}

fn refusal(change: impl FnOnce(&mut Value)) -> String {
    changed(change).expect_err("must be refused").to_string()
}

#[test]
fn schema_is_up_to_date() {
    json::assert_committed(concat!(env!("CARGO_MANIFEST_DIR"), "/manifest.schema.json"), &Manifest::schema());
}

#[test]
fn manifests_validate_against_the_schema() {
    let schema: Value = serde_json::from_str(&Manifest::schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut value: Value = serde_json::from_slice(&allowlists(3, 50, 4).manifest.to_json()).unwrap();
    assert!(validator.is_valid(&value));
    value["node"]["floor"] = json!(1);
    assert!(!validator.is_valid(&value), "an unknown field");
}

#[test]
fn bytes_are_canonical_and_come_back() {
    let manifest = allowlists(3, 50, 4).manifest;
    let bytes = manifest.to_json();
    assert_eq!(Manifest::from_json(&bytes), Ok(manifest.clone()));
    assert_eq!(Manifest::from_json(&bytes).unwrap().to_json(), bytes);
    let text = String::from_utf8(bytes).unwrap();
    assert!(
        text.starts_with("{\n\"schemaVersion\":4,\n\"tool\":{\"name\":\"tetrafold\"")
            && text.ends_with("}\n")
    );
    let first = text.lines().find(|l| l.starts_with("{\"number\":0,\"kind\"")).unwrap();
    assert!(first.contains("\"name\":\"workload-0000\"") && first.ends_with("},"), "a policy a line");
    let compact: String = text.split('\n').collect();
    assert_eq!(Manifest::from_json(compact.as_bytes()), Ok(manifest), "line breaks mean nothing");
}

#[test]
fn unknown_and_repeated_fields_are_refused() {
    assert!(changed(|_| {}).is_ok());
    assert!(refusal(|v| v["policies"][0]["colour"] = json!("red")).contains("unknown field `colour`"));
    assert!(refusal(|v| v["maps"][0]["freezes"] = json!(true)).contains("unknown field"));
    changed(|v| v["scopes"][0]["any"][0]["hosts"] = json!(true))
        .expect_err("a field of neither kind of term");
    changed(|v| v["target"]["cpus"] = json!(2.0)).expect_err("a float");
    let text = String::from_utf8(allowlists(1, 5, 2).manifest.to_json()).unwrap();
    let twice = text.replace("\"limits\":", "\"events\":null,\n\"limits\":");
    assert!(Manifest::from_json(twice.as_bytes()).is_err());
}

#[test]
fn another_version_is_said_to_be_one() {
    let reason = refusal(|v| {
        v["schemaVersion"] = json!(5);
        v["new"] = json!({});
    });
    assert_eq!(reason, "schemaVersion: 5 is not a version that this tool reads");
    assert!(refusal(|v| v["abi"]["node"] = json!(1)).starts_with("abi: "));
    assert!(refusal(|v| v["events"]["headerBytes"] = json!(80)).starts_with("events: "));
    assert!(refusal(|v| v["tool"]["name"] = json!("tetrafolder")).starts_with("tool.name: "));
}

#[test]
fn names_cannot_leave_the_artifact() {
    for path in ["/etc/passwd", "../x.img", "maps/../maps/x.img", ""] {
        assert!(refusal(|v| v["operations"][0]["tables"]["path"] = json!(path)).contains("digest"), "{path}");
        assert!(refusal(|v| v["programs"][1]["object"]["path"] = json!(path)).contains("digest"), "{path}");
    }
    let object_as_image = |v: &mut Value| v["maps"][1]["image"] = v["programs"][0]["object"].clone();
    assert!(refusal(object_as_image).starts_with("maps[1].image"));
    for pin in ["", ".", "..", "a/b", "/a", "a\0"] {
        assert!(refusal(|v| v["maps"][0]["pin"] = json!(pin)).starts_with("maps[0].pin"), "{pin}");
    }
    assert!(changed(|v| v["maps"][0]["pin"] = json!("..a")).is_ok());
}

#[test]
fn references_lead_to_something() {
    for (place, change) in [
        (
            "programs[0].operation",
            (&|v: &mut Value| v["programs"][0]["operation"] = json!(1)) as &dyn Fn(&mut Value),
        ),
        ("maps[1].operation", &|v| v["maps"][1]["operation"] = json!(1)),
        ("policies[2].scope", &|v| v["policies"][2]["scope"] = json!(3)),
        ("nextNumbers", &|v| v["nextNumbers"]["policy"] = json!(2)),
        ("nextNumbers", &|v| v["nextNumbers"]["scope"] = json!(4_294_967_295u32)),
        ("policies[2].hooks", &|v| v["policies"][2]["hooks"][0]["operation"] = json!(7)),
        ("policies[2].hooks", &|v| v["policies"][2]["hooks"][0]["firstSelector"] = json!(1)),
        ("nextNumbers", &|v| v["nextNumbers"]["record"] = json!(2)),
        ("policies[2].hooks", &|v| v["policies"][2]["hooks"][0]["selectors"][0]["record"] = json!(1)),
        ("loadOrder[0]", &|v| v["loadOrder"][0]["name"] = json!("bprm_check_security")),
        ("loadOrder[1]", &|v| v["loadOrder"][1]["name"] = json!("node")),
        ("limits[0].operation", &|v| v["limits"][0]["operation"] = json!(9)),
        ("conflicts[0].policies", &|v| {
            v["conflicts"] = json!([{"operation": 0, "policies": [0, 5], "reason": ""}]);
        }),
    ] {
        assert!(refusal(change).starts_with(place), "{place}");
    }
}

#[test]
fn attach_points_and_ways_fit_each_other() {
    let several = |attach: Value| changed(|v| v["operations"][0]["attach"] = attach);
    let multi =
        json!({"link": "kprobe_multi", "links": 1, "expectedAttachType": 42, "needs": [], "reason": ""});
    let single = json!({"link": "kprobe", "links": 2, "needs": [], "reason": ""});
    let kprobes = |targets: Value, ways: Value| json!({"kind": "kprobe", "targets": targets, "ways": ways});
    assert!(several(kprobes(json!(["a", "b"]), json!([multi, single]))).is_ok());
    let mut too_few = single.clone();
    too_few["links"] = json!(1);
    let mut untyped = multi.clone();
    untyped.as_object_mut().unwrap().remove("expectedAttachType");
    let lsm = json!({"link": "lsm", "links": 1, "needs": [], "reason": ""});
    for attach in [
        kprobes(json!([]), json!([multi])),
        kprobes(json!(["b", "a"]), json!([multi])),
        kprobes(json!(["a", "a"]), json!([multi])),
        kprobes(json!(["a", "b"]), json!([])),
        kprobes(json!(["a", "b"]), json!([multi, too_few])),
        kprobes(json!(["a", "b"]), json!([untyped])),
        kprobes(json!(["a"]), json!([lsm])),
        json!({"kind": "lsm", "targets": ["a", "b"], "ways": [lsm]}),
    ] {
        let refused = several(attach.clone()).expect_err(&attach.to_string());
        assert_eq!(refused.place, "operations[0].attach", "{attach}");
    }
}

#[test]
fn numbers_and_identities_stand_once_and_in_order() {
    let copy = |v: &mut Value, list: &str| {
        let item = v[list][1].clone();
        v[list].as_array_mut().unwrap().insert(1, item);
    };
    for list in ["operations", "programs", "maps", "scopes", "policies"] {
        let twice = changed(|v| match list {
            "operations" => v[list] = json!([v[list][0], v[list][0]]),
            _ => copy(v, list),
        });
        assert!(twice.unwrap_err().place.starts_with(list), "{list}");
    }
    assert!(refusal(|v| v["policies"].as_array_mut().unwrap().swap(0, 1)).starts_with("policies"));
    assert!(refusal(|v| v["policies"][0]["number"] = json!(2)).starts_with("policies"));
    let renumbered = changed(|v| {
        v["policies"][0]["number"] = json!(77);
        v["nextNumbers"]["policy"] = json!(78);
    });
    assert!(renumbered.is_ok(), "numbers follow no order");
}

#[test]
fn a_region_that_programs_would_leave_is_refused() {
    for (field, value) in [
        ("mask", json!(0x7ff0)),
        ("mask", json!(u32::MAX)),
        ("bytes", json!(32768)),
        ("cgroupSlots", json!(1000)),
        ("cgroupSlots", json!(1u32 << 31)),
        ("cgroupsOffset", json!(0)),
        ("sets", json!(0)),
        ("sets", json!(u32::MAX)),
        ("blocksOffset", json!(64)),
        ("blocksOffset", json!(0xffff_fff8u32)),
    ] {
        assert!(refusal(|v| v["node"][field] = value.clone()).starts_with("node"), "{field} {value}");
    }
    assert!(refusal(|v| v["operations"][0]["headsOffset"] = json!(64)).starts_with("node"));
}

#[test]
fn host_terms_are_true_and_requirements_well_formed() {
    assert!(refusal(|v| v["scopes"][1]["any"][0]["host"] = json!(false)).starts_with("scopes[1]"));
    let exists = |v: &mut Value| v["scopes"][0]["any"][0]["pod"][0]["op"] = json!("Exists");
    assert!(refusal(exists).starts_with("scopes[0]"));
    assert!(refusal(|v| v["scopes"][0]["any"][0]["pod"][0]["op"] = json!("Is")).contains("did not match"));
}
