//! What Grafana asks. It is in no source of packages here, so its requests are recorded by hand from its source (11.x: `pkg/promlib`,
//! `pkg/tsdb/loki`, `pkg/services/ngalert/api`, the Alertmanager data source and the pages of alerting), each with what Grafana reads of
//! the answer.

mod alertmanager;
mod annotations;
mod client;
mod dashboard;
mod files;
mod loki;
mod panels;
mod prometheus;
mod recorded;
