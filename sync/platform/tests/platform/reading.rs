//! What readers get: exact, in pages, with the token.

use expect_test::expect;

use crate::world::{
    CODEC, World, aggregated, batch, box_key, checkpoint, entered, others, readings, redecoded, registered, seal,
    sealed,
};

const BOX: &str = "/v1/boxes/outfall-1";

async fn filled() -> World {
    let world = World::new().await;
    let values = ["40.125", "0.00000000000000001", "-7", "123456789012345678", "40"];
    let rows = (0..).zip(values).map(|(seq, value)| readings(seq, value));
    let mut first = batch(rows.chain(others(5)).collect());
    first.checkpoints = vec![checkpoint(8, &box_key())];
    assert_eq!(world.put(&seal(&first)).await.status, 201);
    world
}

#[tokio::test]
async fn readings_are_exact() {
    let world = filled().await;
    let answer = world.get(&format!("{BOX}/readings?quantity=cod")).await;
    expect![[r#"
        seq,idx,source,quantity,unit,value,quality,at_ms,wall_ms,clock,codec,redecoded_of,replaced_by,text
        0,0,cod-1,cod,mg/L,40.125,good,1700000000500,1700000000000,holdover,,,9,
        1,0,cod-2,cod,mg/L,0.00000000000000001,good,1700000001500,1700000001000,holdover,,,,
        2,0,cod-1,cod,mg/L,-7,good,1700000002500,1700000002000,holdover,,,,
        3,0,cod-2,cod,mg/L,123456789012345678,good,1700000003500,1700000003000,holdover,,,,
        4,0,cod-1,cod,mg/L,40,good,1700000004500,1700000004000,holdover,,,,
        9,0,cod-1,cod,mg/L,41,good,1700000000500,1700000009000,holdover,2c21d414114e2ff0,0,,
    "#]]
    .assert_eq(&String::from_utf8(answer.bytes).unwrap().replace("\r\n", "\n"));
    let answer = world.get(&format!("{BOX}/readings?source=cod-2&from=1700000002000&format=jsonl")).await;
    expect![[r#"
        {"seq":3,"idx":0,"source":"cod-2","quantity":"cod","unit":"mg/L","value":"123456789012345678","quality":"good","at_ms":1700000003500,"wall_ms":1700000003000,"clock":"holdover","codec":null,"redecoded_of":null,"replaced_by":null,"text":null}
        {"seq":3,"idx":1,"source":"cod-2","quantity":"flow","unit":"m3/h","value":null,"quality":"missing","at_ms":null,"wall_ms":1700000003000,"clock":"holdover","codec":null,"redecoded_of":null,"replaced_by":null,"text":null}
    "#]]
    .assert_eq(&String::from_utf8(answer.bytes).unwrap());
}

/// Readings name their codec, and the record that replaced them; what replaced them names the record it is about.
#[tokio::test]
async fn repeated_decodings_are_linked_to_their_record() {
    let world = filled().await;
    world.put(&seal(&batch(vec![redecoded(10, 3, "4.5"), redecoded(11, 3, "5")]))).await;
    let answer = world.get(&format!("{BOX}/readings?source=cod-2&from=1700000002500&to=1700000004000")).await;
    expect![[r#"
        seq,idx,source,quantity,unit,value,quality,at_ms,wall_ms,clock,codec,redecoded_of,replaced_by,text
        3,0,cod-2,cod,mg/L,123456789012345678,good,1700000003500,1700000003000,holdover,,,11,
        3,1,cod-2,flow,m3/h,,missing,,1700000003000,holdover,,,11,
        10,0,cod-2,cod,mg/L,4.5,good,1700000003500,1700000010000,holdover,2c21d414114e2ff0,3,11,
        10,1,cod-2,flow,m3/h,,missing,,1700000010000,holdover,2c21d414114e2ff0,3,11,"No ""Sensor"""
        11,0,cod-2,cod,mg/L,5,good,1700000003500,1700000011000,holdover,2c21d414114e2ff0,3,,
        11,1,cod-2,flow,m3/h,,missing,,1700000011000,holdover,2c21d414114e2ff0,3,,"No ""Sensor"""
    "#]]
    .assert_eq(&String::from_utf8(answer.bytes).unwrap().replace("\r\n", "\n"));
    let answer = world.get(&format!("{BOX}/readings?source=cod-2&current=true&format=jsonl&limit=3")).await;
    expect![[r#"
        {"seq":1,"idx":0,"source":"cod-2","quantity":"cod","unit":"mg/L","value":"0.00000000000000001","quality":"good","at_ms":1700000001500,"wall_ms":1700000001000,"clock":"holdover","codec":null,"redecoded_of":null,"replaced_by":null,"text":null}
        {"seq":1,"idx":1,"source":"cod-2","quantity":"flow","unit":"m3/h","value":null,"quality":"missing","at_ms":null,"wall_ms":1700000001000,"clock":"holdover","codec":null,"redecoded_of":null,"replaced_by":null,"text":null}
        {"seq":11,"idx":0,"source":"cod-2","quantity":"cod","unit":"mg/L","value":"5","quality":"good","at_ms":1700000003500,"wall_ms":1700000011000,"clock":"holdover","codec":"2c21d414114e2ff0","redecoded_of":3,"replaced_by":null,"text":null}
        {"seq":11,"idx":1,"source":"cod-2","quantity":"flow","unit":"m3/h","value":null,"quality":"missing","at_ms":null,"wall_ms":1700000011000,"clock":"holdover","codec":"2c21d414114e2ff0","redecoded_of":3,"replaced_by":null,"text":"No \"Sensor\""}
    "#]].assert_eq(&String::from_utf8(answer.bytes).unwrap());
    assert_eq!(answer.link, None);
    let answer = world.get(&format!("{BOX}/readings?source=cod-2&current=true&limit=2")).await;
    assert_eq!(
        answer.link.as_deref(),
        Some("<?after_seq=1&limit=2&source=cod-2&current=true&format=csv>; rel=\"next\"")
    );
    assert_eq!(world.get(&format!("{BOX}/readings?current=yes")).await.refusal(), (400, "bad_query".to_owned()));
}

#[tokio::test]
async fn the_text_of_a_codec_can_be_had() {
    let world = filled().await;
    let codecs = world.get(&format!("{BOX}/codecs")).await.json();
    expect![[r#"{"items":[{"bytes":13,"codec":"2c21d414114e2ff0","seq":8,"wall_ms":1700000008000}],"next":null}"#]]
        .assert_eq(&codecs.to_string());
    assert_eq!(world.get(&format!("{BOX}/codecs/8")).await.bytes, CODEC.as_bytes());
    for nothing in ["7", "9", "x", "18446744073709551615"] {
        let answer = world.get(&format!("{BOX}/codecs/{nothing}")).await;
        assert_eq!(answer.refusal(), (404, "not_found".to_owned()), "{nothing}");
    }
}

#[tokio::test]
async fn pages_follow_one_another_without_gap_or_repeat() {
    let world = filled().await;
    let whole = world.get(&format!("{BOX}/readings?format=jsonl")).await;
    assert_eq!(whole.link, None);
    // Three is odd and records have two readings: a page passes its limit rather than tear a record apart.
    let (mut query, mut pages) = ("?format=jsonl&limit=3&to=1800000000000".to_owned(), Vec::new());
    loop {
        let answer = world.get(&format!("{BOX}/readings{query}")).await;
        pages.push(answer.bytes);
        let Some(link) = answer.link else { break };
        query = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned();
    }
    assert_eq!(pages.len(), 3);
    assert_eq!(pages.concat(), whole.bytes);
    let first = world.get(&format!("{BOX}/batches?limit=1")).await.json();
    assert_eq!((first["items"].as_array().unwrap().len(), &first["next"]), (1, &serde_json::Value::Null));
    world.put(&sealed(10..11)).await;
    let first = world.get(&format!("{BOX}/batches?limit=1")).await;
    assert_eq!(first.link.as_deref(), Some("<?after=1&limit=1>; rel=\"next\""));
    let second = world.get(&format!("{BOX}/batches?after=1&limit=1")).await.json();
    assert_eq!(second["items"][0]["first_seq"], 10);
}

#[tokio::test]
async fn alarms_coverage_and_counts() {
    let world = filled().await;
    let alarms = world.get(&format!("{BOX}/alarms")).await.json();
    expect![[r#"{"items":[{"seq":7,"source":"cod-1","rule":"cod-high","quantity":"cod","from":"normal","to":"unacknowledged","side":"high","limit":"80","value":"83.1","cause":1,"wall_ms":1700000007000,"clock":"holdover","measure":null,"unit":null,"span_s":null,"tier":null,"suppression":null}],"next":null}"#]]
        .assert_eq(&String::from_utf8(world.get(&format!("{BOX}/alarms")).await.bytes).unwrap());
    assert_eq!(alarms["items"][0]["limit"], "80");
    expect![[r#"{"box":"outfall-1","holds":[{"first":0,"last":9}],"records":10,"withheld":0}"#]]
        .assert_eq(&world.get(&format!("{BOX}/coverage")).await.json().to_string());
    let status = world.get("/v1/status").await.json();
    expect![[r#"[{"box":"outfall-1","kind":"boot","readings":0,"records":1,"source":""},{"box":"outfall-1","kind":"codec","readings":0,"records":1,"source":""},{"box":"outfall-1","kind":"rejected","readings":0,"records":1,"source":""},{"box":"outfall-1","kind":"alarm","readings":0,"records":1,"source":"cod-1"},{"box":"outfall-1","kind":"readings","readings":6,"records":3,"source":"cod-1"},{"box":"outfall-1","kind":"redecoded","readings":2,"records":1,"source":"cod-1"},{"box":"outfall-1","kind":"readings","readings":4,"records":2,"source":"cod-2"}]"#]]
        .assert_eq(&status["sources"].to_string());
    assert_eq!(status["refused"], serde_json::json!({}));
}

#[tokio::test]
async fn the_evidence_comes_back_byte_for_byte() {
    let world = World::new().await;
    let sealed = sealed(0..3);
    let receipt = world.put(&sealed).await;
    assert_eq!(world.get(&format!("{BOX}/batches/{}", sealed.id)).await.bytes, sealed.bytes);
    assert_eq!(world.get(&format!("{BOX}/batches/{}/receipt", sealed.id)).await.bytes, receipt.bytes);
    let nothing = "0".repeat(64);
    assert_eq!(world.get(&format!("{BOX}/batches/{nothing}")).await.refusal(), (404, "not_found".to_owned()));
    let elsewhere = format!("/v1/boxes/other/batches/{}", sealed.id);
    assert_eq!(world.get(&elsewhere).await.refusal(), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn reading_needs_the_token_and_delivering_does_not() {
    let token = "0123456789abcdef";
    let world = World::with(&format!("read_token = \"{token}\"")).await;
    let sealed = sealed(0..1);
    assert_eq!(world.put(&sealed).await.status, 201);
    let batch = format!("{BOX}/batches/{}", sealed.id);
    for path in ["/v1/status", "/v1/boxes", &format!("{BOX}/readings"), &batch, &format!("{batch}/receipt")] {
        assert_eq!(world.get(path).await.refusal(), (401, "unauthorized".to_owned()), "{path}");
        assert_eq!(world.get_with_token(path, "0123456789abcdeF").await.status, 401, "{path}");
        assert_eq!(world.get_with_token(path, token).await.status, 200, "{path}");
    }
    for path in ["/healthz", "/v1/key", "/openapi.json"] {
        assert_eq!(world.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_wrong_question_is_told_what_is_wrong() {
    let world = World::new().await;
    for (query, named) in [
        ("limit=0", "limit"),
        ("limit=10001", "limit"),
        ("from=noon", "from"),
        ("quantity=COD", "quantity"),
        ("colour=red", "colour"),
        ("format=xml", "format"),
        ("source=a%2Fb", "source"),
    ] {
        let answer = world.get(&format!("{BOX}/readings?{query}")).await;
        assert_eq!(answer.refusal(), (400, "bad_query".to_owned()), "{query}");
        assert!(answer.json()["message"].as_str().unwrap().contains(named), "{answer:?}");
    }
}

#[tokio::test]
async fn every_described_method_is_served_and_no_other() {
    let world = World::new().await;
    let description = world.get("/openapi.json").await.json();
    for (path, item) in description["paths"].as_object().unwrap() {
        let concrete = path.replace("{box}", "outfall-1").replace("{id}", &"0".repeat(64)).replace("{seq}", "0");
        for method in ["GET", "PUT", "POST", "DELETE"] {
            let url = world.url(&concrete);
            let response = world.client.request(method.parse().unwrap(), url).send().await.unwrap();
            let served = response.status() != 405;
            assert_eq!(served, item.get(method.to_lowercase()).is_some(), "{method} {path}");
            // What it answers is described, too.
            if served {
                let status = response.status().as_str().to_owned();
                assert!(item[method.to_lowercase()]["responses"].get(&status).is_some(), "{method} {path}: {status}");
            }
        }
    }
    assert_eq!(world.get("/v2").await.refusal(), (404, "no_route".to_owned()));
}

/// A dossier comes back whole, in the form in which a box exports it.
#[tokio::test]
async fn dossiers_are_read_with_who_made_them() {
    let world = World::new().await;
    assert_eq!(world.put(&sealed(0..3)).await.status, 201);
    assert_eq!(world.put(&seal(&batch(registered(3)))).await.status, 201);
    assert_eq!(world.put(&seal(&batch(registered(3)))).await.status, 200, "D2: again");
    let page = world.get(&format!("{BOX}/dossiers")).await.json();
    let line = &page["items"][0];
    let sample: serde_json::Value = serde_json::from_str(include_str!("../../../record/tests/outfall.json")).unwrap();
    assert_eq!(line["dossier"]["name"], sample["name"]);
    assert_eq!(line["dossier"]["limit_sets"], sample["limit_sets"]);
    expect![[r#"3 FA-231081-0001-SH-00 2 "user 1000" "登记" 3 1700000000000 null 1"#]].assert_eq(&format!(
        "{} {} {} {} {} {} {} {} {}",
        line["seq"],
        line["outfall"].as_str().unwrap(),
        line["version"],
        line["actor"],
        line["reason"],
        line["told_seq"],
        line["told_ms"],
        page["next"],
        page["items"].as_array().unwrap().len()
    ));
    assert_eq!(world.get(&format!("{BOX}/dossiers?limit=0")).await.status, 400);
}

/// Aggregates come whole and exact, in pages, chosen by device, quantity, period and window.
#[tokio::test]
async fn aggregates_are_read() {
    let world = World::new().await;
    assert_eq!(world.put(&sealed(0..3)).await.status, 201);
    assert_eq!(world.put(&seal(&batch(vec![aggregated(3), aggregated(4)]))).await.status, 201);
    let first = world.get(&format!("{BOX}/aggregates?limit=1&period=1m&source=flow-1")).await;
    assert_eq!(first.link.as_deref(), Some("<?after_seq=3&limit=1&source=flow-1&period=1m>; rel=\"next\""));
    expect![[r#"{"items":[{"clock":"holdover","from_ms":1700000220000,"outfall":"FA-1","period_s":60,"seq":3,"source":"flow-1","to_ms":1700000280000,"values":[{"doubtful":1,"good":0,"max":null,"mean":null,"min":null,"parts":0,"parts_all":1,"quantity":"cod","unit":"mg/L","volume_m3":null},{"doubtful":1,"good":2,"max":"1.75","mean":"1.625","min":"1.5","parts":1,"parts_all":1,"quantity":"flow","unit":"L/s","volume_m3":"0.0975"}],"wall_ms":1700000003000}],"next":3}"#]]
        .assert_eq(&first.json().to_string());
    let rest = world.get(&format!("{BOX}/aggregates?after_seq=3&limit=1&quantity=flow")).await;
    let page = rest.json();
    assert_eq!((page["items"].as_array().unwrap().len(), &page["next"]), (1, &serde_json::Value::Null));
    assert_eq!(page["items"][0]["values"].as_array().unwrap().len(), 1);
    let begins = page["items"][0]["from_ms"].as_i64().unwrap();
    let count = async |query: &str| {
        world.get(&format!("{BOX}/aggregates?{query}")).await.json()["items"].as_array().unwrap().len()
    };
    assert_eq!(count(&format!("from={begins}")).await, 1);
    assert_eq!(count(&format!("to={begins}")).await, 1);
    assert_eq!([count("period=1h").await, count("source=cod-1").await, count("quantity=ph").await], [0, 0, 0]);
    for wrong in ["period=7m", "limit=0", "from=noon", "colour=red"] {
        let answer = world.get(&format!("{BOX}/aggregates?{wrong}")).await;
        assert_eq!(answer.refusal(), (400, "bad_query".to_owned()), "{wrong}");
    }
}

/// What people entered comes whole, exact and apart from readings, and says that people entered it.
#[tokio::test]
async fn what_people_entered_is_read() {
    let world = World::new().await;
    assert_eq!(world.put(&sealed(0..3)).await.status, 201);
    let before = world.get(&format!("{BOX}/readings")).await.bytes;
    assert_eq!(world.put(&seal(&batch(entered(3)))).await.status, 201);
    let page = world.get(&format!("{BOX}/manual?limit=1")).await;
    expect![[r#"{"items":[{"actor":"user 1000","at_ms":1699999000000,"clock":"holdover","files":[{"name":"报告.pdf","sha256":"0707070707070707070707070707070707070707070707070707070707070707"}],"laboratory":"监测站","note":null,"number":"S-1","outfall":"FA-1","person":"王工","reason":null,"replaced_by":4,"replaces":null,"seq":3,"source":"manual","values":[{"detection":"found","method":null,"quantity":"cod","unit":"mg/L","value":"35.2"},{"detection":"below_limit","method":null,"quantity":"nh3_n","unit":"mg/L","value":"0.025"}],"wall_ms":1700000003000}],"next":3}"#]].assert_eq(&page.json().to_string());
    let rest = world.get(&format!("{BOX}/manual?after=3")).await.json();
    let second = &rest["items"][0];
    assert_eq!((&second["seq"], &second["replaces"], &second["reason"]), (&4.into(), &3.into(), &"抄错".into()));
    assert_eq!((&second["values"][0]["value"], &rest["next"]), (&"53.2".into(), &serde_json::Value::Null));
    let patrols = world.get(&format!("{BOX}/patrols")).await.json();
    expect![[r#"{"items":[{"actor":"user 1000","at_ms":1699999000000,"clock":"holdover","files":[{"name":"报告.pdf","sha256":"0707070707070707070707070707070707070707070707070707070707070707"}],"finding":"no water","outfall":"FA-1","person":"王工","reason":null,"replaced_by":null,"replaces":null,"seq":5,"source":"manual","state":"dry","wall_ms":1700000005000}],"next":null}"#]].assert_eq(&patrols.to_string());
    assert_eq!(world.get(&format!("{BOX}/readings")).await.bytes, before, "never among readings");
    assert_eq!(world.get(&format!("{BOX}/aggregates")).await.json()["items"], serde_json::json!([]));
    assert_eq!(world.get(&format!("{BOX}/manual?limit=0")).await.refusal(), (400, "bad_query".to_owned()));
    let tallies = world.get("/v1/status").await.json()["sources"].clone();
    assert!(tallies.as_array().unwrap().iter().any(|one| one["kind"] == "manual" && one["records"] == 3), "{tallies}");
}
