//! What the files are called: names sort in the order in which they were handed over, and a place in p0 is a part of the name, so that it is
//! given and taken by one rename.

use muster_common::wire::message::Epoch;

/// The end of a name while the file is written.
pub const UNFINISHED: &str = ".new";
/// The end of a name of what could not be read.
pub const ASIDE: &str = ".aside";
const WAITING: &str = ".report";
const PLACED: &str = ".placed";

/// What a name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    /// When it was handed over, ns since 1970 by this host's clock, and which of that moment it is.
    pub at_ns: u64,
    pub random: u64,
    /// Epoch and seq; `None`: it waits for one.
    pub place: Option<(Epoch, u64)>,
}

impl Name {
    /// The name of the file.
    pub fn text(&self) -> String {
        let Self { at_ns, random, place } = self;
        match place {
            None => format!("{at_ns:016x}-{random:016x}{WAITING}"),
            Some((epoch, seq)) => {
                let epoch = u128::from_be_bytes(epoch.0);
                format!("{at_ns:016x}-{random:016x}.{epoch:032x}-{seq:016x}{PLACED}")
            }
        }
    }

    /// `None`: no name that [`Name::text`] makes.
    pub fn parse(text: &str) -> Option<Self> {
        let name = if let Some(own) = text.strip_suffix(WAITING) {
            let (at_ns, random) = own.split_once('-')?;
            Self { at_ns: number(at_ns)?, random: number(random)?, place: None }
        } else {
            let (own, place) = text.strip_suffix(PLACED)?.split_once('.')?;
            let ((at_ns, random), (epoch, seq)) = (own.split_once('-')?, place.split_once('-')?);
            let epoch = Epoch(u128::from_str_radix(epoch, 16).ok()?.to_be_bytes());
            Self { at_ns: number(at_ns)?, random: number(random)?, place: Some((epoch, number(seq)?)) }
        };
        (name.text() == text).then_some(name)
    }

    /// The same under another place.
    #[must_use]
    pub fn at(self, place: Option<(Epoch, u64)>) -> Self {
        Self { place, ..self }
    }
}

fn number(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_and_sort_by_time() {
        let one = Name { at_ns: 1_700_000_000_000_000_000, random: 7, place: None };
        let placed = one.at(Some((Epoch::new(1_700_000_000_000, 9), 12)));
        for name in [one, placed] {
            assert_eq!(Name::parse(&name.text()), Some(name));
        }
        let later = Name { at_ns: one.at_ns + 1, random: 0, place: None };
        assert!(one.text() < later.text());
        let longer = format!("0{}", one.text());
        for foreign in ["", "a.report", ".report", "x-y.report", "report", longer.as_str(), "notes.txt"] {
            assert_eq!(Name::parse(foreign), None, "{foreign}");
        }
    }
}
