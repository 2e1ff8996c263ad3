//! adjtimex(): how the kernel's clock is being steered, and how wrong it may be.

use rustix::io::Errno;

use super::metric::Metric;
use super::{Source, SourceError, Tick};

/// The kernel's answer when its clock follows no reference.
const TIME_ERROR: i32 = 5;
/// Status bit: offset and jitter are in nanoseconds, else in microseconds.
const STA_NANO: i32 = 0x2000;
const NS_PER_SECOND: f64 = 1e9;
const US_PER_SECOND: f64 = 1e6;
/// The kernel's frequencies: parts per million with a 16-bit fraction.
const PPM_FRACTION: f64 = 1e6 * 65536.0;

pub(super) struct Timex {
    sync_status: Metric,
    /// In the order of `values`.
    metrics: [Metric; 16],
}

impl Timex {
    pub(super) fn new() -> Self {
        Self {
            sync_status: Metric::gauge("node_timex_sync_status"),
            metrics: [
                Metric::gauge("node_timex_offset_seconds"),
                Metric::gauge("node_timex_frequency_adjustment_ratio"),
                Metric::gauge("node_timex_maxerror_seconds"),
                Metric::gauge("node_timex_estimated_error_seconds"),
                Metric::gauge("node_timex_status"),
                Metric::gauge("node_timex_loop_time_constant"),
                Metric::gauge("node_timex_tick_seconds"),
                Metric::gauge("node_timex_pps_frequency_hertz"),
                Metric::gauge("node_timex_pps_jitter_seconds"),
                Metric::gauge("node_timex_pps_shift_seconds"),
                Metric::gauge("node_timex_pps_stability_hertz"),
                Metric::counter("node_timex_pps_jitter_total"),
                Metric::counter("node_timex_pps_calibration_total"),
                Metric::counter("node_timex_pps_error_total"),
                Metric::counter("node_timex_pps_stability_exceeded_total"),
                Metric::gauge("node_timex_tai_offset_seconds"),
            ],
        }
    }
}

impl Source for Timex {
    fn sample(&mut self, tick: &mut Tick<'_>) -> Result<(), SourceError> {
        tick.scratch.calls += 1;
        let (state, timex) = read_clock()?;
        self.sync_status.put(tick.rows, f64::from(u8::from(state != TIME_ERROR)));
        for (metric, value) in self.metrics.iter_mut().zip(values(&timex)) {
            metric.put(tick.rows, value);
        }
        Ok(())
    }
}

fn values(timex: &libc::timex) -> [f64; 16] {
    let fine = if timex.status & STA_NANO != 0 { NS_PER_SECOND } else { US_PER_SECOND };
    [
        timex.offset as f64 / fine,
        1.0 + timex.freq as f64 / PPM_FRACTION,
        timex.maxerror as f64 / US_PER_SECOND,
        timex.esterror as f64 / US_PER_SECOND,
        f64::from(timex.status),
        timex.constant as f64,
        timex.tick as f64 / US_PER_SECOND,
        timex.ppsfreq as f64 / PPM_FRACTION,
        timex.jitter as f64 / fine,
        f64::from(timex.shift),
        timex.stabil as f64 / PPM_FRACTION,
        timex.jitcnt as f64,
        timex.calcnt as f64,
        timex.errcnt as f64,
        timex.stbcnt as f64,
        f64::from(timex.tai),
    ]
}

/// What a check of the clock wants to know.
pub(crate) struct ClockState {
    pub(crate) is_synchronised: bool,
    pub(crate) offset_seconds: f64,
    pub(crate) max_error_seconds: f64,
}

/// How the kernel's clock is.
///
/// # Errors
/// [`SourceError::Call`] where the kernel does not tell.
pub(crate) fn clock_state() -> Result<ClockState, SourceError> {
    let (state, timex) = read_clock()?;
    let [offset_seconds, _, max_error_seconds, ..] = values(&timex);
    Ok(ClockState { is_synchronised: state != TIME_ERROR, offset_seconds, max_error_seconds })
}

/// Reads the clock's state without changing anything: no mode bit is set.
#[expect(unsafe_code, reason = "rustix has no adjtimex, and /proc does not tell what the clock alerts of people need")]
fn read_clock() -> Result<(i32, libc::timex), SourceError> {
    // SAFETY: timex is a C struct of integers, for which all bits zero is a value.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a timex that lives through the call, which only writes into it.
    let state = unsafe { libc::adjtimex(&raw mut timex) };
    if state < 0 {
        let error = std::io::Error::last_os_error();
        let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
        return Err(SourceError::Call { doing: "ask the kernel for its clock's state", errno });
    }
    Ok((state, timex))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tree, sampled};

    #[test]
    fn the_kernel_tells_its_clocks_state() {
        let seen = sampled("timex", &Tree::new(&[])).unwrap();
        assert_eq!(seen.len(), 17);
        assert!(seen.iter().any(|line| line.starts_with("node_timex_tick_seconds 0.0")), "{seen:?}");
    }

    #[test]
    fn units_follow_the_status() {
        let (_, mut timex) = read_clock().unwrap();
        (timex.offset, timex.status, timex.freq, timex.maxerror) = (2_500_000, 0, 65_536, 16_000_000);
        let coarse = values(&timex);
        assert_eq!((coarse[0], coarse[1], coarse[2]), (2.5, 1.000_001, 16.0));
        timex.status = STA_NANO;
        assert_eq!(values(&timex)[0], 0.0025);
    }
}
