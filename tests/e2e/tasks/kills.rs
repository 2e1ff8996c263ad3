//! Programs that are killed and ways that are cut in the middle of a task: it runs once, it ends once, and all that it wrote arrives once.

use std::path::Path;

use muster_tests::harness::agent::{AgentHome, until};
use muster_tests::harness::programs;
use muster_tests::harness::relay::Relay;
use muster_tests::harness::tasks::{TaskHost, Team};

use super::{HOST, LIMIT, Scripts, one_host};

/// Writes ten lines, waits to be let on, and writes ten more.
const WORK: &str = "echo x >> $1/runs; rm -f $1/go; for n in 1 2 3 4 5 6 7 8 9 10; do echo line $n; done; \
    until [ -e $1/go ]; do sleep 0.05; done; for n in 11 12 13 14 15 16 17 18 19 20; do echo line $n; done";

fn lines(count: usize) -> String {
    (1..=count).map(|number| format!("line {number}\n")).collect()
}

fn work(folder: &Path) -> Scripts {
    Scripts::new(folder).with("work", WORK, &[], "timeout = \"10m\"")
}

/// Begins the task and waits until the collector has its first lines.
fn begin(team: &Team) -> u64 {
    let order = team.ask(&["task", "run", "work", "--host", HOST]).unwrap();
    team.approve(order).unwrap();
    until("the first lines", LIMIT, || Ok((team.output(order, HOST)?.0 == lines(10)).then_some(()))).unwrap();
    order
}

/// It ended well, having run once, and each line has arrived once.
fn is_whole(team: &Team, host: &TaskHost, scripts: &Scripts, order: u64) {
    let standing = team.ended(order, HOST).unwrap();
    assert_eq!((&standing["state"], &standing["exit"]), (&"ok".into(), &0.into()), "{standing}\n{}", host.log());
    until("the order's end", LIMIT, || Ok((team.order(order)?["order"]["state"] == "done").then_some(()))).unwrap();
    assert_eq!(team.output(order, HOST).unwrap().0, lines(20));
    assert_eq!(scripts.read("runs").lines().count() as u64, order, "each order has run once");
    let id = team.order(order).unwrap()["order"]["id"].as_str().unwrap().to_owned();
    let entries = host.audit().unwrap();
    let of_it = entries.iter().filter(|entry| entry.to_string().contains(&id));
    let names: Vec<&str> = of_it.map(|entry| entry["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["accepted", "running", "ended"]);
    assert!(team.operator.done(&["audit", "verify"]).unwrap().starts_with("ok: "));
}

#[test]
fn a_task_goes_on_and_is_told_once_over_kills_of_agent_and_collector() {
    let folder = tempfile::tempdir().unwrap();
    let scripts = work(folder.path());
    let (mut team, mut host) = one_host(folder.path(), &scripts);

    // The agent, while the task writes.
    let order = begin(&team);
    host.kill_agent().unwrap();
    scripts.write("go");
    until("its end on the host", LIMIT, || Ok((host.audit()?.last().unwrap()["event"] == "ended").then_some(())))
        .unwrap();
    assert_eq!(team.standing(order, HOST).unwrap()["state"], "running", "nobody has told");
    host.start_agent().unwrap();
    is_whole(&team, &host, &scripts, order);

    // The collector, the same.
    let order = begin(&team);
    team.kill_collector().unwrap();
    scripts.write("go");
    until("its end on the host", LIMIT, || Ok((host.audit()?.last().unwrap()["event"] == "ended").then_some(())))
        .unwrap();
    team.return_collector().unwrap();
    is_whole(&team, &host, &scripts, order);

    // Both, before it ends: it ends under their next processes.
    let order = begin(&team);
    host.kill_agent().unwrap();
    team.kill_collector().unwrap();
    team.return_collector().unwrap();
    host.start_agent().unwrap();
    team.wait_in_force(1).unwrap();
    assert_eq!(team.standing(order, HOST).unwrap()["state"], "running");
    scripts.write("go");
    is_whole(&team, &host, &scripts, order);
}

#[test]
fn a_task_whose_program_is_killed_is_lost_by_name_and_never_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    let scripts = work(folder.path());
    let (team, mut host) = one_host(folder.path(), &scripts);
    let order = begin(&team);
    host.kill_program().unwrap();
    host.start_program().unwrap();
    let standing = team.ended(order, HOST).unwrap();
    assert_eq!(standing["state"], "lost", "{standing}");
    assert_eq!(standing["why"], "the host's program ended while it ran");
    assert!(team.shown(order).unwrap().contains("the host's program ended while it ran"));
    assert_eq!(team.output(order, HOST).unwrap().0, lines(10), "what it had written is there");
    // What it would do if it still went on, or began again.
    scripts.write("go");
    let next = team.ask(&["task", "run", "work", "--host", HOST]).unwrap();
    team.approve(next).unwrap();
    until("the next order", LIMIT, || Ok((team.output(next, HOST)?.0 == lines(10)).then_some(()))).unwrap();
    scripts.write("go");
    assert_eq!(team.ended(next, HOST).unwrap()["state"], "ok");
    assert_eq!(scripts.read("runs").lines().count(), 2, "the other order's run alone came to it");
    let entries = host.audit().unwrap();
    assert_eq!(entries.iter().filter(|entry| entry["event"] == "lost").count(), 1, "{entries:?}");
}

#[test]
fn a_way_that_is_cut_in_the_middle_delays_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let scripts = work(folder.path());
    let programs = programs::folder();
    let team = Team::start(&programs, folder.path(), &[]).unwrap();
    let relay = Relay::start(team.operator.collector.agents).unwrap();
    let word = muster_tests::harness::agent::token(&programs, &team.operator.collector, &["--name", HOST]).unwrap();
    let home = AgentHome { programs: programs.clone(), state: folder.path().join(HOST), name: HOST.to_owned() };
    let (code, _, error) = home.enrol_with(&relay.address.to_string(), &word).unwrap();
    assert_eq!(code, 0, "{error}");
    let mut host = team.host_of(home, &scripts.allowed).unwrap();
    team.publish(&scripts.document).unwrap();
    host.start().unwrap();
    team.wait_in_force(1).unwrap();
    let order = begin(&team);
    relay.cut();
    scripts.write("go");
    until("its end on the host", LIMIT, || Ok((host.audit()?.last().unwrap()["event"] == "ended").then_some(())))
        .unwrap();
    until("lost packets", LIMIT, || Ok((relay.lost() >= 5).then_some(()))).unwrap();
    assert_eq!(team.standing(order, HOST).unwrap()["state"], "running", "nothing came through");
    relay.mend();
    is_whole(&team, &host, &scripts, order);
}

