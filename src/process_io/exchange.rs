//! `send*` and `recv*`: PEP 3145's asynchronous methods.

use std::{
    future::poll_fn,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;

use super::{Handle, ProcessIo};
use crate::{
    error::{Kind, Result},
    event::{Recv, Source},
    pump::{
        Pump, Sending, Turn, Wants, after, begin, poll_closed, poll_exact, poll_quiet, poll_recv,
        poll_sent, poll_window, try_recv, try_send, until,
    },
    shutdown::Alarm,
};

/// What was sent and received during an [`exchange`](ProcessIo::exchange).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exchange {
    /// The number of bytes of the message that the child's stdin took.
    pub written: usize,
    /// The bytes received from standard output.
    pub stdout: Bytes,
    /// The bytes received from standard error.
    pub stderr: Bytes,
}

/// # Sending
impl ProcessIo {
    /// Sends all of `data`. Meanwhile the output of the child is received and kept.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIo, Source};
    ///
    /// let mut cat = ProcessIo::command("cat").spawn()?;
    /// cat.send("hello").await?;
    /// assert_eq!(cat.recv(Source::Stdout).await?.data().unwrap(), "hello");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`is_broken_pipe`](crate::Error::is_broken_pipe) if the child closed its stdin or ended, or stdin was closed
    /// here, and [`Stdin`](crate::ErrorKind::Stdin) if it could not be written to for another reason: then
    /// [`written`](crate::Error::written) is the number of bytes of `data` that were written. [`is_limit`](crate::Error::is_limit) if unread
    /// output reached a limit with [`Overflow::Fail`](crate::Overflow::Fail): then the rest stays queued; receive some output, and
    /// the next call writes it.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe. Once polled, the whole message belongs to the handle: dropping this future does not take
    /// it back, and it must not be sent again. What is still [`queued`](Self::queued) is
    /// written by the next call, whichever it is.
    ///
    /// # Platform-specific behavior
    ///
    /// On Unix, writing to a child that has closed its stdin or ended raises `SIGPIPE` in this process, as any write to such a
    /// pipe does (`pipe(7)`). Rust programs ignore that signal from the start. In a program that has set it to its default, as
    /// command-line tools do, or that is not a Rust program, it ends this process; keep it ignored there
    /// (`signal(SIGPIPE, SIG_IGN)`), or block it in the threads that write (`pthread_sigmask(3)`). This applies to every way to write:
    /// the [input](crate::Builder::input), `Sink`, [`ProcessIOWrapper`](crate::ProcessIOWrapper) and
    /// [`Stage::tee`](crate::Stage::tee) too.
    pub async fn send(&mut self, data: impl Into<Bytes>) -> Result<()> {
        send(self, data.into(), poll_sent).await
    }

    /// Sends `line` and a newline.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIo, Source};
    ///
    /// let mut sh = ProcessIo::command("sh").spawn()?;
    /// sh.send_line("echo $((6 * 7))").await?;
    /// assert_eq!(sh.recv(Source::Stdout).await?.data().unwrap(), "42\n");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub async fn send_line(&mut self, line: impl AsRef<[u8]>) -> Result<()> {
        self.send([line.as_ref(), b"\n"].concat()).await
    }

    /// Sends as much of `data` as is taken within `timeout`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::time::Duration;
    /// use process_io::ProcessIo;
    ///
    /// let mut sleep = ProcessIo::command("sleep").arg("60").spawn()?;
    /// let message = vec![0; 10 << 20];
    /// let error = sleep.send_timeout(message, Duration::from_millis(100)).await.unwrap_err();
    /// assert!(error.is_timeout());
    /// assert!(error.written().unwrap() < 10 << 20); // what the pipe holds
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`is_timeout`](crate::Error::is_timeout) when the time has elapsed; [`written`](crate::Error::written) is the number of bytes that
    /// were written, and the rest is not queued. Otherwise as [`send`](Self::send).
    ///
    /// # Panics
    ///
    /// If it is polled outside a tokio runtime with [time enabled](tokio::runtime::Builder::enable_time).
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send): if the future is dropped, the rest stays queued.
    pub async fn send_timeout(&mut self, data: impl Into<Bytes>, timeout: Duration) -> Result<()> {
        send_timeout(self, data.into(), timeout, poll_sent).await
    }

    /// Waits until the child has closed its stdin or has ended, so that nothing more that is sent would be read.
    ///
    /// Returns at once if stdin has been closed here. Meanwhile output is received and kept up to its
    /// [limit](crate::Limits), where the child has to wait.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let mut io = ProcessIo::shell("head -n 1; exec <&-; sleep 1; echo done").spawn()?;
    /// io.send("enough\n").await?;
    /// io.stdin_closed().await?;
    /// assert_eq!(io.output().await?.stdout, "enough\ndone\n");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Stopped`](crate::ErrorKind::Stopped) if the terminal stops the child.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    ///
    /// # Platform-specific behavior
    ///
    /// On Windows, and with [`Parts`](crate::transport::Parts) that are not pipes of this crate, a pipe does not show that its reader has
    /// gone: there it returns when a write has failed because of that, or when the run is over.
    pub async fn stdin_closed(&mut self) -> Result<()> {
        poll_fn(|cx| self.poll(cx, poll_closed)).await
    }

    /// Writes as much of `data` as the pipe takes now, without waiting, and returns the number of bytes; 0 if the pipe is full.
    ///
    /// It makes a system call whatever the reactor knows, and so works in a loop that never yields. When the pipe is full
    /// it reads from and writes to the other pipes.
    ///
    /// A write of up to `PIPE_BUF` bytes (4096 on Linux, at least 512 by POSIX) is taken whole or not at all.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let mut sort = ProcessIo::command("sort").spawn()?;
    /// assert_eq!(sort.send_nowait("b\na\n")?, 4);
    /// assert_eq!(sort.output().await?.stdout, "a\nb\n");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_nowait(&mut self, data: impl AsRef<[u8]>) -> Result<usize> {
        try_send(&mut self.pump, data.as_ref(), Wants::ALL)
    }
}

