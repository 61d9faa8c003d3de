//! Wireless: LoRaWAN hotspots that prove where they cover and carry packets for whoever pays.
//!
//! One unit is an hour of proven coverage of one cell: half for a beacon that others heard, half for beacons of others that
//! were heard. Packets are another income, paid by the customer, and never make units. A report tells what a device sent
//! and heard in an epoch. Believed is what was asked for by the epoch's seed, what physics lets pass between the places, what
//! others there bear out, and what was not told before. Cheats defended, each with a player in the cast: the place that
//! moved, the place never stood at, the signal made stronger, the signal no receiver reads, one radio under two names, old
//! frames told again, the clock that is off, the beacon off its time, the beacon too loud, and a device that witnesses
//! itself. Not defended: several radios of one owner that talk to each other by wire and shape what they claim by the rules,
//! and a place where cheats are the majority.

pub mod beacon;
pub mod cast;
pub mod coverage;
pub mod driver;
pub mod judge;
pub mod link;
pub mod params;
pub mod region;
pub mod report;
pub mod service;

use crate::kit::vertical::AssessInputError;
use crate::kit::{
    Admitted, Bill, BodyError, Cast, Driver, Epoch, Judgement, Member, Offer, ParamsError, QuantityText, Reading,
    ReasonText, Rules, Shape, Survey, Vertical,
};
use cairn_types::{EpochClock, Finding};
use params::Params;

/// The vertical `wireless`.
pub struct Wireless;

impl Vertical for Wireless {
    fn name(&self) -> &'static str {
        "wireless"
    }

    fn unit(&self) -> &'static str {
        "cell-hour of proven coverage"
    }

    fn reasons(&self) -> &'static [ReasonText] {
        judge::reasons::REASONS
    }

    fn quantities(&self) -> &'static [QuantityText] {
        report::QUANTITIES
    }

    fn default_params(&self) -> Vec<u8> {
        Params::default().encode()
    }

    fn check_params(&self, params: &[u8]) -> Result<(), ParamsError> {
        Params::decode(params).map(|_| ())
    }

    fn reputation(&self, params: &[u8]) -> Result<Rules, ParamsError> {
        Params::decode(params).map(|params| params.rules())
    }

    fn check_body(&self, body: &[u8]) -> Result<(), BodyError> {
        report::Body::decode(body).map(drop)
    }

    fn read_body(&self, body: &[u8], out: &mut Vec<Reading>) -> Result<(), BodyError> {
        report::decode(body, out)
    }

    fn driver(&self, params: &[u8], clock: EpochClock) -> Result<Box<dyn Driver>, ParamsError> {
        let regions = Params::decode(params)?.regions;
        let region = u8::try_from(regions.trailing_zeros()).unwrap_or(0);
        Ok(Box::new(driver::HotspotDriver::new(clock, region)))
    }

    fn survey(&self, reports: &[Admitted]) -> Survey {
        Survey::of(reports, report::decode)
    }

    fn judge<'a>(&self, epoch: &Epoch<'a>, survey: &'a Survey) -> Result<Box<dyn Judgement + 'a>, AssessInputError> {
        Ok(Box::new(judge::judge(epoch, survey)?))
    }

    fn shape(&self) -> Shape {
        service::SHAPE
    }

    fn offer(&self, member: &Member, finding: &Finding) -> Option<Offer> {
        service::offer(member, finding)
    }

    fn meter(&self, params: &[u8], delivered: u64) -> Result<Bill, ParamsError> {
        Ok(service::meter(&Params::decode(params)?, delivered))
    }

    fn cast(&self, seed: u64) -> Box<dyn Cast> {
        Box::new(cast::town(seed, 22, true, 96))
    }
}
