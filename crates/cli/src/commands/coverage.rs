//! `cairn coverage`: where a network of hotspots is heard, and what a new one may expect somewhere, both from an archive.

use crate::epoch_files::EpochFiles;
use crate::error::{Done, Failure, Kind, OrFail};
use crate::output::{Output, decimal, table};
use cairn_gateway::export::geojson::outline;
use cairn_types::{CellId, DeviceNumber, EpochNumber, NetworkId, TimeMs};
use cairn_verifier::archive::EpochArchive;
use cairn_verifier::objects::{Objects, Remote};
use cairn_verifier::{assess, roster};
use cairn_verticals::wireless::coverage::{self, Covered, Sounding};
use cairn_verticals::wireless::params::Params;
use cairn_verticals::wireless::region::REGIONS;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Cells shown on a terminal at most; the file has all.
const ROWS: usize = 20;
/// The resolution at which hotspots are registered.
const RESOLUTION: h3o::Resolution = h3o::Resolution::Eight;

/// See where a network of hotspots is heard, and what a new one may expect.
#[derive(clap::Subcommand)]
#[command(after_help = examples![
    "cairn coverage map --archive .cairn/archive --geojson map.geojson",
    "cairn coverage site --archive .cairn/archive --at 45.184,5.735 --height 240",
])]
pub enum Command {
    Map(Map),
    Site(Site),
}

/// Which epochs of which archive.
#[derive(clap::Args)]
pub struct From {
    /// Folder of the archive: <network>/<epoch>/reports.parquet and its neighbours.
    #[arg(long, value_name = "DIR")]
    archive: PathBuf,
    /// The network's id, where the archive has several.
    #[arg(long, value_name = "ID")]
    network: Option<NetworkId>,
    /// The last so many epochs.
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    epochs: u32,
}

/// The map by cell: best and median signal, how many hotspots hear it, and when last.
///
/// What is on it was believed: beacons where their hotspots are registered, and frames of senders whose place is known. Costs nothing.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn coverage map --archive .cairn/archive --geojson map.geojson"])]
pub struct Map {
    #[command(flatten)]
    from: From,
    /// H3 resolution of the map's cells; 8 is about 0.7 km².
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u8).range(0..=8))]
    resolution: u8,
    /// Write it as GeoJSON, a polygon for each cell.
    #[arg(long, value_name = "FILE")]
    geojson: Option<PathBuf>,
}

/// What a hotspot would earn at a place, before you buy it.
///
/// Counts the hotspots that would usually hear it, and what the crowd there leaves of a unit; prices that by the last epoch. A hill in
/// between is not in it: it promises nothing. Costs nothing.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn coverage site --archive .cairn/archive --at 45.184,5.735 --height 240"])]
pub struct Site {
    #[command(flatten)]
    from: From,
    /// Where: latitude,longitude in degrees, or an H3 cell of resolution 8.
    #[arg(long, value_name = "PLACE", allow_hyphen_values = true)]
    at: Place,
    /// Of the antenna, above the sea, in metres; 300, unless the network says otherwise.
    #[arg(long, value_name = "METRES", allow_hyphen_values = true)]
    height: Option<i16>,
    /// The radio region.
    #[arg(long, value_name = "NAME", default_value = "EU868")]
    region: String,
}

/// A place as a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(CellId);

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((latitude, longitude)) = text.split_once(',') else {
            let cell: CellId = text
                .parse()
                .map_err(|_| "neither latitude,longitude nor a cell".to_owned())?;
            return if cell.resolution() == u8::from(RESOLUTION) {
                Ok(Self(cell))
            } else {
                Err("a cell of another resolution than 8".to_owned())
            };
        };
        let degrees = |text: &str, max: f64| {
            let degrees = text.trim().parse::<f64>().ok().filter(|degrees| degrees.abs() <= max);
            degrees.ok_or_else(|| format!("{text} is no angle in degrees"))
        };
        let place = h3o::LatLng::new(degrees(latitude, 90.0)?, degrees(longitude, 180.0)?);
        let place = place.map_err(|error| error.to_string())?;
        Ok(Self(CellId::from(place.to_cell(RESOLUTION))))
    }
}

pub fn run(command: Command, out: Output) -> Done {
    match command {
        Command::Map(args) => map(&args, out),
        Command::Site(args) => site(&args, out),
    }
}

