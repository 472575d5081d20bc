//! The repository checks its own habits.
//!
//! Each habit is a function from text to complaints. It is tested twice: on the repository, and on
//! a good and a bad snippet, because a check that cannot fail proves nothing.

use std::fs;
use std::path::{Path, PathBuf};

/// The modules under `src/` from left to right. A module may use those on its own line or above.
const LAYERS: &[&[&str]] = &[
    &[
        "error", "limits", "event", "output", "signal", "stdio", "trace",
    ],
    &["sys"],
    &["line"],
    &["buffer"],
    &["transport"],
    &["shutdown"],
    &["command", "pty"],
    &["pump"],
    &["process_io"],
    &["consume"],
    &["pipeline"],
];

type Faults = Vec<String>;

// ---- Reading the repository ----

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every `.rs` file at and below `folder`, as its path from the root with `/`, and its text.
fn rust_files(folder: &str) -> Vec<(String, String)> {
    let mut folders: Vec<PathBuf> = vec![root().join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{folder:?}: {e}"));
        for entry in entries {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).expect("below the root");
                let name = name.to_string_lossy().replace('\\', "/");
                let text = read(&name);
                found.push((name, text));
            }
        }
    }
    assert!(!found.is_empty(), "no Rust file under {folder}");
    found.sort();
    found
}

/// Runs a check over every file under `folder` and fails with all complaints at once.
fn demand(folder: &str, check: fn(&str, &str) -> Faults) {
    let files = rust_files(folder);
    demand_none(files.iter().flat_map(|(path, text)| check(path, text)));
}

