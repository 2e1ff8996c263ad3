//! The configurations that come along: they load as they are, and with every example in them switched on.

use std::path::{Path, PathBuf};
use std::process::Command;

use muster_tests::harness::packaged::source;
use muster_tests::harness::programs;

/// Takes `#` from lines that are examples: what stands right behind it is no word of a sentence, which would stand behind one space.
fn switched_on(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with(' ') || rest.starts_with("  ") => rest.to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(|text| line(text) + "\n").collect()
}

fn run(program: &str, words: &[&str], files: &[&Path]) -> (i32, String) {
    let output =
        Command::new(programs::program(&programs::folder(), program)).args(words).args(files).output().unwrap();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The file as it comes along and with its examples, in a folder.
fn both(path: &str, folder: &Path) -> [PathBuf; 2] {
    let text = std::fs::read_to_string(source(path)).unwrap();
    let name = Path::new(path).file_name().unwrap().to_string_lossy().into_owned();
    let (plain, full) = (folder.join(&name), folder.join(format!("full-{name}")));
    std::fs::write(&plain, &text).unwrap();
    std::fs::write(&full, switched_on(&text)).unwrap();
    assert_ne!(std::fs::read_to_string(&full).unwrap(), text, "{path} has no examples");
    [plain, full]
}

#[test]
fn the_agents_file_loads_with_and_without_its_examples() {
    let folder = tempfile::tempdir().unwrap();
    let [plain, full] = both("packaging/agent/agent.toml", folder.path());
    for file in [&plain, &full] {
        let (code, said) = run("muster-agent", &["collect", "--once", "--config"], &[file]);
        assert_eq!((code, said.as_str()), (0, ""), "{}", file.display());
    }
    let text = std::fs::read_to_string(&full).unwrap();
    for kind in [
        "disk", "inode", "load", "memory", "swap", "process", "unit", "units", "raid", "tcp", "http", "file_age",
        "port", "time",
    ] {
        assert!(text.contains(&format!("kind = \"{kind}\"")), "no example of kind {kind}");
    }
    // What is written wrongly is told: the file was read.
    std::fs::write(&plain, "[metrics]\nintervall = \"1s\"\n").unwrap();
    let (code, said) = run("muster-agent", &["collect", "--once", "--config"], &[&plain]);
    assert!(code == 2 && said.contains("did you mean"), "{said}");
}

#[test]
fn the_collectors_files_load_with_and_without_their_examples() {
    let folder = tempfile::tempdir().unwrap();
    let config = both("packaging/collector/collector.toml", folder.path());
    let alerting = both("packaging/collector/alerting.yml", folder.path());
    std::fs::write(folder.path().join("smtp_password"), "secret\n").unwrap();
    // They name files that are the operator's.
    let text = std::fs::read_to_string(&config[1]).unwrap();
    let text = text.replace("\ncert = ", "\n#cert = ").replace("\nkey = ", "\n#key = ");
    let services = both("packaging/collector/deploy.toml", folder.path());
    std::fs::write(folder.path().join("hook"), "0123456789abcdef0123456789abcdef\n").unwrap();
    let full = std::fs::read_to_string(&services[1]).unwrap();
    let full = full.replace("\"/etc/muster/github.secret\"", &format!("{:?}", folder.path().join("hook")));
    let full = full.replace("\"/etc/muster/gitlab.token\"", &format!("{:?}", folder.path().join("hook")));
    assert_eq!(full.matches("/hook\"").count(), 2, "the examples name both secrets");
    std::fs::write(&services[1], full).unwrap();
    let text = text.replace("\nfile = \"/etc/muster/deploy.toml\"", &format!("\nfile = {:?}", services[1]));
    let keys = folder.path().join("keys");
    std::fs::write(&keys, "# Nobody yet.\n").unwrap();
    let text = text.replace("\nkeys = \"/etc/muster/task-keys\"", &format!("\nkeys = {keys:?}"));
    assert!(text.contains(&format!("{keys:?}")), "the example names the file of keys");
    let text = text.replace("\nfolder = \"/etc/", "\n#folder = \"/etc/").replace("\nrules = ", "\n#rules = ");
    std::fs::write(&config[1], text).unwrap();
    // The first does not name the file of services, so that it is told.
    let named = [format!("deploys.file={}", services[0].display()), "log.level=info".to_owned()];
    for ((config, alerting), set) in config.iter().zip(&alerting).zip(&named) {
        let words = ["serve", "--check-config", "--set", set, "--config", &config.to_string_lossy(), "--alerting"];
        let (code, said) = run("muster-collector", &words, &[alerting]);
        assert_eq!((code, said.as_str()), (0, ""), "{} {}", config.display(), alerting.display());
    }
}
