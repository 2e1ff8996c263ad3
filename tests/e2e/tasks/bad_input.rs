//! Tasks, parameters and clocks that are bad: each is bounded or ended with a state that has a name, at the host and at the collector.

use std::path::Path;

use muster_tests::harness::agent::until;
use muster_tests::harness::programs;
use muster_tests::harness::tasks::{ASKER, Team};

use super::{HOST, LIMIT, Scripts, events, is_refused, one_host};

/// Whether a process with this id in a file is there.
fn is_there(id: &str) -> bool {
    assert!(!id.trim().is_empty(), "it has written its id");
    Path::new("/proc").join(id.trim()).exists()
}

#[test]
fn tasks_that_hang_pour_or_leave_something_end_with_a_name_and_nothing_of_them_stays() {
    let folder = tempfile::tempdir().unwrap();
    let leave =
        r#"setsid sh -c "echo \$\$ > $1/daemon; exec sleep 1000" & until [ -s $1/daemon ]; do sleep 0.05; done"#;
    let hang = r#"(setsid sh -c "echo \$\$ > $1/deep; exec sleep 1000" &); trap '' TERM; echo begun; while :; do sleep 1000; done"#;
    let noise = r"printf '\000\033[2Jx\377\n'; head -c 3000 /dev/urandom; echo; echo 'password=hunter2hunter2'";
    let scripts = Scripts::new(folder.path())
        .with("leave", leave, &[], "")
        .with("hang", hang, &[], "timeout = \"2s\"")
        .with("stay", "echo begun; exec sleep 1000", &[], "timeout = \"10m\"")
        .with("pour", "yes | head -c 1073741824", &[], "timeout = \"10m\"\noutput_kib = 128")
        .with("noise", noise, &[], "")
        .with("die", "kill -9 $$", &[], "")
        .with("gone", "true", &[], "");
    let (team, host) = one_host(folder.path(), &scripts);
    let why = |standing: &serde_json::Value| standing["why"].as_str().unwrap_or_default().to_owned();

    let (_, standing) = team.run(HOST, "leave", &[]).unwrap();
    assert_eq!(standing["state"], "ok", "{standing}");
    assert!(!is_there(&scripts.read("daemon")), "what it left has ended with it");

    let (order, standing) = team.run(HOST, "hang", &[]).unwrap();
    assert_eq!((standing["state"].as_str().unwrap(), why(&standing).as_str()), ("failed", "took longer than it may"));
    assert!(!is_there(&scripts.read("deep")), "all that it had started has ended");
    assert_eq!(team.output(order, HOST).unwrap().0, "begun\n");
    assert!(team.shown(order).unwrap().contains("took longer than it may"));

    // 1 GiB: what is beyond the bound is counted, and the numbers are told.
    let (order, standing) = team.run(HOST, "pour", &[]).unwrap();
    assert_eq!(standing["state"], "ok", "{standing}");
    let (out, notes) = team.output(order, HOST).unwrap();
    assert!(out.starts_with("y\ny\n") && out.len() < (128 << 10) + 100, "{} bytes", out.len());
    let dropped = (1_u64 << 30) - (128 << 10);
    assert!(notes.contains(&format!("{dropped} of {} bytes are not kept", 1_u64 << 30)), "{notes}");

    // Nothing in it steers a terminal, and what is secret has stayed on its host.
    let (order, standing) = team.run(HOST, "noise", &[]).unwrap();
    assert_eq!(standing["state"], "ok", "{standing}");
    let (out, _) = team.output(order, HOST).unwrap();
    assert!(out.starts_with("\\x00\\x1b[2Jx\\xff\n"), "{out:?}");
    assert!(out.chars().all(|letter| letter == '\n' || letter == '\t' || !letter.is_control()), "{out:?}");
    assert!(out.ends_with("password=<redacted>\n"), "{out:?}");

    let (_, standing) = team.run(HOST, "die", &[]).unwrap();
    assert_eq!((standing["state"].as_str().unwrap(), why(&standing).as_str()), ("failed", "was ended by signal 9"));
    std::fs::remove_file(scripts.folder.join("gone")).unwrap();
    let (_, standing) = team.run(HOST, "gone", &[]).unwrap();
    assert_eq!((&standing["state"], &standing["exit"]), (&"failed".into(), &127.into()), "{standing}");

    let order = team.ask(&["task", "run", "stay", "--host", HOST]).unwrap();
    team.approve(order).unwrap();
    until("its first line", LIMIT, || Ok((team.output(order, HOST)?.0 == "begun\n").then_some(()))).unwrap();
    team.done_as(ASKER, &["task", "cancel", &order.to_string(), "--reason", "not today"]).unwrap();
    let standing = team.ended(order, HOST).unwrap();
    assert_eq!(standing["state"], "cancelled", "{standing}");
    assert!(team.shown(order).unwrap().contains("user:anna stopped it: not today"));

    let entries = host.audit().unwrap();
    let ends = ["ended", "timed_out", "ended", "ended", "killed", "ended", "cancel", "cancelled"];
    let told: Vec<&str> = entries
        .iter()
        .map(|entry| entry["event"].as_str().unwrap())
        .filter(|event| !["start", "catalogue", "accepted", "running"].contains(event))
        .collect();
    assert_eq!(told, ends, "{entries:?}");
    // The collector's own record has each of those that went wrong.
    let failed = ["`hang`, order 2", "`die`, order 5", "`gone`, order 6"]
        .map(|what| format!("task {what}, on host `{HOST}`: failed: "));
    until("the events", LIMIT, || {
        let told = events(&team);
        Ok(failed.iter().all(|one| told.contains(one)).then_some(()))
    })
    .unwrap();
    assert!(team.operator.done(&["audit", "verify"]).unwrap().starts_with("ok: "));
}

