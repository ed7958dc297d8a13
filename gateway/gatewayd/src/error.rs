//! Why the field daemon does not start, or ends.

use std::net::SocketAddr;

use control::ControlError;
use identity::IdentityError;
use ingest::{SessionError, TransferError};
use journal::StoreError;
use mqtt::{EdgeError, TlsError};

/// Why the daemon does not start, or ends. Each names the operation; the sources say what to do next.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The box has no key and none can be made.
    #[error("failed to get the box's key")]
    Identity(#[source] IdentityError),
    /// The journal cannot be used.
    #[error("failed to open the journal")]
    Journal(#[source] StoreError),
    /// The journal was found damaged while it was written; the next start saves what can be read.
    #[error("the journal is damaged, the next start saves what can be read · try: systemctl restart weir-gateway")]
    JournalDamaged,
    /// Damage was found and cannot be noted for the salvage.
    #[error("failed to note that the journal is damaged · try: df -h, ls -ld /var/lib/weir/journal")]
    Mark(#[source] std::io::Error),
    /// The counters of a restored journal cannot jump ahead.
    #[error("failed to move the device counters of a restored backup ahead")]
    Restored(#[source] TransferError),
    /// Stored sessions cannot be read.
    #[error("failed to read stored sessions")]
    Session(#[source] SessionError),
    /// The MQTT edge does not start, or its router died.
    #[error("the MQTT edge does not run")]
    Mqtt(#[source] EdgeError),
    /// The MQTT edge cannot serve TLS.
    #[error("failed to serve MQTT over TLS")]
    MqttTls(#[source] TlsError),
    /// The kernel gives no random bytes.
    #[error("failed to get random bytes from the kernel")]
    Random(#[source] getrandom::Error),
    /// The port for LoRa gateways cannot be opened.
    #[error("failed to open UDP {listen} for LoRa gateways · try: ss -ulpn, or another `gwmp.listen`")]
    Gwmp {
        /// As configured.
        listen: SocketAddr,
        /// The cause.
        source: std::io::Error,
    },
    /// systemd's port for LoRa gateways is reachable by others, and nothing says who may speak.
    #[error(
        "UDP {listen} for LoRa gateways is reachable by others · try: list them in `gwmp.gateways` and their networks \
         in `gwmp.networks`, or ListenDatagram=127.0.0.1:1700 in weir-gateway.socket"
    )]
    OpenGwmp {
        /// Where systemd listens.
        listen: SocketAddr,
    },
    /// The control socket cannot be opened.
    #[error("failed to open the control socket")]
    Control(#[source] ControlError),
    /// The kernel's boot id is not readable.
    #[error("failed to read the boot id of this kernel (/proc/sys/kernel/random/boot_id)")]
    BootId(#[source] std::io::Error),
    /// The committer's thread cannot be started.
    #[error("failed to start the committer's thread · try: ulimit -u")]
    Thread(#[source] std::io::Error),
    /// The committer ended although nobody stopped it.
    #[error("the committer ended by itself · try: journalctl -u weir-gateway -n 50")]
    CommitterDied,
    /// Not an error of the daemon: other configuration files count from its next start on.
    #[error(
        "other configuration files of a platform count from the next start on, which systemd makes at once · try: weir status"
    )]
    OtherFiles,
    /// A line may be on that nobody switches off: the end of the process closes it.
    #[error("the thread of the relays hangs, ending to close their lines · try: gpioinfo, dmesg")]
    RelaysHang,
    /// Decoding panicked.
    #[error("decoding of payloads broke · try: journalctl -u weir-gateway -n 50, and report it")]
    DecodingDied,
}
