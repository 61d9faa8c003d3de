//! One libFuzzer program for every target: the variable CAIRN_FUZZ names the one to attack. Adds nothing to what the target checks.
#![no_main]

use std::sync::LazyLock;

use cairn_fuzz::Target;
use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("CAIRN_FUZZ").unwrap_or_default();
    let names: Vec<&str> = cairn_fuzz::targets().map(|target| target.name).collect();
    let found = cairn_fuzz::targets().find(|target| target.name == name);
    found.unwrap_or_else(|| panic!("set CAIRN_FUZZ to one of {names:?}"))
});

fuzz_target!(|bytes: &[u8]| {
    (TARGET.run)(bytes);
});
