use super::*;

const RULES: &str = "groups:
- name: example
  rules:
  - record: job:up:sum
    expr: sum by (job) (up)
  - alert: InstanceDown
    expr: up == 0
    for: 5m
    labels: {severity: page}
    annotations:
      summary: 'Instance {{ $labels.instance }} down'
      description: '{{ $labels.instance }} of {{ $externalLabels.site }} has been down for more than 5 minutes.'
  - alert: NobodyUp
    expr: job:up:sum == 0
";

const TESTS: &str = "rule_files: [rules.yml]
evaluation_interval: 1m
tests:
- interval: 1m
  name: one is down
  external_labels: {site: north}
  input_series:
  - series: 'up{job=\"prometheus\", instance=\"a:9090\"}'
    values: '0 0 0 0 0 0 0 0 0 0 0 0 0 0 0'
  - series: 'up{job=\"node\", instance=\"b:9100\"}'
    values: '1+0x6 0 0 0 0 0 0 0 0'
  - series: 'go_goroutines{job=\"prometheus\"}'
    values: '10+10x2 30+20x5'
  alert_rule_test:
  - eval_time: 4m
    alertname: InstanceDown
  - eval_time: 10m
    alertname: InstanceDown
    exp_alerts:
    - exp_labels: {severity: page, instance: 'a:9090', job: prometheus}
      exp_annotations:
        summary: Instance a:9090 down
        description: a:9090 of north has been down for more than 5 minutes.
  - eval_time: 0
    alertname: NobodyUp
    exp_alerts:
    - exp_labels: {job: prometheus}
  promql_expr_test:
  - expr: go_goroutines > 5
    eval_time: 4m
    exp_samples:
    - labels: 'go_goroutines{job=\"prometheus\"}'
      value: 50
  - expr: job:up:sum
    eval_time: 4m
    exp_samples:
    - labels: 'job:up:sum{job=\"node\"}'
      value: 1
    - labels: 'job:up:sum{job=\"prometheus\"}'
      value: 0
  - expr: count(ALERTS{alertstate=\"firing\"})
    eval_time: 14m
    exp_samples:
    - labels: '{}'
      value: 4
";

fn run(tests: &str) -> UnitReport {
    let read = |pattern: &str| match pattern {
        "rules.yml" => Ok(vec![("rules.yml".to_owned(), RULES.to_owned())]),
        _ => Err(format!("no file {pattern:?}")),
    };
    run_unit_tests("t.yml", tests, &read).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

#[test]
fn what_promtool_passes_passes() {
    let report = run(TESTS);
    assert_eq!((report.cases, &*report.failures), (1, &[] as &[String]));
}

#[test]
fn what_is_otherwise_is_told() {
    for (from, to, part) in [
        ("value: 50", "value: 51", "expr: \"go_goroutines > 5\", time: 4m"),
        ("summary: Instance a", "summary: Host a", "alertname: InstanceDown, time: 10m"),
        ("eval_time: 4m\n    alertname", "eval_time: 5m\n    alertname", "alertname: InstanceDown, time: 5m"),
        ("expr: job:up:sum\n", "expr: sum(\n", "parse error"),
        ("severity: page", "severity: mail", "got [(\"{alertname"),
    ] {
        let report = run(&TESTS.replace(from, to));
        assert_eq!(report.failures.len(), 1, "{from}: {:?}", report.failures);
        assert!(
            report.failures[0].starts_with("one is down: ") && report.failures[0].contains(part),
            "{:?}",
            report.failures
        );
    }
}

#[test]
fn files_that_are_not_there_are_named() {
    let none = |pattern: &str| Err(format!("no file {pattern:?}"));
    let mistakes = run_unit_tests("t.yml", TESTS, &none).unwrap_err();
    assert_eq!(mistakes[0].to_string(), "t.yml:1:14: no file \"rules.yml\": name a file that is there");
}
