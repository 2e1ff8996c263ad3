//! A guide's blocks.

use std::path::Path;

use super::machines::{is_machine, named};

/// One file.
pub(super) struct Guide {
    pub(super) name: String,
    pub(super) lines: usize,
    pub(super) blocks: Vec<Block>,
}

/// What stands between two fences.
#[derive(Debug, PartialEq)]
pub(super) struct Block {
    /// Of its first fence, from 1.
    pub(super) line: usize,
    pub(super) kind: Kind,
    pub(super) text: String,
}

/// What is done with it.
#[derive(Debug, PartialEq)]
pub(super) enum Kind {
    Shell { machine: String, fails: bool },
    File { machine: String, path: String },
    Output { soon: bool },
}

impl Block {
    /// The machines that must run for it: where it is followed, and where its commands go from there.
    pub(super) fn machines(&self) -> Vec<&str> {
        match &self.kind {
            Kind::Shell { machine, .. } | Kind::File { machine, .. } => {
                named(&self.text).into_iter().chain([machine.as_str()]).collect()
            }
            Kind::Output { .. } => Vec::new(),
        }
    }
}

const FENCE: &str = "```";
/// Kinds of files, for whoever colours them.
const FILES: [&str; 3] = ["toml", "yaml", "ini"];

pub(super) fn read(path: &Path) -> Guide {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
    let blocks = blocks(&text).unwrap_or_else(|error| panic!("{name}.md:{error}"));
    Guide { name, lines: text.lines().count(), blocks }
}

/// `LINE: what is wrong` where a block is none of those that there are.
fn blocks(text: &str) -> Result<Vec<Block>, String> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in (1..).zip(text.lines()) {
        match (&mut open, line.strip_prefix(FENCE)) {
            (Some(_), Some("")) => blocks.extend(open.take()),
            (Some(block), _) => block.text += &format!("{line}\n"),
            (None, Some(info)) => {
                let kind = kind(info).ok_or_else(|| format!("{number}: `{info}` is no kind of block"))?;
                let follows_shell = blocks.last().is_some_and(|last| matches!(last.kind, Kind::Shell { .. }));
                if matches!(kind, Kind::Output { .. }) && !follows_shell {
                    return Err(format!("{number}: output of no commands"));
                }
                open = Some(Block { line: number, kind, text: String::new() });
            }
            // Commands that nothing runs.
            (None, None) if line.starts_with("    ") && !line.trim().is_empty() => {
                return Err(format!("{number}: an indented block"));
            }
            (None, None) => {}
        }
    }
    match open {
        Some(block) => Err(format!("{}: the block has no end", block.line)),
        None => Ok(blocks),
    }
}

fn kind(info: &str) -> Option<Kind> {
    let machine = |name: &str| is_machine(name).then(|| name.to_owned());
    match info.split(' ').collect::<Vec<_>>()[..] {
        ["sh", name] => Some(Kind::Shell { machine: machine(name)?, fails: false }),
        ["sh", name, "fails"] => Some(Kind::Shell { machine: machine(name)?, fails: true }),
        ["text"] => Some(Kind::Output { soon: false }),
        ["text", "soon"] => Some(Kind::Output { soon: true }),
        [form, place] if FILES.contains(&form) => {
            let (name, path) = place.split_once(':').filter(|(_, path)| path.starts_with('/'))?;
            Some(Kind::File { machine: machine(name)?, path: path.to_owned() })
        }
        _ => None,
    }
}

#[test]
fn blocks_are_what_their_info_strings_say_and_others_are_refused() {
    let text = "# G\n\n```sh web-1 fails\nfalse\n```\n```text soon\n...\n```\n\n- a list\n```toml collector:/etc/a\nb = 1\n```\n";
    let found = blocks(text).unwrap();
    let block = |line, kind, text: &str| Block { line, kind, text: text.into() };
    assert_eq!(
        found,
        [
            block(3, Kind::Shell { machine: "web-1".into(), fails: true }, "false\n"),
            block(6, Kind::Output { soon: true }, "...\n"),
            block(11, Kind::File { machine: "collector".into(), path: "/etc/a".into() }, "b = 1\n"),
        ]
    );
    for (text, told) in [
        ("```\nls\n```\n", "1: `` is no kind of block"),
        ("a\n```sh\nls\n```\n", "2: `sh` is no kind of block"),
        ("```sh nowhere\nls\n```\n", "1: `sh nowhere` is no"),
        ("```sh web-1 skip\nls\n```\n", "1: `sh web-1 skip` is no"),
        ("```bash web-1\nls\n```\n", "1: `bash web-1` is no"),
        ("```toml web-1:etc/a\n```\n", "1: `toml web-1:etc/a` is no"),
        ("```text\na\n```\n", "1: output of no commands"),
        ("a\n\n    ls\n", "3: an indented block"),
        ("```sh web-1\nls\n", "1: the block has no end"),
    ] {
        let error = blocks(text).unwrap_err();
        assert!(error.starts_with(told), "{text:?}: {error}");
    }
}
