//! The state on 80 columns and 24 lines, or more. No colours: what matters is bold or reversed, and has words.

use gatewayd::status::DeviceStatus;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Row, Table, TableState, Wrap};

use super::state::{State, View};
use crate::lang::Lang;
use crate::output::age;
use crate::status::{show_alarm, show_budget, show_clock, show_keeping};

/// Marks of a trend beside a device.
const TREND_COLUMNS: usize = 16;

pub(super) fn draw(frame: &mut Frame<'_>, state: &State) {
    let [title, tabs, body, foot] =
        Layout::vertical([Constraint::Length(1), Constraint::Length(1), Constraint::Min(1), Constraint::Length(2)])
            .areas(frame.area());
    frame.render_widget(Line::styled(head(state), Modifier::BOLD), title);
    frame.render_widget(pages(state), tabs);
    match state.view {
        View::Now => draw_now(frame, state, body),
        View::Devices => draw_devices(frame, state, body),
        View::Alarms => draw_alarms(frame, state, body),
        View::Platforms => draw_platforms(frame, state, body),
        View::Live => draw_live(frame, state, body),
        View::Checks => draw_checks(frame, state, body),
    }
    frame.render_widget(Paragraph::new(footer(state)), foot);
}

/// `box outfall-1  weir 0.1.0  2 wrong`
fn head(state: &State) -> String {
    let lang = state.lang;
    let Some(told) = &state.told else {
        return lang.pick("weir: asking the daemons", "weir：正在询问服务").to_owned();
    };
    let name = match (&told.gateway, &told.sync) {
        (Ok(gateway), _) => gateway.box_id.clone(),
        (_, Ok(sync)) => sync.box_id.clone().unwrap_or_default(),
        _ => String::new(),
    };
    let well = match told.wrong.len() {
        0 => lang.pick("all is well", "一切正常").to_owned(),
        count => format!("{count} {}", lang.pick("wrong", "项异常")),
    };
    format!("{} {name}  weir {}  {well}", lang.pick("box", "站点"), env!("CARGO_PKG_VERSION"))
}

fn pages(state: &State) -> Line<'static> {
    let page = |(nth, view): (usize, &View)| {
        let text = format!(" {} {} ", nth + 1, view.title(state.lang));
        let style = if *view == state.view { Style::from(Modifier::REVERSED) } else { Style::default() };
        [Span::styled(text, style), Span::raw(" ")]
    };
    View::ALL.iter().enumerate().flat_map(page).collect::<Vec<_>>().into()
}

fn footer(state: &State) -> Vec<Line<'static>> {
    let lang = state.lang;
    if let Some(asking) = &state.asking {
        let what = lang.pick("What do you know of it?", "情况说明：");
        let keys = lang.pick("Enter acknowledges, Esc does not", "回车确认，Esc 取消");
        return vec![
            Line::styled(format!("{} {}  {what} {}_", asking.rule, asking.source, asking.reason), Modifier::BOLD),
            keys.into(),
        ];
    }
    let keys = lang.pick(
        "1-6 or Tab page  ↑↓ line  a acknowledge  t tail  d checks  r ask now  q leave",
        "1-6/Tab 翻页  ↑↓ 选择  a 确认报警  t 实时  d 自检  r 刷新  q 退出",
    );
    vec![Line::styled(state.done.clone().unwrap_or_default(), Modifier::BOLD), keys.into()]
}

/// What is wrong first, whole; then what to know, the clock, the disk, and each platform in a line.
fn draw_now(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let lang = state.lang;
    let Some(told) = &state.told else { return };
    let wrong = told.wrong.iter().map(|text| Line::styled(format!("! {text}"), Modifier::BOLD));
    let notes = told.notes.iter().map(|text| Line::from(format!("· {text}")));
    let mut lines: Vec<Line<'_>> = wrong.chain(notes).skip(state.cursor).collect();
    if let Some(gateway) = state.gateway() {
        let silent = gateway.devices.values().filter(|device| device.seen_ms_ago.is_none()).count();
        lines.push(show_clock(&gateway.clock, lang).into());
        lines.extend(gateway.journal.keeping.as_ref().map(|keeping| Line::from(show_keeping(keeping, lang))));
        let (records, devices) = (lang.pick("records", "记录"), lang.pick("devices", "设备"));
        let (never, alarms) = (lang.pick("never heard", "从未上报"), lang.pick("alarms", "报警"));
        let (stored, known, standing) = (gateway.journal.records, gateway.devices.len(), gateway.alarms.len());
        lines.push(format!("{records} {stored}  {devices} {known}  {never} {silent}  {alarms} {standing}").into());
    }
    for one in state.sync().iter().flat_map(|sync| &sync.destinations) {
        let receipt = one.last_receipt_ms_ago.map_or_else(|| "-".to_owned(), age);
        let (platform, missing) = (lang.pick("platform", "平台"), lang.pick("missing", "未收"));
        let (way, last) = (lang.pick("on the way", "在途"), lang.pick("last receipt", "最近回执"));
        lines.push(
            format!("{platform} {}  {missing} {}  {way} {}  {last} {receipt}", one.name, one.missing, one.outstanding)
                .into(),
        );
    }
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), area);
}

