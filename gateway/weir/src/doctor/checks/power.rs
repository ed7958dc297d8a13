//! The power supply, as a Raspberry Pi measures it.

use super::super::check::{Check, Looked, Seen, Trouble, Verdict, say, words};
use super::super::facts::Facts;
use crate::lang::Lang;

/// Bit 0 of `get_throttled`: less than 4.63 V now; bit 16: since it was switched on.
const UNDERVOLTAGE: u32 = 1;
/// Bits 1 to 3: slowed down, for want of voltage or for heat.
const SLOWED: u32 = 0b1110;
/// Where the bits of what happened once stand.
const SINCE_BOOT: u32 = 16;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "power.voltage",
        title: words("supply voltage", "供电电压"),
        cause: words(
            "supply or cable is too weak: what is being written to the card may be lost at any moment",
            "电源或线缆供电不足，正在写入存储卡的数据随时可能丢失",
        ),
        cure: words(
            "use the supply of the board's maker and a short cable, take away what hangs on USB, and start again",
            "更换为原厂电源和短线缆，移除多余的 USB 设备，然后重新启动",
        ),
        command: "sudo reboot",
        look: voltage,
    },
    Check {
        id: "power.throttled",
        title: words("speed of the processor", "处理器降频"),
        cause: words("the board slows itself down, for heat or want of voltage", "因过热或电压不足，主板已自动降频"),
        cure: words(
            "see to the supply first, then to shade and air around the box",
            "先检查电源，再检查机箱的遮阳和通风",
        ),
        command: "weir doctor --all",
        look: throttled,
    },
];

fn voltage(facts: &Facts, lang: Lang) -> Looked {
    let bits = *facts.board.as_ref()?.throttled.as_ref()?;
    let text = lang.pick("below 4.63 V", "低于 4.63 V");
    Ok(judge(bits, UNDERVOLTAGE, Verdict::Fault, text, lang))
}

fn throttled(facts: &Facts, lang: Lang) -> Looked {
    let bits = *facts.board.as_ref()?.throttled.as_ref()?;
    Ok(judge(bits, SLOWED, Verdict::Warning, lang.pick("slowed down", "已降频"), lang))
}

/// What is so now is worse than what was so once.
fn judge(bits: u32, mask: u32, now: Verdict, what: &str, lang: Lang) -> Seen {
    let found = if bits & mask != 0 {
        Some(Trouble::new(now, "", say!(lang, "{what} now (0x{bits:x})", "当前{what}（0x{bits:x}）")))
    } else if bits >> SINCE_BOOT & mask != 0 {
        let evidence = say!(lang, "{what} since it was switched on (0x{bits:x})", "上电以来曾{what}（0x{bits:x}）");
        Some(Trouble::warning("", evidence))
    } else {
        None
    };
    Seen::unless(found, format!("0x{bits:x}"))
}
