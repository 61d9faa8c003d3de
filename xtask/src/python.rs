//! The Python that optional tests speak to: an environment under the target folder with the pinned packages. Made once, made again when
//! the pins change. Node comes the same way where the machine has none. Never touches the machine's own Python.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// Names an interpreter that already has the packages.
pub const VARIABLE: &str = "CAIRN_PYTHON";

/// The interpreter of an environment with every package of `requirements`, or why there is none.
pub fn environment(target: &Path, requirements: &Path) -> Result<PathBuf, String> {
    if let Some(given) = env::var_os(VARIABLE) {
        return Ok(PathBuf::from(given));
    }
    made(&target.join("venv"), requirements)
}

/// The interpreter of the environment in `folder` with every package of `requirements`, made where it is not there yet.
pub fn made(folder: &Path, requirements: &Path) -> Result<PathBuf, String> {
    let python = folder.join(if cfg!(windows) {
        "Scripts/python.exe"
    } else {
        "bin/python"
    });
    let wanted = fs::read_to_string(requirements).map_err(|error| format!("{}: {error}", requirements.display()))?;
    let stamp = folder.join("installed.txt");
    if python.exists() && fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    eprintln!("making a Python environment in {} (once)", folder.display());
    done(
        Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(folder)
            .output(),
        "python3 -m venv",
    )?;
    let mut pip = Command::new(&python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--retries",
        "1",
        "--requirement",
    ]);
    done(pip.arg(requirements).output(), "pip install")?;
    fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))?;
    Ok(python)
}

/// The last thing a failed command said is the reason.
pub fn done(output: io::Result<Output>, command: &str) -> Result<(), String> {
    let output = output.map_err(|error| format!("{command}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stderr, output.stdout].concat();
    let said = String::from_utf8_lossy(&said);
    let last = said
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("it said nothing");
    Err(format!("{command} failed: {}", last.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_command_is_a_reason() {
        let reason = done(Command::new("no-such-program-of-ours").output(), "python3 -m venv");
        assert!(reason.is_err_and(|reason| reason.starts_with("python3 -m venv: ")));
    }
}
