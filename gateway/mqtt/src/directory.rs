//! Who may connect, and with which topics: asked once a connection.

use std::sync::Arc;

/// The device table as the edge sees it.
///
/// Called on an async worker for each CONNECT: an implementation answers from memory, within microseconds, and
/// compares passwords in constant time.
pub trait Directory: Send + Sync {
    /// The device behind these credentials. `client_id` is 1 to 64 characters of `[A-Za-z0-9_.-]`.
    ///
    /// The edge itself demands that `client_id`, `user` and [`Device::name`] are equal, so that whoever takes over a
    /// session has proved to be that device.
    ///
    /// # Errors
    /// [`Refusal::UnknownDevice`] if no such device is configured, [`Refusal::BadPassword`] if the secret is wrong or
    /// missing. The client is told the same in both cases; the counters tell them apart.
    fn authenticate(&self, client_id: &str, user: Option<&str>, password: Option<&[u8]>) -> Result<Device, Refusal>;
}

/// An authenticated device and the exact topics it may use; no wildcards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The name in the device table.
    pub name: Arc<str>,
    /// Topics it may publish to.
    pub publish: Vec<Arc<str>>,
    /// Topics it may subscribe to.
    pub subscribe: Vec<Arc<str>>,
}

/// Why a client is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No device of this name is in the table.
    UnknownDevice,
    /// The device is known, its secret is wrong or missing.
    BadPassword,
}
