//! Time as a value. This is the only file of the workspace that reads a clock: all other code takes `now` as an argument.

use std::fmt;
use std::time::Duration;

/// A moment on the wall clock: nanoseconds since 1970-01-01 UTC, negative before. Samples use its milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Saturates at the ends of the range (years 1677 and 2262).
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Milliseconds since 1970, rounded down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)))
    }

    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// The wall clock.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
pub fn now() -> Timestamp {
    match std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
        Ok(since) => Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)),
        Err(before) => Timestamp(i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos)),
    }
}

/// A clock that never steps, for intervals: time since the first call in this process.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
pub fn monotonic() -> Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}

/// Processor time that the calling thread has used, so that the cost of a piece of work does not depend on what else runs.
pub fn thread_cpu() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    // Neither is negative, and a second has so many nanoseconds.
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}

/// Why a text is no span of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no duration: write a number and a unit, such as `10s`, `5m`, `1h30m` or `90d`")]
pub struct SpanError {
    text: String,
}

/// Reads Prometheus' duration form: `ms s m h d w y` in falling order, each at most once (`1h30m`), or `0`.
///
/// # Errors
/// [`SpanError`] on any other text and on overflow.
pub fn parse_span(text: &str) -> Result<Duration, SpanError> {
    const UNITS: [(&str, u64); 7] = [
        ("y", 365 * 86_400_000),
        ("w", 7 * 86_400_000),
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
        ("ms", 1),
    ];
    let fail = || SpanError { text: text.chars().take(40).collect() };
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let (mut rest, mut next_unit, mut total) = (text, 0usize, 0u64);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest[..digits].parse().map_err(|_| fail())?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = UNITS.iter().position(|(name, _)| *name == &rest[..letters]).ok_or_else(fail)?;
        if unit < next_unit {
            return Err(fail());
        }
        next_unit = unit + 1;
        rest = &rest[letters..];
        total = number.checked_mul(UNITS[unit].1).and_then(|ms| total.checked_add(ms)).ok_or_else(fail)?;
    }
    if next_unit == 0 { Err(fail()) } else { Ok(Duration::from_millis(total)) }
}

/// A span in the form that [`parse_span`] reads, to the millisecond: `1h30m`, `15s`, `0s`.
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.0.as_millis();
        if left == 0 {
            return f.write_str("0s");
        }
        for (unit, millis) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
            if left >= millis {
                write!(f, "{}{unit}", left / millis)?;
                left %= millis;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_and_print() {
        for (text, ms) in [("0", 0), ("15s", 15_000), ("1h30m", 5_400_000), ("90d", 7_776_000_000), ("500ms", 500)] {
            assert_eq!(parse_span(text).map(|d| d.as_millis()), Ok(ms), "{text}");
        }
        for text in ["", "s", "5", "5x", "1m1h", "1m1m", "99999999999999999999s", "-5s", "5 m"] {
            assert!(parse_span(text).is_err(), "{text}");
        }
        assert_eq!(Span(Duration::from_millis(5_400_500)).to_string(), "1h30m500ms");
    }

    #[test]
    fn milliseconds_round_down_before_1970_too() {
        assert_eq!(Timestamp::from_nanos(-1).millis(), -1);
        assert_eq!(Timestamp::from_millis(-7).millis(), -7);
    }
}
