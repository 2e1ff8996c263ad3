//! `hypot` and `hypotf` of our own, in place of glibc's: those of glibc 2.35 have new symbol versions, for which alone the collector would
//! not start on systems with 2.34 (RHEL 9). Only what draws plots calls them.

/// The length of (x, y). Scaled, so that no square overflows; within two units of the last place.
#[expect(unsafe_code, reason = "the linker must find it by the name that C gave it")]
#[unsafe(no_mangle)]
extern "C" fn hypot(x: f64, y: f64) -> f64 {
    let (x, y) = (x.abs(), y.abs());
    if x.is_infinite() || y.is_infinite() {
        // Also beside what is no number (C99, F.9.4.3).
        return f64::INFINITY;
    }
    if x.is_nan() || y.is_nan() {
        return f64::NAN;
    }
    let (long, short) = if x > y { (x, y) } else { (y, x) };
    if long == 0.0 {
        return 0.0;
    }
    let ratio = short / long;
    long * (1.0 + ratio * ratio).sqrt()
}

/// The same of single precision, by way of double, in which no square of a single one overflows or loses a digit.
#[expect(unsafe_code, reason = "the linker must find it by the name that C gave it")]
#[unsafe(no_mangle)]
extern "C" fn hypotf(x: f32, y: f32) -> f32 {
    if x.is_infinite() || y.is_infinite() {
        return f32::INFINITY;
    }
    let (x, y) = (f64::from(x), f64::from(y));
    (x * x + y * y).sqrt() as f32
}

#[cfg(test)]
mod tests {
    use super::{hypot, hypotf};

    #[test]
    fn they_are_what_c_says_they_are() {
        for (x, y, expect) in [
            (3.0, 4.0, 5.0),
            (-3.0, 4.0, 5.0),
            (0.0, -0.0, 0.0),
            (1e-40, 0.0, 1e-40),
            (f32::MAX, f32::MAX, f32::INFINITY),
            (f32::NEG_INFINITY, f32::NAN, f32::INFINITY),
        ] {
            assert_eq!(hypotf(x, y), expect, "{x} {y}");
        }
        for (x, y, expect) in [(3.0, -4.0, 5.0), (0.0, 0.0, 0.0), (3e300, 4e300, 5e300), (3e-320, 4e-320, 5e-320)] {
            let found = hypot(x, y);
            // What has fewer digits than others (below 2.2e-308) is near in what it has.
            assert!((found - expect).abs() <= expect * 1e-15 + f64::from_bits(2), "{x} {y}: {found}");
        }
        assert!(hypotf(f32::NAN, 1.0).is_nan() && hypot(1.0, f64::NAN).is_nan());
        assert_eq!(hypot(f64::NAN, f64::INFINITY), f64::INFINITY);
    }
}
