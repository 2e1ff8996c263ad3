//! Freezes: times at which nothing is to be deployed, and who lifted one.

use muster_common::matcher::Matcher;
use muster_common::matcher_text::{all_match_by, read_matchers};
use serde::{Deserialize, Serialize};

use super::service::{TEXT_BYTES_MAX, check_name};
use crate::status::Window;

/// Freezes that are kept: one a week for years, and those of files.
pub const FREEZES_MAX: usize = 500;
/// How long one stays after its end, milliseconds: who asks why nothing went out finds it.
pub(super) const FREEZE_KEPT_MS: i64 = 30 * 24 * 3_600_000;
/// Overrides that are kept: as many as freezes, the oldest go.
pub const FREEZE_OVERRIDES_MAX: usize = 500;
/// How long an override lifts a freeze, and at most, milliseconds: one deploy, and not a week of them.
pub const OVERRIDE_MS: i64 = 3_600_000;
pub const OVERRIDE_MAX_MS: i64 = 24 * 3_600_000;

/// A freeze as somebody asks for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreezeSpec {
    /// Over `env` and `service`: `env=production, service=~"shop.*"`. All must match.
    pub matchers: String,
    /// Milliseconds since 1970; `None`: always.
    pub from_ms: Option<i64>,
    pub to_ms: Option<i64>,
    /// `fri 16:00-00:00`, `sat-sun 00:00-00:00`: only then, between the two; empty: all of that time.
    #[serde(default)]
    pub recurrence: String,
    /// IANA name of the zone of `recurrence`; empty: UTC.
    #[serde(default)]
    pub zone: String,
    pub reason: String,
}

/// One that the API made: table `freezes`, key its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    pub id: u64,
    #[serde(flatten)]
    pub spec: FreezeSpec,
    pub by: String,
    pub made_ms: i64,
}

/// Somebody lifted the freezes of a service in an environment for a while: table `freeze_overrides`, key its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreezeOverride {
    pub id: u64,
    /// The freeze that was on, by its id.
    pub freeze: String,
    pub service: String,
    pub env: String,
    pub reason: String,
    pub by: String,
    pub from_ms: i64,
    pub until_ms: i64,
}

/// A freeze as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreezeView {
    /// A number in digits: the API's; else the name that the file gives it.
    pub id: String,
    pub spec: FreezeSpec,
    /// The file that it stands in, so that it is changed there and not over the API; `None`: the API's.
    pub file: Option<String>,
    /// Who made it; empty: whoever wrote the file.
    pub by: String,
    /// 0: not known.
    pub made_ms: i64,
    pub is_on: bool,
    /// When it begins or ends next; `None`: not within two weeks.
    pub next_ms: Option<i64>,
}

/// What freezes a service in an environment now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreezeNow {
    /// Of several the one that ends last.
    pub freeze: FreezeView,
    /// When it ends, as far as two weeks ahead show.
    pub until_ms: Option<i64>,
    /// Somebody lifted it for now.
    pub lifted: Option<FreezeOverride>,
}

/// One with its texts read.
#[derive(Clone, Debug)]
pub(crate) struct ReadFreeze {
    pub(crate) spec: FreezeSpec,
    matchers: Vec<Matcher>,
    window: Window,
}

impl ReadFreeze {
    /// The error says which field is wrong, and how.
    pub(crate) fn new(spec: FreezeSpec) -> Result<Self, (&'static str, String)> {
        let texts = [
            ("matchers", &spec.matchers),
            ("recurrence", &spec.recurrence),
            ("zone", &spec.zone),
            ("reason", &spec.reason),
        ];
        if let Some((field, _)) = texts.iter().find(|(_, text)| text.len() > TEXT_BYTES_MAX) {
            return Err((field, format!("it is longer than {TEXT_BYTES_MAX} bytes: shorten it")));
        }
        if spec.reason.trim().is_empty() {
            return Err(("reason", "it has no reason: say why nothing is to be deployed".to_owned()));
        }
        let matchers = read_matchers(&spec.matchers).map_err(|error| ("matchers", error.to_string()))?;
        if matchers.is_empty() {
            return Err(("matchers", "it freezes nothing: write matchers such as env=production".to_owned()));
        }
        if let Some(other) = matchers.iter().find(|matcher| matcher.name != "env" && matcher.name != "service") {
            let name = super::service::clean(&other.name);
            return Err(("matchers", format!("a deploy has no `{name}`: match env and service")));
        }
        if spec.recurrence.trim().is_empty() && spec.to_ms.is_none() {
            return Err(("to", "it has no end: give one, or a recurrence".to_owned()));
        }
        let span = (spec.from_ms.unwrap_or(i64::MIN), spec.to_ms.unwrap_or(i64::MAX));
        let field = if spec.to_ms.is_some_and(|to_ms| to_ms <= span.0) { "to" } else { "recurrence" };
        let window = Window::new(span, &spec.recurrence, &spec.zone).map_err(|why| (field, why))?;
        Ok(Self { spec, matchers, window })
    }

