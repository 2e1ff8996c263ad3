//! What a session tells of the inventory that is known, and what it asks for.

use muster_common::inventory::Digest;

use super::*;

#[test]
fn a_welcome_tells_the_rows_that_are_known_and_whole_tables_are_asked_of_those_who_read_it() {
    for (reads, asks) in [(true, 1), (false, 0)] {
        let mut bench = Bench::host();
        let mut hello = hello(&[]);
        hello.extensions = if reads { vec![Hello::frames_known()] } else { Vec::new() };
        bench.step(Input::Frame(Frame::control(Message::Hello(hello))));
        bench.step(Input::Seen(Ok(())));
        assert_eq!(bench.step(Input::TablesWanted(vec![6])), [""; 0], "before the welcome");
        bench.step(Input::Drained);
        let inventory = vec![(6, Digest(7))];
        let greeting =
            Greeting { store_id: [1; 16], incarnation: 7, marks: Vec::new(), positions: Vec::new(), inventory };
        let mut effects = Vec::new();
        bench.session.step(bench.now, Input::Marks(Ok(greeting)), &mut effects);
        let Some(Effect::Send(Message::Welcome(welcome))) = effects.first() else { panic!("{effects:?}") };
        assert_eq!((welcome.inventory_digests(), welcome.takes_inventory()), (vec![(6, Digest(7))], true));
        assert_eq!(bench.step(Input::TablesWanted(vec![6, 7])), vec!["send inventory_wanted"; asks]);
        assert_eq!(bench.counters.value(Count::TablesAsked), asks as u64);
    }
}
