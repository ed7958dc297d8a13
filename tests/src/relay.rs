//! A TCP relay on loopback in place of a link: it counts what passes, is as slow and as long as it is told, and cuts at
//! a byte.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::sockopt;

/// Bytes that are passed on at once: a packet's worth, so that a slow link is shared fairly and cut where it is said.
const PART_BYTES: usize = 1_400;
/// What a slow link keeps of a connection: a modem has a buffer, but not the megabytes of loopback.
const BUFFER_BYTES: usize = 16 * 1024;
/// How often a direction in which nothing comes looks whether the other one was cut.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Towards the platform, or back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the box.
    Request,
    /// To the box.
    Answer,
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// RST to both.
    Reset,
    /// FIN to both.
    Close,
    /// Nothing passes any more, and nobody is told: to the platform the connection stays open for ever.
    Silence,
}

/// Where the next connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Whose bytes are counted.
    pub way: Way,
    /// So many of them pass.
    pub after: u64,
    /// What happens then.
    pub ending: Ending,
}

/// What has passed since the relay started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passed {
    /// Connections accepted.
    pub connections: u64,
    /// Bytes from the box.
    pub request: u64,
    /// Bytes to the box.
    pub answer: u64,
    /// Cuts that were made.
    pub cuts: u64,
}

/// A relay in front of one port. Its threads end with the process.
#[derive(Debug)]
pub struct Relay {
    /// Where the box connects to.
    pub port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    target: u16,
    /// For the next connection.
    cut: Mutex<Option<Cut>>,
    connections: AtomicU64,
    cuts: AtomicU64,
    passed: [AtomicU64; 2],
    link: Arc<Link>,
    /// What stays open though nobody will use it again.
    forgotten: Mutex<Vec<TcpStream>>,
}

/// What all relays of a box share.
#[derive(Debug, Default)]
struct Link {
    is_down: AtomicBool,
    /// Of each direction; 0: as fast as it goes.
    bytes_per_s: AtomicU64,
    /// From one end to the other, beside the time that the bytes need.
    delay_ms: AtomicU64,
    /// When what has been passed on, each way, has left a link of that speed.
    free_at: [Mutex<Option<Instant>>; 2],
}

impl Relay {
    /// Starts one in front of this port of loopback.
    pub fn start(target: u16) -> Relay {
        Relay::on(Arc::default(), target)
    }

    /// Another one on the same link: both together are as slow as this one.
    pub fn beside(&self, target: u16) -> Relay {
        Relay::on(self.shared.link.clone(), target)
    }

    fn on(link: Arc<Link>, target: u16) -> Relay {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        // Accepted sockets have it from the listener.
        sockopt::set_socket_recv_buffer_size(&listener, BUFFER_BYTES).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            target,
            cut: Mutex::new(None),
            connections: AtomicU64::new(0),
            cuts: AtomicU64::new(0),
            passed: Default::default(),
            link,
            forgotten: Mutex::new(Vec::new()),
        });
        let relay = Relay { port, shared: shared.clone() };
        thread::spawn(move || listener.incoming().flatten().for_each(|stream| Shared::accept(&shared, stream)));
        relay
    }

    /// Cuts the next connection so.
    pub fn cut_next(&self, cut: Cut) {
        *self.shared.cut.lock().unwrap() = Some(cut);
    }

    /// Takes back a cut that no connection came for.
    pub fn spare_next(&self) {
        *self.shared.cut.lock().unwrap() = None;
    }

    /// How fast each direction of the link is, and how long it is; 0: as fast as it goes.
    pub fn limit(&self, bytes_per_s: u64, delay_ms: u64) {
        self.shared.link.bytes_per_s.store(bytes_per_s, Ordering::Relaxed);
        self.shared.link.delay_ms.store(delay_ms, Ordering::Relaxed);
    }

    /// Down: new connections are reset, those that are open hear nothing any more.
    pub fn set_up(&self, is_up: bool) {
        self.shared.link.is_down.store(!is_up, Ordering::SeqCst);
    }

    /// What has passed.
    pub fn passed(&self) -> Passed {
        let Shared { connections, passed: [request, answer], cuts, .. } = &*self.shared;
        let read = |count: &AtomicU64| count.load(Ordering::SeqCst);
        Passed { connections: read(connections), request: read(request), answer: read(answer), cuts: read(cuts) }
    }
}

/// Both directions of a connection.
#[derive(Debug)]
struct Connection {
    cut: Option<Cut>,
    /// How it ended, if a cut or the link ended it.
    ended: Mutex<Option<Ending>>,
}

