//! A command line as a person would type it.

use std::{
    fmt::{self, Write},
    process::Command,
    sync::Arc,
};

use crate::secrets::{HIDDEN, Secrets};

/// Longest command line that an error shows, in bytes.
const LINE_MAX: usize = 1024;

/// Longest argument that an error shows, in bytes: a script is told by its beginning.
const ARGUMENT_MAX: usize = 120;

/// Program and arguments without the secrets, quoted as for a shell where they need it, cut when very long.
pub(crate) fn line(command: &Command, secrets: &Secrets) -> Arc<str> {
    let mut line = String::new();
    for word in [command.get_program()]
        .into_iter()
        .chain(command.get_args())
    {
        if !line.is_empty() {
            line.push(' ');
        }
        let room = LINE_MAX.saturating_sub(line.len());
        let max = match line.is_empty() {
            true => room,
            false => room.min(ARGUMENT_MAX),
        };
        let word = secrets.hide(word.as_encoded_bytes(), 0);
        let shown = beginning(&word, max);
        // Writing to a string cannot fail.
        let _ = quote(&mut line, shown);
        match shown.len() < word.len() {
            true if max == ARGUMENT_MAX => line.push('…'),
            cut if cut || room == 0 => {
                line.push_str(" ...");
                break;
            }
            _ => {}
        }
    }
    line.into()
}

/// As many whole characters as have room in `max` bytes.
fn beginning(word: &str, max: usize) -> &str {
    let ends = (0..=max.min(word.len())).rev();
    let end = ends.into_iter().find(|&end| word.is_char_boundary(end));
    &word[..end.unwrap_or_default()]
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
        line(Command::new("prog").args(args), &Secrets::default()).to_string()
    }

    #[test]
    fn quotes_what_a_shell_would_take_apart() {
        assert_eq!(of(&["-x", "a=b"]), "prog -x a=b");
        assert_eq!(of(&["", "a b", "it's"]), r"prog '' 'a b' 'it'\''s'");
        assert_eq!(of(&["a\nb"]), r"prog $'a\nb'");
    }

    #[test]
    fn is_cut_when_very_long() {
        let long = of(&["word"; 1000]);
        assert!(long.len() < LINE_MAX + 20, "{}", long.len());
        assert!(long.ends_with(" ..."));
    }

    #[test]
    fn a_long_argument_is_cut_after_a_whole_character() {
        let script = format!("x{}", "é".repeat(500));
        let shown = format!("prog -c x{}… end", "é".repeat(59));
        assert_eq!(of(&["-c", &script, "end"]), shown);
        let fits = "a".repeat(ARGUMENT_MAX);
        assert_eq!(of(&[&fits]), format!("prog {fits}"));
    }

    #[test]
    fn shows_no_secret() {
        let secrets = ["pass", "password", ""].map(Into::into);
        let mut command = Command::new("prog");
        command.args(["--token=password", "x pass", &"y".repeat(LINE_MAX), "pass"]);
        let shown = line(&command, &Secrets::new(&secrets));
        assert!(shown.starts_with("prog --token=*** 'x ***' yyy"), "{shown}");
        assert!(!shown.contains("pa"), "{shown}");
    }
}
