//! What the collector's doctor sees of its process and its machine: listeners, the CA, the data folder's room. The API's doctor adds the rest.
//!
//! Each part gathers at its edge and decides by a pure function.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use muster_api::OwnFindings;
use muster_common::disk::Space;
use muster_common::finding::Finding;
use muster_common::time::{Span, Timestamp};
use muster_common::version_probe::{VERSION_1, id_of, question, read_answer};

use crate::config::Config;
use crate::reserve::Reserve;

/// Loopback answers at once, unless the machine is very busy.
const ANSWER_WITHIN: Duration = Duration::from_millis(1_500);
/// Less than this and the next flush or merge may not fit: an inbox file and the segment that is made of it.
const FREE_BYTES_MIN: u64 = 512 << 20;
/// Of a disk, per cent.
const FREE_PERCENT_MIN: u64 = 5;
/// Segments, inbox files and their temporary names.
const FILES_FREE_MIN: u64 = 10_000;
/// A CA that ends within a year is renewed by overlap, which takes as long as the slowest host is away.
const CA_DAYS_MIN: u64 = 180;

/// Everything at once; it reads files and waits for loopback.
pub(crate) fn examine(config: &Config, bound: Bound, reserve: &Reserve, now: Timestamp) -> OwnFindings {
    let data = config.data.display().to_string();
    let mut findings = vec![http(bound.http, config.http.no_auth), agents(bound.agents, ask(bound.agents))];
    let (space, files_free) = room(&config.data);
    findings.extend(disk(space, files_free, reserve.is_taken(), &data));
    findings.extend(bound.ca_ends.map(|ends| authority(ends, now)));
    let mut shown = config.clone();
    // Whoever knows them can give signs of life in the collector's name.
    for url in [&mut shown.heartbeat.url, &mut shown.heartbeat.fail_url] {
        if !url.is_empty() {
            "<redacted>".clone_into(url);
        }
    }
    let retention = [
        ("retention.metrics", config.retention.metrics),
        ("retention.logs", config.retention.logs),
        ("retention.events", config.retention.events),
    ];
    OwnFindings {
        findings,
        free_bytes: space.map(|space| space.free_bytes),
        retention,
        settings: format!("{shown:#?}"),
    }
}

/// Where the collector listens, and until when its CA's newest certificate lasts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    pub(crate) http: SocketAddr,
    pub(crate) agents: SocketAddr,
    pub(crate) ca_ends: Option<Timestamp>,
}

fn http(address: SocketAddr, no_auth: bool) -> Finding {
    let place = address.to_string();
    if no_auth {
        let what = "whoever can connect may do everything (--no-auth)";
        return Finding::warning(what, place, "start muster-collector without --no-auth").of("HTTP");
    }
    Finding::ok(format!("it answers on {address}"), place).of("HTTP")
}

/// Asks the own port for agents, over loopback where it listens on all addresses. `None`: no answer.
fn ask(address: SocketAddr) -> Option<Vec<u32>> {
    let loopback = match address.ip() {
        IpAddr::V4(own) if own.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(own) if own.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        own => own,
    };
    let any: SocketAddr = match loopback {
        IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        IpAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect((loopback, address.port())).ok()?;
    socket.set_read_timeout(Some(ANSWER_WITHIN)).ok()?;
    let id = id_of(socket.local_addr().ok()?.port());
    socket.send(&question(id)).ok()?;
    let mut buffer = [0; 2_048];
    let count = socket.recv(&mut buffer).ok()?;
    read_answer(&buffer[..count], id)
}

fn agents(address: SocketAddr, answer: Option<Vec<u32>>) -> Finding {
    let place = format!("UDP {address}");
    match answer {
        Some(versions) if versions.contains(&VERSION_1) => {
            Finding::ok(format!("it answers on UDP {address}"), place).of("agents' port")
        }
        _ => {
            let port = address.port();
            let what = "the port for agents does not answer on this machine";
            let remedy = format!("nft list ruleset | grep {port}   # a rule may drop it; else restart the collector");
            Finding::problem(what, place, remedy).of("agents' port")
        }
    }
}

fn room(data: &Path) -> (Option<Space>, Option<u64>) {
    let Ok(room) = rustix::fs::statvfs(data) else { return (None, None) };
    let bytes = |blocks: u64| blocks.saturating_mul(room.f_frsize);
    let space = Space { total_bytes: bytes(room.f_blocks), free_bytes: bytes(room.f_bavail) };
    // A file system that does not count them has none in all.
    (Some(space), (room.f_files > 0).then_some(room.f_favail))
}

fn disk(space: Option<Space>, files_free: Option<u64>, is_reserved: bool, data: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some(Space { total_bytes, free_bytes }) = space else {
        let what = "the data folder's file system cannot be looked at";
        return vec![Finding::problem(what, data, "look at the kernel's log: dmesg | tail").of("disk")];
    };
    let of = format!("{} of {} MiB are free", free_bytes >> 20, total_bytes >> 20);
    let remedy = "free room, enlarge the file system, or shorten [retention]";
    if free_bytes < FREE_BYTES_MIN {
        findings.push(Finding::problem(format!("{of}: the next merge may not fit"), data, remedy));
    } else if free_bytes.saturating_mul(100) < total_bytes.saturating_mul(FREE_PERCENT_MIN) {
        findings.push(Finding::warning(format!("{of}, less than {FREE_PERCENT_MIN} %"), data, remedy));
    }
    if let Some(files) = files_free.filter(|files| *files < FILES_FREE_MIN) {
        let what = format!("only {files} more files can be made on it (inodes)");
        findings.push(Finding::problem(what, data, "df -i   # then remove what has very many small files"));
    }
    if !is_reserved {
        let what = "the reserve is not there: with a full disk even retention could not commit what frees room";
        findings.push(Finding::problem(what, format!("{data}/reserve"), "free 256 MiB: it is taken again by itself"));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(format!("{of}, and the reserve is there"), data));
    }
    findings.into_iter().map(|finding| finding.of("disk")).collect()
}