#[test]
fn a_collector_that_was_set_back_tells_a_call_again_and_it_does_not_run_again() {
    let folder = tempfile::tempdir().unwrap();
    let scripts = work(folder.path());
    let (mut team, mut host) = one_host(folder.path(), &scripts);
    // Approved while the host is away: the copy has an order whose call was never sent.
    host.kill_agent().unwrap();
    let order = team.ask(&["task", "run", "work", "--host", HOST]).unwrap();
    team.approve(order).unwrap();
    team.kill_collector().unwrap();
    let (data, copy) = (folder.path().join("data"), folder.path().join("copy"));
    copy_folder(&data, &copy);
    team.return_collector().unwrap();
    host.start_agent().unwrap();
    until("the first lines", LIMIT, || Ok((team.output(order, HOST)?.0 == lines(10)).then_some(()))).unwrap();
    scripts.write("go");
    is_whole(&team, &host, &scripts, order);
    let told = host.audit().unwrap().len();

    team.kill_collector().unwrap();
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::rename(&copy, &data).unwrap();
    team.return_collector().unwrap();
    assert_eq!(team.standing(order, HOST).unwrap()["state"], "waiting", "it knows of nothing");
    let standing = team.ended(order, HOST).unwrap();
    assert_eq!((&standing["state"], &standing["exit"]), (&"ok".into(), &0.into()), "{standing}");
    assert_eq!(scripts.read("runs"), "x\n", "once");
    assert_eq!(host.audit().unwrap().len(), told, "nothing was begun");
}

fn copy_folder(from: &Path, to: &Path) {
    let status = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}
