//! An answer that does not come, where all others come at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::bench::{Bench, Daemon, boot, commit, entry, frame, one_of};
use crate::parked::relay;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_answer_is_asked_for_once_more_on_another_connection() {
    let bench = Bench::new();
    let key = bench.key();
    let city = bench.platform("city", 0, key.public()).await;
    let swallows = Arc::new(AtomicBool::new(false));
    let swallowing = swallows.clone();
    let port = relay(&bench.path("city"), city.local_addr().port(), move |_| {
        // One request is swallowed; the connection stays open.
        while swallowing.swap(false, Ordering::SeqCst) {
            std::thread::sleep(std::time::Duration::from_secs(3_600));
        }
        None
    });
    let mut journal = bench.journal();
    commit(&mut journal, &key, vec![boot()]);
    let daemon = Daemon::start(bench.config(&entry("city", port, &bench.path("city/tls.crt"), city.public_key())));
    let has = |records| {
        bench
            .until("the city has all", move |status| one_of(status, "city").is_some_and(|city| city.covered == records))
    };
    has(1).await;
    // As many answers as tell how long one takes.
    for nth in 1..8 {
        commit(&mut journal, &key, vec![frame(nth)]);
        has(nth.unsigned_abs() + 1).await;
    }
    swallows.store(true, Ordering::SeqCst);
    commit(&mut journal, &key, vec![frame(8)]);
    let shown = has(9).await;
    let shown = one_of(&shown, "city").unwrap();
    let failed = shown.counters.keys().filter(|name| name.starts_with("failed_")).count();
    assert_eq!((shown.counters["hedged"], failed, shown.outstanding), (1, 0, 0), "{shown:#?}");
    assert!(!swallows.load(Ordering::SeqCst), "the request was swallowed");
    daemon.stop().await;
    city.stop().await.unwrap();
}
