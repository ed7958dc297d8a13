use proptest::prelude::*;

use super::*;
use crate::{ChannelBlock, mac};

const EU868: Region = Region::Eu868;

fn quiet(region: Region) -> Wanted {
    Wanted { dev_status: false, ..Wanted::standard(region) }
}

/// The state is stored and read back at every step.
fn stored(state: &MacState) -> MacState {
    let bytes = minicbor::to_vec(state).unwrap();
    assert!(bytes.len() < 700, "{} bytes", bytes.len());
    minicbor::decode(&bytes).unwrap()
}

fn hear(state: &mut MacState, region: Region, f_opts: &str, now_ms: u64) -> Vec<Learned> {
    *state = stored(state);
    state.heard(region, Some(3), Some(0), &mac::parse(&hex::decode(f_opts).unwrap()).commands, now_ms)
}

fn ask(state: &mut MacState, wanted: &Wanted, now_ms: u64) -> String {
    let asked = state.requests(wanted, true, now_ms, 15);
    *state = stored(state);
    let given_up = if asked.given_up.is_empty() { String::new() } else { format!(" given up {:?}", asked.given_up) };
    hex::encode(asked.bytes) + &given_up
}

#[test]
fn a_device_as_it_should_be_is_asked_nothing() {
    for region in [Region::Eu868, Region::Cn470] {
        let mut state = MacState::joined(region, RxSettings::offered(region), CfList::of(region, None));
        let wanted = Wanted { rx: RxSettings::offered(region), extra_channels: true, ..quiet(region) };
        assert_eq!(ask(&mut state, &wanted, 0), "");
        assert_eq!(state.rx(region), wanted.rx);
    }
}

#[test]
fn the_status_is_asked_daily() {
    let mut state = MacState::personalised(EU868);
    let wanted = Wanted::standard(EU868);
    assert_eq!(ask(&mut state, &wanted, 1_000), "06");
    let status = |power| vec![Learned::Status { power, margin_db: 7 }];
    assert_eq!(hear(&mut state, EU868, "06fe07", 2_000), status(Power::Battery(254)));
    assert_eq!(ask(&mut state, &wanted, DEV_STATUS_INTERVAL_MS + 1_999), "");
    assert_eq!(ask(&mut state, &wanted, DEV_STATUS_INTERVAL_MS + 2_000), "06");
    assert_eq!(hear(&mut state, EU868, "060007", 0), status(Power::External));
    assert_eq!(hear(&mut state, EU868, "06ff07", 5_000), status(Power::Unknown));
    assert_eq!(ask(&mut state, &wanted, 4_999), "06", "the clock was set back");
}

#[test]
fn an_unanswered_request_is_repeated_then_given_up() {
    let mut state = MacState::personalised(EU868);
    let wanted = Wanted { duty_cycle_max: Some(7), ..Wanted::standard(EU868) };
    for _ in 0..REQUEST_ATTEMPTS_MAX {
        assert_eq!(ask(&mut state, &wanted, 0), "040706");
        assert_eq!(hear(&mut state, EU868, "", 0), []);
    }
    assert_eq!(ask(&mut state, &wanted, 0), " given up [DutyCycle { max: 7 }, DevStatus]");
    assert_eq!(ask(&mut state, &wanted, 0), "");
    assert_eq!(ask(&mut state, &wanted, DEV_STATUS_INTERVAL_MS), "06", "tomorrow, but the setting never");
    assert_eq!(ask(&mut state, &Wanted { duty_cycle_max: Some(8), ..quiet(EU868) }, 0), "0408", "another wish");
}

#[test]
fn windows_change_when_the_device_says_so() {
    let mut state = MacState::personalised(Region::Cn470);
    let rx = RxSettings::offered(Region::Cn470).with_rx1_delay_s(5).unwrap();
    let wanted = Wanted { rx, ..quiet(Region::Cn470) };
    assert_eq!(ask(&mut state, &wanted, 0), format!("0805050{}481a4d", rx.rx2_dr()));
    assert_eq!(state.rx(Region::Cn470), RxSettings::standard(Region::Cn470));
    let learned = hear(&mut state, Region::Cn470, "080506", 0);
    assert!(matches!(
        learned[..],
        [Learned::Accepted(Request::RxTimingSetup { delay_s: 5 }), Learned::Refused { status: 6, .. }]
    ));
    assert_eq!(state.rx(Region::Cn470), RxSettings::standard(Region::Cn470).with_rx1_delay_s(5).unwrap());
    assert_eq!(ask(&mut state, &wanted, 0), "", "what was refused is not asked again");
    // The device repeats the answer until it hears us (1.0.4 §5.7).
    assert_eq!(hear(&mut state, Region::Cn470, "08", 0), [Learned::Unasked { cid: 8 }]);
}

