//! Brings together what an epoch is judged by: every file that was anchored, and the memory of the result in force before it. Files are
//! known by their hashes, so that anybody may give them.
//!
//! ```text
//! anchors of the ledger ─▶ in our archive? ─▶ else from its verifier, or anybody who has it ─▶ union (`union.rs`) ─▶ judge
//! ```
//! **A withheld file.** All verifiers must judge the same files, so none leaves one out by itself:
//!
//! 1. Who has a file gives it to everybody. A file that one honest verifier got, all get.
//! 2. Who misses files for as long as anchoring may last says so, signed: whose files, over which anchors. It goes on seeking, and takes its
//!    word back when it has them.
//! 3. Only when verifiers with more than two thirds of the bond miss exactly the same files is the epoch judged without those. The result
//!    names what it leaves out, and counts, as every result, only under the signatures of more than two thirds of the bond.
//! 4. It goes on seeking what was left out. When some of that turns up before the epoch is settled, it judges again and gives its word on
//!    the fuller result too (`say.rs`). Files pass from one to all, so that all come to sign the same; whatever has a quorum first
//!    settles, and all take that up.
//! 5. What turns up later has the settled result replaced by a dispute, and nobody is to blame. Validators vote for that once verifiers
//!    with more than two thirds of the bond have the file, and hand it to those who lack it (`handed.rs`). Who was away then fetches it from
//!    anybody, and judges the epoch after all, however late (`anew.rs`).
//!
//! A third of the bond or more that says nothing keeps the others from step 3. Once the ledger counts the epoch as stalled each judges it
//! by the files that are to be had: then validators have what they recompute it from, and they decide.
//!
//! So less than a third of the bond can neither have an honest verifier's file left out, nor hold the epoch by withholding its own, nor by
//! showing it late or to one alone. Whoever withheld has gained nothing: its reports are not judged, and each of its receipts for that
//! epoch is a broken promise that the archive proves (`evidence.rs`), for which the ledger takes a part of its bond where results can be
//! disputed. No honest bond is in danger: words that leave out different files do not contradict each other.

use super::{EpochError, Epochs, Progress};
use crate::archive::{self, EpochArchive};
use crate::chain::{Anchoring, ChainError, NetworkAt, VerifierAt};
use crate::handed::bytes_max;
use crate::limits::ARCHIVE_FILE_BYTES_MAX;
use crate::peers::withheld::{Missing, WITHHELD_BYTES_MAX, Withheld, is_agreed};
use crate::peers::{Wanted, What, Word};
use crate::union::{self, Conflict, Held, Union};
use cairn_ledger::records::{Anchor, Roots};
use cairn_ledger::tx::Body;
use cairn_ledger::tx::bar_device::BarDevice;
use cairn_types::{EpochNumber, Hash, NetworkId, TimeMs, codec, hash};

/// What an epoch begins with.
pub(super) enum Memory {
    Here(Vec<u8>),
    Sought,
    /// Of this epoch, which was not judged for want of files that are here by now.
    JudgeAgain(EpochNumber),
}

/// The files that an epoch is judged by.
pub(super) enum Gathered {
    Files {
        files: Vec<(Anchor, Vec<u8>)>,
        /// Places of the anchors that are left out.
        without: Vec<u32>,
    },
    /// Some are sought still.
    Waits,
    /// Others settled the epoch long ago and nobody has the files any more.
    Lost,
}

