//! The tree of routes: who is told of an alert, and how its group is told.

use std::collections::HashMap;

use muster_common::label::LabelSet;
use muster_common::matcher::Matcher;

use muster_common::matcher_text::{all_match, parts_of, written_matchers};

/// What the alerts of one group have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// `['...']`: each alert is its own group.
    All,
    /// These labels; none: one group.
    Labels(Vec<String>),
}

/// One route with all options as they hold for it: what it does not say itself it has of its parent, save for its time intervals.
#[derive(Clone, Debug)]
pub struct Route {
    /// The matchers from the root down, as Alertmanager writes a route's key: `{}/{severity="critical"}`. The second of two equal siblings
    /// has `#2` behind it. It stays the same while nothing on the way changes, whatever stands beside it.
    pub id: String,
    pub receiver: String,
    pub group_by: GroupBy,
    /// How long a new group waits for more before it is told.
    pub group_wait_ms: i64,
    /// How long a told group waits before it tells changes.
    pub group_interval_ms: i64,
    /// After what time an unchanged group is told again.
    pub repeat_interval_ms: i64,
    /// Names of the time intervals in which it tells nothing.
    pub mute: Vec<String>,
    /// Names of the time intervals in which alone it tells; none: always.
    pub active: Vec<String>,
    /// Whether the siblings behind it are asked too.
    pub is_continued: bool,
    /// Sorted by name and value; none: all alerts.
    pub matchers: Vec<Matcher>,
    pub children: Vec<Route>,
}

impl Route {
    fn find<'a>(&'a self, labels: &LabelSet, found: &mut Vec<&'a Self>) -> bool {
        if !all_match(&self.matchers, labels) {
            return false;
        }
        let before = found.len();
        for child in &self.children {
            if child.find(labels, found) && !child.is_continued {
                break;
            }
        }
        if found.len() == before {
            found.push(self);
        }
        true
    }

    fn name(&mut self, id: String) {
        self.id = id;
        let mut counts: HashMap<String, usize> = HashMap::new();
        for child in &mut self.children {
            child.matchers.sort_by(|a, b| (&a.name, parts_of(a).1).cmp(&(&b.name, parts_of(b).1)));
            let own = written_matchers(&child.matchers);
            let mut id = format!("{}/{own}", self.id);
            let count = counts.entry(own).or_default();
            *count += 1;
            if *count > 1 {
                id.push_str(&format!("#{count}"));
            }
            child.name(id);
        }
    }

    fn collect<'a>(&'a self, all: &mut Vec<&'a Self>) {
        all.push(self);
        for child in &self.children {
            child.collect(all);
        }
    }

    /// The labels by which its groups are told apart.
    pub fn group_labels(&self, labels: &LabelSet) -> LabelSet {
        match &self.group_by {
            GroupBy::All => labels.clone(),
            GroupBy::Labels(names) => {
                let pairs = names.iter().filter_map(|name| Some((name.as_str(), labels.get(name)?)));
                // A part of a set that is good is good, and names do not stand twice.
                LabelSet::new(pairs).unwrap_or_default()
            }
        }
    }
}

/// All routes.
#[derive(Clone, Debug)]
pub struct RouteTree {
    root: Route,
}

impl RouteTree {
    /// Gives each route its id; the root takes every alert, whatever its matchers say.
    pub fn new(mut root: Route) -> Self {
        root.matchers.clear();
        root.name("{}".to_owned());
        Self { root }
    }

    pub fn root(&self) -> &Route {
        &self.root
    }

    /// The routes that tell an alert: the deepest that match, and more where one says `continue`. At least one.
    pub fn routes_of(&self, labels: &LabelSet) -> Vec<&Route> {
        let mut found = Vec::new();
        self.root.find(labels, &mut found);
        found
    }

    /// All routes, parents before their children.
    pub fn all(&self) -> Vec<&Route> {
        let mut all = Vec::new();
        self.root.collect(&mut all);
        all
    }

    pub fn by_id(&self, id: &str) -> Option<&Route> {
        self.all().into_iter().find(|route| route.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_common::matcher_text::read_matchers;

    fn route(receiver: &str, matchers: &str, is_continued: bool, children: Vec<Route>) -> Route {
        Route {
            id: String::new(),
            receiver: receiver.to_owned(),
            group_by: GroupBy::Labels(vec!["alertname".to_owned(), "nope".to_owned()]),
            group_wait_ms: 0,
            group_interval_ms: 1,
            repeat_interval_ms: 1,
            mute: Vec::new(),
            active: Vec::new(),
            is_continued,
            matchers: read_matchers(matchers).unwrap(),
            children,
        }
    }

    fn tree() -> RouteTree {
        RouteTree::new(route(
            "root",
            "",
            false,
            vec![
                route("all", "", true, Vec::new()),
                route("db", "team=db", false, vec![route("db-page", "severity=critical,env!=test", false, Vec::new())]),
                route("db2", "team=db", false, Vec::new()),
                route("web", "team=~\"web|front\"", true, Vec::new()),
                route("late", "team=web", false, Vec::new()),
            ],
        ))
    }

    #[test]
    fn the_deepest_that_match_tell_and_continue_goes_on() {
        let tree = tree();
        let told = |pairs: &[(&str, &str)]| {
            let labels = LabelSet::new(pairs.iter().copied()).unwrap();
            tree.routes_of(&labels).iter().map(|route| route.receiver.clone()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(told(&[("a", "b")]), "all");
        assert_eq!(told(&[("team", "db")]), "all db");
        assert_eq!(told(&[("team", "db"), ("severity", "critical")]), "all db-page");
        assert_eq!(told(&[("team", "db"), ("severity", "critical"), ("env", "test")]), "all db");
        assert_eq!(told(&[("team", "web")]), "all web late");
        assert_eq!(told(&[("team", "front")]), "all web");
        let bare = RouteTree::new(route("root", "team=never", false, vec![route("x", "a=b", false, Vec::new())]));
        assert_eq!(bare.routes_of(&LabelSet::default())[0].receiver, "root");
    }

    #[test]
    fn ids_are_paths_of_matchers() {
        let tree = tree();
        let ids: Vec<&str> = tree.all().iter().map(|route| route.id.as_str()).collect();
        let expected = [
            "{}",
            "{}/{}",
            "{}/{team=\"db\"}",
            "{}/{team=\"db\"}/{env!=\"test\",severity=\"critical\"}",
            "{}/{team=\"db\"}#2",
            "{}/{team=~\"web|front\"}",
            "{}/{team=\"web\"}",
        ];
        assert_eq!(ids, expected);
        assert_eq!(tree.by_id("{}/{team=\"web\"}").map(|route| route.receiver.as_str()), Some("late"));
        assert!(tree.by_id("{}/nope").is_none());
    }

    #[test]
    fn groups_are_told_apart_by_their_labels() {
        let labels = LabelSet::new([("alertname", "A"), ("x", "y")]).unwrap();
        let mut own = route("r", "", false, Vec::new());
        assert_eq!(own.group_labels(&labels), LabelSet::new([("alertname", "A")]).unwrap());
        own.group_by = GroupBy::All;
        assert_eq!(own.group_labels(&labels), labels);
    }
}
