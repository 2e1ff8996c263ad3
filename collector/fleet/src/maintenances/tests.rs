//! Maintenances over the real file.

use crate::status::{MaintenanceSpec, MaintenanceState, Work};
use crate::testing::{Bench, at};
use crate::{By, ErrorKind};

const ANN: &By = &By::Itself("ann");

fn work(hosts: &[String], ends: u64) -> Work {
    let spec = MaintenanceSpec {
        name: "upgrade".to_owned(),
        reference: "task 7 wave 1".to_owned(),
        hosts: hosts.to_vec(),
        ends_ms: at(ends).millis(),
        grace_ms: 60_000,
        ..MaintenanceSpec::default()
    };
    Work { spec, owner: "user:ann".to_owned() }
}

#[test]
fn work_of_the_product_is_one_maintenance_under_its_reference_over_a_restart() {
    let bench = Bench::new();
    // Nothing has looked at the fleet since they were let in.
    let [web1, web2] = ["web1", "web2"].map(|name| bench.host(name).id().to_string());
    let keep = |bench: &Bench, work: Option<Work>, seconds: u64| {
        let work = work.map(|work| (7, work)).into_iter().collect();
        bench.fleet.status_change(at(seconds), |fleet| Ok(fleet.keep_task_work(work, at(seconds)))).unwrap()
    };
    let (first, second) = (work(std::slice::from_ref(&web1), 600), work(&[web1.clone(), web2], 500));
    assert!(keep(&bench, Some(first.clone()), 10).0);
    assert!(keep(&bench, Some(second.clone()), 20).0, "there is a host more");
    assert!(!keep(&bench, Some(second.clone()), 21).0, "nothing is new");
    let known = bench.fleet.maintenances();
    assert_eq!((known.len(), known[0].spec.hosts.len(), known[0].spec.ends_ms), (1, 2, at(600).millis()));
    assert_eq!((known[0].by.as_str(), bench.fleet.downtimes()[0].spec.owner.as_str()), ("user:ann", "user:ann"));
    let told = bench.fleet.finish_maintenance(1, ANN, at(22)).unwrap_err();
    assert_eq!((told.kind(), told.to_string().contains("belongs to task 7 wave 1")), (ErrorKind::Conflict, true));

    let bench = bench.reopen();
    assert_eq!(bench.fleet.maintenances(), known);
    bench.fleet.step_tasks(at(30)).unwrap();
    assert_eq!(
        bench.fleet.maintenances()[0].state,
        MaintenanceState::Settling,
        "another process finds what no order has"
    );
    assert!(!keep(&bench, None, 31).0);
    assert_eq!(bench.fleet.end_downtime(1, ANN, at(31)).map_err(|error| error.kind()), Err(ErrorKind::Conflict));
    // This process is ready at 100 s, and hosts may take two minutes until they are heard.
    for (seconds, state) in
        [(100, MaintenanceState::Settling), (219, MaintenanceState::Settling), (220, MaintenanceState::Closed)]
    {
        bench.fleet.tick_status(at(seconds)).unwrap();
        assert_eq!(bench.fleet.maintenances()[0].state, state, "{seconds}");
    }
    assert!(!keep(&bench, None, 230).0);
    assert!(keep(&bench, Some(first), 240).0);
    assert_eq!(bench.fleet.maintenances()[1].id, 2, "what is closed is not opened again");
    assert!(bench.fleet.downtimes().iter().map(|one| one.id).eq([2]));
    assert_eq!(bench.fleet.downtimes_between(at(0).millis(), at(1_000).millis()).len(), 2);
    assert_eq!(bench.fleet.task_maintenances(7).iter().map(|one| one.id).collect::<Vec<_>>(), [1, 2]);
    assert!(bench.fleet.task_maintenances(70).is_empty());

    // A host that is gone is in none.
    let gone = work(&["no id".into()], 900);
    let gone = Work { spec: MaintenanceSpec { reference: "task 8 wave 1".into(), ..gone.spec }, ..gone };
    keep(&bench, Some(gone), 250);
    assert!(bench.fleet.task_maintenances(8).is_empty());
    assert_eq!(bench.fleet.finish_maintenance(9, ANN, at(250)).map_err(|error| error.kind()), Err(ErrorKind::NotFound));
}

#[test]
fn work_that_goes_on_is_never_over_its_end_and_why_it_has_none_is_told() {
    let bench = Bench::new();
    let web1 = bench.host("web1").id().to_string();
    let keep = |work: Work, seconds: u64| {
        let work = vec![(7, work)];
        bench.fleet.status_change(at(seconds), |fleet| Ok(fleet.keep_task_work(work, at(seconds)))).unwrap()
    };
    for second in 100..1_500 {
        keep(work(std::slice::from_ref(&web1), 50), second);
        bench.fleet.tick_status(at(second)).unwrap();
        let one = &bench.fleet.maintenances()[0];
        assert_eq!((one.state, one.overran), (MaintenanceState::Open, false), "{second}");
        assert!(one.spec.ends_ms <= at(second + 300).millis(), "{second}");
    }
    assert!(bench.kinds().iter().filter(|kind| kind.as_str().starts_with("maintenance")).count() == 1, "no news");
    let other = work(&[web1], 9_000);
    let bad = Work {
        spec: MaintenanceSpec { reference: "task 7 wave 2".into(), name: "x".repeat(200), ..other.spec },
        ..other
    };
    let (_, refused) = keep(bad, 1_500);
    assert!(refused[&7].contains("longer than 128 bytes"), "{refused:?}");
}
