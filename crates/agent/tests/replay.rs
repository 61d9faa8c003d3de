//! The replay of real gauges, where the data is at hand.

mod stand;

use cairn_agent::port::replay::{Replay, stations};
use cairn_types::{EpochClock, TimeMs};
use stand::{HOUR_MS, NOON, skip};
use std::path::{Path, PathBuf};

#[test]
fn the_real_gauges_of_amsterdam_play() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let data = std::env::var_os("CAIRN_DATA")
        .map_or(here, PathBuf::from)
        .join("weather");
    let path = data.join("ams_pws_rain_5min.csv.gz");
    if !path.exists() {
        skip("the replay of real gauges: the data is not there");
        return;
    }
    let clock = EpochClock {
        genesis: TimeMs(NOON.0 / HOUR_MS * HOUR_MS),
        epoch_ms: HOUR_MS,
    };
    let places = stations(&data.join("ams_pws_stations.csv")).unwrap();
    let mut replay = Replay::open(&path, clock).unwrap();
    assert!(
        replay
            .stations()
            .iter()
            .all(|name| places.iter().any(|place| place.name == *name))
    );
    let mut driver = stand::network().driver().unwrap();
    let (mut epochs, mut said) = (0, 0);
    for played in replay.by_ref() {
        let played = played.unwrap();
        let readings: usize = played.sayings.iter().map(|saying| saying.readings.len()).sum();
        // The driver understands what is played; two days show it.
        if epochs < 48 {
            let messages = played.sayings.iter().map(|saying| saying.message("rain"));
            let driven: usize = messages
                .map(|message| driver.push(&message, clock.end(played.epoch)).unwrap())
                .sum();
            driver.packs(TimeMs(u64::MAX));
            assert_eq!(driven, readings);
        }
        epochs += 1;
        said += readings;
    }
    assert_eq!(epochs, 48 * 24);
    assert!(said > 1_000_000, "{said}");
}
