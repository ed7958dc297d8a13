//! Numbers, times, units and names as a language writes them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use record::{Decimal, UnixMs};

use crate::Lang;

/// China has one time zone, and a box stands in it.
const OFFSET_HOURS: i8 = 8;
/// The years that every reader takes for a date.
const YEARS: std::ops::RangeInclusive<i16> = 1970..=9998;

/// Beijing time; none of a number that is on no calendar.
pub fn civil(at: UnixMs) -> Option<DateTime> {
    let at = Offset::constant(OFFSET_HOURS).to_datetime(Timestamp::from_millisecond(at.0).ok()?);
    YEARS.contains(&at.year()).then_some(at)
}

/// `30 Nov 2026, 14:31`, `2026年11月30日 14:31`.
pub fn moment(at: UnixMs, lang: Lang) -> String {
    let Some(at) = civil(at) else { return lang.pick("unknown", "未知").to_owned() };
    match lang {
        Lang::En => format!("{} {} {}, {:02}:{:02}", at.day(), month(at), at.year(), at.hour(), at.minute()),
        Lang::Zh => {
            format!("{}年{}月{}日 {:02}:{:02}", at.year(), at.month(), at.day(), at.hour(), at.minute())
        }
    }
}

/// `30 Nov`, `11月30日`.
pub fn day(at: UnixMs, lang: Lang) -> String {
    let Some(at) = civil(at) else { return lang.pick("unknown", "未知").to_owned() };
    match lang {
        Lang::En => format!("{} {}", at.day(), month(at)),
        Lang::Zh => format!("{}月{}日", at.month(), at.day()),
    }
}

/// `14:31` in both.
pub fn clock(at: UnixMs) -> String {
    civil(at).map_or_else(|| "–".to_owned(), |at| format!("{:02}:{:02}", at.hour(), at.minute()))
}

fn month(at: DateTime) -> &'static str {
    const NAMES: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let nth = usize::from(at.month().unsigned_abs()).saturating_sub(1);
    NAMES.get(nth).copied().unwrap_or("")
}

/// How long ago, in whole units from a minute on, so that a page that is asked for again within one is the same.
pub fn ago(ms: i64, lang: Lang) -> String {
    let minutes = ms / 60_000;
    let (number, english, chinese) = match minutes {
        ..1 => return lang.pick("just now", "刚刚").to_owned(),
        1..120 => (minutes, "min", "分钟"),
        120..2_880 => (minutes / 60, "h", "小时"),
        _ => (minutes / 1_440, "d", "天"),
    };
    match lang {
        Lang::En => format!("{number} {english} ago"),
        Lang::Zh => format!("{number} {chinese}前"),
    }
}

/// A whole number with its thousands apart.
pub fn count(number: u64) -> String {
    grouped(&number.to_string())
}

/// An exact value with its thousands apart.
pub fn exact(value: Decimal) -> String {
    grouped(&value.to_string())
}

/// A computed value: four significant digits, no more than it deserves, with its thousands apart.
pub fn rounded(value: f64) -> String {
    let size = value.abs();
    let text = match size {
        0.0 => "0".to_owned(),
        ..1e-3 | 1e9.. => return format!("{value:.3e}"),
        ..1.0 => format!("{value:.4}"),
        ..10.0 => format!("{value:.3}"),
        ..100.0 => format!("{value:.2}"),
        ..1_000.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    };
    let trimmed = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    grouped(trimmed)
}

/// `-12345.678` as `−12,345.678`.
fn grouped(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |digits| ("−", digits));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return number.to_owned();
    }
    let mut text = sign.to_owned();
    for (nth, digit) in whole.chars().enumerate() {
        if nth > 0 && (whole.len() - nth).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if !part.is_empty() {
        text.push('.');
        text.push_str(part);
    }
    text
}

/// A unit (UCUM) as people write it; one that is not known here as it is.
pub fn unit(ucum: &str) -> &str {
    match ucum {
        "1" | "[pH]" => "",
        "Cel" => "°C",
        "m3/h" => "m³/h",
        "m3/d" => "m³/d",
        "m3/s" => "m³/s",
        "m3/min" => "m³/min",
        "m3" => "m³",
        "m2" => "m²",
        "uS/cm" => "µS/cm",
        "uS/m" => "µS/m",
        "ug/L" => "µg/L",
        "{NTU}" => "NTU",
        "{FNU}" => "FNU",
        "{FTU}" => "FTU",
        other => other,
    }
}

