//! The forms in which robots take a message, and how they say that they have it.
//!
//! | form | request | has it |
//! |---|---|---|
//! | WeCom (企业微信群机器人) | `POST …/cgi-bin/webhook/send?key=KEY`, `{"msgtype":"markdown","markdown":{"content":TEXT}}` | 200 and `"errcode":0` |
//! | DingTalk (钉钉自定义机器人) | `POST …/robot/send?access_token=TOKEN&timestamp=MS&sign=SIGN`, `{"msgtype":"markdown","markdown":{"title":…,"text":…},"at":{…}}` | 200 and `"errcode":0` |
//! | JSON | `POST`, `{"box":…,"test":…,"count":…,"text":…,"people":[…],"alarms":[…]}`, `Authorization: Bearer KEY` | 2xx |
//!
//! `SIGN` is base64 of HMAC-SHA256 over `MS`, a line break and the secret, with the secret as key; it and `timestamp` are
//! left out where the robot has no secret.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use record::UnixMs;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::text::Worded;
use crate::{Message, Outcome};

/// Longest reason of a robot that is kept, in characters.
const WHY_CHARS_MAX: usize = 200;

/// Which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// 企业微信。
    Wecom,
    /// 钉钉。
    Dingtalk,
    /// A receiver that follows the table above.
    Json,
}

/// What only the robot and the box know. It is shown nowhere.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// WeCom's `key`, DingTalk's `access_token`, a receiver's bearer token.
    pub key: Option<String>,
    /// DingTalk's secret for signing, `SEC…`.
    pub sign: Option<String>,
    /// Who an MQTT broker takes the box for; `key` is the password.
    pub user: Option<String>,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// A text without it.
    pub fn hidden_in(&self, text: &str) -> String {
        let secrets = [&self.key, &self.sign].into_iter().flatten().filter(|secret| !secret.is_empty());
        secrets.fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "***"))
    }
}

/// What is sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// Added to the URL; the values are not escaped yet.
    pub query: Vec<(&'static str, String)>,
    /// For `Authorization: Bearer`.
    pub bearer: Option<String>,
    /// `application/json`.
    pub body: Value,
}

/// The request with this message; without `message` it is a test. `now` is what the robot compares its own clock with.
pub fn request(
    form: Form,
    worded: &Worded,
    message: Option<&Message>,
    box_id: &str,
    secret: &Secret,
    now: UnixMs,
) -> Request {
    let people = &worded.people;
    match form {
        Form::Wecom => {
            let calls: Vec<String> =
                people.iter().filter_map(|one| one.userid.as_ref()).map(|id| format!("<@{id}>")).collect();
            let mut content = worded.clone();
            content.lines.extend((!calls.is_empty()).then(|| calls.join(" ")));
            let body = json!({ "msgtype": "markdown", "markdown": { "content": content.joined("\n") } });
            Request { query: secret.key.iter().map(|key| ("key", key.clone())).collect(), bearer: None, body }
        }
        Form::Dingtalk => {
            let mobiles: Vec<&String> = people.iter().filter_map(|one| one.mobile.as_ref()).collect();
            let calls: Vec<String> = mobiles.iter().map(|mobile| format!("@{mobile}")).collect();
            let mut content = worded.clone();
            content.lines.extend((!calls.is_empty()).then(|| calls.join(" ")));
            let body = json!({
                "msgtype": "markdown",
                "markdown": { "title": worded.title, "text": content.joined("\n\n") },
                "at": { "atMobiles": mobiles, "isAtAll": false },
            });
            let mut query: Vec<_> = secret.key.iter().map(|key| ("access_token", key.clone())).collect();
            if let Some(sign) = &secret.sign {
                query.push(("timestamp", now.0.to_string()));
                query.push(("sign", signature(now, sign)));
            }
            Request { query, bearer: None, body }
        }
        Form::Json => Request { query: Vec::new(), bearer: secret.key.clone(), body: object(worded, message, box_id) },
    }
}

/// The object that plain receivers and programs get.
pub fn object(worded: &Worded, message: Option<&Message>, box_id: &str) -> Value {
    json!({
        "box": box_id,
        "test": message.is_none(),
        "count": message.map_or(0, |message| message.count),
        "text": worded.joined("\n"),
        "people": worded.people,
        "alarms": message.map(|message| message.parts.as_slice()).unwrap_or_default(),
    })
}

/// DingTalk's proof that the sender knows the secret, before it is escaped for the URL.
pub fn signature(now: UnixMs, secret: &str) -> String {
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        unreachable!("HMAC takes keys of every length")
    };
    let signed = mac.chain_update(format!("{now}\n{secret}")).finalize();
    STANDARD.encode(signed.into_bytes())
}

/// Whether the robot has it, by its answer. An answer that says a machine on the way failed leaves it open.
pub fn outcome(form: Form, status: u16, body: &[u8]) -> Outcome {
    #[derive(Deserialize)]
    struct Said {
        errcode: i64,
        #[serde(default)]
        errmsg: String,
    }
    let failed =
        |why: String| Outcome::Failed { why: why.chars().filter(|c| !c.is_control()).take(WHY_CHARS_MAX).collect() };
    match (form, status) {
        (_, 500..) => Outcome::InDoubt { why: format!("HTTP {status}") },
        (Form::Json, 200..=299) => Outcome::Delivered,
        (Form::Json, _) => failed(format!("HTTP {status}")),
        (Form::Wecom | Form::Dingtalk, 200) => match serde_json::from_slice::<Said>(body) {
            Ok(Said { errcode: 0, .. }) => Outcome::Delivered,
            Ok(Said { errcode, errmsg }) => failed(format!("errcode {errcode}: {errmsg}")),
            Err(_) => failed("the answer has no errcode".to_owned()),
        },
        (Form::Wecom | Form::Dingtalk, _) => failed(format!("HTTP {status}")),
    }
}
