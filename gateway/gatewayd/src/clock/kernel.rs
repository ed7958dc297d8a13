//! What the kernel says of its own clock (`adjtimex(2)`).

/// Whether something disciplines the clock, and how wrong it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Discipline {
    /// `STA_UNSYNC` is clear: an NTP daemon, a PPS or a PTP source steers it.
    pub synchronised: bool,
    /// The kernel's bound of the error, ± ms; it grows by 500 ppm while nobody corrects it.
    pub error_ms: u32,
}

/// Asks; `None` if the kernel refuses, which a system-call filter may make it do.
pub(crate) fn discipline() -> Option<Discipline> {
    let timex = query()?;
    let error_ms = u32::try_from(timex.maxerror / 1_000).unwrap_or(u32::MAX);
    Some(Discipline { synchronised: timex.status & libc::STA_UNSYNC == 0, error_ms })
}

#[expect(unsafe_code, reason = "no maintained safe wrapper of adjtimex exists; this is the only unsafe call in Weir")]
fn query() -> Option<libc::timex> {
    let mut timex = std::mem::MaybeUninit::<libc::timex>::zeroed();
    // SAFETY: `timex` points to a whole, zeroed `struct timex`; `modes` 0 makes the call a pure query, for which every
    // bit pattern is valid, and the kernel writes only inside the structure.
    unsafe {
        let state = libc::adjtimex(timex.as_mut_ptr());
        (state >= 0).then(|| timex.assume_init())
    }
}