    pub(crate) fn is_about(&self, service: &str, env: &str) -> bool {
        all_match_by(&self.matchers, |name| Some(if name == "env" { env } else { service }))
    }

    /// The end of the stretch that is on now.
    pub(crate) fn on_until(&self, now_ms: i64) -> Option<i64> {
        self.window.on(now_ms).map(|(_, to)| to)
    }

    pub(crate) fn is_over(&self, now_ms: i64) -> bool {
        self.spec.to_ms.is_some_and(|to_ms| to_ms <= now_ms)
    }

    pub(crate) fn view(&self, id: String, now_ms: i64) -> FreezeView {
        FreezeView {
            id,
            spec: self.spec.clone(),
            file: None,
            by: String::new(),
            made_ms: 0,
            is_on: self.window.is_on(now_ms),
            next_ms: self.window.next_change(now_ms),
        }
    }
}

/// The name of a freeze in a file.
pub(super) fn check_freeze_name(name: &str) -> Result<(), String> {
    check_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> FreezeSpec {
        FreezeSpec {
            matchers: "env=production".into(),
            from_ms: Some(10),
            to_ms: Some(20),
            reason: "holidays".into(),
            ..FreezeSpec::default()
        }
    }

    #[test]
    fn a_freeze_is_about_what_it_matches_and_on_in_its_time() {
        let freeze =
            ReadFreeze::new(FreezeSpec { matchers: "env=production, service!=blog".into(), ..spec() }).unwrap();
        for (service, env, is_about) in
            [("shop", "production", true), ("blog", "production", false), ("shop", "staging", false)]
        {
            assert_eq!(freeze.is_about(service, env), is_about, "{service} {env}");
        }
        for (now, until, is_over) in [(9, None, false), (10, Some(20), false), (19, Some(20), false), (20, None, true)]
        {
            assert_eq!((freeze.on_until(now), freeze.is_over(now)), (until, is_over), "{now}");
        }
    }

    #[test]
    fn one_of_every_week_needs_no_end() {
        let ms = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let (recurrence, zone) = ("fri 16:00-00:00".to_owned(), "Europe/Berlin".to_owned());
        let freeze = ReadFreeze::new(FreezeSpec { from_ms: None, to_ms: None, recurrence, zone, ..spec() }).unwrap();
        // 2026-11-27 is a Friday; 16:00 in Berlin is 15:00 UTC.
        for (now, until) in [
            ("2026-11-27T14:59:59Z", None),
            ("2026-11-27T15:00:00Z", Some("2026-11-27T23:00:00Z")),
            ("2026-11-27T23:00:00Z", None),
            ("2036-11-28T15:30:00Z", Some("2036-11-28T23:00:00Z")),
        ] {
            assert_eq!(freeze.on_until(ms(now)), until.map(ms), "{now}");
        }
        let view = freeze.view("weekend".into(), ms("2026-11-27T14:00:00Z"));
        assert_eq!((view.is_on, view.next_ms), (false, Some(ms("2026-11-27T15:00:00Z"))));
    }

    #[test]
    fn bad_ones_are_refused_with_their_field() {
        for (bad, field, told) in [
            (FreezeSpec { matchers: String::new(), ..spec() }, "matchers", "freezes nothing"),
            (FreezeSpec { matchers: "role=web".into(), ..spec() }, "matchers", "no `role`"),
            (FreezeSpec { matchers: "env".into(), ..spec() }, "matchers", "env"),
            (FreezeSpec { reason: " ".into(), ..spec() }, "reason", "no reason"),
            (FreezeSpec { reason: "x".repeat(1_025), ..spec() }, "reason", "longer than"),
            (FreezeSpec { to_ms: Some(10), ..spec() }, "to", "ends before"),
            (FreezeSpec { to_ms: None, ..spec() }, "to", "no end"),
            (FreezeSpec { recurrence: "fridays".into(), ..spec() }, "recurrence", "write such as"),
            (
                FreezeSpec { recurrence: "fri 16:00-18:00".into(), zone: "Nowhere".into(), ..spec() },
                "recurrence",
                "`Nowhere` is unknown",
            ),
        ] {
            let (found, why) = ReadFreeze::new(bad).unwrap_err();
            assert!(found == field && why.contains(told), "{found}: {why}");
        }
    }
}
