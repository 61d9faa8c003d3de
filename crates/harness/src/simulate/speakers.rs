//! The devices of a town and what carries their reports: honest gauges behind real agents, the cast's cheats behind one more, and a
//! device that says one thing to one verifier and another to the next.

use super::scene::{AGENTS, Scene};
use crate::agents::{Process, known};
use crate::people::{device_key, network_id};
use crate::world::cheats;
use crate::{START, STEPS_PER_HOUR, time_of};
use cairn_agent::keys::Keys;
use cairn_types::{AccountNumber, DeviceId, Envelope, Report, TimeMs};
use cairn_verticals::kit::{CastDevice, Reading, Role};
use cairn_verticals::sensors::cast::{self, City};
use cairn_verticals::sensors::report;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The device with two faces.
const TWO_FACED: &str = "two-faced";

/// All devices.
pub struct Speakers {
    city: City,
    /// The cast's, and the one with two faces at the end.
    pub devices: Vec<CastDevice>,
    honest: usize,
    hour: Option<(u64, Vec<Vec<Reading>>)>,
    /// Envelopes that cheats sealed, by when they come.
    cheats: BTreeMap<TimeMs, Vec<Vec<u8>>>,
}

impl Speakers {
    pub fn of(scene: &Scene) -> Self {
        // Some hours more than are played, for whoever's clock is ahead.
        let city = cast::city(scene.seed, scene.devices, true, scene.hours + 3);
        let mut devices = city.devices().to_vec();
        let operators = devices.iter().map(|device| device.operator.0).max().unwrap_or(0);
        let like = devices[0].clone();
        devices.push(CastDevice {
            name: TWO_FACED.to_owned(),
            operator: AccountNumber(operators + 1),
            role: Role::Cheat {
                name: TWO_FACED,
                reason: cairn_verticals::kit::reasons::EQUIVOCATED,
            },
            ..like
        });
        Self {
            cheats: cheats(&city, scene.hours),
            honest: scene.devices,
            hour: None,
            devices,
            city,
        }
    }

    pub fn honest(&self) -> usize {
        self.honest
    }

    /// What honest devices say about the slot that ended: device and reading.
    pub fn readings(&mut self, slot: u64) -> Vec<(usize, Reading)> {
        let hour = slot / STEPS_PER_HOUR;
        if self.hour.as_ref().is_none_or(|(known, _)| *known != hour) {
            let says = |device| self.city.readings(device, hour, START);
            self.hour = Some((hour, (0..self.honest).map(says).collect()));
        }
        let (_, hour) = self.hour.as_ref().expect("it was just made");
        let of_slot = |(device, readings): (usize, &Vec<Reading>)| {
            let reading = readings.iter().find(|reading| reading.time == time_of(slot));
            reading.map(|reading| (device, *reading))
        };
        hour.iter().enumerate().filter_map(of_slot).collect()
    }

    /// What cheats hand over by now.
    pub fn cheats(&mut self, now: TimeMs) -> Vec<Vec<u8>> {
        let later = self.cheats.split_off(&TimeMs(now.0 + 1));
        std::mem::replace(&mut self.cheats, later)
            .into_values()
            .flatten()
            .collect()
    }

    /// Two reports about an hour under one sequence number.
    pub fn two_faces(&self, hour: u64) -> [Vec<u8>; 2] {
        let place = self.devices.len() - 1;
        let readings = self.city.readings(0, hour, START);
        let face = |more: i64| {
            let mut readings = readings.clone();
            readings.iter_mut().for_each(|reading| reading.value += more);
            let report = Report {
                network: network_id(),
                time: readings
                    .last()
                    .map_or(time_of(hour * STEPS_PER_HOUR), |reading| reading.time),
                sequence: hour,
                body: report::encode(&readings).expect("an hour of a gauge fits a body"),
            };
            Envelope::seal(&report, &device_key(place))
        };
        [face(0), face(1)]
    }

    pub fn device(&self, place: usize) -> DeviceId {
        device_key(place).public().device_id()
    }
}

/// The places of the verifiers that each agent knows: all of them, each agent beginning with another.
pub fn routes(scene: &Scene) -> Vec<Vec<usize>> {
    let houses = scene.houses().count();
    let route = |agent| (0..houses).map(|place| (agent + place) % houses).collect();
    (0..=AGENTS).map(route).collect()
}

/// The agents: honest devices shared out among them, cheats in the last.
pub fn agents(scene: &Scene, speakers: &Speakers) -> Vec<Process> {
    let all = speakers.devices.iter().enumerate();
    let keys = Keys::in_memory(all.map(|(place, device)| (device.name.clone(), device_key(place))));
    let keys = Arc::new(keys);
    let mut names: Vec<Vec<String>> = vec![Vec::new(); AGENTS + 1];
    for (place, device) in speakers.devices.iter().enumerate() {
        let agent = if place < speakers.honest {
            place % AGENTS
        } else {
            AGENTS
        };
        names[agent].push(device.name.clone());
    }
    let parties: Vec<_> = scene.houses().map(|party| known(&party.who)).collect();
    let routes = routes(scene);
    let process = |(agent, names): (usize, Vec<String>)| {
        let verifiers = routes[agent].iter().map(|place| parties[*place].clone());
        Process::new(agent as u8, names, &keys, verifiers.collect())
    };
    names.into_iter().enumerate().map(process).collect()
}
