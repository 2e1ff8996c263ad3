//! Acknowledgements: somebody has taken a problem.

use serde::{Deserialize, Serialize};

/// That somebody has taken it. It ends with the problem in any case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    pub by: String,
    pub comment: String,
    pub at_ms: i64,
    /// From then on it is told again; `None`: no end but the problem's.
    pub until_ms: Option<i64>,
    /// It stays when the problem becomes another one, such as CRITICAL after WARNING.
    pub is_sticky: bool,
}

impl Acknowledgement {
    /// Whether it is over, given the problem: `None` where there is none any more, or whether it is another than was acknowledged.
    pub(crate) fn is_over(&self, now_ms: i64, problem_is_another: Option<bool>) -> bool {
        self.until_ms.is_some_and(|until| now_ms >= until)
            || problem_is_another.is_none_or(|is_another| is_another && !self.is_sticky)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_by_time_by_change_or_with_the_problem() {
        let table = [
            // until, sticky, now, problem, over
            (None, false, 5, Some(false), false),
            (None, false, 5, Some(true), true),
            (None, true, 5, Some(true), false),
            (None, true, 5, None, true),
            (None, false, 5, None, true),
            (Some(6), true, 5, Some(false), false),
            (Some(6), true, 6, Some(false), true),
        ];
        for (until_ms, is_sticky, now, problem, is_over) in table {
            let ack = Acknowledgement { by: "ann".into(), comment: String::new(), at_ms: 1, until_ms, is_sticky };
            assert_eq!(ack.is_over(now, problem), is_over, "{until_ms:?} {is_sticky} {now} {problem:?}");
        }
    }
}
