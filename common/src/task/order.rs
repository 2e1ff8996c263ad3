//! An order: tasks of one catalogue, for these hosts, asked for by somebody, until some time. People approve its text, so the text is the order.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use uuid::Uuid;

use super::parameter::{is_name, is_plain};
use crate::digest::Sum;
use crate::identity::hex;
use crate::limits::{
    TASK_NAME_BYTES_MAX, TASK_ORDER_BYTES_MAX, TASK_PARAMETERS_MAX, TASK_STEPS_MAX, TASK_VALUE_BYTES_MAX,
};

const HEAD: &str = "muster-task order v1";

/// What is approved as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// A UUID.
    pub id: [u8; 16],
    /// [`super::Catalogue::digest`] of the catalogue that its tasks are of.
    pub catalogue: Sum,
    /// How many hosts it is for, for those who approve it.
    pub hosts: u32,
    /// [`super::Targets::root`] of them.
    pub targets: Sum,
    /// Who asks for it, as the collector's audit names people: `user:anna`, `token:0badc0de`.
    pub requester: String,
    /// Later than this no host begins a step of it.
    pub expires_ms: i64,
    /// Random, of this order alone.
    pub nonce: [u8; 16],
    /// From 1 to 8. The first is what is wanted; the others run where a roll-out says so, such as to take the first back.
    pub steps: Vec<Step>,
}

/// One task with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub task: String,
    pub parameters: BTreeMap<String, String>,
}

/// Why a text is no order, or an order has no text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    #[error("line {line} of the order: {problem}; make it anew with `muster task run`")]
    Line { line: usize, problem: &'static str },
    #[error("the order's {field} {problem}; make it anew with another one")]
    Field { field: &'static str, problem: &'static str },
}

impl Order {
    /// What a signature of an order's text is made over.
    pub fn signed_bytes(text: &str) -> Vec<u8> {
        [HEAD.as_bytes(), &[0], text.as_bytes()].concat()
    }

    /// What is approved and told to hosts: a line a field, in this order; there is one text of each order.
    ///
    /// # Errors
    /// [`OrderError::Field`] where a field is nothing that an order may have.
    pub fn text(&self) -> Result<String, OrderError> {
        self.judge()?;
        let mut text = String::new();
        let written = self.write(&mut text);
        debug_assert!(written.is_ok(), "a text takes what is written");
        if text.len() > TASK_ORDER_BYTES_MAX {
            return Err(OrderError::Field { field: "text", problem: "is longer than 32 KiB" });
        }
        Ok(text)
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "{HEAD}\nid {}", Uuid::from_bytes(self.id).hyphenated())?;
        writeln!(text, "catalogue {}\ntargets {} {}", self.catalogue, self.hosts, self.targets)?;
        writeln!(text, "requester {}\nexpires {}", self.requester, self.expires_ms)?;
        text.push_str("nonce ");
        self.nonce.iter().try_for_each(|byte| write!(text, "{byte:02x}"))?;
        text.push('\n');
        for step in &self.steps {
            writeln!(text, "step {}", step.task)?;
            step.parameters.iter().try_for_each(|(name, value)| writeln!(text, " {name}={value}"))?;
        }
        Ok(())
    }

    fn judge(&self) -> Result<(), OrderError> {
        let fail = |field, problem| Err(OrderError::Field { field, problem });
        if self.id == [0; 16] {
            return fail("id", "is of zeros");
        }
        if !(1..=TASK_NAME_BYTES_MAX).contains(&self.requester.len()) || !is_plain(&self.requester) {
            return fail("requester", "is empty, longer than 128 bytes or has hidden characters");
        }
        if !(1..=TASK_STEPS_MAX).contains(&self.steps.len()) {
            return fail("steps", "are none or more than 8");
        }
        for step in &self.steps {
            if !is_name(&step.task) {
                return fail("task", "has a name that no task can have");
            }
            if step.parameters.len() > TASK_PARAMETERS_MAX {
                return fail("parameters", "are more than 16");
            }
            for (name, value) in &step.parameters {
                if !is_name(name) || value.len() > TASK_VALUE_BYTES_MAX || !is_plain(value) {
                    return fail(
                        "parameters",
                        "have a name that none can have, or a value that is long or has hidden characters",
                    );
                }
            }
        }
        Ok(())
    }

    /// Reads what [`Order::text`] wrote; every other text of the same order is refused, so that what was signed is what is read.
    ///
    /// # Errors
    /// [`OrderError`] with the first line that is not as it must be.
    pub fn parse(text: &str) -> Result<Self, OrderError> {
        let mut lines = Lines { rest: text, number: 0 };
        if lines.next() != Some(HEAD) {
            return Err(lines.fail("it is no order of this version"));
        }
        let id = lines.field("id ")?.parse::<Uuid>().map_err(|_| lines.fail("no UUID"))?;
        let catalogue = Sum::parse(lines.field("catalogue ")?).ok_or_else(|| lines.fail("no SHA-256"))?;
        let (hosts, targets) = lines.field("targets ")?.split_once(' ').ok_or_else(|| lines.fail("two words"))?;
        let hosts = hosts.parse().map_err(|_| lines.fail("no number of hosts"))?;
        let targets = Sum::parse(targets).ok_or_else(|| lines.fail("no SHA-256"))?;
        let requester = lines.field("requester ")?.to_owned();
        let expires_ms = lines.field("expires ")?.parse().map_err(|_| lines.fail("no time in ms"))?;
        let nonce = hex::parse(lines.field("nonce ")?).ok_or_else(|| lines.fail("no nonce of 32 digits"))?;
        let mut steps: Vec<Step> = Vec::new();
        while let Some(line) = lines.next() {
            if let Some(task) = line.strip_prefix("step ") {
                steps.push(Step { task: task.to_owned(), parameters: BTreeMap::new() });
            } else if let Some((name, value)) = line.strip_prefix(' ').and_then(|line| line.split_once('=')) {
                let step = steps.last_mut().ok_or_else(|| lines.fail("a parameter before its step"))?;
                step.parameters.insert(name.to_owned(), value.to_owned());
            } else {
                return Err(lines.fail("neither a step nor a parameter"));
            }
            if steps.len() > TASK_STEPS_MAX {
                return Err(lines.fail("more steps than 8"));
            }
        }
        let id = *id.as_bytes();
        let order = Self { id, catalogue, hosts, targets, requester, expires_ms, nonce, steps };
        if order.text()? != text {
            return Err(lines.fail("it is written in another way than an order is"));
        }
        Ok(order)
    }
}

