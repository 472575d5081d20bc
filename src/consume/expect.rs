//! Waiting for a prompt: `expect`.

use std::{
    future::poll_fn,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;

use super::needle::{Found, Needle};
use crate::{
    error::{ErrorKind, Kind, Result},
    event::Source,
    limits::DEFAULT_DRAIN_IDLE,
    process_io::{Handle, ProcessIo, ReadSource, RecvHalf},
    pump::{Pump, Turn, Want, Wants, after, drive, poll_wait, until},
};

/// What [`expect`](ProcessIo::expect) received: the match of a [`Needle`], and the output before it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Match {
    /// The output before the match, from the end of the last one.
    pub before: Bytes,
    /// The match itself; empty for [`Eof`](crate::Eof).
    pub matched: Bytes,
    /// The index of the needle in a set; 0 for a single one.
    pub index: usize,
    /// The matches of the groups of a regex, the whole match first; empty for other needles.
    pub captures: Vec<Option<Bytes>>,
}

/// # Prompts
impl ProcessIo {
    /// Receives from stdout until `needle` matches, and returns the output up to the end of the match.
    ///
    /// What comes after the match stays for the next call. See [`Needle`] for which match is the first.
    ///
    /// It takes time in proportion to the output, and keeps as much of it as the [limit](crate::Limits) of the stream allows, or
    /// 64 KiB if the limit is lower, because a match needs room. Where output was dropped before, what was kept from before that
    /// is dropped too, and counted, if it contains no match.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let mut sh = ProcessIo::command("sh").spawn()?;
    /// sh.send_line("echo some text; printf 'ready> '").await?;
    /// let found = sh.expect("ready> ").await?;
    /// assert_eq!(found.before, "some text\n");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Eof`](ErrorKind::Eof) if the output ends before: the error contains the exit status, if the child
    /// exits within 200 ms of that, and all the unmatched [output](crate::Error::output) of both streams, which is taken.
    /// [`is_limit`](crate::Error::is_limit) if there is no match in as much as may be kept; that stays to be
    /// received. If a [`Needle`] of your own returns a range that is not in the output; nothing is taken then. Otherwise as
    /// [`recv`](Self::recv).
    ///
    /// # Panics
    ///
    /// If it waits for the exit, because the output has ended, and is polled outside a tokio runtime with
    /// [time enabled](tokio::runtime::Builder::enable_time).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: all the output stays in the handle, and the next call searches it again.
    pub async fn expect(&mut self, needle: impl Needle) -> Result<Match> {
        expect_until(self, ReadSource::Stdout, needle, None).await
    }

    /// Receives from stdout as [`expect`](Self::expect) does, for no longer than `timeout`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::time::Duration;
    /// use process_io::ProcessIo;
    ///
    /// let mut sh = ProcessIo::command("sh").spawn()?;
    /// sh.send_line("echo version 12; echo done").await?;
    /// let found = sh.expect_timeout("done\n", Duration::from_secs(10)).await?;
    /// assert_eq!(found.before, "version 12\n");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`is_timeout`](crate::Error::is_timeout) when the time has elapsed: all the output stays in the handle. Otherwise as
    /// [`expect`](Self::expect).
    ///
    /// # Panics
    ///
    /// If it is polled outside a tokio runtime with [time enabled](tokio::runtime::Builder::enable_time).
    ///
    /// # Cancel safety
    ///
    /// As [`expect`](Self::expect).
    pub async fn expect_timeout(
        &mut self,
        needle: impl Needle,
        timeout: Duration,
    ) -> Result<Match> {
        expect_until(self, ReadSource::Stdout, needle, after(timeout)).await
    }

    /// Receives from the given stream or streams until `needle` matches, for no longer than `timeout`.
    ///
    /// As [`expect_timeout`](Self::expect_timeout) otherwise. With [`ReadSource::Both`] what comes from stderr is appended to what came
    /// from stdout before, and counts as stdout's from then on. To receive both in the order in which the child wrote them,
    /// [merge](crate::Builder::merge_stderr) them at the spawn. The limit that counts is that of the stream, and with
    /// [`ReadSource::Both`] that of stdout, or 64 KiB if it is lower.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::time::Duration;
    /// use process_io::{ProcessIo, ReadSource};
    ///
    /// let mut io = ProcessIo::shell("printf 'password: ' >&2; read line").spawn()?;
    /// let timeout = Duration::from_secs(10);
    /// io.expect_from(ReadSource::Stderr, "password: ", timeout).await?;
    /// io.send_line("secret").await?;
    /// assert!(io.wait().await?.success());
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`expect_timeout`](Self::expect_timeout).
    ///
    /// # Panics
    ///
    /// As [`expect_timeout`](Self::expect_timeout).
    ///
    /// # Cancel safety
    ///
    /// As [`expect`](Self::expect).
    pub async fn expect_from(
        &mut self,
        source: ReadSource,
        needle: impl Needle,
        timeout: Duration,
    ) -> Result<Match> {
        expect_until(self, source, needle, after(timeout)).await
    }
}

/// # Prompts
impl RecvHalf {
    /// Receives from stdout until `needle` matches; see [`ProcessIo::expect`].
    ///
    /// # Errors
    ///
    /// As [`ProcessIo::expect`].
    ///
    /// # Panics
    ///
    /// As [`ProcessIo::expect`].
    ///
    /// # Cancel safety
    ///
    /// As [`ProcessIo::expect`].
    pub async fn expect(&mut self, needle: impl Needle) -> Result<Match> {
        expect_until(self, ReadSource::Stdout, needle, None).await
    }

