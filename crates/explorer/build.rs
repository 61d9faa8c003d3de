//! Puts the files of `web/dist`, where they were built, into the program; without them it builds as well. Never runs npm.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Shorter files are not worth packing.
const PACKED_FROM: usize = 1_024;

fn main() {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    let dist = root.join("../../web/dist");
    // A path that is not there counts as changed each time: then the folder it will be in is watched.
    let there = [dist.clone(), root.join("../../web")]
        .into_iter()
        .find(|path| path.exists());
    if let Some(path) = there {
        println!("cargo:rerun-if-changed={}", path.display());
    }
    println!("cargo:rerun-if-changed=build.rs");
    let mut files = Vec::new();
    walk(&dist, "", &mut files);
    files.sort();
    let mut list = String::from("/// The files of the page, by path.\npub static FILES: &[File] = &[\n");
    for (at, (name, path)) in files.iter().enumerate() {
        println!("cargo:rerun-if-changed={}", path.display());
        let bytes = fs::read(path).expect("a file that was listed can be read");
        let packed = pack(&bytes).map(|packed| {
            let place = out.join(format!("page-{at}.gz"));
            fs::write(&place, packed).expect("the build folder can be written");
            format!("Some(include_bytes!({place:?}))")
        });
        let packed = packed.unwrap_or_else(|| "None".to_owned());
        let path = path.canonicalize().expect("a file that was read is there");
        writeln!(
            list,
            "    File {{ path: {name:?}, bytes: include_bytes!({path:?}), packed: {packed} }},"
        )
        .expect("into memory");
    }
    list += "];\n";
    fs::write(out.join("page_files.rs"), list).expect("the build folder can be written");
}

fn walk(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        match entry.path().is_dir() {
            true => walk(&entry.path(), &format!("{name}/"), files),
            false => files.push((name, entry.path())),
        }
    }
}

/// The same bytes packed, where that makes them shorter.
fn pack(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.len() < PACKED_FROM {
        return None;
    }
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(bytes).ok()?;
    packer.finish().ok().filter(|packed| packed.len() < bytes.len())
}
