use std::path::PathBuf;

use super::super::parse;
use super::*;

const HOST: &str = r#"
[remote]
log_paths = ["/var/log", "/srv/app/log"]
targets = ["localhost", "10.0.0.0/8:5432"]

[remote.commands]
load = ["/usr/lib/nagios/plugins/check_load", "-w", "5"]

[[checks]]
name = "disk"
kind = "disk"
"#;

fn host() -> Config {
    parse("agent.toml", HOST, &[]).unwrap()
}

fn offered(text: &str) -> Result<RemoteDocument, Vec<String>> {
    let own = ["web1".to_owned()];
    parse_remote("configuration 7", text, &host(), &own)
        .map_err(|errors| errors.0.iter().map(ToString::to_string).collect())
}

#[test]
fn a_document_within_its_bounds_is_read_by_the_grammar_of_the_hosts_own_file() {
    let text = r#"
[[logs]]
paths = ["/var/log/nginx/*.log", "/srv/app/log/app.log"]
labels = { app = "shop" }

[[checks]]
name = "load"
use = "load"
interval = "5m"

[[checks]]
name = "database"
kind = "tcp"
host = "10.1.2.3"
port = 5432

[[checks]]
name = "room"
kind = "disk"
path = ["/", "/srv"]

[[checks]]
name = "stamp"
kind = "file_age"
path = "/var/log/stamp"
crit = "26h"

[redaction]
patterns = ["card=(\\d+)"]
"#;
    let document = offered(text).unwrap();
    assert_eq!((document.logs.len(), document.checks.len(), document.redaction.len()), (1, 4, 1));
    assert_eq!(document.logs[0].labels[0].value, "shop");
    let Work::Plugin(plugin) = &document.checks[0].work else { panic!("a plugin") };
    assert_eq!((plugin.command.len(), document.checks[0].interval.as_secs()), (3, 300));
    assert!(!document.is_empty() && offered("").unwrap().is_empty() && offered("[redaction]\n").unwrap().is_empty());
}

#[test]
fn every_mistake_and_excess_is_told_at_once_with_its_place() {
    let text = "[[logs]]\npaths = [\"/etc/shadow\", \"/var/log/a.log\"]\n\n[[checks]]\nname = \"disk\"\nkind = \"disk\"\nwarm = 5\n\n[[checks]]\nname = \"p\"\ncommand = [\"/bin/sh\", \"-c\", \"id\"]\n\n[journal]\nenabled = false\n";
    let told = offered(text).unwrap_err();
    assert_eq!(
        told[0],
        "configuration 7:2:10: logs.paths: `/etc/shadow` is beyond what this host opens to a remote configuration (/var/log, /srv/app/log): add \"/etc\" to `log_paths` under [remote] at agent.toml:3:1, or leave it out of the profile"
    );
    for place in
        ["7:2:10: logs.paths", "7:5:1: checks.name", "7:7:1: checks.warm", "7:11:1: checks.command", "7:14:1: journal"]
    {
        assert!(told.iter().any(|one| one.contains(place)), "{place}: {told:#?}");
    }
    assert_eq!(told.len(), 5, "{told:#?}");
}