#[test]
fn extra_channels_are_asked_for_two_at_a_time() {
    let mut state = MacState::personalised(EU868);
    let wanted = Wanted { extra_channels: true, ..quiet(EU868) };
    assert_eq!(ask(&mut state, &wanted, 0), "0703184f8450".to_owned() + "0704e8568450");
    assert_eq!(hear(&mut state, EU868, "07030703", 0).len(), 2);
    assert_eq!(state.channels, 0b1_1111);
    assert_eq!(ask(&mut state, &wanted, 0), "0705b85e8450".to_owned() + "070688668450");
    assert_eq!(hear(&mut state, EU868, "07030701", 0).len(), 2);
    assert_eq!(ask(&mut state, &wanted, 0), "0707586e8450");
    assert_eq!(hear(&mut state, EU868, "0703", 0).len(), 1);
    assert_eq!((state.channels, ask(&mut state, &wanted, 0).as_str()), (0b1011_1111, ""));
}

#[test]
fn cn470_is_brought_to_eight_channels_in_steps() {
    let region = Region::Cn470;
    let mut state = MacState::personalised(region);
    let wanted = Wanted { channel_block: ChannelBlock::try_from(80).ok(), adr: true, ..quiet(region) };
    assert_eq!(hear(&mut state, region, "", 0), []);
    // Group 5 (channels 80 to 95) to 00ff, groups 0 and 1 off; DR3.
    let first = "0330ff005103300000010330000011";
    assert_eq!(ask(&mut state, &wanted, 0), first);
    assert_eq!(ask(&mut state, &wanted, 0), first, "again, until it is answered");
    let accepted = |steps: std::ops::Range<u8>| -> Vec<Learned> {
        let mask = |step| Request::ChMask { step, first_channel: 80, dr: 3, tx_power: 0 };
        steps.map(|step| Learned::Accepted(mask(step))).collect()
    };
    assert_eq!(hear(&mut state, region, "030703070307", 0), accepted(0..3));
    // Beside other answers there may be room for one only.
    let one = state.requests(&wanted, true, 0, 9).bytes;
    assert_eq!(hex::encode(one), "0330000021");
    assert_eq!(hear(&mut state, region, "0307", 0), accepted(3..4));
    assert_eq!(ask(&mut state, &wanted, 0), "03300000310330000041");
    assert_eq!(hear(&mut state, region, "0307", 0), accepted(4..6), "some devices answer once");
    assert_eq!(ask(&mut state, &wanted, 0), "");
    // One refusal in the block refuses it all.
    let mut state = MacState::personalised(region);
    ask(&mut state, &wanted, 0);
    let learned = hear(&mut state, region, "030703060307", 0);
    assert!(learned.len() == 3 && learned.iter().all(|one| matches!(one, Learned::Refused { status: 6, .. })));
}

#[test]
fn adr_speeds_up_a_device_that_allows_it() {
    let mut state = MacState::joined(EU868, RxSettings::standard(EU868), Some(CfList::EU868));
    let wanted = Wanted { adr: true, ..quiet(EU868) };
    for _ in 0..crate::adr::ADR_UPLINKS {
        assert_eq!(ask(&mut state, &wanted, 0), "");
        state.heard(EU868, Some(3), Some(100), &[], 0);
    }
    assert!(state.requests(&wanted, false, 0, 15).bytes.is_empty(), "FCtrl.ADR is not set");
    assert!(state.requests(&quiet(EU868), true, 0, 15).bytes.is_empty(), "not opted in");
    // 10 dB at DR3 (-12.5): 12.5 dB to spare, four steps: DR5, then two of power; the eight channels.
    assert_eq!(ask(&mut state, &wanted, 0), "0352ff0001");
    let learned = state.heard(EU868, Some(5), Some(100), &[UplinkCommand::LinkAdrAns { status: 7 }], 0);
    let rate = Request::Adr { dr: 5, tx_power: 2, ch_mask_cntl: 0, ch_mask: 0xff };
    assert_eq!(learned, [Learned::Accepted(rate)]);
    assert_eq!((state.tx_power, ask(&mut state, &wanted, 0).as_str()), (2, ""));
    // Unheard for long, the device takes back its power and slows down.
    state.heard(EU868, Some(2), Some(-100), &[], 0);
    assert_eq!(state.tx_power, 0);
}

