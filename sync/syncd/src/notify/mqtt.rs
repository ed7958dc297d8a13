//! An MQTT broker as a channel: one connection for each message, which the broker has once it says PUBACK.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use notify::Outcome;
use notify::mqtt::{Answer, DISCONNECT, connect, is_taken, let_in, publish};
use notify::webhook::Secret;
use reqwest::Url;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Ports by the URL's scheme, as IANA has them.
const PORT: u16 = 1883;
const PORT_TLS: u16 = 8883;
/// How long a broker waits for a sign of life: longer than any message takes.
const KEEP_ALIVE_S: u16 = 120;

/// A broker, and where it is told.
#[derive(Debug)]
pub(super) struct Broker {
    pub(super) host: String,
    pub(super) port: u16,
    /// None on the box itself alone.
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) topic: String,
    pub(super) secret: Secret,
}

/// How far it came before it failed.
enum Failure {
    Before(String),
    After(String),
}

/// Host and port of `mqtts://HOST[:PORT]`, or of `mqtt://` on the box itself; what it says is not for every wire to hear.
pub(super) fn address(url: &Url) -> Option<(String, u16, bool)> {
    let is_tls = url.scheme() == "mqtts";
    let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
    let is_here = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    let is_bare = matches!(url.path(), "" | "/")
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty();
    let is_safe = is_tls || (url.scheme() == "mqtt" && is_here);
    let port = url.port().unwrap_or(if is_tls { PORT_TLS } else { PORT });
    (is_bare && is_safe && !host.is_empty()).then_some((host, port, is_tls))
}

impl Broker {
    /// Publishes it once.
    pub(super) async fn tell(&self, (box_id, channel): (&str, &str), payload: &[u8], timeout: Duration) -> Outcome {
        let mut has_left = false;
        let told = tokio::time::timeout(timeout, self.reach((box_id, channel), payload, &mut has_left)).await;
        let late = || format!("no answer within {} s", timeout.as_secs());
        match told.unwrap_or_else(|_| Err(if has_left { Failure::After(late()) } else { Failure::Before(late()) })) {
            Ok(()) => Outcome::Delivered,
            Err(Failure::Before(why)) => Outcome::Failed { why: self.secret.hidden_in(&why) },
            Err(Failure::After(why)) => Outcome::InDoubt { why: self.secret.hidden_in(&why) },
        }
    }

    async fn reach(&self, names: (&str, &str), payload: &[u8], has_left: &mut bool) -> Result<(), Failure> {
        let before = |error: std::io::Error| Failure::Before(format!("failed to reach {}: {error}", self.host));
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(before)?;
        let Some(tls) = &self.tls else { return self.converse(tcp, names, payload, has_left).await };
        let name = ServerName::try_from(self.host.clone()).map_err(|error| Failure::Before(error.to_string()))?;
        let stream = TlsConnector::from(tls.clone()).connect(name, tcp).await.map_err(before)?;
        self.converse(stream, names, payload, has_left).await
    }

    async fn converse(
        &self,
        mut stream: impl AsyncRead + AsyncWrite + Unpin,
        names: (&str, &str),
        payload: &[u8],
        has_left: &mut bool,
    ) -> Result<(), Failure> {
        let before = |error: std::io::Error| Failure::Before(error.to_string());
        let after = |error: std::io::Error| Failure::After(error.to_string());
        let login = self.secret.user.as_deref().zip(self.secret.key.as_deref());
        let mut answer = Answer::default();
        stream.write_all(&connect(names, login, KEEP_ALIVE_S)).await.map_err(before)?;
        stream.flush().await.map_err(before)?;
        stream.read_exact(&mut answer).await.map_err(before)?;
        let_in(answer).map_err(|why| Failure::Before(why.to_owned()))?;
        *has_left = true;
        stream.write_all(&publish(&self.topic, payload)).await.map_err(after)?;
        stream.flush().await.map_err(after)?;
        stream.read_exact(&mut answer).await.map_err(after)?;
        if !is_taken(answer) {
            return Err(Failure::After("the broker did not confirm it".to_owned()));
        }
        // It has it, whatever becomes of the connection.
        drop(stream.write_all(&DISCONNECT).await);
        drop(stream.shutdown().await);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_box_itself_is_spoken_to_in_the_clear() {
        let of = |url: &str| Url::parse(url).ok().and_then(|url| address(&url));
        assert_eq!(of("mqtts://bus.example.cn"), Some(("bus.example.cn".into(), 8883, true)));
        assert_eq!(of("mqtt://127.0.0.1:1884"), Some(("127.0.0.1".into(), 1884, false)));
        assert_eq!(of("mqtt://[::1]"), Some(("::1".into(), 1883, false)));
        for wrong in [
            "mqtt://bus.example.cn",
            "mqtt://10.0.0.1",
            "https://bus.example.cn",
            "mqtts://li:pw@bus",
            "mqtts://bus/a",
            "mqtts://",
        ] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
