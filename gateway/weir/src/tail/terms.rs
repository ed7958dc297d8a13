//! The terms of a record in the language of who reads it; in English they are the stable names, which scripts may look for.

use record::{AlarmState, ClockQuality, Quality, Reason};

use crate::lang::Lang;

pub(super) fn state(state: AlarmState, lang: Lang) -> &'static str {
    let chinese = match state {
        AlarmState::Normal => "正常",
        AlarmState::Unacknowledged => "未确认",
        AlarmState::Acknowledged => "已确认",
        AlarmState::ReturnedUnacknowledged => "已恢复未确认",
    };
    lang.pick(state.as_str(), chinese)
}

pub(super) fn reason(why: Reason, lang: Lang) -> &'static str {
    let chinese = match why {
        Reason::Undecodable => "无法解码",
        Reason::Malformed => "格式错误",
        Reason::UnknownDevAddr => "DevAddr 未登记",
        Reason::BadMic => "MIC 校验不符",
        Reason::Replayed => "重放",
        Reason::CounterReset => "帧计数器回退",
        Reason::Forked => "帧计数器分叉",
        Reason::UnsupportedType => "类型不支持",
        Reason::UnknownDevEui => "DevEUI 未登记",
        Reason::NonceReused => "DevNonce 重复使用",
        Reason::BadSeal => "加封校验不符",
        Reason::Disabled => "设备已停用",
        Reason::UnknownOutfall => "排口未建档",
    };
    lang.pick(why.as_str(), chinese)
}

pub(super) fn quality(quality: Quality, lang: Lang) -> &'static str {
    let chinese = match quality {
        Quality::Good => "良好",
        Quality::OutOfRange => "超量程",
        Quality::NotANumber => "非数值",
        Quality::Missing => "缺失",
        Quality::UnknownUnit => "单位未知",
    };
    lang.pick(quality.as_str(), chinese)
}

pub(super) fn clock(clock: ClockQuality, lang: Lang) -> &'static str {
    let chinese = match clock {
        ClockQuality::Synchronised => "已同步",
        ClockQuality::Holdover { .. } => "守时",
        ClockQuality::Unset => "未校准",
    };
    lang.pick(clock.as_str(), chinese)
}
