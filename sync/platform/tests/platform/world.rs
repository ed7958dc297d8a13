//! A platform on a free port, a client that trusts its certificate, and a box that seals batches.

use std::collections::BTreeMap;
use std::path::Path;

use batch::{
    Batch, BatchId, BoxId, Checkpoint, Content, Filtered, KeyChange, Lane, PublicKey, Receipt, Row, Sealed, SigningKey,
    TreeHead, Whose,
};
use platform::{Config, Platform, Running};
use record::dossier::{Few, Words};
use record::merkle::Hash;
use record::{
    Act, Actor, Aggregate, AggregateValue, AlarmState, AlarmTransition, AttachedFile, Audit, Boot, BootNo,
    ClockQuality, ClockSet, ClockSource, CodecId, CodecText, ConfigFile, Configuring, Decimal, Detection, Dossier,
    DossierVersion, Entry, Gap, GapReason, LimitSide, Manual, ManualSample, ManualValue, MonoMs, Outfall, OutfallCode,
    Patrol, PatrolState, Quality, Quantity, Reading, Reason, Redecoded, Replaced, RuleId, Seq, SeqRange, SourceId,
    Stamp, Standing, Statistics, TextValue, Told, Unit, UnixMs,
};
use reqwest::{Client, Response, StatusCode};
use rusqlite::Connection;
use rusqlite::types::Value;

pub(crate) const BOX: &str = "outfall-1";

pub(crate) fn box_key() -> SigningKey {
    SigningKey::from_seed(&[1; 32])
}

pub(crate) struct World {
    pub(crate) running: Running,
    pub(crate) client: Client,
    pub(crate) folder: tempfile::TempDir,
}

/// What a request was answered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) bytes: Vec<u8>,
    pub(crate) retry_after: Option<String>,
    pub(crate) link: Option<String>,
}

impl Answer {
    async fn of(response: Response) -> Answer {
        let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (retry_after, link) = (header("retry-after"), header("link"));
        Answer { status: response.status(), retry_after, link, bytes: response.bytes().await.unwrap().to_vec() }
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// Status and code of a refusal, which must have a message and a next step.
    pub(crate) fn refusal(&self) -> (u16, String) {
        let json = self.json();
        assert!(json["message"].as_str().is_some_and(|text| !text.is_empty()), "{json}");
        assert!(json["next"].as_str().is_some_and(|text| !text.is_empty()), "{json}");
        (self.status.as_u16(), json["code"].as_str().unwrap().to_owned())
    }
}

pub(crate) fn config(folder: &Path, more: &str) -> Config {
    let key = box_key().public();
    let text = format!(
        "name = \"city\"\nlisten = \"127.0.0.1:0\"\nstate_dir = \"state\"\n{more}\n\
         [[box]]\nid = \"{BOX}\"\nkey = \"{key}\"\n"
    );
    Config::parse(&text, &folder.join("platform.toml")).unwrap()
}

impl World {
    pub(crate) async fn new() -> World {
        World::with("").await
    }

    /// With further lines of `platform.toml`.
    pub(crate) async fn with(more: &str) -> World {
        let folder = tempfile::tempdir().unwrap();
        let running = Platform::start(config(folder.path(), more)).await.unwrap();
        let client = client(&running);
        World { running, client, folder }
    }

