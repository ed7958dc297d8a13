//! What robots get, and how they are understood.

use record::UnixMs;

use crate::text::Worded;
use crate::webhook::{Form, Secret, outcome, request, signature};
use crate::{Outcome, Person};

fn worded() -> Worded {
    let people =
        vec![Person { name: "张三".into(), mobile: Some("13800000000".into()), userid: Some("zhangsan".into()) }];
    Worded { title: "title".into(), lines: vec!["line".into()], people }
}

fn secret() -> Secret {
    Secret { key: Some("KEY".into()), sign: Some("SEC1".into()), user: None }
}

#[test]
fn each_robot_gets_its_form() {
    let made = |form| request(form, &worded(), None, "box-1", &secret(), UnixMs(1_700_000_000_123));
    let wecom = made(Form::Wecom);
    assert_eq!(wecom.query, [("key", "KEY".to_owned())]);
    assert_eq!(wecom.body.to_string(), r#"{"markdown":{"content":"title\nline\n<@zhangsan>"},"msgtype":"markdown"}"#);
    let dingtalk = made(Form::Dingtalk);
    // By Python: base64(hmac.new(b"SEC1", b"1700000000123\nSEC1", sha256).digest()).
    let sign = "LtwRhnP04fXYO09uCgUpnz/3dV0OxcApXKnTCuuaVBQ=".to_owned();
    let timestamp = "1700000000123".to_owned();
    assert_eq!(dingtalk.query, [("access_token", "KEY".to_owned()), ("timestamp", timestamp), ("sign", sign)]);
    assert_eq!(dingtalk.body["markdown"]["text"], "title\n\nline\n\n@13800000000");
    assert_eq!(dingtalk.body["at"]["atMobiles"][0], "13800000000");
    let json = made(Form::Json);
    assert_eq!((json.bearer.as_deref(), json.query.len()), (Some("KEY"), 0));
    assert_eq!((&json.body["test"], &json.body["box"]), (&true.into(), &"box-1".into()));
    assert_ne!(signature(UnixMs(1), "a"), signature(UnixMs(2), "a"));
}

#[test]
fn a_robot_has_it_only_by_its_own_word() {
    let check = |form, status, body: &str, expected: &str| {
        let said = match outcome(form, status, body.as_bytes()) {
            Outcome::Delivered => "delivered".to_owned(),
            Outcome::Failed { why } => format!("failed: {why}"),
            Outcome::InDoubt { why } => format!("in doubt: {why}"),
        };
        assert_eq!(said, expected);
    };
    check(Form::Wecom, 200, r#"{"errcode":0,"errmsg":"ok"}"#, "delivered");
    check(
        Form::Dingtalk,
        200,
        r#"{"errcode":310000,"errmsg":"sign\n not match"}"#,
        "failed: errcode 310000: sign not match",
    );
    check(Form::Wecom, 200, "<html>", "failed: the answer has no errcode");
    check(Form::Wecom, 404, r#"{"errcode":0}"#, "failed: HTTP 404");
    check(Form::Json, 204, "", "delivered");
    check(Form::Json, 302, "", "failed: HTTP 302");
    check(Form::Json, 503, "", "in doubt: HTTP 503");
    check(Form::Dingtalk, 500, r#"{"errcode":0}"#, "in doubt: HTTP 500");
}

#[test]
fn a_secret_is_shown_nowhere() {
    assert_eq!(format!("{:?}", secret()), "Secret");
    assert_eq!(secret().hidden_in("failed at ?key=KEY with SEC1"), "failed at ?key=*** with ***");
}
