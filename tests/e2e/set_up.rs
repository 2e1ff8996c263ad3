//! Monitoring that sets itself up: a profile reaches a real host on trial first, what breaks goes back alone, what is found is proposed.

use std::path::Path;
use std::time::Duration;

use muster_tests::harness::agent::{AgentHome, run, until};
use muster_tests::harness::collector::{Collector, Options};
use muster_tests::harness::operator::Operator;
use muster_tests::harness::programs;
use serde_json::json;

const LIMIT: Duration = Duration::from_secs(90);

struct World(Operator);

impl World {
    /// What the host said last of its configuration.
    fn word(&self, host: &str) -> String {
        let own = self.0.get(&format!("hosts/{host}/configuration")).unwrap();
        own["configuration"]["told"]["word"].as_str().unwrap_or_default().to_owned()
    }

    fn wait_for(&self, host: &str, word: &str) {
        until(&format!("{host} to say {word}"), LIMIT, || Ok((self.word(host) == word).then_some(()))).unwrap();
    }

    fn lines(&self, selector: &str) -> String {
        self.0.run(&["logs", selector, "-o", "raw"]).unwrap().1
    }
}

fn profile(name: &str, logs: &Path, check: &str, port: u16) -> String {
    let logs = logs.display();
    format!(
        "profile: {name}\nselector:\n  labels: '{{host=~\"set.*\"}}'\nlogs:\n- paths: ['{logs}/*.log']\n  labels: {{service: {name}}}\n\
         checks:\n- {{name: {check}, kind: port, port: {port}, interval: 5s}}\n"
    )
}

#[test]
fn a_profile_reaches_a_host_on_trial_and_what_breaks_goes_back_alone() {
    let programs = programs::folder();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let collector = Collector::start(&Options::new(&programs, &at("data"))).unwrap();
    let world = World(Operator::new(&programs, collector));
    let home = AgentHome::enrol(&programs, &world.0.collector, folder.path(), "set1").unwrap();
    std::fs::create_dir(at("logs")).unwrap();
    let bound = format!("remote.log_paths=[\"{}\"]", at("logs").display());
    let agent = home.start(&[&bound]).unwrap();
    world.wait_for("set1", "none");

    // Planned, then applied: the host runs by it on trial, and says that it is in force once it has stood the trial.
    let port = world.0.collector.http.port();
    std::fs::write(at("shop.yml"), profile("shop", &at("logs"), "shop-port", port)).unwrap();
    let file = at("shop.yml").display().to_string();
    let plan = world.0.done(&["plan", &file]).unwrap();
    assert!(
        plan.contains("+ profile shop") && plan.contains("host set1") && plan.contains("+name = \"shop-port\""),
        "{plan}"
    );
    assert_eq!(world.word("set1"), "none", "a plan changes nothing");
    world.0.done(&["apply", &file, "--reason", "a shop opens"]).unwrap();
    world.wait_for("set1", "trial");
    std::fs::write(at("logs/a.log"), "the shop is open\n").unwrap();
    until("the line", LIMIT, || Ok((world.lines("{service=\"shop\"}") == "the shop is open\n").then_some(()))).unwrap();
    world.wait_for("set1", "in_force");
    let checks = || {
        let answer = world.0.get("checks?host=set1").unwrap();
        Ok(answer.to_string().contains("shop-port").then_some(()))
    };
    until("its check", LIMIT, checks).unwrap();
    let rollouts = world.0.get("profiles/rollouts").unwrap();
    assert_eq!(
        (&rollouts["rollouts"][0]["wave"], &rollouts["rollouts"][0]["hosts"]),
        (&json!(0), &json!(1)),
        "{rollouts}"
    );

    // Beyond what the host's own file opens: refused there by name, and the one before goes on.
    std::fs::write(at("evil.yml"), profile("evil", Path::new("/etc"), "evil-port", port)).unwrap();
    world.0.done(&["apply", &at("evil.yml").display().to_string(), "--reason", "a mistake"]).unwrap();
    let set_back = until("the host to be set back", LIMIT, || {
        let own = world.0.get("hosts/set1/configuration").unwrap();
        Ok(own["configuration"]["set_back"].as_str().map(str::to_owned))
    })
    .unwrap();
    assert!(set_back.contains("/etc/*.log") && set_back.contains("log_paths"), "{set_back}");
    let stopped = world.0.get("profiles/rollouts").unwrap();
    let open = &stopped["rollouts"][0];
    assert_eq!((&open["state"], &open["failed"][0]["host"]), (&json!("stopped"), &json!("set1")), "{stopped}");
    std::fs::write(at("logs/b.log"), "it goes on\n").unwrap();
    until("the next line", LIMIT, || Ok(world.lines("{service=\"shop\"}").contains("it goes on").then_some(())))
        .unwrap();
    assert_eq!(world.lines("{service=\"evil\"}"), "");
    world.0.done(&["profiles", "revert", "--reason", "it was a mistake"]).unwrap();

    // One that kills its agent while it is on trial is set back by the next start, which goes by the last good one.
    std::fs::write(at("till.yml"), profile("till", &at("logs"), "till-port", port)).unwrap();
    world.0.done(&["apply", &at("till.yml").display().to_string(), "--reason", "a till"]).unwrap();
    until("the trial", LIMIT, || {
        let own = world.0.get("hosts/set1/configuration").unwrap();
        let is_on = own["configuration"]["told"]["word"] == "trial"
            && own["configuration"]["document"].to_string().contains("till-port");
        Ok(is_on.then_some(()))
    })
    .unwrap();
    agent.kill().unwrap();
    let agent = home.start(&[&bound]).unwrap();
    // The word of the one before stands until the host has said how this one went.
    let why = until("the trial to be set back", LIMIT, || {
        let own = world.0.get("hosts/set1/configuration").unwrap();
        let why = own["configuration"]["set_back"].as_str().map(str::to_owned);
        Ok(why.filter(|why| !why.contains("/etc/")))
    })
    .unwrap();
    assert!(why.contains("trial"), "{why}");
    std::fs::write(at("logs/c.log"), "still open\n").unwrap();
    until("a line of the last good one", LIMIT, || {
        Ok(world.lines("{service=\"shop\"}").contains("still open").then_some(()))
    })
    .unwrap();
    assert!(!world.0.get("checks?host=set1").unwrap().to_string().contains("till-port"));

    // With the collector away an agent starts by what is in force.
    let World(Operator { collector, .. }) = world;
    agent.stop().unwrap();
    collector.stop().unwrap();
    let agent = home.start(&[&bound]).unwrap();
    let state = at("set1").display().to_string();
    let shown = || {
        let (_, text, _) = run(&programs, "muster-agent", &["remote", "show", "--state", &state, "--set", &bound])?;
        Ok(text.contains("shop-port").then_some(()))
    };
    until("the configuration in force", LIMIT, shown).unwrap();
    agent.stop().unwrap();
}

