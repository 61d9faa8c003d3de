//! The page in `web/`: builds it, and runs its tests. Node is the machine's, or, for tests, one out of the Python registry in the target
//! folder. Never installs anything else outside `web/`; never runs where a Rust-only build will do.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::SystemTime,
};

use crate::python;

/// The oldest Node that the page's tools run on.
const NODE_MIN: (u32, u32) = (20, 19);
/// How often the packages are fetched before that counts as no network.
const FETCHES_MAX: u32 = 3;
/// What npm says when the lock file is not of the packages asked for: our fault, not the network's.
const LOCK_WRONG: &str = "EUSAGE";
/// What the built page is made of.
const SOURCES: [&str; 7] = [
    "src",
    "public",
    "index.html",
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "vite.config.ts",
];

/// The page's folder, with Node and npm to work on it.
pub struct Web {
    folder: PathBuf,
    /// PATH, in which Node is found.
    path: OsString,
}

/// Why there is no page, or no tests of it.
#[derive(Debug)]
pub enum Missing {
    /// The machine lacks something; it works without.
    Machine(String),
    /// The page is broken.
    Broken(String),
}

impl Web {
    /// With the Node of the machine.
    pub fn here(root: &Path) -> Result<Self, Missing> {
        let path = env::var_os("PATH").unwrap_or_default();
        let web = Self {
            folder: root.join("web"),
            path,
        };
        let version = web.says("node")?;
        web.says("npm")?;
        if is_new_enough(&version) {
            return Ok(web);
        }
        let (major, minor) = NODE_MIN;
        let version = version.trim();
        Err(Missing::Machine(format!(
            "node {version} is older than {major}.{minor}"
        )))
    }

    /// With the Node of the machine, or else with one fetched into `target`.
    pub fn here_or_fetched(root: &Path, target: &Path) -> Result<Self, Missing> {
        let why = match Self::here(root) {
            Err(Missing::Machine(why)) => why,
            found => return found,
        };
        let python = python::made(&target.join("node"), &root.join("xtask/node.txt"));
        let python = python.map_err(|also| Missing::Machine(format!("{why}; {also}")))?;
        let beside = python.parent().map(Path::to_owned);
        let path = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths(beside.into_iter().chain(env::split_paths(&path)));
        let web = Self {
            folder: root.join("web"),
            path: path.map_err(|error| Missing::Machine(error.to_string()))?,
        };
        web.says("npm")?;
        Ok(web)
    }

    /// Fetches the packages of the lock file and builds the page, where that has not been done already.
    pub fn build(&self) -> Result<(), Missing> {
        self.install()?;
        let built = modified(&self.folder.join("dist/index.html"));
        let changed = SOURCES.iter().filter_map(|name| newest(&self.folder.join(name))).max();
        if built.is_some() && built >= changed {
            return Ok(());
        }
        eprintln!("building the page");
        self.run(&["run", "--silent", "build"])
            .map_err(|why| Missing::Broken(format!("the page does not build: {why}")))
    }

    /// The command that runs the components' tests.
    pub fn component_tests(&self) -> Command {
        self.npm(&["run", "--silent", "test"])
    }

    /// The command that runs the tests in a browser: against made-up answers, and against the network that `cairn` plays.
    pub fn browser_tests(&self, fixture_port: u16, cairn: &Path) -> Command {
        let mut command = self.npm(&["exec", "--no", "--", "playwright", "test"]);
        command.env("FIXTURE_PORT", fixture_port.to_string());
        command.env("CAIRN", cairn);
        command
    }

    fn install(&self) -> Result<(), Missing> {
        let wanted = fs::read_to_string(self.folder.join("package-lock.json"));
        let wanted = wanted.map_err(|error| Missing::Broken(format!("web/package-lock.json: {error}")))?;
        let stamp = self.folder.join("node_modules/.installed.json");
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
            return Ok(());
        }
        eprintln!("fetching the page's packages (once)");
        let mut last = String::new();
        for _ in 0..FETCHES_MAX {
            match python::done(self.npm(&["ci", "--ignore-scripts"]).output(), "npm ci") {
                Ok(()) => {
                    return fs::write(&stamp, wanted)
                        .map_err(|error| Missing::Machine(format!("{}: {error}", stamp.display())));
                }
                Err(why) if why.contains(LOCK_WRONG) => return Err(Missing::Broken(why)),
                Err(why) => last = why,
            }
        }
        Err(Missing::Machine(last))
    }

    fn npm(&self, arguments: &[&str]) -> Command {
        let mut command = self.command("npm");
        command.args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Result<(), String> {
        // Standard output may belong to a program that is run afterwards.
        python::done(self.npm(arguments).output(), "npm")
    }

    /// What a program answers when asked for its version.
    fn says(&self, program: &str) -> Result<String, Missing> {
        let output = self.command(program).arg("--version").output();
        let missing = |why: String| Missing::Machine(format!("no {program}: {why}"));
        match output {
            Ok(Output { status, stdout, .. }) if status.success() => Ok(String::from_utf8_lossy(&stdout).into_owned()),
            Ok(output) => Err(missing(output.status.to_string())),
            Err(error) => Err(missing(error.to_string())),
        }
    }

    fn command(&self, program: &str) -> Command {
        let found = env::split_paths(&self.path)
            .map(|folder| folder.join(program))
            .find(|file| file.is_file());
        let mut command = Command::new(found.as_deref().map_or(OsStr::new(program), Path::as_os_str));
        command
            .current_dir(&self.folder)
            .env("PATH", &self.path)
            .env("NO_COLOR", "1")
            .env_remove("FORCE_COLOR")
            .env("VITE_CONFIG_NATIVE_IGNORE_WARNING", "true")
            .env("npm_config_fund", "false")
            .env("npm_config_audit", "false")
            .env("npm_config_update_notifier", "false")
            .stdin(Stdio::null());
        command
    }
}

/// `v22.20.0`, as Node says it.
fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.trim().trim_start_matches('v').split('.').map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= NODE_MIN,
        _ => false,
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|file| file.modified()).ok()
}

/// When something in a file or folder changed last.
fn newest(path: &Path) -> Option<SystemTime> {
    let within = fs::read_dir(path).into_iter().flatten().flatten();
    let within = within.filter_map(|entry| newest(&entry.path())).max();
    modified(path).max(within)
}

/// A port on which nobody listens now.
pub fn free_port() -> io::Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_nodes_are_not_taken() {
        for (version, taken) in [
            ("v22.20.0\n", true),
            ("v20.19.0", true),
            ("v20.18.3", false),
            ("v18.20.4", false),
            ("", false),
        ] {
            assert_eq!(is_new_enough(version), taken, "{version}");
        }
    }

    #[test]
    fn a_change_deep_in_a_folder_is_seen() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert!(newest(here) >= modified(&here.join("src/web.rs")));
        assert_eq!(newest(&here.join("no-such-file")), None);
    }
}
