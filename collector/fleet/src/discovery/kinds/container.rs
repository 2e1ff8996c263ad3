//! Containers by their names, where their manager tells them.
//!
//! Those that are known by their control groups alone have an id only, which is another after each start: they are left out. So are pods of
//! Kubernetes, whose names are made up anew each time.

use super::{Found, ItemKind, Looked, Offer, clean, with_details};

const NAME: &str = "name";
const RUNTIME: &str = "runtime";
const IMAGE: &str = "image";
/// What Kubernetes begins the names of its containers with.
const POD: &str = "k8s_";

pub(super) const KIND: ItemKind = ItemKind {
    name: "container",
    many: "containers",
    fields: &[NAME, RUNTIME, IMAGE],
    tables: &["containers"],
    find,
    // The agent has no check of a container; its published ports are things of their own, and that it is gone is told.
    checks: |_| Vec::new(),
    words: |what| {
        let name = format!("container {}", clean(what.value(NAME)));
        with_details(name, &[("", what.value(RUNTIME)), ("image ", what.value(IMAGE))])
    },
};

fn find(looked: &Looked<'_>) -> Vec<Found> {
    let named = looked.rows("containers").filter_map(|row| Some((row, row.text("name")?)));
    let mut all: Vec<Found> = named
        .map(|(row, name)| {
            let text = |column| row.text(column).unwrap_or_default();
            let offer = Offer::when(matches!(text("state"), "running" | "restarting") && !name.starts_with(POD));
            let values = vec![name.to_owned(), text("runtime").to_owned(), text("image").to_owned()];
            Found { what: row.what(format!("container:{name}"), values), offer }
        })
        .collect();
    // Of two of one name (of two managers) the one that runs.
    all.sort_by_key(|found| found.offer != Offer::Yes);
    all
}
