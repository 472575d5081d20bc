//! How an [`Error`] reads: command, cause, how the child ended, and the end of its stderr.

use std::{fmt, process::ExitStatus};

use memchr::memchr;

use super::{Error, Inner, Kind};
use crate::{limits::ERROR_TAIL, secrets::escape};

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        if let Some(command) = &inner.command {
            write!(f, "`{command}`: ")?;
        }
        if let Some(stage) = &inner.stage {
            write!(f, "`{stage}`: ")?;
        }
        // The platform's own words add nothing where the kind says it all.
        match (&inner.kind, &inner.source) {
            (
                Kind::Spawn
                | Kind::Leader
                | Kind::NullDevice
                | Kind::Stdin
                | Kind::Input
                | Kind::Output(_)
                | Kind::Wait
                | Kind::Signal,
                Some(source),
            ) => write!(f, "{}: {source}", inner.kind)?,
            (Kind::Io, Some(source)) => write!(f, "{source}")?,
            (Kind::Failed, _) if inner.status.is_some() => {}
            (kind, _) if inner.before_the_start => {
                let cause = match kind {
                    Kind::Cancelled => kind,
                    // How long it took tells nothing then.
                    _ => &Kind::Timeout,
                };
                write!(f, "{cause} before it was started")?;
            }
            (kind, _) => write!(f, "{kind}")?,
        }
        if let (Some(signal), false) = (inner.stopped, matches!(inner.kind, Kind::Stopped(_))) {
            write!(f, ", stopped by {signal}")?;
        }
        match (&inner.kind, inner.status) {
            (Kind::Failed, Some(status)) => {
                let failed = status.code().map_or("", |_| "failed with ");
                write!(f, "{failed}{}", ending(status))?;
                if let Some(elapsed) = inner.elapsed {
                    write!(f, " after {elapsed:.1?}")?;
                }
            }
            (_, Some(status)) => write!(f, " ({})", ending(status))?,
            (_, None) => {}
        }
        if inner.survivors {
            f.write_str(
                "; it, or something that it started, could not be killed and is still running",
            )?;
        }
        let shows_tail = matches!(
            inner.kind,
            Kind::Failed | Kind::Eof | Kind::Deadline(_) | Kind::Silence(_)
        );
        if shows_tail {
            let tail = shown_tail(inner);
            if !tail.is_empty() {
                write!(f, "; stderr:\n{tail}")?;
            }
        }
        Ok(())
    }
}

/// The end of stderr, safe to print.
fn shown_tail(error: &Inner) -> String {
    let tail = &error.stderr_tail;
    let from = begin(tail, tail.len().saturating_sub(ERROR_TAIL));
    let tail = error.secrets.hide(tail, from).replace("\r\n", "\n");
    escape(tail.trim_ascii_end(), |c| matches!(c, '\n' | '\t'))
}

/// Where to begin, if not before `from`: with a line, unless that would leave out much, and else with a character.
fn begin(text: &[u8], from: usize) -> usize {
    if from == 0 || text[from - 1] == b'\n' {
        return from;
    }
    if let Some(at) = memchr(b'\n', &text[from..from + ERROR_TAIL / 2]) {
        return from + at + 1;
    }
    let rest = text[from..].iter().take(3);
    from + rest.take_while(|byte| **byte & 0xC0 == 0x80).count()
}

/// How a child ended, in words: `exit code 3`, `killed by SIGSEGV (core dumped)`.
fn ending(status: ExitStatus) -> String {
    if let Some(code) = status.code() {
        return match code {
            // An NTSTATUS of Windows, which is documented in hexadecimal.
            ..0 => format!("exit code {code:#x}"),
            code => format!("exit code {code}"),
        };
    }
    // The standard library knows the names of this platform's signals: "signal: 11 (SIGSEGV) (core dumped)".
    let words = status.to_string();
    let name = (words.strip_prefix("signal: "))
        .and_then(|signal| signal.split_once('(')?.1.split_once(')'));
    match name {
        Some((name, rest)) => format!("killed by {name}{rest}"),
        None => words,
    }
}

/// Formats the error as [`Display`](fmt::Display) does, because `fn main() -> Result<()>` shows it this way; `{:#?}` shows the
/// fields.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `main` shows errors by `Debug`.
        if !f.alternate() {
            return fmt::Display::fmt(self, f);
        }
        let inner = &*self.0;
        f.debug_struct("Error")
            .field("kind", &inner.kind)
            .field("command", &inner.command)
            .field("stage", &inner.stage)
            .field("status", &inner.status)
            .field("stderr_tail", &shown_tail(inner))
            .field("written", &inner.written)
            .field("elapsed", &inner.elapsed)
            .field("stopped", &inner.stopped)
            .field("survivors", &inner.survivors)
            .field("source", &inner.source)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::secrets::Secrets;

    #[test]
    fn a_failure_reads_like_a_command_line_tools() {
        let error = Error::new(Kind::Failed)
            .with_command(Some("sort -n x".into()))
            .with_status(Some(crate::sys::exit_status(2)))
            .with_elapsed(Some(Duration::from_millis(1234)))
            .with_stderr_tail(
                Bytes::from_static(b"sort: x: No such file\n"),
                Secrets::default(),
            );
        assert_eq!(
            error.to_string(),
            "`sort -n x`: failed with exit code 2 after 1.2s; stderr:\nsort: x: No such file"
        );
    }
}
