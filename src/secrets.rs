//! [`Secrets`]: texts that are never shown; and what is safe to show.

use std::{
    borrow::Cow,
    ffi::{OsStr, OsString},
    fmt,
    sync::Arc,
};

use memchr::memmem;

/// Stands for a secret.
pub(crate) const HIDDEN: &str = "***";

/// Texts that no error, trace or debug output of a command shows.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Option<Arc<[OsString]>>);

impl Secrets {
    pub(crate) fn new(texts: &[OsString]) -> Self {
        let texts = texts.iter().filter(|text| !text.is_empty());
        let texts: Vec<_> = texts.cloned().collect();
        Self((!texts.is_empty()).then(|| texts.into()))
    }

    fn texts(&self) -> &[OsString] {
        self.0.as_deref().unwrap_or_default()
    }

    /// How many bytes the longest has.
    pub(crate) fn longest(&self) -> usize {
        self.texts()
            .iter()
            .map(|text| text.len())
            .max()
            .unwrap_or(0)
    }

    /// `text` from byte `from` on, with U+FFFD for what is not UTF-8. Bytes and not text are looked at, all of them before any
    /// is hidden: a secret may overlap another one, and begin or end within a character, or before `from`.
    pub(crate) fn hide<'a>(&self, text: &'a [u8], from: usize) -> Cow<'a, str> {
        let mut hidden = vec![false; if self.0.is_some() { text.len() } else { 0 }];
        for secret in self.texts() {
            let (secret, mut at) = (secret.as_encoded_bytes(), 0);
            while let Some(found) = memmem::find(&text[at..], secret) {
                hidden[at + found..][..secret.len()].fill(true);
                at += found + 1;
            }
        }
        let mut rest = &text[from..];
        if !hidden.contains(&true) {
            return String::from_utf8_lossy(rest);
        }
        let mut shown = String::new();
        for run in hidden[from..].chunk_by(|a, b| a == b) {
            let (part, after) = rest.split_at(run.len());
            rest = after;
            match run[0] {
                true => shown.push_str(HIDDEN),
                false => shown.push_str(&String::from_utf8_lossy(part)),
            }
        }
        shown.into()
    }

    /// The name of a file, or another word, on one line.
    pub(crate) fn show(&self, word: impl AsRef<OsStr>) -> String {
        let word = self.hide(word.as_ref().as_encoded_bytes(), 0);
        escape(&word, |_| false)
    }
}

/// How many there are.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Secrets").field(&self.texts().len()).finish()
    }
}

/// Escapes the control characters but for those to be kept: they could do anything to a terminal.
pub(crate) fn escape(text: &str, keep: fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() && !keep(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}
