//! Key files under a passphrase, with the real program: made, changed, given up, killed on the way, asked for at a terminal, and
//! unlocked for a service by a file.
#![allow(clippy::unwrap_used, reason = "all of it is a test")]

mod stand;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;
use stand::*;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;

const FIRST: &str = "correct horse";
const SECOND: &str = "battery staple";
/// Looks at a file that is on its way.
const LOOKS_MAX: usize = 10_000_000;

/// A folder with two passphrases in files.
struct Case {
    place: Place,
    first: PathBuf,
    second: PathBuf,
}

impl Case {
    fn new() -> Self {
        let place = Place::new();
        let folder = place.home.parent().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.join(name);
            let mut options = OpenOptions::new();
            let mut file = options.write(true).create_new(true).mode(0o600).open(&path).unwrap();
            writeln!(file, "{text}").unwrap();
            path
        };
        Self {
            first: file("first", FIRST),
            second: file("second", SECOND),
            place,
        }
    }

    fn home(&self) -> &Path {
        &self.place.home
    }

    fn keys(&self) -> PathBuf {
        self.home().join("account.keys")
    }

    fn with(&self, line: &str, passphrase: &Path) -> Answer {
        cairn_with(self.home(), line, &["--passphrase-file".as_ref(), passphrase])
    }

    fn opens(&self, passphrase: &Path) -> bool {
        self.with("key show", passphrase).code == 0
    }
}

fn is_sealed(path: &Path) -> bool {
    fs::read(path).unwrap().starts_with(b"#cairn-sealed 1\n")
}

#[test]
fn keys_are_made_sealed_changed_and_given_up() {
    let case = Case::new();
    assert_eq!(cairn(case.home(), "key new --passphrase").refused(2), "usage");
    assert!(!case.keys().exists(), "nothing is made plain first");
    let made = case.with("key generate --passphrase", &case.first).done();
    assert_eq!(made["sealed"], true);
    assert!(is_sealed(&case.keys()));
    assert_eq!(fs::metadata(case.keys()).unwrap().permissions().mode() & 0o777, 0o600);

    // Another key goes into the same sealed file, without being asked to.
    case.with("key new other", &case.first).done();
    assert!(is_sealed(&case.keys()));
    assert_eq!(cairn(case.home(), "key show").refused(2), "usage");
    let wrong = case.with("key show", &case.second);
    assert!(!wrong.text.contains(FIRST) && !wrong.text.contains(SECOND));
    assert_eq!(wrong.refused(4), "refused");

    let anew = format!("key encrypt --new-passphrase-file {}", case.second.display());
    assert_eq!(case.with(&anew, &case.second).refused(4), "refused");
    case.with(&anew, &case.first).done();
    assert!(case.opens(&case.second) && !case.opens(&case.first));
    assert_eq!(case.with("key decrypt", &case.second).done()["sealed"], false);
    let plain = fs::read_to_string(case.keys()).unwrap();
    assert!(plain.starts_with("me ed25519:"));
    assert_eq!(cairn(case.home(), "key show").done()["public_key"], made["public_key"]);
    case.with("key encrypt", &case.first).done();
    assert!(is_sealed(&case.keys()));
    assert_eq!(
        case.with("key encrypt nothing.keys", &case.first).refused(3),
        "not_found"
    );

    let settings = case.home().join("settings.json");
    fs::write(&settings, "{}\n").unwrap();
    fs::set_permissions(&settings, Permissions::from_mode(0o600)).unwrap();
    let other = format!("key encrypt {}", settings.display());
    assert_eq!(case.with(&other, &case.first).code, 7, "no file of keys");
    assert_eq!(fs::read(&settings).unwrap(), b"{}\n");

    fs::set_permissions(&case.first, Permissions::from_mode(0o644)).unwrap();
    assert_eq!(case.with("key show", &case.first).refused(7), "files");
    fs::set_permissions(&case.first, Permissions::from_mode(0o400)).unwrap();
    fs::set_permissions(case.keys(), Permissions::from_mode(0o640)).unwrap();
    assert_eq!(case.with("key show", &case.first).refused(7), "files");
}