/// # Receiving
impl ProcessIo {
    /// Receives the next bytes of `source` as soon as there are some, or [`Recv::Eof`] at its end.
    ///
    /// They are what was in the pipe: perhaps half a message, perhaps three.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIo, Recv, Source};
    ///
    /// let mut seq = ProcessIo::command("seq").arg("1000").spawn()?;
    /// let mut len = 0;
    /// while let Recv::Data(piece) = seq.recv(Source::Stdout).await? {
    ///     len += piece.len();
    /// }
    /// assert_eq!(len, 3893);
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// If the stream is [not a pipe](crate::ErrorKind::NotPiped) (reported once; then it is a stream that has ended). When the run is
    /// [cut short](crate::Builder#when-to-stop), once, where the stream would end.
    /// [`Stopped`](crate::ErrorKind::Stopped) if the terminal stops the child. If the pipe cannot be read.
    /// [`is_limit`](crate::Error::is_limit) if unread output of the *other* stream
    /// reached a limit with [`Overflow::Fail`](crate::Overflow::Fail).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the bytes are either returned or still there.
    pub async fn recv(&mut self, source: Source) -> Result<Recv> {
        recv(self, source, usize::MAX).await
    }

    /// Receives as [`recv`](Self::recv) does, at most `max` bytes; the rest is kept. If `max` is 0 it does not wait.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIo, Source};
    ///
    /// let mut io = ProcessIo::shell("printf 12345").spawn()?;
    /// assert_eq!(io.recv_max(Source::Stdout, 3).await?.data().unwrap(), "123");
    /// assert_eq!(io.recv_max(Source::Stdout, 3).await?.data().unwrap(), "45");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the bytes are either returned or still there.
    pub async fn recv_max(&mut self, source: Source, max: usize) -> Result<Recv> {
        recv(self, source, max).await
    }

