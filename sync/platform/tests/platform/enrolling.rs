//! Boxes that come in by a code: once, with their own key, and no one else.

use batch::{BoxId, Enrolled, Enrolment, EnrolmentCode, SigningKey};
use platform::{EnrolmentError, invite};
use record::UnixMs;

use crate::world::{Answer, BOX, World, batch, config, readings};

const GUEST: &str = "outfall-9";

fn guest() -> BoxId {
    BoxId::new(GUEST).unwrap()
}

fn now() -> UnixMs {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    UnixMs(i64::try_from(since.as_millis()).unwrap())
}

impl World {
    fn invite(&self, hours: u32, now: UnixMs) -> EnrolmentCode {
        invite(&config(self.folder.path(), ""), &guest(), hours, now).unwrap()
    }

    async fn enrol(&self, key: &SigningKey, code: &EnrolmentCode) -> Answer {
        self.post("/v1/enrolments", Enrolment::new(guest(), key.public(), code).sign(key)).await
    }

    /// Whether a batch of the guest, signed with this key, is taken.
    async fn delivers(&self, key: &SigningKey) -> u16 {
        let mut of_guest = batch(vec![readings(0, "1")]);
        of_guest.box_id = guest();
        let sealed = of_guest.seal(key).unwrap();
        self.put_at(&format!("/v1/boxes/{GUEST}/batches/{}", sealed.id), sealed.bytes).await.status.as_u16()
    }
}

#[tokio::test]
async fn a_code_lets_one_key_in_and_tells_what_to_pin() {
    let world = World::new().await;
    let (key, thief) = (SigningKey::from_seed(&[5; 32]), SigningKey::from_seed(&[6; 32]));
    assert_eq!(world.delivers(&key).await, 403);
    let code = world.invite(1, now());
    let answer = world.enrol(&key, &code).await;
    assert_eq!(answer.status, 200);
    let enrolled = Enrolled::verify(&answer.bytes, &code).unwrap();
    assert_eq!((enrolled.box_id, enrolled.box_key), (guest(), key.public()));
    assert_eq!((enrolled.platform.as_str(), enrolled.key), ("city", world.running.public_key()));
    let pem = std::fs::read_to_string(world.running.state_dir().tls_cert()).unwrap();
    let der = reqwest::Certificate::from_der(&enrolled.certificate).is_ok();
    assert!(der && pem.contains("BEGIN CERTIFICATE"));
    assert_eq!(world.delivers(&key).await, 201);
    // The answer was lost on the way, and somebody else has seen the code.
    assert_eq!(world.enrol(&key, &code).await.status, 200);
    assert_eq!(world.enrol(&thief, &code).await.refusal(), (409, "code_used".into()));
    assert_eq!(world.delivers(&thief).await, 403);

    let world = world.restart().await;
    assert_eq!(world.delivers(&key).await, 200, "the same batch, the same key");
    // The box was lost; its successor has another key, and the old one counts no more.
    let code = world.invite(1, now());
    assert_eq!(world.enrol(&thief, &code).await.status, 200);
    assert_eq!(world.delivers(&key).await, 403);
}

#[tokio::test]
async fn whoever_was_not_asked_in_stays_outside() {
    let world = World::new().await;
    let key = SigningKey::from_seed(&[5; 32]);
    let platform = world.running.public_key();
    let guessed = EnrolmentCode::new([0; EnrolmentCode::SECRET_BYTES], &platform);
    assert_eq!(world.enrol(&key, &guessed).await.refusal(), (403, "not_invited".into()));
    let late = world.invite(1, UnixMs(now().0 - 3_600_001));
    assert_eq!(world.enrol(&key, &late).await.refusal(), (403, "not_invited".into()));
    let earlier = world.invite(1, now());
    let code = world.invite(1, now());
    for wrong in [&guessed, &late, &earlier] {
        assert_eq!(world.enrol(&key, wrong).await.refusal(), (403, "not_invited".into()));
    }
    let wish = Enrolment::new(guest(), key.public(), &code).sign(&key);
    for at in 0..wish.len() {
        let mut flipped = wish.clone();
        flipped[at] ^= 1;
        assert!(world.post("/v1/enrolments", flipped).await.status.is_client_error(), "byte {at}");
    }
    // Names that a path could take for something else.
    for name in ["..", ".", "a.toml"] {
        let wish = Enrolment::new(BoxId::new(name).unwrap(), key.public(), &code).sign(&key);
        assert_eq!(world.post("/v1/enrolments", wish).await.refusal(), (403, "not_invited".into()), "{name}");
    }
    let configured = Enrolment::new(BoxId::new(BOX).unwrap(), key.public(), &code).sign(&key);
    assert_eq!(world.post("/v1/enrolments", configured).await.refusal(), (409, "box_configured".into()));
    let refused = invite(&config(world.folder.path(), ""), &BoxId::new(BOX).unwrap(), 1, now());
    assert!(matches!(refused, Err(EnrolmentError::Configured(_))));
    assert_eq!(world.delivers(&key).await, 403);
    assert_eq!(world.post("/v1/enrolments", vec![0; 17_000]).await.refusal(), (413, "too_large".into()));
    let batch = batch(vec![readings(0, "1")]).seal(&key).unwrap();
    assert_eq!(world.post("/v1/enrolments", batch.bytes).await.status, 400);
}