#[test]
fn what_a_host_newly_has_is_proposed_accepted_and_missed() {
    let programs = programs::folder();
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start(&Options::new(&programs, &folder.path().join("data"))).unwrap();
    let world = World(Operator::new(&programs, collector));
    let home = AgentHome::enrol(&programs, &world.0.collector, folder.path(), "set1").unwrap();
    let agent = home.start(&[]).unwrap();
    until("the first inventory", LIMIT, || {
        let known = world.0.get("hosts/set1/inventory").unwrap();
        Ok(known.to_string().contains("listening_ports").then_some(()))
    })
    .unwrap();
    // A daemon begins to listen where others reach it.
    // Ports that the system gives out by itself are no service's, so one below them is looked for.
    let mut free = (21_000..21_500).filter_map(|port| std::net::TcpListener::bind(("0.0.0.0", port)).ok());
    let listener = free.next().unwrap();
    let port = listener.local_addr().unwrap().port();
    let find = || {
        let found = world.0.get("discovery?host=set1&kind=port&limit=1000").unwrap();
        let item = found["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|item| item["key"].as_str().unwrap().contains(&format!("/{port}/")))
            .cloned();
        Ok(item)
    };
    let item = until("the port to be proposed", Duration::from_secs(60), find).unwrap();
    let key = item["key"].as_str().unwrap();
    world.0.done(&["discovery", "accept", "set1", key]).unwrap();
    let check = format!("{port}");
    until("its check", LIMIT, || {
        let checks = world.0.get("checks?host=set1").unwrap();
        let mine = checks["checks"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["output"].as_str().unwrap_or("").contains(&check))
            .cloned();
        Ok(mine.filter(|one| one["state"] == "OK"))
    })
    .unwrap();
    // It vanishes without a word: it is gone, and its check fails.
    drop(listener);
    until("it to be gone", LIMIT, || Ok(find()?.filter(|item| item["state"] == "gone"))).unwrap();
    until("its check to fail", LIMIT, || {
        let checks = world.0.get("checks?host=set1&problems=true").unwrap();
        Ok(checks.to_string().contains(&check).then_some(()))
    })
    .unwrap();
    world.0.done(&["discovery", "archive", "set1", key, "--reason", "it moved"]).unwrap();
    until("its check to be withdrawn", LIMIT, || {
        let checks = world.0.get("checks?host=set1").unwrap();
        Ok((!checks.to_string().contains(&check)).then_some(()))
    })
    .unwrap();
    agent.stop().unwrap();
}
