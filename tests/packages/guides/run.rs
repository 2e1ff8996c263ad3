//! Follows one guide.

use std::collections::BTreeMap;
use std::time::Duration;

use muster_common::time::monotonic;

use super::machines::Machines;
use super::output::missing;
use super::reading::{Block, Guide, Kind};
use crate::LIMIT;

/// Where commands that are given leave the variables that they set.
const CARRIED: &str = "/var/tmp/carried";

/// Does all that it says; panics with guide and line where it does not lead on.
pub(super) fn follow(guide: &Guide, machines: &mut Machines) {
    let begun = monotonic();
    let names: Vec<&str> = guide.blocks.iter().flat_map(Block::machines).collect();
    machines.boot(&names).unwrap_or_else(|error| panic!("{}: {error:#}", guide.name));
    let mut carried = BTreeMap::new();
    let mut blocks = guide.blocks.iter().peekable();
    while let Some(block) = blocks.next() {
        let place = format!("packaging/guides/{}.md:{}", guide.name, block.line);
        match &block.kind {
            Kind::File { machine, path } => machines.write(machine, path, &block.text).unwrap_or_else(|error| {
                panic!("{place}: {path} cannot be written on {machine}: {error:#}");
            }),
            Kind::Shell { machine, fails } => {
                let shown = blocks.next_if(|next| matches!(next.kind, Kind::Output { .. }));
                let asked = Asked { text: &block.text, machine, fails: *fails, shown };
                if let Err(told) = asked.run(machines, &mut carried) {
                    panic!("{place}: on {machine}\n{}\n{told}", block.text);
                }
            }
            Kind::Output { .. } => panic!("{place}: output of no commands"),
        }
    }
    eprintln!("{}: {:.1?}", guide.name, monotonic() - begun);
}

struct Asked<'a> {
    text: &'a str,
    machine: &'a str,
    fails: bool,
    shown: Option<&'a Block>,
}

impl Asked<'_> {
    /// Once, or until it prints what is shown where that may take a while.
    fn run(&self, machines: &mut Machines, carried: &mut BTreeMap<String, String>) -> Result<(), String> {
        let end = monotonic() + LIMIT;
        loop {
            let told = match self.try_once(machines, carried) {
                Ok(()) => return Ok(()),
                Err(told) => told,
            };
            if !self.may_wait() || monotonic() > end {
                return Err(told);
            }
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    fn may_wait(&self) -> bool {
        self.shown.is_some_and(|block| block.kind == Kind::Output { soon: true })
    }

    fn try_once(&self, machines: &mut Machines, carried: &mut BTreeMap<String, String>) -> Result<(), String> {
        let said = machines.run(self.machine, &script(self.text, carried)).map_err(|error| format!("{error:#}"))?;
        let printed = format!("{}{}", said.out, said.error);
        if (said.code != 0) != self.fails {
            return Err(format!("ended with exit code {} and printed:\n{printed}", said.code));
        }
        if let Some(line) = self.shown.and_then(|block| missing(&block.text, &printed)) {
            return Err(format!("printed no such line as `{line}`:\n{printed}"));
        }
        for name in assigned(self.text) {
            let value = machines.read(self.machine, &format!("{CARRIED}/{name}"));
            carried.insert(name.to_owned(), value.map_err(|error| format!("{name}: {error:#}"))?);
        }
        Ok(())
    }
}

/// The block with the variables of blocks before it, which leaves its own in files.
fn script(text: &str, carried: &BTreeMap<String, String>) -> String {
    let set = carried.iter().map(|(name, value)| format!("{name}='{}'\n", value.replace('\'', r"'\''")));
    let leave = assigned(text).map(|name| format!("printf '%s' \"${name}\" > {CARRIED}/{name}\n"));
    let leave: String = leave.collect();
    let folder = if leave.is_empty() { String::new() } else { format!("mkdir -p {CARRIED}\n") };
    set.collect::<String>() + text + &folder + &leave
}

/// The variables in capitals that a block sets, each at the begin of a line.
fn assigned(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let (name, _) = line.split_once('=')?;
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        is_name.then_some(name)
    })
}

#[test]
fn variables_in_capitals_are_carried_on_as_they_are() {
    let carried = [("WORD".to_owned(), "it's $HOME".to_owned())].into();
    assert_eq!(assigned("WORD=$(x)\n  IN=1\nlow=2\necho A=B\nPIN=3\n").collect::<Vec<_>>(), ["WORD", "PIN"]);
    let text = script("echo \"$WORD\"\n", &carried);
    let said = std::process::Command::new("sh").args(["-euc", &text]).output().unwrap();
    assert_eq!(String::from_utf8(said.stdout).unwrap(), "it's $HOME\n");
}
