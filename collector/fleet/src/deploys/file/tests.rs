use super::super::service::EnvironmentRule;
use super::*;

const GOOD: &str = r#"
[deploys]
abandon_after = "2h"

[[services]]
name = "shop"
hosts = ["role=web", "site=~\"a|b\""]
units = ["shop.service"]
checks = ["http shop"]
streams = ['{unit="shop.service"}']
packages = ["shop", "shop-data"]
repositories = ["acme/shop"]

[[services.rates]]
name = "failed requests"
bad = 'http_requests_total{code=~"5.."}'
all = "http_requests_total"
[[services.rates]]
name = "lost orders"
bad = "orders_lost_total"
all = "orders_total"

[[services]]
name = "till"
hosts = ["role=till"]

[gate]
production = { after = ["staging"], soak = "30m" }
staging.after = ["test"]

[[freezes]]
name = "weekend"
matchers = ["env=production"]
recurrence = "fri 16:00-00:00"
zone = "Europe/Berlin"
reason = "nobody is there"

[[freezes]]
name = "holidays"
matchers = ["env=~\"production|staging\"", "service=shop"]
from = 2026-12-24
to = 2027-01-02T06:00:00Z
zone = "Europe/Berlin"
reason = "holidays"

[hooks]
github_secret_file = "/s/github"
"#;

fn secret(path: &str) -> Result<Vec<u8>, String> {
    match path {
        "/s/github" => Ok(b"0123456789abcdef\n".to_vec()),
        "/s/short" => Ok(b"0123".to_vec()),
        other => Err(format!("`{other}` cannot be read (not found)")),
    }
}

fn wrong(text: &str) -> Vec<String> {
    let errors = read_deploys("deploy.toml", text, &secret).expect_err("no mistake was found");
    errors.0.iter().map(ToString::to_string).collect()
}

#[test]
fn all_sections_are_read() {
    let settings = read_deploys("deploy.toml", GOOD, &secret).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(settings.services.keys().collect::<Vec<_>>(), ["shop", "till"]);
    let shop = &settings.services["shop"].spec;
    assert_eq!((shop.hosts.as_str(), shop.packages.len()), ("role=web, site=~\"a|b\"", 2));
    let rates: Vec<&str> = shop.rates.iter().map(|rate| rate.name.as_str()).collect();
    assert_eq!(rates, ["failed requests", "lost orders"]);
    assert_eq!(shop.rates[0].bad, "http_requests_total{code=~\"5..\"}");
    assert!(settings.services["till"].spec.rates.is_empty());
    let rule = |env: &str| settings.environments[env].clone();
    assert_eq!(rule("production"), EnvironmentRule { after: vec!["staging".into()], soak_ms: 1_800_000 });
    assert_eq!(rule("staging"), EnvironmentRule { after: vec!["test".into()], soak_ms: 0 });
    let ms = |text: &str| Some(text.parse::<jiff::Timestamp>().unwrap().as_millisecond());
    let holidays = &settings.freezes["holidays"].spec;
    assert_eq!((holidays.from_ms, holidays.to_ms), (ms("2026-12-23T23:00:00Z"), ms("2027-01-02T06:00:00Z")));
    assert_eq!(settings.freezes["weekend"].spec.to_ms, None);
    assert_eq!((settings.limit_ms, settings.github.is_some(), settings.gitlab.is_some()), (7_200_000, true, false));
    assert_eq!(settings.of_repository("Acme/Shop").map(|spec| spec.name.as_str()), Some("shop"));
    assert!(read_deploys("deploy.toml", "", &secret).is_ok());
    assert!(read_deploys("deploy.toml", "[hooks]\n[deploys]\n", &secret).is_ok());
}

