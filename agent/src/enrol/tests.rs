use super::*;
use crate::uplink::test_collector::{Answer, HOST, TestCollector};
use muster_common::time;

fn options(collector: &TestCollector, folder: &tempfile::TempDir) -> EnrolOptions {
    EnrolOptions {
        collector: collector.address.clone(),
        word: collector.word(),
        name: "web1".to_owned(),
        state_dir: folder.path().join("state"),
        facts: HostFacts { host_name: "web1.example".to_owned(), ..HostFacts::default() },
        replace: false,
        wait: true,
    }
}

async fn enrol_quietly(options: &EnrolOptions) -> Result<Outcome, EnrolError> {
    enrol(options, time::now, &mut |_| {}).await
}

#[tokio::test]
async fn a_host_is_enrolled_and_has_what_it_needs_to_run() {
    let (collector, folder) = (TestCollector::start(), tempfile::tempdir().unwrap());
    let options = options(&collector, &folder);
    let outcome = enrol_quietly(&options).await.unwrap();
    assert_eq!((outcome.host, outcome.name.as_str(), outcome.clock_hint), (HOST, "web1", None));
    let request = &collector.enrols()[0];
    assert_eq!(request.token, options.word.token.to_string(), "the pin is not sent");
    assert_eq!((request.name.as_str(), request.facts.host_name.as_str()), ("web1", "web1.example"));
    let enrolled = IdentityFiles::new(&options.state_dir).load().unwrap().unwrap();
    assert_eq!((enrolled.host, enrolled.enrolment.collector), (HOST, vec![collector.address.clone()]));
    let again = enrol_quietly(&options).await.unwrap_err();
    assert!(matches!(&again, EnrolError::Already { host: HOST, .. }), "{again}");
    assert_eq!(collector.enrols().len(), 1, "nothing was asked");
    let replace = EnrolOptions { replace: true, ..options };
    enrol_quietly(&replace).await.unwrap();
    assert_ne!(collector.enrols()[1].csr_der, collector.enrols()[0].csr_der, "a new identity has a new key");
}

#[tokio::test]
async fn nothing_is_sent_to_a_collector_that_the_token_is_not_for() {
    let (collector, other, folder) = (TestCollector::start(), TestCollector::start(), tempfile::tempdir().unwrap());
    let options = EnrolOptions { word: other.word(), ..options(&collector, &folder) };
    let error = enrol_quietly(&options).await.unwrap_err().to_string();
    assert!(error.contains("not the one that the token is for"), "{error}");
    assert!(collector.enrols().is_empty() && other.enrols().is_empty());
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_with_the_same_key() {
    let (collector, folder) = (TestCollector::start(), tempfile::tempdir().unwrap());
    let options = options(&collector, &folder);
    collector.will_answer([Answer::Nothing, Answer::Issue]);
    let error = enrol_quietly(&options).await.unwrap_err();
    assert!(matches!(error, EnrolError::NoAnswer { .. }), "{error}");
    enrol_quietly(&options).await.unwrap();
    let enrols = collector.enrols();
    let key = |at: usize| {
        let csr = rcgen::CertificateSigningRequestParams::from_der(&enrols[at].csr_der.as_slice().into()).unwrap();
        rcgen::PublicKeyData::subject_public_key_info(&csr.public_key)
    };
    assert_eq!(key(0), key(1));
}

#[tokio::test]
async fn each_refusal_is_told_with_the_collectors_remedy() {
    let (collector, folder) = (TestCollector::start(), tempfile::tempdir().unwrap());
    let options = EnrolOptions { wait: false, ..options(&collector, &folder) };
    for (code, message) in [
        (RefusalCode::Token, "token 01020304 expired an hour ago"),
        (RefusalCode::Version, "protocol 9"),
        (RefusalCode::Certificate, "this key belongs to host `web2`"),
        (RefusalCode::Pending, "the name `web1` is taken"),
    ] {
        collector.will_answer([Answer::Refuse(code, message)]);
        let error = enrol_quietly(&options).await.unwrap_err().to_string();
        assert!(error.contains(message) && error.contains("do something"), "{error}");
    }
    assert!(!options.state_dir.join("identity.pem").exists());
}

#[tokio::test]
async fn one_that_must_be_approved_waits_and_says_once_what_to_do() {
    let (collector, folder) = (TestCollector::start(), tempfile::tempdir().unwrap());
    let pending = Answer::Refuse(RefusalCode::Pending, "the name `web1` is taken");
    let busy = Answer::Refuse(RefusalCode::Busy, "too many");
    collector.will_answer([pending.clone(), pending.clone(), busy, pending, Answer::Issue]);
    let mut told = Vec::new();
    enrol(&options(&collector, &folder), time::now, &mut |text| told.push(text.to_owned())).await.unwrap();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("waiting for approval: the name `web1` is taken; do something"));
    assert_eq!(collector.enrols().len(), 5);
}