fn demand_none(faults: impl IntoIterator<Item = String>) {
    let faults: Faults = faults.into_iter().collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

// ---- Reading Rust ----

fn is_ident(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn ident_at(text: &str) -> &str {
    let end = text.bytes().position(|byte| !is_ident(byte));
    &text[..end.unwrap_or(text.len())]
}

/// `text` with comments and the insides of literals blanked, every other byte in its old place.
fn code_only(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let (inside, next) = match &bytes[at..] {
            [b'/', b'/', ..] => {
                let end = at + text[at..].find('\n').unwrap_or(text.len() - at);
                (at..end, end)
            }
            [b'/', b'*', ..] => {
                let end = block_comment_end(bytes, at);
                (at..end, end)
            }
            [b'"', ..] => string_span(text, at),
            [b'\'', ..] => char_span(text, at),
            _ => (at..at, at + 1),
        };
        for byte in &mut code[inside] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = next;
    }
    String::from_utf8(code).expect("only whole characters were blanked")
}

fn block_comment_end(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0;
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// The inside of the string whose quote is at `quote`, and where the code goes on.
fn string_span(text: &str, quote: usize) -> (std::ops::Range<usize>, usize) {
    let before = text[..quote].trim_end_matches('#');
    let hashes = &text[before.len()..quote];
    let prefix = before.len() - before.bytes().rev().take_while(|b| is_ident(*b)).count();
    let inside = quote + 1;
    if matches!(&before[prefix..], "r" | "br" | "cr") {
        let close = format!("\"{hashes}");
        let end = inside + text[inside..].find(&close).unwrap_or(text.len() - inside);
        return (inside..end, (end + close.len()).min(text.len()));
    }
    let mut end = inside;
    while end < text.len() && text.as_bytes()[end] != b'"' {
        end += if text.as_bytes()[end] == b'\\' { 2 } else { 1 };
    }
    let end = end.min(text.len());
    (inside..end, end + 1)
}

/// The same for a character, or nothing to blank when the quote begins a lifetime.
fn char_span(text: &str, quote: usize) -> (std::ops::Range<usize>, usize) {
    let inside = quote + 1;
    let mut chars = text[inside..].chars();
    let (first, second) = (chars.next(), chars.next());
    // `'\''` is the one literal whose first quote does not close it.
    let skip = match (first, second) {
        (Some('\\'), Some(escaped)) => 1 + escaped.len_utf8(),
        (Some(only), Some('\'')) => only.len_utf8(),
        _ => return (inside..inside, inside),
    };
    let end = text[inside + skip..].find('\'').unwrap_or(0) + inside + skip;
    (inside..end, end + 1)
}

/// Where the tests at the file's foot begin. `code` is what `code_only` made.
fn tests_at(code: &str) -> usize {
    let mut marker = None;
    let mut at = 0;
    for line in code.split_inclusive('\n') {
        if line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(all(test,") {
            marker.get_or_insert(at);
        } else if line.starts_with("mod ") && line.trim_end().ends_with('{') {
            if let Some(start) = marker {
                return start;
            }
        } else if !line.starts_with("#[") && !line.trim().is_empty() {
            marker = None;
        }
        at += line.len();
    }
    code.len()
}

/// The code above the tests at the file's foot; nothing of a file that is all tests.
fn shipped_code(path: &str, text: &str) -> String {
    let mut code = code_only(text);
    code.truncate(tests_at(&code));
    if path.ends_with("/tests.rs") || path.contains("/tests/") {
        code.clear();
    }
    code
}

/// Where `needle` stands in `code` as whole words.
fn find_all<'a>(code: &'a str, needle: &'a str) -> impl Iterator<Item = usize> + 'a {
    let touches = |a: Option<u8>, b: Option<u8>| a.is_some_and(is_ident) && b.is_some_and(is_ident);
    code.match_indices(needle)
        .map(|(at, _)| at)
        .filter(move |&at| {
            let (bytes, word) = (code.as_bytes(), needle.as_bytes());
            let before = at.checked_sub(1).map(|i| bytes[i]);
            let after = bytes.get(at + word.len()).copied();
            !touches(before, word.first().copied()) && !touches(word.last().copied(), after)
        })
}

fn fault(path: &str, code: &str, at: usize, complaint: &str) -> String {
    let line = code[..at].matches('\n').count() + 1;
    format!("{path}:{line}: {complaint}")
}

// ---- The habits ----

/// What follows `crate::` at the start of `rest`: one name, or the first names of a `{...}` list.
fn first_names(rest: &str) -> Vec<&str> {
    let rest = rest.trim_start();
    let Some(list) = rest.strip_prefix('{') else {
        return vec![if rest.starts_with('*') {
            "*"
        } else {
            ident_at(rest)
        }];
    };
    let (mut depth, mut start, mut names) = (1, 0, Vec::new());
    for (at, byte) in list.bytes().enumerate() {
        if depth == 1 && matches!(byte, b',' | b'}') {
            names.push(ident_at(list[start..at].trim_start()));
            start = at + 1;
        }
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names.retain(|name| !name.is_empty() && *name != "self");
    names
}

fn import_faults(path: &str, text: &str) -> Faults {
    let layer_of = |name: &str| LAYERS.iter().position(|layer| layer.contains(&name));
    let below_src = path.strip_prefix("src/").expect("a file under src/");
    let own = below_src.split(['/', '.']).next().expect("a first part");
    if below_src == "lib.rs" {
        return Faults::new();
    }
    let Some(own_layer) = layer_of(own) else {
        return vec![format!("{path}: module `{own}` has no place in LAYERS")];
    };
    let code = shipped_code(path, text);
    let mut faults = Faults::new();
    for at in find_all(&code, "crate::") {
        for name in first_names(&code[at + "crate::".len()..]) {
            let complaint = match layer_of(name) {
                _ if name == own => continue,
                Some(layer) if layer <= own_layer => continue,
                Some(_) => format!("`{own}` must not use `{name}`, which stands to its right"),
                None if name.starts_with(|first: char| first.is_ascii_uppercase()) => {
                    format!("`crate::{name}` is a re-export: name the module it comes from")
                }
                None => format!("`crate::{name}` is no module in LAYERS"),
            };
            faults.push(fault(path, &code, at, &complaint));
        }
    }
    faults
}

fn unsafe_faults(path: &str, text: &str) -> Faults {
    let code = code_only(text);
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    let mut faults = Faults::new();
    for at in find_all(&code, "unsafe") {
        if !path.starts_with("src/sys/") {
            faults.push(fault(path, &code, at, "`unsafe` belongs in src/sys/"));
            continue;
        }
        let rest = code[at + "unsafe".len()..].trim_start();
        if !rest.starts_with('{') && ident_at(rest) != "impl" {
            continue;
        }
        let line = code[..at].matches('\n').count();
        let comment = |line: usize| lines[line].starts_with("//");
        let mut top = line.saturating_sub(3);
        // A long comment begins higher up.
        while top > 0 && comment(top) && comment(top - 1) {
            top -= 1;
        }
        let above = &lines[top..line];
        if !above.iter().any(|line| line.starts_with("// SAFETY:")) {
            faults.push(fault(
                path,
                &code,
                at,
                "`unsafe` without `// SAFETY:` above",
            ));
        }
    }
    faults
}

/// What stands between the bracket that `rest` begins with and its partner.
fn bracketed(rest: &str) -> &str {
    let mut depth = 0;
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return rest.get(1..at).unwrap_or_default();
        }
    }
    rest
}

fn platform_faults(path: &str, text: &str) -> Faults {
    if path.starts_with("src/sys/") {
        return Faults::new();
    }
    let code = shipped_code(path, text);
    let mut faults = Faults::new();
    for form in ["cfg(", "cfg!(", "cfg_attr("] {
        for at in find_all(&code, form) {
            let mut condition = bracketed(&code[at + form.len() - 1..]);
            // What rustdoc prints about a platform is documentation, not a difference.
            if code[..at].ends_with("doc(") {
                continue;
            }
            if form == "cfg_attr(" {
                let end = (0..condition.len())
                    .filter(|&end| condition.as_bytes()[end] == b',')
                    .find(|&end| {
                        let head = &condition[..end];
                        head.matches('(').count() == head.matches(')').count()
                    });
                let (head, attribute) = condition.split_at(end.unwrap_or(condition.len()));
                if path == "src/lib.rs"
                    && ident_at(attribute.trim_start_matches([',', ' '])) == "doc"
                {
                    continue;
                }
                condition = head;
            }
            for word in ["unix", "windows", "target_os", "target_family"] {
                if find_all(condition, word).next().is_some() {
                    let complaint = format!("`{word}` in a cfg belongs in src/sys/");
                    faults.push(fault(path, &code, at, &complaint));
                }
            }
        }
    }
    faults
}

fn leftover_faults(path: &str, text: &str) -> Faults {
    let mut faults = Faults::new();
    let code = shipped_code(path, text);
    for word in ["todo!", "unimplemented!", "dbg!", ".unwrap()"] {
        let complaint = format!("`{word}` in shipped code");
        faults.extend(find_all(&code, word).map(|at| fault(path, &code, at, &complaint)));
    }
    // These live in comments, so here the comments are what is read.
    for word in ["TODO", "FIXME", "XXX"] {
        let complaint = format!("`{word}`: do it, or file it as an issue");
        faults.extend(find_all(text, word).map(|at| fault(path, text, at, &complaint)));
    }
    faults
}

fn ignore_faults(path: &str, text: &str) -> Faults {
    let code = code_only(text);
    find_all(&code, "#[ignore]")
        .map(|at| fault(path, &code, at, "`#[ignore]` without a reason"))
        .collect()
}

/// The version in the `[package]` table.
fn package_version(cargo_toml: &str) -> &str {
    let package = cargo_toml.split("[package]").nth(1).unwrap_or_default();
    let package = package.split("\n[").next().unwrap_or_default();
    let version = package.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "version").then(|| value.trim().trim_matches('"'))
    });
    version.expect("a version in Cargo.toml")
}

