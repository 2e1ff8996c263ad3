//! What is wrong now, by part: said once in the log when it begins and when it ends, and shown by the API for as long as it lasts.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use muster_api::Problem;

/// A part that can be in trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Maintenance,
    Reserve,
    Certificate,
    Snapshots,
}

impl Part {
    const fn place(self) -> &'static str {
        match self {
            Self::Maintenance => "flush, merge and retention of the store",
            Self::Reserve => "the data folder's reserve",
            Self::Certificate => "the certificate of HTTPS",
            Self::Snapshots => "snapshots",
        }
    }

    const fn remedy(self) -> &'static str {
        match self {
            Self::Maintenance => "look at the disk; it is tried again by itself",
            Self::Snapshots => {
                "correct what hinders it, then `muster snapshot create`; those that are due are tried again by themselves"
            }
            Self::Reserve => "free some room on the data folder's disk, or shorten retention.metrics",
            Self::Certificate => "put right what is named; the files are looked at again by themselves",
        }
    }
}

/// All present troubles.
#[derive(Debug, Default)]
pub(crate) struct Troubles {
    present: Mutex<BTreeMap<Part, String>>,
}

impl Troubles {
    /// This part's trouble is now this, or over.
    pub(crate) fn set(&self, part: Part, trouble: Option<String>) {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        match trouble {
            Some(text) => {
                let is_new = present.insert(part, text.clone()).is_none();
                if is_new {
                    tracing::error!("{}: {text}; {}", part.place(), part.remedy());
                }
            }
            None => {
                if present.remove(&part).is_some() {
                    tracing::info!("{}: well again", part.place());
                }
            }
        }
    }

    pub(crate) fn problems(&self) -> Vec<Problem> {
        let present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let problem = |(part, text): (&Part, &String)| Problem {
            message: text.clone(),
            place: part.place().to_owned(),
            remedy: part.remedy().to_owned(),
        };
        present.iter().map(problem).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_is_shown_until_it_is_over() {
        let troubles = Troubles::default();
        troubles.set(Part::Reserve, Some("a".to_owned()));
        troubles.set(Part::Maintenance, Some("b".to_owned()));
        troubles.set(Part::Reserve, Some("c".to_owned()));
        let texts: Vec<String> = troubles.problems().into_iter().map(|problem| problem.message).collect();
        assert_eq!(texts, ["b", "c"]);
        troubles.set(Part::Reserve, None);
        troubles.set(Part::Maintenance, None);
        assert!(troubles.problems().is_empty());
    }
}
