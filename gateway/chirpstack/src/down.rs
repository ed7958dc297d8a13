//! A command for a device, as ChirpStack takes it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use record::EndDeviceEui;
use serde_json::json;

use crate::uuid;

/// `command/down`: ChirpStack queues it, and sends it when the device listens.
#[derive(Debug, Clone, Copy)]
pub struct Down<'a> {
    /// The command's name: whatever is hashed here becomes the item's UUID, so that ChirpStack, which refuses an id it
    /// has, queues a command once that had to be sent again.
    pub id: &'a [u8],
    /// DevEUI.
    pub dev_eui: EndDeviceEui,
    /// Whether the device must acknowledge it.
    pub confirmed: bool,
    /// 1 to 223.
    pub f_port: u8,
    /// FRMPayload in plain text.
    pub payload: &'a [u8],
}

impl Down<'_> {
    /// The command.
    pub fn to_json(&self) -> String {
        json!({
            "id": uuid(self.id),
            "devEui": self.dev_eui.to_string(),
            "confirmed": self.confirmed,
            "fPort": self.f_port,
            "data": STANDARD.encode(self.payload),
        })
        .to_string()
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_command_as_chirpstack_reads_it() {
        let down = Down {
            id: b"outfall-1/7",
            dev_eui: record::GatewayEui([1; 8]),
            confirmed: true,
            f_port: 10,
            payload: &[10, 60],
        };
        expect![[r#"{"confirmed":true,"data":"Cjw=","devEui":"0101010101010101","fPort":10,"id":"18d90411-8233-8060-a8a2-36c24c0e3a1b"}"#]].assert_eq(&down.to_json());
    }
}
