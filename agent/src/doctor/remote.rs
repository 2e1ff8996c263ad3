//! The collector's configuration: what became of it, whether what is kept is whole, and whether the host's present file still lets it run.

use muster_common::disk::real::RealDisk;
use muster_common::finding::Finding;

use super::scene::Scene;
use crate::config::Config;
use crate::remote::judge::judge as judge_document;
use crate::remote::machine::name_of;
use crate::remote::show::surroundings;
use crate::remote::store::{Kept, Store};

pub(super) fn examine(scene: &Scene) -> Vec<Finding> {
    let config = scene.config().clone();
    let store = Store::new(RealDisk, &scene.state_dir);
    let place = store.folder().display().to_string();
    if !config.remote.enabled {
        let file = scene.config_file().display().to_string();
        return vec![Finding::ok("this host takes no configuration of its collector: [remote] enabled = false", file)];
    }
    if let Err(error) = std::fs::read_dir(store.folder())
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return vec![Finding::warning(format!("it cannot be looked at: {error}"), place, "run the doctor as root")];
    }
    judge(&store.load(), config, &place)
}

fn judge(kept: &Kept, config: Config, place: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for problem in &kept.problems {
        findings.push(Finding::problem(problem.message.clone(), problem.place.clone(), problem.remedy.clone()));
    }
    if let Some(refused) = &kept.record.refused {
        let word = if refused.is_reverted { "ran, did not do and was set back" } else { "was refused" };
        let name = name_of(refused.mark.number);
        for told in &refused.problems {
            let what = format!("{name} of the collector {word}: {}", told.message);
            findings.push(Finding::problem(what, told.place.clone(), told.remedy.clone()));
        }
        if refused.problems.is_empty() {
            findings.push(Finding::problem(
                format!("{name} of the collector {word}"),
                place,
                "muster-agent remote show",
            ));
        }
    }
    if let (Some(mark), Some(text)) = (&kept.record.good, &kept.good) {
        let (name, (host, names)) = (name_of(mark.number), surroundings(config));
        match judge_document(&name, text, &host, &names) {
            Err(problems) => findings.extend(problems.into_iter().map(|problem| {
                let what = format!("{name} does not fit the host's own file any more: {}", problem.message);
                Finding::problem(what, problem.place, problem.remedy)
            })),
            Ok(judged) => {
                let warnings = judged.warnings.into_iter();
                findings.extend(warnings.map(|one| Finding::warning(one.message, one.place, one.remedy)));
            }
        }
    }
    if findings.is_empty() {
        let text = match (&kept.record.good, &kept.record.trial) {
            (_, Some(mark)) => format!("{} of the collector is on trial", name_of(mark.number)),
            (Some(mark), None) => format!("{} of the collector is in force", name_of(mark.number)),
            (None, None) => "the collector adds nothing to the host's own file".to_owned(),
        };
        findings.push(Finding::ok(text, place));
    }
    findings
}

#[cfg(test)]
mod tests {
    use muster_common::finding::Level;
    use muster_common::wire::message::Configuration;

    use super::*;
    use crate::config::parse;
    use crate::remote::store::{Mark, Record, Refusal, Told};

    #[test]
    fn what_was_refused_set_back_or_damaged_is_told_and_what_does_not_fit_any_more() {
        let host = |text: &str| parse("agent.toml", text, &[]).unwrap();
        let told = |kept: &Kept, text: &str| judge(kept, host(text), "/s/remote");
        let ok = told(&Kept::default(), "");
        assert!(ok[0].level == Level::Ok && ok[0].what.contains("adds nothing"), "{ok:?}");
        let document = "[[checks]]\nname = \"x\"\nkind = \"load\"\n";
        let mark = |number| Mark { number, digest: Configuration::digest_of(document), since_ms: 0 };
        let record = Record { good: Some(mark(2)), ..Record::default() };
        let mut kept = Kept { record, good: Some(document.to_owned()), ..Kept::default() };
        assert!(told(&kept, "")[0].what.starts_with("configuration 2 of the collector is in force"));
        let own = "[[checks]]\nname = \"x\"\nkind = \"memory\"\n";
        let found = told(&kept, own);
        assert!(
            found[0].level == Level::Problem && found[0].what.contains("does not fit the host's own file"),
            "{found:?}"
        );
        let problems = vec![Told { place: "configuration 3:1:1".into(), message: "m".into(), remedy: "r".into() }];
        for (is_reverted, word) in [(false, "was refused: m"), (true, "was set back: m")] {
            kept.record.refused = Some(Refusal { mark: mark(3), is_reverted, problems: problems.clone() });
            let found = told(&kept, "");
            assert!(found.len() == 1 && found[0].what.ends_with(word) && found[0].remedy == "r", "{found:?}");
        }
        let damage = muster_common::wire::message::Problem {
            place: "/s/remote/good.toml".into(),
            message: "d".into(),
            remedy: "r".into(),
        };
        let found = told(&Kept { problems: vec![damage], ..Kept::default() }, "");
        assert_eq!((found[0].level, found[0].place.as_str()), (Level::Problem, "/s/remote/good.toml"));
    }
}