    /// Receives exactly `n` bytes of `source`, or [`Recv::Eof`] if the stream ends before the first of them.
    ///
    /// This reads the messages of a protocol that states their lengths. The bytes are held in memory whatever the
    /// [limit](crate::Limits) is, so check a length that the child states.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIo, Recv, Source};
    ///
    /// let mut io = ProcessIo::shell(r"printf '\000\005hello\000\003bye'").spawn()?;
    /// let mut messages = Vec::new();
    /// while let Recv::Data(header) = io.recv_exact(Source::Stdout, 2).await? {
    ///     let len = u16::from_be_bytes([header[0], header[1]]);
    ///     messages.extend(io.recv_exact(Source::Stdout, len.into()).await?.data());
    /// }
    /// assert_eq!(messages, ["hello", "bye"]);
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv); [`Eof`](crate::ErrorKind::Eof) if the stream ends within the `n` bytes: those that came stay
    /// in the handle.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what came stays in the handle for the next call.
    pub async fn recv_exact(&mut self, source: Source, n: usize) -> Result<Recv> {
        recv_exact(self, source, n).await
    }

    /// Polls to receive the next bytes of `source`: [`recv`](Self::recv) for futures and streams written by hand.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::future::poll_fn;
    /// use process_io::{ProcessIo, Source};
    ///
    /// let mut io = ProcessIo::shell("echo hello").spawn()?;
    /// let received = poll_fn(|cx| io.poll_recv(cx, Source::Stdout)).await?;
    /// assert_eq!(received.data().unwrap(), "hello\n");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn poll_recv(&mut self, cx: &mut Context<'_>, source: Source) -> Poll<Result<Recv>> {
        self.poll(cx, |pump, turn| poll_recv(pump, turn, source, usize::MAX))
    }

    /// Receives the next bytes of `source`, or [`Recv::Empty`] if none come within `timeout`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::time::Duration;
    /// use process_io::{ProcessIo, Recv, Source};
    ///
    /// let mut cat = ProcessIo::command("cat").spawn()?;
    /// let received = cat.recv_timeout(Source::Stdout, Duration::from_millis(100)).await?;
    /// assert_eq!(received, Recv::Empty);
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Panics
    ///
    /// If it is polled outside a tokio runtime with [time enabled](tokio::runtime::Builder::enable_time).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the bytes are either returned or still there.
    pub async fn recv_timeout(&mut self, source: Source, timeout: Duration) -> Result<Recv> {
        recv_timeout(self, source, timeout).await
    }

    /// Receives all that comes from `source` within `window`, and no longer.
    ///
    /// Returns early only at the end of the stream, or when as many bytes are there as its [limit](crate::Limits) allows, whatever its
    /// [`Overflow`](crate::Overflow) is: it returns no more than that, and the rest stays for the next call. A limit of 0 bytes does not
    /// end it; then nothing is kept, as the limit says.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::time::Duration;
    /// use process_io::{ProcessIo, Source};
    ///
    /// let mut io = ProcessIo::shell("printf one; sleep 0.1; printf two").spawn()?;
    /// let received = io.recv_for(Source::Stdout, Duration::from_secs(10)).await?;
    /// assert_eq!(received.data().unwrap(), "onetwo"); // at the end of the stream
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Panics
    ///
    /// If it is polled outside a tokio runtime with [time enabled](tokio::runtime::Builder::enable_time).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what came stays in the handle for the next call.
    pub async fn recv_for(&mut self, source: Source, window: Duration) -> Result<Recv> {
        recv_for(self, source, window).await
    }

    /// Receives from `source` until nothing more has come for `quiet`, counted from the last bytes, and no longer than `limit`.
    ///
    /// It waits for the first bytes up to `limit`. Returns early as [`recv_for`](Self::recv_for) does. This receives an answer that comes
    /// in pieces and has no mark at its end.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::time::Duration;
    /// use process_io::{ProcessIo, Source};
    ///
    /// let mut sh = ProcessIo::command("sh").spawn()?;
    /// sh.send_line("echo one; echo two").await?;
    /// let [quiet, limit] = [1, 10].map(Duration::from_secs);
    /// let answer = sh.recv_until_quiet(Source::Stdout, quiet, limit).await?;
    /// assert_eq!(answer.data().unwrap(), "one\ntwo\n");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Panics
    ///
    /// If it has to wait and is polled outside a tokio runtime with [time enabled](tokio::runtime::Builder::enable_time).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what came stays in the handle for the next call.
    pub async fn recv_until_quiet(
        &mut self,
        source: Source,
        quiet: Duration,
        limit: Duration,
    ) -> Result<Recv> {
        recv_until_quiet(self, source, quiet, limit).await
    }

    /// Receives the bytes that are in the pipe now, without waiting; [`Recv::Empty`] if there are none.
    ///
    /// It makes a system call whatever the reactor knows, and so works in a loop that never yields. When there is nothing
    /// it reads from and writes to the other pipes.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIo, Recv, Source};
    ///
    /// let mut io = ProcessIo::shell("echo hello; read line").spawn()?;
    /// let received = loop {
    ///     match io.recv_nowait(Source::Stdout)? {
    ///         Recv::Empty => std::hint::spin_loop(), // do something else
    ///         received => break received,
    ///     }
    /// };
    /// assert_eq!(received.data().unwrap(), "hello\n");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn recv_nowait(&mut self, source: Source) -> Result<Recv> {
        self.recv_nowait_max(source, usize::MAX)
    }

    /// Receives as [`recv_nowait`](Self::recv_nowait) does, at most `max` bytes; the rest is kept.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIo, Source};
    ///
    /// let mut io = ProcessIo::shell("printf 12345").spawn()?;
    /// io.wait().await?;
    /// assert_eq!(io.recv_nowait_max(Source::Stdout, 3)?.data().unwrap(), "123");
    /// assert_eq!(io.recv_nowait_max(Source::Stdout, 3)?.data().unwrap(), "45");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn recv_nowait_max(&mut self, source: Source, max: usize) -> Result<Recv> {
        recv_nowait(self, source, max)
    }

    /// Sends `data` and receives from both streams at the same time, for `window` and no longer.
    ///
    /// Returns early only when both streams have ended, or one has reached its
    /// [limit](crate::Limits), as [`recv_for`](Self::recv_for) does. What could not be sent in that time is not queued. A
    /// child that takes no input is no error here: [`written`](Exchange::written) is the number of bytes that were sent.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::time::Duration;
    /// use process_io::ProcessIo;
    ///
    /// let mut io = ProcessIo::shell("read name; echo hello $name; echo done >&2").spawn()?;
    /// let answer = io.exchange("world\n", Duration::from_secs(10)).await?;
    /// assert_eq!(answer.written, 6);
    /// assert_eq!(answer.stdout, "hello world\n");
    /// assert_eq!(answer.stderr, "done\n");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// If stdin was closed before, if it cannot be written to for another reason than that the child takes no more
    /// ([`Stdin`](crate::ErrorKind::Stdin)), or if a pipe cannot be read.
    ///
    /// # Panics
    ///
    /// If it is polled outside a tokio runtime with [time enabled](tokio::runtime::Builder::enable_time).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what came stays in the handle for the next call; the rest of `data` stays queued, as with
    /// [`send`](Self::send).
    pub async fn exchange(&mut self, data: impl Into<Bytes>, window: Duration) -> Result<Exchange> {
        let deadline = after(window);
        let sending = begin(&mut self.pump, data.into())?;
        let ended = until(deadline, |cx| {
            self.poll(cx, |pump, turn| poll_window(pump, turn, &Source::BOTH))
        });
        let ended = ended.await.unwrap_or(Ok(()));
        self.end_exchange(&sending, ended)
    }

    /// Sends `data` and receives from both streams until nothing more has come from either for `quiet`, and no longer than `limit`.
    ///
    /// It waits for the first bytes up to `limit`. Otherwise it is as [`exchange`](Self::exchange).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::time::Duration;
    /// use process_io::ProcessIo;
    ///
    /// let mut sh = ProcessIo::command("sh").spawn()?;
    /// let [quiet, limit] = [200, 10_000].map(Duration::from_millis);
    /// let answer = sh.exchange_until_quiet("echo $((6 * 7))\n", quiet, limit).await?;
    /// assert_eq!(answer.stdout, "42\n");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`exchange`](Self::exchange).
    ///
    /// # Panics
    ///
    /// If it has to wait and is polled outside a tokio runtime with [time enabled](tokio::runtime::Builder::enable_time).
    ///
    /// # Cancel safety
    ///
    /// As [`exchange`](Self::exchange).
    pub async fn exchange_until_quiet(
        &mut self,
        data: impl Into<Bytes>,
        quiet: Duration,
        limit: Duration,
    ) -> Result<Exchange> {
        let sending = begin(&mut self.pump, data.into())?;
        let ended = until_quiet(self, &Source::BOTH, false, quiet, limit).await;
        self.end_exchange(&sending, ended)
    }

    fn end_exchange(&mut self, sending: &Sending, ended: Result<()>) -> Result<Exchange> {
        let pump = &mut self.pump;
        // Where there is no output to wait for nothing has moved yet.
        pump.flush_now();
        let written = pump.writer_mut().retract(sending);
        if let Err(error) = ended {
            return Err(error.with_written(written));
        }
        if let Some(error) = pump.writer_mut().take_error() {
            return Err(pump.annotate(error).with_written(written));
        }
        // What came of one stream must not be lost when the other has failed.
        for source in Source::BOTH {
            pump.check(source)?;
        }
        let mut take = |source| pump.reader_mut(source).take_to_limit();
        Ok(Exchange {
            written,
            stdout: take(Source::Stdout),
            stderr: take(Source::Stderr),
        })
    }
}

