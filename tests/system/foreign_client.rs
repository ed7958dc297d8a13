//! The platform in front of clients that nobody here wrote: a box in Python, made from the OpenAPI and the CDDL alone,
//! and schemathesis, which tries what the OpenAPI allows and what it does not.

use std::process::Command;

use batch::SigningKey;
use system_tests::config::BOX;
use system_tests::{Answer, Party, Peer, tools};

/// The key of the box in Python.
const SEED: [u8; 32] = [0x5a; 32];

/// A platform that knows the box in Python, in a folder of its own.
fn platform(folder: &tempfile::TempDir) -> Party {
    let key = SigningKey::from_seed(&SEED).public().to_string();
    Party::start("municipal", folder.path(), Some(&key))
}

/// The box in Python, with so many batches of what this seed gives.
fn client(party: &Party, batches: u64, random: u64) -> Peer {
    Peer::new("platform_client.py")
        .with("--url", format!("https://127.0.0.1:{}", party.port))
        .with("--ca", party.state.tls_cert().display())
        .with("--platform-key", party.public_key())
        .with("--box", BOX)
        .with("--seed", hex::encode(SEED))
        .with("--batches", batches)
        .with("--random", random)
}

#[test]
fn a_box_written_from_the_descriptions_alone_delivers_and_is_refused_as_described() {
    let folder = tempfile::TempDir::with_prefix("weir-").unwrap();
    let party = platform(&folder);
    let told = client(&party, 20, 1).run().exits(0);
    assert_eq!(party.seqs(), (0..told.number("records")).collect::<Vec<_>>(), "each record once");
    assert_eq!(party.rows().len() as u64, told.number("readings"));
    assert_eq!(told.number("refused"), 23, "each code that the description has, but those of a platform in trouble");
    let status = party.get("/v1/status");
    assert_eq!(status["repeated"], told.number("batches"), "each batch came twice");
}

#[test]
fn schemathesis_finds_no_answer_that_is_not_described() {
    let seconds: u64 = std::env::var("WEIR_API_SECONDS").map_or(40, |text| text.parse().expect("WEIR_API_SECONDS"));
    let folder = tempfile::TempDir::with_prefix("weir-").unwrap();
    let mut party = platform(&folder);
    // Something to read, and to refer to.
    client(&party, 5, 2).run().exits(0);
    let held = (party.seqs(), party.rows());
    let peers = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
    let mut command = Command::new(tools("schemathesis/bin/schemathesis"));
    command.current_dir(folder.path()).env("PYTHONPATH", &peers);
    command.arg("--config-file").arg(peers.join("schemathesis.toml"));
    command.arg("run").arg(format!("https://127.0.0.1:{}/openapi.json", party.port));
    command.arg("--tls-verify").arg(party.state.tls_cert());
    command.args(["--seed", "1", "--continue-on-failure", "--max-time", &seconds.to_string()]);
    let answer = Answer::of(&mut command);
    assert_eq!(answer.code, Some(0), "{}\n{}", answer.out, answer.err);
    assert!(answer.out.contains("21 selected"), "every operation is tried: {}", answer.out);
    assert_eq!(held, (party.seqs(), party.rows()), "what was tried changed what is held");
    party.restart();
    assert_eq!(party.get("/healthz")["status"], "ok");
}
