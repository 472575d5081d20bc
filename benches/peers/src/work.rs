//! The work that all peers do, and how much of it.

use std::{ffi::OsStr, process::Command};

use crate::Result;

/// A line of the log that the children write, its end included.
pub(crate) const LINE: &[u8; 81] =
    b"2026-11-23T03:53:15.000000Z INFO worker-07 request 00001234 took 1234 us, all ok\n";
/// What every peer reads with, where it lets one choose.
pub(crate) const BUFFER: usize = 64 << 10;
/// The message of a round trip, its end included.
pub(crate) const MESSAGE: &str = "a line of sixty-two bytes, which goes to a child and returns.\n";
/// What the pattern is.
pub(crate) const READY: &str = "READY";

const MB: u64 = 1_000_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Bulk,
    Capture,
    Feed,
    Lines,
    Tagged,
    RoundTrip,
    Pattern,
    AtOnce,
    Idle,
    Pipeline,
    Held,
}

/// What the figures of a work are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// `size` bytes in a time.
    GigabytesPerSecond,
    /// `size` lines in a time.
    MillionLinesPerSecond,
    Seconds,
    Milliseconds,
    /// Each of `size` times.
    MicrosecondsEach,
    /// Each of `times` times.
    MillisecondsEach,
    /// Not a time.
    KibibytesEach,
}

impl Unit {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::GigabytesPerSecond => "GB/s",
            Self::MillionLinesPerSecond => "M lines/s",
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::MicrosecondsEach => "µs each",
            Self::MillisecondsEach => "ms each",
            Self::KibibytesEach => "KiB each",
        }
    }

    pub(crate) fn more_is_better(self) -> bool {
        matches!(self, Self::GigabytesPerSecond | Self::MillionLinesPerSecond)
    }
}

/// One work, before it is known how much of it is to be done.
pub(crate) struct Work {
    /// What `--only` takes.
    pub(crate) name: &'static str,
    title: &'static str,
    pub(crate) kind: Kind,
    pub(crate) unit: Unit,
    quick: Amount,
    full: Amount,
}

/// How much is to be done, and how often in one measurement.
#[derive(Clone, Copy)]
pub(crate) struct Amount {
    pub(crate) size: u64,
    pub(crate) times: u64,
}

const fn once(size: u64) -> Amount {
    Amount { size, times: 1 }
}

const fn often(size: u64, times: u64) -> Amount {
    Amount { size, times }
}

const fn work(
    (name, title): (&'static str, &'static str),
    kind: Kind,
    unit: Unit,
    quick: Amount,
    full: Amount,
) -> Work {
    Work {
        name,
        title,
        kind,
        unit,
        quick,
        full,
    }
}

/// In a title, `#` stands for the size or, if it is done more than once, for how often.
#[rustfmt::skip]
pub(crate) const WORKS: &[Work] = &[
    work(("bulk", "bulk read of #B"), Kind::Bulk, Unit::GigabytesPerSecond, once(500 * MB), once(4000 * MB)),
    work(("capture-1k", "capture of 1 kB, # times in turn"), Kind::Capture, Unit::MillisecondsEach, often(1000, 50), often(1000, 200)),
    work(("capture-100m", "capture of #B"), Kind::Capture, Unit::GigabytesPerSecond, once(100 * MB), once(100 * MB)),
    work(("capture-1g", "capture of #B"), Kind::Capture, Unit::GigabytesPerSecond, once(300 * MB), once(1000 * MB)),
    work(("feed", "#B through `cat`, collected"), Kind::Feed, Unit::GigabytesPerSecond, once(200 * MB), once(1000 * MB)),
    work(("lines", "# lines"), Kind::Lines, Unit::MillionLinesPerSecond, once(MB), once(8 * MB)),
    work(("tagged", "# lines of both streams, tagged"), Kind::Tagged, Unit::MillionLinesPerSecond, once(MB / 2), once(4 * MB)),
    work(("round-trip", "# round trips of 62 bytes through `cat`"), Kind::RoundTrip, Unit::MicrosecondsEach, once(2000), once(20_000)),
    work(("pattern", "waiting for a line behind #B"), Kind::Pattern, Unit::Milliseconds, once(25 * MB), once(25 * MB)),
    work(("short", "# short children in turn"), Kind::Capture, Unit::MillisecondsEach, often(0, 100), often(0, 500)),
    work(("at-once", "# short children at once"), Kind::AtOnce, Unit::Milliseconds, once(64), once(64)),
    work(("idle", "# idle children: memory of ours for each"), Kind::Idle, Unit::KibibytesEach, once(250), once(1000)),
    work(("pipeline", "#B through a pipeline of 3"), Kind::Pipeline, Unit::GigabytesPerSecond, once(500 * MB), once(2000 * MB)),
    work(("held", "return, while a grandchild holds the pipe for # s"), Kind::Held, Unit::Seconds, once(6), once(8)),
];

