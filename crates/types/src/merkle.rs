//! A binary Merkle tree over leaves in a given order, with proofs of ranges and, over sorted ids, of absence.
//!
//! ```text
//! leaf = H(0 ‖ bytes)   inner = H(1 ‖ left ‖ right), an odd last node rises as it is (the shape of RFC 6962)
//! root = H("cairn/tree/1", count, top)        the count is bound, so a proof cannot lie about the length
//! ```

use crate::hash::{Hash, domain, node};
use minicbor::{CborLen, Decode, Encode};
use sha2::{Digest, Sha256};

/// Leaves of one tree at most.
pub const LEAVES_MAX: u64 = 1 << 40;

/// The hash of a leaf's bytes.
pub fn leaf(bytes: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0]);
    hasher.update(bytes);
    Hash(hasher.finalize().into())
}

/// A whole tree in memory: 64 bytes a leaf.
pub struct Tree {
    levels: Vec<Vec<Hash>>,
}

/// Proof that leaves stand at `start..` of a tree of `count`: the hashes beside the range, bottom up, left before right.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct RangeProof {
    #[n(0)]
    pub start: u64,
    #[n(1)]
    pub count: u64,
    #[n(2)]
    pub siblings: Vec<Hash>,
}

impl Tree {
    /// From leaf hashes in order.
    pub fn new(leaves: Vec<Hash>) -> Self {
        let mut levels = vec![leaves];
        while let Some(below) = levels.last().filter(|level| level.len() > 1) {
            levels.push(level_above(below));
        }
        Self { levels }
    }

    pub fn count(&self) -> u64 {
        self.levels[0].len() as u64
    }

    pub fn root(&self) -> Hash {
        let top = self
            .levels
            .last()
            .and_then(|level| level.first())
            .copied()
            .unwrap_or_default();
        bind(self.count(), &top)
    }

    /// The proof for leaves `start..end`. `None` for an empty range or one past the end.
    pub fn prove(&self, start: u64, end: u64) -> Option<RangeProof> {
        if start >= end || end > self.count() {
            return None;
        }
        let (mut from, mut to) = (start as usize, end as usize);
        let mut siblings = Vec::with_capacity(self.levels.len());
        for level in self.levels.iter().take_while(|level| level.len() > 1) {
            if from % 2 == 1 {
                siblings.push(level[from - 1]);
            }
            if to % 2 == 1 && to < level.len() {
                siblings.push(level[to]);
            }
            (from, to) = (from / 2, to.div_ceil(2));
        }
        Some(RangeProof {
            start,
            count: self.count(),
            siblings,
        })
    }
}

fn level_above(below: &[Hash]) -> Vec<Hash> {
    below
        .chunks(2)
        .map(|pair| match pair {
            [left, right] => node(1, &left.0, &right.0),
            [odd, ..] => *odd,
            [] => Hash::default(),
        })
        .collect()
}

fn bind(count: u64, top: &Hash) -> Hash {
    domain("cairn/tree/1", &[&count.to_be_bytes(), &top.0])
}

/// The root of leaves without keeping the tree.
pub fn root(mut level: Vec<Hash>) -> Hash {
    let count = level.len() as u64;
    while level.len() > 1 {
        level = level_above(&level);
    }
    bind(count, &level.first().copied().unwrap_or_default())
}

impl RangeProof {
    /// The root of the tree in which `leaves` stand at `self.start..`; `None` when the proof cannot be one.
    pub fn root(&self, leaves: &[Hash]) -> Option<Hash> {
        let mut from = self.start;
        let mut to = self.start.checked_add(leaves.len() as u64)?;
        let mut len = self.count;
        if leaves.is_empty() || to > len || len > LEAVES_MAX {
            return None;
        }
        let mut siblings = self.siblings.iter();
        let mut level = leaves.to_vec();
        while len > 1 {
            if from % 2 == 1 {
                level.insert(0, *siblings.next()?);
            }
            if to % 2 == 1 && to < len {
                level.push(*siblings.next()?);
            }
            level = level_above(&level);
            (from, to, len) = (from / 2, to.div_ceil(2), len.div_ceil(2));
        }
        (siblings.next().is_none() && level.len() == 1).then(|| bind(self.count, &level[0]))
    }

