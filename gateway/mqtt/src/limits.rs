//! Every bound of the edge, with its unit in its name.

use std::time::Duration;

use crate::EdgeError;

/// The most sessions the edge serves: the router takes 1,024 links, and the watchdog, the publisher
/// and links that are just being replaced need a few of them.
pub const CONNECTIONS_CEILING: usize = 1_000;

/// Links the router accepts; its slabs are sized by this once, at start.
pub(crate) const ROUTER_CONNECTIONS: usize = 1_024;

/// What the edge allows, and for how long. [`Limits::default`] is what the field needs; tests use smaller values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections at one time, silent ones included; 1 to [`CONNECTIONS_CEILING`]. One more is closed and counted.
    pub connections_max: usize,
    /// Largest packet after CONNECT, in bytes, fixed header included; 128 bytes to 1 MiB. MQTT 5 clients are told.
    pub packet_bytes_max: usize,
    /// Largest CONNECT in bytes, read before anybody is known; 128 bytes to 64 KiB.
    pub connect_bytes_max: usize,
    /// Publishes of one connection that may wait for their transaction, 1 to 1,000; then its socket is not read
    /// (Receive Maximum of MQTT 5).
    pub window_frames_max: u16,
    /// Payload bytes of one connection that may wait for their transaction; one packet always may.
    pub window_bytes_max: usize,
    /// Packets a second that one device may send over all its connections, 1 to 1,000,000; it may be one second ahead.
    /// Beyond that its socket is not read for a while.
    pub packets_per_second_max: u32,
    /// The same in bytes a second, fixed headers included; at least `packet_bytes_max`.
    pub bytes_per_second_max: u32,
    /// Payload bytes of all connections that may wait for their transaction; at least `packet_bytes_max`.
    pub queue_bytes_max: usize,
    /// Longest topic in bytes, 1 to 128; a longer one is refused without a look at the device table.
    pub topic_bytes_max: usize,
    /// From the accepted socket to the end of the TLS handshake.
    pub tls_handshake_timeout: Duration,
    /// From there to a complete CONNECT, and the proof of who sent it.
    pub connect_timeout: Duration,
    /// How long a client may refuse to take our bytes.
    pub write_stall_max: Duration,
    /// Silence after which a client with keep-alive 0 is closed.
    pub idle_max: Duration,
    /// How long a session is kept without a connection at most (Session Expiry Interval; the time of every MQTT 3.1.1
    /// session that is not clean).
    pub session_expiry_max: Duration,
    /// Sessions kept at most; the device of one more gets a session that ends with its connection.
    pub sessions_kept_max: usize,
    /// How long a QoS 0 publish waits for room in the full queue before it is shed.
    pub shed_wait: Duration,
    /// At stop: how long publishes already submitted may take to settle.
    pub settle_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: CONNECTIONS_CEILING,
            packet_bytes_max: 64 * 1024,
            connect_bytes_max: 4 * 1024,
            window_frames_max: 64,
            window_bytes_max: 128 * 1024,
            packets_per_second_max: 2_000,
            bytes_per_second_max: 4 * 1024 * 1024,
            queue_bytes_max: 16 * 1024 * 1024,
            topic_bytes_max: 128,
            tls_handshake_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            write_stall_max: Duration::from_secs(10),
            idle_max: Duration::from_secs(3_600),
            session_expiry_max: Duration::from_secs(7 * 24 * 3_600),
            sessions_kept_max: 2_000,
            shed_wait: Duration::from_millis(100),
            settle_wait: Duration::from_secs(2),
        }
    }
}

impl Limits {
    /// Refuses what the router or the protocol cannot hold.
    pub(crate) fn check(&self) -> Result<(), EdgeError> {
        let within = |name, value: usize, low: usize, high: usize| {
            if (low..=high).contains(&value) { Ok(()) } else { Err(EdgeError::Limit { name, value, low, high }) }
        };
        within("connections_max", self.connections_max, 1, CONNECTIONS_CEILING)?;
        within("packet_bytes_max", self.packet_bytes_max, 128, 1024 * 1024)?;
        within("connect_bytes_max", self.connect_bytes_max, 128, 64 * 1024)?;
        within("window_frames_max", self.window_frames_max.into(), 1, 1_000)?;
        within("window_bytes_max", self.window_bytes_max, 1, 64 * 1024 * 1024)?;
        let per_second = |rate: u32| usize::try_from(rate).unwrap_or(usize::MAX);
        within("packets_per_second_max", per_second(self.packets_per_second_max), 1, 1_000_000)?;
        let bytes_high = u32::MAX as usize;
        within("bytes_per_second_max", per_second(self.bytes_per_second_max), self.packet_bytes_max, bytes_high)?;
        within("queue_bytes_max", self.queue_bytes_max, self.packet_bytes_max, 1024 * 1024 * 1024)?;
        let expiry_s = usize::try_from(self.session_expiry_max.as_secs()).unwrap_or(usize::MAX);
        within("session_expiry_max", expiry_s, 0, 7 * 24 * 3_600)?;
        within("sessions_kept_max", self.sessions_kept_max, 0, 10_000)?;
        within("topic_bytes_max", self.topic_bytes_max, 1, 128)
    }
}
