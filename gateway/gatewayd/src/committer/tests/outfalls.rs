//! Devices at an outfall: their data count once it has a dossier, and each version of that is a record.

use journal::{OUTFALLS_MAX, Register};
use record::{Body, Outfall};
use serde_json::{Value, json};

use super::bench::{Bench, WARM, heard, table_at};

const CODE: &str = "FA-231081-0001-SH-00";

fn dossier() -> Value {
    serde_json::from_str(include_str!("../../../../../sync/record/tests/outfall.json")).unwrap()
}

fn request(how: &str, dossiers: &[Value]) -> Value {
    json!({ "do": "register", "how": how, "dossiers": dossiers, "reason": "survey" })
}

#[test]
fn data_count_once_the_outfall_has_a_dossier() {
    let mut bench = Bench::of(table_at(CODE));
    bench.apply([heard(0, WARM)]);
    assert_eq!(bench.kinds(), "boot codec codec outfall rejected");
    assert_eq!((bench.tally(Some("flow-1")).rejected, bench.tally(Some("flow-1")).accepted), (1, 0));
    bench = bench.reopen_with(table_at(CODE));
    assert_eq!(bench.kinds(), "boot codec codec outfall rejected", "devices that stay where they are are told once");
    bench.apply([heard(0, WARM)]);
    assert_eq!(bench.tally(Some("flow-1")).rejected, 1, "the same frame again is no other one");
    let answer = bench.order(&request("add", &[dossier()])).unwrap();
    assert_eq!(answer, json!({"versions": [{"outfall": CODE, "version": 1, "seq": 5}], "unchanged": []}));
    bench.apply([heard(1, WARM)]);
    bench = bench.reopen_with(table_at(CODE));
    bench.apply([heard(2, WARM)]);
    assert_eq!(bench.tally(Some("flow-1")).accepted, 2, "with and without a restart in between");
    let mut register = Register::default();
    register.catch_up(&bench.reader()).unwrap();
    let flow = record::SourceId::new("flow-1").unwrap();
    assert_eq!(register.outfall_of(&flow).unwrap().as_str(), CODE);

    // It moves to another one, and then to none.
    bench = bench.reopen_with(table_at("B-2"));
    let standing = |bench: &Bench| {
        let told = bench.records().into_iter().filter_map(|at| match at.record.body {
            Body::Outfall(Outfall::Devices(standing)) => Some(format!("{} {:?}", standing.outfall, standing.devices)),
            _ => None,
        });
        told.collect::<Vec<_>>()
    };
    let moved = [r#"FA-231081-0001-SH-00 ["flow-1"]"#, r#"B-2 ["flow-1"]"#, "FA-231081-0001-SH-00 []"];
    assert_eq!(standing(&bench), moved);
    bench.apply([heard(3, WARM)]);
    assert_eq!(bench.tally(Some("flow-1")).rejected, 2);
    bench = bench.reopen("boot-c");
    assert_eq!(standing(&bench).last().unwrap(), r#"FA-231081-0001-SH-00 []"#, "the table is as before");
}

#[test]
fn versions_follow_one_another_all_or_none() {
    let mut bench = Bench::new();
    let (first, mut second, mut other) = (dossier(), dossier(), dossier());
    second["state"] = "abolished".into();
    other["code"] = "B-2".into();
    let refused = |bench: &mut Bench, request: &Value, why: &str| {
        let before = bench.records().len();
        let said = bench.order(request).unwrap_err();
        assert!(said.contains(why), "{said}");
        assert_eq!(bench.records().len(), before);
    };
    refused(&mut bench, &request("edit", std::slice::from_ref(&first)), "weir outfall add");
    bench.order(&request("add", std::slice::from_ref(&first))).unwrap();
    refused(&mut bench, &request("add", &[other.clone(), first.clone()]), "has a dossier already, version 1");
    refused(&mut bench, &request("edit", std::slice::from_ref(&first)), "nothing of outfall");
    refused(&mut bench, &request("import", &[other.clone(), other.clone()]), "is there twice");
    let mut late = request("edit", std::slice::from_ref(&second));
    late["version"] = 7.into();
    refused(&mut bench, &late, "has version 1 now, and this was made of version 7");
    late["version"] = 1.into();
    assert_eq!(bench.order(&late).unwrap()["versions"][0]["version"], 2);
    let answer = bench.order(&request("import", &[second.clone(), other.clone()])).unwrap();
    assert_eq!((&answer["unchanged"], &answer["versions"][0]["outfall"]), (&json!([CODE]), &json!("B-2")));
    let versions: Vec<String> = bench
        .records()
        .into_iter()
        .filter_map(|at| match at.record.body {
            Body::Outfall(Outfall::Dossier(of)) => {
                Some(format!("{} {} {:?} {}", of.dossier.code, of.version, of.by, of.dossier.state.as_str()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        versions,
        [
            "FA-231081-0001-SH-00 1 User(1000) remediating",
            "FA-231081-0001-SH-00 2 User(1000) abolished",
            "B-2 1 User(1000) remediating"
        ]
    );
}

#[test]
fn a_box_has_so_many_outfalls() {
    let mut bench = Bench::new();
    let all = |count: usize| {
        let named = |n: usize| {
            let mut one = dossier();
            one["code"] = format!("N-{n}").into();
            one
        };
        (0..count).map(named).collect::<Vec<_>>()
    };
    let said = bench.order(&request("import", &all(OUTFALLS_MAX + 1))).unwrap_err();
    assert!(said.contains("at most 200 outfalls"), "{said}");
    bench.order(&request("import", &all(OUTFALLS_MAX))).unwrap();
    assert!(bench.order(&request("add", &[dossier()])).unwrap_err().contains("200 have a dossier already"));
}

#[test]
fn what_is_not_stored_is_not_registered() {
    let mut bench = Bench::of(table_at(CODE));
    let stuck = bench.stuck_disk();
    assert!(bench.order(&request("add", &[dossier()])).unwrap_err().contains("nothing has changed"));
    drop(stuck);
    bench.apply([heard(0, WARM)]);
    assert_eq!(bench.tally(Some("flow-1")).rejected, 1, "nobody believes a dossier that is not on the disk");
}
