//! Configurations: offered ones are handed on, what a host runs by is told to each session that reads it, and another reader of logs makes
//! the session anew.

use muster_common::wire::message::{Configuration, ConfigurationState, ConfigurationWord, Message};

use super::world::World;
use crate::uplink::session::{Input, LinkState, LogOrder};

fn state(number: u64, word: ConfigurationWord) -> ConfigurationState {
    let offered = Configuration::digest_of("# x");
    ConfigurationState { number, in_force: [0; 16], offered, word, problems: Vec::new(), extensions: Vec::new() }
}

#[test]
fn what_a_host_runs_by_is_told_when_it_changes_and_to_each_new_session_that_reads_it() {
    let mut world = World::new(1);
    world.step(Input::Configuration(state(1, ConfigurationWord::Trial)));
    world.pass(2_000);
    assert_eq!(world.session().link_state(), LinkState::Connected);
    world.step(Input::Configuration(state(1, ConfigurationWord::InForce)));
    world.pass(200);
    assert_eq!(world.collector.configurations, [], "this collector reads none");
    world.collector.takes_configurations = true;
    world.break_connection();
    world.pass(3_000);
    for _ in 0..2 {
        world.step(Input::Configuration(state(2, ConfigurationWord::Refused)));
        world.pass(200);
    }
    let told: Vec<u64> = world.collector.configurations.iter().map(|state| state.number).collect();
    assert_eq!(told, [1, 2], "once each");
    world.tell_agent(Message::Configuration(Configuration::new(3, "# three".to_owned())));
    world.pass(200);
    assert_eq!(world.configurations, [Configuration::new(3, "# three".to_owned())]);
}

#[test]
fn another_reader_of_logs_gets_all_positions_by_a_new_session_and_each_byte_is_committed_once() {
    for seed in 0..20 {
        let mut world = World::new(seed);
        world.collector.lanes = 0b111;
        world.pass(2_000);
        world.reader.written = 500;
        world.pass(30 + seed * 7);
        let (hellos, orders) = (world.collector.hellos.len(), world.reader.orders.len());
        world.step(Input::Reconnect);
        world.step(Input::Reconnect);
        world.reader.written += 100;
        world.pass(3_000);
        assert_eq!(world.collector.hellos.len(), hellos + 1, "one new session");
        let seeks = world.reader.orders[orders..].iter().filter(|order| matches!(order, LogOrder::SeekAll(_))).count();
        assert_eq!((seeks, world.collector.logs.offset), (1, 600));
        let mut at = 0;
        for (_, _, from, to) in &world.collector.logs.taken {
            assert_eq!(*from, at, "each byte once, in order");
            at = *to;
        }
        assert_eq!(at, 600);
    }
}