impl Epochs {
    /// Every anchored file, once all are at hand. Of a settled epoch those that the settled result is by; of an expired one those that are
    /// at hand.
    pub(super) fn gather(
        &self,
        now: TimeMs,
        id: &NetworkId,
        progress: &mut Progress,
        archive: &EpochArchive<'_>,
    ) -> Result<Gathered, EpochError> {
        let epoch = progress.epoch;
        let settled = self.settled_without(id, epoch)?;
        let mut without = settled.clone().unwrap_or_default();
        let empty = archive::reports::empty_hash();
        let Anchoring { anchors, digest, .. } = self.chain.anchoring(id, epoch)?;
        let wanted = (0u32..).zip(anchors).filter(|(place, anchor)| {
            let is_left_out = without.binary_search(place).is_ok();
            anchor.reports_hash != empty && !is_left_out
        });
        let wanted: Vec<(u32, Anchor)> = wanted.collect();
        let mut others = None;
        let (mut missing, mut missing_of) = (Vec::new(), Vec::new());
        for (place, anchor) in &wanted {
            if progress.at_hand.contains(&anchor.reports_hash) {
                continue;
            }
            let is_there = archive.sealed(&anchor.reports_hash)?.is_some() || {
                let others = match &others {
                    Some(others) => others,
                    None => others.insert(self.others(&self.verifiers()?)),
                };
                self.fetch(id, epoch, anchor, others, archive)?
            };
            if is_there {
                progress.at_hand.insert(anchor.reports_hash);
            } else {
                missing.push(*place);
                missing_of.push(anchor.verifier);
            }
        }
        missing_of.sort_unstable();
        let said = Missing {
            chain: self.facts.chain.clone(),
            network: *id,
            epoch,
            anchors: digest,
            of: missing_of,
        };
        let is_done = match settled {
            Some(_) => missing.is_empty(),
            None if missing.is_empty() => {
                self.say_missing(said, progress, archive)?;
                true
            }
            None if self.is_expired(id, epoch)? => true,
            None => self.is_left_out(now, progress, &missing, said, archive)?,
        };
        if !is_done {
            progress.sought.get_or_insert(now);
            if settled.is_some() && self.is_long(now, progress) {
                tracing::error!(network = %id, %epoch, "nobody has the reports of an epoch that others settled: it is not judged here");
                return Ok(Gathered::Lost);
            }
            return Ok(Gathered::Waits);
        }
        if settled.is_none() {
            without = missing;
        }
        let mut files = Vec::with_capacity(wanted.len());
        for (place, anchor) in wanted {
            match archive.sealed(&anchor.reports_hash)? {
                Some(bytes) => files.push((anchor, bytes)),
                None if without.contains(&place) => {}
                None => {
                    // It was there a moment ago.
                    progress.at_hand.remove(&anchor.reports_hash);
                    return Ok(Gathered::Waits);
                }
            }
        }
        Ok(Gathered::Files { files, without })
    }

    /// Whether an anchored file was to be had; then it is in our archive.
    pub(super) fn fetch(
        &self,
        id: &NetworkId,
        epoch: EpochNumber,
        anchor: &Anchor,
        others: &[VerifierAt],
        archive: &EpochArchive<'_>,
    ) -> Result<bool, EpochError> {
        let wanted = Wanted {
            network: *id,
            epoch,
            what: What::Hashed {
                name: archive::sealed_name(&anchor.reports_hash),
                hash: anchor.reports_hash,
            },
            bytes_max: bytes_max(anchor),
        };
        let given = self.peers.get(&wanted, &first_from(others, anchor));
        let given = given.filter(|bytes| hash::sha256(bytes) == anchor.reports_hash);
        if let Some(bytes) = &given {
            archive.put(&archive::sealed_name(&anchor.reports_hash), bytes)?;
        }
        Ok(given.is_some())
    }

    /// Fetches what was anchored of later epochs while an earlier one waits: who anchored it may be gone when they are judged.
    pub(super) fn fetch_ahead(&self, id: &NetworkId, progress: &mut Progress) -> Result<(), EpochError> {
        let empty = archive::reports::empty_hash();
        let mut epoch = progress.epoch;
        while epoch < progress.ahead {
            epoch = epoch.next();
            let archive = EpochArchive::of(self.objects.as_ref(), id, epoch);
            let mut others = None;
            for anchor in self.chain.anchoring(id, epoch)?.anchors {
                let hash = anchor.reports_hash;
                if hash == empty || progress.fetched.contains(&hash) {
                    continue;
                }
                let others = match &others {
                    Some(others) => others,
                    None => others.insert(self.others(&self.verifiers()?)),
                };
                if archive.sealed(&hash)?.is_some() || self.fetch(id, epoch, &anchor, others, &archive)? {
                    progress.fetched.insert(hash);
                }
            }
        }
        Ok(())
    }

