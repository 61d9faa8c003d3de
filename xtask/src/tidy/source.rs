//! Rust text taken apart just far enough for the checks: code, comments and string contents separated, test items marked.
//! Never a parser: it knows comments, literals and braces, nothing of types or names.

/// One line of a Rust file. The three texts have the line's own columns; what belongs elsewhere is blank.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Line {
    pub code: String,
    pub comment: String,
    /// Inside an item that exists only under `cfg(test)` or is a `#[test]`.
    pub test: bool,
}

/// Takes a file apart, line by line.
pub fn lines(text: &str) -> Vec<Line> {
    let (code, comment) = separate(text);
    let tests = test_lines(&code);
    code.split('\n')
        .zip(comment.split('\n'))
        .enumerate()
        .map(|(i, (code, comment))| Line {
            code: code.to_owned(),
            comment: comment.to_owned(),
            test: tests[i],
        })
        .collect()
}

/// Names of modules declared in another file, and whether they exist only in tests: `#[cfg(test)] mod laws;`.
pub fn test_modules(lines: &[Line]) -> Vec<String> {
    let tested = lines.iter().filter(|line| line.test);
    tested
        .filter_map(|line| {
            let declaration = line.code.trim().strip_suffix(';')?;
            let name = declaration.strip_prefix("#[cfg(test)]").unwrap_or(declaration).trim();
            let name = name
                .strip_prefix("pub(crate)")
                .or_else(|| name.strip_prefix("pub"))
                .unwrap_or(name)
                .trim();
            Some(name.strip_prefix("mod ")?.trim().to_owned())
        })
        .collect()
}

/// Whether `word` stands in `text` with no letter, digit or underscore on either side.
pub fn has_word(text: &str, word: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(inside) && !after.is_some_and(inside)
    })
}

#[derive(Clone, Copy)]
enum State {
    Code,
    LineComment,
    BlockComment(u32),
    Text { raw: bool, hashes: usize },
}

/// The text twice: once with only code left, once with only comments left; the rest is blank. String contents are in neither.
fn separate(text: &str) -> (String, String) {
    let chars: Vec<char> = text.chars().collect();
    let (mut code, mut comment) = (String::with_capacity(text.len()), String::with_capacity(text.len()));
    let mut state = State::Code;
    let mut at = 0;
    while at < chars.len() {
        let (taken, next) = match state {
            State::Code => step_in_code(&chars, at),
            State::LineComment if chars[at] == '\n' => (1, State::Code),
            State::LineComment => (1, state),
            State::BlockComment(depth) => step_in_block(&chars, at, depth),
            State::Text { raw, hashes } => step_in_text(&chars, at, raw, hashes),
        };
        for &c in &chars[at..chars.len().min(at + taken)] {
            let shown_as_code = matches!(state, State::Code) && !opens_comment(&next);
            let shown_as_comment = matches!(state, State::LineComment | State::BlockComment(_)) || opens_comment(&next);
            code.push(if c == '\n' || shown_as_code { c } else { ' ' });
            comment.push(if c == '\n' || (shown_as_comment && !shown_as_code) {
                c
            } else {
                ' '
            });
        }
        at += taken;
        state = next;
    }
    (code, comment)
}

fn opens_comment(state: &State) -> bool {
    matches!(state, State::LineComment | State::BlockComment(_))
}

fn step_in_code(chars: &[char], at: usize) -> (usize, State) {
    let peek = |n: usize| chars.get(at + n).copied().unwrap_or('\0');
    let glued = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    match (peek(0), peek(1)) {
        ('/', '/') => (2, State::LineComment),
        ('/', '*') => (2, State::BlockComment(1)),
        ('"', _) => (1, State::Text { raw: false, hashes: 0 }),
        ('r', '"' | '#') if !glued => raw_string(chars, at, 1),
        ('b' | 'c', 'r') if !glued && matches!(peek(2), '"' | '#') => raw_string(chars, at, 2),
        ('\'', _) => (char_literal(chars, at), State::Code),
        _ => (1, State::Code),
    }
}

/// `r#"` opens a string; `r#type` is an identifier.
fn raw_string(chars: &[char], at: usize, prefix: usize) -> (usize, State) {
    let hashes = chars[at + prefix..].iter().take_while(|&&c| c == '#').count();
    match chars.get(at + prefix + hashes) {
        Some('"') => (prefix + hashes + 1, State::Text { raw: true, hashes }),
        _ => (1, State::Code),
    }
}

