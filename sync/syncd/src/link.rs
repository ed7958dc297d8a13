//! The kernel's word that there may be a way to the platforms again: routing messages over netlink (rtnetlink(7),
//! RFC 3549), heard without any privilege. Nothing is asked of the kernel, and a message that means nothing is harmless:
//! what waits is tried at once.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::net::UnixDatagram as Datagrams;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};
use tokio::net::UnixDatagram;
use tokio::time::{Instant, sleep_until, timeout};

/// `RTMGRP_LINK`, and addresses and routes of both protocols, as in linux/rtnetlink.h.
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;
/// Longest message that is read; what is longer is cut, and begins with all that is looked at. Bytes.
const MESSAGE_BYTES_MAX: usize = 32 * 1_024;
/// A link comes up, then gets its address, then its route: it is told once nothing more comes for this long,
const SETTLED: Duration = Duration::from_millis(200);
/// or after this at the latest,
const SETTLED_MAX: Duration = Duration::from_secs(1);
/// and not more often than this: a link that flaps must not become a storm of tries.
const PAUSE: Duration = Duration::from_secs(1);
/// Interfaces whose state is remembered; beyond it all are forgotten, and each is news again.
const INTERFACES_MAX: usize = 256;

const NEW_LINK: u16 = 16;
const DELETED_LINK: u16 = 17;
const NEW_ADDRESS: u16 = 20;
const NEW_ROUTE: u16 = 24;
const HEADER_BYTES: usize = 16;
const FLAG_LOOPBACK: u32 = 0x8;
/// `IFF_RUNNING` and `IFF_LOWER_UP`: the interface is up, and so is what it is plugged into.
const FLAGS_CARRIER: u32 = 0x40 | 0x1_0000;
/// `RT_SCOPE_LINK`; what is at least as narrow leads to no platform.
const SCOPE_LINK: u8 = 253;
const ROUTE_UNICAST: u8 = 1;

/// The socket on which the kernel tells.
pub(crate) struct LinkWatch {
    /// No socket of AF_UNIX, but one that is received from alike; tokio has no safe type of its own for it.
    socket: UnixDatagram,
    carriers: Carriers,
}