    /// Whether files are missing for as long as anchoring may last.
    fn is_long(&self, now: TimeMs, progress: &Progress) -> bool {
        let window_ms = self.facts.limits.anchor_window_ms;
        progress.sought.is_some_and(|since| now >= since.plus_ms(window_ms))
    }

    /// Whether these files may be left out: because more were, when we gave our word before, or because enough others miss the same.
    fn is_left_out(
        &self,
        now: TimeMs,
        progress: &mut Progress,
        places: &[u32],
        missing: Missing,
        archive: &EpochArchive<'_>,
    ) -> Result<bool, EpochError> {
        progress.sought.get_or_insert(now);
        let is_less = |word: &Word| {
            let before = word.result();
            let is_inside = places.iter().all(|place| before.without.contains(place));
            before.anchors == missing.anchors && is_inside
        };
        let is_said = archive.said()?.iter().any(is_less);
        if is_said || self.is_long(now, progress) {
            self.say_missing(missing.clone(), progress, archive)?;
        }
        if is_said || !self.is_long(now, progress) {
            return Ok(is_said);
        }
        let verifiers = self.verifiers()?;
        let wanted = Wanted {
            network: missing.network,
            epoch: missing.epoch,
            what: What::Withheld,
            bytes_max: WITHHELD_BYTES_MAX,
        };
        for other in self.others(&verifiers) {
            let bytes = self
                .peers
                .get(&wanted, std::slice::from_ref(&other))
                .unwrap_or_default();
            if let Some(said) = Withheld::read(&bytes, &other.account, &other.key) {
                progress.said_missing.insert(other.account, said.missing);
            }
        }
        let is_agreed = is_agreed(&missing, &progress.said_missing, &verifiers);
        Ok(is_agreed || self.chain.is_stalled(&missing.network, missing.epoch)?)
    }

    /// Says which files are missing, instead of what we said of that before. Nothing is said while nothing was missing for long.
    fn say_missing(
        &self,
        missing: Missing,
        progress: &mut Progress,
        archive: &EpochArchive<'_>,
    ) -> Result<(), EpochError> {
        let me = self.settings.submitter.account;
        if progress.said_missing.get(&me) == Some(&missing) {
            return Ok(());
        }
        let before = archive.get(archive::WITHHELD)?;
        let before = before
            .map(|bytes| archive.read::<Withheld>(archive::WITHHELD, &bytes))
            .transpose()?;
        let is_said = match before {
            Some(said) => said.missing == missing,
            None => missing.of.is_empty(),
        };
        if !is_said {
            if !missing.of.is_empty() {
                tracing::error!(network = %missing.network, epoch = %missing.epoch, of = ?missing.of, "files that were anchored are not to be had");
            }
            let said = missing.clone().sign(me, &self.settings.key);
            archive.put(archive::WITHHELD, &codec::encode(&said))?;
        }
        progress.said_missing.insert(me, missing);
        Ok(())
    }

    /// What all of them come to. Our own file keeps a place of its own where the union is another.
    pub(super) fn union(
        &self,
        id: &NetworkId,
        epoch: EpochNumber,
        archive: &EpochArchive<'_>,
        network: &NetworkAt,
        files: Vec<(Anchor, Vec<u8>)>,
    ) -> Result<Union, EpochError> {
        let settled = self.chain.settled_orders(id, epoch)?;
        let own = self.settings.submitter.account;
        // Also where the settled result leaves it out.
        let ours = self.chain.anchoring(id, epoch)?.of(&own).copied();
        let ours = match ours {
            Some(anchor) => archive.sealed(&anchor.reports_hash)?.map(|bytes| (anchor, bytes)),
            None => None,
        };
        let held = Held {
            chain: self.chain.as_ref(),
            network: *id,
            epoch,
            clock: self.facts.clock,
            roster: &network.roster,
            settled: &settled,
            own,
        };
        let union = union::of(&held, files)?;
        for (verifier, why) in &union.faults {
            tracing::warn!(network = %id, %epoch, %verifier, why, "what a verifier anchored does not count, or not all of it");
        }
        self.bar(id, epoch, &union);
        if let Some((anchor, bytes)) = ours {
            let is_all = hash::sha256(&archive::reports::write(&union.rows, &union.meters)) == anchor.reports_hash;
            let name = archive::sealed_name(&anchor.reports_hash);
            if !is_all && archive.get(&name)?.is_none() {
                archive.put(&name, &bytes)?;
            }
        }
        Ok(union)
    }

