//! Keys in, actions and screens of 80 columns and 24 lines out.

use std::cell::Cell;
use std::io::{self, Write};
use std::rc::Rc;

use expect_test::{Expect, expect};
use ratatui::backend::{CrosstermBackend, TestBackend};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;
use ratatui::text::Span;
use ratatui::{Terminal, TerminalOptions, Viewport};
use serde_json::{Value, json};

use super::draw::draw;
use super::state::{Action, Event, NewRecord, State, Told, View};
use crate::lang::Lang;
use crate::status::{all_notes, what_is_wrong};

const COLUMNS: u16 = 80;
const LINES: u16 = 24;

fn gateway(seen_ms_ago: u64, value: &str) -> Value {
    let device = |link: &str, seen: Option<u64>, reading: &str| {
        json!({"link": link, "seen_ms_ago": seen, "accepted": 7, "duplicate": 0, "rejected": 0, "shed": 0, "warnings": 0,
               "readings_bad": 0, "readings": [reading], "refusal": null})
    };
    let alarm = |rule: &str, state: &str| {
        json!({"rule": rule, "source": "cod-1", "quantity": "cod", "unit": "mg/L", "state": state, "limit": "80",
               "value": "91.5", "since_ms": 1_800_000_000_000_u64, "since_error_ms": 0})
    };
    json!({
        "box": "outfall-1", "version": "0.1.0", "uptime_ms": 7_200_000, "mqtt": null, "gwmp": null,
        "clock": {"wall_ms": 1_800_000_000_000_u64, "state": "synchronised", "source": "ntp", "error_ms": 12},
        "journal": {"records": 123_456, "root": "", "commits": 7, "commits_failed": 0, "failing": null, "checkpoint": 123_000,
                    "keeping": {"bytes": 700_000_000, "bytes_max": 2_000_000_000_u64, "disk_free_bytes": 9_000_000_000_u64,
                                "whole": 1, "thinned": 0, "remnant": 0, "whole_from": null, "trouble": null}},
        "devices": {
            "cod-1": device("mqtt", Some(seen_ms_ago), &format!("cod {value} mg/L")),
            "level-7": device("lorawan", None, "level 1.25 m"),
        },
        "alarms": [alarm("cod-high", "unacknowledged"), alarm("cod-2h", "acknowledged")],
    })
}

fn sync() -> Value {
    let destination = |name: &str, missing: u64, error: Value| {
        json!({"name": name, "url": format!("https://{name}.example/"), "end": 9, "covered": 123_400, "covered_ranges": [],
               "covered_ranges_total": 1, "parked": 0, "dropped": 0, "alarms_waiting": 0, "live_waiting": 0, "backlog": 0,
               "missing": missing, "outstanding": 1, "in_flight": 1, "last_receipt_ms_ago": 3_200, "rtt_ms": 87,
               "next_try_ms": null, "last_error": error, "bytes_sent": 1, "batch_bytes": 1, "bytes_per_s": null,
               "link_life_ms": null, "budget": null, "delivered": {"receipts": 1, "records": 1, "bytes": 1}, "counters": {}})
    };
    let error = json!({"kind": "refused", "what": "no route to the host", "cure": "ip route", "ms_ago": 9});
    json!({"version": "0.1.0", "uptime_ms": 1, "waiting_for": null, "box_id": "outfall-1", "journal_end": 9,
           "destinations": [destination("municipal", 56, Value::Null), destination("provincial", 9_000, error)]})
}

fn told(gateway: Value, lang: Lang) -> Event {
    let gateway = Ok(serde_json::from_value(gateway).unwrap());
    let sync = Ok(serde_json::from_value(sync()).unwrap());
    let (wrong, notes) = (what_is_wrong(&gateway, &sync, lang), all_notes(&gateway, &sync, lang));
    Event::Told(Box::new(Told { gateway, sync, wrong, notes }))
}

fn state(lang: Lang) -> State {
    let mut state = State::new(lang, true);
    assert_eq!(state.apply(told(gateway(3_200, "40.5"), lang)), None);
    let record = |n: u32| NewRecord {
        line: if n == 26 { format!("record 26 {}", "长".repeat(40)) } else { format!("record {n}") },
        values: vec![("cod-1".into(), "cod".into(), f64::from(n % 7))],
    };
    assert_eq!(state.apply(Event::Records((0..30).map(record).collect())), None);
    state
}

fn press(state: &mut State, keys: &str) -> Vec<Action> {
    let code = |key: char| match key {
        '\n' => KeyCode::Enter,
        '\u{1b}' => KeyCode::Esc,
        '\u{8}' => KeyCode::Backspace,
        '↓' => KeyCode::Down,
        '↑' => KeyCode::Up,
        '→' => KeyCode::Right,
        key => KeyCode::Char(key),
    };
    let event = |key| Event::Key(KeyEvent::new(code(key), KeyModifiers::NONE));
    keys.chars().filter_map(|key| state.apply(event(key))).collect()
}

