//! What the believed receptions of an epoch say of places: a map by cell, and what a new device would earn somewhere before
//! anybody buys it. It judges nothing, and promises nothing: a hill in between is not in it.

use super::beacon::due;
use super::judge::memory::Memory;
use super::judge::witnesses::ranks;
use super::link::{free_space_ddb, horizon_m, sensitivity_ddbm};
use super::params::{COARSEST, Params};
use super::region::{self, Region};
use super::report::{BEACON, Body, HEARD, Heard};
use crate::kit::place::Point;
use crate::kit::vertical::AssessInputError;
use crate::kit::{Epoch, density};
use cairn_types::{CellId, DeviceNumber, Finding, TimeMs};
use std::collections::BTreeMap;

/// What a link between two roofs usually loses beyond free space: the middle of what recorded honest links of 1 to 13 km
/// lost, in tenths of a decibel.
const USUAL_LOSS_DDB: i64 = 300;

/// A place that was heard: where the sender stood, who heard it, how strong, when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sounding {
    pub cell: CellId,
    pub device: DeviceNumber,
    pub rssi_ddbm: i16,
    pub time: TimeMs,
}

/// What is known of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Covered {
    pub cell: CellId,
    pub best_ddbm: i16,
    /// The lower of the two middles.
    pub median_ddbm: i16,
    /// How many devices hear it.
    pub devices: u32,
    pub latest: TimeMs,
}

/// The receptions of a report that its finding believes.
pub fn believed<'a>(body: &'a Body, finding: &'a Finding) -> impl Iterator<Item = &'a Heard> {
    let spans = finding.spans.iter().filter(|span| span.quantity == HEARD);
    body.heard
        .iter()
        .zip(spans)
        .filter(|(_, span)| span.reason.is_none())
        .map(|(heard, _)| heard)
}

/// What an epoch's reports, each with its finding, say of places: where a believed beacon was sent from, or where the customer says
/// that a sender stands, and who heard it there. The epoch's memory is the one it was judged by, the kit's part included.
pub fn soundings(epoch: &Epoch, said: &[(Body, &Finding)]) -> Result<Vec<Sounding>, AssessInputError> {
    let params = Params::decode(epoch.params)?;
    let memory = crate::kit::memory::Memory::decode(epoch.memory)?;
    let seed = Memory::decode(memory.vertical)?.seed;
    let ranks = ranks(epoch);
    let times = (epoch.epoch, epoch.start, epoch.end);
    let mut beacons: BTreeMap<u64, CellId> = BTreeMap::new();
    for (body, finding) in said {
        let row = epoch
            .roster
            .binary_search_by_key(&finding.device, |member| member.number);
        let (Ok(row), Some(region)) = (row, region::by_number(body.station.region)) else {
            continue;
        };
        let cell = epoch.roster[row].cell;
        let due = due(&params, region, &seed, times, (cell, ranks[row]));
        let spans = finding.spans.iter().filter(|span| span.quantity == BEACON);
        let stand = body.beacons.iter().zip(spans).filter(|(_, span)| span.reason.is_none());
        beacons.extend(stand.map(|(beacon, _)| (due.frame(beacon.nonce), cell)));
    }
    let mut soundings = Vec::new();
    for (body, finding) in said {
        for heard in believed(body, finding) {
            let told = heard.source.and_then(|source| source.place);
            let cell = beacons.get(&heard.frame).copied().or(told);
            soundings.extend(cell.map(|cell| Sounding {
                cell,
                device: finding.device,
                rssi_ddbm: heard.rssi_ddbm,
                time: heard.time,
            }));
        }
    }
    Ok(soundings)
}

/// The map of these soundings at a resolution, in the order of cells.
pub fn map(soundings: &[Sounding], resolution: u8) -> Vec<Covered> {
    let mut cells: BTreeMap<CellId, Vec<&Sounding>> = BTreeMap::new();
    for sounding in soundings {
        let cell = sounding.cell.parent(resolution).unwrap_or(sounding.cell);
        cells.entry(cell).or_default().push(sounding);
    }
    let covered = |(cell, own): (CellId, Vec<&Sounding>)| {
        let mut signals: Vec<i16> = own.iter().map(|sounding| sounding.rssi_ddbm).collect();
        signals.sort_unstable();
        let mut devices: Vec<DeviceNumber> = own.iter().map(|sounding| sounding.device).collect();
        devices.sort_unstable();
        devices.dedup();
        Covered {
            cell,
            best_ddbm: *signals.last().expect("a cell has soundings"),
            median_ddbm: signals[(signals.len() - 1) / 2],
            devices: u32::try_from(devices.len()).unwrap_or(u32::MAX),
            latest: own
                .iter()
                .map(|sounding| sounding.time)
                .max()
                .expect("a cell has soundings"),
        }
    };
    cells.into_iter().map(covered).collect()
}

