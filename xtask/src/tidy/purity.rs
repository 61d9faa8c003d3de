//! Pure crates decide from values alone: no files, sockets, clocks, threads, chance, floats or unordered maps outside their tests.

use super::{
    Problem,
    source::has_word,
    tree::{File, Tree},
};

const PURE: [&str; 3] = ["crates/types/", "crates/verticals/", "crates/ledger/"];

/// Words that a pure crate does not say, and what it says.
const WORDS: [(&str, &str); 13] = [
    ("HashMap", "BTreeMap, or a sorted Vec"),
    ("HashSet", "BTreeSet, or a sorted Vec"),
    ("f32", "integers with the unit in the name"),
    ("f64", "integers with the unit in the name"),
    ("Instant", "take the time as a value"),
    ("SystemTime", "take the time as a value"),
    ("getrandom", "take the seed as a value"),
    ("OsRng", "take the seed as a value"),
    ("thread_rng", "take the seed as a value"),
    ("rand", "a seeded generator from rand_chacha, given by the caller"),
    ("println", "answer with a value; the shell prints"),
    ("eprintln", "answer with a value; the shell prints"),
    ("tokio", "decide synchronously; the shell waits"),
];

/// Modules of std that move bytes or ask the machine.
const STD_MODULES: [&str; 6] = ["fs", "net", "thread", "env", "process", "io"];

/// Lines that may say a word all the same: how a path ends, what the line contains, why.
const EXCEPTIONS: [(&str, &str, &str); 1] = [(
    "crates/types/src/keys.rs",
    "aws_lc_rs::rand",
    "signing ES256 draws a nonce; what everyone must agree on, verifying, draws nothing",
)];

pub fn check(tree: &Tree) -> Vec<Problem> {
    tree.rust()
        .filter(|(path, file)| PURE.iter().any(|folder| path.starts_with(folder)) && !file.test)
        .flat_map(|(path, file)| impure(path, file))
        .collect()
}

fn impure(path: &str, file: &File) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut in_std_group = false;
    for (number, line, _) in file.numbered().filter(|(_, _, test)| !test) {
        let code = line.code.as_str();
        if EXCEPTIONS
            .iter()
            .any(|(end, part, _)| path.ends_with(end) && code.contains(part))
        {
            continue;
        }
        let mut say = |what: &str, instead: &str| {
            problems.push(Problem::at(
                path,
                number,
                format!("a pure crate names `{what}`"),
                instead,
            ));
        };
        for (word, instead) in WORDS.iter().filter(|(word, _)| has_word(code, word)) {
            say(word, instead);
        }
        in_std_group |= code.contains("use std::{");
        for module in STD_MODULES {
            let named = has_word(code, &format!("std::{module}")) || (in_std_group && has_word(code, module));
            if named {
                say(
                    &format!("std::{module}"),
                    "take bytes and answer with values; a shell reads and writes",
                );
            }
        }
        in_std_group &= !code.contains(';');
        if has_float_literal(code) {
            say("a number with a point", "integers with the unit in the name");
        }
    }
    problems
}

/// `1.5` and `1.0`, but neither `0..1` nor `pair.0.1`.
fn has_float_literal(code: &str) -> bool {
    let bytes = code.as_bytes();
    code.match_indices('.').any(|(at, _)| {
        let digits = bytes[..at]
            .iter()
            .rev()
            .take_while(|b| b.is_ascii_digit() || **b == b'_')
            .count();
        let before = bytes[..at - digits].last();
        let free = !before.is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b')' | b']'));
        digits > 0 && free && bytes.get(at + 1).is_some_and(u8::is_ascii_digit)
    })
}

#[cfg(test)]
mod tests {
    use super::{super::places, *};

    fn lines_in_ledger(text: &str) -> Vec<String> {
        places(check, &[("crates/ledger/src/a.rs", text)])
    }

    #[test]
    fn impure_words_are_named_where_they_stand() {
        let text = "use std::collections::HashMap;\nlet x: f64;\n// a HashMap in words\nlet s = \"SystemTime\";\nstd::fs::read(p);\n";
        assert_eq!(
            lines_in_ledger(text),
            [
                "crates/ledger/src/a.rs:1",
                "crates/ledger/src/a.rs:2",
                "crates/ledger/src/a.rs:5"
            ]
        );
    }

    #[test]
    fn grouped_imports_are_seen() {
        assert_eq!(
            lines_in_ledger("use std::{\n    fmt,\n    net::TcpStream,\n};\nuse x::{io};\n"),
            ["crates/ledger/src/a.rs:3"]
        );
    }

    #[test]
    fn tests_and_shells_are_free() {
        assert!(lines_in_ledger("#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n").is_empty());
        let files = [
            ("crates/node/src/a.rs", "use std::fs;"),
            ("crates/types/tests/a.rs", "use std::fs;"),
        ];
        assert!(places(check, &files).is_empty());
    }

    #[test]
    fn float_literals_are_told_from_ranges_and_fields() {
        assert!(has_float_literal("let x = 1.5;") && has_float_literal("(2.0)"));
        assert!(!has_float_literal("for i in 0..10") && !has_float_literal("pair.0.1") && !has_float_literal("x1.0"));
    }
}
