//! Alerts: from rules and status to notices, and from notices to people.
//!
//! The way of an alert: `rules` and `from_status` make [`Alert`]s; `dispatch` groups them along the `route` tree, asks for each why it is not
//! told (`inhibit`, `mute_time`, `silence`, the source's own holds), and makes [`Notice`]s; `outgoing` queues one row a recipient in the same
//! transaction; `notify` sends. Everything up to the queue is pure: time is an argument, rows and events are what comes out. ALERTING.md tells
//! the rules.

mod alert;
mod routing;
mod rules;
mod template;

pub use alert::{Alert, AlertChange, AlertId, Held, HeldReason, Notice, NoticeKind, Origin};
pub use routing::{
    AlertingConfig, Authorization, EmailConfig, Global, GroupBy, HttpConfig, InhibitRule, Inhibitor, IntervalRange,
    MatcherError, Period, ReadFile, Receiver, Route, RouteTree, SILENCE_KEPT_MS, SILENCES_MAX, Secret, Silence,
    SilenceError, SilenceState, Silences, SmtpConfig, TimeInterval, TimeIntervals, TlsConfig, WebhookConfig, all_match,
    inhibits, load_config, make_matcher, parts_of, read_matchers, written_matchers,
};
pub use rules::{
    Active, AlertSpec, AlertingState, Ask, BenchRound, DEFAULT_RULES, DEFAULT_RULES_PATH, Due, Finding, GroupCounts,
    MemoryAsk, MetricLookup, Mistake, NoData, Phase, Place, RULE_ROW, ReadRules, RecordingState, Round, Rule,
    RuleBatch, RuleContext, RuleDefaults, RuleExpr, RuleFile, RuleGroup, RuleHealth, RuleKind, Ruler, RulesBench,
    RunningGroup, SETTLING_MS, StepContext, Stepped, UnitReport, Vector, ViewAsk, lint_rules, load_rules,
    run_unit_tests,
};
pub use template::{Asked, Scope, Template, TemplateError};
