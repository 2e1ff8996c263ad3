//! Whose words a push may use: labels that name an enrolled host are renamed, those of the collector's own are refused.

use std::collections::HashSet;
use std::sync::Arc;

use muster_fleet::{Grant, Scope};

use crate::host_labels::{HOST, HOST_MUSTER, SOURCE, SOURCE_MUSTER, SeriesRefusal};
use crate::hub::Hub;

/// What a pushed `host` label may name.
#[derive(Clone, Debug, Default)]
pub struct Speaker {
    /// Names of enrolled hosts: a push that uses one is renamed, so that it cannot pass for the host's own series.
    pub enrolled: Arc<HashSet<String>>,
    /// The token may speak for enrolled hosts.
    pub speaks_for_hosts: bool,
}

impl Speaker {
    /// Of a request with this grant.
    pub(crate) fn of(hub: &Hub, grant: Option<&Grant>) -> Self {
        Self {
            enrolled: hub.enrolled(),
            // Without tokens only this machine can push, and it is the operator's.
            speaks_for_hosts: grant.is_none_or(|grant| grant.allows(Scope::Admin)),
        }
    }

    /// Which of these labels is to be renamed, and how; `None`: none.
    ///
    /// # Errors
    /// [`SeriesRefusal::Reserved`].
    pub fn renamed<N: AsRef<str>, V: AsRef<str>>(
        &self,
        labels: &[(N, V)],
    ) -> Result<Option<(usize, String)>, SeriesRefusal> {
        let has = |(name, value): &(N, V), wanted: (&str, &str)| (name.as_ref(), value.as_ref()) == wanted;
        if labels.iter().any(|label| has(label, (SOURCE, SOURCE_MUSTER)) || has(label, (HOST, HOST_MUSTER))) {
            return Err(SeriesRefusal::Reserved);
        }
        let is_foreign = |(name, value): &(N, V)| {
            name.as_ref() == HOST && !self.speaks_for_hosts && self.enrolled.contains(value.as_ref())
        };
        let Some(place) = labels.iter().position(is_foreign) else { return Ok(None) };
        let mut exported = "exported_host".to_owned();
        while labels.iter().any(|(name, _)| name.as_ref() == exported) {
            exported.insert_str(0, "exported_");
        }
        Ok(Some((place, exported)))
    }
}