fn changelog_faults(changelog: &str, version: &str) -> Faults {
    let headings = changelog
        .lines()
        .filter_map(|line| line.strip_prefix("## "));
    let mut names = headings.map(|heading| heading.split_whitespace().next().unwrap_or_default());
    match names.next() {
        None => vec!["CHANGELOG.md has no `## [...]` heading".into()],
        Some("[Unreleased]") => Faults::new(),
        Some(first) if first == format!("[{version}]") => Faults::new(),
        Some(first) => vec![format!(
            "CHANGELOG.md begins with `{first}`, neither [Unreleased] nor [{version}]"
        )],
    }
}

/// `stems` are the names of the files and folders beside `main.rs`.
fn undeclared_faults(main: &str, stems: &[String]) -> Faults {
    let code = code_only(main);
    let declared: Vec<&str> = find_all(&code, "mod ")
        .map(|at| ident_at(&code[at + "mod ".len()..]))
        .collect();
    let missing = stems
        .iter()
        .filter(|stem| !declared.contains(&stem.as_str()));
    missing
        .map(|stem| format!("tests/it/{stem} is not compiled: main.rs has no `mod {stem};`"))
        .collect()
}

fn example_faults(path: &str, text: &str) -> Faults {
    if text.starts_with("//!") {
        return Faults::new();
    }
    vec![format!(
        "{path}: begin with a `//!` line that says what it shows"
    )]
}

fn readme_faults(readme: &str) -> Faults {
    ["cargo run --example quickstart", "cargo test"]
        .iter()
        .filter(|command| find_all(readme, command).next().is_none())
        .map(|command| format!("README.md does not mention `{command}`"))
        .collect()
}

// ---- On the repository ----

#[test]
fn imports_run_one_way() {
    demand("src", import_faults);
}

#[test]
fn unsafe_code_is_in_sys_and_argued_for() {
    demand("src", unsafe_faults);
}

#[test]
fn platforms_differ_in_sys_only() {
    demand("src", platform_faults);
}

