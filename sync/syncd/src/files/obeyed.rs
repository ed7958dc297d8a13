//! What a platform commanded, as the journal has it: nothing is done that does not stand there.

use batch::{Command, Order};
use journal::StoreError;
use record::{Act, Actor, Audit, Seq, SeqRange, SeqRanges};

use super::Files;

/// What came of the commands of a destination.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Obeyed {
    /// Records that it had, and that go once more.
    pub reopened: SeqRanges,
    /// The record with its rules or files that are on trial.
    pub trial: Option<Seq>,
}

impl Files {
    /// Carries out what the platform of this name commanded of the upload daemon and was not done yet.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing is done, and it is done the next time.
    pub fn obey(&mut self, destination: &str) -> Result<Obeyed, StoreError> {
        let next = self.outbox.obeyed(destination)?;
        let Some(last) = self.reader.position()?.end.0.checked_sub(1).map(Seq) else { return Ok(Obeyed::default()) };
        let (mut wanted, mut trial) = (SeqRanges::new(), None);
        self.reader.audits(SeqRange { first: Seq(0), last }, |seq, audit| {
            match of(&audit, destination) {
                Some(Order::Resend { records }) if seq >= next => records.iter().for_each(|range| wanted.insert(range)),
                Some(Order::Rules { .. } | Order::Configuration { .. }) => trial = Some(seq),
                _ => {}
            }
            if matches!(audit.act, Act::Settled { command, .. } if Some(command) == trial) {
                trial = None;
            }
        })?;
        if last < next {
            return Ok(Obeyed { trial, ..Obeyed::default() });
        }
        let reopened = self.send_again(destination, &wanted, last.next())?;
        Ok(Obeyed { reopened, trial })
    }

    fn send_again(&mut self, destination: &str, wanted: &SeqRanges, next: Seq) -> Result<SeqRanges, StoreError> {
        let covered = self.outbox.coverage(destination)?;
        let mut there = SeqRanges::new();
        // Only within what it had, so that no number beyond the journal is looked for.
        for range in
            covered.iter().flat_map(|range| wanted.missing_in(range).missing_in(range).iter().collect::<Vec<_>>())
        {
            let gone = self.reader.unreadable(range)?;
            gone.missing_in(range).iter().for_each(|range| there.insert(range));
        }
        let again = self.outbox.send_again(destination, &there, next)?;
        let resend = self.outbox.resend(destination)?;
        if let Some(sieve) = self.sieves.get_mut(destination) {
            sieve.resent = resend;
        }
        if !again.is_empty() {
            log::warn!(destination, records = again.len(); "the platform has records sent once more");
        }
        Ok(again)
    }
}

/// What a record orders in the name of this platform, unless the gateway refused it.
fn of(audit: &Audit, destination: &str) -> Option<Order> {
    let Act::Commanded { command, refused: None, .. } = &audit.act else { return None };
    let is_its = matches!(&audit.by, Actor::Platform(platform) if platform == destination);
    is_its.then(|| Command::claimed(command).ok()).flatten().map(|command| command.order)
}

#[cfg(test)]
mod tests {
    use batch::{BatchId, BoxId, Lane, PlatformId, SigningKey};
    use journal::{Journal, Outbox, Reader, Transaction};
    use record::{
        Body, Boot, BootNo, ClockQuality, Decimal, Frame, Link, MonoMs, Quality, Quantity, Reading, Record, Settlement,
        SourceId, Stamp, Unit, UnixMs,
    };

    use super::*;
    use crate::Filter;

    struct Bench {
        _folder: tempfile::TempDir,
        journal: Journal,
        files: Files,
    }

    fn record(body: Body) -> Record {
        let stamp =
            Stamp { boot: BootNo(0), mono_ms: MonoMs(1), wall_ms: UnixMs(1), clock: ClockQuality::Synchronised };
        Record { stamp, body }
    }

    fn frame(source: &str, value: i64) -> Record {
        let reading = Reading {
            quantity: Quantity::new("cod").unwrap(),
            unit: Unit::new("mg/L").unwrap(),
            value: Some(Decimal::from(value)),
            quality: Quality::Good,
            at_ms: None,
        };
        record(Body::Frame(Frame {
            source: SourceId::new(source).unwrap(),
            link: Link::Mqtt { topic: "t".into(), qos: 1, packet_id: Some(7), level: 4, seal: None },
            raw: vec![1],
            readings: vec![reading],
            codec: None,
            texts: vec![],
        }))
    }

    fn commanded(by: &str, number: u64, order: Order, refused: Option<&str>) -> Record {
        let key = SigningKey::from_seed(&[1; 32]);
        let name = order.as_str().to_owned();
        let command = Command {
            platform: PlatformId::new(by).unwrap(),
            box_id: BoxId::new("box").unwrap(),
            number,
            issued_ms: UnixMs(0),
            until_ms: UnixMs(9),
            order,
            reason: String::new(),
        };
        let command = command.sign(&key).unwrap();
        let act = Act::Commanded { number, order: name, command, refused: refused.map(str::to_owned) };
        record(Body::Audit(Audit { by: Actor::Platform(by.into()), act, reason: String::new() }))
    }

