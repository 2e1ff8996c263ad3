use super::*;
use crate::config;
use crate::enrol::{EnrolOptions, enrol};
use crate::uplink::test_collector::TestCollector;
use muster_common::time;
use tokio::sync::oneshot;

struct Trial {
    collector: TestCollector,
    folder: tempfile::TempDir,
    config: Config,
}

impl Trial {
    async fn enrolled() -> Self {
        let (collector, folder) = (TestCollector::start(), tempfile::tempdir().unwrap());
        Self::enrolled_at(collector, folder).await
    }

    async fn enrolled_at(collector: TestCollector, folder: tempfile::TempDir) -> Self {
        let options = EnrolOptions {
            collector: collector.address.clone(),
            word: collector.word(),
            name: String::new(),
            state_dir: folder.path().to_path_buf(),
            facts: Default::default(),
            replace: false,
            wait: false,
        };
        enrol(&options, time::now, &mut |_| {}).await.unwrap();
        // Only the cheap sources, often: what is tested here is the way out.
        let sets = ["metrics.interval=1s".to_owned(), format!("agent.state_dir={}", folder.path().display())];
        let config = config::parse("test", "", &sets).unwrap();
        Self { collector, folder, config }
    }

    fn start(&self) -> (oneshot::Sender<GoodbyeReason>, tokio::task::JoinHandle<Result<(), RunError>>) {
        let (stop, stopped) = oneshot::channel();
        let config = self.config.clone();
        // On its own thread, as in life: the sampler is not Send.
        let run = tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(run(config, async { stopped.await.unwrap_or(GoodbyeReason::Restart) }))
        });
        (stop, run)
    }

    async fn until(&self, what: &str, mut ready: impl FnMut(&TestCollector) -> bool) {
        for _ in 0..6_000 {
            if ready(&self.collector) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{what} did not happen within 60 s: {:?}", Status::read(self.folder.path()));
    }

    fn batches(collector: &TestCollector) -> usize {
        collector.with_model(|model| model.store.marks.values().map(|(mark, _)| *mark as usize).sum())
    }
}

#[tokio::test]
async fn an_agent_delivers_says_goodbye_and_leaves_its_status() {
    let trial = Trial::enrolled().await;
    let (stop, run) = trial.start();
    trial.until("the second batch", |collector| Trial::batches(collector) >= 2).await;
    let second = run_error(trial.config.clone()).await;
    assert!(second.contains("another muster-agent uses"), "{second}");
    let began = time::monotonic();
    stop.send(GoodbyeReason::Upgrade).unwrap();
    run.await.unwrap().unwrap();
    assert!(time::monotonic() - began < Duration::from_secs(5));
    assert_eq!(trial.collector.with_model(|model| model.goodbyes.clone()), [GoodbyeReason::Upgrade]);
    let hello = trial.collector.with_model(|model| model.hellos[0].clone());
    let facts = &hello.facts;
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap();
    let kib: u64 = memory.split_ascii_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(facts.processors >= 1 && facts.memory_bytes.abs_diff(kib * 1024) < 64 << 20, "{facts:?}");
    assert_eq!(facts.host_name, std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim());
    let machine_id = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    assert!(machine_id.trim().len() != 32 || facts.machine_id == machine_id.trim(), "{facts:?}");
    assert!(hello.boot_id != [0; 16] && hello.started_ms > 1_700_000_000_000, "{hello:?}");
    assert!(!hello.facts.kernel.is_empty() && hello.agent_version == env!("CARGO_PKG_VERSION"));
    let status = Status::read(trial.folder.path()).unwrap().unwrap();
    assert_eq!((status.collector.state.as_str(), status.totals.gaps), ("stopped", 0));
    assert_eq!(status.totals.batches, status.totals.acked_batches);
    assert!(status.cost.resident_bytes > 0 && status.host.name == "web1");
}

async fn run_error(config: Config) -> String {
    let run = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(config, std::future::pending())).unwrap_err().to_string()
    });
    run.await.unwrap()
}

#[tokio::test]
async fn what_was_made_while_the_collector_was_away_arrives_after_a_restart() {
    let trial = Trial::enrolled().await;
    trial.collector.with_model(|model| model.lanes = 0);
    let (stop, run) = trial.start();
    trial.until("the hello", |collector| collector.with_model(|model| !model.hellos.is_empty())).await;
    // No lane is offered, so nothing may be sent; what was made by then goes to the spool at the end.
    let made = || Status::read(trial.folder.path()).ok().flatten().is_some_and(|status| status.totals.batches >= 1);
    trial.until("a batch that waits", |_| made()).await;
    stop.send(GoodbyeReason::Restart).unwrap();
    run.await.unwrap().unwrap();
    assert_eq!(Trial::batches(&trial.collector), 0);
    let spooled = std::fs::read_dir(trial.folder.path().join("spool")).unwrap().count();
    assert!(spooled >= 2, "the table and a segment");
    trial.collector.with_model(|model| model.lanes = 0b010);
    let (stop, run) = trial.start();
    trial.until("the backlog", |collector| collector.with_model(|model| model.store.marks.len() >= 2)).await;
    stop.send(GoodbyeReason::Restart).unwrap();
    run.await.unwrap().unwrap();
    trial.collector.with_model(|model| {
        assert_eq!((model.store.gaps.len(), model.hellos.len()), (0, 2));
        // The backlog's and its own; one more where the first row was made before the connection stood.
        assert!(model.hellos[1].epochs.len() >= 2, "{:?}", model.hellos[1].epochs);
    });
}

