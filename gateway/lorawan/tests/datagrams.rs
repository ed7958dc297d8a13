//! What strangers may send to the port of the LoRa side breaks nothing (10 million of it: `cargo bench -p lorawan`).

mod flood;

#[test]
fn two_hundred_thousand_datagrams_break_nothing() {
    let tally = flood::flood(1, 200_000);
    // Nothing would be proved if all of them were refused at the door.
    assert!(tally.admitted > 60_000 && tally.uplinks > 20_000, "{tally:?}");
    assert!(tally.data_frames > 1_000 && tally.downlinks > 0, "{tally:?}");
    assert_eq!(tally.datagrams, 200_000);
}