    /// Receives from stdout until `needle` matches, for no longer than `timeout`; see [`ProcessIo::expect_timeout`].
    ///
    /// # Errors
    ///
    /// As [`ProcessIo::expect_timeout`].
    ///
    /// # Panics
    ///
    /// As [`ProcessIo::expect_timeout`].
    ///
    /// # Cancel safety
    ///
    /// As [`ProcessIo::expect`].
    pub async fn expect_timeout(
        &mut self,
        needle: impl Needle,
        timeout: Duration,
    ) -> Result<Match> {
        expect_until(self, ReadSource::Stdout, needle, after(timeout)).await
    }

    /// Receives from the given stream or streams until `needle` matches; see [`ProcessIo::expect_from`].
    ///
    /// # Errors
    ///
    /// As [`ProcessIo::expect_from`].
    ///
    /// # Panics
    ///
    /// As [`ProcessIo::expect_timeout`].
    ///
    /// # Cancel safety
    ///
    /// As [`ProcessIo::expect`].
    pub async fn expect_from(
        &mut self,
        source: ReadSource,
        needle: impl Needle,
        timeout: Duration,
    ) -> Result<Match> {
        expect_until(self, source, needle, after(timeout)).await
    }
}

async fn expect_until(
    io: &mut impl Handle,
    source: ReadSource,
    needle: impl Needle,
    deadline: Option<Instant>,
) -> Result<Match> {
    // Not within the deadline: what is there already is found, however short the time is.
    if io.with(|io| io.pump.charge.is_due()) {
        poll_fn(|cx| io.poll(cx, |pump, turn| pump.charge.poll(turn.cx()))).await;
    }
    let mut searched = None;
    let poll = |cx: &mut Context<'_>| {
        io.poll(cx, |pump, turn| {
            poll_expect(pump, turn, source, &needle, &mut searched)
        })
    };
    match until(deadline, poll).await {
        Some(Ok(Some(found))) => Ok(found),
        Some(Err(error)) => Err(error),
        None => Err(io.with(|io| io.pump.error(Kind::Timeout))),
        Some(Ok(None)) => {
            // The streams end a moment before the exit is seen.
            let grace = after(DEFAULT_DRAIN_IDLE);
            match until(grace, |cx| io.poll(cx, poll_wait)).await {
                Some(Err(error))
                    if error.is_beside_the_child()
                        || error.is_of_a_stop()
                        || error.kind() == ErrorKind::Stopped =>
                {
                    return Err(error);
                }
                _ => {}
            }
            Err(io.with(|io| {
                let error = io.pump.error(Kind::Eof);
                error.with_output(io.pump.take_output())
            }))
        }
    }
}

/// The first match; `None` when the streams have ended without one. What has been looked through so far is in `searched`.
fn poll_expect(
    pump: &mut Pump,
    turn: &mut Turn<'_, '_>,
    source: ReadSource,
    needle: &impl Needle,
    searched: &mut Option<usize>,
) -> Poll<Result<Option<Match>>> {
    let (stream, wants) = match source {
        ReadSource::Stdout => (Source::Stdout, [Want::SEARCH, Want::ALL]),
        ReadSource::Stderr => (Source::Stderr, [Want::ALL, Want::SEARCH]),
        ReadSource::Both => (Source::Stdout, [Want::SEARCH, Want::PIECE]),
    };
    drive(pump, turn, Wants(wants), |pump, _| {
        if source == ReadSource::Both {
            pump.merge_stderr();
        }
        loop {
            let output = pump.reader_mut(stream).pending();
            if *searched != Some(output.len()) {
                if let Some(found) = needle.find(output, searched.unwrap_or(0)) {
                    return Some(match found.is_within(output.len()) {
                        true => Ok(Some(take(pump, stream, found))),
                        false => Err(pump.error(Kind::Needle(found.start, found.end))),
                    });
                }
                *searched = Some(output.len());
            }
            if !pump.reader_mut(stream).skip_gap() {
                break;
            }
            *searched = None;
        }
        let ended = |source| pump.is_ended(source);
        if ended(stream) && (source != ReadSource::Both || ended(Source::Stderr)) {
            let mut error = pump.take_error(stream);
            if source == ReadSource::Both {
                error = error.or_else(|| pump.take_error(Source::Stderr));
            }
            if let Some(error) = error {
                return Some(Err(error));
            }
            return Some(Ok(needle.find_at_eof().map(|index| Match {
                before: pump.reader_mut(stream).take_all(),
                matched: Bytes::new(),
                index,
                captures: Vec::new(),
            })));
        }
        pump.reader(stream).is_full(Want::SEARCH).then(|| {
            let limit = pump.limit(stream).bytes;
            Err(pump.error(Kind::Limit(stream, limit)))
        })
    })
}

fn take(pump: &mut Pump, stream: Source, found: Found) -> Match {
    let Found { start, end, .. } = found;
    pump.charge.add_part(end);
    let mut before = pump.reader_mut(stream).take(end).unwrap_or_default();
    let matched = before.split_off(start);
    let captures = (found.captures.into_iter())
        .map(|group| group.map(|range| matched.slice(range.start - start..range.end - start)))
        .collect();
    Match {
        before,
        matched,
        index: found.index,
        captures,
    }
}