    /// Stops it and starts it again in the same folder, on another port.
    pub(crate) async fn restart(self) -> World {
        self.running.stop().await.unwrap();
        let running = Platform::start(config(self.folder.path(), "")).await.unwrap();
        let client = client(&running);
        World { running, client, folder: self.folder }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.running.local_addr())
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.client.get(self.url(path)).send().await.unwrap()).await
    }

    pub(crate) async fn get_with_token(&self, path: &str, token: &str) -> Answer {
        Answer::of(self.client.get(self.url(path)).bearer_auth(token).send().await.unwrap()).await
    }

    pub(crate) async fn put_at(&self, path: &str, body: Vec<u8>) -> Answer {
        let response = self.client.put(self.url(path)).body(body).send().await.unwrap();
        if response.status().is_success() {
            let told = response.headers()["server-timing"].to_str().unwrap();
            let ms = told.strip_prefix("store;dur=").and_then(|ms| ms.parse::<u64>().ok());
            assert!(ms.is_some_and(|ms| ms < 60_000), "how long it took itself: {told}");
        }
        Answer::of(response).await
    }

    pub(crate) async fn post(&self, path: &str, body: Vec<u8>) -> Answer {
        Answer::of(self.client.post(self.url(path)).body(body).send().await.unwrap()).await
    }

    pub(crate) async fn put_bytes(&self, id: &BatchId, body: Vec<u8>) -> Answer {
        self.put_at(&format!("/v1/boxes/{BOX}/batches/{id}"), body).await
    }

    pub(crate) async fn put(&self, sealed: &Sealed) -> Answer {
        self.put_bytes(&sealed.id, sealed.bytes.clone()).await
    }

    pub(crate) fn receipt(&self, answer: &Answer) -> Receipt {
        Receipt::verify(&answer.bytes, &self.running.public_key()).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
    }

    pub(crate) fn database(&self) -> std::path::PathBuf {
        self.running.state_dir().database()
    }

    pub(crate) fn dump(&self) -> BTreeMap<String, Vec<Vec<Value>>> {
        dump(&self.database())
    }
}

fn client(running: &Running) -> Client {
    // Which provider does not matter here, and another test may have been first.
    drop(rustls::crypto::ring::default_provider().install_default());
    let pem = std::fs::read(running.state_dir().tls_cert()).unwrap();
    let certificate = reqwest::Certificate::from_pem(&pem).unwrap();
    Client::builder().tls_certs_only([certificate]).no_proxy().build().unwrap()
}