fn draw_devices(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let lang = state.lang;
    let heading = match lang {
        Lang::En => ["device", "link", "seen", "trend", "last readings"],
        Lang::Zh => ["设备", "链路", "最近", "趋势", "最近读数"],
    };
    let rows = state.gateway().into_iter().flat_map(|gateway| &gateway.devices).map(|(name, device)| {
        let shown = if name.is_empty() { lang.pick("(unknown)", "（未知）") } else { name };
        let seen = device.seen_ms_ago.map_or_else(|| "-".to_owned(), age);
        let trend =
            first_quantity(device).map(|quantity| state.trends.line(name, quantity, TREND_COLUMNS, state.unicode));
        let last = match &device.refusal {
            Some(refusal) if device.readings.is_empty() => refusal.clone(),
            _ => device.readings.join(", "),
        };
        Row::new([shown.to_owned(), device.link.clone(), seen, trend.unwrap_or_default(), last])
    });
    let widths = [
        Constraint::Length(16),
        Constraint::Length(10),
        Constraint::Length(7),
        Constraint::Length(16),
        Constraint::Min(20),
    ];
    draw_table(frame, Table::new(rows, widths).header(Row::new(heading).style(Modifier::BOLD)), state.cursor, area);
}

/// The last readings begin with it: `cod 40.1 mg/L`.
fn first_quantity(device: &DeviceStatus) -> Option<&str> {
    device.readings.first()?.split(' ').next()
}

/// A line each; the one under the cursor stands below, whole.
fn draw_alarms(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let [list, whole] = Layout::vertical([Constraint::Min(1), Constraint::Length(4)]).areas(area);
    let shown: Vec<String> = state.alarms().iter().map(|alarm| show_alarm(alarm, state.lang)).collect();
    let named = shown.get(state.cursor).cloned();
    let none = state.lang.pick("no alarm stands", "当前没有报警").to_owned();
    let rows = shown.into_iter().map(|line| Row::new([line]));
    draw_table(frame, Table::new(rows, [Constraint::Min(1)]), state.cursor, list);
    frame.render_widget(Paragraph::new(named.unwrap_or(none)).wrap(Wrap { trim: true }), whole);
}

fn draw_platforms(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let lang = state.lang;
    let heading = match lang {
        Lang::En => ["platform", "holds", "missing", "on the way", "parked", "receipt", "answer"],
        Lang::Zh => ["平台", "已收", "未收", "在途", "搁置", "最近回执", "应答"],
    };
    let dash = || "-".to_owned();
    let destinations = || state.sync().into_iter().flat_map(|sync| &sync.destinations);
    let rows = destinations().map(|one| {
        Row::new([
            one.name.clone(),
            one.covered.to_string(),
            one.missing.to_string(),
            one.outstanding.to_string(),
            one.parked.to_string(),
            one.last_receipt_ms_ago.map_or_else(dash, age),
            one.rtt_ms.map_or_else(dash, |ms| format!("{ms} ms")),
        ])
    });
    let widths = [16, 11, 9, 10, 7, 8, 9].map(Constraint::Length);
    let [list, about] = Layout::vertical([Constraint::Min(1), Constraint::Length(6)]).areas(area);
    draw_table(frame, Table::new(rows, widths).header(Row::new(heading).style(Modifier::BOLD)), state.cursor, list);
    let Some(one) = destinations().nth(state.cursor) else { return };
    let mut lines = vec![Line::from(one.url.clone())];
    lines.extend(one.budget.as_ref().map(|budget| Line::from(show_budget(&one.name, budget, lang))));
    let wrong =
        one.last_error.as_ref().map(|error| format!("! {} · try: {}", lang.told(&error.what), lang.told(&error.cure)));
    lines.extend(wrong.map(Line::from));
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: true }), about);
}

fn draw_checks(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let lang = state.lang;
    match &state.checks {
        None => frame.render_widget(
            Line::from(lang.pick("d runs all checks (weir doctor)", "按 d 运行全部检查（weir doctor）")),
            area,
        ),
        Some(lines) if lines.is_empty() => {
            frame.render_widget(Line::from(lang.pick("checking, 3 seconds at most", "正在检查，最多三秒")), area);
        }
        Some(lines) => {
            let shown: Vec<Line<'_>> = lines.iter().skip(state.cursor).map(|line| Line::from(line.as_str())).collect();
            frame.render_widget(Paragraph::new(shown).wrap(Wrap { trim: false }), area);
        }
    }
}

/// The newest at the bottom, unless the cursor went up from there; what is too long goes on in the next line.
fn draw_live(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let height = usize::from(area.height);
    let mut rows: Vec<Line<'_>> = Vec::new();
    for line in state.live.iter().rev().skip(state.cursor) {
        if rows.len() >= height {
            break;
        }
        rows.extend(wrapped(line, area.width.into()).into_iter().rev().map(Line::from));
    }
    rows.truncate(height);
    rows.reverse();
    frame.render_widget(Paragraph::new(rows), area);
}

/// The text in pieces that fit.
fn wrapped(text: &str, columns: usize) -> Vec<&str> {
    let (mut pieces, mut from, mut wide) = (Vec::new(), 0, 0);
    for (at, letter) in text.char_indices() {
        let letter = text.get(at..at + letter.len_utf8()).map_or(0, |letter| Span::raw(letter).width());
        if wide + letter > columns {
            pieces.extend(text.get(from..at));
            (from, wide) = (at, 0);
        }
        wide += letter;
    }
    pieces.extend(text.get(from..));
    pieces
}

fn draw_table(frame: &mut Frame<'_>, table: Table<'_>, cursor: usize, area: Rect) {
    let table = table.row_highlight_style(Modifier::REVERSED).column_spacing(1);
    frame.render_stateful_widget(table, area, &mut TableState::default().with_selected(cursor));
}
