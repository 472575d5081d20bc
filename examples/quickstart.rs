//! A tour of the crate on real programs, in some five seconds: `cargo run --example quickstart`.
//!
//! Every line begins with the time since its part began. `>` was sent to the child, `<` came from its stdout,
//! `!` from its stderr, and `.` is what this program has to say.
#![cfg_attr(not(unix), allow(dead_code, unused_imports))]

use std::{
    env,
    io::{self, IsTerminal},
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::TryStreamExt;
use process_io::{Builder, ErrorKind, Event, Limits, Overflow, ProcessIo, Recv, Result, Source};

/// Longest wait for an answer. None is expected to take that long.
const PATIENCE: Duration = Duration::from_secs(5);
/// An answer is complete when nothing has come for so long.
const PAUSE: Duration = Duration::from_millis(100);

#[cfg(unix)]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let began = Instant::now();
    talk_to_sh().await?;
    talk_to_bc().await?;
    talk_to_python().await?;
    feed_and_capture().await?;
    watch_both_streams().await?;
    read_with_a_timeout().await?;
    poll_without_waiting()?;
    keep_head_and_tail().await?;
    tell_what_went_wrong().await?;
    drop_the_whole_tree().await?;
    println!("\nAll of it took {:.1?}.", began.elapsed());
    Ok(())
}

#[cfg(not(unix))]
fn main() {
    println!("This tour talks to `sh`, `sort` and other Unix programs, which are not here.");
}

async fn talk_to_sh() -> Result<()> {
    let part = Part::new("A conversation with sh, which remembers");
    let mut sh = ProcessIo::command("sh").spawn()?;

    for question in ["echo $((6 * 7))", "cd /usr", "pwd", "frobnicate"] {
        part.say(Mark::Sent, question);
        sh.send_line(question).await?;
        match question {
            "cd /usr" => {}
            "frobnicate" => part.say(Mark::Stderr, answer(&mut sh, Source::Stderr).await?),
            _ => part.say(Mark::Stdout, piece(&mut sh, Source::Stdout).await?),
        }
    }

    part.say(Mark::Sent, "exit 3");
    sh.send_line("exit 3").await?;
    part.note(format!("sh ended: {}", sh.wait().await?));
    Ok(())
}

async fn talk_to_bc() -> Result<()> {
    let part = Part::new("A conversation with bc, which calculates");
    let Some(mut bc) = spawn_if_there(&part, ProcessIo::command("bc").arg("-l"))? else {
        return Ok(());
    };
    for question in ["2 ^ 100", "scale = 30; 4 * a(1)", "obase = 2; 42"] {
        part.say(Mark::Sent, question);
        bc.send_line(question).await?;
        part.say(Mark::Stdout, answer(&mut bc, Source::Stdout).await?);
    }
    bc.close_stdin();
    part.note(format!("stdin closed, bc ended: {}", bc.wait().await?));
    Ok(())
}

async fn talk_to_python() -> Result<()> {
    let part = Part::new("A conversation with python3, which prompts on stderr");
    let python = ProcessIo::command("python3").args(["-i", "-q", "-u"]);
    let Some(mut python) = spawn_if_there(&part, python)? else {
        return Ok(());
    };
    part.say(Mark::Stderr, piece(&mut python, Source::Stderr).await?);
    for question in ["sum(range(101))", "'pipe'[::-1]", "1 / 0"] {
        part.say(Mark::Sent, question);
        // Feeds and reads both streams at the same time, for as long as it is told.
        let window = Duration::from_millis(200);
        let said = python.exchange(format!("{question}\n"), window).await?;
        part.say(Mark::Stdout, said.stdout);
        part.say(Mark::Stderr, said.stderr);
    }
    Ok(())
}

async fn feed_and_capture() -> Result<()> {
    let part = Part::new("Feed sort and take what it makes of it");
    let input = "Neptune 4515\nMars 228\nVenus 108\nJupiter 779\nMercury 58\n";
    part.say(Mark::Sent, input);
    let sort = ProcessIo::command("sort").args(["-n", "-k", "2"]);
    let output = sort.input(input).await?.check()?;
    part.say(Mark::Stdout, output.stdout);

    // Far more than the pipes hold, in both directions at once.
    let numbers: String = (0..200_000).rev().map(|n| format!("{n:06}\n")).collect();
    let sort = ProcessIo::command("sort").input(numbers);
    let output = sort.await?.check()?;
    part.note(format!(
        "200,000 lines backwards: {} bytes in, {} bytes out, in {:.0?}",
        output.stdin_written,
        output.stdout.len(),
        output.elapsed,
    ));
    Ok(())
}

async fn watch_both_streams() -> Result<()> {
    let part = Part::new("Watch both streams of a command that takes its time");
    let mut build = ProcessIo::shell(
        "for step in fetch compile link; do
             echo \"$step ...\"; sleep 0.2
             [ $step = fetch ] || echo \"warning: $step found it odd\" >&2; sleep 0.1
         done; echo done; exit 2",
    )
    .spawn()?;
    while let Some(event) = build.try_next().await? {
        match event {
            Event::Stdout(bytes) => part.say(Mark::Stdout, bytes),
            Event::Stderr(bytes) => part.say(Mark::Stderr, bytes),
            Event::Eof(source) => part.note(format!("{source} has ended")),
            Event::Exit(status) => part.note(format!("the last event: {status}")),
            _ => {}
        }
    }
    Ok(())
}