impl Work {
    pub(crate) fn amount(&self, full: bool) -> Amount {
        if full { self.full } else { self.quick }
    }

    pub(crate) fn title(&self, amount: Amount) -> String {
        let count = if amount.times > 1 {
            amount.times
        } else {
            amount.size
        };
        self.title.replace('#', &spell(count))
    }

    /// Turns what a measurement took, in seconds or bytes, into what is shown.
    pub(crate) fn figure(&self, amount: Amount, cost: f64) -> f64 {
        let (size, times) = (amount.size as f64, amount.times as f64);
        match self.unit {
            Unit::GigabytesPerSecond => size / cost / 1e9,
            Unit::MillionLinesPerSecond => size / cost / 1e6,
            Unit::Seconds => cost,
            Unit::Milliseconds => cost * 1e3,
            Unit::MicrosecondsEach => cost / size * 1e6,
            Unit::MillisecondsEach => cost / times * 1e3,
            Unit::KibibytesEach => cost / size / 1024.0,
        }
    }
}

fn spell(n: u64) -> String {
    match n {
        1_000_000_000.. => format!("{} G", n as f64 / 1e9),
        100_000.. => format!("{} M", n as f64 / 1e6),
        _ => n.to_string(),
    }
}

/// One measurement, as a worker gets it.
pub(crate) struct Job {
    pub(crate) kind: Kind,
    pub(crate) size: u64,
    /// This program, which is most of the children too.
    pub(crate) exe: String,
}

impl Job {
    /// The child: its program and its arguments.
    pub(crate) fn argv(&self) -> Vec<String> {
        let size = self.size.to_string();
        let own =
            |what: &str, size: &str| [&self.exe, "child", what, size].map(str::to_owned).to_vec();
        match self.kind {
            Kind::Capture if self.size == 0 => vec!["true".into()],
            Kind::Bulk | Kind::Capture | Kind::Pipeline => own("text", &size),
            Kind::Lines => own("text", &(self.size * LINE.len() as u64).to_string()),
            Kind::Tagged => own("both", &size),
            Kind::Pattern => own("pattern", &size),
            Kind::Feed | Kind::RoundTrip | Kind::Idle => vec!["cat".into()],
            Kind::AtOnce => vec!["true".into()],
            Kind::Held => ["sh", "-c", &format!("sleep {size} & echo x")]
                .map(str::to_owned)
                .to_vec(),
        }
    }

    /// The child, for those who take such a command.
    pub(crate) fn command(&self) -> Command {
        command(&self.argv())
    }

    /// The stages of the pipeline.
    pub(crate) fn stages(&self) -> [Vec<String>; 3] {
        let wc = ["wc", "-c"].map(str::to_owned).to_vec();
        [self.argv(), vec!["cat".into()], wc]
    }

    /// What is fed to the child.
    pub(crate) fn input(&self) -> Vec<u8> {
        let size = self.size as usize;
        let mut input = LINE.repeat(size / LINE.len() + 1);
        input.truncate(size);
        input
    }

    /// The bytes, of stdout and of stderr, that must have come.
    pub(crate) fn expected(&self) -> (u64, u64) {
        let line = LINE.len() as u64;
        match self.kind {
            Kind::Lines => (self.size * line, 0),
            Kind::Tagged => (self.size / 2 * line, self.size / 2 * line),
            Kind::RoundTrip => (self.size * MESSAGE.len() as u64, 0),
            Kind::AtOnce => (0, 0),
            Kind::Held => (2, 0),
            _ => (self.size, 0),
        }
    }
}

pub(crate) fn command(argv: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(&argv[0]);
    command.args(&argv[1..]);
    command
}

/// What one measurement found.
#[derive(Clone, Copy, Default)]
pub(crate) struct Done {
    /// Seconds, or bytes of memory.
    pub(crate) cost: f64,
    pub(crate) stdout: u64,
    pub(crate) stderr: u64,
}

/// The number that `wc -c` prints.
pub(crate) fn counted(stdout: &[u8]) -> Result<u64> {
    Ok(str::from_utf8(stdout)?.trim().parse()?)
}
