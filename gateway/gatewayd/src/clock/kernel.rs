//! What the kernel says of its own clock (`adjtimex(2)`).

use record::ClockSource;

/// Whether something disciplines the clock, and how wrong it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Discipline {
    /// `STA_UNSYNC` is clear: an NTP daemon, a PPS or a PTP source steers it.
    pub synchronised: bool,
    /// The kernel's bound of the error, ± ms; it grows by 500 ppm while nobody corrects it.
    pub error_ms: u32,
    /// What steers it, as far as the kernel can tell.
    pub source: ClockSource,
    /// A leap second is inserted at this moment, so that a second of wall time comes twice (`TIME_OOP`).
    pub leap_second: bool,
}

/// Asks; `None` if the kernel refuses, which a system-call filter may make it do.
pub fn discipline() -> Option<Discipline> {
    let (state, timex) = query()?;
    Some(read(state, timex.status, timex.maxerror))
}

fn read(state: libc::c_int, status: libc::c_int, error_us: libc::c_long) -> Discipline {
    let pulse = libc::STA_PPSTIME | libc::STA_PPSSIGNAL;
    let error_ms = u64::try_from(error_us).map_or(u64::MAX, |error_us| error_us.div_ceil(1_000));
    Discipline {
        synchronised: status & (libc::STA_UNSYNC | libc::STA_CLOCKERR) == 0,
        error_ms: u32::try_from(error_ms).unwrap_or(u32::MAX),
        source: if status & pulse == pulse { ClockSource::Gps } else { ClockSource::Ntp },
        leap_second: state == libc::TIME_OOP,
    }
}

#[expect(unsafe_code, reason = "no maintained safe wrapper of adjtimex exists; this is the only unsafe call in Weir")]
fn query() -> Option<(libc::c_int, libc::timex)> {
    let mut timex = std::mem::MaybeUninit::<libc::timex>::zeroed();
    // SAFETY: `timex` points to a whole, zeroed `struct timex`; `modes` 0 makes the call a pure query, for which every
    // bit pattern is valid, and the kernel writes only inside the structure.
    unsafe {
        let state = libc::adjtimex(timex.as_mut_ptr());
        (state >= 0).then(|| (state, timex.assume_init()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_flags_are_read_as_its_manual_says() {
        const PLL: libc::c_int = libc::STA_PLL;
        let shown = |state, status, error_us| {
            let Discipline { synchronised, error_ms, source, leap_second } = read(state, status, error_us);
            (synchronised, error_ms, source.as_str(), leap_second)
        };
        assert_eq!(shown(libc::TIME_OK, PLL, 12_345), (true, 13, "ntp", false));
        assert_eq!(shown(libc::TIME_ERROR, PLL | libc::STA_UNSYNC, 16_000_000), (false, 16_000, "ntp", false));
        assert_eq!(shown(libc::TIME_ERROR, PLL | libc::STA_CLOCKERR, 0), (false, 0, "ntp", false));
        assert_eq!(shown(libc::TIME_INS, PLL | libc::STA_INS, 0), (true, 0, "ntp", false), "announced, not yet");
        assert_eq!(shown(libc::TIME_OOP, PLL | libc::STA_INS, 0), (true, 0, "ntp", true), "23:59:60");
        assert_eq!(shown(libc::TIME_OK, libc::STA_PPSTIME | libc::STA_PPSSIGNAL, 1), (true, 1, "gps", false));
        assert_eq!(shown(libc::TIME_OK, libc::STA_PPSTIME, -1), (true, u32::MAX, "ntp", false), "no pulse comes");
    }
}