/// Every line of every table.
pub(crate) fn dump(database: &Path) -> BTreeMap<String, Vec<Vec<Value>>> {
    let db = Connection::open_with_flags(database, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut names = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
    let names: Vec<String> = names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let table = |name: String| {
        let mut select = db.prepare(&format!("SELECT * FROM {name}")).unwrap();
        let width = select.column_count();
        let lines = select.query_map([], |row| (0..width).map(|at| row.get(at)).collect()).unwrap();
        (name, lines.map(Result::unwrap).collect())
    };
    names.into_iter().map(table).collect()
}

/// Lines of one table.
pub(crate) fn count(world: &World, table: &str) -> usize {
    world.dump()[table].len()
}

pub(crate) fn stamp(seq: u64) -> Stamp {
    Stamp {
        boot: BootNo(0),
        mono_ms: MonoMs(seq * 1000),
        wall_ms: UnixMs(1_700_000_000_000 + i64::try_from(seq).unwrap() * 1000),
        clock: ClockQuality::Holdover { error_ms: 40 },
    }
}

/// A record with two readings: `value`, and one that has none.
pub(crate) fn readings(seq: u64, value: &str) -> Row {
    let reading = |quantity: &str, unit: &str, value: Option<&str>| Reading {
        quantity: Quantity::new(quantity).unwrap(),
        unit: Unit::new(unit).unwrap(),
        value: value.map(|value| Decimal::parse(value).unwrap()),
        quality: if value.is_some() { Quality::Good } else { Quality::Missing },
        at_ms: value.map(|_| UnixMs(1_700_000_000_500 + i64::try_from(seq).unwrap() * 1000)),
    };
    let source = SourceId::new(if seq.is_multiple_of(2) { "cod-1" } else { "cod-2" }).unwrap();
    let readings = vec![reading("cod", "mg/L", Some(value)), reading("flow", "m3/h", None)];
    Row {
        seq: Seq(seq),
        stamp: stamp(seq),
        content: Content::Readings { source, codec: None, readings, texts: Vec::new() },
    }
}

/// The text of a codec.
pub(crate) const CODEC: &str = "{\"kind\":\"js\"}";

/// A record that decodes record `of` anew: `cod` has this value, `flow` these words instead of one.
pub(crate) fn redecoded(seq: u64, of: u64, value: &str) -> Row {
    let Content::Readings { source, readings, .. } = readings(of, value).content else { unreachable!("readings") };
    let texts = vec![TextValue::new(Quantity::new("flow").unwrap(), "No \"Sensor\"")];
    let content = Redecoded { source, of: Seq(of), codec: CodecId::of(CODEC), readings, texts };
    Row { seq: Seq(seq), stamp: stamp(seq), content: Content::Redecoded(content) }
}

/// One record of each other kind, from this number on.
pub(crate) fn others(seq: u64) -> Vec<Row> {
    let boot = Boot { boot_id: "b0".to_owned(), version: "0.1.0".to_owned() };
    let rejected = Content::Rejected {
        source: None,
        why: Reason::BadMic,
        detail: "the MIC does not verify".to_owned(),
        raw_len: 23,
        raw_sha256: [9; 32],
    };
    let alarm = AlarmTransition {
        rule: RuleId::new("cod-high").unwrap(),
        source: SourceId::new("cod-1").unwrap(),
        quantity: Quantity::new("cod").unwrap(),
        from: AlarmState::Normal,
        to: AlarmState::Unacknowledged,
        limit: Decimal::parse("80").unwrap(),
        side: LimitSide::High,
        value: Decimal::parse("83.10").ok(),
        cause: Seq(1),
        grounds: None,
        suppression: None,
    };
    let codec = CodecText { id: CodecId::of(CODEC), text: CODEC.to_owned() };
    let contents = [Content::Boot(boot), rejected, Content::Alarm(alarm), Content::Codec(codec)];
    let rows = (seq..).zip(contents).map(|(seq, content)| Row { seq: Seq(seq), stamp: stamp(seq), content });
    rows.chain([redecoded(seq + 4, 0, "41")]).collect()
}

/// What a box tells of itself: its clock was set, records are gone, a technician gave one up. From this number on.
pub(crate) fn told(seq: u64) -> Vec<Row> {
    let ranges = SeqRange::new(Seq(1), Seq(2)).into_iter().collect();
    let gap = Gap { why: GapReason::Thinned, ranges, frames: 2, rejected: 0, other: 0, bytes: 180 };
    let before = ClockQuality::Holdover { error_ms: 250 };
    let set = ClockSet { source: ClockSource::Ntp, before, step_ms: -3_600_000, error_ms: 12 };
    let act = Act::Dropped { platform: "municipal".into(), records: SeqRange { first: Seq(4), last: Seq(4) } };
    let audit = Audit { by: Actor::User(1_000), act, reason: "refused for good".into() };
    let next = SigningKey::from_seed(&[77; 32]);
    let change = KeyChange {
        whose: Whose::Box(BoxId::new(BOX).unwrap()),
        old: box_key().public(),
        new: next.public(),
        number: 1,
        at_ms: UnixMs(0),
        clock: None,
        reason: String::new(),
    };
    let act = Act::KeyChanged { statement: change.sign(&box_key(), &next) };
    let changed = Audit { by: Actor::User(0), act, reason: "yearly".into() };
    let act = Act::Configured { file: ConfigFile::Devices, sha256: [8; 32], how: Configuring::RolledBack };
    let configured = Audit { by: Actor::User(0), act, reason: "a typing error".into() };
    let audits = [audit, changed, configured].map(Content::Audit);
    let contents = [Content::Clock(set), Content::Gap(gap)].into_iter().chain(audits);
    (seq..).zip(contents).map(|(seq, content)| Row { seq: Seq(seq), stamp: stamp(seq), content }).collect()
}

/// What a box tells of an outfall: a second version of its dossier, and which devices stand there.
pub(crate) fn registered(seq: u64) -> Vec<Row> {
    let dossier: Dossier = serde_json::from_str(include_str!("../../../record/tests/outfall.json")).unwrap();
    let outfall = dossier.code.clone();
    let told = Some(Told { seq: Seq(3), wall_ms: UnixMs(1_700_000_000_000) });
    let version = DossierVersion { version: 2, by: Actor::User(1_000), reason: "登记".into(), dossier, told };
    let devices = ["cod-1", "flow-1"].map(|name| SourceId::new(name).unwrap()).to_vec();
    let outfalls = [Outfall::Dossier(Box::new(version)), Outfall::Devices(Standing { outfall, devices, told })];
    let row = |(seq, outfall)| Row { seq: Seq(seq), stamp: stamp(seq), content: Content::Outfall(outfall) };
    (seq..).zip(outfalls).map(row).collect()
}

/// What a minute's readings of a device came to: a flow with its volume, and a concentration of which nothing was good.
pub(crate) fn aggregated(seq: u64) -> Row {
    let value = |quantity: &str, unit: &str, statistics: Option<Statistics>| {
        let (good, parts) = if statistics.is_some() { (2, 1) } else { (0, 0) };
        let (quantity, unit) = (Quantity::new(quantity).unwrap(), Unit::new(unit).unwrap());
        AggregateValue { quantity, unit, good, doubtful: 1, parts, statistics }
    };
    let decimal = |text: &str| Decimal::parse(text).unwrap();
    let (min, mean, max) = (decimal("1.5"), decimal("1.625"), decimal("1.75"));
    let statistics = Statistics { min, mean, max, volume_m3: Some(decimal("0.0975")) };
    let values = vec![value("cod", "mg/L", None), value("flow", "L/s", Some(statistics))];
    let (source, outfall) = (SourceId::new("flow-1").unwrap(), OutfallCode::new("FA-1").unwrap());
    let from_ms = UnixMs(1_700_000_040_000 + 60_000 * i64::try_from(seq).unwrap());
    let period = "1m".parse().unwrap();
    let content = Content::Aggregate(Aggregate { source, outfall: Some(outfall), from_ms, period, values });
    Row { seq: Seq(seq), stamp: stamp(seq), content }
}

/// What people entered of an outfall: a sample, a correction of it, and a patrol.
pub(crate) fn entered(seq: u64) -> Vec<Row> {
    let entry = |replaces: Option<u64>| Entry {
        outfall: OutfallCode::new("FA-1").unwrap(),
        at_ms: UnixMs(1_699_999_000_000),
        person: Words::new("王工").unwrap(),
        by: Actor::User(1_000),
        files: Few::new(vec![AttachedFile { name: Words::new("报告.pdf").unwrap(), sha256: [7; 32] }]).unwrap(),
        replaces: replaces.map(|seq| Replaced { seq: Seq(seq), reason: Words::new("抄错").unwrap() }),
    };
    let value = |quantity: &str, value: &str, detection| ManualValue {
        quantity: Quantity::new(quantity).unwrap(),
        unit: Unit::new("mg/L").unwrap(),
        value: Decimal::parse(value).unwrap(),
        detection,
        method: None,
    };
    let sample = |cod: &str, replaces| {
        Manual::Sample(Box::new(ManualSample {
            entry: entry(replaces),
            values: vec![value("cod", cod, Detection::Found), value("nh3_n", "0.025", Detection::BelowLimit)],
            laboratory: Some(Words::new("监测站").unwrap()),
            number: Some(Words::new("S-1").unwrap()),
            note: None,
        }))
    };
    let patrol = Patrol { entry: entry(None), finding: Words::new("no water").unwrap(), state: Some(PatrolState::Dry) };
    let all = [sample("35.2", None), sample("53.20", Some(seq)), Manual::Patrol(Box::new(patrol))];
    let row = |(seq, manual)| Row { seq: Seq(seq), stamp: stamp(seq), content: Content::Manual(manual) };
    (seq..).zip(all).map(row).collect()
}

pub(crate) fn head(size: u64) -> TreeHead {
    TreeHead { size, root: Hash([u8::try_from(size % 251).unwrap(); 32]) }
}

pub(crate) fn batch(rows: Vec<Row>) -> Batch {
    let ranges = rows.iter().map(|row| SeqRange { first: row.seq, last: row.seq }).collect();
    let head = head(rows.last().unwrap().seq.0 + 1);
    let box_id = BoxId::new(BOX).unwrap();
    Batch {
        box_id,
        lane: Lane::Live,
        ranges,
        head,
        checkpoints: Vec::new(),
        filtered: Filtered::default(),
        proofs: Vec::new(),
        rows,
    }
}

pub(crate) fn seal(batch: &Batch) -> Sealed {
    batch.seal(&box_key()).unwrap()
}

/// Sealed readings with these numbers.
pub(crate) fn sealed(seqs: std::ops::Range<u64>) -> Sealed {
    seal(&batch(seqs.map(|seq| readings(seq, "40.125")).collect()))
}

pub(crate) fn checkpoint(size: u64, key: &SigningKey) -> Vec<u8> {
    Checkpoint { box_id: BoxId::new(BOX).unwrap(), head: head(size), stamp: stamp(size) }.sign(key)
}

pub(crate) fn public_key(path: &Path) -> PublicKey {
    std::fs::read_to_string(path).unwrap().trim().parse().unwrap()
}