impl LinkWatch {
    /// Listens from now on.
    ///
    /// # Errors
    /// What the kernel said; `EAFNOSUPPORT` where a sandbox forbids `AF_NETLINK`.
    pub(crate) fn open() -> io::Result<LinkWatch> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        // Protocol 0 is NETLINK_ROUTE.
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
        let socket = UnixDatagram::from_std(Datagrams::from(socket))?;
        Ok(LinkWatch { socket, carriers: Carriers::default() })
    }

    /// Waits until there may be a way again, and until what makes it up has settled.
    ///
    /// # Errors
    /// What the kernel said; nothing more comes then.
    pub(crate) async fn returned(&mut self) -> io::Result<()> {
        while !self.heard().await? {}
        let latest = Instant::now() + SETTLED_MAX;
        while Instant::now() < latest {
            match timeout(SETTLED, self.heard()).await {
                Ok(heard) => drop(heard?),
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// Whether the next message opens a way.
    async fn heard(&mut self) -> io::Result<bool> {
        let mut message = vec![0; MESSAGE_BYTES_MAX];
        match self.socket.recv(&mut message).await {
            Ok(length) => Ok(self.carriers.opens_a_way(&message[..length])),
            // More came than was read in time: it may have been among that.
            Err(error) if error.raw_os_error() == Some(Errno::NOBUFS.raw_os_error()) => Ok(true),
            Err(error) => Err(error),
        }
    }
}

/// Tells each time that there may be a way again, until `stop`.
pub(crate) async fn watch(mut links: LinkWatch, tell: impl Fn(), stop: impl Future<Output = ()>) {
    tokio::pin!(stop);
    loop {
        let returned = tokio::select! {
            () = &mut stop => return,
            returned = links.returned() => returned,
        };
        if let Err(error) = returned {
            log::error!(error:% = error; "the kernel tells no more when a link is back; the backoff finds out");
            return (&mut stop).await;
        }
        log::info!("a link is up, or has an address or a route: everything that waits is tried");
        tell();
        tokio::select! {
            () = &mut stop => return,
            () = sleep_until(Instant::now() + PAUSE) => {}
        }
    }
}

/// Interfaces that are up, by their numbers: the kernel tells of them also when nothing changed.
#[derive(Debug, Default)]
struct Carriers(BTreeSet<i32>);

impl Carriers {
    /// Whether one of these messages tells of an interface that came up, of an address, or of a default route.
    fn opens_a_way(&mut self, mut messages: &[u8]) -> bool {
        let mut opens = false;
        while let (Some(length), Some(kind)) = (word(messages, 0), half(messages, 4)) {
            let length =
                usize::try_from(length).unwrap_or(usize::MAX).clamp(HEADER_BYTES, messages.len().max(HEADER_BYTES));
            let Some(payload) = messages.get(HEADER_BYTES..length) else { return opens };
            opens |= match kind {
                NEW_LINK => self.came_up(payload),
                DELETED_LINK => {
                    index(payload).iter().for_each(|index| _ = self.0.remove(index));
                    false
                }
                NEW_ADDRESS => payload.get(3).is_some_and(|scope| *scope < SCOPE_LINK),
                NEW_ROUTE => payload.get(1) == Some(&0) && payload.get(7) == Some(&ROUTE_UNICAST),
                _ => false,
            };
            // Each begins at a multiple of four.
            messages = messages.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        opens
    }

    fn came_up(&mut self, payload: &[u8]) -> bool {
        let (Some(index), Some(flags)) = (index(payload), word(payload, 8)) else { return false };
        if flags & FLAG_LOOPBACK != 0 || flags & FLAGS_CARRIER != FLAGS_CARRIER {
            self.0.remove(&index);
            return false;
        }
        if self.0.len() == INTERFACES_MAX {
            self.0.clear();
        }
        self.0.insert(index)
    }
}

/// The interface's number in an `ifinfomsg`.
fn index(payload: &[u8]) -> Option<i32> {
    payload.get(4..8)?.try_into().ok().map(i32::from_ne_bytes)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(kind: u16, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER_BYTES + payload.len()).unwrap();
        let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 10], payload].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn link(index: i32, flags: u32) -> Vec<u8> {
        message(NEW_LINK, &[&[0; 4][..], &index.to_ne_bytes(), &flags.to_ne_bytes(), &[0; 4]].concat())
    }

    #[test]
    fn an_interface_is_news_when_it_comes_up() {
        let (up, down) = (FLAGS_CARRIER | 1, 1);
        let mut carriers = Carriers::default();
        assert!(!carriers.opens_a_way(&link(2, down)));
        assert!(carriers.opens_a_way(&link(2, up)));
        assert!(!carriers.opens_a_way(&link(2, up)), "nothing changed");
        assert!(carriers.opens_a_way(&[link(2, down), link(2, up)].concat()));
        assert!(!carriers.opens_a_way(&link(1, up | FLAG_LOOPBACK)));
        assert!(carriers.opens_a_way(&link(3, up)), "another one");
        (0..1_000).for_each(|index| assert!(carriers.opens_a_way(&link(1_000 + index, up))));
        assert!(carriers.0.len() <= INTERFACES_MAX, "B1");
    }

    #[test]
    fn addresses_and_default_routes_are_news_and_others_are_not() {
        let mut carriers = Carriers::default();
        let address = |scope: u8| message(NEW_ADDRESS, &[2, 24, 0, scope, 2, 0, 0, 0]);
        assert!(carriers.opens_a_way(&address(0)));
        assert!(!carriers.opens_a_way(&address(SCOPE_LINK)));
        assert!(!carriers.opens_a_way(&address(254)), "of this host alone");
        let route = |bits: u8, kind: u8| message(NEW_ROUTE, &[2, bits, 0, 0, 254, 3, 0, kind, 0, 0, 0, 0]);
        assert!(carriers.opens_a_way(&route(0, ROUTE_UNICAST)));
        assert!(!carriers.opens_a_way(&route(24, ROUTE_UNICAST)));
        assert!(!carriers.opens_a_way(&route(0, 7)), "unreachable");
        assert!(carriers.opens_a_way(&[route(24, 1), address(253), route(0, 1)].concat()));
        assert!(!carriers.opens_a_way(&message(25, &[2, 0, 0, 0, 254, 3, 0, 1])), "a route that went");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_their_end(messages in prop::collection::vec(any::<u8>(), 0..200)) {
            Carriers::default().opens_a_way(&messages);
        }
    }
}
