//! Sockets that listen beyond loopback: the protocol, the port, and the process as far as the agent may see it.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Cells, Found, ItemKind, Looked, Offer, What, check, clean, daemon, noise, with_details};

const PROTOCOL: &str = "protocol";
const PORT: &str = "port";
const PROCESS: &str = "process";
const UNIT: &str = "unit";
const ADDRESSES: &str = "addresses";
/// Stands in a key for a process that the agent may not see.
const UNSEEN: &str = "-";
/// The kernel gives ports from here on to whoever asks for any (ip_local_port_range(7)): such a one is another after each start.
const GIVEN_FROM: i64 = 32_768;

pub(super) const KIND: ItemKind = ItemKind {
    name: "port",
    many: "ports",
    fields: &[PROTOCOL, PORT, PROCESS, UNIT, ADDRESSES],
    tables: &["listening_ports"],
    find,
    checks: |what| {
        let (protocol, port) = (what.value(PROTOCOL), what.value(PORT));
        // It was a number when it was found.
        let Ok(number) = port.parse::<u16>() else { return Vec::new() };
        vec![check("port", &format!("{protocol}:{port}"), "port", json!({"port": number, "protocol": protocol}))]
    },
    words,
};

/// What listens at one port.
struct Listening<'a> {
    row: Cells<'a>,
    unit: &'a str,
    addresses: Vec<&'a str>,
}

fn find(looked: &Looked<'_>) -> Vec<Found> {
    let mut all: BTreeMap<(&str, i64, &str), Listening<'_>> = BTreeMap::new();
    for row in looked.rows("listening_ports") {
        let (Some(protocol), Some(address), Some(port)) =
            (row.text("protocol"), row.text("address"), row.number("port"))
        else {
            continue;
        };
        if is_loopback(address) || !(1..=i64::from(u16::MAX)).contains(&port) || !matches!(protocol, "tcp" | "udp") {
            continue;
        }
        let (process, unit) = (row.text("process").unwrap_or_default(), row.text("unit").unwrap_or_default());
        let listening =
            all.entry((protocol, port, process)).or_insert_with(|| Listening { row, unit, addresses: Vec::new() });
        listening.addresses.push(address);
    }
    let keys = all.iter().flat_map(|((protocol, port, process), listening)| {
        let head = format!("port:{protocol}/{port}/");
        let values = |process: &str| {
            let texts = [*protocol, &port.to_string(), process, listening.unit, &listening.addresses.join(" ")];
            texts.map(str::to_owned).to_vec()
        };
        let is_offered = *port < GIVEN_FROM && noise::of_port(protocol, *port, process).is_none();
        let offer = match daemon::of_port(*port, process, listening.unit) {
            Some(_) => Offer::Covered,
            None => Offer::when(is_offered),
        };
        let keys = keys(looked, &head, process);
        keys.into_iter().map(move |key| Found { what: listening.row.what(key, values(process)), offer })
    });
    keys.collect()
}

/// The keys that stand for what listens. Whether the agent may see the process can change with its rights, and then it is the same thing: what is
/// known under either stays.
fn keys(looked: &Looked<'_>, head: &str, process: &str) -> Vec<String> {
    let unseen = format!("{head}{UNSEEN}");
    let seen = format!("{head}{process}");
    let known = (looked.known)(head);
    if process.is_empty() {
        return if known.is_empty() { vec![unseen] } else { known };
    }
    if known.contains(&unseen) && !known.contains(&seen) { vec![unseen] } else { vec![seen] }
}

fn is_loopback(address: &str) -> bool {
    let parsed = address.split('%').next().unwrap_or_default().parse::<std::net::IpAddr>();
    parsed.is_ok_and(|address| address.to_canonical().is_loopback())
}

fn words(what: &What) -> String {
    let port = format!("{} port {}", clean(what.value(PROTOCOL)), clean(what.value(PORT)));
    with_details(port, &[("process ", what.value(PROCESS)), ("unit ", what.value(UNIT))])
}
