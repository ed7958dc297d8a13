//! Weir's daemons and commands, end to end, against what nobody here wrote: a module a topic.
//!
//! One program: each test binary is linked on its own, and sixty of them took longer to link than to run. The tests run one
//! at a time (`tests/run system`), for each starts its own daemons and kills them, and some of them measure.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a surprise is a failure")]

mod alarms;
mod bad_frames;
mod bad_networks;
mod bad_setup;
mod bundle;
mod chirpstack;
mod codecs_js;
mod commands;
mod compare;
mod config_versions;
mod crash;
mod cuts;
mod decoders;
mod demo;
mod device_codec;
mod device_secrets;
mod device_sessions;
mod device_verbs;
mod disk_faults;
mod doctor;
mod durable;
mod enroll;
mod envelope;
mod evidence;
mod evidence_file;
mod filtered;
mod foreign_client;
mod hostile_mqtt;
mod hostile_platforms;
mod journal_kept;
mod link_back;
mod link_cuts;
mod lorawan;
mod lorawan_codec;
mod lorawan_commands;
mod lorawan_conserved;
mod lorawan_counters;
mod lorawan_gateways;
mod lorawan_join;
mod lorawan_kills;
mod lorawan_mac;
mod lorawan_restart;
mod lorawan_slow_disk;
mod mqtt_kept;
mod mqtt_tls;
mod notified;
mod outfalls;
mod package;
mod parked;
mod platform_orders;
mod random;
mod replaced;
mod rotated;
mod rules;
mod sensors;
mod serial;
mod supervised;
mod tidy;
mod time;
mod two_histories;
mod units;
mod verify_log;
