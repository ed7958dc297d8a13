//! One destination: its core, its connections and its part of the outbox. Nothing of it is shared with another one but
//! the file thread (D4).

mod answer;
mod board;
mod driver;
mod progress;
mod tls;
mod transport;

pub use answer::{Answer, Expected, Raw};
pub(crate) use board::Board;
pub use driver::restore;
pub(crate) use driver::{Decided, Decision, Driver, Signals};
pub use tls::TlsError;
pub(crate) use tls::trusting;
pub use transport::Transport;
use transport::Way;