/// The last epochs of an archive, oldest first.
fn read(from: &From) -> Result<Vec<EpochFiles>, Failure> {
    let no = |what: String| {
        Failure::new(Kind::NotFound, what)
            .hint("name the folder that holds a folder for each network, of a network of hotspots")
    };
    if !from.archive.is_dir() {
        return Err(no(format!("{} is not a folder", from.archive.display())));
    }
    let objects = Remote::folder(&from.archive).or_fail(Kind::Files, from.archive.display())?;
    let names = |folder: &str| objects.list(folder).or_fail(Kind::Files, "the archive");
    let network = match from.network {
        Some(network) => network,
        None => {
            let networks: Vec<NetworkId> = names("")?.iter().filter_map(|name| name.parse().ok()).collect();
            match networks.as_slice() {
                [network] => *network,
                [] => return Err(no(format!("{} holds no network's archive", from.archive.display()))),
                _ => {
                    let failure = Failure::new(Kind::Usage, "the archive holds several networks");
                    return Err(failure.hint("name one with --network ID; `cairn network list` shows them"));
                }
            }
        }
    };
    let mut epochs: Vec<u64> = names(&network.to_string())?
        .iter()
        .filter_map(|name| name.parse().ok())
        .collect();
    epochs.sort_unstable();
    let mut files = Vec::new();
    for epoch in epochs.into_iter().rev() {
        let archive = EpochArchive::of(&objects, &network, EpochNumber(epoch));
        if files.len() >= from.epochs as usize || archive.manifest().or_fail(Kind::Files, "the archive")?.is_none() {
            continue;
        }
        let read = EpochFiles::read(&archive)?;
        if read.inputs.vertical != "wireless" {
            return Err(no(format!(
                "network {network} is of {}, not of hotspots",
                read.inputs.vertical
            )));
        }
        files.push(read);
    }
    if files.is_empty() {
        return Err(no(format!("no epoch of network {network} is complete here")));
    }
    files.reverse();
    Ok(files)
}

fn map(args: &Map, out: Output) -> Done {
    let epochs = read(&args.from)?;
    let mut soundings: Vec<Sounding> = Vec::new();
    for epoch in &epochs {
        let roster = roster::members(&epoch.inputs.roster);
        let said = epoch.said()?;
        let sounded = coverage::soundings(&assess::epoch(&epoch.inputs, &roster), &said);
        soundings.extend(sounded.or_fail(Kind::Files, "the archive's inputs")?);
    }
    let covered = coverage::map(&soundings, args.resolution);
    let until = epochs.last().map_or(TimeMs(0), |epoch| epoch.inputs.end);
    let answer = geojson(&covered, until);
    if let Some(path) = &args.geojson {
        write(path, &answer)?;
    }
    out.answer(&answer, || {
        let mut strongest: Vec<&Covered> = covered.iter().collect();
        strongest.sort_by_key(|covered| (std::cmp::Reverse(covered.devices), covered.cell));
        let row = |covered: &&Covered| {
            vec![
                covered.cell.to_string(),
                dbm(covered.best_ddbm).to_string(),
                dbm(covered.median_ddbm).to_string(),
                covered.devices.to_string(),
                covered.latest.to_string(),
            ]
        };
        let rows: Vec<Vec<String>> = strongest.iter().take(ROWS).map(row).collect();
        let mut lines = vec![format!(
            "{} cells heard in {} epochs until {until}, {} soundings",
            covered.len(),
            epochs.len(),
            soundings.len()
        )];
        lines.extend(table(
            &["cell", "best dBm", "median dBm", "hotspots", "last heard"],
            &rows,
        ));
        lines
    });
    Ok(())
}

fn dbm(tenths: i16) -> f64 {
    f64::from(tenths) / 10.0
}

/// A polygon for each cell (RFC 7946).
fn geojson(covered: &[Covered], until: TimeMs) -> Value {
    let feature = |covered: &Covered| {
        json!({
            "type": "Feature",
            "geometry": outline(covered.cell),
            "properties": {
                "cell": covered.cell.to_string(),
                "best_dbm": dbm(covered.best_ddbm),
                "median_dbm": dbm(covered.median_ddbm),
                "hotspots": covered.devices,
                "last_heard_utc": covered.latest.to_string(),
                "age_ms": until.since_ms(covered.latest),
            },
        })
    };
    json!({ "type": "FeatureCollection", "features": covered.iter().map(feature).collect::<Vec<_>>() })
}

