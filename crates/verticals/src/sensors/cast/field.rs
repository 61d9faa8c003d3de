//! Rain that moves: storms as discs on straight ways, and what a tipping bucket makes of them. Integers only.

use super::{SLOT_MS, SLOTS};
use cairn_types::CellId;
use h3o::CellIndex;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// A place, in thousandths of a step from the middle of the city.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    x: i64,
    y: i64,
}

/// What one tip of the bucket holds, in micrometres.
const TIP: i64 = 101;

/// Sixteen directions, a thousand long.
const DIRECTIONS: [(i64, i64); 16] = [
    (1000, 0),
    (924, 383),
    (707, 707),
    (383, 924),
    (0, 1000),
    (-383, 924),
    (-707, 707),
    (-924, 383),
    (-1000, 0),
    (-924, -383),
    (-707, -707),
    (-383, -924),
    (0, -1000),
    (383, -924),
    (707, -707),
    (924, -383),
];

/// One storm; at slot `middle` its centre is at `nearest`.
#[derive(Clone, Copy, Debug)]
struct Storm {
    middle: i64,
    nearest: Point,
    /// Thousandths of a step in a slot.
    speed: Point,
    radius: i64,
    /// Rain at the centre.
    peak: i64,
}

/// All storms of a story.
pub struct Field {
    seed: u64,
    storms: Vec<Storm>,
}

/// Where a cell is, seen from another of the same resolution; far cells that have no common grid are at the middle.
pub fn point(centre: CellId, cell: CellId) -> Point {
    let index = |cell: CellId| CellIndex::try_from(cell.get()).expect("a cell id is a cell");
    let grid = |cell: CellId| index(cell).to_local_ij(index(centre)).ok();
    let (Some(home), Some(there)) = (grid(centre), grid(cell)) else {
        return Point { x: 0, y: 0 };
    };
    let (i, j) = (
        i64::from(there.coord.i) - i64::from(home.coord.i),
        i64::from(there.coord.j) - i64::from(home.coord.j),
    );
    Point {
        x: 1_000 * i - 500 * j,
        y: 866 * j,
    }
}

impl Field {
    /// Storms every five to nine hours for so many hours.
    pub fn new(random: &mut ChaCha8Rng, hours: u64) -> Self {
        let slots = i64::try_from(hours * SLOTS).unwrap_or(i64::MAX);
        let seed = random.next_u64();
        let mut within = |from: i64, to: i64| from + (random.next_u64() % (to - from) as u64) as i64;
        let mut storms = Vec::new();
        let mut middle = within(12, 36);
        while middle < slots + 24 {
            let (x, y) = DIRECTIONS[within(0, 16) as usize];
            let (speed, aside) = (within(2_000, 3_000), within(-5_000, 5_000));
            storms.push(Storm {
                middle,
                nearest: Point {
                    x: -y * aside / 1_000,
                    y: x * aside / 1_000,
                },
                speed: Point {
                    x: x * speed / 1_000,
                    y: y * speed / 1_000,
                },
                radius: within(25_000, 35_000),
                peak: within(300, 1_200),
            });
            middle += within(60, 108);
        }
        Self { seed, storms }
    }

    /// What falls at a place in a slot.
    fn rain(&self, place: Point, slot: i64) -> i64 {
        let of = |storm: &Storm| {
            let since = slot - storm.middle;
            let x = place.x - storm.nearest.x - storm.speed.x * since;
            let y = place.y - storm.nearest.y - storm.speed.y * since;
            let (away, radius) = (x * x + y * y, storm.radius * storm.radius);
            if away < radius {
                storm.peak * ((radius - away) / 1_000) / (radius / 1_000)
            } else {
                0
            }
        };
        self.storms
            .iter()
            .filter(|storm| (slot - storm.middle).abs() < 48)
            .map(of)
            .sum()
    }

    /// An hour of a gauge, slot by slot; about one reading in fifty is lost.
    pub fn gauge(&self, gauge: u64, place: Point, hour: u64) -> Vec<Option<i64>> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed ^ (gauge << 32) ^ hour);
        let mut percent = |from: u64, to: u64| (from + random.next_u64() % (to - from)) as i64;
        let mut in_bucket = percent(0, TIP as u64);
        let catch = 92 + (gauge % 17) as i64;
        let slot = |slot: u64| {
            let falls = self.rain(place, (hour * SLOTS + slot) as i64);
            in_bucket += falls * catch / 100 * percent(80, 121) / 100;
            let tips = in_bucket / TIP;
            in_bucket %= TIP;
            (percent(0, 50) > 0).then_some(tips * TIP)
        };
        (0..SLOTS).map(slot).collect()
    }
}

const _: () = assert!(SLOTS * SLOT_MS == 3_600_000, "an hour is whole slots");