#[tokio::test]
async fn one_that_waits_for_approval_goes_on_waiting_while_the_collector_restarts() {
    let (collector, folder) = (TestCollector::start(), tempfile::tempdir().unwrap());
    let pending = Answer::Refuse(RefusalCode::Pending, "the name `web1` is taken");
    let busy = Answer::Refuse(RefusalCode::Busy, "starting");
    let answers = [pending.clone(), Answer::Nothing, busy, pending, Answer::Nothing, Answer::Issue];
    collector.will_answer(answers);
    let mut told = Vec::new();
    enrol(&options(&collector, &folder), time::now, &mut |text| told.push(text.to_owned())).await.unwrap();
    assert!(told[1].contains("still waiting for approval"), "{told:?}");
    assert_eq!(collector.enrols().len(), 6);
    // What no waiting cures ends it.
    let dial = |reason| {
        EnrolError::Dial(DialError::Connect { address: String::new(), problem: String::new(), reason }).may_pass()
    };
    assert!(dial(ConnectFailure::NoAnswer) && dial(ConnectFailure::Closed) && !dial(ConnectFailure::Handshake));
}

#[tokio::test]
async fn a_certificate_that_is_not_for_this_key_is_not_taken() {
    let (collector, folder) = (TestCollector::start(), tempfile::tempdir().unwrap());
    collector.will_answer([Answer::IssueForAnotherKey]);
    let options = options(&collector, &folder);
    let error = enrol_quietly(&options).await.unwrap_err().to_string();
    assert!(error.contains("for another key"), "{error}");
    assert!(!options.state_dir.join("identity.pem").exists());
}

#[tokio::test]
async fn wrong_addresses_are_named() {
    let (collector, folder) = (TestCollector::start(), tempfile::tempdir().unwrap());
    for (address, words) in [
        ("collector.example", "HOST:PORT"),
        (":9471", "HOST:PORT"),
        ("collector.example:99999", "HOST:PORT"),
        ("no-such-host.invalid:9471", "does not resolve"),
    ] {
        let options = EnrolOptions { collector: address.to_owned(), ..options(&collector, &folder) };
        let error = enrol_quietly(&options).await.unwrap_err().to_string();
        assert!(error.contains(words) && error.contains(address), "{error}");
    }
    let long = EnrolOptions { name: "x".repeat(300), ..options(&collector, &folder) };
    assert!(enrol_quietly(&long).await.unwrap_err().to_string().contains("at most 253"));
}

#[test]
fn a_clock_that_is_off_is_told() {
    let at = Timestamp::from_millis;
    let life = (at(1_000_000_000), at(2_000_000_000));
    assert_eq!(clock_hint(life, at(1_500_000_000)), None);
    assert_eq!(clock_hint(life, at(999_950_000)), None);
    let behind = clock_hint(life, at(1_000_000_000 - 7_200_000)).unwrap();
    assert!(behind.contains("at least 2h behind"), "{behind}");
    let ahead = clock_hint(life, at(2_000_000_000 + 60_001_000)).unwrap();
    assert!(ahead.contains("at least 16h40m1s ahead of"), "{ahead}");
}