#[test]
fn a_nodes_key_file_is_sealed_and_a_flipped_byte_is_found() {
    let case = Case::new();
    fs::create_dir(case.home()).unwrap();
    let path = case.home().join("validator.keys");
    let name = path.display();
    let made = case.with(&format!("node key {name} --passphrase"), &case.first).done();
    assert!(is_sealed(&path));
    let show = format!("node key {name}");
    assert_eq!(case.with(&show, &case.first).done(), made);
    assert_eq!(case.with(&show, &case.second).refused(4), "refused");
    let whole = fs::read(&path).unwrap();
    let mut changed = whole.clone();
    *changed.last_mut().unwrap() ^= 1;
    fs::write(&path, changed).unwrap();
    assert_eq!(case.with(&show, &case.first).refused(4), "refused");
    // Numbers that would cost 64 GiB: the first number of the list, made longer.
    let at = "#cairn-sealed 1\n".len() + 1;
    let greedy = [&whole[..at], &[0x1a, 0x04, 0, 0, 0], &whole[at + 5..]].concat();
    fs::write(&path, greedy).unwrap();
    let refused = case.with(&show, &case.first);
    assert!(refused.text.contains("more work"), "{}", refused.text);
    fs::write(&path, whole).unwrap();
    case.with(&format!("key decrypt {name}"), &case.first).done();
    assert_eq!(cairn(case.home(), &show).done(), made);
}

#[test]
fn whenever_it_is_killed_one_of_two_passphrases_opens() {
    let case = Case::new();
    case.with("key new --passphrase", &case.first).done();
    let draft = PathBuf::from(format!("{}.new", case.keys().display()));
    let (mut now, mut other) = (&case.first, &case.second);
    for round in 0..6 {
        let mut process = program(case.home())
            .args(["key", "encrypt", "--passphrase-file"])
            .arg(now)
            .arg("--new-passphrase-file")
            .arg(other)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let before = fs::read(case.keys()).unwrap();
        // Killed at another moment each time: when the draft is there, when the file has changed, or a little later.
        for _ in 0..LOOKS_MAX {
            let changed = fs::read(case.keys()).unwrap() != before;
            if changed || (round % 2 == 0 && draft.exists()) || process.try_wait().unwrap().is_some() {
                break;
            }
        }
        let _ = process.kill();
        process.wait().unwrap();
        let (old, new) = (case.opens(now), case.opens(other));
        assert!(old != new, "round {round}: {old} {new}");
        if new {
            (now, other) = (other, now);
        }
    }
}

#[test]
fn a_person_types_it_and_nothing_of_it_is_shown() {
    let case = Case::new();
    let (mut person, terminal) = terminal();
    let mut process = program(case.home())
        .args(["--json", "key", "new", "--passphrase"])
        .stdin(terminal.try_clone().unwrap())
        .stderr(terminal)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut shown = String::new();
    for question in ["New passphrase of ", ", again"] {
        until(&mut person, &mut shown, question);
        // A letter too many, taken back.
        person.write_all(format!("{FIRST}x\x7f\n").as_bytes()).unwrap();
    }
    let mut answer = String::new();
    process.stdout.take().unwrap().read_to_string(&mut answer).unwrap();
    assert!(process.wait().unwrap().success(), "{shown}");
    assert_eq!(serde_json::from_str::<Value>(&answer).unwrap()["sealed"], true);
    assert!(!shown.contains("horse"), "{shown}");
    assert!(case.opens(&case.first));
}

/// Reads what the terminal shows until it has asked this.
fn until(person: &mut File, shown: &mut String, question: &str) {
    let from = shown.len();
    let mut byte = [0];
    while !(shown[from..].contains(question) && shown.ends_with(": ")) {
        person.read_exact(&mut byte).unwrap();
        shown.push(byte[0].into());
    }
}

/// A terminal, and whoever sits before it.
fn terminal() -> (File, File) {
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&person).unwrap();
    unlockpt(&person).unwrap();
    let name = ptsname(&person, Vec::new()).unwrap();
    let terminal = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(OpenptFlags::NOCTTY.bits() as i32)
        .open(name.to_str().unwrap())
        .unwrap();
    (person.into(), terminal)
}

#[test]
fn a_service_takes_it_from_a_file() {
    let case = Case::new();
    let up = Running::start(case.home(), "up --port 0 --epoch-seconds 60");
    up.end();
    let node = case.home().join("node/chain/validator.keys");
    for file in [case.keys(), node] {
        case.with(&format!("key encrypt {}", file.display()), &case.first)
            .done();
        assert!(is_sealed(&file));
    }
    assert_eq!(cairn(case.home(), "up --port 0").refused(2), "usage");
    let line = format!("up --port 0 --passphrase-file {}", case.first.display());
    let up = Running::start(case.home(), &line);
    assert_eq!(up.ready["networks"].as_array().unwrap().len(), 1);
    up.end();
}
