//! Who may look and order nothing: the page for inspectors answers strangers, so a daemon obeys nothing that comes from its user.

use std::fs;

use serde_json::Value;

use crate::server::Uid;

/// The user of `weir-page.service`.
const NAME: &str = "weir-page";
/// What it may ask.
const LOOKING: &str = "status";

/// That user's number, where this machine has it.
pub(crate) fn onlooker() -> Uid {
    number(NAME, &fs::read_to_string("/etc/passwd").unwrap_or_default())
}

/// Why a request is not for whoever asks; none if it may be answered.
pub(crate) fn refused(onlooker: Uid, uid: Uid, request: &Value) -> Option<&'static str> {
    let looks = request.get("do").and_then(Value::as_str) == Some(LOOKING);
    let refused = onlooker.is_some() && uid == onlooker && !looks;
    refused.then_some("the page only looks: it may ask for the status and nothing else")
}

/// The number of a user by passwd(5).
fn number(name: &str, passwd: &str) -> Uid {
    let of = |line: &str| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok())?
    };
    passwd.lines().find_map(of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_page_may_look_and_nothing_else() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nweir-page-2:x:7:7::/:\nweir-page:x:991:985:Weir:/:/usr/sbin/nologin\nbroken\n";
        let page = number(NAME, passwd);
        assert_eq!((page, number("nobody-here", passwd), number("broken", passwd)), (Some(991), None, None));
        let (status, order) = (json!({"do": "status"}), json!({"do": "audit"}));
        for (onlooker, uid, request, is_refused) in [
            (page, page, &status, false),
            (page, page, &order, true),
            (page, page, &json!([]), true),
            (page, Some(1_000), &order, false),
            (page, Some(0), &order, false),
            (None, None, &order, false),
            (None, page, &order, false),
        ] {
            assert_eq!(refused(onlooker, uid, request).is_some(), is_refused, "{onlooker:?} {uid:?} {request}");
        }
    }
}