// Of a handle, or of a half of one.

/// What the writer is asked while it sends.
pub(super) type PollSent = fn(&mut Pump, &mut Turn<'_, '_>) -> Poll<Result<()>>;

pub(super) async fn send(io: &mut impl Handle, data: Bytes, poll_sent: PollSent) -> Result<()> {
    let sending = io.with(|io| begin(&mut io.pump, data))?;
    let sent = poll_fn(|cx| io.poll(cx, poll_sent)).await;
    sent.map_err(|error| io.with(|io| io.pump.writer().count(error, &sending)))
}

pub(super) async fn send_timeout(
    io: &mut impl Handle,
    data: Bytes,
    timeout: Duration,
    poll_sent: PollSent,
) -> Result<()> {
    let deadline = after(timeout);
    let sending = io.with(|io| begin(&mut io.pump, data))?;
    if let Some(sent) = until(deadline, |cx| io.poll(cx, poll_sent)).await {
        return sent.map_err(|error| io.with(|io| io.pump.writer().count(error, &sending)));
    }
    io.with(|io| {
        io.pump.flush_now();
        let written = io.pump.writer_mut().retract(&sending);
        match written == sending.len {
            true => Ok(()),
            false => Err(io.pump.error(Kind::Timeout).with_written(written)),
        }
    })
}

