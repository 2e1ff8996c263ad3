//! The clock: against the collector's, and whether anything keeps it right.

use std::path::Path;

use muster_common::finding::Finding;

use super::handshake::Shaken;
use super::path::Reached;
use super::scene::Scene;
use crate::sources::clock_state;
use crate::uplink::clock::TOLERANCE_MS;

/// Programs that keep a clock right, by the folder or file that each has while it runs.
const KEEPERS: [(&str, &str); 5] = [
    ("run/systemd/timesync/synchronized", "systemd-timesyncd"),
    ("run/chrony/chronyd.pid", "chrony"),
    ("run/chronyd.pid", "chrony"),
    ("run/ntpd.pid", "ntpd"),
    ("run/ntpsec/ntpd.pid", "ntpsec"),
];
const REMEDY: &str = "timedatectl set-ntp true   # or: apt-get install chrony";

pub(super) fn examine(scene: &Scene) -> Vec<Finding> {
    let offset = measured(scene.reached()).or_else(|| {
        // The agent's own measurement, where the doctor has none.
        let status = scene.status().filter(|status| status.collector.state == "connected");
        status.map(|status| status.collector.clock_offset_seconds)
    });
    let kernel = clock_state().map(|state| (state.is_synchronised, state.max_error_seconds));
    let kernel = kernel.map_err(|error| error.to_string());
    let keeper = KEEPERS.iter().find(|(path, _)| Path::new("/").join(path).exists()).map(|(_, name)| *name);
    judge(offset, kernel, keeper)
}

fn measured(reached: &[Reached]) -> Option<f64> {
    let peers = reached.iter().filter_map(|reached| reached.peers.as_ref().ok()).flatten();
    let offsets = peers.filter_map(|peer| match peer.shaken {
        Some(Shaken::Up { offset_seconds }) => offset_seconds,
        _ => None,
    });
    // The shortest way tells the truth best.
    offsets.min_by(|one, other| one.abs().total_cmp(&other.abs()))
}

/// `offset` in seconds, this host's clock less the collector's; `kernel`: whether it is kept right, and how wrong it may be in seconds.
fn judge(offset: Option<f64>, kernel: Result<(bool, f64), String>, keeper: Option<&str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let tolerance = TOLERANCE_MS as f64 / 1e3;
    if let Some(offset) = offset.filter(|offset| offset.abs() > tolerance) {
        let side = if offset > 0.0 { "ahead of" } else { "behind" };
        let what = format!(
            "this host's clock is {:.1} s {side} the collector's: times of samples are corrected, times of certificates are not",
            offset.abs()
        );
        findings.push(Finding::problem(what, "clock", REMEDY));
    }
    match (&kernel, keeper) {
        (Ok((true, _)), _) => {}
        (Ok((false, _)), Some(keeper)) => {
            let what = format!("{keeper} runs, and the kernel's clock follows no reference");
            let remedy = "chronyc tracking; timedatectl timesync-status   # say which servers answer";
            findings.push(Finding::warning(what, "adjtimex", remedy));
        }
        (Ok((false, _)), None) => {
            let what = "nothing keeps this host's clock right: no chrony, ntpd or systemd-timesyncd";
            findings.push(Finding::warning(what, "adjtimex", REMEDY));
        }
        (Err(error), _) => {
            findings.push(Finding::warning(
                format!("whether the clock is kept right is not known: {error}"),
                "adjtimex",
                REMEDY,
            ));
        }
    }
    if findings.is_empty() {
        let against = offset
            .map_or("the collector's is not known".to_owned(), |offset| format!("{offset:+.3} s to the collector's"));
        let error = kernel.map_or(f64::NAN, |(_, error)| error);
        findings.push(Finding::ok(format!("it is kept right to {error:.3} s, {against}"), "clock"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use muster_common::finding::Level;

    use super::super::path::{Peer, Tcp};
    use super::super::udp_probe::Probed;
    use super::*;

    #[test]
    fn a_clock_that_is_off_or_left_alone_is_told() {
        let well = || Ok((true, 0.016));
        assert_eq!(judge(Some(0.2), well(), None)[0].level, Level::Ok);
        assert!(judge(None, well(), None)[0].what.contains("not known"));
        let found = judge(Some(-7.5), well(), None);
        assert!(found[0].level == Level::Problem && found[0].what.contains("7.5 s behind"), "{found:?}");
        assert!(judge(Some(60.0), Ok((false, 16.0)), None).len() == 2);
        let found = judge(Some(0.0), Ok((false, 16.0)), Some("chrony"));
        assert!(found[0].level == Level::Warning && found[0].what.starts_with("chrony runs"), "{found:?}");
        assert!(judge(None, Ok((false, 16.0)), None)[0].remedy.contains("set-ntp"));
        assert_eq!(judge(None, Err("no".to_owned()), None)[0].level, Level::Warning);
    }

    #[test]
    fn the_nearest_of_several_measurements_counts() {
        let peer = |offset_seconds| Peer {
            peer: "192.0.2.1:9".parse().unwrap(),
            probed: Probed::Silent,
            shaken: Some(Shaken::Up { offset_seconds }),
            tcp: Tcp::Open,
        };
        let reached = |peers| Reached { address: String::new(), peers };
        assert_eq!(
            measured(&[reached(Ok(vec![peer(Some(-2.0)), peer(Some(0.5)), peer(None)])), reached(Err(String::new()))]),
            Some(0.5)
        );
        assert_eq!(measured(&[reached(Ok(vec![peer(None)]))]), None);
    }
}
