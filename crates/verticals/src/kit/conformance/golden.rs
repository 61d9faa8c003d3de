//! Golden samples: what the cast says and what is found, kept in each vertical's `golden/`. `UPDATE=1` accepts a change.

use super::SEED;
use super::play::{CLOCK, Scene, play};
use crate::kit::reasons;
use crate::{ALL, Vertical};
use cairn_types::{EpochNumber, codec, finding, hash};
use std::fmt::Write;
use std::path::Path;

/// The epoch whose reports and findings are written out.
const SAMPLE: u64 = 31;

fn reports(vertical: &dyn Vertical) -> String {
    let cast = vertical.cast(SEED);
    let mut text = String::from("# device, time, received, body\n");
    for report in cast.reports(EpochNumber(SAMPLE), &CLOCK) {
        let body: String = report.pack.body.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = &cast.devices()[report.device].name;
        writeln!(text, "{name} {} {} {body}", report.pack.time, report.received).expect("memory");
    }
    text
}

fn findings(vertical: &dyn Vertical) -> String {
    let story = play(vertical, &Scene::default());
    let cast = vertical.cast(SEED);
    let name = |reason| reasons::text(vertical, reason).map_or("?", |text| text.name);
    let mut text = format!("# findings of epoch {SAMPLE}: device, units, reason; its runs\n");
    let mut sample = story.findings[SAMPLE as usize].clone();
    sample.sort_unstable_by_key(|finding| finding.device);
    for finding in &sample {
        let device = &cast.devices()[finding.device.index()].name;
        writeln!(text, "{device} {} {}", finding.units, finding.reason.map_or("-", name)).expect("memory");
        for span in &finding.spans {
            let reason = span.reason.map_or("-", name);
            writeln!(
                text,
                "  {} {} {} {reason} {} {}",
                span.start, span.end, span.quantity, span.measured, span.limit
            )
            .expect("memory");
        }
    }
    text.push_str("# epoch, root of findings, hash of memory\n");
    for (epoch, (findings, memory)) in story.findings.iter().zip(&story.memories).enumerate() {
        writeln!(text, "{epoch} {} {}", finding::root(findings), hash::sha256(memory)).expect("memory");
    }
    let params = hash::sha256(&vertical.default_params());
    writeln!(
        text,
        "# parameters {params}, first finding {}",
        hash::sha256(&codec::encode(&sample[0]))
    )
    .expect("memory");
    text
}

fn check(vertical: &dyn Vertical, file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src")
        .join(vertical.name())
        .join("golden")
        .join(file);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, text).expect("a writable golden folder");
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = golden.lines().zip(text.lines()).find(|(one, other)| one != other);
    assert!(
        golden == text,
        "{file} of {} differs: {differs:?}; UPDATE=1 accepts the change",
        vertical.name()
    );
}

#[test]
fn the_golden_sample_is_as_it_was() {
    for vertical in ALL {
        check(*vertical, "reports.txt", &reports(*vertical));
        check(*vertical, "findings.txt", &findings(*vertical));
    }
}