/// How many characters the quote at `at` covers: a whole character literal, or only itself when it begins a lifetime.
fn char_literal(chars: &[char], at: usize) -> usize {
    if chars.get(at + 1) == Some(&'\\') {
        let close = chars[at + 3..].iter().take(12).position(|&c| c == '\'');
        return close.map_or(1, |n| n + 4);
    }
    if chars.get(at + 2) == Some(&'\'') { 3 } else { 1 }
}

fn step_in_block(chars: &[char], at: usize, depth: u32) -> (usize, State) {
    match (chars[at], chars.get(at + 1)) {
        ('*', Some('/')) if depth == 1 => (2, State::Code),
        ('*', Some('/')) => (2, State::BlockComment(depth - 1)),
        ('/', Some('*')) => (2, State::BlockComment(depth + 1)),
        _ => (1, State::BlockComment(depth)),
    }
}

fn step_in_text(chars: &[char], at: usize, raw: bool, hashes: usize) -> (usize, State) {
    let inside = State::Text { raw, hashes };
    if !raw && chars[at] == '\\' {
        return (2, inside);
    }
    let closed = chars[at] == '"' && chars[at + 1..].iter().take_while(|&&c| c == '#').count() >= hashes;
    if closed { (1 + hashes, State::Code) } else { (1, inside) }
}

/// For each line of blanked code: is it part of a test item?
fn test_lines(code: &str) -> Vec<bool> {
    let mut tests = vec![false; code.split('\n').count()];
    for attribute in ["#[cfg(test)]", "#[cfg(all(test", "#[test]", "#[tokio::test"] {
        for (start, _) in code.match_indices(attribute) {
            let first = code[..start].matches('\n').count();
            let last = first + code[start..start + item_length(&code[start..])].matches('\n').count();
            tests[first..=last].fill(true);
        }
    }
    if code.trim_start().starts_with("#![cfg(test)]") {
        tests.fill(true);
    }
    tests
}

/// Bytes from an attribute to the end of the item it stands on: its closing brace, or the `;` before any brace.
fn item_length(code: &str) -> usize {
    let (mut braces, mut brackets) = (0_usize, 0_usize);
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets = brackets.saturating_sub(1),
            '{' => braces += 1,
            '}' if braces <= 1 => return at,
            '}' => braces -= 1,
            ';' if braces == 0 && brackets == 0 => return at,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        separate(text).0
    }

    #[test]
    fn comments_and_strings_are_not_code() {
        assert_eq!(code("a // b\nc"), "a     \nc");
        assert_eq!(code("a /* b /* c */ d */ e"), format!("a {}e", " ".repeat(18)));
        assert!(!code(r#"let x = "unwrap() \" still";"#).contains("still"));
        assert!(!code("let x = r#\"a \" b\"#; y").contains('b'));
        assert!(code("let x = r#\"a \" b\"#; y").ends_with("; y"));
        assert!(code("let r#type = 1;").contains("type"));
    }

    #[test]
    fn lifetimes_and_characters_are_told_apart() {
        assert!(code("fn f<'a>(x: &'a str) -> char { '\"' } // x").contains("-> char"));
        assert!(code(r"let q = '\''; unwrap").contains("unwrap"));
        assert!(code("let q = '\"'; let y = 1;").contains("let y"));
    }

    #[test]
    fn comments_keep_their_text() {
        assert!(separate("x // why\n/* how */ y").1.contains("why"));
        assert!(separate("x // why\n/* how */ y").1.contains("how"));
        assert!(!separate("x \"// no\" y").1.contains("no"));
    }

    #[test]
    fn test_items_are_marked_and_end_where_they_end() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { if x {} }\n}\nfn c() {}\n";
        let marked: Vec<bool> = lines(text).iter().map(|line| line.test).collect();
        assert_eq!(marked, [false, true, true, true, true, false, false]);
    }

    #[test]
    fn test_modules_in_other_files_are_found() {
        let text = "#[cfg(test)]\nmod laws;\nmod real;\n#[cfg(test)]\npub(crate) mod world;\n";
        assert_eq!(test_modules(&lines(text)), ["laws", "world"]);
    }

    #[test]
    fn words_have_borders() {
        assert!(has_word("x: f64,", "f64"));
        assert!(!has_word("of64x", "f64"));
    }
}
