//! The variables that what runs in this login sees: how the terminal speaks and what it can do. Everything else of the caller's
//! is left out, so that none can name a place, a library or a program.

use std::process::Command;

/// Bytes of a value.
const VALUE_BYTES_MAX: usize = 64;
/// What `weir doctor` and `weir bundle` ask is found here.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// Gives the command its environment.
pub(super) fn give(command: &mut Command) {
    let kept =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    command.env_clear().env("PATH", PATH).envs(kept.filter(|(name, value)| is_kept(name, value)));
}

/// Whether a variable says only how to speak. A `/` in a locale or a terminal's name would name a file.
fn is_kept(name: &str, value: &str) -> bool {
    let is_named = matches!(name, "LANG" | "TERM" | "NO_COLOR")
        || name
            .strip_prefix("LC_")
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_uppercase()));
    let is_harmless = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'@' | b'+' | b'-');
    is_named && value.len() <= VALUE_BYTES_MAX && value.bytes().all(is_harmless)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_how_to_speak_is_kept() {
        for (name, value) in
            [("LANG", "zh_CN.UTF-8"), ("LC_ALL", "C.UTF-8"), ("TERM", "xterm-256color"), ("NO_COLOR", "1")]
        {
            assert!(is_kept(name, value), "{name}={value}");
        }
        for name in
            ["LD_PRELOAD", "LD_LIBRARY_PATH", "WEIR_STATE_DIR", "WEIR_LOG", "PATH", "IFS", "LANGUAGE", "LC_", "lc_all"]
        {
            assert!(!is_kept(name, "x"), "{name}");
        }
        for value in ["/tmp/x", "../x", "a b", "$(id)", "a\nb", "\u{1b}c", &"x".repeat(65)] {
            assert!(!is_kept("LANG", value) && !is_kept("TERM", value), "{value:?}");
        }
    }
}
