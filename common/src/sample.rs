//! Samples and what kind of number they are.

/// What Prometheus writes to say that a series has ended: a NaN that no computation yields.
pub const STALE_BITS: u64 = 0x7ff0_0000_0000_0002;

/// The stale marker as a value. Compare with [`is_stale`], never with `==`.
pub const fn stale() -> f64 {
    f64::from_bits(STALE_BITS)
}

/// Whether this value is the stale marker.
pub const fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_BITS
}

/// One number of a series. `millis` is since 1970 UTC.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub millis: i64,
    pub value: f64,
}

/// How a series is to be read, as Prometheus' exposition format names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum MetricKind {
    Untyped = 0,
    Counter = 1,
    Gauge = 2,
    Histogram = 3,
    Summary = 4,
}

impl MetricKind {
    /// The kind of a stored or sent number; what is not known is untyped, so that a newer agent's kinds do no harm.
    pub const fn from_u8(number: u8) -> Self {
        match number {
            1 => Self::Counter,
            2 => Self::Gauge,
            3 => Self::Histogram,
            4 => Self::Summary,
            _ => Self::Untyped,
        }
    }

    /// Prometheus' word for it in `/api/v1/metadata`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Untyped => "unknown",
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
        }
    }
}