    /// Whether `leaves` stand at `self.start..` under `root`.
    pub fn proves(&self, leaves: &[Hash], root: &Hash) -> bool {
        self.root(leaves).is_some_and(|found| found == *root)
    }
}

/// Proof that an id is not among the sorted leaves of a tree: the neighbours between which it would stand.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct AbsenceProof {
    /// One id at an edge of the tree, two next to each other inside it, none when the tree is empty.
    #[n(0)]
    pub neighbours: Vec<Hash>,
    #[n(1)]
    pub range: Option<RangeProof>,
}

impl AbsenceProof {
    /// `sorted` are the ids whose leaf hashes the tree was made of. `None` when `id` is present.
    pub fn make(tree: &Tree, sorted: &[Hash], id: &Hash) -> Option<Self> {
        let at = sorted.binary_search(id).err()?;
        let (from, to) = (at.saturating_sub(1), (at + 1).min(sorted.len()));
        Some(Self {
            neighbours: sorted[from..to].to_vec(),
            range: tree.prove(from as u64, to as u64),
        })
    }

    /// Whether `id` is surely absent under `root`.
    pub fn proves(&self, id: &Hash, root: &Hash) -> bool {
        let Some(range) = &self.range else {
            return self.neighbours.is_empty() && *root == bind(0, &Hash::default());
        };
        let leaves: Vec<Hash> = self.neighbours.iter().map(|neighbour| leaf(&neighbour.0)).collect();
        let between = match self.neighbours.as_slice() {
            [only] => (range.start == 0 && id < only) || (range.start.checked_add(1) == Some(range.count) && id > only),
            [left, right] => left < id && id < right,
            _ => false,
        };
        between && range.proves(&leaves, root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(n: u64) -> Vec<Hash> {
        (0..n).map(|i| leaf(&i.to_be_bytes())).collect()
    }

    #[test]
    fn every_range_of_every_small_tree_is_proven_and_no_other() {
        for n in 0..20 {
            let tree = Tree::new(leaves(n));
            assert_eq!(root(leaves(n)), tree.root());
            for start in 0..n {
                for end in start + 1..=n {
                    let proof = tree.prove(start, end).expect("a range");
                    let range = &leaves(n)[start as usize..end as usize];
                    assert!(proof.proves(range, &tree.root()));
                    let moved = RangeProof {
                        start: start + 1,
                        ..proof.clone()
                    };
                    assert!(!moved.proves(range, &tree.root()));
                    let longer = RangeProof {
                        count: n + 1,
                        ..proof.clone()
                    };
                    assert!(!longer.proves(range, &tree.root()));
                    assert!(!proof.proves(&range[1..], &tree.root()));
                }
            }
            assert_eq!(tree.prove(0, n + 1), None);
        }
    }

    #[test]
    fn trees_of_different_lengths_differ_even_with_equal_tops() {
        assert_ne!(Tree::new(leaves(0)).root(), Tree::new(vec![Hash::default()]).root());
    }

    #[test]
    fn a_proof_at_the_end_of_numbers_is_refused() {
        let range = RangeProof {
            start: u64::MAX,
            count: 0,
            siblings: vec![],
        };
        let proof = AbsenceProof {
            neighbours: vec![Hash([1; 32])],
            range: Some(range),
        };
        assert!(!proof.proves(&Hash([2; 32]), &Tree::new(vec![]).root()));
    }

    #[test]
    fn absence_is_proven_between_neighbours_only() {
        for n in 0..9u8 {
            let ids: Vec<Hash> = (0..n).map(|i| Hash([i * 2 + 1; 32])).collect();
            let tree = Tree::new(ids.iter().map(|id| leaf(&id.0)).collect());
            for probe in 0..20u8 {
                let id = Hash([probe; 32]);
                match AbsenceProof::make(&tree, &ids, &id) {
                    None => assert!(ids.contains(&id)),
                    Some(proof) => {
                        assert!(proof.proves(&id, &tree.root()));
                        for present in &ids {
                            assert!(!proof.proves(present, &tree.root()));
                        }
                    }
                }
            }
        }
    }
}
