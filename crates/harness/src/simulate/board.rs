//! What verifiers tell each other: the files of reports they anchored, and their words on results. A partition keeps what is said on its
//! own side. It believes nobody and hears everything: whatever is asked of a verifier, its own store answers, in a liar's way if it lies.

use super::ground::Ground;
use super::lies::{self, Audience, Lies};
use super::scene::{Part, Party, network};
use crate::line::Line;
use cairn_ledger::records::Anchor;
use cairn_types::{AccountId, EpochNumber, EpochResult, Hash, NetworkId, ReportId, Signature, TimeMs, codec, hash};
use cairn_verifier::archive::{EpochArchive, sealed_name};
use cairn_verifier::attest;
use cairn_verifier::chain::{Anchoring, ChainView, VerifierAt};
use cairn_verifier::collector::{CollectError, Collector, Sealed};
use cairn_verifier::epochs::Collect;
use cairn_verifier::handed::{self, File, Want};
use cairn_verifier::meters::MeterEntry;
use cairn_verifier::objects::Memory;
use cairn_verifier::peers::{self, Peers, Wanted, What, Word};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

/// A result with the signature of one verifier.
type Signed = (EpochResult, Signature);

/// What a verifier may sign one result of: an epoch, on the one before, without the same anchors.
type Spoken = (EpochNumber, Hash, Vec<u32>, AccountId);

/// Its place, who it is, and its store.
type House = (usize, Party, Memory);

#[derive(Default)]
struct State {
    files: BTreeMap<(EpochNumber, AccountId), Vec<Sealed>>,
    /// Everything that was signed, by whom, on what.
    said: BTreeMap<Spoken, BTreeMap<Hash, Signed>>,
    /// Those that collect, with their places and stores.
    houses: BTreeMap<AccountId, House>,
    /// Those whose bit is set hear only each other.
    side: u8,
    /// A withheld file was shown.
    shown: Option<Audience>,
}

/// The board. Clones are the same one.
#[derive(Clone, Default)]
pub struct Board(Arc<Mutex<State>>);

impl Board {
    /// A verifier moves in, with its store.
    pub fn house(&self, place: usize, party: &Party, objects: &Memory) {
        let house = (place, party.clone(), objects.clone());
        self.state().houses.insert(party.who.account, house);
    }

    pub fn part(&self, side: u8) {
        self.state().side = side;
    }

    /// From now on the liar gives what it withheld.
    pub fn show(&self, to: Audience) {
        self.state().shown = Some(to);
    }

    /// Whether who judges can have all files of these anchors: an honest verifier has them, or the liar shows its own.
    pub fn can_be_had(&self, epoch: EpochNumber, anchors: &[&Anchor]) -> bool {
        let state = self.state();
        let holds =
            |house: &House, anchor: &Anchor| handed::holds(&house.2, &file(epoch, anchor)).is_ok_and(|holds| holds);
        let is_had = |anchor: &&Anchor| {
            let mut houses = state.houses.iter();
            houses.any(|(account, house)| {
                let is_shown = *account == anchor.verifier && state.shown.is_some();
                (house.1.part == Part::Honest || is_shown) && holds(house, anchor)
            })
        };
        anchors.iter().all(is_had)
    }

    /// Who judges hands files on: to each honest verifier that is alive and on its side of a cut, by the verifier's own rules. Who has
    /// which of them then; the liar takes nothing.
    pub fn hand_on(&self, files: &[File], ground: &Ground, alive: &[bool]) -> BTreeMap<File, BTreeSet<AccountId>> {
        let houses = self.state().houses.clone();
        let reached: Vec<_> = houses
            .iter()
            .filter(|(_, (place, party, _))| {
                let is_here = self.state().side >> place & 1 == 0;
                party.part == Part::Honest && is_here && alive[*place]
            })
            .collect();
        let mut held = BTreeMap::new();
        for file in files {
            let holders: &mut BTreeSet<AccountId> = held.entry(*file).or_default();
            let name = sealed_name(&file.hash);
            let what = What::Hashed { name, hash: file.hash };
            let wanted = Wanted {
                network: file.network,
                epoch: file.epoch,
                what,
                bytes_max: u64::MAX,
            };
            let mut given = houses
                .values()
                .filter_map(|(.., objects)| peers::answer(objects, &wanted).ok()?);
            let bytes = given.next();
            for (account, (place, _, objects)) in &reached {
                let is_held = match handed::want(objects, &ground.chain_of(*place), file, None) {
                    Ok(Want::Here) => true,
                    Ok(Want::Wanted { bytes_max }) => bytes.as_ref().is_some_and(|bytes| {
                        bytes.len() as u64 <= bytes_max && handed::keep(objects, file, bytes).is_ok()
                    }),
                    Err(_) => false,
                };
                if is_held {
                    holders.insert(**account);
                }
            }
        }
        held
    }

