//! Ranges of the plugin interface: `10`, `10:`, `~:10`, `10:20`, `@10:20`. A value raises an alert outside of its range, or with `@` inside.
//!
//! Source: the guidelines of the Monitoring Plugins Development Team, "Threshold and Ranges".

use std::fmt;
use std::str::FromStr;

/// One threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// Both ends belong to the range; infinite where open.
    pub from: f64,
    pub to: f64,
    /// The alert is inside.
    pub inside: bool,
}

/// Why a text is no range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    #[error("`{0}` is no range: write `10` (outside 0 to 10), `10:`, `~:10`, `10:20` or `@10:20` (inside)")]
    Syntax(String),
    #[error("range `{0}` ends before it begins: swap its ends")]
    Order(String),
}

impl Range {
    /// Whether this value is to be told.
    pub fn alerts(&self, value: f64) -> bool {
        let within = self.from <= value && value <= self.to;
        // NaN lies nowhere: what has no value is neither good nor bad by a threshold.
        !value.is_nan() && within == self.inside
    }
}

impl FromStr for Range {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let (inside, ends) = match text.trim().strip_prefix('@') {
            Some(ends) => (true, ends),
            None => (false, text.trim()),
        };
        let number = |text: &str| {
            let number: f64 = text.replace(',', ".").parse().ok()?;
            number.is_finite().then_some(number)
        };
        let (from, to) = match ends.split_once(':') {
            None => (Some(0.0), number(ends)),
            Some((from, to)) => {
                let from = match from {
                    "~" => Some(f64::NEG_INFINITY),
                    "" => Some(0.0),
                    from => number(from),
                };
                (from, if to.is_empty() { Some(f64::INFINITY) } else { number(to) })
            }
        };
        let (Some(from), Some(to)) = (from, to) else { return Err(RangeError::Syntax(text.to_owned())) };
        if from > to {
            return Err(RangeError::Order(text.to_owned()));
        }
        Ok(Self { from, to, inside })
    }
}

/// The shortest form, which reads as the same range.
impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.inside {
            f.write_str("@")?;
        }
        if self.from == f64::NEG_INFINITY {
            f.write_str("~:")?;
        } else if self.from != 0.0 || self.to == f64::INFINITY {
            write!(f, "{}:", self.from)?;
        }
        if self.to == f64::INFINITY { Ok(()) } else { write!(f, "{}", self.to) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_alert_where_the_guidelines_say() {
        let cases: [(&str, &[f64], &[f64]); 7] = [
            ("10", &[-0.1, 10.1], &[0.0, 10.0]),
            ("10:", &[9.9, -1.0], &[10.0, 1e300]),
            ("~:10", &[10.5], &[10.0, -1e300]),
            ("10:20", &[9.0, 21.0], &[10.0, 20.0]),
            ("@10:20", &[10.0, 15.0, 20.0], &[9.9, 20.1]),
            ("-5:5", &[-6.0, 6.0], &[-5.0, 5.0]),
            ("0,5", &[0.6], &[0.5]),
        ];
        for (text, bad, good) in cases {
            let range: Range = text.parse().unwrap();
            assert!(bad.iter().all(|value| range.alerts(*value)), "{text}");
            assert!(good.iter().all(|value| !range.alerts(*value)) && !range.alerts(f64::NAN), "{text}");
            assert_eq!(range.to_string().parse(), Ok(range), "{text}");
        }
    }

    #[test]
    fn what_is_no_range_is_told_with_what_to_write() {
        for text in ["", "x", "1:2:3", "~", ":~", "@", "1:x", "nan", "inf", "1e999"] {
            assert!(matches!(text.parse::<Range>(), Err(RangeError::Syntax(_))), "{text}");
        }
        assert!(matches!("20:10".parse::<Range>(), Err(RangeError::Order(_))));
    }
}