#[test]
fn each_mistake_is_told_with_its_place_and_what_to_do() {
    for (text, told) in [
        ("[[services]]\nname = \"9\"\nhosts = [\"a=b\"]\n", "deploy.toml:2:1: services.name: `9` is no name"),
        ("[[services]]\nname = \"a\"\n", "services.hosts: it names no hosts: write matchers"),
        (
            "[[services]]\nname = \"a\"\nhosts = \"a=b\"\n",
            "deploy.toml:3:1: services.hosts: this must be a list of texts, not a text",
        ),
        ("[[services]]\nname = \"a\"\nhosts = [7]\n", "this must be a text, not an integer"),
        (
            "[[services]]\nname = \"a\"\nhosts = [\"a=b\"]\nstreems = []\n",
            "deploy.toml:4:1: services.streems: is no key of this file: write `streams`",
        ),
        ("[services]\nname = \"a\"\n", "services.name: is no key of this file"),
        ("services = [7]\n", "this must be a table"),
        (
            "[[services]]\nname = \"a\"\nhosts = [\"x=y\"]\n[[services]]\nname = \"a\"\nhosts = [\"x=y\"]\n",
            "deploy.toml:5:1: services.name: service `a` is declared twice",
        ),
        (
            "[[services]]\nname = \"a\"\nhosts = [\"x=y\"]\nrepositories = [\"o/r\"]\n[[services]]\nname = \"b\"\nhosts = [\"x=y\"]\nrepositories = [\"O/R\"]\n",
            "`O/R` is named by service a as well",
        ),
        ("[gate]\nproduction = \"staging\"\n", "deploy.toml:2:1: gate.production: this must be an environment"),
        ("[gate]\nproduction = {}\n", "gate.production: this must be an environment"),
        ("[gate]\nproduction.afer = [\"staging\"]\n", "gate.production.afer: is no key of this file: write `after`"),
        ("[gate]\nproduction.after = \"staging\"\n", "this must be a list of texts"),
        ("[gate]\na.after = [\"b\", \"b\"]\n", "`b` stands twice"),
        ("[gate]\na.after = [\"b\"]\nb.after = [\"a\"]\n", "gate.a: `a` comes after itself"),
        ("[gate]\na.soak = \"soon\"\n", "gate.a.soak: `soon` is no duration"),
        ("[gate]\na.soak = \"60d\"\n", "`60d` is out of bounds: write a duration in quotes from 0s to 31d"),
        ("[gate]\na.soak = 5\n", "this must be a duration, not an integer"),
        ("[[freezes]]\nname = \"7\"\n", "freezes.name: `7` is no name"),
        ("[[freezes]]\nname = \"a\"\nmatchers = [\"env=p\"]\nreason = \"r\"\n", "freezes.to: it has no end: give one"),
        (
            "[[freezes]]\nname = \"a\"\nmatchers = [\"env=p\"]\nreason = \"r\"\nto = \"soon\"\n",
            "deploy.toml:5:1: freezes.to: `soon` is no date and time: write such as",
        ),
        (
            "[[freezes]]\nname = \"a\"\nmatchers = [\"env=p\"]\nreason = \"r\"\nto = 7\n",
            "this must be a date and time, not an integer",
        ),
        (
            "[[freezes]]\nname = \"a\"\nmatchers = [\"role=p\"]\nreason = \"r\"\nto = 2026-12-24\n",
            "deploy.toml:3:1: freezes.matchers: a deploy has no `role`: match env and service",
        ),
        (
            "[hooks]\ngithub_secret_file = \"/s/none\"\n",
            "deploy.toml:2:1: hooks.github_secret_file: `/s/none` cannot be read (not found): check name and rights",
        ),
        ("[hooks]\ngitlab_token_file = \"/s/short\"\n", "hooks.gitlab_token_file: the secret has 4 bytes: make one"),
        ("[hooks]\ngithub = \"x\"\n", "hooks.github: is no key"),
        ("[deploys]\nabandon_after = \"1s\"\n", "deploys.abandon_after: `1s` is out of bounds"),
        ("[deploys]\nabandon_after = \n", "no valid TOML"),
        ("colour = \"red\"\n", "deploy.toml:1:1: colour: is no key of this file"),
    ] {
        let all = wrong(text);
        assert!(all.iter().any(|one| one.contains(told)), "{text}\n{all:?}");
    }
    let many = wrong("[[services]]\nname = \"9\"\nhosts = [\"a=b\"]\n[[freezes]]\nname = \"9\"\n[gate]\na.soak = 5\n");
    assert_eq!(many.len(), 3, "{many:?}");
    assert!(many.iter().all(|one| !one.contains("0123")), "a secret is in no message");
}

