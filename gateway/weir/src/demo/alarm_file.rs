//! The evidence file that the demo leaves for its alarm, made and verified as a technician would.

use std::path::PathBuf;
use std::time::Duration;

use evidence::Keys;
use jiff::SignedDuration;
use record::AlarmState;
use serde_json::Value;

use super::console::Console;
use super::error::DemoError;
use super::script::{Reason, Told};
use super::wait::Clock;
use super::world::{World, status};
use crate::error::CommandError;
use crate::evidence::{EvidenceArgs, Made, WindowArgs, make};

/// Its name in the demo's folder.
const NAME: &str = "alarm.evidence";
/// How long it may take until a tree head covers the alarm; the demo's box signs every 5 s.
const SIGNED: Duration = Duration::from_secs(15);

/// How long it may take until the box has the receipts of all that the platforms hold.
const RECEIPTED: Duration = Duration::from_secs(15);

/// What was left.
#[derive(Debug)]
pub(crate) struct AlarmFile {
    /// The file.
    pub(crate) path: PathBuf,
    /// Records in it.
    pub(crate) records: usize,
    /// Receipts in it.
    pub(crate) receipts: usize,
}

/// Makes and verifies it; what is not well becomes a reason. None where there is no alarm, or no file of it.
pub(crate) async fn leave(
    world: &World,
    told: &mut Told,
    console: &Console,
    clock: Clock,
) -> Result<Option<AlarmFile>, DemoError> {
    let raised = told.alarms.iter().flatten().find(|seen| seen.line.to == AlarmState::Unacknowledged.as_str());
    // That there is none is told by others.
    let Some(seq) = raised.map(|seen| seen.line.seq) else { return Ok(None) };
    let socket = world.run_dir().join("gateway.sock");
    let covers = || status(&socket)?.pointer("/journal/checkpoint")?.as_u64().filter(|size| *size > seq);
    let _ = clock.until(SIGNED, covers).await;
    // A platform holds everything a moment before the box has its word for it, and longer where an answer was lost.
    let upload = world.run_dir().join("sync.sock");
    let has_receipts = || {
        let status = status(&upload)?;
        let platforms = status.pointer("/destinations")?.as_array()?;
        let is_done = |one: &Value| one["missing"] == 0 && one["outstanding"] == 0;
        platforms.iter().all(is_done).then_some(())
    };
    let _ = clock.until(RECEIPTED, has_receipts).await;
    let path = world.path().join(NAME);
    let args = EvidenceArgs {
        window: WindowArgs {
            outfall: Vec::new(),
            from: None,
            to: None,
            alarm: Some(seq),
            before: SignedDuration::from_mins(5),
            after: SignedDuration::from_mins(5),
        },
        source: Vec::new(),
        reason: "weir demo".into(),
        out: path.clone(),
        json: false,
    };
    let made = match make(&args, &world.path().join("state"), &world.run_dir()) {
        Ok(made) => made,
        Err(error) => {
            told.reasons.push(not_made(&error));
            return Ok(None);
        }
    };
    let bytes = std::fs::read(&path).map_err(|source| DemoError::Read { path: path.clone(), source })?;
    let platforms = world.platforms.iter().filter_map(|platform| Some((platform.name.parse().ok()?, platform.key)));
    let keys = Keys { box_key: Some(world.box_key), platforms: platforms.collect(), ..Keys::default() };
    if !evidence::verify(&bytes, &keys).holds() {
        let text = path.display();
        told.reasons.push(Reason::new(
            format!("{text} does not hold: weir verify tells"),
            format!("{text} 验证未通过，见 weir verify"),
        ));
    }
    let Made { records, receipts, .. } = made;
    console.say(
        &format!("{NAME}: {records} records of the alarm's time, {receipts} receipts, a report; sealed and verified"),
        &format!("{NAME}：报警时段的 {records} 条记录、{receipts} 份回执及报告，已封印并验证"),
    );
    Ok(Some(AlarmFile { path, records, receipts }))
}

fn not_made(error: &CommandError) -> Reason {
    let error = control::chain(error);
    Reason::new(format!("no evidence of the alarm: {error}"), format!("未能生成报警证据文件：{error}"))
}
