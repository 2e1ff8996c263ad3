//! Alerts: from rules and status to notices, and from notices to people.
//!
//! The way of an alert: `rules` and `from_status` make [`Alert`]s; `dispatch` groups them along the `route` tree, asks for each why it is not
//! told (`inhibit`, `mute_time`, `silence`, the source's own holds), and makes [`Notice`]s; `outgoing` queues one row a recipient in the same
//! transaction; `notify` sends. Everything up to the queue is pure: time is an argument, rows and events are what comes out. ALERTING.md tells
//! the rules.

mod alert;
pub mod alerting;
pub mod desk;
pub mod dispatch;
mod from_status;
pub mod mail;
pub mod notify;
pub mod outgoing;
pub mod plot;
pub mod routing;
mod row_codec;
mod rules;
mod template;
#[cfg(test)]
mod testing;

pub use alert::{Alert, AlertChange, AlertId, Held, HeldReason, Notice, NoticeKind, Origin};
pub use from_status::from_status;
pub use rules::{
    Active, AlertSpec, AlertingState, Ask, BenchRound, CheckSpec, DEFAULT_RULES, DEFAULT_RULES_PATH, Due, Finding,
    GroupCounts, MemoryAsk, MetricLookup, MetricResult, Mistake, NoData, Phase, Planted as PlantedRule, RULE_ROW,
    ReadRules, RecordingState, Round, Rule, RuleBatch, RuleContext, RuleDefaults, RuleExpr, RuleFile, RuleGroup,
    RuleHealth, RuleKind, Ruler, RulesBench, RunningGroup, SETTLING_MS, StepContext, Stepped, UnitReport, Vector,
    ViewAsk, lint_rules, load_rules, run_unit_tests,
};
pub use template::{Asked, Scope, Template, TemplateError};
