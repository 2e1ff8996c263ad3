//! Timers of systemd: what they start and when, as their files say it.

use muster_common::inventory::Rows;

use super::unit_files::{self, settings};
use super::{Problem, Scene};

/// Settings that say when; an empty one takes back what stands before.
const WHEN: [&str; 7] = [
    "OnActiveSec",
    "OnBootSec",
    "OnStartupSec",
    "OnUnitActiveSec",
    "OnUnitInactiveSec",
    "OnCalendar",
    "RandomizedDelaySec",
];

pub(super) fn read(scene: &Scene, rows: &mut Rows) -> Result<(), Problem> {
    for (name, file) in unit_files::find(scene)?.iter() {
        let Some(stem) = name.strip_suffix(".timer") else { continue };
        let mut texts = vec![file.text(scene)];
        texts.extend(unit_files::drop_ins(scene, name));
        let (mut unit, mut when) = (format!("{stem}.service"), Vec::new());
        for (key, value) in texts.iter().flat_map(|text| settings(text, "Timer")) {
            if key == "Unit" {
                unit = value;
            } else if WHEN.contains(&key.as_str()) {
                if value.is_empty() {
                    // systemd forgets all of them, whichever is emptied.
                    when.clear();
                } else {
                    when.push(format!("{key}={value}"));
                }
            }
        }
        let schedule = (!when.is_empty()).then(|| when.join("; "));
        rows.add([name.as_str().into(), unit.into(), schedule.into()]);
    }
    Ok(())
}