/// What a device may expect in a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Devices that would usually hear it, and be heard.
    pub neighbours: u32,
    /// Of a million: what density would leave.
    pub part: u64,
    /// Micro-units of an epoch.
    pub units: u64,
}

/// What a device would earn in an epoch at a cell, this high above the sea, among the devices that earn now and their
/// heights.
pub fn expected(
    params: &Params,
    region: &Region,
    devices: &[(CellId, Option<i16>)],
    here: (CellId, Option<i16>),
) -> Expected {
    let point = Point::of(here.0);
    let height = |height: Option<i16>| i32::from(height.unwrap_or(params.height_m));
    let frequency = region.channels_hz.first().copied().unwrap_or(0);
    let slowest = region.beacon_rates.first().and_then(|rate| region.rate(*rate));
    let hears = |other: &&(CellId, Option<i16>)| {
        let metres = point.metres_to(Point::of(other.0));
        let far = metres > horizon_m(height(here.1)) + horizon_m(height(other.1));
        let near = here
            .0
            .steps_to(other.0)
            .is_some_and(|steps| steps < params.apart_steps.into());
        let gains = i64::from(region.power_ddbm.min(POWER_USUAL_DDBM)) + i64::from(params.gain_ddbi);
        let signal = gains - free_space_ddb(metres, frequency.into()) - USUAL_LOSS_DDB;
        !far && !near && slowest.is_some_and(|rate| signal >= sensitivity_ddbm(rate) + NOISE_OF_ITS_OWN_DDB)
    };
    let neighbours = devices.iter().filter(hears).count() as u64;
    let cells: Vec<CellId> = devices.iter().map(|device| device.0).chain([here.0]).collect();
    let part = density::parts(&cells, COARSEST, &params.density)
        .get(&here.0)
        .copied()
        .unwrap_or(0);
    let target = u64::from(params.witness_target);
    Expected {
        neighbours: u32::try_from(neighbours).unwrap_or(u32::MAX),
        part,
        units: neighbours.min(target) * part / target,
    }
}

