//! Who was told of which alarm. What a row says, who writes it knows.

use record::Seq;
use rusqlite::{OptionalExtension, params};

use super::Outbox;
use crate::database::{StoreError, from_sql, to_sql};

/// Most alarms in the table: those that may stand at once, and those that are over and still shown.
pub const NOTIFICATIONS_MAX: usize = 1_200;
/// Most bytes of a row: 16 channels with long names take a third of it.
pub const NOTIFICATION_BYTES_MAX: usize = 16 * 1024;

/// What was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notified {
    /// Alarm records before this one are known.
    pub next: Seq,
    /// The boot in which that was stored last.
    pub boot: String,
    /// By alarm.
    pub rows: Vec<(String, Vec<u8>)>,
}

impl Outbox {
    /// Who was told; none if nobody was ever to be.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn notified(&self) -> Result<Option<Notified>, StoreError> {
        let sql = "SELECT next, boot FROM notified";
        let found = self.connection.query_row(sql, [], |row| Ok((Seq(from_sql(row.get(0)?)), row.get(1)?))).optional();
        let Some((next, boot)) = found.map_err(self.read_failed("how far alarms were told"))? else { return Ok(None) };
        let sql = "SELECT alarm, body FROM notification ORDER BY alarm";
        let rows = self.rows("who was told", sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Some(Notified { next, boot, rows }))
    }

    /// Stores how far alarms are known, with the rows that changed; a row without bytes goes. All of it or nothing. Beyond
    /// [`NOTIFICATIONS_MAX`] rows, and of rows beyond [`NOTIFICATION_BYTES_MAX`], none is stored.
    ///
    /// # Errors
    /// [`StoreError::Write`].
    pub fn note_notified(
        &mut self,
        next: Seq,
        boot: &str,
        rows: &[(String, Option<Vec<u8>>)],
    ) -> Result<(), StoreError> {
        self.write("who was told", |transaction| {
            let mut remove = transaction.prepare_cached("DELETE FROM notification WHERE alarm = ?1")?;
            let sql = "INSERT INTO notification SELECT ?1, ?2 WHERE (SELECT count(*) FROM notification) < ?3";
            let mut insert = transaction.prepare_cached(sql)?;
            let rows_max = i64::try_from(NOTIFICATIONS_MAX).unwrap_or(i64::MAX);
            for (alarm, body) in rows {
                remove.execute([alarm])?;
                if let Some(body) = body.as_ref().filter(|body| body.len() <= NOTIFICATION_BYTES_MAX) {
                    insert.execute(params![alarm, body, rows_max])?;
                }
            }
            let sql = "INSERT OR REPLACE INTO notified VALUES (1, ?1, ?2)";
            transaction.execute(sql, params![to_sql(next.0), boot]).map(|_| ())
        })
    }
}
