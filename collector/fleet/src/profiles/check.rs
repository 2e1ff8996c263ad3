//! Files judged before anything is open: for who starts, and for `--check-config`.

use std::collections::BTreeSet;

use super::built_in::built_in;
use super::mistake::ProfileMistakes;
use super::set::{ProfileSet, ProfileSource, Set, check, read_source, sorted};

/// Whether profiles of files, `(path, text)`, are right beside the built-in ones; the rules that they bring, (name, text). What the API has is not
/// known here: [`crate::Fleet::set_profile_files`] judges them beside it.
///
/// # Errors
/// Every mistake of every file.
pub fn check_profile_files(files: &[(String, String)]) -> Result<Vec<(String, String)>, ProfileMistakes> {
    let mut mistakes = ProfileMistakes::default();
    let read = read_source(files, ProfileSource::File, &mut mistakes);
    let lines = read.iter().map(|(text, line)| (text.name.clone(), *line)).collect();
    let names: BTreeSet<String> = read.iter().map(|(text, _)| text.name.clone()).collect();
    let profiles = read.into_iter().map(|(text, _)| text).chain(built_in()).collect();
    let set = Set::of(ProfileSet { profiles: sorted(profiles), ..ProfileSet::default() });
    check(&set, &lines, &mut mistakes);
    if mistakes.0.is_empty() { Ok(set.rules(&names)) } else { Err(mistakes) }
}
