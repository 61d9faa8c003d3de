//! What the intake knows of one network: its members by epoch, and what its devices sent. Counted in arrays by device number. Never
//! asks for a roster.

use crate::limits::DEVICE_NUMBER_MAX;
use crate::log::Location;
use crate::roster::RosterMember;
use cairn_types::{DeviceId, DeviceNumber, Envelope, EpochNumber, ReportId, TimeMs};
use cairn_verticals::kit::Vertical;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A report on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub id: ReportId,
    pub device: DeviceNumber,
    pub sequence: u64,
    pub received: TimeMs,
    pub location: Location,
}

/// Who belongs to an epoch.
enum Roster {
    /// As the ledger says, sorted.
    Read(Arc<[DeviceNumber]>),
    /// The ledger could not be asked: whoever is in the newest roster that could be read.
    Presumed,
}

/// One network.
pub struct Network {
    vertical: &'static dyn Vertical,
    /// Epochs before it are sealed.
    open: EpochNumber,
    members: HashMap<DeviceId, RosterMember>,
    rosters: BTreeMap<EpochNumber, Roster>,
    /// The newest roster that was read, also after its epoch is sealed.
    newest: Option<(EpochNumber, Arc<[DeviceNumber]>)>,
    /// When rosters were read that had been presumed.
    late: BTreeMap<EpochNumber, TimeMs>,
    /// The next sequence number of each device: 0 while it sent none.
    next: Vec<u64>,
    /// Reports by device, rising: of epochs not forgotten.
    seen: Vec<Vec<(u64, ReportId)>>,
    /// Reports by epoch, in the order they came: of epochs not forgotten.
    epochs: BTreeMap<EpochNumber, Vec<Seen>>,
}

impl Network {
    pub(super) fn new(vertical: &'static dyn Vertical, open: EpochNumber) -> Self {
        Self {
            vertical,
            open,
            members: HashMap::new(),
            rosters: BTreeMap::new(),
            newest: None,
            late: BTreeMap::new(),
            next: Vec::new(),
            seen: Vec::new(),
            epochs: BTreeMap::new(),
        }
    }

