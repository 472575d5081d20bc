//! A command line as a person would type it.

use std::{
    borrow::Cow,
    ffi::{OsStr, OsString},
    fmt::{self, Write},
    process::Command,
    sync::Arc,
};

use memchr::memmem;

/// Longest command line that an error shows, in bytes.
const LINE_MAX: usize = 1024;
/// Stands for a secret.
const HIDDEN: &str = "***";

/// Program and arguments without the secrets, quoted as for a shell where they need it, cut when very long.
pub(crate) fn line(command: &Command, secrets: &[OsString]) -> Arc<str> {
    let mut line = String::new();
    for word in [command.get_program()]
        .into_iter()
        .chain(command.get_args())
    {
        if !line.is_empty() {
            line.push(' ');
        }
        let room = LINE_MAX.saturating_sub(line.len());
        let word = hide(word, secrets);
        let cut = (word.char_indices().map(|(at, _)| at)).find(|&at| at > room);
        // Writing to a string cannot fail.
        let _ = quote(&mut line, &word[..cut.unwrap_or(word.len())]);
        if cut.is_some() || room == 0 {
            line.push_str(" ...");
            break;
        }
    }
    line.into()
}

/// Bytes and not text are looked at, all of them before any is hidden: a secret may overlap another one, and begin or
/// end within a character.
fn hide<'a>(word: &'a OsStr, secrets: &[OsString]) -> Cow<'a, str> {
    let bytes = word.as_encoded_bytes();
    let mut hidden = vec![false; bytes.len()];
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        let (secret, mut from) = (secret.as_encoded_bytes(), 0);
        while let Some(at) = memmem::find(&bytes[from..], secret) {
            hidden[from + at..][..secret.len()].fill(true);
            from += at + 1;
        }
    }
    if !hidden.contains(&true) {
        return word.to_string_lossy();
    }
    let mut shown = String::new();
    let mut rest = bytes;
    for run in hidden.chunk_by(|a, b| a == b) {
        let (part, after) = rest.split_at(run.len());
        rest = after;
        match run[0] {
            true => shown.push_str(HIDDEN),
            false => shown.push_str(&String::from_utf8_lossy(part)),
        }
    }
    shown.into()
}

fn quote(line: &mut String, word: &str) -> fmt::Result {
    let plain = |c: char| c.is_alphanumeric() || "_-./=:,@%+".contains(c);
    let all_plain = word.split(HIDDEN).all(|part| part.chars().all(plain));
    if !word.is_empty() && all_plain {
        line.push_str(word);
    } else if word.chars().any(char::is_control) {
        write!(line, "$'{}'", word.escape_debug())?;
    } else {
        write!(line, "'{}'", word.replace('\'', r"'\''"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(args: &[&str]) -> String {
        line(Command::new("prog").args(args), &[]).to_string()
    }

    #[test]
    fn quotes_what_a_shell_would_take_apart() {
        assert_eq!(of(&["-x", "a=b"]), "prog -x a=b");
        assert_eq!(of(&["", "a b", "it's"]), r"prog '' 'a b' 'it'\''s'");
        assert_eq!(of(&["a\nb"]), r"prog $'a\nb'");
    }

    #[test]
    fn is_cut_when_very_long() {
        let long = of(&[&"é".repeat(5000), "more"]);
        assert!(long.len() < LINE_MAX + 20, "{}", long.len());
        assert!(long.ends_with(" ..."));
    }

    #[test]
    fn shows_no_secret() {
        let secrets = ["pass", "password", ""].map(Into::into);
        let mut command = Command::new("prog");
        command.args(["--token=password", "x pass", &"y".repeat(LINE_MAX), "pass"]);
        let shown = line(&command, &secrets);
        assert!(shown.starts_with("prog --token=*** 'x ***' yyy"), "{shown}");
        assert!(!shown.contains("pa"), "{shown}");
    }
}
