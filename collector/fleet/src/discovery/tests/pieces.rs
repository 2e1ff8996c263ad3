//! What is accepted comes into the configuration of its host, and goes with it.

use super::*;

#[test]
fn what_is_accepted_is_in_the_hosts_document_until_it_is_archived() {
    let World { bench, host, .. } = World::new();
    let fleet = &bench.fleet;
    // With the profiles that are built in.
    fleet.set_profile_files(&[], &By::MUSTER, at(0)).unwrap();
    let tell = |number, seconds, tables: &[&Rows]| {
        let tables = tables.iter().map(|rows| whole(rows)).collect();
        fleet.apply(&[entry(number, host, seconds, tables)]).unwrap();
        fleet.discover(at(seconds + 1)).unwrap();
    };
    let document = |seconds| {
        fleet.step_profiles(at(seconds)).unwrap();
        fleet.configuration_view(host).map(|view| view.document).unwrap_or_default()
    };
    tell(1, 100, &[&units(&["nginx.service", "shop.service"]), &mounts(&["/", "/srv/data"])]);
    assert_eq!(document(110), "", "nothing is accepted");
    let decide = |seconds, decision, keys: &[&str]| {
        let items: Vec<_> = keys.iter().map(|key| (host, (*key).to_owned())).collect();
        assert!(fleet.decide_items(&items, decision, &ann(), "ours", at(seconds)).unwrap().is_empty());
    };
    decide(120, Decision::Accept, &["unit:shop.service", "mount:/srv/data", "daemon:nginx"]);
    let made = document(130);
    for part in [
        "profile nginx",
        "unit = \"shop.service\"",
        "path = [\"/srv/data\"]",
        "unit = \"srv-data.mount\"",
        "accepted unit:shop.service",
    ] {
        assert!(made.contains(part), "{part}: {made}");
    }
    // Gone: its checks stay, so that they fail. Archived: they are withdrawn.
    tell(2, 200, &[&mounts(&["/"])]);
    assert_eq!(document(210), made);
    decide(220, Decision::Archive, &["mount:/srv/data", "daemon:nginx"]);
    let made = document(230);
    assert!(made.contains("shop.service") && !made.contains("/srv/data") && !made.contains("profile nginx"), "{made}");
}