/// What hotspots usually radiate, and what a usual receiver adds to thermal noise.
const POWER_USUAL_DDBM: i16 = 140;
const NOISE_OF_ITS_OWN_DDB: i64 = 60;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wireless::region::REGIONS;

    fn centre() -> CellId {
        "881969c9b7fffff".parse().expect("a cell")
    }

    #[test]
    fn a_cell_is_as_covered_as_it_was_heard() {
        let sounding = |cell, device, rssi_ddbm, time| Sounding {
            cell,
            device: DeviceNumber(device),
            rssi_ddbm,
            time: TimeMs(time),
        };
        let other = *centre()
            .disk(1)
            .iter()
            .find(|cell| **cell != centre())
            .expect("a neighbour");
        let soundings = [
            sounding(centre(), 1, -1_200, 5),
            sounding(centre(), 1, -900, 9),
            sounding(centre(), 2, -1_000, 7),
            sounding(other, 2, -1_100, 1),
        ];
        let map = map(&soundings, 8);
        let here = map.iter().find(|covered| covered.cell == centre()).expect("covered");
        assert_eq!(map.len(), 2);
        assert_eq!(
            (here.best_ddbm, here.median_ddbm, here.devices, here.latest),
            (-900, -1_000, 2, TimeMs(9))
        );
        assert_eq!(super::map(&soundings, 0).len(), 1);
    }

    #[test]
    fn a_place_is_worth_what_its_neighbours_and_its_crowd_leave() {
        let params = Params::default();
        let ring = |steps: u32| -> Vec<(CellId, Option<i16>)> {
            let cells = centre().disk(steps).into_iter();
            cells
                .filter(|cell| cell.steps_to(centre()) == Some(steps))
                .map(|cell| (cell, None))
                .collect()
        };
        let expect = |devices: &[(CellId, Option<i16>)]| expected(&params, &REGIONS[0], devices, (centre(), None));
        assert_eq!(expect(&[]).units, 0, "nobody to hear it");
        let few = &ring(4)[..2];
        assert_eq!((expect(few).neighbours, expect(few).units), (2, 500_000));
        assert_eq!(expect(&ring(4)[..6]).units, 1_000_000);
        let mut crowded = ring(4)[..6].to_vec();
        crowded.push((centre(), None));
        assert_eq!(expect(&crowded).units, 500_000, "another stands there already");
        assert_eq!(expect(&ring(60)[..6]).neighbours, 0, "too far away");
    }

    #[test]
    fn a_towns_map_has_its_beacons_and_its_sensors() {
        use crate::kit::{Admitted, Cast as _, Member, Vertical as _, assess};
        use crate::wireless::{Wireless, cast::town};
        use cairn_types::{DeviceId, EpochClock, EpochNumber, NetworkId};
        let clock = EpochClock {
            genesis: TimeMs(1_500_076_800_000),
            epoch_ms: 3_600_000,
        };
        let town = town(7, 12, false, 2);
        let member = |(number, device): (u32, &crate::kit::CastDevice)| Member {
            number: DeviceNumber(number),
            device: DeviceId([number as u8; 32]),
            operator: device.operator,
            cell: device.cell,
            joined: EpochNumber(0),
            barred_until: None,
        };
        let roster: Vec<Member> = (0..).zip(town.devices()).map(member).collect();
        let params = Wireless.default_params();
        let (mut memory, mut maps) = (Vec::new(), Vec::new());
        for hour in [EpochNumber(0), EpochNumber(1)] {
            let epoch = Epoch {
                network: NetworkId([1; 32]),
                epoch: hour,
                start: clock.start(hour),
                end: clock.end(hour),
                params: &params,
                roster: &roster,
                memory: &memory,
                beacon: [0; 32],
            };
            let report = |said: crate::kit::CastReport| Admitted {
                id: cairn_types::ReportId([said.device as u8; 32]),
                device: DeviceNumber(said.device as u32),
                time: said.pack.time,
                received: said.received,
                sequence: said.sequence,
                body: said.pack.body,
            };
            let reports: Vec<Admitted> = town.reports(hour, &clock).into_iter().map(report).collect();
            let assessment = assess(&Wireless, &epoch, &reports, 1).expect("an epoch");
            let body = |finding: &Finding| {
                let report = reports
                    .iter()
                    .find(|report| report.id == finding.report)
                    .expect("its own");
                Body::decode(&report.body).expect("a body")
            };
            let said: Vec<(Body, &Finding)> = assessment
                .findings
                .iter()
                .map(|finding| (body(finding), finding))
                .collect();
            let soundings = soundings(&epoch, &said).expect("soundings");
            maps.push(map(&soundings, 8));
            memory = assessment.memory;
        }
        for map in maps {
            let beaconed = map
                .iter()
                .filter(|covered| roster.iter().any(|member| member.cell == covered.cell));
            assert!(beaconed.count() >= 8 && map.len() > 10, "{map:?}");
            assert!(map.iter().any(|covered| covered.devices > 3));
        }
    }

    #[test]
    fn only_what_was_believed_is_on_the_map() {
        use cairn_types::{Reason, ReportId, Span};
        let heard = |frame| Heard {
            time: TimeMs(frame),
            frame,
            frequency_hz: 0,
            rate: 0,
            rssi_ddbm: 0,
            snr_ddb: 0,
            held_ms: 0,
            size: 0,
            source: None,
        };
        let body = Body {
            heard: vec![heard(1), heard(2)],
            ..Body::default()
        };
        let span = |reason| Span {
            start: TimeMs(0),
            end: TimeMs(1),
            quantity: HEARD,
            reason,
            measured: 0,
            limit: 0,
        };
        let finding = Finding {
            report: ReportId([0; 32]),
            device: DeviceNumber(0),
            units: 0,
            reason: None,
            spans: vec![span(Some(Reason(114))), span(None)],
        };
        let frames: Vec<u64> = believed(&body, &finding).map(|heard| heard.frame).collect();
        assert_eq!(frames, [2]);
    }
}
