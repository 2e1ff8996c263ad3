//! The guides of `packaging/guides`, followed as they stand: every block of every guide is run, in order, on machines that systemd boots.
//!
//! What a block is, its info string says (the words behind the three backticks):
//!
//! - `sh MACHINE`: root types it on that machine, in `/root`, into `sh -eu`. It must end well; `sh MACHINE fails`: it must not.
//! - `toml MACHINE:/PATH`, `yaml MACHINE:/PATH`, `ini MACHINE:/PATH`: this file, there.
//! - `text`: what the `sh` block before it printed, shortened: each line has its like among what was printed, in order, where `...` stands for
//!   anything and a line of `...` alone for any lines. `text soon`: within a minute, for which the block is run again and again.
//!
//! There is no other block, and none is left out. Nothing in a block is replaced: what differs from run to run (words of tokens, pins) is
//! taken by the commands themselves into a variable in capitals, which every later block of the same guide has on every machine, as if its
//! reader had carried it over. MACHINE is a row of [`machines::MACHINES`].

mod machines;
mod output;
mod reading;
mod run;

use muster_tests::harness::packaged::source;

use self::machines::Machines;
use self::reading::{Guide, read};
use super::made;

/// In this order, since the machines of one are there in the next. All there are.
const GUIDES: [&str; 6] = ["install", "nrpe", "prometheus", "thousand-hosts", "upgrade", "backup"];

/// What is longer is not read to its end.
const LINES_MAX: usize = 200;

fn all() -> Vec<Guide> {
    GUIDES.iter().map(|name| read(&source(&format!("packaging/guides/{name}.md")))).collect()
}

#[test]
fn every_guide_is_read_and_listed() {
    let folder = source("packaging/guides");
    let listed = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let mut there: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    there.retain(|name| name != "README.md");
    there.sort();
    let mut known = GUIDES.map(|name| format!("{name}.md"));
    known.sort();
    assert_eq!(there, known);
    for guide in all() {
        assert!(listed.contains(&format!("({}.md)", guide.name)), "README.md does not name {}", guide.name);
        assert!(guide.lines <= LINES_MAX, "{} has {} lines", guide.name, guide.lines);
        assert!(guide.blocks.len() >= 5, "{} has {} blocks", guide.name, guide.blocks.len());
    }
}

#[test]
fn the_guides_lead_where_they_say() {
    let guides = all();
    let mut machines = match Machines::new(made::old(), made::new()) {
        Ok(machines) => machines,
        Err(error) => return eprintln!("no systemd boots on this machine, so no guide is followed: {error:#}"),
    };
    for guide in &guides {
        run::follow(guide, &mut machines);
    }
}
