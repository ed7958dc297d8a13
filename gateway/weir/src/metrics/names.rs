//! The names of the numbers, which only grow in number: dashboards rely on them.

/// What a number may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only grows, until it begins anew.
    Counter,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
        }
    }
}

/// One name.
#[derive(Debug)]
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) en: &'static str,
    pub(super) zh: &'static str,
}

const fn gauge(name: &'static str, en: &'static str, zh: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, en, zh }
}

const fn counter(name: &'static str, en: &'static str, zh: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, en, zh }
}

/// All of them, in the order in which they are told.
pub(super) const METRICS: [Metric; 27] = [
    gauge("weir_up", "1 if the daemon answers", "服务有应答为 1"),
    gauge("weir_wrong", "How much `weir status` calls wrong", "weir status 中的异常项数"),
    gauge("weir_info", "1, with the box and its version as labels", "恒为 1，标签为站点与版本"),
    gauge("weir_uptime_seconds", "Since the daemon started", "服务运行时间"),
    gauge("weir_clock_synchronised", "1 if somebody disciplines the clock", "时钟已同步为 1"),
    gauge(
        "weir_clock_error_seconds",
        "Bound of the clock's error; absent if nobody told the time",
        "时钟误差上限；从未校准则无此项",
    ),
    counter("weir_journal_records_total", "Records ever journaled", "日志记录总数"),
    gauge(
        "weir_journal_failing",
        "1 while frames are not stored, and not acknowledged",
        "数据未能存储（也不确认）时为 1",
    ),
    counter("weir_journal_commits_failed_total", "Transactions that failed since the start", "启动以来失败的存储事务"),
    gauge("weir_journal_bytes", "Size of the journal", "日志占用字节"),
    gauge("weir_journal_bytes_max", "What it may have", "日志字节上限"),
    gauge("weir_disk_free_bytes", "Free on its disk", "磁盘剩余字节"),
    gauge("weir_alarms", "Alarms that are not normal, by state", "非正常状态的报警数，按状态"),
    gauge("weir_lora_gateway_online", "1 if the LoRa gateway was heard in 30 s", "LoRa 网关 30 秒内在线为 1"),
    counter(
        "weir_frames_total",
        "Frames of a device by verdict, for ever; device \"\" is unknown ones",
        "设备数据帧总数，按判定；空名为未知设备",
    ),
    counter("weir_device_bad_readings_total", "Readings of bad quality since the start", "启动以来质量异常的读数"),
    gauge("weir_device_seen_seconds", "Since the last frame; absent if none came", "距最近一帧的秒数；无数据则无此项"),
    gauge("weir_device_delivered_ratio", "LoRaWAN: frames heard of those sent", "LoRaWAN 接收率"),
    gauge(
        "weir_destination_covered_records",
        "Records that the platform holds by its receipts",
        "平台已凭回执确认的记录数",
    ),
    gauge("weir_destination_missing_records", "Records that it has not yet", "平台尚未收到的记录数"),
    gauge("weir_destination_parked_records", "Records in batches that it refused", "被平台拒绝而搁置的记录数"),
    gauge("weir_destination_alarms_waiting", "Alarm records in no batch yet", "尚未打包的报警记录数"),
    counter("weir_destination_receipts_total", "Verified receipts, for ever", "已验证的回执总数"),
    counter("weir_destination_sent_bytes_total", "Bytes of batches sent since the start", "启动以来发送的字节数"),
    gauge("weir_destination_failing", "1 if the last try failed", "最近一次上传失败为 1"),
    gauge(
        "weir_destination_receipt_seconds",
        "Since the last receipt; absent if none came",
        "距最近回执的秒数；没有则无此项",
    ),
    gauge("weir_destination_answer_seconds", "From the last request to its receipt", "最近一次请求到回执的时间"),
];
