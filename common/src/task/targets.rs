//! Which hosts an order is for: one hash for any number of them, and for each host a short proof that it is one of them.
//!
//! A binary tree over the hosts' ids in order. Leaf: SHA-256 of a byte 0 and the id. Node: SHA-256 of a byte 1 and its two halves; what has no
//! neighbour goes up as it is. So an order for ten thousand hosts is as long as one for one, and what is approved names each of them.

use crate::digest::{Sha256, Sum};
use crate::host::HostId;
use crate::limits::TASK_PROOF_MAX;
use crate::wire::tasks::ProofStep;

/// The hosts of one order. Holds every level of the tree: some 64 bytes a host.
#[derive(Clone, Debug)]
pub struct Targets {
    hosts: Vec<HostId>,
    /// Leaves first, the root alone last.
    levels: Vec<Vec<Sum>>,
}

impl Targets {
    /// Of these hosts, in any order; `None` of none.
    pub fn new(hosts: impl IntoIterator<Item = HostId>) -> Option<Self> {
        let mut hosts: Vec<HostId> = hosts.into_iter().collect();
        hosts.sort_unstable();
        hosts.dedup();
        let mut levels = vec![hosts.iter().map(leaf).collect::<Vec<_>>()];
        while let Some(below) = levels.last().filter(|level| level.len() > 1) {
            let above = below.chunks(2).map(|pair| match pair {
                [left, right] => node(left, right),
                alone => alone[0],
            });
            levels.push(above.collect());
        }
        (!hosts.is_empty()).then_some(Self { hosts, levels })
    }

    pub fn count(&self) -> usize {
        self.hosts.len()
    }

    /// In ascending order.
    pub fn hosts(&self) -> &[HostId] {
        &self.hosts
    }

    /// What an order names.
    pub fn root(&self) -> Sum {
        self.levels.last().and_then(|level| level.first()).copied().unwrap_or(Sum([0; 32]))
    }

    /// The way from this host to the root; `None`: it is none of them.
    pub fn proof(&self, host: HostId) -> Option<Vec<ProofStep>> {
        let mut index = self.hosts.binary_search(&host).ok()?;
        let mut steps = Vec::new();
        for level in &self.levels {
            if let Some(neighbour) = level.get(index ^ 1) {
                steps.push(ProofStep { left: index & 1 == 1, hash: neighbour.0 });
            }
            index /= 2;
        }
        Some(steps)
    }
}

/// Whether this host is one of those that have this root.
pub fn is_target(root: &Sum, host: HostId, proof: &[ProofStep]) -> bool {
    let up = |below: Sum, step: &ProofStep| {
        let neighbour = Sum(step.hash);
        if step.left { node(&neighbour, &below) } else { node(&below, &neighbour) }
    };
    proof.len() <= TASK_PROOF_MAX && proof.iter().fold(leaf(&host), up) == *root
}

fn leaf(host: &HostId) -> Sum {
    let mut sum = Sha256::new();
    sum.update(&[0]);
    sum.update(&host.0);
    sum.finish()
}

fn node(left: &Sum, right: &Sum) -> Sum {
    let mut sum = Sha256::new();
    sum.update(&[1]);
    sum.update(&left.0);
    sum.update(&right.0);
    sum.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(number: u16) -> HostId {
        let mut id = [7; 16];
        id[..2].copy_from_slice(&number.to_be_bytes());
        HostId(id)
    }

    #[test]
    fn each_target_has_a_proof_and_nobody_else_any() {
        for count in (1..=33).chain([1000]) {
            let targets = Targets::new((0..count).rev().map(host)).unwrap();
            let root = targets.root();
            for number in 0..count {
                let proof = targets.proof(host(number)).unwrap();
                assert!(proof.len() <= 10 && is_target(&root, host(number), &proof), "{number} of {count}");
                assert!(!is_target(&root, host(number + 1), &proof), "another's proof");
                if let Some(step) = proof.first() {
                    let turned = ProofStep { left: !step.left, ..*step };
                    assert!(!is_target(&root, host(number), &[&[turned], &proof[1..]].concat()));
                    assert!(!is_target(&root, host(number), &proof[1..]));
                }
            }
            assert_eq!(targets.proof(host(count)), None);
        }
        assert!(Targets::new([]).is_none());
        assert_eq!(Targets::new([host(1), host(1)]).unwrap().count(), 1);
        let one = Targets::new([host(1)]).unwrap();
        assert!(!is_target(&one.root(), host(1), &[ProofStep { left: false, hash: [0; 32] }; 33]));
    }
}
