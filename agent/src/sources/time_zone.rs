//! The host's time zone, read from a TZif file (RFC 9636): what /etc/localtime is.

/// What a clock on the wall shows from some moment until `until`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Zone {
    /// `CET`.
    pub(super) name: String,
    /// To add to UTC.
    pub(super) offset_seconds: i32,
    /// Seconds since 1970 at which another zone begins, as far as the file tells.
    pub(super) until: i64,
}

const MAGIC: &[u8] = b"TZif";
const HEAD_BYTES: usize = 44;
const TYPE_BYTES: usize = 6;

/// The zone in force at `now` (seconds since 1970). `None` for a damaged file, and beyond a file's last change when only a
/// yearly rule tells what follows: those are not computed here, and no number is better than a wrong one.
pub(super) fn zone_at(file: &[u8], now: i64) -> Option<Zone> {
    let head = Head::read(file)?;
    if head.version < b'2' {
        return None;
    }
    // The first block is for readers of 32-bit times; the second says the same with 64 bits.
    let block = file.get(HEAD_BYTES + head.block_bytes(4, 8)..)?;
    let head = Head::read(block)?;
    let (block, footer) = block.get(HEAD_BYTES..)?.split_at_checked(head.block_bytes(8, 12))?;
    let (times, rest) = block.split_at_checked(head.times * 8)?;
    let (kinds, rest) = rest.split_at_checked(head.times)?;
    let (types, names) = rest.split_at_checked(head.types * TYPE_BYTES)?;
    let time = |number: usize| Some(i64::from_be_bytes(*times.get(number * 8..)?.first_chunk()?));
    let passed = (0..head.times).take_while(|number| time(*number).is_some_and(|time| time <= now)).count();
    let has_rule = footer.contains(&b',');
    if passed == head.times && has_rule {
        return None;
    }
    let kind = if passed == 0 { 0 } else { usize::from(*kinds.get(passed - 1)?) };
    let entry = types.get(kind * TYPE_BYTES..)?.first_chunk::<TYPE_BYTES>()?;
    let name = names.get(usize::from(entry[5])..)?.split(|byte| *byte == 0).next()?;
    Some(Zone {
        name: super::parse::text(name),
        offset_seconds: i32::from_be_bytes(*entry.first_chunk()?),
        until: time(passed).unwrap_or(i64::MAX),
    })
}

struct Head {
    version: u8,
    utc_marks: usize,
    standard_marks: usize,
    leaps: usize,
    times: usize,
    types: usize,
    name_bytes: usize,
}

impl Head {
    fn read(file: &[u8]) -> Option<Self> {
        let head = file.first_chunk::<HEAD_BYTES>()?;
        // A zone file has some hundred changes; a count beyond the file's own length is damage.
        let count = |number: usize| -> Option<usize> {
            let bytes = head.get(20 + number * 4..)?.first_chunk::<4>()?;
            usize::try_from(u32::from_be_bytes(*bytes)).ok().filter(|count| *count <= file.len())
        };
        (head.starts_with(MAGIC)).then_some(())?;
        Some(Self {
            version: head[4],
            utc_marks: count(0)?,
            standard_marks: count(1)?,
            leaps: count(2)?,
            times: count(3)?,
            types: count(4)?,
            name_bytes: count(5)?,
        })
    }

    fn block_bytes(&self, time_bytes: usize, leap_bytes: usize) -> usize {
        self.times * (time_bytes + 1)
            + self.types * TYPE_BYTES
            + self.name_bytes
            + self.leaps * leap_bytes
            + self.standard_marks
            + self.utc_marks
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A file with these changes (time, offset, name) after a first zone, and this footer.
    pub(in super::super) fn file(first: (i32, &str), changes: &[(i64, i32, &str)], footer: &str) -> Vec<u8> {
        let zones: Vec<(i32, &str)> = [first].into_iter().chain(changes.iter().map(|(_, o, n)| (*o, *n))).collect();
        let names: String = zones.iter().map(|(_, name)| format!("{name}\0")).collect();
        let head = |times: usize, types: usize, bytes: usize| {
            let mut head = b"TZif2".to_vec();
            head.resize(20, 0);
            for count in [0, 0, 0, times, types, bytes] {
                head.extend_from_slice(&u32::try_from(count).unwrap().to_be_bytes());
            }
            head
        };
        let mut file = head(0, 1, 1);
        file.extend_from_slice(&[0; 7]);
        file.extend(head(changes.len(), zones.len(), names.len()));
        changes.iter().for_each(|(time, ..)| file.extend_from_slice(&time.to_be_bytes()));
        (1..=changes.len()).for_each(|kind| file.push(u8::try_from(kind).unwrap()));
        let mut start = 0u8;
        for (offset, name) in &zones {
            file.extend_from_slice(&offset.to_be_bytes());
            file.extend_from_slice(&[0, start]);
            start += u8::try_from(name.len() + 1).unwrap();
        }
        file.extend_from_slice(names.as_bytes());
        file.extend_from_slice(format!("\n{footer}\n").as_bytes());
        file
    }

    fn at(file: &[u8], now: i64) -> Option<(String, i32, i64)> {
        zone_at(file, now).map(|zone| (zone.name, zone.offset_seconds, zone.until))
    }

    #[test]
    fn the_zone_in_force_is_found() {
        let changes = [(1_000, 3_600, "CET"), (2_000, 7_200, "CEST"), (3_000, 3_600, "CET")];
        let europe = file((200, "LMT"), &changes, "CET-1CEST,M3.5.0,M10.5.0/3");
        assert_eq!(at(&europe, 999), Some(("LMT".into(), 200, 1_000)));
        assert_eq!(at(&europe, 1_000), Some(("CET".into(), 3_600, 2_000)));
        assert_eq!(at(&europe, 2_500), Some(("CEST".into(), 7_200, 3_000)));
        assert_eq!(at(&europe, 3_000), None, "what follows the last change is a rule");
        assert_eq!(at(&file((0, "UTC"), &[], "UTC0"), 5), Some(("UTC".into(), 0, i64::MAX)));
        assert_eq!(at(&file((0, "A"), &[(1, -10_800, "-03")], "<-03>3"), 5), Some(("-03".into(), -10_800, i64::MAX)));
    }

    #[test]
    fn damaged_files_give_nothing() {
        let good = file((0, "UTC"), &[(1, 3_600, "CET")], "CET-1");
        for cut in 0..good.len() - 8 {
            zone_at(&good[..cut], 5);
        }
        assert_eq!(at(b"", 0), None);
        assert_eq!(at(&[b"TZif2", &[0xff; 200][..]].concat(), 0), None);
        assert_eq!(at(&good[..60], 0), None);
    }
}