/// One excess or mistake each in a document that is else good, and a word that its message must hold.
#[test]
fn each_excess_names_what_to_change() {
    let logs = |path: &str| format!("[[logs]]\npaths = [\"{path}\"]\n");
    let check = |rest: &str| format!("[[checks]]\nname = \"a\"\n{rest}\n");
    for (text, word) in [
        (logs("/var/log*/x"), "add \"/var\" to `log_paths`"),
        (logs("/**"), "add \"/\" to `log_paths`"),
        (logs("/var/logs/x"), "add \"/var/logs\""),
        (logs("/var/log/../../etc/shadow"), "has `..` in it"),
        (logs("/proc/self/cwd/var/log/x"), "beyond what this host opens"),
        (check("command = [\"/bin/true\"]"), "brings no command"),
        (
            check("kind = \"load\"\nenv = { LD_PRELOAD = \"/x.so\" }"),
            "checks.env: a remote configuration brings no command",
        ),
        (check("use = \"load\"\nmemory = \"1GiB\""), "brings no command"),
        (check("use = \"other\""), "it allows load"),
        (check("use = 5"), "is an integer, not a text"),
        (check("use = \"load\"\nkind = \"disk\""), "keep one"),
        (check("interval = \"5m\""), "neither `use` nor `kind`"),
        (check("uses = \"load\"\nkind = \"load\""), "did you mean `checks.use`"),
        (check("use = \"load\"\npath = \"/\""), "in place of `use`"),
        (check("kind = \"tcp\"\nhost = \"169.254.169.254\"\nport = 80"), "`169.254.169.254:80` is beyond"),
        (check("kind = \"tcp\"\nhost = \"10.1.2.3\"\nport = 22"), "at agent.toml:4:1"),
        (check("kind = \"tcp\"\nhost = \"2130706433\"\nport = 22"), "beyond"),
        (check("kind = \"http\"\nurl = \"http://example.org/\""), "checks.url: `example.org:80`"),
        (check("kind = \"http\"\nurl = \"https://localhost/\"\nca_file = \"/etc/shadow\""), "checks.ca_file"),
        (check("kind = \"time\"\nserver = \"pool.ntp.org\""), "`pool.ntp.org:123`"),
        (check("kind = \"file_age\"\npath = \"/etc/shadow\"\ncrit = 5"), "add \"/etc\" to `log_paths`"),
        (check("kind = \"file_age\"\npath = \"/var/log/../../etc/shadow\"\ncrit = 5"), "without `.` and `..`"),
        (check("kind = \"units\"").replace("\"a\"", "\"raid\""), "is a check of this host's own"),
        ("[collector]\naddresses = [\"evil:9471\"]\n".to_owned(), "for the host's own file to set"),
        ("[remote]\nenabled = true\n".to_owned(), "for the host's own file to set"),
        ("[remote.commands]\nx = [\"/bin/sh\"]\n".to_owned(), "for the host's own file to set"),
        ("[agent]\n".to_owned(), "for the host's own file to set"),
        ("[spool]\nmax_bytes = 1\n".to_owned(), "for the host's own file to set"),
        ("[redaction]\nenabled = false\n".to_owned(), "no setting of a remote configuration"),
        ("[weather]\nsun = 1\n".to_owned(), "has [[logs]], [[checks]] and [redaction]"),
        ("[redaction]\npatterns = [\"(\"]\n".to_owned(), "unclosed group"),
        ("[[logs]\n".to_owned(), "no valid TOML"),
    ] {
        let found = offered(&text).map(|document| panic!("{text} gave {document:?}")).unwrap_err();
        assert!(found.iter().any(|one| one.contains(word)), "{text:?} gave {found:#?}, without {word:?}");
        assert!(found.iter().all(|one| one.starts_with("configuration 7:")), "{found:#?}");
    }
}

#[test]
fn what_the_host_has_counts_against_the_most() {
    let many: String =
        (0..HOST_CHECKS_MAX).map(|n| format!("[[checks]]\nname = \"c{n}\"\nkind = \"memory\"\n")).collect();
    let found = offered(&many).unwrap_err();
    assert!(
        found.len() == 1 && found[0].contains("with the 1 of the host's own file these are 1001 checks"),
        "{found:?}"
    );
}

#[test]
fn without_bounds_of_its_own_a_host_opens_itself_and_its_logs() {
    let host = parse("agent.toml", "", &[]).unwrap();
    let read = |text: &str| parse_remote("c", text, &host, &["web1".to_owned()]);
    for target in ["localhost", "127.0.0.1", "::1", "web1", "WEB1."] {
        let text = format!("[[checks]]\nname = \"a\"\nkind = \"tcp\"\nhost = \"{target}\"\nport = 1\n");
        assert!(read(&text).is_ok(), "{target}");
        assert!(read(&text.replace(target, "web2")).is_err());
    }
    let text = "[[logs]]\npaths = [\"/srv/x.log\"]\n";
    let error = read(text).unwrap_err().to_string();
    assert!(error.contains("write `log_paths` with \"/srv\" in it under [remote] in agent.toml"), "{error}");
    assert_eq!(host.remote.log_paths, [PathBuf::from("/var/log")]);
}
