//! A place in a JSON text, read token by token: for drivers whose ports speak JSON. Numbers stay text, so that none passes
//! through a float; nothing is kept, and nesting has a limit. It knows no field of any vertical.

use super::vertical::DriverError;

/// The deepest nesting that is passed over.
const DEPTH_MAX: usize = 32;

const SHAPE: DriverError = DriverError::Malformed("not JSON of the expected form");

/// What is left to read.
#[derive(Clone, Copy)]
pub struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    pub fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// Whether only white space is left.
    pub fn is_empty(&mut self) -> bool {
        self.skip().0.is_empty()
    }

    fn skip(&mut self) -> &mut Self {
        self.0 = self.0.trim_start_matches([' ', '\t', '\r', '\n']);
        self
    }

    pub fn take(&mut self, mark: u8) -> bool {
        let rest = self.skip().0.strip_prefix(char::from(mark));
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// A string without escapes; names and units need none.
    pub fn string(&mut self) -> Result<&'a str, DriverError> {
        let rest = self.skip().0.strip_prefix('"').ok_or(SHAPE)?;
        let (text, rest) = rest.split_once('"').ok_or(SHAPE)?;
        if text.contains('\\') {
            return Err(DriverError::Malformed("names and units have no escapes"));
        }
        self.0 = rest;
        Ok(text)
    }

    pub fn number(&mut self) -> Result<&'a str, DriverError> {
        let text = self.skip().0;
        let end = text
            .find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E'))
            .unwrap_or(text.len());
        let (number, rest) = text.split_at(end);
        self.0 = rest;
        if number.is_empty() { Err(SHAPE) } else { Ok(number) }
    }

    /// Passes over one value of any kind; gives its text.
    pub fn value(&mut self) -> Result<&'a str, DriverError> {
        let whole = self.skip().0;
        self.pass(0)?;
        Ok(&whole[..whole.len() - self.0.len()])
    }

    fn pass(&mut self, depth: usize) -> Result<(), DriverError> {
        if depth > DEPTH_MAX {
            return Err(SHAPE);
        }
        match self.skip().0.as_bytes().first() {
            Some(b'"') => self.quoted(),
            Some(b'{') => self.members(|text, _| text.pass(depth + 1)),
            Some(b'[') => self.items(|text| text.pass(depth + 1)),
            Some(b't' | b'f' | b'n') => {
                let word = ["true", "false", "null"].into_iter();
                let rest = word.filter_map(|word| self.0.strip_prefix(word)).next();
                self.0 = rest.ok_or(SHAPE)?;
                Ok(())
            }
            _ => self.number().map(drop),
        }
    }

    /// Passes over a string with whatever escapes.
    fn quoted(&mut self) -> Result<(), DriverError> {
        let rest = self.0.strip_prefix('"').ok_or(SHAPE)?;
        let mut escaped = false;
        for (at, byte) in rest.bytes().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    self.0 = &rest[at + 1..];
                    return Ok(());
                }
                _ => {}
            }
        }
        Err(SHAPE)
    }

    /// Reads an object: `member` is given each name and must read its value.
    pub fn members(
        &mut self,
        mut member: impl FnMut(&mut Self, &'a str) -> Result<(), DriverError>,
    ) -> Result<(), DriverError> {
        if !self.take(b'{') {
            return Err(SHAPE);
        }
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            let before = self.skip().0;
            self.quoted()?;
            let name = &before[1..before.len() - self.0.len() - 1];
            if !self.take(b':') {
                return Err(SHAPE);
            }
            member(self, name)?;
            if !self.take(b',') {
                break;
            }
        }
        if self.take(b'}') { Ok(()) } else { Err(SHAPE) }
    }

    /// Reads an array: `item` must read each.
    pub fn items(&mut self, mut item: impl FnMut(&mut Self) -> Result<(), DriverError>) -> Result<(), DriverError> {
        if !self.take(b'[') {
            return Err(SHAPE);
        }
        if self.take(b']') {
            return Ok(());
        }
        loop {
            item(self)?;
            if !self.take(b',') {
                break;
            }
        }
        if self.take(b']') { Ok(()) } else { Err(SHAPE) }
    }
}

/// The text of a string, or of a number, without its quotes; `None` for any other value.
pub fn plain(value: &str) -> Option<&str> {
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match value.as_bytes().first()? {
        b'"' => inner.filter(|inner| !inner.contains('\\')),
        b'-' | b'0'..=b'9' => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_all_kinds_are_passed_over_whole() {
        for value in [
            "1",
            "-2.5e3",
            "null",
            "true",
            "[]",
            "{}",
            r#""a \" b""#,
            r#"{"a":[1,{"b":null}],"c":"}"}"#,
        ] {
            let text = format!(" {value} ,");
            let mut text = Text::new(&text);
            assert_eq!(text.value().as_deref(), Ok(value));
            assert!(text.take(b',') && text.is_empty());
        }
        let deep = "[".repeat(1_000);
        for broken in ["", "{", "[1", "tru", r#""a"#, r#"{"a" 1}"#, &deep] {
            assert!(Text::new(broken).value().is_err(), "{broken}");
        }
    }

    #[test]
    fn members_are_given_by_name() {
        let mut names = Vec::new();
        let read = Text::new(r#"{"a": 1, "b": [2, 3]}"#).members(|text, name| {
            names.push((name, text.value()?));
            Ok(())
        });
        assert_eq!((read, names), (Ok(()), vec![("a", "1"), ("b", "[2, 3]")]));
        assert_eq!((plain("\"x\""), plain("7"), plain("[7]")), (Some("x"), Some("7"), None));
    }
}
