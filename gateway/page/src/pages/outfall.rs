//! One outfall, as the code on its sign opens it: how it is, what its devices say today, its dossier (一口一档), and the proof that
//! the platforms have it.

use evidence::dossier::facts;
use journal::Registered;
use record::{OutfallCode, SourceId};

use super::{Asked, alarms, charts, home, page, receipts, state};
use crate::Lang;
use crate::alarms::Standing;
use crate::html::{Html, segment};
use crate::tally::Span;

/// Most pictures, each some 3 kB.
const PICTURES_MAX: usize = 6;
/// Most bytes of the dossier.
const DOSSIER_BYTES_MAX: usize = 24_000;

/// The page of an outfall. None if there is no such outfall, or it is not shown.
pub fn outfall(asked: &Asked<'_>, code: &OutfallCode) -> Option<String> {
    let registered = asked.known.register.get(code).filter(|_| asked.config.shows(Some(code)))?;
    let name = registered.dossier.as_ref().map_or(code.as_str(), |(_, version)| version.dossier.name.as_str());
    Some(page(asked, &format!("/outfall/{}", segment(code.as_str())), name, |html| {
        html.element("h1", name)
            .raw("<p class=\"muted\">")
            .text(asked.pick("outfall ", "排污口编码 "))
            .text(code.as_str());
        html.raw("</p>\n");
        let devices = registered.devices();
        let stands = |source: &str| devices.iter().any(|device| device.as_str() == source);
        let (standing, certain) = asked.known.standing(asked.config);
        let own: Vec<Standing> = standing.into_iter().filter(|alarm| stands(&alarm.source)).collect();
        state::banner(html, asked, own.iter().filter(|alarm| alarm.is_urgent()).count(), certain);
        alarms::standing(html, asked, &own, certain);
        home::devices(html, asked, devices, 12_000);
        pictures(html, asked, devices);
        alarms::steps(html, asked, |step| stands(step.alarm.source.as_str()));
        dossier(html, asked, registered);
        receipts::section(html, asked);
    }))
}

/// The last day of what its devices measure, as much as fits; the devices' own pages have the rest.
fn pictures(html: &mut Html, asked: &Asked<'_>, devices: &[SourceId]) {
    let measured = devices.iter().filter_map(|source| Some((source, asked.known.tally.device(source)?)));
    let all: Vec<_> = measured.flat_map(|(source, all)| all.iter().map(move |one| (source, one))).collect();
    if all.is_empty() {
        return;
    }
    html.element("h2", asked.pick("Last day", "最近一天")).raw("<div class=\"pair\">\n");
    for (source, ((quantity, unit), series)) in all.iter().take(PICTURES_MAX) {
        let of = charts::heading(asked, quantity, unit);
        html.raw("<section class=\"card\"><h3>").link(&asked.device_href(source.as_str()), source.as_str()).text(" · ");
        html.text(&of).raw("</h3>");
        charts::picture(html, asked, &format!("{source} {of}"), series, Span::Day, unit);
        html.raw("</section>\n");
    }
    html.raw("</div>\n");
    asked.left_out(html, all.len().saturating_sub(PICTURES_MAX));
}

fn dossier(html: &mut Html, asked: &Asked<'_>, registered: &Registered) {
    html.element("h2", asked.pick("Dossier", "一口一档")).raw("\n");
    let Some((told, version)) = &registered.dossier else {
        html.element("p", asked.pick("It has no dossier yet.", "尚未建档。")).raw("\n");
        return;
    };
    let since = match asked.lang {
        Lang::En => format!("Version {}, journaled {}.", version.version, asked.when(told.wall_ms)),
        Lang::Zh => format!("第 {} 版，入档时间 {}。", version.version, asked.when(told.wall_ms)),
    };
    html.element("p class=\"muted\"", &since).raw("<dl>");
    // What its sign may not show, nobody here does.
    let facts = facts(&version.dossier.public());
    let rows = facts.into_iter().map(|fact| {
        let mut piece = Html::new();
        let [english, chinese] = &fact.value;
        piece.raw("<div>").element("dt", asked.lang.pick(fact.english, fact.chinese));
        piece.element("dd", asked.lang.pick(english, chinese)).raw("</div>");
        piece
    });
    let left_out = html.within(DOSSIER_BYTES_MAX, rows);
    html.raw("</dl>\n");
    asked.left_out(html, left_out);
}