pub(super) async fn recv(io: &mut impl Handle, source: Source, max: usize) -> Result<Recv> {
    if max == 0 {
        return recv_nowait(io, source, 0);
    }
    poll_fn(|cx| io.poll(cx, |pump, turn| poll_recv(pump, turn, source, max))).await
}

pub(super) async fn recv_exact(io: &mut impl Handle, source: Source, n: usize) -> Result<Recv> {
    poll_fn(|cx| io.poll(cx, |pump, turn| poll_exact(pump, turn, source, n))).await
}

pub(super) async fn recv_timeout(
    io: &mut impl Handle,
    source: Source,
    timeout: Duration,
) -> Result<Recv> {
    let deadline = after(timeout);
    let poll =
        |cx: &mut Context<'_>| io.poll(cx, |pump, turn| poll_recv(pump, turn, source, usize::MAX));
    match until(deadline, poll).await {
        Some(received) => received,
        None => recv_nowait(io, source, usize::MAX),
    }
}

pub(super) async fn recv_for(
    io: &mut impl Handle,
    source: Source,
    window: Duration,
) -> Result<Recv> {
    let deadline = after(window);
    let poll = |cx: &mut Context<'_>| io.poll(cx, |pump, turn| poll_window(pump, turn, &[source]));
    if let Some(ended) = until(deadline, poll).await {
        ended?;
    }
    io.with(|io| take_window(&mut io.pump, source))
}

pub(super) async fn recv_until_quiet(
    io: &mut impl Handle,
    source: Source,
    quiet: Duration,
    limit: Duration,
) -> Result<Recv> {
    until_quiet(io, &[source], true, quiet, limit).await?;
    io.with(|io| take_window(&mut io.pump, source))
}

async fn until_quiet(
    io: &mut impl Handle,
    sources: &[Source],
    kept_counts: bool,
    quiet: Duration,
    limit: Duration,
) -> Result<()> {
    let deadline = after(limit);
    let mut last = None;
    let mut alarm = Alarm::default();
    poll_fn(|cx| {
        let window = io.poll(cx, |pump, turn| {
            poll_quiet(pump, turn, sources, kept_counts, &mut last)
        });
        if window.is_ready() {
            return window;
        }
        let silent = last.and_then(|last: Instant| last.checked_add(quiet));
        match silent.into_iter().chain(deadline).min() {
            Some(next) if alarm.is_elapsed(cx, next) => Poll::Ready(Ok(())),
            _ => Poll::Pending,
        }
    })
    .await
}

pub(super) fn recv_nowait(io: &mut impl Handle, source: Source, max: usize) -> Result<Recv> {
    io.with(|io| try_recv(&mut io.pump, source, max))
}

/// All that a window has left of `source`.
fn take_window(pump: &mut Pump, source: Source) -> Result<Recv> {
    let data = pump.reader_mut(source).take_to_limit();
    if !data.is_empty() {
        return Ok(Recv::Data(data));
    }
    match pump.is_ended(source) {
        true => pump.end(source).map(|()| Recv::Eof),
        false => pump.take_error(source).map_or(Ok(Recv::Empty), Err),
    }
}
