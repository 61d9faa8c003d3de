//! A PostgreSQL of the test's own, in a folder that goes away, on a socket in it. Skipped where none is installed.

use cairn_explorer::db::Location;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub struct Server {
    child: Child,
    location: Location,
    _folder: TempDir,
}

/// Where distributions put the programs.
fn programs() -> Option<PathBuf> {
    let named = std::env::var_os("CAIRN_POSTGRES").map(PathBuf::from);
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = installed.map(|entry| entry.path().join("bin")).collect();
    found.sort();
    named
        .into_iter()
        .chain(found.into_iter().rev())
        .find(|bin| bin.join("initdb").exists())
}

/// Whom a server may run as: not root.
fn nobody() -> Option<(u32, u32)> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    ids("postgres").or_else(|| ids("nobody"))
}

fn is_root(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(folder).is_ok_and(|metadata| metadata.uid() == 0)
}

impl Server {
    /// A server, or the line that says why there is none.
    pub fn start(what: &str) -> Option<Self> {
        let started = Self::started();
        if let Err(why) = &started {
            let line = format!("SKIPPED: {what}: {why}");
            println!("{line}");
            if let Some(log) = std::env::var_os("CAIRN_SKIP_LOG") {
                use std::io::Write;
                let file = std::fs::OpenOptions::new().create(true).append(true).open(log);
                let _ = file.map(|mut file| writeln!(file, "{line}"));
            }
        }
        started.ok()
    }

    fn started() -> Result<Self, String> {
        let bin = programs().ok_or("PostgreSQL is not installed (CAIRN_POSTGRES names the folder of its programs)")?;
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let other = if is_root(folder.path()) { nobody() } else { None };
        if let Some((uid, gid)) = other {
            chown(folder.path(), Some(uid), Some(gid)).map_err(|error| error.to_string())?;
        }
        let as_other = |program: &str| {
            let mut command = Command::new(bin.join(program));
            command.current_dir(folder.path()).stdin(Stdio::null());
            if let Some((uid, gid)) = other {
                command.uid(uid).gid(gid);
            }
            command
        };
        let data = folder.path().join("data");
        let made = as_other("initdb")
            .args([
                "--username=cairn",
                "--auth=trust",
                "--no-sync",
                "--locale=C",
                "--encoding=UTF8",
                "-D",
            ])
            .arg(&data)
            .output()
            .map_err(|error| error.to_string())?;
        if !made.status.success() {
            return Err(format!(
                "initdb fails: {}",
                String::from_utf8_lossy(&made.stderr).trim()
            ));
        }
        let child = as_other("postgres")
            .arg("-D")
            .arg(&data)
            .args([
                "-c",
                "listen_addresses=",
                "-c",
                "fsync=off",
                "-c",
                "unix_socket_directories=.",
            ])
            .arg("-k")
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let socket = folder.path().display().to_string().replace('/', "%2F");
        let location = Location::Postgres(format!("postgres://cairn@{socket}/postgres"));
        let server = Self {
            child,
            location,
            _folder: folder,
        };
        let since = Instant::now();
        loop {
            let at = server.location.clone();
            // Its client waits by itself, which a task must not.
            let opened = std::thread::spawn(move || at.open().map(drop)).join();
            match opened.expect("opening does not panic") {
                Ok(()) => return Ok(server),
                Err(error) if since.elapsed() > Duration::from_secs(60) => return Err(error.to_string()),
                Err(_) => std::thread::yield_now(),
            }
        }
    }

    pub fn location(&self) -> &Location {
        &self.location
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
