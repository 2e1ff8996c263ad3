//! Rules: from rule files to alerts and recorded series.
//!
//! `load` (with `yaml`, `reader`, `load_rule`, `load_check`) reads files into the values of `file`, or tells every `mistake`; `ruler` has the groups in force; `group`
//! evaluates one at its ticks through `ask`, with `alerting` (whose alerts are `active`), `recording` and `metric_check`; `rows` is what a restart finds. `lint`
//! judges files, `unit` (with `unit_file`) runs promtool's unit tests, `defaults` are the rules that come with the collector, `bench` measures a
//! round, `planted` are bugs for the simulator.

mod active;
mod alerting;
mod ask;
mod bench;
mod defaults;
mod file;
mod group;
mod lint;
mod load;
mod load_check;
mod load_rule;
mod metric_check;
mod mistake;
mod planted;
mod reader;
mod recording;
mod rows;
mod ruler;
mod unit;
mod unit_file;

pub use active::{Active, Phase};
pub use alerting::{AlertingState, SETTLING_MS, StepContext, Stepped, Vector};
pub use ask::{Ask, MemoryAsk, ViewAsk};
pub use bench::{BenchRound, RulesBench};
pub use defaults::{DEFAULT_RULES, DEFAULT_RULES_PATH};
pub use file::{AlertSpec, CheckSpec, NoData, Rule, RuleExpr, RuleFile, RuleGroup, RuleKind};
pub use group::{Due, GroupCounts, Round, RuleBatch, RuleContext, RuleHealth, RunningGroup};
pub use lint::{Finding, MetricLookup, lint_rules};
pub use load::{RuleDefaults, load_rules};
pub use metric_check::MetricResult;
pub use mistake::Mistake;
pub use planted::Planted;
pub(crate) use reader::{Reader, read_yaml};
pub use recording::RecordingState;
pub use rows::RULE_ROW;
pub use ruler::Ruler;
pub use unit::{ReadRules, UnitReport, run_unit_tests};