#[test]
fn rates_that_cannot_be_compared_are_told_with_their_place() {
    for (text, told) in [
        (
            "[[services]]\nname = \"a\"\nhosts = [\"a=b\"]\nrates = \"x\"\n",
            "deploy.toml:4:1: services.rates: this must be a list of tables, not a text: write `[[services.rates]]`",
        ),
        (
            "[[services]]\nname = \"a\"\nhosts = [\"a=b\"]\n[[services.rates]]\nname = \"f\"\nbad = \"rate(x[5m])\"\nall = \"x\"\n",
            "deploy.toml:6:1: services.rates.bad: `rate(x[5m])` is no name of a counter, with or without matchers in braces (no function, no window): write such as",
        ),
        (
            "[[services]]\nname = \"a\"\nhosts = [\"a=b\"]\n[[services.rates]]\nname = \"f\"\nbad = \"x\"\n",
            "services.rates.all: there is no selector: write such as http_requests_total",
        ),
        (
            "[[services]]\nname = \"a\"\nhosts = [\"a=b\"]\n[[services.rates]]\nname = \"f\"\nbed = \"x\"\n",
            "deploy.toml:6:1: services.rates.bed: is no key of this file: write `bad`",
        ),
        (
            "[[services]]\nname = \"a\"\nhosts = [\"a=b\"]\nrates = [{name = \"f\", bad = \"x\", all = 7}]\n",
            "services.rates.all: this must be a text, not an integer: write it in quotes",
        ),
    ] {
        let all = wrong(text);
        assert!(all.iter().any(|one| one.contains(told)), "{text}\n{all:?}");
    }
    let rate = |at: usize| format!("[[services.rates]]\nname = \"r{at}\"\nbad = \"x\"\nall = \"y\"\n");
    let eleven: String = (0..11).map(rate).collect();
    let head = "[[services]]\nname = \"a\"\nhosts = [\"a=b\"]\n";
    let all = wrong(&format!("{head}{eleven}"));
    assert!(all[0].contains("services.rates: there are 11 of them, more than 10: leave some out"), "{all:?}");
    let all = wrong(&format!("{head}{}{}", rate(1), rate(1)));
    assert!(all[0].contains("services.rates: two of them are named `r1`: give each a name of its own"), "{all:?}");
}

#[test]
fn the_example_of_the_package_is_read_as_it_is_and_with_all_of_it_switched_on() {
    let example = include_str!("../../../../../packaging/collector/deploy.toml");
    let as_it_is = read_deploys("deploy.toml", example, &secret).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(as_it_is.services_len(), 0);
    // Settings stand right behind the sign, words behind a space.
    let on = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with(' ') => format!("{rest}\n"),
        _ => format!("{line}\n"),
    };
    let switched_on: String = example.lines().map(on).collect();
    let known = |_: &str| Ok(vec![b'x'; 32]);
    let settings = read_deploys("deploy.toml", &switched_on, &known).unwrap_or_else(|errors| panic!("{errors}"));
    let shop = &settings.services["shop"].spec;
    assert_eq!((shop.rates.len(), settings.freezes.len(), settings.github.is_some()), (1, 2, true));
    assert_eq!(settings.environments["production"].after, ["staging"]);
}

#[test]
fn files_that_cannot_be_read_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deploy.toml");
    let told = read_deploy_file(&path).unwrap_err().to_string();
    assert!(told.contains("deploy.toml: the file cannot be read") && told.contains("muster-collector"), "{told}");
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "x".repeat(64)).unwrap();
    std::fs::write(&path, format!("[hooks]\ngitlab_token_file = \"{}\"\n", secret.display())).unwrap();
    assert!(read_deploy_file(&path).unwrap().gitlab.is_some());
    std::fs::write(&secret, "x".repeat(5_000)).unwrap();
    assert!(read_deploy_file(&path).unwrap_err().to_string().contains("has 5000 bytes"));
    std::fs::write(&path, " ".repeat(1_048_577)).unwrap();
    assert!(read_deploy_file(&path).unwrap_err().to_string().contains("more than 1048576"));
}
