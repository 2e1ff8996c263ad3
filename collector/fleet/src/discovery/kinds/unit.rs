//! Service units that run, or ran when the host was looked at and are started with it.

use serde_json::json;

use super::{Found, ItemKind, Looked, Offer, What, check, clean, daemon, noise, with_details};

const NAME: &str = "name";
const DESCRIPTION: &str = "description";
/// The longest name that systemd takes.
const NAME_BYTES_MAX: usize = 255;

pub(super) const KIND: ItemKind = ItemKind {
    name: "unit",
    many: "units",
    fields: &[NAME, DESCRIPTION],
    tables: &["units"],
    find,
    checks: |what| {
        let name = what.value(NAME);
        vec![check("unit", name, "unit", json!({"unit": name}))]
    },
    words,
};

fn find(looked: &Looked<'_>) -> Vec<Found> {
    let services = looked.rows("units").filter_map(|row| Some((row, row.text("name")?)));
    services
        .filter(|(_, name)| name.ends_with(".service"))
        .map(|(row, name)| {
            let text = |column| row.text(column).unwrap_or_default();
            // One that is enabled and does not run may be broken, or have done its work: a check of it would be red from its first result on, so it
            // waits until it runs. Where systemd could not be asked nothing is known of either.
            let runs = match (text("active_state"), text("sub_state")) {
                ("active" | "reloading", "running") => true,
                ("active" | "activating" | "reloading" | "failed", _) => is_enabled(text("file_state")),
                _ => false,
            };
            let offer = match (daemon::of_unit(name), runs) {
                (Some(_), true) => Offer::Covered,
                _ => Offer::when(runs && is_name(name) && noise::of_unit(name).is_none()),
            };
            let values = vec![name.to_owned(), text("description").to_owned()];
            Found { what: row.what(format!("unit:{name}"), values), offer }
        })
        .collect()
}

/// systemd's words for units that are started with the host.
pub(super) fn is_enabled(file_state: &str) -> bool {
    matches!(file_state, "enabled" | "enabled-runtime")
}

/// Whether the agent's check takes it: what else calls itself a unit is none.
fn is_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
        && !name.starts_with('-')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte))
}

fn words(what: &What) -> String {
    with_details(format!("unit {}", clean(what.value(NAME))), &[("", what.value(DESCRIPTION))])
}
