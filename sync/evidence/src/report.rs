//! `report.html`: the records for people who read them on paper. One page without scripts or anything from elsewhere,
//! Chinese and English side by side, because the inspector reads one and the bureau's lawyer may ask for the other.
//!
//! It is a pure function of the other parts, so that a verifier makes it anew and compares it byte for byte: nobody can
//! exchange it for one that says something else than the records. Whatever changes a byte of it needs another [`VERSION`];
//! files with another one are not compared, and that is said.

mod aggregates;
mod chart;
mod html;
mod manual;
mod sections;
mod series;

use batch::{Asked, BoxId};
use jiff::tz::Offset;
use record::UnixMs;

use crate::container::Member;
use crate::log::Log;
use crate::readings;
pub use html::escape;

/// Version of the rule that makes it. That of files with dossiers, aggregates or manual entries is no other one: a program that does not know
/// the section does not know such records either.
pub(crate) const VERSION: u32 = 2;
/// How it looks.
const STYLE: &str = include_str!("report.css");
/// China has one time zone.
const OFFSET_HOURS: i8 = 8;

/// The page.
pub(crate) fn of(box_id: &BoxId, asked: &Asked, log: &Log, members: &[Member<'_>]) -> String {
    let title = format!("{} {}", "监测数据证据报告", box_id);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"zh-CN\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n",
        escape(&title)
    );
    let sections = [
        sections::head(box_id, asked, log),
        sections::dossiers(log),
        sections::alarms(log),
        sections::orders(log),
        sections::charts(log),
        aggregates::section(log),
        manual::samples(log),
        manual::patrols(log),
        sections::completeness(asked, log),
        sections::times(asked, log),
        sections::receipts(log, members),
        sections::codecs(log),
        sections::files(members),
        sections::verifying(),
    ];
    page.extend(sections);
    page + "</body>\n</html>\n"
}

/// Beijing time, `2026-11-23 16:00:00.123`; a number that is no time on any calendar is shown as it is.
fn local_time(at: UnixMs) -> String {
    let shown = readings::civil(at, Offset::constant(OFFSET_HOURS));
    shown.map_or_else(|| readings::time(at), |shown| format!("{} {:.3}", shown.date(), shown.time()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_beijing() {
        assert_eq!(local_time(UnixMs(1_777_888_800_120)), "2026-05-04 18:00:00.120");
        assert_eq!(local_time(UnixMs(i64::MAX)), format!("{}ms", i64::MAX));
    }
}
