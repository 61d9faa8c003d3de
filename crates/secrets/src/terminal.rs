//! Asks the person at the terminal for a passphrase, without showing what is typed. Without a terminal nobody is asked.

use crate::error::SecretsError;
use crate::passphrase::{BYTES_MAX, Passphrase};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{self, IsTerminal as _, Read as _, Stdin, Write as _};
use zeroize::Zeroizing;

/// Asks once; `None` when there is no terminal.
pub fn ask(question: &str) -> Result<Option<Passphrase>, SecretsError> {
    let stdin = io::stdin();
    if !stdin.is_terminal() || !io::stderr().is_terminal() {
        return Ok(None);
    }
    let typed = Silent::begin(&stdin)
        .and_then(|_silent| {
            // Asked only once nothing typed is shown any more.
            eprint!("{question}: ");
            io::stderr().flush()?;
            line(stdin.lock().bytes())
        })
        .map_err(SecretsError::io("standard input".as_ref()));
    eprintln!();
    Passphrase::new(typed?.ok_or(SecretsError::Interrupted)?).map(Some)
}

/// Asks for a new one, twice; `None` when there is no terminal.
pub fn ask_new(question: &str) -> Result<Option<Passphrase>, SecretsError> {
    let Some(first) = ask(question)? else { return Ok(None) };
    match ask(&format!("{question}, again"))? {
        Some(second) if second.is(&first) => Ok(Some(first)),
        _ => Err(SecretsError::Unlike),
    }
}

/// While it lives the terminal shows nothing and hands on each key, so that Ctrl-C leaves it as it was.
struct Silent<'a> {
    stdin: &'a Stdin,
    before: Termios,
}

impl<'a> Silent<'a> {
    fn begin(stdin: &'a Stdin) -> io::Result<Self> {
        let before = tcgetattr(stdin)?;
        let mut silent = before.clone();
        silent
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(stdin, OptionalActions::Flush, &silent)?;
        Ok(Self { stdin, before })
    }
}

impl Drop for Silent<'_> {
    fn drop(&mut self) {
        // A terminal that is gone needs no mending.
        let _ = tcsetattr(self.stdin, OptionalActions::Now, &self.before);
    }
}

/// What is typed up to Enter; `None` when it is broken off.
fn line(keys: impl Iterator<Item = io::Result<u8>>) -> io::Result<Option<Zeroizing<String>>> {
    const ENTER: [u8; 2] = [b'\n', b'\r'];
    const BREAK_OFF: [u8; 3] = [0x03, 0x04, 0x1c];
    const RUB_OUT: [u8; 2] = [0x08, 0x7f];
    const RUB_OUT_ALL: u8 = 0x15;
    // Room from the start: what grows leaves copies behind. What is longer than any passphrase is refused as too long.
    let mut typed = Zeroizing::new(Vec::with_capacity(BYTES_MAX + 1));
    for key in keys {
        match key? {
            key if ENTER.contains(&key) => {
                let text = std::str::from_utf8(&typed).map_err(|_| io::ErrorKind::InvalidData)?;
                return Ok(Some(Zeroizing::new(text.to_owned())));
            }
            key if BREAK_OFF.contains(&key) => return Ok(None),
            RUB_OUT_ALL => typed.clear(),
            key if RUB_OUT.contains(&key) => {
                // A whole character, which ends behind its first byte.
                while typed.pop().is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000) {}
            }
            key if typed.len() <= BYTES_MAX => typed.push(key),
            _ => {}
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[u8]) -> Option<String> {
        let keys = keys.iter().map(|key| Ok(*key));
        line(keys).unwrap().map(|text| (*text).clone())
    }

    #[test]
    fn a_line_is_typed_corrected_and_broken_off() {
        for (keys, text) in [
            (&b"correct horse\n"[..], Some("correct horse")),
            (b"correct horsf\x7fe\r", Some("correct horse")),
            ("caf\u{e9}\x7fe\n".as_bytes(), Some("cafe")),
            (b"\x7f\x7fa\n", Some("a")),
            (b"wrong\x15right\n", Some("right")),
            (b"correct\x03\n", None),
            (b"\x04", None),
            (b"no end", None),
        ] {
            assert_eq!(typed(keys).as_deref(), text, "{keys:?}");
        }
        assert!(line([Ok(0xff), Ok(b'\n')].into_iter()).is_err());
        let endless = [&vec![b'x'; 5_000][..], b"\n"].concat();
        assert_eq!(typed(&endless).unwrap().len(), BYTES_MAX + 1);
    }
}