fn screen(state: &State) -> String {
    let mut terminal = Terminal::new(TestBackend::new(COLUMNS, LINES)).unwrap();
    terminal.draw(|frame| draw(frame, state)).unwrap();
    let buffer = terminal.backend().buffer().clone();
    let mut lines = Vec::new();
    for y in 0..LINES {
        // What stands behind a wide character is its second half.
        let (mut line, mut x) = (String::new(), 0);
        while x < COLUMNS {
            let symbol = buffer[(x, y)].symbol();
            line += symbol;
            x += u16::try_from(Span::raw(symbol).width().clamp(1, 2)).unwrap();
        }
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n").trim_end().to_owned() + "\n"
}

fn check(lang: Lang, keys: &str, expected: Expect) {
    let mut state = state(lang);
    press(&mut state, keys);
    expected.assert_eq(&screen(&state));
}

#[test]
fn what_is_wrong_stands_first() {
    check(
        Lang::En,
        "",
        expect![[r#"
        box outfall-1  weir 0.1.0  3 wrong
         1 Now   2 Devices   3 Alarms   4 Platforms   5 Live   6 Checks
        ! alarm cod-high cod-1 cod 91.5 mg/L, limit 80: unacknowledged,
        2027-01-15T08:00:00.000Z
        ! alarm cod-2h cod-1 cod 91.5 mg/L, limit 80: acknowledged,
        2027-01-15T08:00:00.000Z
        ! platform provincial: no route to the host · try: ip route
        clock 2027-01-15T08:00:00.000Z  synchronised by ntp, ±0.0 s
        stored 700 / 2000 MB  free on disk 9000 MB
        records 123456  devices 2  never heard 1  alarms 2
        platform municipal  missing 56  on the way 1  last receipt 3.2 s
        platform provincial  missing 9000  on the way 1  last receipt 3.2 s











        1-6 or Tab page  ↑↓ line  a acknowledge  t tail  d checks  r ask now  q leave
    "#]],
    );
    check(
        Lang::Zh,
        "",
        expect![[r#"
        站点 outfall-1  weir 0.1.0  3 项异常
         1 总览   2 设备   3 报警   4 平台   5 实时   6 自检
        ! 报警 cod-high cod-1 cod 91.5 mg/L, 限值 80: 未确认, 2027-01-15T08:00:00.000Z
        ! 报警 cod-2h cod-1 cod 91.5 mg/L, 限值 80: 已确认, 2027-01-15T08:00:00.000Z
        ! 平台 provincial: no route to the host · try: ip route
        时钟 2027-01-15T08:00:00.000Z  已同步（来源 ntp）, ±0.0 s
        已用 700 / 2000 MB  磁盘剩余 9000 MB
        记录 123456  设备 2  从未上报 1  报警 2
        平台 municipal  未收 56  在途 1  最近回执 3.2 s
        平台 provincial  未收 9000  在途 1  最近回执 3.2 s













        1-6/Tab 翻页  ↑↓ 选择  a 确认报警  t 实时  d 自检  r 刷新  q 退出
    "#]],
    );
}

#[test]
fn each_page_fits_a_small_terminal() {
    check(
        Lang::En,
        "2",
        expect![[r#"
        box outfall-1  weir 0.1.0  3 wrong
         1 Now   2 Devices   3 Alarms   4 Platforms   5 Live   6 Checks
        device           link       seen    trend            last readings
        cod-1            mqtt       3.2 s   ▁▂▃▅▆▇█▁▂▃▅▆▇█▁▂ cod 40.5 mg/L
        level-7          lorawan    -                        level 1.25 m


















        1-6 or Tab page  ↑↓ line  a acknowledge  t tail  d checks  r ask now  q leave
    "#]],
    );
    check(
        Lang::Zh,
        "3↓",
        expect![[r#"
        站点 outfall-1  weir 0.1.0  3 项异常
         1 总览   2 设备   3 报警   4 平台   5 实时   6 自检
        报警 cod-high cod-1 cod 91.5 mg/L, 限值 80: 未确认, 2027-01-15T08:00:00.000Z
        报警 cod-2h cod-1 cod 91.5 mg/L, 限值 80: 已确认, 2027-01-15T08:00:00.000Z














        报警 cod-2h cod-1 cod 91.5 mg/L, 限值 80: 已确认, 2027-01-15T08:00:00.000Z




        1-6/Tab 翻页  ↑↓ 选择  a 确认报警  t 实时  d 自检  r 刷新  q 退出
    "#]],
    );
    check(
        Lang::En,
        "4↓",
        expect![[r#"
        box outfall-1  weir 0.1.0  3 wrong
         1 Now   2 Devices   3 Alarms   4 Platforms   5 Live   6 Checks
        platform         holds       missing   on the way parked  receipt  answer
        municipal        123400      56        1          0       3.2 s    87 ms
        provincial       123400      9000      1          0       3.2 s    87 ms











        https://provincial.example/
        ! no route to the host · try: ip route





        1-6 or Tab page  ↑↓ line  a acknowledge  t tail  d checks  r ask now  q leave
    "#]],
    );
    check(
        Lang::En,
        "t↑↑",
        expect![[r#"
            box outfall-1  weir 0.1.0  3 wrong
             1 Now   2 Devices   3 Alarms   4 Platforms   5 Live   6 Checks
            record 9
            record 10
            record 11
            record 12
            record 13
            record 14
            record 15
            record 16
            record 17
            record 18
            record 19
            record 20
            record 21
            record 22
            record 23
            record 24
            record 25
            record 26 长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长
            长长长长长
            record 27

            1-6 or Tab page  ↑↓ line  a acknowledge  t tail  d checks  r ask now  q leave
        "#]],
    );
    check(
        Lang::Zh,
        "6",
        expect![[r#"
        站点 outfall-1  weir 0.1.0  3 项异常
         1 总览   2 设备   3 报警   4 平台   5 实时   6 自检
        按 d 运行全部检查（weir doctor）




















        1-6/Tab 翻页  ↑↓ 选择  a 确认报警  t 实时  d 自检  r 刷新  q 退出
    "#]],
    );
}

#[test]
fn before_anybody_answered_it_says_so() {
    assert!(screen(&State::new(Lang::En, true)).starts_with("weir: asking the daemons"));
    let mut state = State::new(Lang::En, true);
    let (gateway, sync) = (Err("no daemon answers".to_owned()), Err("no daemon answers".to_owned()));
    let (wrong, notes) = (what_is_wrong(&gateway, &sync, Lang::En), all_notes(&gateway, &sync, Lang::En));
    state.apply(Event::Told(Box::new(Told { gateway, sync, wrong, notes })));
    let shown = screen(&state);
    assert!(shown.contains("2 wrong") && shown.contains("! gateway: no daemon answers"), "{shown}");
    for keys in ["2↓↑", "3↓a", "4↓", "5", "6", "→→"] {
        press(&mut state, keys);
        screen(&state);
    }
}

#[test]
fn an_alarm_is_acknowledged_with_what_one_knows_of_it() {
    let mut state = state(Lang::En);
    assert_eq!(press(&mut state, "asludge\u{8}"), []);
    assert_eq!(state.view, View::Alarms);
    assert!(screen(&state).contains("cod-high cod-1  What do you know of it? sludg_"), "{}", screen(&state));
    let expected = Action::Acknowledge { rule: "cod-high".into(), source: "cod-1".into(), reason: "sludg".into() };
    assert_eq!(press(&mut state, "\n"), [expected]);
    assert_eq!(state.apply(Event::Done("acknowledged, record 9".into())), Some(Action::Ask), "and is shown so at once");
    assert!(screen(&state).contains("acknowledged, record 9"));
    assert_eq!(press(&mut state, "aq\u{1b}"), [], "a letter of the reason, then no acknowledgement");
    assert!(state.asking.is_none());
    press(&mut state, "↓a");
    assert!(screen(&state).contains("no alarm here waits to be seen"), "the second one was seen");
}

#[test]
fn keys_leave_ask_and_check() {
    let mut state = state(Lang::En);
    assert_eq!(press(&mut state, "rd"), [Action::Ask, Action::Check]);
    assert!(screen(&state).contains("checking"));
    assert_eq!(press(&mut state, "d"), [], "they run already");
    state.apply(Event::Checked(vec!["! clock: not synchronised".into()]));
    assert!(screen(&state).contains("! clock: not synchronised"));
    assert_eq!(press(&mut state, "q"), [Action::Leave]);
    assert_eq!(press(&mut state, "\u{1b}"), [Action::Leave]);
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(state.apply(Event::Key(interrupt)), Some(Action::Leave));
    let digits = press(&mut state, "0789é");
    assert_eq!((digits, state.view), (Vec::new(), View::Checks), "no such page");
}

/// A terminal at the end of a line that counts its bytes.
#[derive(Clone, Default)]
struct Line(Rc<Cell<usize>>);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.set(self.0.get() + bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Over 64 kbit/s, 8,000 bytes are a second.
#[test]
fn what_changed_costs_few_bytes() {
    let line = Line::default();
    let viewport = Viewport::Fixed(Rect::new(0, 0, COLUMNS, LINES));
    let backend = CrosstermBackend::new(line.clone());
    let mut terminal = Terminal::with_options(backend, TerminalOptions { viewport }).unwrap();
    let mut cost = |state: &State| {
        let before = line.0.get();
        terminal.draw(|frame| draw(frame, state)).unwrap();
        line.0.get() - before
    };
    let mut state = state(Lang::En);
    let first = cost(&state);
    let nothing = cost(&state);
    press(&mut state, "2");
    let page = cost(&state);
    state.apply(told(gateway(300, "41.5"), Lang::En));
    let news = cost(&state);
    eprintln!("first screen {first} bytes, another page {page}, news of a device {news}, nothing new {nothing}");
    assert!(first < 2_000 && page < 2_000, "{first} {page}");
    assert!(news < 120 && nothing < 40, "{news} {nothing}");
}
