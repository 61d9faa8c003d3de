//! Places as points on a sphere, and the distance between them, in integers: what a rule holds a link against. It knows a
//! device only as well as the public does, by the centre of its cell.
//!
//! A point is a unit vector of three numbers scaled by 2^30. The chord between two points gives the arc by the series of
//! the haversine's inverse sine, so that distances come out within two metres where links are; on the other side of the
//! earth they are up to a sixth too short.

use super::decimal::scaled;
use cairn_types::CellId;
use h3o::{CellIndex, LatLng};

/// The mean radius of the earth (IUGG), in metres.
pub const EARTH_M: u64 = 6_371_009;

const UNIT_BITS: u32 = 30;
const ONE: i128 = 1 << 40;
/// A micro-degree in parts of 2^60 of a radian.
const MICRO_DEGREE: i128 = 20_122_276_272;

/// How far the corners of a cell are from its centre at most, in metres, by resolution: 1.3 times H3's published average
/// length of an edge, as cells of one resolution differ.
const CELL_RADIUS_M: [u32; 16] = [
    1_665_000, 628_000, 237_300, 89_700, 33_900, 12_810, 4_843, 1_828, 691, 262, 99, 38, 15, 6, 2, 1,
];

/// A place in micro-degrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub latitude: i32,
    pub longitude: i32,
}

/// A place as a unit vector, scaled by 2^30.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point([i64; 3]);

impl Place {
    /// The centre of a cell, to a hundred-thousandth of a degree (about a metre), so that the last bits in which machines
    /// compute an angle differently are not in it.
    pub fn of(cell: CellId) -> Self {
        let centre = LatLng::from(CellIndex::try_from(cell.get()).expect("a cell id is a cell"));
        // As decimal text, rounded there: nothing here computes with a number that is not an integer.
        let micro = |degrees: String| scaled(&degrees, 6, 1, 1).and_then(|micro| i32::try_from(micro).ok());
        let micro = |degrees| micro(degrees).expect("a place on earth");
        Self {
            latitude: micro(format!("{:.5}", centre.lat())),
            longitude: micro(format!("{:.5}", centre.lng())),
        }
    }

    pub fn point(self) -> Point {
        let (latitude, longitude) = (i64::from(self.latitude), i64::from(self.longitude));
        let unit = |value: i128| i64::try_from(value >> (40 - UNIT_BITS)).expect("a part of one");
        let across = cosine(latitude);
        Point([
            unit(across * cosine(longitude) / ONE),
            unit(across * sine(longitude) / ONE),
            unit(sine(latitude)),
        ])
    }
}

impl Point {
    pub fn of(cell: CellId) -> Self {
        Place::of(cell).point()
    }

    /// Along the surface, in metres.
    pub fn metres_to(self, other: Self) -> u64 {
        let squares = self.0.iter().zip(other.0).map(|(one, other)| {
            let apart = one.abs_diff(other);
            u128::from(apart) * u128::from(apart)
        });
        let radius = u128::from(EARTH_M);
        let chord = ((squares.sum::<u128>() * radius * radius) >> (2 * UNIT_BITS)).isqrt();
        // arcsin x = x + x³/6 + 3x⁵/40 + 15x⁷/336 + …, with x = chord / (2 · radius).
        let (mut arc, mut power) = (chord, chord);
        let terms: [(u128, u128); 5] = [(1, 6), (3, 40), (5, 112), (35, 1_152), (63, 2_816)];
        for (above, below) in terms {
            power = power * chord / (2 * radius) * chord / (2 * radius);
            arc += power * above / below;
        }
        u64::try_from(arc).unwrap_or(u64::MAX)
    }
}

/// How far from the centre of its cell a device may stand.
pub fn radius_m(cell: CellId) -> u64 {
    CELL_RADIUS_M[usize::from(cell.resolution())].into()
}

/// The sine of an angle in micro-degrees, scaled by 2^40.
fn sine(angle: i64) -> i128 {
    let angle = angle.rem_euclid(360_000_000);
    let (sign, angle) = if angle >= 180_000_000 {
        (-1, angle - 180_000_000)
    } else {
        (1, angle)
    };
    let acute = angle.min(180_000_000 - angle);
    let x = (i128::from(acute) * MICRO_DEGREE) >> 20;
    let square = x * x / ONE;
    let (mut sum, mut term) = (x, x);
    for n in 1..9 {
        term = -(term * square / ONE) / (2 * n * (2 * n + 1));
        sum += term;
    }
    sign * sum.min(ONE)
}

fn cosine(angle: i64) -> i128 {
    sine(angle + 90_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metres(one: (f64, f64), other: (f64, f64)) -> u64 {
        let micro = |degrees: f64| (degrees * 1e6).round() as i32;
        let point = |(latitude, longitude)| {
            Place {
                latitude: micro(latitude),
                longitude: micro(longitude),
            }
            .point()
        };
        point(one).metres_to(point(other))
    }

    /// The textbook's haversine, in floats.
    fn haversine(one: (f64, f64), other: (f64, f64)) -> f64 {
        let [(a, b), (c, d)] = [one, other].map(|(x, y)| (x.to_radians(), y.to_radians()));
        let half = ((c - a) / 2.0).sin().powi(2) + a.cos() * c.cos() * ((d - b) / 2.0).sin().powi(2);
        2.0 * EARTH_M as f64 * half.sqrt().min(1.0).asin()
    }

    #[test]
    fn distances_are_the_haversines() {
        let places = [
            (45.18402, 5.74036),
            (45.19501, 5.77332),
            (48.86444, 2.32361),
            (-33.9, 151.2),
            (0.0, 179.9),
            (0.0, -179.9),
            (89.9, 12.0),
            (-60.0, -70.0),
        ];
        for one in places {
            for other in places {
                let (measured, expected) = (metres(one, other) as f64, haversine(one, other));
                let allowed = if expected < 1_000_000.0 { 2.0 } else { expected / 6.0 };
                assert!(
                    (measured - expected).abs() <= allowed,
                    "{one:?} {other:?}: {measured} {expected}"
                );
            }
        }
    }

    #[test]
    fn a_cell_holds_every_place_within_its_radius() {
        let cell: CellId = "881969c9b7fffff".parse().expect("a cell");
        let index = CellIndex::try_from(cell.get()).expect("a cell");
        for corner in index.boundary().iter() {
            let place = Place {
                latitude: (corner.lat() * 1e6) as i32,
                longitude: (corner.lng() * 1e6) as i32,
            };
            assert!(Point::of(cell).metres_to(place.point()) <= radius_m(cell));
        }
    }
}