    pub fn vertical(&self) -> &'static dyn Vertical {
        self.vertical
    }

    /// The oldest epoch that is not sealed.
    pub fn open(&self) -> EpochNumber {
        self.open
    }

    pub fn seal(&mut self, epoch: EpochNumber) {
        self.open = self.open.max(epoch.next());
        self.rosters.retain(|older, _| *older >= self.open);
        self.late.retain(|older, _| *older >= self.open);
    }

    /// Puts the roster of an epoch in place, read now. Members with numbers that nobody could count are left out.
    pub fn set_roster(&mut self, epoch: EpochNumber, roster: &[RosterMember], now: TimeMs) {
        let known = roster.iter().filter(|member| member.number.0 <= DEVICE_NUMBER_MAX);
        let mut numbers: Vec<_> = known.clone().map(|member| member.number).collect();
        numbers.sort_unstable();
        self.members.extend(known.map(|member| (member.device(), *member)));
        let numbers: Arc<[DeviceNumber]> = numbers.into();
        if self.newest.as_ref().is_none_or(|(newest, _)| *newest <= epoch) {
            self.newest = Some((epoch, numbers.clone()));
        }
        if let Some(Roster::Presumed) = self.rosters.insert(epoch, Roster::Read(numbers)) {
            self.late.insert(epoch, now);
        }
    }

    /// The roster of an epoch cannot be read: until it is, whoever was a member last is heard. One that was read stays.
    pub fn presume_roster(&mut self, epoch: EpochNumber) {
        self.rosters.entry(epoch).or_insert(Roster::Presumed);
    }

    /// Whether it is known or presumed who belongs to an epoch.
    pub fn has_roster(&self, epoch: EpochNumber) -> bool {
        self.rosters.contains_key(&epoch)
    }

    pub fn is_roster_read(&self, epoch: EpochNumber) -> bool {
        matches!(self.rosters.get(&epoch), Some(Roster::Read(_)))
    }

    /// Epochs whose rosters could not be read at first, or still cannot.
    pub fn late(&self) -> impl Iterator<Item = EpochNumber> {
        let presumed = self
            .rosters
            .iter()
            .filter(|(_, roster)| matches!(roster, Roster::Presumed));
        presumed.map(|(epoch, _)| *epoch).chain(self.late.keys().copied())
    }

    pub fn is_late(&self, epoch: EpochNumber) -> bool {
        self.late().any(|late| late == epoch)
    }

    /// When an epoch takes reports no more, as far as that is known. The time of grace begins at its end, or when its roster was
    /// read if that is later and could not be sooner: whoever was put off until then can still come.
    pub(super) fn over_at(&self, epoch: EpochNumber, end: TimeMs, grace_ms: u64) -> Option<TimeMs> {
        let begins = match (self.rosters.get(&epoch), self.late.get(&epoch)) {
            (Some(Roster::Presumed), _) => return None,
            (_, Some(read)) => end.max(*read),
            (_, None) => end,
        };
        Some(begins.plus_ms(grace_ms))
    }

    pub(super) fn member(&self, device: &DeviceId) -> Option<&RosterMember> {
        self.members.get(device)
    }

    pub(super) fn is_member(&self, device: DeviceNumber, epoch: EpochNumber) -> bool {
        let roster = match self.rosters.get(&epoch) {
            Some(Roster::Read(roster)) => Some(roster),
            Some(Roster::Presumed) => self.newest.as_ref().map(|(_, roster)| roster),
            None => None,
        };
        roster.is_some_and(|roster| roster.binary_search(&device).is_ok())
    }

    pub(super) fn last_sequence(&self, device: DeviceNumber) -> Option<u64> {
        self.next.get(device.index()).and_then(|next| next.checked_sub(1))
    }

    pub(super) fn knows(&self, device: DeviceNumber, sequence: u64, envelope: &Envelope) -> bool {
        let seen = self.seen.get(device.index());
        let at = seen.and_then(|seen| Some((seen, seen.binary_search_by_key(&sequence, |(known, _)| *known).ok()?)));
        at.is_some_and(|(seen, at)| seen[at].1 == envelope.id())
    }

    /// Remembers a report that is on disk. `false` when it was known or its number cannot be counted.
    pub fn record(&mut self, epoch: EpochNumber, seen: Seen) -> bool {
        let at = seen.device.index();
        if seen.device.0 > DEVICE_NUMBER_MAX {
            return false;
        }
        if self.next.len() <= at {
            self.next.resize(at + 1, 0);
            self.seen.resize(at + 1, Vec::new());
        }
        let of_device = &mut self.seen[at];
        let Err(place) = of_device.binary_search_by_key(&seen.sequence, |(known, _)| *known) else {
            return false;
        };
        of_device.insert(place, (seen.sequence, seen.id));
        self.next[at] = self.next[at].max(seen.sequence.saturating_add(1));
        self.epochs.entry(epoch).or_default().push(seen);
        true
    }

    /// The reports of an epoch.
    pub fn reports(&self, epoch: EpochNumber) -> &[Seen] {
        self.epochs.get(&epoch).map_or(&[], Vec::as_slice)
    }

    /// Forgets the reports of an epoch and all before; their devices' sequence numbers stay used.
    pub fn forget(&mut self, epoch: EpochNumber) -> Vec<Seen> {
        let kept = self.epochs.split_off(&epoch.next());
        let forgotten: Vec<Seen> = std::mem::replace(&mut self.epochs, kept)
            .into_values()
            .flatten()
            .collect();
        for old in &forgotten {
            self.seen[old.device.index()].retain(|(sequence, _)| *sequence != old.sequence);
        }
        forgotten
    }

    /// The next sequence number of each device, by number.
    pub fn sequences(&self) -> &[u64] {
        &self.next
    }

    /// Restores `sequences` of an earlier life.
    pub fn restore(&mut self, open: EpochNumber, sequences: Vec<u64>) {
        self.open = self.open.max(open);
        self.seen.resize(sequences.len().max(self.seen.len()), Vec::new());
        self.next = sequences;
        self.next.resize(self.seen.len(), 0);
    }
}