fn write(path: &Path, value: &Value) -> Done {
    std::fs::write(path, format!("{value:#}\n")).or_fail(Kind::Files, path.display())
}

fn site(args: &Site, out: Output) -> Done {
    let region = REGIONS
        .iter()
        .find(|region| region.name == args.region)
        .ok_or_else(|| {
            let names: Vec<&str> = REGIONS.iter().map(|region| region.name).collect();
            Failure::new(Kind::Usage, format!("no region is called {}", args.region))
                .hint(format!("use one of {}", names.join(", ")))
        })?;
    let epochs = read(&args.from)?;
    let last = epochs.last().expect("an archive without epochs was refused");
    let params = Params::decode(&last.inputs.parameters).or_fail(Kind::Files, "the network's parameters")?;
    // Who earned in any of these epochs, and how high it says it stands.
    let mut heights: BTreeMap<DeviceNumber, Option<i16>> = BTreeMap::new();
    for epoch in &epochs {
        for (body, finding) in epoch.said()? {
            if finding.units > 0 {
                heights.insert(finding.device, body.station.height_m);
            }
        }
    }
    let members = last.inputs.roster.iter();
    let devices: Vec<(CellId, Option<i16>)> = members
        .filter_map(|member| Some((member.cell, *heights.get(&member.number)?)))
        .collect();
    let Place(cell) = args.at;
    let expected = coverage::expected(&params, region, &devices, (cell, args.height));
    let units: u64 = last.findings.iter().map(|finding| finding.units).sum();
    let pool = last.inputs.pool.availability.0;
    let share = u128::from(pool) * u128::from(expected.units) / u128::from((units + expected.units).max(1));
    let tokens = u64::try_from(share).unwrap_or(u64::MAX);
    let decimals = last.inputs.economics.decimals;
    let epoch_ms = last.inputs.end.since_ms(last.inputs.start);
    let answer = json!({
        "cell": cell.to_string(),
        "earning_now": devices.len(),
        "neighbours": expected.neighbours,
        "part_of_a_million": expected.part,
        "micro_units_per_epoch": expected.units,
        "tokens_per_epoch": tokens,
        "epoch_ms": epoch_ms,
        "by_epoch": last.inputs.epoch.0,
    });
    out.answer(&answer, || {
        vec![
            format!(
                "place       {cell}, {} hotspots earn in this network now",
                devices.len()
            ),
            format!(
                "neighbours  {} would usually hear it; {} prove the whole of a unit",
                expected.neighbours, params.witness_target
            ),
            format!(
                "crowd       {} % of a unit is left there",
                decimal(expected.part / 100, 2)
            ),
            format!(
                "expected    {} units an epoch of {} minutes, {} tokens by the pool of epoch {}",
                decimal(expected.units, 6),
                epoch_ms / 60_000,
                decimal(tokens, decimals),
                last.inputs.epoch
            ),
            "            packets are paid besides; hills are not counted, and nothing is promised".to_owned(),
        ]
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_two_angles_or_a_cell() {
        let cell: CellId = "881969c9b7fffff".parse().unwrap();
        assert_eq!("881969c9b7fffff".parse(), Ok(Place(cell)));
        let place: Place = "45.184, 5.735".parse().unwrap();
        assert_eq!(place.0.resolution(), 8);
        for bad in ["", "x", "91,0", "45", "45,5,5", "nan,0", "85283473fffffff"] {
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_map_is_geojson_with_closed_rings() {
        let covered = Covered {
            cell: "881969c9b7fffff".parse().unwrap(),
            best_ddbm: -901,
            median_ddbm: -1_000,
            devices: 3,
            latest: TimeMs(1_000),
        };
        let map = geojson(&[covered], TimeMs(5_000));
        let feature = &map["features"][0];
        let ring = feature["geometry"]["coordinates"][0].as_array().unwrap();
        assert_eq!((ring.len(), ring.first()), (7, ring.last()));
        assert_eq!(feature["properties"]["best_dbm"], -90.1);
        assert_eq!(feature["properties"]["age_ms"], 4_000);
    }
}
