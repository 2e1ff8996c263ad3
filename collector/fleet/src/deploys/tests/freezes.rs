//! Freezes over a real file.

use super::*;
use crate::{AuditQuery, By};

fn freeze(matchers: &str, from: u64, to: u64) -> FreezeSpec {
    let reason = "holidays".to_owned();
    FreezeSpec {
        matchers: matchers.to_owned(),
        from_ms: Some(ms(from)),
        to_ms: Some(ms(to)),
        reason,
        ..FreezeSpec::default()
    }
}

/// Id, end and who lifted it, of what freezes the shop there.
fn now(bench: &Bench, env: &str, seconds: u64) -> Option<(String, Option<i64>, Option<String>)> {
    let frozen = bench.fleet.freeze_now("shop", env, at(seconds))?;
    Some((frozen.freeze.id, frozen.until_ms, frozen.lifted.map(|lifted| lifted.by)))
}

#[test]
fn a_freeze_holds_until_it_ends_or_is_lifted_by_name_and_reason() {
    let bench = declare(Bench::new());
    web(&bench, "web1", "production");
    let ann = &By::user("ann", "192.0.2.1");
    let made = bench.fleet.add_freeze(freeze("env=production", 100_000, 200_000), ann, at(50_000)).unwrap();
    bench.fleet.add_freeze(freeze("service=shop", 120_000, 300_000), ann, at(50_000)).unwrap();
    assert_eq!(made.id, 1);
    let on =
        |id: &str, until: u64, lifted: Option<&str>| Some((id.to_owned(), Some(ms(until)), lifted.map(str::to_owned)));
    assert_eq!(now(&bench, "production", 99_999), None);
    assert_eq!(now(&bench, "production", 100_000), on("1", 200_000, None));
    assert_eq!(now(&bench, "production", 150_000), on("2", 300_000, None), "the one that ends last");
    let lift = |reason: &str, lasts_ms, seconds| {
        bench.fleet.override_freeze(("shop", "production"), reason, lasts_ms, ann, at(seconds))
    };
    for (result, told) in [
        (lift(" ", 1, 150_000), "it has no reason"),
        (lift("fix", OVERRIDE_MAX_MS + 1, 150_000), "at most 24 hours"),
        (lift("fix", 1, 400_000), "nothing freezes `shop` in `production` now"),
        (bench.fleet.override_freeze(("blog", "production"), "fix", 1, ann, at(150_000)), "no service `blog`"),
    ] {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
    let lifted = lift("card payments fail", OVERRIDE_MS, 110_000).unwrap();
    assert_eq!((lifted.freeze.as_str(), lifted.until_ms), ("1", ms(113_600)));
    let bench = declare(bench.reopen());
    assert_eq!(now(&bench, "production", 110_000), on("1", 200_000, Some("user:ann")));
    assert_eq!(now(&bench, "production", 113_600), on("1", 200_000, None));
    let begun = bench.fleet.start_deploy(start("1", "production"), OPERATOR, at(110_500)).unwrap().deploy;
    assert_eq!((begun.freeze.as_str(), begun.lifted), ("1", Some(1)));
    let begun = bench.fleet.start_deploy(start("2", "production"), OPERATOR, at(114_000)).unwrap().deploy;
    assert_eq!((begun.freeze.as_str(), begun.lifted), ("1", None), "a fact is taken");
    let texts = told(&bench);
    for text in [
        "freeze_set: froze deploys with env=production: holidays",
        "freeze_overridden: lifted the freeze 1 for shop in production: card payments fail",
        "deploy_started: deploy of shop 1 to production began on 1 hosts; the freeze 1 was lifted by user:ann",
        "deploy_started: deploy of shop 2 to production began on 1 hosts, in the freeze 1: holidays",
    ] {
        assert!(texts.iter().any(|one| one == text), "{texts:?}");
    }
    let audit = bench.fleet.audit(&AuditQuery { limit: 10, ..AuditQuery::default() }).unwrap();
    let row = audit.iter().find(|row| row.action == EventKind::FreezeOverridden).unwrap();
    assert_eq!((row.by.as_str(), row.source.as_str(), row.object.as_str()), ("user:ann", "192.0.2.1", "1"));
    assert!(row.text.contains("card payments fail"), "{}", row.text);

    bench.fleet.end_freeze("2", ann, at(120_000)).unwrap();
    bench.fleet.end_freeze("1", ann, at(120_000)).unwrap();
    assert_eq!(now(&bench, "production", 150_000), None);
    let gone = bench.fleet.end_freeze("1", ann, at(120_001)).unwrap_err().to_string();
    assert!(gone.contains("no freeze `1` is known that is not over"), "{gone}");
}

#[test]
fn freezes_of_the_file_are_read_only() {
    let bench = declare(Bench::new());
    web(&bench, "web1", "staging");
    // The bench's clock begins at a full day: 01:00 is its second 3600.
    let starts = (0..86_400_u64).find(|seconds| now(&bench, "staging", *seconds).is_some()).unwrap();
    assert_eq!(now(&bench, "staging", starts), Some(("nights".into(), Some(ms(starts + 3_600)), None)));
    assert_eq!(now(&bench, "production", starts), None);
    let error = bench.fleet.end_freeze("nights", OPERATOR, at(starts)).unwrap_err().to_string();
    assert!(error.contains("stands in the file `deploy.toml`"), "{error}");
    let all = bench.fleet.freezes(at(starts));
    assert_eq!((all[0].id.as_str(), all[0].file.as_deref(), all[0].is_on), ("nights", Some("deploy.toml"), true));
    bench.fleet.set_deploy_settings(DeploySettings::default());
    assert_eq!((now(&bench, "staging", starts), bench.fleet.deploy_file()), (None, None));
}

#[test]
fn one_that_has_not_begun_ends_too_and_old_ones_go() {
    let bench = declare(Bench::new());
    let error = bench.fleet.add_freeze(freeze("env=production", 10, 20), OPERATOR, at(30)).unwrap_err().to_string();
    assert!(error.contains("field `to` of the freeze cannot be taken, since it is over already"), "{error}");
    bench.fleet.add_freeze(freeze("env=production", 1_000, 2_000), OPERATOR, at(30)).unwrap();
    let ended = bench.fleet.end_freeze("1", OPERATOR, at(100)).unwrap();
    assert_eq!(ended.spec.to_ms, Some(ms(100)));
    let bench = declare(bench.reopen());
    assert_eq!(now(&bench, "production", 1_500), None);
    let late = 40 * 86_400;
    bench.fleet.add_freeze(freeze("env=production", late, late + 10), OPERATOR, at(late)).unwrap();
    bench.fleet.add_freeze(freeze("env=production", late, late + 20), OPERATOR, at(late)).unwrap();
    let own: Vec<String> = bench.fleet.freezes(at(late)).into_iter().map(|one| one.id).collect();
    assert_eq!(own, ["nights", "2", "3"]);
}