async fn read_with_a_timeout() -> Result<()> {
    let part = Part::new("Read from a slow one, but wait no longer than 150 ms at a time");
    let mut slow = ProcessIo::shell("sleep 0.4; echo here it is").spawn()?;
    loop {
        let received = slow.recv_timeout(Source::Stdout, Duration::from_millis(150));
        match received.await? {
            Recv::Data(bytes) => part.say(Mark::Stdout, bytes),
            Recv::Empty => part.note("Empty: nothing yet, and nothing is lost by asking"),
            Recv::Eof => break,
        }
    }
    part.note("Eof: there will never be more");
    Ok(())
}

/// Not `async`: nothing in it waits, so it could be the loop of a game or of a user interface.
fn poll_without_waiting() -> Result<()> {
    let part = Part::new("Look into the pipe between other work, without a single await");
    let mut child = ProcessIo::shell("for i in 1 2 3; do sleep 0.1; echo tick $i; done").spawn()?;
    let mut frames = 0;
    loop {
        match child.recv_nowait(Source::Stdout)? {
            Recv::Data(bytes) => part.say(Mark::Stdout, bytes),
            Recv::Empty => {
                frames += 1;
                thread::sleep(Duration::from_millis(5)); // the other work
            }
            Recv::Eof => break,
        }
    }
    part.note(format!("{frames} pieces of other work were done meanwhile"));
    Ok(())
}

async fn keep_head_and_tail() -> Result<()> {
    let part = Part::new("Keep 40 bytes of a long output, from both ends");
    let seq = ProcessIo::command("seq").arg("5000000");
    let limits = Limits::default().stdout(40, Overflow::KeepBoth);
    let output = seq.limits(limits).await?.check()?;
    let (head, tail) = output.stdout.split_at(20);
    part.say(Mark::Stdout, head.escape_ascii().to_string());
    part.note(format!("{} bytes left out", output.stdout_omitted));
    part.say(Mark::Stdout, tail.escape_ascii().to_string());
    Ok(())
}

async fn tell_what_went_wrong() -> Result<()> {
    let part = Part::new("Errors tell the cause");
    let unknown = ProcessIo::command("frobnicate");
    let nowhere = ProcessIo::command("ls").current_dir("/no/such/place");
    let failing = ProcessIo::command("sort").arg("/no/such/file");
    for run in [unknown, nowhere, failing] {
        if let Err(error) = run.await.and_then(|output| output.check()) {
            part.note(error.to_string());
        }
    }
    Ok(())
}

#[cfg(unix)]
async fn drop_the_whole_tree() -> Result<()> {
    use std::os::unix::net::UnixStream;
    use tokio::io::AsyncReadExt;

    let part = Part::new("Drop a handle, and its whole tree is gone");
    // All three processes inherit one end of a socket: it is closed when the last of them has ended.
    let (ours, theirs) = UnixStream::pair()?;
    let script = "sleep 60 & sleep 60 & echo one shell, two sleeps; wait";
    let mut tree = ProcessIo::shell(script).stderr(theirs).spawn()?;
    part.say(Mark::Stdout, piece(&mut tree, Source::Stdout).await?);

    let control = tree.control();
    let dropped = Instant::now();
    drop(tree);
    ours.set_nonblocking(true)?;
    let mut ours = tokio::net::UnixStream::from_std(ours)?;
    ours.read_to_end(&mut Vec::new()).await?;
    part.note(format!("all three gone in {:.1?}", dropped.elapsed()));
    part.note(format!("the shell: {}", control.wait().await?));
    Ok(())
}

/// The next piece, as soon as it comes: enough for an answer that the child writes in one go.
async fn piece(child: &mut ProcessIo, source: Source) -> Result<Bytes> {
    let received = child.recv_timeout(source, PATIENCE).await?;
    Ok(received.data().unwrap_or_default())
}

/// An answer in pieces: all that comes until the child pauses.
async fn answer(child: &mut ProcessIo, source: Source) -> Result<Bytes> {
    let received = child.recv_until_quiet(source, PAUSE, PATIENCE).await?;
    Ok(received.data().unwrap_or_default())
}

/// Not every machine has every program.
fn spawn_if_there(part: &Part, run: Builder) -> Result<Option<ProcessIo>> {
    match run.spawn() {
        Ok(child) => Ok(Some(child)),
        Err(error) if error.kind() == ErrorKind::ProgramNotFound => {
            part.note(format!("left out: {error}"));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// One part of the tour: a title, then lines that carry the time since it began.
struct Part {
    began: Instant,
    colour: bool,
}

/// Who says it.
#[derive(Clone, Copy)]
enum Mark {
    Sent,
    Stdout,
    Stderr,
    Note,
}

impl Part {
    fn new(title: &str) -> Self {
        let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let part = Self {
            began: Instant::now(),
            colour: !plain && io::stdout().is_terminal(),
        };
        println!("\n{}", part.paint("1", title));
        part
    }

    fn note(&self, text: impl AsRef<[u8]>) {
        self.say(Mark::Note, text);
    }

    /// Prints the lines of `text`, the moment they come.
    fn say(&self, mark: Mark, text: impl AsRef<[u8]>) {
        let (sign, colour) = match mark {
            Mark::Sent => ('>', "36"),
            Mark::Stdout => ('<', "32"),
            Mark::Stderr => ('!', "31"),
            Mark::Note => ('.', "0"),
        };
        let millis = self.began.elapsed().as_secs_f64() * 1e3;
        let time = self.paint("2", &format!("{millis:>8.1} ms"));
        for line in String::from_utf8_lossy(text.as_ref()).lines() {
            println!("{time}  {}", self.paint(colour, &format!("{sign} {line}")));
        }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        match self.colour {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}