#[test]
fn nothing_is_left_over() {
    demand("src", leftover_faults);
    demand("src", ignore_faults);
    demand("tests", ignore_faults);
}

#[test]
fn the_changelog_knows_this_version() {
    let cargo_toml = read("Cargo.toml");
    demand_none(changelog_faults(
        &read("CHANGELOG.md"),
        package_version(&cargo_toml),
    ));
}

#[test]
fn every_test_file_is_compiled() {
    let files = rust_files("tests/it");
    let mut stems: Vec<String> = files
        .iter()
        .filter_map(|(path, _)| path.strip_prefix("tests/it/")?.split(['/', '.']).next())
        .filter(|stem| *stem != "main")
        .map(str::to_owned)
        .collect();
    stems.dedup();
    demand_none(undeclared_faults(&read("tests/it/main.rs"), &stems));
}

#[test]
fn examples_say_what_they_show() {
    demand("examples", example_faults);
}

#[test]
fn the_readme_names_its_commands() {
    demand_none(readme_faults(&read("README.md")));
}

// ---- On snippets: each check can pass, and can fail ----

/// How many complaints `check` has about each text.
fn counts<const N: usize>(
    check: fn(&str, &str) -> Faults,
    path: &str,
    texts: [&str; N],
) -> [usize; N] {
    texts.map(|text| check(path, text).len())
}

#[test]
fn code_only_blanks_comments_and_literals() {
    let code = code_only(
        r####"a /* b /* c */ d */ e // f
"g\"h" r#"i"j"# b"k" 'l' '\'' '\u{6d}' &'n o br##"p"#"## 'ä' "ö" q"####,
    );
    let left: String = code.chars().filter(char::is_ascii_alphabetic).collect();
    assert_eq!(left, "aerb&nobrq".replace('&', ""));
    assert_eq!(code.lines().count(), 2);
    assert_eq!(code_only("\"no end").len(), 7);
    assert_eq!(code_only("/* no end").len(), 9);
}

#[test]
fn the_tests_begin_at_the_last_module() {
    let code = "#[cfg(test)]\nuse a;\nfn b() {}\n\n#[cfg(test)]\n#[allow(c)]\nmod tests {\n}\n";
    assert!(code[tests_at(code)..].starts_with("#[cfg(test)]\n#[allow(c)]\nmod"));
    let declared = "#[cfg(test)]\nmod tests;\nfn a() {}\n";
    assert_eq!(tests_at(declared), declared.len());
}

#[test]
fn the_import_check_can_fail() {
    let good = [
        "use crate::{error::{Error, pump}, sys};",
        "use crate::pump::read;",
        "//! [`crate::ProcessIo`]\nuse crate::buffer::Inbox;",
        "fn f() {}\n#[cfg(test)]\nmod tests {\n    use crate::pipeline::X;\n}\n",
    ];
    assert_eq!(counts(import_faults, "src/pump/read.rs", good), [0; 4]);
    let bad = [
        "use crate::{error::Error, consume::{Lines}, sys};",
        "fn f() { crate::process_io::stop() }",
        "use crate::Error;",
        "use crate::{\n    error,\n    Event,\n};",
        "use crate::*;",
        "use crate::elsewhere::X;",
        "#[cfg(test)]\nuse a;\nuse crate::pipeline::X;",
    ];
    assert_eq!(counts(import_faults, "src/pump/read.rs", bad), [1; 7]);
    assert_eq!(counts(import_faults, "src/lib.rs", bad), [0; 7]);
    assert_eq!(counts(import_faults, "src/newcomer.rs", [""]), [1]);
    assert_eq!(
        counts(import_faults, "src/error.rs", ["use crate::sys;"]),
        [1]
    );
    assert_eq!(
        counts(import_faults, "src/error.rs", ["use crate::event;"]),
        [0]
    );
}

#[test]
fn the_unsafe_check_can_fail() {
    let good = [
        "// SAFETY: it is open.\nlet a = unsafe { b() };",
        "// SAFETY: one\n// two\n// three\n// four\n// five\nunsafe { b() }",
        "// SAFETY: no state.\nunsafe impl Send for A {}",
        "unsafe extern \"system\" fn f() {}",
    ];
    assert_eq!(counts(unsafe_faults, "src/sys/unix.rs", good), [0; 4]);
    assert_eq!(counts(unsafe_faults, "src/pump/read.rs", good), [1; 4]);
    let bad = [
        "let a = unsafe { b() };",
        "unsafe impl Send for A {}",
        "// SAFETY: too far\na;\nb;\nc;\nunsafe { b() }",
        "// SAFETY: a detached comment\nx;\ny;\nz;\n// other\nunsafe { b() }",
    ];
    assert_eq!(counts(unsafe_faults, "src/sys/unix.rs", bad), [1; 4]);
    let none = ["#![deny(unsafe_op_in_unsafe_fn)] // unsafe"];
    assert_eq!(counts(unsafe_faults, "src/lib.rs", none), [0]);
}

