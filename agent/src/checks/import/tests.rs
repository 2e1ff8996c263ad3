use std::path::Path;
use std::time::Duration;

use super::words::{Refusal, split};
use super::{Imported, import};
use crate::checks::settings::Work;
use crate::config;
use crate::testing::Tree;

/// `nrpe.cfg` of a tree and all that it includes.
fn imported(tree: &Tree) -> Imported {
    import(&tree.path("nrpe.cfg")).unwrap()
}

fn one(text: &str) -> Imported {
    imported(&Tree::new(&[("nrpe.cfg", text)]))
}

fn left(imported: &Imported) -> Vec<String> {
    imported.left.iter().map(ToString::to_string).collect()
}

#[test]
fn words_are_cut_as_a_shell_cuts_them() {
    for (line, expect) in [
        ("/p/a -w  15,10,5", &["/p/a", "-w", "15,10,5"][..]),
        (r#"/p/a "one two" 'three "four"' fi\ ve"#, &["/p/a", "one two", "three \"four\"", "fi ve"]),
        (r#"/p/a --x="a \"b\" \\ \n $" ''"#, &["/p/a", "--x=a \"b\" \\ \\n $", ""]),
        ("/p/a 'a|b;c' \"<x>\" a#b a~b 5$", &["/p/a", "a|b;c", "<x>", "a#b", "a~b", "5$"]),
        ("", &[]),
    ] {
        assert_eq!(split(line).unwrap(), expect, "{line}");
    }
    for (line, written) in [
        ("/p/a | grep x", "|"),
        ("/p/a || true", "||"),
        ("/p/a && b", "&&"),
        ("/p/a &", "&"),
        ("/p/a; b", ";"),
        ("/p/a > /dev/null", ">"),
        ("/p/a < x", "<"),
        ("(a)", "("),
        ("/p/a `date`", "`"),
        ("/p/a $(date)", "$("),
        ("/p/a \"$(date)\"", "$("),
        ("/p/a ${X}", "${"),
        ("/p/a $HOME", "$H"),
        ("/p/a *.log", "*"),
        ("/p/a ~/x", "~"),
        ("/p/a # x", "#"),
    ] {
        assert!(matches!(split(line), Err(Refusal::Shell(found, _)) if found == written), "{line}: {:?}", split(line));
    }
    assert_eq!(split("/p/a 'x"), Err(Refusal::Quote('\'')));
    assert_eq!(split("/p/a \"x"), Err(Refusal::Quote('"')));
    assert_eq!(split("/p/a \\"), Err(Refusal::Backslash));
    assert_eq!(split("/p/a -w '$ARG1$' $ARG2$"), Err(Refusal::Macro("$ARG1$".to_owned())));
}

#[test]
fn what_is_written_is_a_configuration_that_the_agent_takes() {
    let text = "\
# a comment
log_facility=daemon
command_timeout=90
  command[check_load]=/usr/lib/nagios/plugins/check_load -w 15,10,5 -c 30,25,20
command[my disk]=LANG=C /p/check_disk -w \"20%\" -p '/var \"lib\"' -x \\\\
command[check_users]=/p/check_users -w 5
command[check_users]=/p/check_users -w 9
";
    let imported = one(text);
    let toml = imported.to_toml();
    let config = config::parse("agent.toml", &toml, &[]).unwrap_or_else(|errors| panic!("{errors}\n{toml}"));
    let checks: Vec<(&str, &[String])> = config
        .checks
        .checks
        .iter()
        .map(|check| match &check.work {
            Work::Plugin(plugin) => (check.name.as_str(), plugin.command.as_slice()),
            Work::Native { .. } => panic!("{check:?}"),
        })
        .collect();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        checks,
        [
            ("check_load", &*words(&["/usr/lib/nagios/plugins/check_load", "-w", "15,10,5", "-c", "30,25,20"])),
            ("my_disk", &*words(&["/p/check_disk", "-w", "20%", "-p", "/var \"lib\"", "-x", "\\"])),
            ("check_users", &*words(&["/p/check_users", "-w", "9"])),
        ]
    );
    assert!(config.checks.checks.iter().all(|check| check.timeout == Duration::from_secs(90)));
    let Work::Plugin(disk) = &config.checks.checks[1].work else { panic!("a plugin") };
    assert_eq!(disk.env["LANG"], "C");
    assert!(toml.contains("nrpe.cfg:4\n[[checks]]") && toml.contains("# NRPE calls it my disk"), "{toml}");
    let told = left(&imported);
    assert!(told.len() == 1 && told[0].contains("nrpe.cfg:6: command[check_users]: is defined again at "), "{told:?}");
}

#[test]
fn what_cannot_be_taken_is_told_with_line_and_remedy() {
    let text = "\
command_timeout=0
nrpe_user=nagios
command[args]=/p/check_disk -w $ARG1$ -c $ARG2$
command[pipe]=/p/check_x | grep y
command[root]=/usr/bin/sudo /p/check_raid -q
command[relative]=check_x
command[]=/p/x
command[a b]=/p/x
command[a.b]=/p/x
command[a_b]=/p/x
nonsense
";
    let imported = one(text);
    let told = left(&imported);
    for (start, word) in [
        ("1: command_timeout: `0` is no time", "30 seconds"),
        ("2: nrpe_user: commands ran as `nagios`", "user muster"),
        ("3: command[args]: has the macro $ARG1$", "one check for each"),
        ("4: command[pipe]: has `|`, a pipe", "#!/bin/sh"),
        ("5: command[root]: runs by `/usr/bin/sudo`", "muster-agent exec root --plugin -- /p/check_raid -q"),
        ("6: command[relative]: `check_x` is no absolute path", "path"),
        ("7: command[]: its name is none", "letters"),
        ("10: command[a_b]: would be called `a_b`, as is the one of", "letters"),
        ("11: nonsense: is no `name=value`", "correct"),
    ] {
        let found = told.iter().find(|one| one.contains(&format!("nrpe.cfg:{start}")));
        assert!(found.is_some_and(|one| one.contains(word)), "{start}: {told:#?}");
    }
    assert_eq!(told.len(), 9, "{told:#?}");
    let names: Vec<&str> = imported.taken.iter().map(|taken| taken.name.as_str()).collect();
    assert_eq!(names, ["a_b", "a.b"]);
    assert!(!imported.is_complete());
    config::parse("agent.toml", &imported.to_toml(), &[]).unwrap_or_else(|errors| panic!("{errors}"));
}

#[test]
fn a_file_without_commands_is_told() {
    let told = left(&one("log_facility=daemon\nserver_port=5666\n"));
    assert!(told.len() == 1 && told[0].contains("nrpe.cfg: command: no command is defined here"), "{told:?}");
}

#[test]
fn a_prefix_goes_before_each_command_unless_it_makes_it_root() {
    let imported = one("command[a]=/p/a -x\ncommand_prefix=/usr/bin/nice -n 5\n");
    assert_eq!(imported.taken[0].command, ["/usr/bin/nice", "-n", "5", "/p/a", "-x"]);
    let imported = one("command_prefix=/usr/bin/sudo\ncommand[a]=/p/a -x\n");
    assert_eq!(imported.taken[0].command, ["/p/a", "-x"]);
    assert!(imported.is_complete(), "every command is there");
    let told = left(&imported);
    assert!(told.len() == 1 && told[0].contains(":1: command_prefix: `/usr/bin/sudo` is left out"), "{told:?}");
}

#[test]
fn included_files_are_read_in_nrpes_order_and_cycles_end() {
    let tree = Tree::new(&[]);
    let (folder, main) = (tree.path("d").display().to_string(), tree.path("nrpe.cfg").display().to_string());
    tree.write(
        "nrpe.cfg",
        &format!(
            "include_dir={folder}/\ncommand[main]=/p/main\ninclude={folder}/none.cfg\ninclude_file={folder}/x.txt\n"
        ),
    );
    tree.write("d/b.cfg", &format!("command[b]=/p/b\ninclude={main}\n"));
    tree.write("d/a.cfg", "command[a]=/p/a\n");
    tree.write("d/x.txt", "command[x]=/p/x\n");
    tree.write("d/deep/c.cfg", "command[c]=/p/c\n");
    tree.write("d/.hidden/h.cfg", "command[h]=/p/h\n");
    let imported = imported(&tree);
    let names: Vec<&str> = imported.taken.iter().map(|taken| taken.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c", "main", "x"]);
    let told = left(&imported);
    assert!(told.len() == 2, "{told:?}");
    assert!(told[0].contains("b.cfg:2: include: ") && told[0].contains("includes itself"), "{told:?}");
    assert!(told[1].contains("nrpe.cfg:3: include: ") && told[1].contains("No such file"), "{told:?}");
    let error = import(Path::new("/nonexistent/nrpe.cfg")).unwrap_err().to_string();
    assert!(
        error.starts_with("/nonexistent/nrpe.cfg cannot be read") && error.contains("/etc/nagios/nrpe.cfg"),
        "{error}"
    );
}

#[test]
fn a_folder_that_holds_itself_ends() {
    let tree = Tree::new(&[]);
    tree.write("nrpe.cfg", &format!("include_dir={}\n", tree.path("d").display()));
    tree.write("d/a.cfg", "command[a]=/p/a\n");
    std::os::unix::fs::symlink(tree.path("d"), tree.path("d/loop")).unwrap();
    let imported = imported(&tree);
    assert!(imported.taken.len() == 1 && !imported.left.is_empty(), "{imported:?}");
}
