//! The habits of this repository that no lint can check.

use std::{fs, path::Path};

/// The modules of `src/`. Each uses only itself and those before it.
const MODULES: [&str; 19] = [
    "event",
    "limits",
    "secrets",
    "signal",
    "stdio",
    "trace",
    "report",
    "output",
    "error",
    "sys",
    "lines",
    "buffer",
    "transport",
    "shutdown",
    "command",
    "pump",
    "process_io",
    "consume",
    "pipeline",
];

/// The path, with `/`, and the text of each file at and below `folders`.
fn files(folders: &[&str]) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<_> = folders.iter().map(|folder| root.join(folder)).collect();
    let mut files = Vec::new();
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            paths.extend(
                fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            files.push((name.replace('\\', "/"), fs::read_to_string(&path).unwrap()));
        }
    }
    files
}

/// The same of `src/`, without the comments and without the tests at a file's foot.
fn sources() -> Vec<(String, String)> {
    let mut sources = files(&["src"]);
    for (_, text) in &mut sources {
        let shipped = text.split("\nmod tests {").next().unwrap().lines();
        let code: Vec<_> = shipped
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        *text = code.join("\n");
    }
    sources
}

/// The module below `src/` that a file belongs to.
fn module(path: &str) -> &str {
    ident(path.strip_prefix("src/").unwrap())
}

fn ident(text: &str) -> &str {
    let is_ident = |c: char| c.is_alphanumeric() || c == '_';
    text.split(|c| !is_ident(c)).next().unwrap()
}

/// What follows `crate::` first: one name, or those of a group.
fn imported(path: &str) -> Vec<&str> {
    if !path.starts_with('{') {
        return vec![ident(path)];
    }
    let (mut depth, mut names) = (0, Vec::new());
    for part in path.split_inclusive(['{', ',', '}']) {
        let name = ident(part.trim_start());
        if depth == 1 && !name.is_empty() {
            names.push(name);
        }
        match part.as_bytes().last() {
            Some(b'{') => depth += 1,
            Some(b'}') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

#[test]
fn imports_run_one_way() {
    let place = |module| MODULES.iter().position(|&known| known == module);
    let mut faults = Vec::new();
    for (path, code) in sources().iter().filter(|(path, _)| path != "src/lib.rs") {
        let own = place(module(path)).unwrap_or_else(|| panic!("{path} has no place in MODULES"));
        for name in code.split("crate::").skip(1).flat_map(imported) {
            if place(name).is_none_or(|place| place > own) {
                faults.push(format!("{path} uses crate::{name}"));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// The type that a line at the margin defines.
fn defined(line: &str) -> Option<&str> {
    let item = ["pub", "(crate)", "(super)", " "]
        .iter()
        .fold(line, |item, visibility| {
            item.strip_prefix(visibility).unwrap_or(item)
        });
    let name = item
        .strip_prefix("struct ")
        .or_else(|| item.strip_prefix("enum "))?;
    Some(ident(name))
}

/// The type whose inherent `impl` a line begins.
fn implemented(line: &str) -> Option<&str> {
    let name = match line.strip_prefix("impl<") {
        Some(generic) => generic.split_once("> ")?.1,
        None => line.strip_prefix("impl ")?,
    };
    (!line.contains(" for ")).then(|| ident(name))
}

/// Where a module defines a type it implements it too. [`ProcessIo`](process_io::ProcessIo) has a file for each
/// section of its documentation.
#[test]
fn a_type_is_implemented_where_it_is_defined() {
    let sources = sources();
    let defines = |code: &str, name| code.lines().any(|line| defined(line) == Some(name));
    let mut faults = Vec::new();
    for (path, code) in &sources {
        for name in code
            .lines()
            .filter_map(implemented)
            .filter(|&name| name != "ProcessIo")
        {
            let elsewhere = sources
                .iter()
                .find(|(other, code)| module(other) == module(path) && defines(code, name));
            if let Some((other, _)) = elsewhere.filter(|_| !defines(code, name)) {
                faults.push(format!("{path} implements {name} of {other}"));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Unsafe code is denied; a module can allow itself what it likes.
#[test]
fn what_is_unsafe_or_differs_by_platform_is_in_sys() {
    let differs = |line: &str| {
        ["unix", "windows", "target_"]
            .iter()
            .any(|word| line.contains(word))
    };
    for (path, code) in sources().iter().filter(|(path, _)| module(path) != "sys") {
        for line in code.lines() {
            let is_fault = line.contains("unsafe_code") || line.contains("cfg") && differs(line);
            assert!(!is_fault, "{path}: {line}");
        }
    }
}

/// Whoever reads this repository has nothing but the repository.
#[test]
fn no_text_names_a_design_document_or_an_issue() {
    let folders = [
        ".ci",
        ".github",
        "benches",
        "examples",
        "fuzz/fuzz_targets",
        "src",
        "tests",
    ];
    let pages = ["CHANGELOG.md", "Cargo.toml", "README.md", "deny.toml"];
    for (path, text) in files(&[&folders[..], &pages].concat()) {
        for line in text.lines().filter(|_| !path.ends_with("tidy.rs")) {
            let unseen = [
                "DESIGN",
                "design doc",
                "FIELD.md",
                "STYLE.md",
                "/issues/",
                "/pull/",
                "issue #",
            ];
            let named = unseen.iter().any(|word| line.contains(word));
            // As in `tokio#1234`; what begins with `#` may be a colour.
            let numbered = line.split('#').collect::<Vec<_>>().windows(2).any(|parts| {
                parts[0].ends_with(char::is_alphanumeric)
                    && parts[1].starts_with(|c: char| c.is_ascii_digit())
            });
            assert!(!named && !numbered, "{path}: {line}");
        }
    }
}