#[test]
fn adr_waits_for_the_channels() {
    let mut state = MacState::personalised(EU868);
    let wanted = Wanted { adr: true, extra_channels: true, ..quiet(EU868) };
    (0..crate::adr::ADR_UPLINKS).for_each(|_| drop(state.heard(EU868, Some(3), Some(100), &[], 0)));
    assert!(state.requests(&wanted, true, 0, 5).bytes.is_empty(), "no room for a channel, so not for ADR");
    for answers in ["07030703", "07030703", "0703"] {
        assert!(ask(&mut state, &wanted, 0).starts_with("07"));
        state.heard(EU868, Some(3), Some(100), &mac::parse(&hex::decode(answers).unwrap()).commands, 0);
    }
    assert_eq!(ask(&mut state, &wanted, 0), "0352ff0001", "with all eight channels on");
}

#[test]
fn a_device_that_forgot_is_told_again() {
    let mut state = MacState::personalised(EU868);
    let wanted = Wanted { duty_cycle_max: Some(2), ..quiet(EU868) };
    assert_eq!(ask(&mut state, &wanted, 0), "0402");
    assert_eq!(hear(&mut state, EU868, "04", 0), [Learned::Accepted(Request::DutyCycle { max: 2 })]);
    assert_eq!(ask(&mut state, &wanted, 0), "");
    assert_eq!(hear(&mut state, EU868, "0101", 0), [Learned::Reset]);
    assert_eq!(ask(&mut state, &wanted, 0), "0402");
}

#[test]
fn no_room_is_no_attempt() {
    let mut state = MacState::personalised(EU868);
    let wanted = Wanted { extra_channels: true, ..Wanted::standard(EU868) };
    for _ in 0..10 {
        assert_eq!(state.requests(&wanted, true, 0, 0), Asked::default());
    }
    assert_eq!(hex::encode(state.requests(&wanted, true, 0, 5).bytes), "06", "a smaller one fits");
}

proptest! {
    /// Whatever a device says, the state stays within its bounds and comes back from its stored form.
    #[test]
    fn any_life_is_bounded(
        uplinks in prop::collection::vec((prop::collection::vec(prop_oneof![1u8..9, any::<u8>()], 0..20), 0u8..6, any::<i16>(), any::<u32>()), 0..40),
        cn470: bool, room in 0usize..=15, block in 0u8..12, duty_cycle_max: Option<u8>,
    ) {
        let region = if cn470 { Region::Cn470 } else { Region::Eu868 };
        let mut state = MacState::personalised(region);
        let rx = RxSettings::offered(region).with_rx1_delay_s(5).unwrap();
        let channel_block = ChannelBlock::try_from(block * 8).ok();
        let wanted = Wanted { region, rx, channel_block, extra_channels: true, duty_cycle_max, dev_status: true, adr: true };
        for (bytes, dr, snr_ddb, now_ms) in uplinks {
            let commands = mac::parse(&bytes).commands;
            state.heard(region, Some(dr), Some(snr_ddb), &commands, now_ms.into());
            let asked = state.requests(&wanted, true, now_ms.into(), room);
            prop_assert!(asked.bytes.len() <= room);
            prop_assert!(state.entries.len() <= ENTRIES_MAX);
            state = stored(&state);
            let rx = state.rx(region);
            prop_assert!(rx == RxSettings::standard(region).with_rx1_delay_s(rx.rx1_delay_s()).unwrap() || rx == wanted.rx || rx.rx2_dr() == wanted.rx.rx2_dr());
        }
    }

    #[test]
    fn any_stored_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = minicbor::decode::<MacState>(&bytes);
    }
}
