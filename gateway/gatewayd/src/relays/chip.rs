//! Lines of the GPIO character device (`/dev/gpiochip*`, uAPI v2).

use std::path::PathBuf;

use gpiocdev::line::{Offset, Value};
use gpiocdev::{Request, chip};

use crate::config::{LineName, Relay};

/// What the kernel shows as the holder of a line (`gpioinfo`).
const CONSUMER: &str = "weir";

/// How lines are got hold of.
pub(super) trait Wiring: Send + 'static {
    /// A line that is taken. What is dropped is given back.
    type Line: Line;

    /// Takes a line, off.
    fn open(&self, relay: &Relay) -> Result<Self::Line, LineError>;
}

/// A line that is taken.
pub(super) trait Line: Send {
    /// Switches it.
    fn set(&mut self, on: bool) -> Result<(), LineError>;
}

/// Why a line cannot be switched.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// There are no chips to look for it on, or none has it.
    #[error("no GPIO chip has a line `{line}` · try: gpioinfo; as root if it is there")]
    NoLine {
        /// As configured.
        line: String,
    },
    /// No chip has this name or label.
    #[error("there is no GPIO chip `{chip}` · try: gpiodetect; as root if it is there")]
    NoChip {
        /// As configured.
        chip: String,
    },
    /// The kernel does not give it.
    #[error(
        "failed to take line {line} of {chip} · try: gpioinfo (somebody else may hold it), ls -l {chip}, and the unit's \
         drop-in for boxes with relays"
    )]
    Take {
        /// The file of the chip.
        chip: String,
        /// The line's number.
        line: Offset,
        /// The cause.
        source: gpiocdev::Error,
    },
    /// The kernel does not switch it.
    #[error("failed to switch the line · try: dmesg")]
    Switch(#[source] gpiocdev::Error),
}

/// The kernel's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gpio;

impl Wiring for Gpio {
    type Line = Request;

    fn open(&self, relay: &Relay) -> Result<Request, LineError> {
        let (chip, line) = find(relay)?;
        let mut wanted = Request::builder();
        wanted.on_chip(&chip).with_consumer(CONSUMER).with_line(line);
        if relay.active_low {
            wanted.as_active_low();
        }
        // Direction and value are set in one call, so that it is never on in between.
        let taken = wanted.as_output(Value::Inactive).request();
        taken.map_err(|source| LineError::Take { chip: chip.display().to_string(), line, source })
    }
}

impl Line for Request {
    fn set(&mut self, on: bool) -> Result<(), LineError> {
        let value = if on { Value::Active } else { Value::Inactive };
        self.set_lone_value(value).map_err(LineError::Switch)
    }
}

/// The chip's file, and the number of the line on it.
fn find(relay: &Relay) -> Result<(PathBuf, Offset), LineError> {
    let no_line = || LineError::NoLine { line: relay.line.to_string() };
    let Some(wanted) = relay.chip.as_deref() else {
        let found = gpiocdev::find_named_line(&relay.line.to_string()).ok_or_else(no_line)?;
        return Ok((found.chip, found.info.offset));
    };
    let path = chip_path(wanted).ok_or_else(|| LineError::NoChip { chip: wanted.to_owned() })?;
    match &relay.line {
        LineName::Offset(offset) => Ok((path, *offset)),
        LineName::Name(name) => {
            let line = chip::Chip::from_path(&path).ok().and_then(|chip| chip.find_line_info(name));
            line.map(|line| (path, line.offset)).ok_or_else(no_line)
        }
    }
}

/// The file of a chip by its path, name or label. Numbers of chips change with the kernel; labels stay.
fn chip_path(wanted: &str) -> Option<PathBuf> {
    let is_wanted = |path: &PathBuf| {
        path.as_os_str() == wanted
            || path.file_name().is_some_and(|name| name == wanted)
            || chip::Chip::from_path(path).and_then(|chip| chip.info()).is_ok_and(|info| info.label == wanted)
    };
    chip::chips().ok()?.into_iter().find(is_wanted)
}
