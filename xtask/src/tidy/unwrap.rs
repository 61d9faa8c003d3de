//! Outside tests nothing unwraps: what cannot happen says why it cannot.

use super::{Problem, tree::Tree};

pub fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, file) in tree.rust() {
        for (number, line, test) in file.numbered() {
            if !test
                && [".unwrap()", ".unwrap_err()", ".unwrap_unchecked()"]
                    .iter()
                    .any(|call| line.code.contains(call))
            {
                let instead = "`expect(\"why it cannot happen\")`, or answer with an error";
                problems.push(Problem::at(path, number, "unwraps outside tests", instead));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::{super::places, *};

    #[test]
    fn production_code_does_not_unwrap() {
        let text =
            "x.unwrap();\n// y.unwrap()\nz.unwrap_or(1);\n#[cfg(test)]\nmod tests {\n    fn f() { x.unwrap(); }\n}\n";
        assert_eq!(
            places(check, &[("a/src/a.rs", text), ("a/tests/b.rs", "x.unwrap();")]),
            ["a/src/a.rs:1"]
        );
    }
}