impl Shared {
    fn accept(shared: &Arc<Shared>, stream: TcpStream) {
        let platform = TcpStream::connect((Ipv4Addr::LOCALHOST, shared.target));
        let (true, Ok(platform)) = (!shared.link.is_down(), platform) else {
            return reset_when_closed(&stream);
        };
        shared.connections.fetch_add(1, Ordering::SeqCst);
        let cut = shared.cut.lock().unwrap().take();
        let connection = Arc::new(Connection { cut, ended: Mutex::new(None) });
        for socket in [&stream, &platform] {
            socket.set_nodelay(true).unwrap();
            socket.set_read_timeout(Some(LOOK_EVERY)).unwrap();
        }
        let both = (stream.try_clone().unwrap(), platform.try_clone().unwrap());
        for (way, from, to) in [(Way::Request, both.0, platform), (Way::Answer, both.1, stream)] {
            let (shared, connection) = (shared.clone(), connection.clone());
            thread::spawn(move || {
                shared.pump(way, &connection, &from, &to);
                let ended = *connection.ended.lock().unwrap();
                shared.end(ended, from, to);
            });
        }
    }

    /// Passes bytes on until one side ends, the link is down or the cut is reached.
    fn pump(&self, way: Way, connection: &Connection, mut from: &TcpStream, to: &TcpStream) {
        let cut = connection.cut.filter(|cut| cut.way == way);
        let (mut part, mut passed) = ([0; PART_BYTES], 0);
        let mut far_end =
            FarEnd::start(to.try_clone().unwrap(), Duration::from_millis(self.link.delay_ms.load(Ordering::Relaxed)));
        loop {
            let left = cut.map_or(PART_BYTES, |cut| usize::try_from(cut.after - passed).unwrap_or(PART_BYTES));
            if let Some(Cut { ending, .. }) = cut.filter(|_| left == 0) {
                *connection.ended.lock().unwrap() = Some(ending);
                self.cuts.fetch_add(1, Ordering::SeqCst);
                return;
            }
            let read = from.read(&mut part[..left.min(PART_BYTES)]);
            if self.link.is_down() {
                *connection.ended.lock().unwrap() = Some(Ending::Silence);
            }
            if connection.ended.lock().unwrap().is_some() {
                return;
            }
            let read = match read {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
                read => read.unwrap_or(0),
            };
            self.link.wait(way, read);
            if read == 0 || !far_end.send(&part[..read]) {
                return far_end.end();
            }
            passed += read as u64;
            self.passed[way as usize].fetch_add(read as u64, Ordering::SeqCst);
        }
    }

    fn end(&self, ended: Option<Ending>, from: TcpStream, to: TcpStream) {
        match ended {
            None => {}
            Some(Ending::Reset) => [&from, &to].into_iter().for_each(reset_when_closed),
            Some(Ending::Close) => {
                // A side that has gone already needs none.
                [&from, &to].into_iter().for_each(|socket| drop(socket.shutdown(Shutdown::Both)));
            }
            Some(Ending::Silence) => self.forgotten.lock().unwrap().extend([from, to]),
        }
    }
}

impl Link {
    fn is_down(&self) -> bool {
        self.is_down.load(Ordering::SeqCst)
    }

    /// Waits until a link of this speed has carried so many more bytes.
    fn wait(&self, way: Way, bytes: usize) {
        let bytes_per_s = self.bytes_per_s.load(Ordering::Relaxed);
        if bytes_per_s == 0 {
            return;
        }
        let time = Duration::from_secs_f64(bytes as f64 / bytes_per_s as f64);
        let mut free_at = self.free_at[way as usize].lock().unwrap();
        let until = free_at.map_or_else(Instant::now, |at| at.max(Instant::now())) + time;
        *free_at = Some(until);
        drop(free_at);
        thread::sleep(until.saturating_duration_since(Instant::now()));
    }
}

/// Where one direction comes out.
enum FarEnd {
    /// At once.
    Near(TcpStream),
    /// After this time, by a thread of its own; an empty part is the end.
    Far(Sender<(Instant, Vec<u8>)>, Duration),
}

impl FarEnd {
    fn start(mut to: TcpStream, delay: Duration) -> FarEnd {
        if delay.is_zero() {
            return FarEnd::Near(to);
        }
        let (sender, parts) = mpsc::channel::<(Instant, Vec<u8>)>();
        thread::spawn(move || {
            for (due, part) in parts {
                thread::sleep(due.saturating_duration_since(Instant::now()));
                if part.is_empty() {
                    let _ = to.shutdown(Shutdown::Write);
                } else if to.write_all(&part).is_err() {
                    break;
                }
            }
        });
        FarEnd::Far(sender, delay)
    }

    /// False once nobody is there.
    fn send(&mut self, part: &[u8]) -> bool {
        match self {
            FarEnd::Near(to) => to.write_all(part).is_ok(),
            FarEnd::Far(parts, delay) => parts.send((Instant::now() + *delay, part.to_vec())).is_ok(),
        }
    }

    /// What is on its way in the other direction still arrives.
    fn end(self) {
        match self {
            // A side that has gone already needs none.
            FarEnd::Near(to) => drop(to.shutdown(Shutdown::Write)),
            FarEnd::Far(parts, delay) => drop(parts.send((Instant::now() + delay, Vec::new()))),
        }
    }
}

/// Has a connection end with RST once both directions have let go of it.
fn reset_when_closed(socket: &TcpStream) {
    // One that the other side has reset already needs none.
    let _ = sockopt::set_socket_linger(socket, Some(Duration::ZERO));
}
