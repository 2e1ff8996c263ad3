//! What the gate says: a verdict, and each reason with what it does to the verdict.

use serde::{Deserialize, Serialize};

/// May it go there. Whoever asks goes on [`Verdict::Go`] alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Go,
    /// Something speaks against it.
    NoGo,
    /// What would have to be known is not.
    Unknown,
}

impl Verdict {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::NoGo => "no-go",
            Self::Unknown => "unknown",
        }
    }
}

/// What a reason does to the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    NoGo,
    Unknown,
    /// Nothing: it is worth knowing.
    Told,
}

/// The words that scripts go by: one that was told never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// A freeze holds.
    Freeze,
    /// A host of the service has a problem.
    Problem,
    /// Lines of a kind that there was not before this version, and that speak of errors.
    NewPattern,
    /// Errors are more frequent than before this version.
    ErrorRate,
    /// Hosts that have this version do worse than those that have not.
    CanaryWorse,
    /// The version's last deploy in an environment before failed or was rolled back.
    FailedThere,
    UnknownService,
    NoHosts,
    /// A host was not heard, or rules were not looked at, so that nothing is known of now.
    Stale,
    /// The version was never in an environment before.
    NeverSeen,
    /// It is on some hosts there and not on others.
    InPart,
    /// It was not there for the soak time.
    SoakShort,
    /// Hosts that have this version cannot be compared with the others yet.
    CanaryNotEnough,
    /// To be rolled back to, a version must have ended ok there.
    NeverEndedOk,
    /// A freeze holds that somebody lifted for this.
    FreezeLifted,
    /// A problem that does not keep from rolling back.
    ProblemTold,
    /// No environment must have had it before.
    NoOrder,
    /// Before and after this version cannot be compared.
    SinceNotEnough,
    /// Somebody overrides, and nothing was there that an override lifts.
    OverrideUnused,
}

/// A code, its name, what it does, and whether an override lifts it.
const CODES: [(Code, &str, Effect, bool); 19] = [
    (Code::Freeze, "freeze", Effect::NoGo, true),
    (Code::Problem, "problem", Effect::NoGo, true),
    (Code::NewPattern, "new_pattern", Effect::NoGo, true),
    (Code::ErrorRate, "error_rate", Effect::NoGo, true),
    (Code::CanaryWorse, "canary_worse", Effect::NoGo, true),
    (Code::FailedThere, "failed_there", Effect::NoGo, false),
    (Code::UnknownService, "unknown_service", Effect::Unknown, false),
    (Code::NoHosts, "no_hosts", Effect::Unknown, false),
    (Code::Stale, "stale", Effect::Unknown, false),
    (Code::NeverSeen, "never_seen", Effect::Unknown, false),
    (Code::InPart, "in_part", Effect::Unknown, false),
    (Code::SoakShort, "soak_short", Effect::Unknown, false),
    (Code::CanaryNotEnough, "canary_not_enough", Effect::Unknown, false),
    (Code::NeverEndedOk, "never_ended_ok", Effect::Unknown, false),
    (Code::FreezeLifted, "freeze_lifted", Effect::Told, false),
    (Code::ProblemTold, "problem_told", Effect::Told, false),
    (Code::NoOrder, "no_order", Effect::Told, false),
    (Code::SinceNotEnough, "since_not_enough", Effect::Told, false),
    (Code::OverrideUnused, "override_unused", Effect::Told, false),
];

impl Code {
    const fn row(self) -> &'static (Code, &'static str, Effect, bool) {
        // The table is in the order of the codes, which a test holds it to.
        &CODES[self as usize]
    }

    pub const fn as_str(self) -> &'static str {
        self.row().1
    }

    pub const fn effect(self) -> Effect {
        self.row().2
    }

    /// Whether an override lifts it.
    pub const fn is_waivable(self) -> bool {
        self.row().3
    }

    /// The code of a name.
    pub fn parse(name: &str) -> Option<Self> {
        CODES.iter().find(|row| row.1 == name).map(|row| row.0)
    }
}

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    pub code: Code,
    pub effect: Effect,
    /// One sentence for people.
    pub text: String,
    /// Where it can be seen: path and query of a page of the collector.
    pub evidence: String,
    pub waivable: bool,
    /// An override lifted it: it has no effect.
    #[serde(default)]
    pub lifted: bool,
}

impl Reason {
    pub(crate) fn new(code: Code, text: String, evidence: String) -> Self {
        Self { code, effect: code.effect(), text, evidence, waivable: code.is_waivable(), lifted: false }
    }
}

/// The gate's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    pub verdict: Verdict,
    /// What speaks against it first, then what is unknown, then what is worth knowing.
    pub reasons: Vec<Reason>,
}

impl Decision {
    /// No-go beats unknown, unknown beats go: what is known to be bad does not become better by what is not known.
    pub(crate) fn of(mut reasons: Vec<Reason>) -> Self {
        // Stable: within one code the order in which it was found.
        reasons.sort_by_key(|reason| (reason.effect, reason.code));
        let has = |effect| reasons.iter().any(|reason| reason.effect == effect && !reason.lifted);
        let verdict = match (has(Effect::NoGo), has(Effect::Unknown)) {
            (true, _) => Verdict::NoGo,
            (false, true) => Verdict::Unknown,
            (false, false) => Verdict::Go,
        };
        Self { verdict, reasons }
    }

    /// The codes of what counts, each once, in their order.
    pub fn codes(&self) -> Vec<Code> {
        let counts = |reason: &&Reason| reason.effect != Effect::Told && !reason.lifted;
        let mut codes: Vec<Code> = self.reasons.iter().filter(counts).map(|reason| reason.code).collect();
        codes.dedup();
        codes
    }

    /// What an override lifted, each once.
    pub fn lifted(&self) -> Vec<Code> {
        let mut codes: Vec<Code> =
            self.reasons.iter().filter(|reason| reason.lifted).map(|reason| reason.code).collect();
        codes.dedup();
        codes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_codes_is_in_their_order_and_no_unknown_is_ever_lifted() {
        for (at, (code, name, effect, is_waivable)) in CODES.iter().enumerate() {
            assert_eq!(*code as usize, at);
            assert_eq!(serde_json::to_value(code).unwrap(), *name);
            assert_eq!(Code::parse(name), Some(*code));
            assert!(!is_waivable || *effect == Effect::NoGo, "{name}");
        }
        assert!(!Code::FailedThere.is_waivable());
        assert_eq!(Code::parse("x"), None);
    }

    #[test]
    fn no_go_beats_unknown_and_unknown_beats_go() {
        let reason = |code| Reason::new(code, String::new(), String::new());
        let verdict = |codes: &[Code]| Decision::of(codes.iter().map(|code| reason(*code)).collect()).verdict;
        assert_eq!(verdict(&[]), Verdict::Go);
        assert_eq!(verdict(&[Code::NoOrder]), Verdict::Go);
        assert_eq!(verdict(&[Code::NoOrder, Code::Stale]), Verdict::Unknown);
        assert_eq!(verdict(&[Code::Stale, Code::Problem]), Verdict::NoGo);
        let lifted = Reason { lifted: true, ..reason(Code::Problem) };
        assert_eq!(Decision::of(vec![lifted.clone()]).verdict, Verdict::Go);
        assert_eq!(Decision::of(vec![lifted, reason(Code::Stale)]).verdict, Verdict::Unknown);
    }
}
