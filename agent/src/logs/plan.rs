//! Which files of one rotation are to be read: the decision alone.
//!
//! A family is a file and everything rotated away from it, oldest first. Rotation keeps the order, so whatever is younger than a file that
//! is known and is not known itself has never been read: it was made and rotated away while nobody looked. What is older is old news.

/// What is known of one file of the family before the decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// A source that is known, by its inode or by its content.
    pub(super) is_known: bool,
    /// It was found to be old news before.
    pub(super) is_judged: bool,
    /// It bears the name that is followed; all others are rotated away.
    pub(super) is_head: bool,
    /// A pattern names it, though it is rotated.
    pub(super) is_asked: bool,
    /// It was begun before, and the collector has lost that.
    pub(super) is_begun: bool,
    /// Last writing, ns since 1970.
    pub(super) mtime_ns: i64,
}

/// What is to be done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Go on with its source.
    Known,
    /// Never read though it should have been: from its first byte.
    Unseen,
    /// Nothing of this family was ever read: as the configuration says.
    First,
    /// Read long ago, or from before the agent's time.
    Old,
}

/// Judges a family, oldest first. `lost_ns`: some known source of it is in none of these files, and was last seen written at this time.
pub(super) fn judge(family: &[Member], lost_ns: Option<i64>) -> Vec<Verdict> {
    let anchor = family.iter().rposition(|member| member.is_known || member.is_judged);
    let begun = family.iter().position(|member| member.is_begun);
    let verdict = |(index, member): (usize, &Member)| {
        if member.is_known {
            return Verdict::Known;
        }
        if member.is_judged {
            return Verdict::Old;
        }
        match (anchor, lost_ns) {
            (Some(anchor), _) if index > anchor => Verdict::Unseen,
            // What was followed is followed on, from where it was begun, and so is what is younger.
            (None, _) if begun.is_some_and(|begun| index >= begun) => Verdict::Unseen,
            (None, Some(_)) if member.is_head => Verdict::Unseen,
            (None, Some(lost)) if member.mtime_ns > lost => Verdict::Unseen,
            (None, None) if member.is_head || member.is_asked => Verdict::First,
            _ => Verdict::Old,
        }
    };
    family.iter().enumerate().map(verdict).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `k` known, `j` judged, `u` unknown, `a` unknown and asked for, `b` begun before; the last one is the head, times rise from 1.
    fn verdicts(family: &str, lost_ns: Option<i64>) -> String {
        let last = family.len() - 1;
        let member = |(index, letter)| Member {
            is_known: letter == 'k',
            is_judged: letter == 'j',
            is_head: index == last,
            is_asked: letter == 'a' || index == last,
            is_begun: letter == 'b',
            mtime_ns: index as i64 + 1,
        };
        let members: Vec<Member> = family.chars().enumerate().map(member).collect();
        let letter = |verdict| match verdict {
            Verdict::Known => 'K',
            Verdict::Unseen => 'U',
            Verdict::First => 'F',
            Verdict::Old => '-',
        };
        judge(&members, lost_ns).into_iter().map(letter).collect()
    }

    #[test]
    fn what_is_younger_than_a_known_file_was_never_read_and_what_is_older_is_old() {
        for (family, expected) in [
            ("uuk", "--K"),
            ("uku", "-KU"),
            ("kuu", "KUU"),
            ("jjk", "--K"),
            ("jku", "-KU"),
            ("jju", "--U"),
            ("aak", "--K"),
            ("uuu", "--F"),
            ("aau", "FFF"),
            ("uau", "-FF"),
            ("ubuu", "-UUU"),
            ("bkbu", "-KUU"),
        ] {
            assert_eq!(verdicts(family, None), expected, "{family}");
        }
    }

    #[test]
    fn behind_a_lost_file_only_what_was_written_later_is_read() {
        assert_eq!(verdicts("uuu", Some(i64::MAX)), "--U");
        assert_eq!(verdicts("uuu", Some(1)), "-UU");
        assert_eq!(verdicts("uuu", Some(0)), "UUU");
        assert_eq!(verdicts("ujk", Some(0)), "--K");
    }
}
