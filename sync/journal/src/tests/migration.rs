//! A file of an older program opens as if this one had made it.

use record::{Body, CodecId, CodecText, Record, Seq};
use rusqlite::Connection;

use super::{Bed, all, append, record};
use crate::{Journal, Reader, StoreError, Transaction};

/// Every table and index as SQLite keeps it.
fn tables(connection: &Connection) -> Vec<(String, String)> {
    let mut statement =
        connection.prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// A journal of schema 1 with two records, made by its own text.
fn old_journal(bed: &Bed) {
    let mut journal = bed.journal();
    append(&mut journal, 2);
    let frontier = journal.frontier().clone();
    drop(journal);
    std::fs::remove_dir_all(bed.path().parent().unwrap()).unwrap();
    std::fs::create_dir(bed.path().parent().unwrap()).unwrap();
    let old = Connection::open(bed.path()).unwrap();
    old.execute_batch(include_str!("journal_1.sql")).unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    for number in 0i64..2 {
        let body = record(number.cast_unsigned(), 40).to_canonical();
        old.execute("INSERT INTO record VALUES (?1, 1, ?2)", rusqlite::params![number, body]).unwrap();
    }
    old.execute("UPDATE tree SET size = 2, roots = ?1", [frontier.to_bytes()]).unwrap();
    old.execute("INSERT INTO meta VALUES ('box', 'box-1')", []).unwrap();
}

#[test]
fn a_journal_of_schema_1_is_brought_up_to_date() {
    let (bed, new) = (Bed::new(), Bed::new());
    old_journal(&bed);
    let too_early = Reader::open(&bed.path());
    assert!(matches!(too_early, Err(StoreError::OldSchema { found: 1, expected: 5, .. })), "{too_early:?}");
    let mut journal = bed.journal();
    assert_eq!(journal.end(), Seq(2));
    append(&mut journal, 1);
    drop(journal);
    drop(bed.journal());
    let read = Reader::open(&bed.path()).unwrap().read(all(), usize::MAX).unwrap();
    assert_eq!(read.iter().map(|at| at.seq.0).collect::<Vec<_>>(), [0, 1, 2]);
    drop(new.journal());
    let of = |bed: &Bed| tables(&Connection::open(bed.path()).unwrap());
    assert_eq!(of(&bed), of(&new), "the migration makes what the schema's text makes");
}

#[test]
fn a_migration_that_fails_leaves_the_old_file() {
    let bed = Bed::new();
    old_journal(&bed);
    Connection::open(bed.path()).unwrap().execute_batch("CREATE TABLE state (x)").unwrap();
    let before = tables(&Connection::open(bed.path()).unwrap());
    assert!(matches!(Journal::open(&bed.path(), "box-1"), Err(StoreError::Open { .. })));
    let after = Connection::open(bed.path()).unwrap();
    assert_eq!(tables(&after), before);
    let number: i64 = after.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(number, 1);
}

#[test]
fn a_newer_file_is_refused() {
    let bed = Bed::new();
    drop(bed.journal());
    Connection::open(bed.path()).unwrap().pragma_update(None, "user_version", 6).unwrap();
    assert!(matches!(Journal::open(&bed.path(), "box-1"), Err(StoreError::Schema { found: 6, expected: 5, .. })));
    assert!(matches!(Reader::open(&bed.path()), Err(StoreError::Schema { found: 6, expected: 5, .. })));
}

#[test]
fn journaled_codecs_are_found_by_name() {
    let bed = Bed::new();
    let mut journal = bed.journal();
    append(&mut journal, 3);
    let stamp = record(0, 0).stamp;
    let codec = |text: &str| {
        let codec = CodecText { id: CodecId::of(text), text: text.to_owned() };
        Record { stamp, body: Body::Codec(codec) }
    };
    let records = vec![codec("one"), record(4, 1), codec("two"), codec("one")];
    journal.commit(&Transaction { records, ..Transaction::default() }).unwrap();
    let expected = [(CodecId::of("one"), Seq(3)), (CodecId::of("two"), Seq(5))].into();
    assert_eq!(journal.codecs().unwrap(), expected);
    assert_eq!(Reader::open(&bed.path()).unwrap().codecs().unwrap(), expected);
}
