//! A library that is not ours reads what we export.

use crate::world::{World, purchase, sell};
use cairn_gateway::export::{self, Format};
use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn python_reads_the_exports_and_sums_the_same() {
    let Some(python) = std::env::var_os("CAIRN_PYTHON") else {
        println!("SKIPPED: python_reads_the_exports_and_sums_the_same: CAIRN_PYTHON is not set");
        return;
    };
    let world = World::new(1);
    let gateway = world.gateway();
    let (agreed, order) = world.agree(&gateway, &world.rain(1));
    let answer = sell(&gateway, &purchase(&agreed, order)).unwrap().answer;
    let folder = tempfile::tempdir().unwrap();
    let write = |format: Format| {
        let mut bytes = Vec::new();
        export::write(format, &answer, &mut bytes).unwrap();
        let path = folder.path().join(format!("readings.{}", format.name()));
        fs::write(&path, bytes).unwrap();
        path
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gateway/foreign.py");
    let ran = Command::new(python)
        .arg(script)
        .args([write(Format::Csv), write(Format::GeoJson)])
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let sum: i64 = answer.rows().map(|row| row.value).sum();
    let expected = format!("{0} {sum} {0} {sum}\n", answer.len());
    assert_eq!(String::from_utf8_lossy(&ran.stdout), expected);
}