    /// Brings devices that contradict themselves to the ledger, which bars them for some epochs. Whoever brings it first, it is done once.
    fn bar(&self, id: &NetworkId, epoch: EpochNumber, union: &Union) {
        for Conflict { first, second } in &union.conflicts {
            let body = BarDevice {
                first: first.clone(),
                second: second.clone(),
            };
            match self
                .settings
                .submitter
                .submit(self.chain.as_ref(), Body::BarDevice(body))
            {
                Ok(()) => {
                    tracing::warn!(network = %id, %epoch, "a device signed two reports under one number: it is barred")
                }
                Err(error) => {
                    tracing::info!(network = %id, %epoch, %error, "a device that contradicts itself is not barred")
                }
            }
        }
    }

    /// The last epoch before this one that has a result in force, with its roots. Epochs that expired leave nothing.
    pub(super) fn in_force_before(
        &self,
        id: &NetworkId,
        progress: &Progress,
    ) -> Result<Option<(EpochNumber, Roots)>, ChainError> {
        let mut epoch = progress.epoch;
        while epoch > progress.first {
            epoch = EpochNumber(epoch.0 - 1);
            if let Some(roots) = self.chain.roots(id, epoch)? {
                return Ok(Some((epoch, roots)));
            }
        }
        Ok(None)
    }

    /// What the result in force before this epoch remembers: our own archive's where that is our result, else another's, held against
    /// the ledger. Where we judged that epoch by other files, which are to be had by now, it is judged again instead; and so it is where
    /// nobody has its memory.
    pub(super) fn memory(&self, id: &NetworkId, progress: &Progress) -> Result<Memory, EpochError> {
        let Some((epoch, roots)) = self.in_force_before(id, progress)? else {
            return Ok(Memory::Here(Vec::new()));
        };
        let archive = EpochArchive::of(self.objects.as_ref(), id, epoch);
        for name in [archive::MEMORY, archive::ADOPTED] {
            if let Some(bytes) = archive.get(name)?
                && let Some(memory) = memory_of(&archive, &bytes, &roots.memory)
            {
                return Ok(Memory::Here(memory));
            }
        }
        let is_ours = archive.manifest()?.is_some();
        if is_ours && self.is_found_again(id, progress.first, epoch, &archive)? {
            return Ok(Memory::JudgeAgain(epoch));
        }
        let wanted = Wanted {
            network: *id,
            epoch,
            what: What::Named(archive::MEMORY),
            bytes_max: ARCHIVE_FILE_BYTES_MAX,
        };
        for other in self.others(&self.verifiers()?) {
            if let Some(bytes) = self.peers.get(&wanted, &[other])
                && let Some(memory) = memory_of(&archive, &bytes, &roots.memory)
            {
                archive.put(archive::ADOPTED, &bytes)?;
                return Ok(Memory::Here(memory));
            }
        }
        // Who has nothing of that epoch began after it, and waits for the others' memory.
        let has_part = !is_ours && self.has_part(id, epoch, &archive)?;
        if has_part && self.is_found_again(id, progress.first, epoch, &archive)? {
            return Ok(Memory::JudgeAgain(epoch));
        }
        Ok(Memory::Sought)
    }
}

/// The memory in a file, if it is the attested one.
fn memory_of(archive: &EpochArchive<'_>, bytes: &[u8], attested: &Hash) -> Option<Vec<u8>> {
    let memory: minicbor::bytes::ByteVec = archive.read(archive::MEMORY, bytes).ok()?;
    let memory: Vec<u8> = memory.into();
    (archive::memory_hash(&memory) == *attested).then_some(memory)
}

/// All who may have a file, whoever anchored it first.
fn first_from(others: &[VerifierAt], anchor: &Anchor) -> Vec<VerifierAt> {
    let mut from = others.to_vec();
    from.sort_by_key(|other| other.account != anchor.verifier);
    from
}
