//! One counter for every event of the edge, for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::Routed;

/// A counter that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Counts one and returns how many there are.
    pub(crate) fn count(&self) -> u64 {
        self.0.fetch_add(1, Relaxed) + 1
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Declares the live counters and their snapshot from one list.
macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// The live counters.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $($(#[doc = $doc])+ pub(crate) $name: Counter,)+
        }

        /// All counters of the edge since its start, at one moment, and how many connections are open.
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct CountersSnapshot {
            /// Connections open now, those before CONNECT included.
            pub connections_now: u64,
            /// Sessions now: connections whose device is known.
            pub sessions_now: u64,
            /// Sessions kept now, with and without a connection.
            pub sessions_kept: u64,
            $($(#[doc = $doc])+ pub $name: u64,)+
            /// Conservation (A3) by device, in order of first connection; one entry for each device ever seen.
            pub devices: Vec<DeviceCounters>,
        }

        impl Counters {
            pub(crate) fn snapshot(&self) -> CountersSnapshot {
                CountersSnapshot { $($name: self.$name.get(),)+ ..CountersSnapshot::default() }
            }
        }

        impl CountersSnapshot {
            /// Every total with its name, in order of declaration.
            pub fn totals(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)+].into_iter()
            }
        }
    };
}

counters! {
    /// Sockets accepted.
    accepted,
    /// Sockets closed at once because `connections_max` was reached.
    connections_full,
    /// Accept calls that failed (out of file descriptors, mostly).
    accept_failed,
    /// CONNECTs answered with success.
    connected,
    /// Publishes read from authenticated devices: `received = submitted + shed + refused`.
    received,
    /// Publishes handed to the committer.
    submitted,
    /// Publishes let go because the queue stayed full: QoS 0 after `shed_wait`; QoS 1 and 2 (not acknowledged, so
    /// sent again) only if their connection ended meanwhile.
    shed,
    /// Publishes refused by topic, retain flag or topic alias.
    refused,
    /// Publishes received at QoS 0.
    publishes_qos0,
    /// Publishes received at QoS 1.
    publishes_qos1,
    /// Publishes received at QoS 2.
    publishes_qos2,
    /// PUBACKs sent after a commit.
    acks_qos1,
    /// PUBRECs sent after a commit.
    acks_qos2,
    /// Acknowledgements that told an MQTT 5 client of a frame stored as evidence only.
    acks_refused,
    /// Publishes the committer could not store; none was acknowledged.
    not_stored,
    /// PUBRELs answered with PUBCOMP.
    releases,
    /// Times a connection was not read because its window was full.
    window_full,
    /// Times a connection was not read because the committer's queue was full.
    queue_full,
    /// Times a connection was not read because its device was ahead of its rate.
    paced,
    /// TLS handshakes that failed: no TLS, a certificate of nobody we trust, none at all where one is required.
    tls_failed,
    /// TLS handshakes that took longer than `tls_handshake_timeout`.
    tls_timeout,
    /// CONNECTs of a client id that the client's certificate does not name.
    certificate_mismatch,
    /// CONNECTs refused because too many password hashes were being computed; the client tries again.
    proof_busy,
    /// CONNECTs of names that no device has.
    unknown_device,
    /// CONNECTs with a wrong or missing secret.
    bad_password,
    /// CONNECTs whose client id, user name and device are not the same.
    client_id_mismatch,
    /// CONNECTs with an empty or malformed client id.
    client_id_invalid,
    /// CONNECTs of a protocol level other than 4 and 5.
    level_refused,
    /// CONNECTs with an authentication method (MQTT 5 AUTH).
    auth_method_refused,
    /// CONNECTs with a will for a foreign topic, or a retained one.
    will_refused,
    /// No complete CONNECT within `connect_timeout`.
    connect_timeout,
    /// Packets that break the format.
    malformed,
    /// Packets in the right format at the wrong moment, an unsolicited PUBACK for instance.
    protocol_error,
    /// Packets above `packet_bytes_max`, or `connect_bytes_max`.
    oversize,
    /// Publishes to a topic that is not the device's own.
    foreign_topic,
    /// Publishes with the retain flag.
    retain_refused,
    /// Publishes with a topic alias.
    topic_alias_refused,
    /// Subscriptions to a topic that is not the device's own.
    subscribe_refused,
    /// Connections closed for silence: 1.5 times the keep-alive, or `idle_max`.
    idle,
    /// Connections closed because they did not take our bytes.
    write_stalled,
    /// Sessions ended because their client connected again.
    takeover,
    /// Connections ended because the router or its link failed.
    router,
    /// Connection tasks that panicked; each ended its own connection only.
    panicked,
    /// Wills declared for the device's own topic.
    wills_declared,
    /// Wills whose connection ended without a DISCONNECT.
    wills_due,
    /// Sessions that went on from an earlier connection.
    sessions_resumed,
    /// Sessions and subscriptions refused because they could not be stored.
    sessions_not_stored,
    /// Messages published to the router, commands and copies.
    routed,
    /// Copies dropped because the router was busy.
    route_dropped,
    /// Messages sent to subscribed devices.
    sent_down,
    /// Messages not sent because they exceed the client's Maximum Packet Size.
    down_oversize,
    /// Messages that a subscribed device acknowledged.
    acked_down,
}

impl Counters {
    /// Counts a message published to the router.
    pub(crate) fn routed(&self, routed: Routed) {
        match routed {
            Routed::NoSubscriber => {}
            Routed::To { .. } => {
                self.routed.count();
            }
            Routed::Busy => {
                self.route_dropped.count();
            }
        }
    }
}

/// What one device sent: `received = submitted + shed + refused` (A3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCounters {
    /// The device.
    pub name: Arc<str>,
    /// Publishes read.
    pub received: u64,
    /// Publishes handed to the committer.
    pub submitted: u64,
    /// Publishes let go because the queue stayed full.
    pub shed: u64,
    /// Publishes refused by topic, retain flag or topic alias.
    pub refused: u64,
}

/// The live counters of one device.
#[derive(Debug, Default)]
pub(crate) struct DeviceTotals {
    pub(crate) received: Counter,
    pub(crate) submitted: Counter,
    pub(crate) shed: Counter,
    pub(crate) refused: Counter,
}

impl DeviceTotals {
    pub(crate) fn snapshot(&self, name: Arc<str>) -> DeviceCounters {
        DeviceCounters {
            name,
            received: self.received.get(),
            submitted: self.submitted.get(),
            shed: self.shed.get(),
            refused: self.refused.get(),
        }
    }
}
