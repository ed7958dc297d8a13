//! Who may connect, and with which topics: asked once a connection.

use std::fmt;
use std::sync::Arc;

use crate::Filter;
use crate::router::routable;

/// The device table as the edge sees it.
///
/// Called on an async worker for each CONNECT: an implementation answers from memory, within microseconds, and
/// compares passwords in constant time. What takes longer it hands back as [`Proof::Costly`].
pub trait Directory: Send + Sync {
    /// The device behind these credentials. `client_id` is 1 to 64 characters of `[A-Za-z0-9_.-]`.
    ///
    /// The edge itself demands that `client_id`, user name (or a name of the certificate) and [`Device::name`] are
    /// equal, so that whoever takes over a session has proved to be that device.
    ///
    /// # Errors
    /// [`Refusal::UnknownDevice`] if no such device is configured, [`Refusal::BadPassword`] if the secret is wrong or
    /// missing. The client is told the same in both cases; the counters tell them apart.
    fn authenticate(&self, client_id: &str, credentials: Credentials<'_>) -> Result<Proof, Refusal>;
}

/// What a client proves itself with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Credentials<'a> {
    /// A certificate that the listener's client CA signed and that names `client_id`.
    Certificate,
    /// User name and password of CONNECT.
    Login {
        /// User name, if there was one; never empty.
        user: Option<&'a str>,
        /// Password, if there was one; never empty.
        password: Option<&'a [u8]>,
    },
}

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate => f.write_str("Certificate"),
            Self::Login { user, .. } => f.debug_struct("Login").field("user", user).finish_non_exhaustive(),
        }
    }
}

/// A proof that takes time.
pub type CostlyProof = Box<dyn FnOnce() -> Result<Device, Refusal> + Send>;

/// How a client is proved to be its device.
pub enum Proof {
    /// It is.
    Given(Device),
    /// Whether it is must be computed (a password hash). The edge does so beside its workers, few at a time.
    Costly(CostlyProof),
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(device) => f.debug_tuple("Given").field(device).finish(),
            Self::Costly(_) => f.write_str("Costly(..)"),
        }
    }
}

/// An authenticated device and the topics it may use. A device proper has exact ones; an integration, which speaks for
/// many devices, has sets of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The name in the device table.
    pub name: Arc<str>,
    /// Topics it may publish to.
    pub publish: Vec<Filter>,
    /// The topics on which it gets what [`Edge::send`](crate::Edge::send) sends, and nothing else.
    pub command: Option<Filter>,
    /// Further topics it may subscribe to: copies of what others publish, and [`Edge::publish`](crate::Edge::publish).
    pub subscribe: Vec<Filter>,
}

impl Device {
    /// The topic as the device may publish to it; a longer one than `topic_bytes_max` is nobody's.
    pub(crate) fn may_publish(&self, topic: &[u8], topic_bytes_max: usize) -> Option<Arc<str>> {
        let topic = std::str::from_utf8(topic).ok().filter(|topic| topic.len() <= topic_bytes_max)?;
        let own = self.publish.iter().find(|own| own.matches(topic))?;
        match own.is_exact() {
            true => Some(Arc::clone(own.text())),
            false => routable(topic).then(|| topic.into()),
        }
    }

    /// True if the device may subscribe to this filter.
    pub(crate) fn may_subscribe(&self, asked: &str) -> bool {
        self.command.iter().chain(&self.subscribe).any(|own| own.grants(asked))
    }

    /// True if sets of topics are among those it may subscribe to: then it may use wildcards.
    pub(crate) fn has_wildcards(&self) -> bool {
        self.command.iter().chain(&self.subscribe).any(|own| !own.is_exact())
    }
}

/// Why a client is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No device of this name is in the table.
    UnknownDevice,
    /// The device is known, its secret is wrong or missing.
    BadPassword,
}
