//! How sessions end.

use super::*;

#[test]
fn denial_shutdown_and_loss_end_a_session_once_drained() {
    let one = epoch(1);
    let denied = || {
        let text = String::new;
        Input::Denied(Refused { code: RefusalCode::Certificate, message: text(), remedy: text(), retry_after_ms: 0 })
    };
    let shutdown = || Input::Shutdown { reason: "stop".to_owned(), spread_ms: 30 };
    let mut bench = Bench::open(&[(one, 0)]);
    bench.frame(batch(one, 1));
    assert_eq!(bench.step(Input::Lost), [""; 0]);
    assert_eq!(bench.settle(1, committed()), ["end"]);
    for (input, told) in [(denied(), "refused Certificate"), (shutdown(), "goodbye 30")] {
        let mut bench = Bench::open(&[(one, 0)]);
        bench.frame(batch(one, 1));
        assert_eq!(bench.step(input), [told]);
        assert_eq!(bench.settle(1, committed()), ["end"]);
        assert_eq!(bench.step(Input::Lost), [""; 0], "the end comes once");
    }
}

#[test]
fn marks_that_cannot_be_read_end_the_session_and_reverts_are_counted() {
    let one = epoch(1);
    let mut bench = Bench::host();
    bench.frame(Frame::control(Message::Hello(hello(&[(one, 3)]))));
    bench.step(Input::Seen(Ok(())));
    bench.step(Input::Drained);
    assert_eq!(bench.step(Input::Marks(Err("disk".to_owned()))), ["refused Storage", "end"]);
    let mut bench = Bench::host();
    bench.frame(Frame::control(Message::Hello(hello(&[(one, 3)]))));
    bench.step(Input::Seen(Ok(())));
    bench.step(Input::Drained);
    let marks = vec![MarkRow { epoch: one, lane: Lane::P1, seq: 9, arrived_ms: NOW }];
    bench.step(Input::Marks(Ok(Greeting {
        store_id: [0; 16],
        incarnation: 1,
        marks,
        positions: Vec::new(),
        inventory: Vec::new(),
    })));
    assert_eq!(bench.counters.value(Count::SessionsReverted), 1);
}

#[test]
fn probes_goodbyes_and_load_pass_through() {
    let mut bench = Bench::open(&[]);
    let probe = Frame::control(Message::ClockProbe(ClockProbe { agent_ms: 5 }));
    assert_eq!(bench.frame(probe), ["send clock_answer", "clock 5"]);
    let goodbye = Frame::control(Message::AgentGoodbye(AgentGoodbye { reason: GoodbyeReason::Reboot }));
    assert_eq!(bench.frame(goodbye), ["agent leaves Reboot"]);
    let load = Input::Throttle(Throttle { linger_ms: 5000, hold_ms: 0 });
    assert_eq!(bench.step(load), ["throttle 5000 hold 0"]);
}
