//! GeoJSON (RFC 7946): a feature a reading, its place the outline of the cell. Nobody learns more of where a device stands.

use crate::rows::{Answer, decimal};
use cairn_types::CellId;
use h3o::CellIndex;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};

pub fn write(answer: &Answer, out: &mut (dyn Write + Send)) -> io::Result<()> {
    let quantity = &answer.quantity;
    let mut outlines: BTreeMap<CellId, Value> = BTreeMap::new();
    out.write_all(b"{\"type\":\"FeatureCollection\",\"features\":[")?;
    for (at, row) in answer.rows().enumerate() {
        let geometry = outlines.entry(row.cell).or_insert_with(|| outline(row.cell));
        let value: Value = serde_json::from_str(&decimal(row.value, quantity.decimals))?;
        let properties = json!({
            "time_utc": row.time.to_string(),
            "device": row.device.to_string(),
            "cell": row.cell.to_string(),
            "quantity": quantity.name,
            "unit": quantity.unit,
            "value": value,
        });
        let comma = if at == 0 { "" } else { "," };
        write!(
            out,
            "{comma}\n{{\"type\":\"Feature\",\"geometry\":{geometry},\"properties\":{properties}}}"
        )?;
    }
    out.write_all(b"\n]}\n")
}

/// The cell as a polygon: corners as longitude and latitude, counter-clockwise, the first again at the end.
pub fn outline(cell: CellId) -> Value {
    let index = CellIndex::try_from(cell.get()).expect("a cell id is a cell");
    let boundary = index.boundary();
    let corners = boundary.iter().chain(boundary.first());
    let ring: Vec<[f64; 2]> = corners.map(|corner| [corner.lng(), corner.lat()]).collect();
    json!({ "type": "Polygon", "coordinates": [ring] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::tests::{answer, written};

    #[test]
    fn a_reading_is_a_feature_whose_ring_closes_around_the_cell() {
        let value: Value = serde_json::from_slice(&written(write, &answer())).unwrap();
        let features = value["features"].as_array().unwrap();
        assert_eq!(features.len(), 3);
        assert_eq!(features[1]["properties"]["value"], 0.101);
        assert_eq!(features[2]["properties"]["value"], -0.005);
        let ring = features[0]["geometry"]["coordinates"][0].as_array().unwrap();
        assert_eq!(ring.first(), ring.last());
        assert_eq!(ring.len(), 7);
        let longitude = ring[0][0].as_f64().unwrap();
        assert!((4.0..6.0).contains(&longitude), "longitude first: {longitude}");
        let at = |corner: &Value, axis: usize| corner[axis].as_f64().unwrap();
        let doubled_area: f64 = ring
            .windows(2)
            .map(|pair| at(&pair[0], 0) * at(&pair[1], 1) - at(&pair[1], 0) * at(&pair[0], 1))
            .sum();
        assert!(doubled_area > 0.0, "counter-clockwise");
    }

    #[test]
    fn no_readings_are_an_empty_collection() {
        let empty = Answer::new(answer().quantity);
        let value: Value = serde_json::from_slice(&written(write, &empty)).unwrap();
        assert_eq!(value["features"], json!([]));
    }
}
