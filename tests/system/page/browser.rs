//! Chromium and axe-core: accessible on a phone and on a desk, in both languages, light and dark, and complete without any other
//! place. The pictures are in `tests/.tools/pictures/page`.

use system_tests::{Peer, tools};

use super::{BYTES_MAX, CODE, Page, world};

/// Paths, languages, colour schemes and sizes.
const VIEWS: u64 = 3 * 2 * 2 * 2;

#[test]
fn a_browser_finds_nothing_wrong_with_any_page() {
    let (world, _devices, mut cod) = world();
    cod.publish(r#"{"n": 21, "cod": 41.5}"#);
    world.delivered();
    let page = Page::start(&world, "");
    page.until("/", "1 alarm stands.");
    page.until("/device/flow-1", "Numbers by the day");
    let browser =
        Peer::new("browser.js").with("--url", &page.url).with("--pictures", tools("").join("pictures/page").display());
    let paths = ["/", &format!("/outfall/{CODE}"), "/device/flow-1"].map(str::to_owned);
    let seen = paths.iter().fold(browser, |browser, path| browser.with("--path", path)).run().exits(0);
    assert_eq!(seen.number("views"), VIEWS);
    for view in &seen.lines[..seen.lines.len() - 1] {
        let nothing = serde_json::json!([]);
        for what in ["violations", "elsewhere", "said"] {
            assert_eq!(view[what], nothing, "{what}: {view:#}");
        }
        assert_eq!((&view["wide"], &view["requests"]), (&false.into(), &1.into()), "{view:#}");
        let tag = if view["url"].as_str().unwrap().ends_with("zh") { "zh-CN" } else { "en" };
        assert_eq!(view["lang"], tag);
    }
    assert!(seen.number("passes") > VIEWS * 20, "axe had something to judge: {}", seen.summary());
    assert!((5_000..BYTES_MAX as u64).contains(&seen.number("bytes_max")), "{}", seen.summary());
}

/// The same eyes see what is wrong where something is.
#[test]
fn a_broken_page_is_found_out() {
    let seen = Peer::new("browser.js").args(["--broken"]).run().exits(0);
    for what in ["violations", "elsewhere", "wide", "said"] {
        assert!(seen.number(what) > 0, "{what}: {:?}", seen.lines);
    }
    let violations = seen.lines[0]["violations"].to_string();
    for rule in ["color-contrast", "html-has-lang", "image-alt", "document-title"] {
        assert!(violations.contains(rule), "{rule}: {violations}");
    }
}
