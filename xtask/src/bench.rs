//! `cargo xtask bench`: runs benches of the table for speed and writes what they print, under a heading of the machine, to
//! docs/performance.md; sections of benches that were not asked for stay as they are. Never measures anything itself.

use std::{fs, io, process::Command, process::Stdio, thread};

use crate::{
    cargo, root, target,
    web::{self, Missing, Web},
};

/// Programs that print one section of Markdown each on stdout (method, table, ratios) and their progress on stderr.
const BENCHES: [(&str, &str, Kind); 6] = [
    ("bench", "cairn-harness", Kind::Program),
    ("carried", "cairn-router", Kind::Example),
    ("validators", "cairn-node", Kind::Bench),
    ("catching_up", "cairn-node", Kind::Bench),
    ("explorer", "cairn-explorer", Kind::Bench),
    ("page", "cairn-cli", Kind::Page),
];

/// What cargo calls it.
#[derive(Clone, Copy)]
enum Kind {
    Program,
    Example,
    Bench,
    /// The overview in a browser, of a network that the program plays.
    Page,
}

const PAGE: &str = "docs/performance.md";

/// With no names: all.
pub fn run(names: &[String]) -> io::Result<u8> {
    let known = BENCHES.map(|(name, ..)| name);
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        eprintln!("`{unknown}` is not a bench; there are: {}", known.join(", "));
        return Ok(2);
    }
    let is_wanted = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    for (name, package, kind) in BENCHES.into_iter().filter(|(name, ..)| is_wanted(name)) {
        eprintln!("building and running {name} of {package}");
        let section = match section(name, package, kind)? {
            Ok(section) => section,
            Err(why) => {
                eprintln!("{name} of {package} failed: {why}; {PAGE} keeps its section as it was");
                return Ok(1);
            }
        };
        // Written at once: what the next one does not survive is not lost.
        let path = root().join(PAGE);
        let page = fs::read_to_string(&path).unwrap_or_default();
        fs::write(&path, with(&page, &heading(), &section, &commit()))?;
    }
    println!("wrote {PAGE}");
    Ok(0)
}

/// What a bench printed, or why it did not.
fn section(name: &str, package: &str, kind: Kind) -> io::Result<Result<String, String>> {
    let arguments: &[&str] = match kind {
        Kind::Program => &["run", "--release", "--quiet", "--package", package, "--bin", name],
        Kind::Example => &["run", "--release", "--quiet", "--package", package, "--example", name],
        Kind::Bench => &["bench", "--quiet", "--package", package, "--bench", name],
        Kind::Page => return of_page(package),
    };
    let output = cargo(arguments).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Ok(Err(output.status.to_string()));
    }
    Ok(Ok(String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// The page's section comes in a file: standard output is the browser tests' own.
fn of_page(package: &str) -> io::Result<Result<String, String>> {
    let web = Web::here_or_fetched(&root(), &target()).and_then(|web| web.build().map(|()| web));
    let web = match web {
        Ok(web) => web,
        Err(Missing::Machine(why) | Missing::Broken(why)) => return Ok(Err(why)),
    };
    let built = cargo(&["build", "--release", "--quiet", "--package", package, "--bin", "cairn"]).status()?;
    if !built.success() {
        return Ok(Err(built.to_string()));
    }
    let told = std::path::absolute(target().join("page.md"))?;
    let program = std::path::absolute(target().join("release/cairn"))?;
    let mut command = web.browser_tests(web::free_port()?, &program);
    command
        .args(["--project=network", "network/weight"])
        .env("MEASURE", &told);
    // What it says goes where progress goes.
    let output = command.stderr(Stdio::inherit()).output()?;
    eprint!("{}", String::from_utf8_lossy(&output.stdout));
    if !output.status.success() {
        return Ok(Err(output.status.to_string()));
    }
    let section = fs::read_to_string(&told)?;
    fs::remove_file(&told)?;
    Ok(Ok(section))
}

/// A page with a section in place of the one of its name, or at the end; its first line says of which commit it is.
fn with(page: &str, heading: &str, section: &str, commit: &str) -> String {
    let section = section.trim();
    let (title, rest) = section.split_once('\n').unwrap_or((section, ""));
    let new = format!("{title}\n\n*At commit {commit}.*\n\n{}\n", rest.trim());
    let mut whole = heading.trim_end().to_owned();
    let mut is_in = false;
    for old in sections(page) {
        let is_this = old.lines().next() == Some(title);
        is_in |= is_this;
        whole.push_str("\n\n");
        whole.push_str(if is_this { new.trim_end() } else { old.trim_end() });
    }
    if !is_in {
        whole.push_str("\n\n");
        whole.push_str(new.trim_end());
    }
    whole.push('\n');
    whole
}

/// Those that begin with `## `.
fn sections(page: &str) -> impl Iterator<Item = &str> {
    let begins = page.match_indices("\n## ").map(|(at, _)| at + 1);
    let begins: Vec<usize> = begins.chain([page.len()]).collect();
    (0..begins.len() - 1).map(move |at| &page[begins[at]..begins[at + 1]])
}

/// What the numbers were measured on.
fn heading() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, name)| name);
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let rust = said_by("rustc", &["--version"]);
    format!(
        "# Performance\n\n*Written by `cargo xtask bench`; each section has the numbers of one run on one machine. The ratios travel better than the \
         numbers.*\n\n{model}, {cores} cores · {rust}\n"
    )
}

fn commit() -> String {
    said_by("git", &["rev-parse", "--short", "HEAD"])
}

fn said_by(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(root()).output();
    output.map_or_else(
        |_| format!("no {program}"),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADING: &str = "# Performance\n\nmachine\n";

    #[test]
    fn a_section_takes_the_place_of_its_own_alone() {
        let page = "# Performance\n\nold machine\n\n## One\n\na\n\n### Part\n\nb\n\n## Two\n\nc\n";
        let new = with(page, HEADING, "## One\n\nd\n", "1234567");
        assert_eq!(
            new,
            "# Performance\n\nmachine\n\n## One\n\n*At commit 1234567.*\n\nd\n\n## Two\n\nc\n"
        );
        assert_eq!(
            with(&new, HEADING, "## One\n\nd\n", "1234567"),
            new,
            "once more changes nothing"
        );
    }

    #[test]
    fn a_new_section_is_the_last() {
        let new = with("", HEADING, "## One\n\na", "1");
        assert_eq!(new, "# Performance\n\nmachine\n\n## One\n\n*At commit 1.*\n\na\n");
        let new = with(&new, HEADING, "## Two\n\nb", "2");
        assert!(new.ends_with("## One\n\n*At commit 1.*\n\na\n\n## Two\n\n*At commit 2.*\n\nb\n"));
    }
}
