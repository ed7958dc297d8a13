//! A device's whole life, and what lrwn's documentation has as an uplink.

use expect_test::expect;

use super::*;
use crate::fcnt::{Counters, Judged, judge};
use crate::mac::{AnswerContext, GpsTime, Learned, MacState, Wanted};
use crate::vectors::{bytes, keys_of};
use crate::{
    CfList, ChannelBlock, DataDown, DataRate, DevEui, DevNonces, DownCounters, JoinAccept, JoinEui, JoinNonce,
    JoinRequest, Key128, MacVersion, NetId, Region, RootKeys, RxSettings, Uplink, mac,
};

/// The example of lrwn's documentation: 1.0, DevStatusAns in FOpts, payload 01020304 on FPort 10.
#[test]
fn lrwns_confirmed_uplink() {
    let keys = keys_of("0102030405060708090a0b0c0d0e0f10", "100f0e0d0c0b0a090807060504030201");
    let up = DataUp {
        dev_addr: DevAddr::from_u32(0x0102_0304),
        confirmed: true,
        f_port: 10,
        payload: &[1, 2, 3, 4],
        f_opts: &[6, 115, 7],
        ..DataUp::default()
    };
    let phy = data_up(up, &keys);
    expect!["80040302010300000673070ae264d4f7e117d2c0"].assert_eq(&hex::encode(&phy));
    let up = Uplink::parse(&phy).unwrap();
    let commands = mac::parse(&up.mac_commands(&keys, 0));
    let status = mac::UplinkCommand::DevStatusAns { battery: 115, margin_db: 7 };
    assert_eq!(commands, mac::Parsed { commands: vec![status], unread_bytes: 0 });
}

#[test]
fn too_much_is_cut_to_what_fits() {
    let keys = keys_of(&"01".repeat(16), &"02".repeat(16));
    let up = DataUp { payload: &[7; 300], f_opts: &[2; 20], ..DataUp::default() };
    let up = Uplink::parse(&data_up(DataUp { f_opts: &[], ..up }, &keys)).unwrap();
    assert_eq!(up.decrypt(&keys, 0).len(), PAYLOAD_BYTES_MAX);
    let short = DataUp { payload: b"x", f_opts: &[2; 20], ..DataUp::default() };
    assert_eq!(Uplink::parse(&data_up(short, &keys)).unwrap().f_opts().len(), F_OPTS_BYTES_MAX);
    assert!(Uplink::parse(&bytes("40")).is_err());
}

/// The network's side of one session, as its caller keeps it.
struct Network {
    keys: SessionKeys,
    counters: Counters,
    down: DownCounters,
    mac: MacState,
    wanted: Wanted,
}

impl Network {
    /// Judges an uplink at DR5, SNR 8 dB, and answers it with all that is due.
    fn serve(&mut self, phy: &[u8], context: MicContext) -> (Vec<u8>, Vec<Learned>, Vec<u8>) {
        let uplink = Uplink::parse(phy).unwrap();
        let Judged::New { f_cnt } = judge(&uplink, &self.keys, &self.counters, context) else { panic!("not new") };
        self.counters = Counters::after(&uplink, f_cnt);
        let commands = mac::parse(&uplink.mac_commands(&self.keys, f_cnt)).commands;
        let learned = self.mac.heard(self.wanted.region, Some(5), Some(80), &commands, 0);
        let heard = AnswerContext {
            snr_ddb: Some(80),
            data_rate: DataRate::Lora("SF7BW125".parse().unwrap()),
            gateways: 1,
            time: GpsTime::from_unix_ms(1_601_544_653_592),
        };
        let mut f_opts = mac::answer(&commands, &self.keys, &heard);
        f_opts.extend(self.mac.requests(&self.wanted, uplink.adr(), 0, F_OPTS_BYTES_MAX - f_opts.len()).bytes);
        let f_cnt_down = self.down.take(&self.keys, None).unwrap();
        let down = DataDown { ack: Some(f_cnt), f_opts: &f_opts, ..DataDown::new(uplink.dev_addr(), f_cnt_down) };
        (down.seal(&self.keys).unwrap(), learned, uplink.decrypt(&self.keys, f_cnt))
    }
}

