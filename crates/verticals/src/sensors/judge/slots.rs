//! Puts each reading into its slot: one value per device, quantity and slot. Refuses what has the wrong time, the wrong
//! size, or comes twice; believes nothing else about it.

use super::reasons::{AHEAD, DUPLICATE, OUTSIDE_EPOCH, RANGE, RATE};
use super::verdicts::Verdicts;
use crate::kit::{Epoch, Survey, Surveyed};
use crate::sensors::params::Params;
use crate::sensors::report::QUANTITIES_MAX;
use cairn_types::TimeMs;

/// No value in a slot.
pub const NONE: i64 = i64::MIN;

/// The readings of one quantity: devices by slots.
#[derive(Clone, Debug)]
pub struct Series {
    pub slots: usize,
    /// The value, or `NONE`.
    pub values: Vec<i64>,
    /// The place of the reading in the survey; of no meaning where there is no value.
    pub owners: Vec<u32>,
}

impl Series {
    fn new(rows: usize, slots: usize) -> Self {
        Self {
            slots,
            values: vec![NONE; rows * slots],
            owners: vec![0; rows * slots],
        }
    }

    /// One device's values, slot by slot.
    pub fn row(&self, row: usize) -> &[i64] {
        &self.values[row * self.slots..(row + 1) * self.slots]
    }

    /// The reading that gave a slot its value.
    pub fn owner(&self, row: usize, slot: usize) -> usize {
        self.owners[row * self.slots + slot] as usize
    }
}

/// Readings by quantity; `None` for a quantity nobody reports.
pub type Board = [Option<Series>; QUANTITIES_MAX];

/// Fills the board. `rows` gives the member's row of each report of the survey, `None` for those nobody judges.
pub fn place(
    epoch: &Epoch,
    params: &Params,
    survey: &Survey,
    rows: &[Option<u32>],
    slots: usize,
    verdicts: &mut Verdicts,
) -> Board {
    let mut board: Board = [const { None }; QUANTITIES_MAX];
    for (report, row) in survey.reports.iter().zip(rows) {
        let Some(row) = row else { continue };
        for reading in report.span() {
            place_one(
                epoch,
                params,
                survey,
                report,
                *row as usize,
                reading,
                slots,
                &mut board,
                verdicts,
            );
        }
    }
    board
}

#[expect(clippy::too_many_arguments, reason = "the inner step of one loop")]
fn place_one(
    epoch: &Epoch,
    params: &Params,
    survey: &Survey,
    report: &Surveyed,
    row: usize,
    place: usize,
    slots: usize,
    board: &mut Board,
    verdicts: &mut Verdicts,
) {
    let reading = survey.readings[place];
    let ahead_of = |time: TimeMs, clock: TimeMs| seconds(time.since_ms(clock));
    let allowed = report.received.plus_ms(params.ahead_ms.into());
    if report.time > allowed {
        return verdicts.refuse(
            place,
            AHEAD,
            ahead_of(report.time, report.received),
            i64::from(params.ahead_ms) / 1_000,
        );
    }
    if reading.time > report.time {
        return verdicts.refuse(place, AHEAD, ahead_of(reading.time, report.time), 0);
    }
    if reading.time >= epoch.end {
        return verdicts.refuse(place, OUTSIDE_EPOCH, ahead_of(reading.time, epoch.end), 0);
    }
    if reading.time < epoch.start {
        return verdicts.refuse(place, OUTSIDE_EPOCH, -ahead_of(epoch.start, reading.time), 0);
    }
    let quantity = usize::from(reading.quantity);
    if let Some(excess) = params.limits[quantity].range(reading.value) {
        return verdicts.refuse(place, RANGE, excess.measured, excess.limit);
    }
    let rows = epoch.roster.len();
    let series = board[quantity].get_or_insert_with(|| Series::new(rows, slots));
    let slot = (reading.time.since_ms(epoch.start) / u64::from(params.slot_ms)) as usize;
    let at = row * slots + slot;
    if series.values[at] == NONE {
        series.values[at] = reading.value;
        series.owners[at] = u32::try_from(place).expect("a survey counts readings in 32 bits");
    } else if survey.readings[series.owners[at] as usize].time == reading.time {
        verdicts.refuse(place, DUPLICATE, 2, 1);
    } else {
        verdicts.refuse(place, RATE, 2, 1);
    }
}

fn seconds(ms: u64) -> i64 {
    i64::try_from(ms.div_ceil(1_000)).unwrap_or(i64::MAX)
}
