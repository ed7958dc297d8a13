//! The guide in a terminal of 80 columns: what it asks, in both languages, and that it asks a finished box nothing.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use system_tests::config::BOX;
use system_tests::{Daemon, Peer, World, until, weir_binary};

use super::{codes, fresh};

/// Starts both daemons once setup waits for them, as somebody at another terminal does.
fn start_daemons(dir: &Path) -> [Daemon; 2] {
    let has = |name: &str, text: &str, count: usize| {
        let read = fs::read_to_string(dir.join(name)).unwrap_or_default();
        (read.matches(text).count() == count).then_some(())
    };
    until("the sensor is in the table", 60, || has("devices.toml", "name = \"ph-1\"", 1));
    let gateway = Daemon::start("gateway", &dir.join("gateway.toml"), dir);
    until("both platforms know the box", 60, || has("sync.toml", "[[destination]]", 2));
    [gateway, Daemon::start("sync", &dir.join("sync.toml"), dir)]
}

fn guide(world: &World, lang: &str, steps: &[String]) -> Value {
    let dirs = [world.path("state"), world.path("run")].map(|dir| dir.display().to_string());
    let peer = steps.iter().fold(Peer::new("terminal.py"), |peer, step| peer.with("--step", step));
    let program = weir_binary().display().to_string();
    let all = ["--", &program, "--state-dir", &dirs[0], "--run-dir", &dirs[1], "--lang", lang, "setup", "--config-dir"];
    peer.args(all).args([world.config_dir()]).run().exits(0).summary().clone()
}

fn asks(lang: &str, questions: [&str; 10], shown: [&str; 3]) {
    let world = fresh();
    let [municipal, provincial] = codes(&world);
    let urls = [0, 1].map(|at: usize| format!("127.0.0.1:{}", world.platforms[at].port));
    let typed = [
        // A slip is asked again.
        format!("two words\\n{BOX}\\n"),
        format!("{}\\n", urls[0]),
        format!("{}\\n", municipal.to_lowercase()),
        format!("{}\\n", urls[1]),
        format!("{provincial}\\n"),
        "\\n".to_owned(),
        "ph-1\\n".to_owned(),
        "\\n".to_owned(),
        "\\n".to_owned(),
        "\\n".to_owned(),
    ];
    let pairs =
        questions.iter().zip(typed).flat_map(|(question, typed)| [format!("see:{question}"), format!("type:{typed}")]);
    let more = [format!("see:{}", shown[0]), "type:\\n".to_owned(), format!("see:{}", shown[1]), "end:0".to_owned()];
    let steps: Vec<String> = pairs.chain(more).collect();
    let dir = PathBuf::from(world.config_dir());
    let (summary, daemons) = std::thread::scope(|scope| {
        let daemons = scope.spawn(|| start_daemons(&dir));
        (guide(&world, lang, &steps), daemons.join().unwrap())
    });
    let keys = summary["keys"].as_u64().unwrap();
    let platforms: usize = urls.iter().map(String::len).sum::<usize>() + municipal.len() + provincial.len();
    eprintln!("{lang}: {keys} keys, {platforms} of them addresses and codes; {} bytes on the line", summary["bytes"]);
    for party in &world.platforms {
        assert!(party.audits().iter().any(|(act, .., reason)| act == "self_tested" && reason == "weir setup"));
    }
    // A finished box is asked nothing.
    let again = guide(&world, lang, &[format!("see:{}", shown[2]), "end:0".to_owned()]);
    assert_eq!(again["keys"], 0);
    drop(daemons);
}

#[test]
fn the_guide_asks_in_english() {
    let questions = [
        "Box name",
        "Platform URL",
        "Its code",
        "one more platform",
        "Its code",
        "one more platform",
        "first sensor",
        "m MQTT",
        "Codec [senml_json]",
        "dossier",
    ];
    asks("en", questions, ["Is this right?", "steps done", "nothing was to be done"]);
}

#[test]
fn the_guide_asks_in_chinese() {
    let questions = [
        "站名",
        "平台地址",
        "登记码",
        "下一个平台",
        "登记码",
        "下一个平台",
        "第一个传感器",
        "通信方式",
        "解码方式 [senml_json]",
        "排口档案文件",
    ];
    asks("zh", questions, ["以上是否正确", "本次完成", "本机已配置完成"]);
}
