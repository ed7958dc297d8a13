//! From a frame that raises or ends an alarm to the people who are told of it: a broker and a receiver of JSON over HTTPS, each
//! a socket of this program, which notes when it has the whole message.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Instant;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use system_tests::http::message;
use system_tests::{Device, Sensor};
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned, crypto};

use super::{PATIENCE, payload, prepared};

/// A channel gets at most 100 messages in a minute; what is more would be gathered.
const MESSAGES_MAX: u32 = 90;
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

/// A message that a channel has, and since when.
type Heard = (Instant, Vec<u8>);

/// Seconds until the broker and until the receiver has each of so many transitions.
pub(super) fn tell(transitions: u32) -> io::Result<[Vec<f64>; 2]> {
    let device = Device::cod("cod-1");
    let mut world = prepared(&device)?;
    let (certificate, receiver) = receiver()?;
    fs::write(world.path("receiver.crt"), certificate)?;
    let broker = broker()?;
    let notify = format!(
        "messages_a_minute_max = 100\n[[level]]\nname = \"village\"\nchannels = [\"broker\", \"receiver\"]\n\
         [[channel]]\nname = \"broker\"\nkind = \"mqtt\"\nurl = \"mqtt://127.0.0.1:{}\"\ntopic = \"weir/alarms\"\n\
         [[channel]]\nname = \"receiver\"\nkind = \"json\"\nurl = \"https://127.0.0.1:{}/alarms\"\nca_file = \"receiver.crt\"\n",
        broker.port, receiver.port
    );
    fs::write(world.path("notify.toml"), notify)?;
    let sync = world.sync_config();
    fs::write(&sync, format!("notify_file = \"notify.toml\"\n{}", fs::read_to_string(&sync)?))?;
    world.restart_sync();
    let mut sensor = Sensor::connect(&world, &device);
    let mut seconds = [Vec::new(), Vec::new()];
    for n in 0..transitions.min(MESSAGES_MAX) {
        let (value, word) = if n % 2 == 0 { (95, "alarm") } else { (40, "clear") };
        let sent = Instant::now();
        sensor.publish(&payload(n, value));
        for (channel, seconds) in [&broker, &receiver].into_iter().zip(&mut seconds) {
            seconds.push(channel.has(word)?.duration_since(sent).as_secs_f64());
        }
    }
    Ok(seconds)
}

/// One channel of the level.
struct Channel {
    port: u16,
    heard: Receiver<Heard>,
}

impl Channel {
    /// Since when it has the next message, which must say this.
    fn has(&self, word: &str) -> io::Result<Instant> {
        let (at, message) = self.heard.recv_timeout(PATIENCE).map_err(io::Error::other)?;
        let message = String::from_utf8_lossy(&message);
        if message.contains(&format!("\"word\":\"{word}\"")) {
            return Ok(at);
        }
        Err(io::Error::other(format!("{message} instead of one `{word}`")))
    }
}

/// Serves each connection in a thread of its own until it is closed.
fn channel_of(
    serve: impl Fn(TcpStream, &Sender<Heard>) -> io::Result<()> + Send + Sync + 'static,
) -> io::Result<Channel> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    let (hear, heard) = channel();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (serve, hear) = (serve.clone(), hear.clone());
            thread::spawn(move || serve(stream, &hear));
        }
    });
    Ok(Channel { port, heard })
}

/// A broker that lets everybody in and confirms each message.
fn broker() -> io::Result<Channel> {
    channel_of(|mut stream, hear| {
        loop {
            let (kind, packet) = packet(&mut stream)?;
            match kind >> 4 {
                1 => stream.write_all(&[0x20, 2, 0, 0])?,
                3 => {
                    let at = Instant::now();
                    let topic = usize::from(u16::from_be_bytes([packet[0], packet[1]]));
                    stream.write_all(&[0x40, 2, packet[2 + topic], packet[3 + topic]])?;
                    drop(hear.send((at, packet)));
                }
                _ => return Ok(()),
            }
        }
    })
}

/// First byte and the rest behind the remaining length of one packet (MQTT 3.1.1 §2.2).
fn packet(stream: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let mut byte = [0_u8];
    stream.read_exact(&mut byte)?;
    let kind = byte[0];
    let (mut length, mut shift) = (0_usize, 0);
    loop {
        stream.read_exact(&mut byte)?;
        length |= usize::from(byte[0] & 0x7f) << shift;
        shift += 7;
        if byte[0] & 0x80 == 0 {
            break;
        }
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest)?;
    Ok((kind, rest))
}

/// A receiver of JSON behind TLS, and its certificate as PEM.
fn receiver() -> io::Result<(String, Channel)> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["127.0.0.1".into()]).map_err(io::Error::other)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key))
        .map_err(io::Error::other)?;
    let config = Arc::new(config);
    let channel = channel_of(move |stream, hear| {
        let connection = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
        let mut tls = StreamOwned::new(connection, stream);
        loop {
            let request = message(&mut tls)?;
            let at = Instant::now();
            tls.write_all(ANSWER)?;
            tls.flush()?;
            drop(hear.send((at, request)));
        }
    })?;
    Ok((cert.pem(), channel))
}