#[tokio::test]
async fn certificates_are_renewed_with_a_new_key_in_time_and_with_the_same_one_too_late() {
    for (life_seconds, same_key) in [(1_300, false), (900, true)] {
        let (collector, folder) = (TestCollector::start(), tempfile::tempdir().unwrap());
        collector.issue_for(Duration::from_secs(life_seconds));
        let trial = Trial::enrolled_at(collector, folder).await;
        trial.collector.issue_for(Duration::from_secs(86_400));
        let stored = || IdentityFiles::new(trial.folder.path()).load().unwrap().unwrap();
        let before = stored();
        let (stop, run) = trial.start();
        trial.until("the new certificate on disk", |_| stored().facts.not_after > before.facts.not_after).await;
        assert_eq!((trial.collector.renewals(), stored().host), (1, before.host));
        assert_eq!(stored().identity.key_der == before.identity.key_der, same_key);
        if same_key {
            // Such a session served for nothing else: the next one says hello with the new certificate.
            trial.until("the next session", |collector| collector.leaves().len() == 2).await;
            trial.until("a batch", |collector| Trial::batches(collector) >= 1).await;
            assert_eq!(trial.collector.leaves()[1], stored().identity.chain_der[0]);
        }
        stop.send(GoodbyeReason::Restart).unwrap();
        run.await.unwrap().unwrap();
        assert!(!trial.folder.path().join("renewing.pem").exists());
    }
}

#[tokio::test]
async fn an_expired_host_whose_disk_takes_nothing_goes_on_with_the_new_certificate_from_memory() {
    let (collector, folder) = (TestCollector::start(), tempfile::tempdir().unwrap());
    collector.issue_for(Duration::from_secs(900));
    let trial = Trial::enrolled_at(collector, folder).await;
    trial.collector.issue_for(Duration::from_secs(86_400));
    // Nothing can be written over a folder, whoever asks.
    let blocked = trial.folder.path().join("identity.pem.tmp");
    std::fs::create_dir(&blocked).unwrap();
    let (stop, run) = trial.start();
    trial.until("a batch", |collector| Trial::batches(collector) >= 1).await;
    let status = || Status::read(trial.folder.path()).unwrap().unwrap_or_default();
    assert_eq!(trial.collector.renewals(), 1);
    stop.send(GoodbyeReason::Restart).unwrap();
    run.await.unwrap().unwrap();
    let problem = status().host.certificate_problem;
    assert!(problem.contains("identity.pem") && problem.contains("lost at the next restart"), "{problem}");
    assert!(status().totals.renewal_failures >= 1);
    // The next process renews again, and finds a disk that works.
    std::fs::remove_dir(&blocked).unwrap();
    let before = trial.collector.renewals();
    let (stop, run) = trial.start();
    let stored = || IdentityFiles::new(trial.folder.path()).load().unwrap().unwrap();
    trial.until("the certificate on disk", |_| stored().facts.not_after > time::now()).await;
    assert_eq!(trial.collector.renewals(), before + 1);
    stop.send(GoodbyeReason::Restart).unwrap();
    run.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_does_not_answer() {
    let mut trial = Trial::enrolled().await;
    trial.config.collector.addresses = vec!["no-such-host.invalid:9471".to_owned(), trial.collector.address.clone()];
    let (stop, run) = trial.start();
    trial.until("a batch", |collector| Trial::batches(collector) >= 1).await;
    stop.send(GoodbyeReason::Restart).unwrap();
    run.await.unwrap().unwrap();
    let status = Status::read(trial.folder.path()).unwrap().unwrap();
    assert_eq!((status.collector.address, status.totals.connect_failures), (trial.collector.address, 1));
}

#[tokio::test]
async fn without_an_identity_the_remedy_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let sets = [format!("agent.state_dir={}", folder.path().display())];
    let config = config::parse("test", "", &sets).unwrap();
    let error = run(config, std::future::pending()).await.unwrap_err().to_string();
    assert!(error.contains("not enrolled") && error.contains("muster-agent enrol"), "{error}");
}

#[tokio::test]
async fn a_termination_signal_ends_the_agent_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("stop-reason"), "upgrade").unwrap();
    let stop = signals(folder.path()).unwrap();
    let own = rustix::process::getpid();
    rustix::process::kill_process(own, rustix::process::Signal::TERM).unwrap();
    assert_eq!(stop.await, GoodbyeReason::Upgrade);
}

#[tokio::test]
async fn a_question_is_looked_into_and_answered_on_the_session() {
    use muster_common::wire::message::{AnswerWord, Ask};
    let trial = Trial::enrolled().await;
    let ask = |id, table: &str| Ask {
        id,
        table: table.to_owned(),
        columns: Vec::new(),
        filters: Vec::new(),
        rows_max: 10,
        within_ms: 10_000,
        extensions: Vec::new(),
    };
    trial.collector.with_model(|model| model.asks = vec![ask(1, "agent"), ask(2, "nothing")]);
    let (stop, run) = trial.start();
    trial.until("two answers", |collector| collector.with_model(|model| model.answers.len() == 2)).await;
    stop.send(GoodbyeReason::Restart).unwrap();
    run.await.unwrap().unwrap();
    trial.collector.with_model(|model| {
        let [agent, unknown] = &model.answers[..] else { panic!("{:?}", model.answers) };
        assert_eq!((agent.id, agent.word, agent.columns[0].as_str()), (1, AnswerWord::Rows, "version"));
        assert_eq!(agent.rows[0][..2], [env!("CARGO_PKG_VERSION").into(), i64::from(std::process::id()).into()]);
        assert_eq!((unknown.id, unknown.word), (2, AnswerWord::Unknown));
    });
}
mod remote;
