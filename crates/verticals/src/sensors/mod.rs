//! Sensors: citizens' stations that measure rain, air and noise where people live.
//!
//! One unit is one hour of believed readings of one cell, in every quantity the network pays for. A report is a SenML pack
//! with the readings of an epoch; each reading stands in a slot. Believed is what is possible, arrives in time, moves as
//! nature does and fits what the neighbours measure. Cheats defended, each with a player in the cast: the gauge indoors
//! (all zero), the stuck value, the copied neighbour, the wrong place, the replayed day, the wrong unit, the clock ahead,
//! and one station registered twice. Not defended: a copy with noise added, a copy sent within minutes of its original by a
//! device registered earlier, and a place where cheats are the majority.

pub mod cast;
pub mod driver;
pub mod judge;
pub mod params;
pub mod report;
pub mod service;

use crate::kit::vertical::AssessInputError;
use crate::kit::{
    Admitted, Bill, BodyError, Cast, Driver, Epoch, Judgement, Member, Offer, ParamsError, QuantityText, Reading,
    ReasonText, Rules, Shape, Survey, Vertical,
};
use cairn_types::{EpochClock, Finding};
use params::Params;

/// The vertical `sensors`.
pub struct Sensors;

impl Vertical for Sensors {
    fn name(&self) -> &'static str {
        "sensors"
    }

    fn unit(&self) -> &'static str {
        "valid cell-hour of readings"
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
        report::decode(body, &mut Vec::new())
    }

    fn read_body(&self, body: &[u8], out: &mut Vec<Reading>) -> Result<(), BodyError> {
        report::decode(body, out)
    }

    fn driver(&self, params: &[u8], clock: EpochClock) -> Result<Box<dyn Driver>, ParamsError> {
        let slot_ms = Params::decode(params)?.slot_ms;
        Ok(Box::new(driver::StationDriver::new(clock, slot_ms.into())))
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
        Box::new(cast::city(seed, 60, true, 96))
    }
}
