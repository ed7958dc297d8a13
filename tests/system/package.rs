//! Weir as a Debian package: what is in it, and what becomes of it on a Debian 12 with a systemd of its own.

mod contents;
/// Each of these starts a machine (systemd-nspawn), which root alone can; `tests/run` of another user leaves them out, and
/// says so.
mod under_systemd {
    mod faults;
    mod installed;
    mod taken_back;
    mod ten_minutes;
    mod texted;
    mod upgraded;
}
