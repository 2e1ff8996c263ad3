use super::*;

fn moment(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn answer(sent: Timestamp, arrived: Timestamp, left: Timestamp) -> [u8; PACKET_BYTES] {
    let mut packet = [0; PACKET_BYTES];
    (packet[0], packet[1]) = (0x24, 2);
    packet[24..32].copy_from_slice(&to_ntp(sent));
    packet[32..40].copy_from_slice(&to_ntp(arrived));
    packet[40..48].copy_from_slice(&to_ntp(left));
    packet
}

#[test]
fn the_offset_is_half_of_both_ways() {
    for base in [1_700_000_000_000, 2_200_000_000_000] {
        // This clock is 2 s ahead; 30 ms there, 10 ms at the server, 50 ms back.
        let (sent, arrived, left, received) = (base, base - 2_000 + 30, base - 2_000 + 40, base + 90);
        let packet = answer(moment(sent), moment(arrived), moment(left));
        let read = read_answer(&packet, moment(sent), moment(received)).unwrap().unwrap();
        assert!((read.0 - 2.01).abs() < 1e-6 && (read.1 - 0.08).abs() < 1e-6, "{read:?}");
    }
}

#[test]
fn answers_to_others_are_passed_over_and_unsynchronised_servers_told() {
    let (sent, later) = (moment(1_700_000_000_000), moment(1_700_000_000_100));
    let good = answer(sent, sent, sent);
    assert!(read_answer(&good, later, later).is_none());
    assert!(read_answer(&good[..47], sent, later).is_none());
    let mut packet = good;
    packet[0] = 0x23;
    assert!(read_answer(&packet, sent, later).is_none(), "a question");
    (packet[0], packet[1]) = (0x24, 0);
    assert!(read_answer(&packet, sent, later).unwrap().is_err());
    (packet[0], packet[1]) = (0xe4, 2);
    assert!(read_answer(&packet, sent, later).unwrap().is_err());
}
