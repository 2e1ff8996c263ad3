//! What can be followed.

use crate::error::{ApiError, ErrorKind};

/// One kind of rows, named as its list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    Alerts,
    Checks,
    Hosts,
    Silences,
    Downtimes,
    Maintenances,
    Events,
    /// One row: how far it is, and how many items are in each state.
    Discovery,
    /// One row: how far it is, and the deploys that run.
    Deploys,
    /// Orders of tasks, the newest.
    Tasks,
}

impl Topic {
    pub(crate) const ALL: [Self; 10] = [
        Self::Alerts,
        Self::Checks,
        Self::Hosts,
        Self::Silences,
        Self::Downtimes,
        Self::Maintenances,
        Self::Events,
        Self::Discovery,
        Self::Deploys,
        Self::Tasks,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Alerts => "alerts",
            Self::Checks => "checks",
            Self::Hosts => "hosts",
            Self::Silences => "silences",
            Self::Downtimes => "downtimes",
            Self::Maintenances => "maintenances",
            Self::Events => "events",
            Self::Discovery => "discovery",
            Self::Deploys => "deploys",
            Self::Tasks => "tasks",
        }
    }
}

/// A set of topics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Topics(u16);

impl Topics {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const ALL: Self = Self(u16::MAX >> (16 - Topic::ALL.len()));

    pub(crate) const fn of(topic: Topic) -> Self {
        Self(1 << topic as u8)
    }

    #[must_use]
    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(crate) const fn has(self, topic: Topic) -> bool {
        self.0 & (1 << topic as u8) != 0
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Topic> {
        Topic::ALL.into_iter().filter(move |topic| self.has(*topic))
    }

    /// As a JSON list.
    pub(crate) fn json(self) -> Vec<&'static str> {
        self.iter().map(Topic::as_str).collect()
    }

    /// Names with commas between; absent: all.
    ///
    /// # Errors
    /// `bad_data` on a name that is none.
    pub(crate) fn parse(text: Option<&str>) -> Result<Self, ApiError> {
        let Some(text) = text else { return Ok(Self::ALL) };
        let mut topics = Self::NONE;
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let topic = Topic::ALL.into_iter().find(|topic| topic.as_str() == name).ok_or_else(|| unknown(name))?;
            topics = topics.with(Self::of(topic));
        }
        if topics.is_empty() { Err(unknown(text)) } else { Ok(topics) }
    }
}

fn unknown(name: &str) -> ApiError {
    let name: String = name.chars().take(100).collect();
    ApiError::new(ErrorKind::BadData, format!("`{name}` is no topic"))
        .place("parameter `topics`")
        .remedy("name some of alerts, checks, hosts, silences, downtimes, maintenances, events, discovery, deploys, tasks with commas between, or leave it out")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_read_by_name_and_absent_means_all() {
        assert_eq!(Topics::parse(None).unwrap().iter().count(), 10);
        let two = Topics::parse(Some("hosts, alerts,hosts")).unwrap();
        assert_eq!(two.json(), ["alerts", "hosts"]);
        assert!(two.has(Topic::Hosts) && !two.has(Topic::Events));
        assert_eq!(two.without(Topics::of(Topic::Hosts)).json(), ["alerts"]);
        for bad in ["host", "alerts,x", ","] {
            assert!(Topics::parse(Some(bad)).is_err(), "{bad}");
        }
    }
}