    /// Whether files are with so many verifiers that all can have them, by the rule of those who judge.
    pub fn are_spread(&self, held: &BTreeMap<File, BTreeSet<AccountId>>, ground: &Ground) -> bool {
        let Ok(mut verifiers) = ground.chain.verifiers() else {
            return false;
        };
        let houses = self.state().houses.clone();
        for verifier in &mut verifiers.all {
            // Puppets serve nothing, and say no address.
            verifier.url = houses
                .get(&verifier.account)
                .map(|(place, ..)| place.to_string())
                .unwrap_or_default();
        }
        held.values()
            .all(|holders| handed::is_spread(&verifiers, |account| holders.contains(account)))
    }

    pub fn is_shown(&self) -> bool {
        self.state().shown.is_some()
    }

    pub fn publish(&self, epoch: EpochNumber, by: AccountId, file: Vec<Sealed>) {
        self.state().files.insert((epoch, by), file);
    }

    /// The file of reports that a verifier sealed.
    pub fn file(&self, epoch: EpochNumber, by: &AccountId) -> Option<Vec<Sealed>> {
        self.state().files.get(&(epoch, *by)).cloned()
    }

    /// Some file of another verifier, for whoever copies.
    pub fn any_file(&self, epoch: EpochNumber, not: &AccountId) -> Option<Vec<Sealed>> {
        let state = self.state();
        let mut others = state.files.iter().filter(|((of, by), _)| *of == epoch && by != not);
        others.next().map(|(_, file)| file.clone())
    }

    /// What a verifier answers another that it hears, and remembers what it signed.
    fn answer(&self, reader: usize, by: &AccountId, wanted: &Wanted, lies: &Lies) -> Option<Vec<u8>> {
        let mut state = self.state();
        let heard = state.hears(reader, by);
        let (place, party, objects) = state.houses.get(by).filter(|_| heard)?.clone();
        let is_withheld = party.part == Part::Liar && lies.withheld() == Some(wanted.epoch);
        let is_shown = match state.shown {
            Some(Audience::All) => true,
            Some(Audience::Verifier(to)) => to == reader,
            Some(Audience::Judges) | None => false,
        };
        // What the epoch comes to with its file would tell the others enough to go on as well.
        let tells = matches!(wanted.what, What::Hashed { .. } | What::Named(_));
        if is_withheld && !is_shown && tells && reader != place {
            return None;
        }
        if wanted.what != What::Words {
            return peers::answer(&objects, wanted).ok().flatten();
        }
        let archive = EpochArchive::of(&objects, &wanted.network, wanted.epoch);
        let own = archive.said().unwrap_or_default().into_iter().rev();
        let lie = match party.part {
            Part::Liar if lies.is_mute(wanted.epoch) => lies::Lie::Mute,
            Part::Liar => lies.in_epoch(wanted.epoch),
            _ => lies::Lie::Truth,
        };
        let told: Vec<Word> = own.flat_map(|word| lies::words(lie, &party, word, &objects)).collect();
        for word in &told {
            state.note(word);
        }
        let heard: Vec<Word> = archive.heard().unwrap_or_default();
        Some(codec::encode(&told.into_iter().chain(heard).collect::<Vec<_>>()))
    }

    /// Verifiers who signed two results of one epoch that build on the same one: both, with their signatures.
    pub fn two_faced(&self) -> Vec<(AccountId, [Signed; 2])> {
        let state = self.state();
        let of = |((.., by), results): (&Spoken, &BTreeMap<Hash, Signed>)| {
            let mut results = results.values().cloned();
            Some((*by, [results.next()?, results.next()?]))
        };
        state.said.iter().filter_map(of).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no holder of the lock panics")
    }
}

impl State {
    fn hears(&self, reader: usize, by: &AccountId) -> bool {
        let bit = |place: usize| self.side >> place & 1;
        let place = self.houses.get(by).map(|(place, ..)| *place);
        place.is_none_or(|place| place == reader || bit(place) == bit(reader))
    }

