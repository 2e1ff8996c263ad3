//! What a session gives of configurations, and what it takes of what hosts say to them.

use muster_common::wire::message::{Configuration, ConfigurationState, ConfigurationWord};

use super::*;

#[test]
fn only_an_agent_that_reads_it_is_given_a_configuration_and_what_it_says_is_handed_on() {
    for (reads, sends) in [(true, 1), (false, 0)] {
        let mut bench = Bench::host();
        let mut hello = hello(&[]);
        hello.extensions = if reads { vec![Hello::frames_known()] } else { Vec::new() };
        bench.step(Input::Frame(Frame::control(Message::Hello(hello))));
        bench.step(Input::Seen(Ok(())));
        let offered = || Configuration::new(3, "# nginx\n".to_owned());
        assert_eq!(bench.step(Input::Configure(offered())), [""; 0], "before the welcome");
        bench.step(Input::Drained);
        let mut effects = Vec::new();
        let greeting = Greeting {
            store_id: [1; 16],
            incarnation: 7,
            marks: Vec::new(),
            positions: Vec::new(),
            inventory: Vec::new(),
        };
        bench.session.step(bench.now, Input::Marks(Ok(greeting)), &mut effects);
        let Some(Effect::Send(Message::Welcome(welcome))) = effects.first() else { panic!("{effects:?}") };
        assert!(welcome.takes_configuration_states());
        assert_eq!(bench.session.takes_configurations(), reads);
        assert_eq!(bench.step(Input::Configure(offered())), vec!["send configuration"; sends]);
        assert_eq!(bench.counters.value(Count::ConfigurationsOffered), sends as u64);
        let state = ConfigurationState {
            number: 3,
            in_force: [0; 16],
            offered: offered().digest,
            word: ConfigurationWord::Trial,
            problems: Vec::new(),
            extensions: Vec::new(),
        };
        let told = bench.step(Input::Frame(Frame::control(Message::ConfigurationState(state))));
        assert_eq!(told, ["configuration 3 Trial"]);
    }
}
