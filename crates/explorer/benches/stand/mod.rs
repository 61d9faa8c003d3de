//! What the bench stands on: a chain with people and devices, and an explorer in a process of its own. Measures nothing itself.
#![allow(clippy::unwrap_used, reason = "a bench")]

pub mod chain;
pub mod child;

/// Measures and prints a section.
pub fn print(section: impl Future<Output = String>) {
    // `cargo test` runs benches too, to see that they build.
    if !std::env::args().any(|word| word == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    println!("{}", runtime.block_on(section));
}

/// A number of the command line.
pub fn number(name: &str, else_it_is: u64) -> u64 {
    let mut words = std::env::args().skip_while(|word| word != name);
    words.nth(1).map_or(else_it_is, |word| word.parse().unwrap())
}

/// The machine's load average.
pub fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}
