use super::world::scenarios::{ended, good, host, override_it, problem, scenarios};
use super::*;

fn codes(decision: &Decision) -> String {
    decision.codes().into_iter().map(Code::as_str).collect::<Vec<_>>().join(" ")
}

#[test]
fn each_scenario_has_its_verdict_and_codes_and_the_stored_facts_give_them_again() {
    let all = scenarios();
    assert!(all.len() > 20);
    for world::scenarios::Scenario { name, facts, verdict, codes: told } in all {
        let decision = judge(&facts);
        assert_eq!((decision.verdict, codes(&decision)), (verdict, told.to_owned()), "{name}: {decision:#?}");
        let kept = serde_json::to_vec(&facts).unwrap();
        assert_eq!(judge(&serde_json::from_slice::<Facts>(&kept).unwrap()), decision, "{name}");
        for reason in &decision.reasons {
            assert!(reason.evidence.starts_with('/') && !reason.text.is_empty(), "{name}: {reason:?}");
        }
    }
}

#[test]
fn an_override_names_who_and_why_in_what_it_lifts_and_is_told_where_it_lifts_nothing() {
    let mut facts = good();
    facts.to.problems.push(problem("web1", "critical", "acknowledged"));
    override_it(&mut facts, &[]);
    let decision = judge(&facts);
    assert_eq!(decision.lifted(), [Code::Problem]);
    let text = &decision.reasons[0].text;
    assert!(text.contains("acknowledged") && text.ends_with("lifted by user:ann: known"), "{text}");

    facts.to.problems.clear();
    let decision = judge(&facts);
    assert_eq!(decision.verdict, Verdict::Go);
    assert_eq!(decision.reasons[0].code, Code::OverrideUnused);
}

#[test]
fn what_does_not_decide_is_told() {
    let mut facts = good();
    facts.before.clear();
    assert_eq!(judge(&facts).reasons[0].code, Code::NoOrder);

    let mut facts = good();
    facts.to.more_problems = 3;
    assert_eq!(codes(&judge(&facts)), "problem");
    facts.asked.rollback = true;
    facts.to.ended = ended(HowEnded::Ok);
    let decision = judge(&facts);
    assert_eq!((decision.verdict, decision.reasons[0].code), (Verdict::Go, Code::ProblemTold));
}

#[test]
fn many_silent_hosts_are_one_reason() {
    let mut facts = good();
    facts.to.hosts = (0..400).map(|at| HostFact { heard_ms: None, ..host(&format!("w{at}")) }).collect();
    let reasons = judge(&facts).reasons;
    assert_eq!(reasons.len(), 1);
    assert!(reasons[0].text.contains("w0, w1, w2, w3, w4 and 395 more hosts"), "{}", reasons[0].text);
}