    fn span(first: u64, last: u64) -> SeqRanges {
        [SeqRange { first: Seq(first), last: Seq(last) }].into_iter().collect()
    }

    fn resend(first: u64, last: u64) -> Order {
        Order::Resend { records: span(first, last) }
    }

    /// A journal with a boot and two devices' frames, numbers 0 to 4.
    fn bench() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal/journal.db");
        let journal = Journal::open(&path, "box").unwrap();
        let outbox = Outbox::open(&folder.path().join("outbox/outbox.db")).unwrap();
        let key = SigningKey::from_seed(&[2; 32]);
        let files = Files::new(Reader::open(&path).unwrap(), outbox, key, BoxId::new("box").unwrap());
        let mut bench = Bench { _folder: folder, journal, files };
        let boot = record(Body::Boot(Boot { boot_id: "b".into(), version: "1".into() }));
        bench.append(vec![boot, frame("cod-1", 1), frame("cod-2", 2), frame("cod-1", 3), frame("cod-2", 4)]);
        bench
    }

    impl Bench {
        fn append(&mut self, records: Vec<Record>) {
            self.journal.commit(&Transaction { records, ..Transaction::default() }).unwrap();
        }

        /// Cuts these numbers for the city and has them receipted: how many records went, and how many are withheld.
        fn deliver(&mut self, ranges: &SeqRanges) -> (u64, u64) {
            let before = self.files.outbox.tally("city").unwrap();
            let cut = self.files.cut("city", Lane::Live, ranges, usize::MAX).unwrap().batch.unwrap();
            assert_eq!(&cut.ranges, ranges);
            let BatchId(id) = cut.id;
            self.files.settle("city", BatchId(id), b"receipt").unwrap();
            let after = self.files.outbox.tally("city").unwrap();
            (after.records - before.records, after.withheld)
        }

        fn obey(&mut self) -> Obeyed {
            self.files.obey("city").unwrap()
        }
    }

    #[test]
    fn what_it_had_goes_once_more_and_once_only() {
        let mut bench = bench();
        bench.deliver(&span(0, 3));
        bench.append(vec![
            commanded("city", 1, resend(2, 99), None),
            commanded("city", 2, resend(0, 0), Some("not allowed")),
            commanded("province", 3, resend(0, 1), None),
        ]);
        assert_eq!(bench.obey().reopened, span(2, 3), "nothing that it never had, was refused, or others ordered");
        assert_eq!(bench.files.outbox.coverage("city").unwrap(), span(0, 1));
        assert_eq!(bench.files.outbox.resend("city").unwrap(), span(2, 3));
        assert_eq!(bench.obey(), Obeyed::default());
        assert_eq!(bench.deliver(&span(2, 3)), (2, 0));
        assert_eq!(bench.files.outbox.resend("city").unwrap(), SeqRanges::new());
        assert_eq!(bench.obey(), Obeyed::default());
        bench.append(vec![commanded("city", 4, resend(3, 3), None)]);
        assert_eq!(bench.obey().reopened, span(3, 3), "a second order is another");
    }

    #[test]
    fn a_filter_withholds_of_it_what_it_withheld_and_is_counted_once() {
        let mut bench = bench();
        let filter = Filter { devices: Some([SourceId::new("cod-1").unwrap()].into()), ..Filter::default() };
        bench.files.set_filter("city", filter.clone()).unwrap();
        assert_eq!(bench.deliver(&span(0, 4)), (3, 2), "the boot and one device");
        bench.append(vec![commanded("city", 1, resend(0, 4), None)]);
        assert_eq!(bench.obey().reopened, span(0, 4));
        assert_eq!(bench.deliver(&span(0, 4)), (3, 2), "the same again");
        bench.append(vec![commanded("city", 2, resend(0, 4), None)]);
        assert_eq!(bench.obey().reopened, span(0, 4));
        // The daemon starts anew, with a wider filter, in the middle of it.
        bench.files.set_filter("city", Filter::default()).unwrap();
        assert_eq!(bench.deliver(&span(0, 4)), (5, 0));
    }

    #[test]
    fn rules_are_on_trial_until_they_are_settled() {
        let mut bench = bench();
        let rules = |number| commanded("city", number, Order::Rules { toml: String::new() }, None);
        bench.append(vec![rules(1)]);
        assert_eq!(bench.obey().trial, Some(Seq(5)));
        let settled = Act::Settled { command: Seq(5), outcome: Settlement::RolledBack };
        bench.append(vec![record(Body::Audit(Audit { by: Actor::Box, act: settled, reason: String::new() }))]);
        assert_eq!(bench.obey().trial, None);
        bench.append(vec![rules(2)]);
        assert_eq!(bench.obey().trial, Some(Seq(7)));
    }
}
