//! /proc/net/netstat, snmp and snmp6: the protocols' own counters, those that node_exporter lists.

use muster_common::sample::MetricKind;

use super::metric::Fields;
use super::procfs::{ProcFile, Shape};
use super::{Roots, Source, SourceError, Tick, parse};
use crate::rows::Rows;

pub(super) struct NetProtocols {
    pairs: [ProcFile; 2],
    six: ProcFile,
    fields: Fields,
}

impl NetProtocols {
    pub(super) fn new(roots: &Roots) -> Self {
        let file = |name: &str| ProcFile::new(&roots.proc.join("net").join(name), Shape::Record);
        Self { pairs: [file("netstat"), file("snmp")], six: file("snmp6"), fields: Fields::default() }
    }
}

impl Source for NetProtocols {
    fn sample(&mut self, tick: &mut Tick<'_>) -> Result<(), SourceError> {
        self.fields.begin();
        for file in &mut self.pairs {
            let text = file.read(tick.scratch)?;
            if !read_pairs(text, &mut self.fields, tick.rows) {
                return Err(file.malformed("pair of lines"));
            }
        }
        match self.six.read(tick.scratch) {
            Ok(text) => read_six(text, &mut self.fields, tick.rows),
            // A host without IPv6 has no such file.
            Err(error) if error.is_absence() => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// `Tcp: ActiveOpens PassiveOpens` and below it `Tcp: 47 3`.
fn read_pairs(text: &[u8], fields: &mut Fields, rows: &mut Rows) -> bool {
    let (mut lines, mut found) = (parse::lines(text), false);
    while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
        let (mut names, mut values) = (parse::words(names), parse::words(values));
        let Some(protocol) = names.next().and_then(|word| word.strip_suffix(b":")) else { continue };
        if values.next().and_then(|word| word.strip_suffix(b":")) != Some(protocol) {
            continue;
        }
        for (name, value) in names.zip(values) {
            put(fields, rows, protocol, name, value);
        }
        found = true;
    }
    found
}

/// `Ip6InReceives   123`: the protocol ends with the 6.
fn read_six(text: &[u8], fields: &mut Fields, rows: &mut Rows) {
    for line in parse::lines(text) {
        let mut words = parse::words(line);
        let (Some(name), Some(value)) = (words.next(), words.next()) else { continue };
        let Some(six) = name.iter().position(|byte| *byte == b'6') else { continue };
        let (protocol, field) = name.split_at(six + 1);
        put(fields, rows, protocol, field, value);
    }
}

fn put(fields: &mut Fields, rows: &mut Rows, protocol: &[u8], field: &[u8], value: &[u8]) {
    if !is_listed(protocol, field) {
        return;
    }
    let Some(value) = parse::number(value) else { return };
    let name = || format!("node_netstat_{}_{}", parse::text(protocol), parse::text(field));
    fields.put(rows, (protocol, field), MetricKind::Untyped, value, name);
}

/// node_exporter's list, and Tcp_MaxConn, which the dashboard Node Exporter Full asks for.
fn is_listed(protocol: &[u8], field: &[u8]) -> bool {
    if matches!(field, b"InErrors" | b"InErrs") {
        return true;
    }
    match protocol {
        b"Ip" => field == b"Forwarding",
        b"Ip6" | b"IpExt" => matches!(field, b"InOctets" | b"OutOctets"),
        b"Icmp" | b"Icmp6" => matches!(field, b"InMsgs" | b"OutMsgs"),
        b"TcpExt" => {
            field.starts_with(b"Listen")
                || field.starts_with(b"Syncookies")
                || matches!(field, b"TCPSynRetrans" | b"TCPTimeouts" | b"TCPOFOQueue" | b"TCPRcvQDrop")
        }
        b"Tcp" => matches!(
            field,
            b"ActiveOpens"
                | b"InSegs"
                | b"OutSegs"
                | b"OutRsts"
                | b"PassiveOpens"
                | b"RetransSegs"
                | b"CurrEstab"
                | b"MaxConn"
        ),
        b"Udp" | b"Udp6" => {
            matches!(field, b"InDatagrams" | b"OutDatagrams" | b"NoPorts" | b"RcvbufErrors" | b"SndbufErrors")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Tree, sampled};

    const SNMP: &str = "Ip: Forwarding DefaultTTL\nIp: 2 64\nTcp: MaxConn CurrEstab InErrs\nTcp: -1 4 0\nUdpLite: InErrors\nUdpLite: 5\n";
    const NETSTAT: &str =
        "TcpExt: SyncookiesSent ListenDrops ArpFilter TCPTimeouts\nTcpExt: 1 2 3 4\nIpExt: InOctets\nIpExt: 7\n";

    #[test]
    fn listed_fields_of_all_three_files_are_given() {
        let tree = Tree::new(&[
            ("proc/net/snmp", SNMP),
            ("proc/net/netstat", NETSTAT),
            ("proc/net/snmp6", "Ip6InOctets \t 9\nIp6InReceives 1\nUdp6NoPorts 3\nodd\nNoSix 1\n"),
        ]);
        assert_eq!(
            sampled("netstat", &tree).unwrap(),
            [
                "node_netstat_Ip6_InOctets 9",
                "node_netstat_IpExt_InOctets 7",
                "node_netstat_Ip_Forwarding 2",
                "node_netstat_TcpExt_ListenDrops 2",
                "node_netstat_TcpExt_SyncookiesSent 1",
                "node_netstat_TcpExt_TCPTimeouts 4",
                "node_netstat_Tcp_CurrEstab 4",
                "node_netstat_Tcp_InErrs 0",
                "node_netstat_Tcp_MaxConn -1",
                "node_netstat_Udp6_NoPorts 3",
                "node_netstat_UdpLite_InErrors 5",
            ]
        );
    }

    #[test]
    fn a_host_without_ipv6_is_no_failure_and_odd_pairs_are_left_out() {
        let odd = "Tcp: CurrEstab InErrs\nTcp: 4\nUdp: NoPorts\nOther: 3\nIp: Forwarding\n";
        let tree = Tree::new(&[("proc/net/snmp", odd), ("proc/net/netstat", NETSTAT)]);
        let seen = sampled("netstat", &tree).unwrap();
        assert!(seen.contains(&"node_netstat_Tcp_CurrEstab 4".to_owned()) && seen.len() == 5, "{seen:?}");
        let tree = Tree::new(&[("proc/net/snmp", "x\n"), ("proc/net/netstat", NETSTAT)]);
        assert!(sampled("netstat", &tree).is_err());
    }
}