struct Lines<'a> {
    rest: &'a str,
    number: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let (line, rest) = self.rest.split_once('\n')?;
        self.rest = rest;
        self.number += 1;
        Some(line)
    }

    fn field(&mut self, name: &str) -> Result<&'a str, OrderError> {
        let line = self.next().and_then(|line| line.strip_prefix(name));
        line.ok_or_else(|| self.fail("another field is expected here"))
    }

    fn fail(&self, problem: &'static str) -> OrderError {
        OrderError::Line { line: self.number, problem }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> Order {
        let parameters = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        Order {
            id: [0x11; 16],
            catalogue: Sum([2; 32]),
            hosts: 3,
            targets: Sum([3; 32]),
            requester: "user:anna".into(),
            expires_ms: 1_795_000_000_000,
            nonce: [4; 16],
            steps: vec![
                Step { task: "upgrade".into(), parameters: parameters(&[("package", "nginx"), ("version", "1=2")]) },
                Step { task: "downgrade".into(), parameters: parameters(&[]) },
            ],
        }
    }

    #[test]
    fn an_order_is_its_text() {
        let text = order().text().unwrap();
        let expected = format!(
            "muster-task order v1\nid 11111111-1111-1111-1111-111111111111\ncatalogue {}\ntargets 3 {}\nrequester user:anna\n\
             expires 1795000000000\nnonce {}\nstep upgrade\n package=nginx\n version=1=2\nstep downgrade\n",
            "02".repeat(32),
            "03".repeat(32),
            "04".repeat(16)
        );
        assert_eq!(text, expected);
        assert_eq!(Order::parse(&text), Ok(order()));
        assert_eq!(Order::signed_bytes("x"), b"muster-task order v1\0x");
    }

    #[test]
    fn another_text_of_the_same_order_is_none() {
        let text = order().text().unwrap();
        for (from, to) in [
            ("targets 3 ", "targets 03 "),
            ("targets 3 ", "targets +3 "),
            ("expires 1", "expires +1"),
            ("11111111-1111-1111-1111-111111111111", "11111111111111111111111111111111"),
            (" package=nginx\n version=1=2\n", " version=1=2\n package=nginx\n"),
            (" package=nginx\n", " package=nginx\n package=nginx\n"),
            ("step downgrade\n", "step downgrade"),
            ("step downgrade\n", "step downgrade\n\n"),
            ("step downgrade\n", "step downgrade\r\n"),
            ("step downgrade\n", "step DOWN\n"),
            ("user:anna", ""),
            ("user:anna", "user:\u{202e}anna"),
            ("nonce 04", "nonce 0"),
            ("step upgrade\n", ""),
            ("order v1", "order v2"),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from}");
            assert!(Order::parse(&changed).is_err(), "{from:?} as {to:?}");
        }
        for end in 0..text.len() {
            assert!(
                Order::parse(&text[..end]).is_err()
                    || text[..end].ends_with("=2\n")
                    || text[..end].ends_with("nginx\n")
                    || text[..end].ends_with("upgrade\n")
            );
        }
    }

    #[test]
    fn bytes_that_are_changed_at_random_are_another_order_or_none() {
        let good = order().text().unwrap();
        let mut rng = fastrand::Rng::with_seed(3);
        for _ in 0..20_000 {
            let mut bytes = good.clone().into_bytes();
            for _ in 0..rng.usize(1..4) {
                let at = rng.usize(..bytes.len());
                bytes[at] = rng.u8(..);
            }
            if let Ok(text) = String::from_utf8(bytes)
                && let Ok(read) = Order::parse(&text)
            {
                assert_eq!(read.text().as_deref(), Ok(text.as_str()));
                assert_eq!(read == order(), text == good);
            }
        }
    }

    #[test]
    fn what_no_order_may_be_has_no_text() {
        let step = order().steps[0].clone();
        let with = |change: &dyn Fn(&mut Order)| {
            let mut order = order();
            change(&mut order);
            order.text().is_ok()
        };
        assert!(with(&|order| order.steps = vec![step.clone(); 8]));
        assert!(!with(&|order| order.steps = vec![step.clone(); 9]) && !with(&|order| order.steps.clear()));
        assert!(!with(&|order| order.requester = "a\nb".into()) && !with(&|order| order.id = [0; 16]));
        assert!(!with(&|order| order.steps[0].task = "a b".into()));
        let value = |order: &mut Order, value: String| order.steps[0].parameters.insert("version".into(), value);
        assert!(!with(&|order| drop(value(order, "1\n step reboot".into()))));
        assert!(!with(&|order| drop(value(order, "x".repeat(1025)))));
    }
}