/// A device joins, asks, is told to change, and does; in both versions, the second time with another session.
#[test]
fn a_devices_life() {
    let key = |byte| Key128::new([byte; 16]);
    let v1_1 = RootKeys::V1_1 { nwk_key: key(1), app_key: key(2) };
    for (root, version) in [(RootKeys::V1_0 { app_key: key(1) }, MacVersion::V1_0_3), (v1_1, MacVersion::V1_1)] {
        let mut nonces = DevNonces::new(version);
        let mut join_nonce = JoinNonce::FIRST;
        let mut sessions = Vec::new();
        for dev_nonce in [7, 8] {
            let region = Region::Cn470;
            let (join_eui, dev_eui) = (JoinEui::default(), DevEui([7; 8]));
            let joining = Joining { keys: &root, join_eui, dev_eui, dev_nonce, region };
            let request = JoinRequest::parse(&joining.request()).unwrap();
            assert!(request.verify(&root));
            nonces.take(request.dev_nonce()).unwrap();
            assert!(nonces.take(request.dev_nonce()).is_err(), "a replay");
            let block = ChannelBlock::try_from(80).unwrap();
            let dev_addr = DevAddr::allocate(NetId::PRIVATE_0, 42, &Default::default()).unwrap();
            let rx = RxSettings::offered(region);
            let cf_list = CfList::of(region, Some(block));
            let handed_out = JoinAccept { join_nonce, net_id: NetId::PRIVATE_0, dev_addr, rx, cf_list };
            let accept = request.accept(&root, &handed_out);
            join_nonce = join_nonce.next().unwrap();
            let joined = joining.take_accept(&accept.phy).unwrap();
            assert_eq!(joined.keys, accept.keys);
            sessions.push(joined.keys.clone());

            let rx = rx.with_rx1_delay_s(2).unwrap();
            let wanted = Wanted { rx, channel_block: Some(block), ..Wanted::standard(region) };
            let mac = MacState::joined(region, handed_out.rx, cf_list);
            let mut network = Network {
                keys: accept.keys,
                counters: Counters::default(),
                down: DownCounters::default(),
                mac,
                wanted,
            };
            let (mut expected, mut f_opts) = (DownCounters::default(), vec![0x02, 0x0d]);
            let mut heard = Vec::new();
            for f_cnt in 0..4_u32 {
                let context = MicContext { conf_f_cnt: 0, tx_dr: 5, tx_ch: 80 };
                let payload = f_cnt.to_be_bytes();
                let up = DataUp {
                    dev_addr,
                    confirmed: true,
                    f_cnt,
                    payload: &payload,
                    f_opts: &f_opts,
                    context,
                    ..DataUp::default()
                };
                let (phy, learned, decrypted) = network.serve(&data_up(up, &joined.keys), context);
                assert_eq!(decrypted, payload);
                heard.extend(learned);
                let down = receive(&phy, dev_addr, &joined.keys, &mut expected, f_cnt).unwrap();
                assert!(down.ack && down.f_cnt_down == f_cnt);
                f_opts = obedient(&down.f_opts);
            }
            let masks =
                heard.iter().filter(|one| matches!(one, Learned::Accepted(mac::Request::ChMask { .. }))).count();
            assert_eq!((masks, heard.len()), (6, 8), "{heard:?}");
            assert!(heard.contains(&Learned::Status { power: mac::Power::Battery(200), margin_db: 9 }));
            assert_eq!(network.mac.rx(region), rx);
        }
        assert_ne!(sessions[0], sessions[1], "each join has its own keys");
    }
}

/// What a device says that reads the network's commands (with lrwn's parser) and does them all.
fn obedient(f_opts: &[u8]) -> Vec<u8> {
    let mut commands = MACCommandSet::from_slice(f_opts);
    commands.decode_from_raw(false).unwrap();
    let answer = |command: &MACCommand| match command {
        MACCommand::LinkADRReq(_) => vec![0x03, 7],
        MACCommand::RxTimingSetupReq(_) => vec![0x08],
        MACCommand::DevStatusReq => vec![0x06, 200, 9],
        MACCommand::LinkCheckAns(_) | MACCommand::DeviceTimeAns(_) => vec![],
        other => panic!("not expected: {other:?}"),
    };
    commands.iter().flat_map(answer).collect()
}
