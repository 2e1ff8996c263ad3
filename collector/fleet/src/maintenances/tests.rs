//! Maintenances over the real file, as parts of the product use them.

use crate::status::{MaintenanceSpec, MaintenanceState};
use crate::testing::{Bench, at};
use crate::{By, ErrorKind};

const ANN: &By = &By::Itself("ann");

#[test]
fn work_of_the_product_is_one_maintenance_under_its_reference_over_a_restart() {
    let bench = Bench::new();
    // Nothing has looked at the fleet since they were let in.
    let [web1, web2] = ["web1", "web2"].map(|name| bench.host(name).id());
    let spec = |hosts: &[String], ends| MaintenanceSpec {
        name: "upgrade".to_owned(),
        reference: "task 7".to_owned(),
        hosts: hosts.to_vec(),
        ends_ms: at(ends).millis(),
        grace_ms: 60_000,
        ..MaintenanceSpec::default()
    };
    let (first, second) = (spec(&[web1.to_string()], 600), spec(&[web2.to_string()], 300));
    assert_eq!(bench.fleet.open_for(first.clone(), ANN, at(10)).unwrap(), 1);
    assert_eq!(bench.fleet.open_for(second, ANN, at(20)).unwrap(), 1, "a step that is tried again opens no second one");
    let known = &bench.fleet.maintenances()[0];
    assert_eq!((known.spec.hosts.len(), known.spec.ends_ms), (2, at(600).millis()));

    let bench = bench.reopen();
    assert_eq!(bench.fleet.maintenances().first(), Some(known));
    for other in ["task 8", ""] {
        assert_eq!(bench.fleet.close_for(other, ANN, at(30)).unwrap(), None, "{other}");
    }
    assert_eq!(bench.fleet.close_for("task 7", ANN, at(30)).unwrap(), Some(1));
    assert_eq!(bench.fleet.end_downtime(1, ANN, at(31)).map_err(|error| error.kind()), Err(ErrorKind::Conflict));
    // This process is ready at 100 s, and hosts may take two minutes until they are heard.
    for (seconds, state) in
        [(100, MaintenanceState::Settling), (219, MaintenanceState::Settling), (220, MaintenanceState::Closed)]
    {
        bench.fleet.tick_status(at(seconds)).unwrap();
        assert_eq!(bench.fleet.maintenances()[0].state, state, "{seconds}");
    }
    assert_eq!(bench.fleet.close_for("task 7", ANN, at(230)).unwrap(), None);
    assert_eq!(bench.fleet.open_for(first, ANN, at(240)).unwrap(), 2, "what is closed is not opened again");
    assert!(bench.fleet.downtimes().iter().map(|one| one.id).eq([2]));
    assert_eq!(bench.fleet.downtimes_between(at(0).millis(), at(1_000).millis()).len(), 2);

    let unknown = MaintenanceSpec { reference: "x".into(), ..spec(&["no id".into()], 900) };
    assert_eq!(bench.fleet.open_for(unknown, ANN, at(250)).map_err(|error| error.kind()), Err(ErrorKind::NotFound));
    assert_eq!(bench.fleet.finish_maintenance(9, ANN, at(250)).map_err(|error| error.kind()), Err(ErrorKind::NotFound));
}