    fn note(&mut self, word: &Word) {
        let result = word.result();
        for (by, signature) in &word.attestation.signatures {
            let spoken = (result.epoch, result.previous, result.without.clone(), *by);
            let said = self.said.entry(spoken).or_default();
            said.insert(result.hash(), (result.clone(), *signature));
        }
    }
}

/// The file of an anchor.
fn file(epoch: EpochNumber, anchor: &Anchor) -> File {
    File {
        network: network(),
        epoch,
        hash: anchor.reports_hash,
    }
}

/// One verifier's way to the others.
pub struct Voices {
    pub place: usize,
    pub board: Board,
    pub lies: Lies,
}

impl Peers for Voices {
    fn get(&self, wanted: &Wanted, from: &[VerifierAt]) -> Option<Vec<u8>> {
        let mut said = from
            .iter()
            .filter_map(|peer| self.board.answer(self.place, &peer.account, wanted, &self.lies));
        said.find(|bytes| match &wanted.what {
            What::Hashed { hash, .. } => hash::sha256(bytes) == *hash,
            _ => true,
        })
    }

    fn forget(&self, _: &NetworkId, _: EpochNumber) {}
}

/// What a liar does to its own file before it anchors it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doctored {
    No,
    /// Leaves out some reports for which it gave receipts.
    Omits,
    /// Adds another verifier's reports as its own.
    Copies,
    /// Anchors nothing.
    Silent,
}

/// A verifier's collector, whose sealed file goes onto the board.
pub struct Gather<'a> {
    pub account: AccountId,
    pub collector: &'a mut Collector,
    pub board: &'a Board,
    pub line: &'a Line,
    pub doctored: &'a dyn Fn(EpochNumber) -> Doctored,
}

impl Collect for Gather<'_> {
    fn seal(&mut self, now: TimeMs, network: &NetworkId, epoch: EpochNumber) -> Result<bool, CollectError> {
        self.collector.seal(now, network, epoch)
    }

    fn sealed(&mut self, id: &NetworkId, epoch: EpochNumber) -> Result<Vec<Sealed>, CollectError> {
        let away = |_| CollectError::Stopped;
        let anchoring = self.line.anchoring(id, epoch).map_err(away)?;
        if anchoring.has_ended && self.board.file(epoch, &self.account).is_none() {
            // Too late for an anchor.
            return Ok(Vec::new());
        }
        // What was published once may be anchored already, heard of or not.
        if let Some(published) = self.board.file(epoch, &self.account) {
            return Ok(published);
        }
        let mut own = self.collector.sealed(id, epoch)?;
        match (self.doctored)(epoch) {
            Doctored::No => {}
            Doctored::Omits => own.retain(|report| report.id.0[0] % 3 > 0),
            Doctored::Copies => {
                let theirs = self.board.any_file(epoch, &self.account);
                own = merged([own, theirs.unwrap_or_default()]);
            }
            Doctored::Silent => return Err(CollectError::Stopped),
        }
        self.board.publish(epoch, self.account, own.clone());
        Ok(own)
    }

    fn meters_of(
        &mut self,
        network: &NetworkId,
        settled: &[cairn_verifier::chain::SettledOrder],
    ) -> Result<Vec<Vec<MeterEntry>>, CollectError> {
        self.collector.meters_of(network, settled)
    }

    fn forget(&mut self, network: &NetworkId, epoch: EpochNumber) -> Result<(), CollectError> {
        self.collector.forget(network, epoch)
    }
}

/// All reports that were anchored but those at some places, once each; `None` when a file is not at hand or not what was anchored.
pub fn union(board: &Board, anchoring: &Anchoring, epoch: EpochNumber, without: &[u32]) -> Option<Vec<Sealed>> {
    let mut files = Vec::new();
    let judged = (0u32..).zip(&anchoring.anchors);
    let judged = judged.filter(|(place, anchor)| anchor.count > 0 && !without.contains(place));
    for (_, anchor) in judged {
        let file = board.file(epoch, &anchor.verifier)?;
        if attest::archive_root(&file) != anchor.root {
            return None;
        }
        files.push(file);
    }
    Some(merged(files))
}

/// Reports of several files by id; of two records of one the earlier counts.
fn merged(files: impl IntoIterator<Item = Vec<Sealed>>) -> Vec<Sealed> {
    let mut all: BTreeMap<ReportId, Sealed> = BTreeMap::new();
    for report in files.into_iter().flatten() {
        let known = all.entry(report.id).or_insert_with(|| report.clone());
        if report.received < known.received {
            *known = report;
        }
    }
    all.into_values().collect()
}