fn authority(ends: Timestamp, now: Timestamp) -> Finding {
    let left = ends.since(now).as_secs() / 86_400;
    let place = "the CA of agents' certificates";
    let finding = if now > ends {
        Finding::problem(
            "it has expired: no agent can connect",
            place,
            "restore the collector's clock: date; timedatectl",
        )
    } else if left < CA_DAYS_MIN {
        let span = Span(Duration::from_secs(left * 86_400));
        Finding::warning(
            format!("it ends in {span}"),
            place,
            "upgrade muster-collector: newer ones replace it by overlap",
        )
    } else {
        Finding::ok(format!("it lasts {left} days"), place)
    };
    finding.of("certificates")
}

#[cfg(test)]
mod tests {
    use muster_common::finding::Level;

    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn room_files_and_reserve_are_judged() {
        let space = |free_bytes| Some(Space { total_bytes: 100 * GIB, free_bytes });
        let told = |space, files, reserved| {
            let found = disk(space, files, reserved, "/d");
            found.into_iter().map(|finding| (finding.level, finding.what)).collect::<Vec<_>>()
        };
        assert_eq!(
            told(space(50 * GIB), Some(1 << 20), true),
            [(Level::Ok, "51200 of 102400 MiB are free, and the reserve is there".into())]
        );
        for (found, level, word) in [
            (told(space(GIB / 4), None, true), Level::Problem, "may not fit"),
            (told(space(4 * GIB), None, true), Level::Warning, "less than 5 %"),
            (told(space(50 * GIB), Some(7), true), Level::Problem, "only 7 more files"),
            (told(space(50 * GIB), None, false), Level::Problem, "the reserve is not there"),
            (told(None, None, true), Level::Problem, "cannot be looked at"),
        ] {
            assert!(found.len() == 1 && found[0].0 == level && found[0].1.contains(word), "{found:?}");
        }
    }

    #[test]
    fn the_cas_end_is_told_in_time() {
        let day = |days: i64| Timestamp::from_millis(days * 86_400_000);
        for (now, level) in [(0, Level::Ok), (900, Level::Warning), (1_001, Level::Problem)] {
            assert_eq!(authority(day(1_000), day(now)).level, level, "{now}");
        }
    }

    #[test]
    fn a_port_that_does_not_answer_is_a_problem_and_no_auth_a_warning() {
        let address = "0.0.0.0:9471".parse().unwrap();
        assert_eq!(agents(address, Some(vec![VERSION_1])).level, Level::Ok);
        assert!(
            agents(address, Some(vec![7])).remedy.contains("9471") && agents(address, None).level == Level::Problem
        );
        assert_eq!((http(address, true).level, http(address, false).level), (Level::Warning, Level::Ok));
        let mute = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(ask(mute.local_addr().unwrap()), None);
    }

    #[test]
    fn secrets_of_the_settings_are_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config { data: folder.path().to_path_buf(), ..Config::default() };
        config.heartbeat.url = "https://beat.example/s3cret".to_owned();
        let (http, agents) = ("127.0.0.1:1".parse().unwrap(), "127.0.0.1:1".parse().unwrap());
        let bound = Bound { http, agents, ca_ends: None };
        let own = examine(&config, bound, &Reserve::new(folder.path()), Timestamp::from_millis(0));
        assert!(!own.settings.contains("s3cret") && own.settings.contains("retention"), "{}", own.settings);
        assert!(own.free_bytes.is_some_and(|bytes| bytes > 0));
        assert!(own.findings.iter().all(|finding| !finding.examination.is_empty()));
    }
}