#[test]
fn the_platform_check_can_fail() {
    let bad = [
        "#[cfg(unix)]\nfn f() {}",
        "#[cfg(any(feature = \"pty\", not(windows)))]\nfn f() {}",
        "let a = cfg!(target_os = \"linux\");",
        "#[cfg_attr(all(unix, test), derive(Debug))]\nstruct A;",
    ];
    assert_eq!(counts(platform_faults, "src/pump/read.rs", bad), [1; 4]);
    assert_eq!(counts(platform_faults, "src/sys/mod.rs", bad), [0; 4]);
    let good = [
        "#[cfg(feature = \"pty\")]\nfn unix() {}",
        "/// `#[cfg(unix)]`\nlet a = \"cfg(unix)\";",
        "#[cfg_attr(docsrs, doc(cfg(unix)))]\nfn f() {}",
        "#[cfg(test)]\nmod tests {\n    #[cfg(unix)]\n    fn f() {}\n}\n",
    ];
    assert_eq!(counts(platform_faults, "src/pump/read.rs", good), [0; 4]);
    let doc = ["#![cfg_attr(unix, doc = \"one\")]"];
    assert_eq!(counts(platform_faults, "src/lib.rs", doc), [0]);
    assert_eq!(counts(platform_faults, "src/event.rs", doc), [1]);
}

#[test]
fn the_leftover_check_can_fail() {
    let bad = [
        "todo!()",
        "unimplemented!()",
        "dbg!(a)",
        "a.unwrap()",
        "// TODO: b",
        "/// FIXME",
        "// XXX",
    ];
    assert_eq!(counts(leftover_faults, "src/event.rs", bad), [1; 7]);
    let good = [
        "a.unwrap_or(b) // never .unwrap()",
        "fn mytodo() { mytodo!() } const XXXL: u8 = 0;",
        "#[cfg(test)]\nmod tests {\n    fn f() { a.unwrap() }\n}\n",
    ];
    assert_eq!(counts(leftover_faults, "src/event.rs", good), [0; 3]);
    let ignored = [
        "#[ignore]\nfn f() {}",
        "#[ignore = \"slow\"]\nfn f() {}",
        "// #[ignore]",
    ];
    assert_eq!(counts(ignore_faults, "tests/it/a.rs", ignored), [1, 0, 0]);
}

#[test]
fn the_changelog_check_can_fail() {
    let cargo_toml =
        "[package]\nname = \"a\"\nversion = \"0.2.0\"\n[dependencies]\nversion = \"9\"\n";
    assert_eq!(package_version(cargo_toml), "0.2.0");
    let bad = [
        "# Changelog\n",
        "## [0.1.0] - 2026-11-01\n",
        "## 0.2.0\n",
        "## [0.1.0]\n## [Unreleased]\n",
    ];
    assert_eq!(
        bad.map(|text| changelog_faults(text, "0.2.0").len()),
        [1; 4]
    );
    let good = [
        "## [Unreleased]\n## [0.1.0]\n",
        "# A\n\n## [0.2.0] - 2026-11-01\n## [0.1.0]\n",
    ];
    assert_eq!(
        good.map(|text| changelog_faults(text, "0.2.0").len()),
        [0; 2]
    );
}

#[test]
fn the_declaration_check_can_fail() {
    let stems = ["feed".to_owned(), "stop".to_owned()];
    assert_eq!(
        undeclared_faults("mod feed;\n#[cfg(unix)]\nmod stop;\n", &stems).len(),
        0
    );
    assert_eq!(
        undeclared_faults("mod feed;\n// mod stop;\nmod stops;\n", &stems).len(),
        1
    );
}

#[test]
fn the_example_and_readme_checks_can_fail() {
    let texts = [
        "//! Shows it.\nfn main() {}\n",
        "fn main() {}\n",
        "// no\n//! Late.\n",
    ];
    assert_eq!(counts(example_faults, "examples/a.rs", texts), [0, 1, 1]);
    let both = "`cargo run --example quickstart`, then `cargo test`";
    assert_eq!(readme_faults(both).len(), 0);
    assert_eq!(
        readme_faults("cargo run --example quickstarts, cargo tests").len(),
        2
    );
}
