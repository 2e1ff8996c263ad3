//! What native checks cost, in a process that does nothing else.

use std::time::Duration;

use muster_agent::checks::measure::{measure, natives};

#[test]
fn native_checks_cost_little() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let accepting = std::thread::spawn(move || while listener.accept().is_ok_and(|(_, from)| from.port() != 0) {});
    let cost = measure(natives(100, Duration::from_secs(2), port), Duration::from_secs(6)).unwrap();
    let hourly = cost.seconds_an_hour(100.0);
    println!("{} runs took {:?}: {hourly:.2} processor seconds an hour at 100 a minute", cost.runs, cost.processor);
    assert!(cost.runs >= 200, "{cost:?}");
    // Built without optimisation, beside other tests; the figure itself is 2.
    assert!(hourly < 60.0, "{hourly} processor seconds an hour");
    drop(accepting);
}
