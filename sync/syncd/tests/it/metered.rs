//! A SIM that is nearly used up.

use journal::{Outbox, StoredUsage};

use crate::bench::{Bench, Daemon, alarm, boot, commit, entry, frame, one_of};

/// As an earlier run left it. Nobody tells this box the date, so that it is still that day.
fn carried(bench: &Bench, day_bytes: u64) {
    let mut outbox = Outbox::open(&bench.path("state/outbox/outbox.db")).unwrap();
    outbox.note_usage("city", &StoredUsage { date: Some((20_758, 681)), day_bytes, month_bytes: 0 }).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_backlog_waits_first_and_alarms_never() {
    let bench = Bench::new();
    let key = bench.key();
    let city = bench.platform("city", 0, key.public()).await;
    let destination = entry("city", city.local_addr().port(), &bench.path("city/tls.crt"), city.public_key());
    let config = || bench.config(&format!("{destination}[destination.budget]\nday_mb = 1\n"));
    let mut journal = bench.journal();
    commit(&mut journal, &key, std::iter::once(boot()).chain((1..1_600).map(frame)).collect());
    commit(&mut journal, &key, vec![alarm(7)]);
    let shows = |what: &'static str, covered: u64, waits: &'static str| {
        bench.until(what, move |status| {
            one_of(status, "city").is_some_and(|city| {
                let budget = city.budget.as_ref().unwrap();
                (city.covered, city.in_flight) == (covered, 0) && budget.waits == waits
            })
        })
    };

    carried(&bench, 660_000);
    let daemon = Daemon::start(config());
    let shown = shows("the newest thousand arrive, and the alarm is one of them", 1_000, "backlog").await;
    let shown = one_of(&shown, "city").unwrap();
    let budget = shown.budget.as_ref().unwrap();
    assert!((660_000..900_000).contains(&budget.day_bytes), "{budget:?}");
    assert_eq!((budget.day_bytes_max, budget.month_bytes_max, shown.backlog), (Some(1_000_000), None, 601));
    daemon.stop().await;
    let noted = bench.outbox().usage("city").unwrap();
    assert!(noted.day_bytes >= budget.day_bytes, "a restart forgets nothing: {noted:?}");

    carried(&bench, 1_200_000);
    commit(&mut journal, &key, (0..10).map(frame).collect());
    commit(&mut journal, &key, vec![alarm(8)]);
    let daemon = Daemon::start(config());
    shows("the alarm alone", 1_001, "all_but_alarms").await;
    daemon.stop().await;
    city.stop().await.unwrap();
}