/// The names of quantities: as records have them, in English and in Chinese (HJ 212 names what they measure so).
const QUANTITIES: [(&str, &str, &str); 28] = [
    ("flow", "Flow", "流量"),
    ("cod", "COD", "化学需氧量"),
    ("nh3_n", "NH₃-N", "氨氮"),
    ("tp", "Total phosphorus", "总磷"),
    ("tn", "Total nitrogen", "总氮"),
    ("ph", "pH", "pH 值"),
    ("water_temperature", "Water temperature", "水温"),
    ("conductivity", "Conductivity", "电导率"),
    ("turbidity", "Turbidity", "浊度"),
    ("dissolved_oxygen", "Dissolved oxygen", "溶解氧"),
    ("suspended_solids", "Suspended solids", "悬浮物"),
    ("level", "Level", "液位"),
    ("velocity", "Velocity", "流速"),
    ("volume", "Volume", "累计流量"),
    ("rain", "Rain", "降雨量"),
    ("air_temperature", "Air temperature", "气温"),
    ("battery_voltage", "Battery voltage", "电池电压"),
    ("battery", "Battery", "电量"),
    ("bod5", "BOD₅", "五日生化需氧量"),
    ("orp", "ORP", "氧化还原电位"),
    ("humidity", "Humidity", "湿度"),
    ("pressure", "Pressure", "气压"),
    ("cod_mn", "COD(Mn)", "高锰酸盐指数"),
    ("distance", "Distance", "测距"),
    ("uv254", "UV254", "UV254"),
    ("chlorophyll", "Chlorophyll", "叶绿素"),
    ("oil", "Oil", "石油类"),
    ("chromium6", "Chromium(VI)", "六价铬"),
];

/// The name of a quantity; one that is not registered as it is.
pub fn quantity(name: &str, lang: Lang) -> &str {
    let known = QUANTITIES.iter().find(|(known, ..)| *known == name);
    known.map_or(name, |(_, english, chinese)| lang.pick(english, chinese))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_beijing_in_either_language() {
        let at = UnixMs(1_796_020_260_000);
        assert_eq!(moment(at, Lang::En), "30 Nov 2026, 14:31");
        assert_eq!(moment(at, Lang::Zh), "2026年11月30日 14:31");
        assert_eq!(
            (day(at, Lang::En), day(at, Lang::Zh), clock(at)),
            ("30 Nov".into(), "11月30日".into(), "14:31".into())
        );
        assert_eq!((moment(UnixMs(i64::MAX), Lang::En), clock(UnixMs(i64::MIN))), ("unknown".into(), "–".into()));
    }

    #[test]
    fn ages_have_whole_units() {
        let said = |ms| [Lang::En, Lang::Zh].map(|lang| ago(ms, lang)).join(" ");
        assert_eq!(
            [-5, 59_999, 60_000, 7_200_000, 400_000_000].map(said),
            ["just now 刚刚", "just now 刚刚", "1 min ago 1 分钟前", "2 h ago 2 小时前", "4 d ago 4 天前"]
        );
    }

    #[test]
    fn numbers_have_the_digits_that_they_deserve() {
        let said = [0.0, 0.000_012_3, 0.5, 7.25, 48.126, 999.96, 12_345.6, -1_234_567.0, 1e12].map(rounded);
        assert_eq!(said, ["0", "1.230e-5", "0.5", "7.25", "48.13", "1,000", "12,346", "−1,234,567", "1.000e12"]);
        assert_eq!(exact("-0.050".parse().unwrap()), "−0.05");
        assert_eq!([count(7), count(1_000), count(1_234_567)], ["7", "1,000", "1,234,567"]);
    }

    #[test]
    fn every_registered_quantity_has_a_name_in_both_languages() {
        let registered: Vec<&str> = record::Quantity::registry().iter().map(|(name, _)| *name).collect();
        assert_eq!(QUANTITIES.map(|(name, ..)| name).to_vec(), registered);
        assert_eq!((quantity("cod", Lang::Zh), quantity("mine", Lang::Zh)), ("化学需氧量", "mine"));
    }
}