#[test]
fn values_of_parameters_stay_one_word_or_are_refused_before_anybody_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let more = "[tasks.say.parameters.word]\nkind = \"text\"\npattern = \".*\"\nbytes_max = 100\n\
        [tasks.say.parameters.count]\nkind = \"integer\"\nfrom = 1\nto = 9\n\
        [tasks.say.parameters.version]\nkind = \"version\"\n";
    let script = "for word; do printf '<%s>' \"$word\"; done; echo";
    let scripts = Scripts::new(folder.path()).with("say", script, &["{word}", "n={count}", "{version}"], more);
    let (team, _host) = one_host(folder.path(), &scripts);

    // Nothing is a shell between a value and its program.
    for word in [
        "$(touch pwned); `id` && rm -rf / | cat > /tmp/x",
        "'a' \"b\" \\ * ? ~ $HOME {count} %s",
        "../../../etc/shadow",
        "",
    ] {
        let (order, standing) = team.run(HOST, "say", &[&format!("word={word}"), "count=3", "version=1.2-3"]).unwrap();
        assert_eq!(standing["state"], "ok", "{word:?}: {standing}");
        let expected = format!("<{}><{word}><n=3><1.2-3>\n", scripts.folder.display());
        assert_eq!(team.output(order, HOST).unwrap().0, expected);
    }

    let asked_before = team.operator.get("tasks/orders").unwrap()["orders"].as_array().unwrap().len();
    let long = "x".repeat(101);
    for (name, value) in [
        ("word", "--help"),
        ("word", "-rf"),
        ("word", "a\nstep say"),
        ("word", "a\rb"),
        ("word", "\u{1b}[2J"),
        ("word", "a\u{202e}b"),
        ("word", long.as_str()),
        ("count", "0"),
        ("count", "10"),
        ("count", "1; id"),
        ("count", "+5"),
        ("count", ""),
        ("version", "1.0 --force"),
        ("version", "../1"),
        ("version", "--allow-downgrades"),
        ("invented", "x"),
    ] {
        let mut words = vec!["task".to_owned(), "run".into(), "say".into(), "--host".into(), HOST.into()];
        let usual = [("word", "a"), ("count", "1"), ("version", "1")].into_iter().filter(|(known, _)| *known != name);
        for (name, value) in usual.chain([(name, value)]) {
            words.extend(["--set".to_owned(), format!("{name}={value}")]);
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (code, out, error) = team.run_as(ASKER, &words).unwrap();
        assert!(code != 0 && error.contains(name), "{name}={value:?}: {out}{error}");
        assert!(!error.contains('\u{1b}') && !error.contains('\u{202e}'), "{error:?}");
    }
    let (code, _, error) = team.run_as(ASKER, &["task", "run", "say", "--host", HOST]).unwrap();
    assert!(code != 0 && error.contains("is missing"), "{error}");
    let asked = team.operator.get("tasks/orders").unwrap()["orders"].as_array().unwrap().len();
    assert_eq!(asked, asked_before, "no order was made of any");
}

#[test]
fn hosts_whose_clocks_are_wrong_refuse_orders_as_expired_or_too_long() {
    let folder = tempfile::tempdir().unwrap();
    let scripts = Scripts::new(folder.path()).with("touch", "echo x >> $1/runs", &[], "");
    let team = Team::start(&programs::folder(), folder.path(), &[]).unwrap();
    team.publish(&scripts.document).unwrap();
    let host = |name: &str, clock: &str| {
        let mut host = team.host(name, &scripts.allowed).unwrap().with_clock(clock);
        host.start().unwrap();
        host
    };
    // Orders are good for an hour, and clocks may differ by 30 s.
    let (late, early, near) = (host("late", "+2h"), host("early", "-8d"), host("near", "-20s"));
    team.wait_in_force(3).unwrap();
    let refused = team.run("late", "touch", &[]).unwrap();
    is_refused(&team, &late, &refused, "Expired: ", "the order has expired");
    let refused = team.run("early", "touch", &[]).unwrap();
    is_refused(&team, &early, &refused, "TooLong: ", "the order is good for longer than one may be");
    assert_eq!(scripts.read("runs"), "");
    assert_eq!(team.run("near", "touch", &[]).unwrap().1["state"], "ok");
    assert_eq!(scripts.read("runs"), "x\n");
    let entries = near.audit().unwrap();
    assert!(entries.iter().any(|entry| entry["event"] == "ended"), "{entries:?}");
    until("no order is open", LIMIT, || {
        // One host was all of each: who refused leaves nothing to wait for but a person's word.
        let orders = team.operator.get("tasks/orders")?;
        let open =
            |one: &serde_json::Value| ["running", "stopping", "requested"].iter().any(|state| one["state"] == *state);
        Ok((!orders["orders"].as_array().unwrap().iter().any(open)).then_some(()))
    })
    .unwrap();
}
