//! The upper tail of the binomial distribution, for counts that were divided and are no whole numbers any more.

/// Steps of the continued fraction: with the sides chosen as below, 200 are enough for a million.
const STEPS_MAX: usize = 2_000;
const ENOUGH: f64 = 1e-12;
/// In place of 0 in a denominator.
const TINY: f64 = 1e-300;

/// The probability that of `all` at least `found` fall on a side that each falls on with probability `share`. For whole numbers it is the
/// binomial's exact tail; between them it is the curve through these, the regularised incomplete beta function.
pub(super) fn binomial_at_least(found: f64, all: f64, share: f64) -> f64 {
    if found <= 0.0 {
        return 1.0;
    }
    if found > all {
        return 0.0;
    }
    incomplete_beta(share, found, all - found + 1.0)
}

/// The smallest of some round factors by which one side's rate could have been above the other's and been seen, where the other has `baseline`
/// bad ones. `None`: none of them.
pub(super) fn factor_seen(baseline: f64, share: f64, spread: f64, level: f64) -> Option<u64> {
    const FACTORS: [u64; 6] = [2, 3, 5, 10, 30, 100];
    let alike = baseline * share / (1.0 - share);
    FACTORS.into_iter().find(|factor| {
        let bad = alike * *factor as f64;
        binomial_at_least(bad / spread, (bad + baseline) / spread, share) <= level
    })
}

/// I_x(a, b), by its continued fraction (Lentz).
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return if x <= 0.0 { 0.0 } else { 1.0 };
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp();
    // The fraction converges quickly on this side of the mean alone.
    let value = if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(x, a, b) / a
    } else {
        1.0 - front * fraction(1.0 - x, b, a) / b
    };
    value.clamp(0.0, 1.0)
}

fn fraction(x: f64, a: f64, b: f64) -> f64 {
    let kept = |value: f64| if value.abs() < TINY { TINY } else { value };
    let (mut c, mut d) = (1.0, 1.0 / kept(1.0 - (a + b) * x / (a + 1.0)));
    let mut result = d;
    for step in 1..=STEPS_MAX {
        let m = step as f64;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / kept(1.0 + even * d);
        c = kept(1.0 + even / c);
        result *= c * d;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / kept(1.0 + odd * d);
        c = kept(1.0 + odd / c);
        result *= c * d;
        if (c * d - 1.0).abs() < ENOUGH {
            break;
        }
    }
    result
}

/// The logarithm of the gamma function above 0: Stirling's series, after steps up to where it is exact to 12 digits.
fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut below) = (x, 0.0);
    while x < 10.0 {
        below += x.ln();
        x += 1.0;
    }
    let square = x * x;
    let series = (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - 1.0 / (1680.0 * square)) / square) / square) / x;
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series - below
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By summing its terms.
    fn summed(found: u32, all: u32, share: f64) -> f64 {
        let mut term = (1.0 - share).powi(i32::try_from(all).unwrap());
        let mut sum = 0.0;
        for at in 0..=all {
            if at >= found {
                sum += term;
            }
            term *= f64::from(all - at) / f64::from(at + 1) * share / (1.0 - share);
        }
        sum
    }

    #[test]
    fn the_tail_is_that_of_its_terms() {
        for (found, all, share) in
            [(1, 1, 0.5), (12, 12, 0.5), (7, 20, 0.2), (30, 40, 0.5), (90, 300, 0.25), (3, 400, 0.01)]
        {
            let (given, told) = (binomial_at_least(f64::from(found), f64::from(all), share), summed(found, all, share));
            assert!((given - told).abs() <= 1e-9 * told.max(1e-9), "{found} of {all} at {share}: {given} {told}");
        }
        assert_eq!(binomial_at_least(0.0, 9.0, 0.5), 1.0);
        assert_eq!(binomial_at_least(10.0, 9.0, 0.5), 0.0);
        // Large ones end, and fall as more are found.
        let of = |found: f64| binomial_at_least(found, 1e6, 0.5);
        assert!(of(500_000.0) > 0.49 && of(501_000.0) < 0.03 && of(503_000.0) < 1e-8 && of(503_000.0) >= 0.0);
    }

    #[test]
    fn a_smaller_factor_is_seen_where_there_is_more() {
        assert_eq!(factor_seen(100.0, 0.5, 1.0, 5e-4), Some(2));
        assert_eq!(factor_seen(10.0, 0.5, 1.0, 5e-4), Some(5));
        assert_eq!(factor_seen(100.0, 0.5, 200.0, 5e-4), Some(30));
        assert_eq!(factor_seen(1.0, 0.5, 200.0, 5e-4), None);
    }
}
