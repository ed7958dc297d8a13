//! A box's key takes the place of its old one by its own word, and a revoked one is taken no more.

use batch::{BoxId, KeyChange, Revocation, SigningKey, Whose};
use platform::revoke;
use record::UnixMs;
use serde_json::{Value, json};

use crate::world::{Answer, BOX, World, batch, box_key, config, readings, seal};

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn signed(whose: &str, old: &SigningKey, new: &SigningKey) -> Vec<u8> {
    let change = KeyChange {
        whose: Whose::Box(BoxId::new(whose).unwrap()),
        old: old.public(),
        new: new.public(),
        number: 1,
        at_ms: UnixMs(1),
        clock: None,
        reason: "yearly".into(),
    };
    change.sign(old, new)
}

impl World {
    async fn change(&self, cose: Vec<u8>) -> Answer {
        self.post(&format!("/v1/boxes/{BOX}/keys"), cose).await
    }

    async fn keys(&self) -> Value {
        self.get(&format!("/v1/boxes/{BOX}/keys")).await.json()
    }

    /// What it answers to a batch of this record, signed with this key.
    async fn sends(&self, seq: u64, key: &SigningKey) -> Answer {
        let sealed = batch(vec![readings(seq, "1")]).seal(key).unwrap();
        self.put(&sealed).await
    }
}

#[tokio::test]
async fn the_old_key_lets_the_new_one_in_and_its_own_batches_still_count() {
    let world = World::new().await;
    let (old, new, newer) = (box_key(), key(5), key(6));
    assert_eq!(world.sends(0, &new).await.refusal(), (403, "unknown_key".into()));
    // Told in whatever order and as often as it likes: the later change means nothing without the earlier one.
    assert_eq!(world.change(signed(BOX, &new, &newer)).await.refusal(), (403, "unknown_key".into()));
    for _ in 0..2 {
        let answer = world.change(signed(BOX, &old, &new)).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"box": BOX, "key": new.public()})));
    }
    assert_eq!(world.sends(0, &new).await.status, 201);
    assert_eq!(world.sends(1, &old).await.status, 201, "it was cut before, and took its time");
    assert_eq!(world.change(signed(BOX, &new, &newer)).await.status, 200);
    let world = world.restart().await;
    assert_eq!(world.sends(2, &newer).await.status, 201);
    assert_eq!(world.sends(1, &old).await.status, 200);
    let keys = world.keys().await;
    assert_eq!(keys["key"], json!(newer.public()));
    assert_eq!(keys["believed"], json!([old.public(), new.public(), newer.public()]));
    assert_eq!(keys["statements"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn nobody_else_changes_a_key() {
    let world = World::new().await;
    let (old, new, thief) = (box_key(), key(5), key(9));
    assert_eq!(world.change(signed(BOX, &thief, &new)).await.refusal(), (403, "unknown_key".into()));
    assert_eq!(world.change(signed("outfall-2", &old, &new)).await.refusal(), (403, "box_mismatch".into()));
    assert_eq!(world.change(b"nothing".to_vec()).await.refusal(), (400, "bad_statement".into()));
    let elsewhere = world.post("/v1/boxes/outfall-2/keys", signed("outfall-2", &old, &new)).await;
    assert_eq!(elsewhere.refusal(), (403, "unknown_box".into()));
    assert_eq!(world.change(signed(BOX, &old, &new)).await.status, 200);
    assert_eq!(world.change(signed(BOX, &old, &thief)).await.refusal(), (409, "key_succeeded".into()));
    assert_eq!(world.sends(0, &thief).await.refusal(), (403, "unknown_key".into()));
    assert_eq!(world.keys().await["key"], json!(new.public()));
}

#[tokio::test]
async fn a_revoked_key_delivers_nothing_more_and_names_no_heir() {
    let world = World::new().await;
    let (stolen, next) = (box_key(), key(5));
    let before = seal(&batch(vec![readings(0, "1")]));
    assert_eq!(world.put(&before).await.status, 201);
    let config = config(world.folder.path(), "");
    let box_id = BoxId::new(BOX).unwrap();
    let now = UnixMs(1_800_000_000_000);
    let future = revoke(&config, &box_id, stolen.public(), UnixMs(now.0 + 1), now, "stolen");
    assert!(future.is_err_and(|error| error.to_string().contains("is not yet")));
    assert!(revoke(&config, &box_id, stolen.public(), now, now, "").is_err(), "a reason is asked for");
    let (says, cose) = revoke(&config, &box_id, stolen.public(), now, now, "stolen").unwrap();
    assert_eq!(Revocation::verify(&cose, &world.running.public_key()).unwrap(), says);
    // Without a restart, and after one.
    let world = {
        assert_eq!(world.sends(1, &stolen).await.refusal(), (403, "key_revoked".into()));
        world.restart().await
    };
    let refused = world.sends(1, &stolen).await;
    assert_eq!(refused.refusal(), (403, "key_revoked".into()));
    let told = refused.json();
    assert!(told["message"].as_str().unwrap().contains("stolen") && told["next"].as_str().unwrap().contains("rotate"));
    assert_eq!(world.put(&before).await.status, 200, "what it had stays, with its receipt");
    assert_eq!(world.change(signed(BOX, &stolen, &next)).await.refusal(), (403, "key_revoked".into()));
    let revoked = &world.keys().await["revoked"][0];
    assert_eq!((&revoked["key"], &revoked["from_ms"]), (&json!(stolen.public()), &json!(now)));
    assert_eq!(revoked["statement"], json!(hex::encode(&cose)));
}
