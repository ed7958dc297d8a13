//! What the control socket sees.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use mqtt::Edge;
use record::{MonoMs, Stamp, TimeLine, UnixMs};
use serde_json::{Value, json};

use crate::GatewayConfig;
use crate::board::Board;
use crate::clock::{Clock, ClockView, mono_ms};
use crate::gwmp::{self, LoraView};
use crate::relays;
use crate::serial;
use crate::status::{ClockStatus, ExpressionFaultStatus, InsteadStatus, MqttStatus, SerialStatus, Status};
use crate::strangers;

/// Everything that status is made of. It only looks: the daemon's parts belong to others.
pub(crate) struct View {
    pub(crate) config: GatewayConfig,
    pub(crate) board: Arc<Mutex<Board>>,
    pub(crate) clock: Arc<Mutex<Clock>>,
    pub(crate) edge: Option<Weak<Edge>>,
    pub(crate) lora: Option<LoraView>,
    pub(crate) serial: Vec<Arc<Mutex<SerialStatus>>>,
    pub(crate) lines: relays::Board,
    pub(crate) started: MonoMs,
}

impl View {
    pub(crate) fn answer(&self, request: &Value) -> Result<Value, String> {
        match request.get("do").and_then(Value::as_str) {
            Some("status") => Ok(json!({ "status": self.status() })),
            _ => Err("the gateway knows {\"do\":\"status\"} and the verbs of weir device".into()),
        }
    }

    /// The strangers of the other links, and those of MQTT behind them.
    pub(crate) fn with_mqtt_strangers(&self, mut answer: Value) -> Value {
        let edge = self.edge.as_ref().and_then(Weak::upgrade);
        if let (Some(edge), Some(list)) = (edge, answer.get_mut("strangers").and_then(Value::as_array_mut)) {
            list.extend(strangers::of_edge(&edge));
        }
        answer
    }

    /// The clock, and what it says of earlier stamps of this boot.
    fn clock(&self) -> (ClockStatus, Stamp, TimeLine) {
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        let ClockView { stamp, source, error_ms } = clock.view();
        let shown = ClockStatus {
            wall_ms: stamp.wall_ms.0,
            state: stamp.clock.as_str().into(),
            source: source.map(|source| source.as_str().into()),
            error_ms,
        };
        (shown, stamp, clock.line())
    }

    fn status(&self) -> Status {
        let now = mono_ms();
        let (clock, stamp, line) = self.clock();
        let wall_ms = UnixMs(clock.wall_ms);
        let mqtt = self.edge.as_ref().and_then(Weak::upgrade).map(|edge| mqtt_status(&edge));
        let gwmp = self.lora.as_ref().map(gwmp::status);
        let board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        Status {
            box_id: self.config.file.box_id.to_string(),
            version: env!("CARGO_PKG_VERSION").into(),
            uptime_ms: now.0.saturating_sub(self.started.0),
            clock,
            journal: board.journal.clone(),
            devices: board.show_devices(now),
            alarms: board.show_alarms(&line, wall_ms),
            expression_faults: board.expression_faults.iter().map(ExpressionFaultStatus::from).collect(),
            rules_sha256: board.rules_sha256.clone(),
            rules: board.rules.as_ref().map(|note| note.show(now)),
            config_of: board.files.as_ref().map(|note| note.show(now)),
            config_instead: board.instead.iter().map(InsteadStatus::from).collect(),
            mqtt,
            gwmp,
            serial: serial::status(&self.serial),
            relays: relays::status(&self.config.file.relay, &self.lines, &board.samplers, &stamp),
        }
    }
}

fn mqtt_status(edge: &Edge) -> MqttStatus {
    let counted = edge.counters();
    let now = [("connections_now", counted.connections_now), ("sessions_now", counted.sessions_now)];
    let all = now.into_iter().chain(counted.totals());
    let counters = all.filter(|(_, count)| *count > 0).map(|(name, count)| (name.to_owned(), count)).collect();
    MqttStatus { listen: edge.local_addr().to_string(), counters }
}
