//! Questions to many hosts at once.

use clap::Args;

#[derive(Debug, Args)]
pub struct AskArguments {
    /// The table, such as `processes`; `tables` lists them with their columns.
    pub table: String,
    /// A condition on a row, such as `name = nginx`, `rss_bytes > 1000000`, `not_after < now+30d`; several must all hold. Tests: = != < <= > >= contains
    /// starts_with; nothing known is `null`.
    #[arg(long = "where", value_name = "CONDITION")]
    pub conditions: Vec<String>,
    /// These columns, in this order: `name,user` [default: all].
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// Hosts by matchers over host and labels: `env="prod"`, `host=~"web.*"`. Several must all match [default: all hosts].
    #[arg(long = "hosts", value_name = "MATCHERS")]
    pub matchers: Vec<String>,
    /// This host by name or id, beside those that match; may stand several times.
    #[arg(long = "host", value_name = "HOST")]
    pub hosts: Vec<String>,
    /// How long hosts have to answer, at most 30s.
    #[arg(long, value_name = "SPAN", default_value = "5s")]
    pub timeout: String,
    /// Different rows that are shown.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub limit: usize,
}
