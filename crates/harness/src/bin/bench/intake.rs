//! What intake costs beside the signatures it must verify: decoding, membership, the log with its fsync, signed receipts and their
//! bytes, against bare batch verification of the same envelopes. No socket is in it.

use crate::method::{self, Row, Section, Spent, Turns, median, spent, whole};
use crate::roster::{self, Devices, NOW};
use cairn_types::Envelope;
use cairn_types::batch::{self, Signed};
use cairn_types::intake::IntakeAnswer;
use std::error::Error;
use std::fmt::Write;
use std::fs::File;
use std::os::unix::fs::FileExt;

const BATCH: usize = 1_024;
const DEVICES: u32 = 16_384;
/// About what a batch of reports of 12 readings has.
const BATCH_BYTES: usize = 304 * 1_024;
const TURNS: usize = 96;
/// The first ones make the first segment of the log.
const WARM: usize = 4;

struct Case {
    readings: u64,
    /// Reports of one device in one batch.
    each: usize,
}

const CASES: [Case; 3] = [
    Case { readings: 1, each: 1 },
    Case { readings: 12, each: 1 },
    Case { readings: 12, each: 4 },
];

pub const PART: &str = "intake-part";

/// Every case once.
pub fn part() -> Section {
    let mut devices = Devices::new(DEVICES);
    let rows: Result<Vec<Row>, _> = CASES.iter().map(|case| measure(&mut devices, case)).collect();
    Ok(method::rows(rows?))
}

pub fn run() -> Section {
    let mut text = format!(
        "### Intake, durable and answered\n\n\
         `Collector::take` and the bytes of the answers, for a batch of {BATCH} reports of a network of {} devices, on a real folder: \
         decode, membership, batch verification, log, fsync, one signed receipt for each. Limit: `batch::verify` of the same signatures in \
         the same batch. *All turns* includes making new segments of the log. n = {TURNS}.\n\n\
         | readings a report | reports a device in a batch | bytes in | reports/s per core | readings/s per core | limit/s per core | all turns | reports/s wall | verify + write + fsync over intake, wall | ratio (aim 0.70) | range |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n",
        whole(f64::from(DEVICES)),
    );
    for row in method::in_processes(PART)? {
        text.push_str(&row);
    }
    let (small, large) = (fsyncs(4_096)?, fsyncs(BATCH_BYTES)?);
    write!(
        text,
        "\nThe disk alone, in place in a written file, wall: 4 KiB and fdatasync {} a second; {} KiB, about a batch, and fdatasync {} a second, \
         which would be {} reports a second.",
        whole(1.0 / small),
        BATCH_BYTES / 1_024,
        whole(1.0 / large),
        whole(BATCH as f64 / large)
    )?;
    Ok(text)
}

fn measure(devices: &mut Devices, case: &Case) -> Result<Row, Box<dyn Error>> {
    let body = roster::body(case.readings)?;
    let folder = tempfile::tempdir()?;
    let mut collector = roster::collector(devices.chain()?, &folder.path().join("log"))?;
    let bare = written_file(&folder.path().join("bare"), 1 << 20)?;
    let mut turns = Turns::default();
    let (mut bytes, mut against_wall) = (0, Vec::new());
    for turn in 0..TURNS + WARM {
        let places = |at: usize| turn * (BATCH / case.each) + at % (BATCH / case.each);
        let envelopes = devices.reports((0..BATCH).map(places), &body);
        let parsed: Vec<Envelope> = envelopes
            .iter()
            .map(|bytes| Envelope::parse(bytes))
            .collect::<Result<_, _>>()?;
        let signed: Vec<Signed<'_>> = parsed
            .iter()
            .enumerate()
            .map(|(at, envelope)| {
                Signed::plain(devices.public(places(at)), envelope.signed_bytes(), envelope.signature)
            })
            .collect();
        let slices: Vec<&[u8]> = envelopes.iter().map(Vec::as_slice).collect();
        let together = slices.concat();
        if turn == WARM {
            turns = Turns::default();
            against_wall.clear();
        }
        let (written, sync) = spent(|| bare.write_all_at(&together, 0).and_then(|()| bare.sync_data()));
        written?;
        let mut verifying = Spent::default();
        let mut taking = Spent::default();
        let answered = turns.turn(
            || verifying = spent(|| assert!(batch::verify(&signed).into_iter().all(|holds| holds), "rightly signed")).1,
            || {
                let (answers, took) = spent(|| {
                    let answers = collector.take(NOW, &slices).answers;
                    let reply = IntakeAnswer::encode_sequence(&answers);
                    (answers, reply)
                });
                taking = took;
                answers.0
            },
        );
        let receipts = answered
            .iter()
            .filter(|answer| matches!(answer, IntakeAnswer::Receipt(_)));
        assert_eq!(receipts.count(), BATCH, "every report gets its receipt");
        against_wall.push((verifying + sync).wall / taking.wall);
        bytes = together.len() / BATCH;
    }
    let per_core = BATCH as f64 / turns.work_core();
    let text = format!(
        "| {} | {} | {bytes} | {} | {} | {} | {:.2} | {} | {:.2}",
        case.readings,
        case.each,
        whole(per_core),
        whole(per_core * case.readings as f64),
        whole(BATCH as f64 / turns.limit_core()),
        turns.ratio_of_sums(),
        whole(BATCH as f64 / turns.work_wall()),
        median(against_wall.into_iter()),
    );
    Ok(Row {
        ratio: turns.ratio(),
        text,
    })
}

/// A file of so many bytes that are on disk.
fn written_file(path: &std::path::Path, bytes: usize) -> Result<File, Box<dyn Error>> {
    let file = File::create(path)?;
    file.write_all_at(&vec![0; bytes], 0)?;
    file.sync_all()?;
    Ok(file)
}

/// Median wall seconds of writing so many bytes in place and syncing them.
fn fsyncs(bytes: usize) -> Result<f64, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let file = written_file(&folder.path().join("bare"), bytes)?;
    let mut walls = Vec::new();
    for n in 0..200_u8 {
        let (done, spent) = spent(|| file.write_all_at(&vec![n; bytes], 0).and_then(|()| file.sync_data()));
        done?;
        walls.push(spent.wall);
    }
    Ok(median(walls.into_iter()))
}
