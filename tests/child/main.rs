//! `child MODE [ARGS...]`: the one program that every integration test talks to.
//!
//! Output goes to the descriptor unbuffered, so a test may count on every byte and on the order.
//! Counting starts at 0. Times are in milliseconds. `STREAM` is `out` or `err`.
//!
//! What `write`, `stay`, `flood`, `both`, `ignore-input`, `hold-write` print is the pattern: byte `i` is
//! `(i * 31 + i / 251) % 251`. `say` and `stay` then live until they are killed; so does the child in `hold-apart`,
//! whose grandchild is in a process group of its own and goes on for `OUTER_MS` after that.
//!
//! Exit codes: 64 wrong usage, 65 survived its own signal, 32 nobody reads the output any more,
//! 74 any other I/O error.

#![allow(unsafe_code)]

#[cfg(unix)]
mod parent;
mod stdio;
mod steps;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::env::{self, ArgsOs};
use std::ffi::OsString;
use std::hint::black_box;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::iter::Peekable;
use std::process::{self, Command, Stdio};
use std::str::FromStr;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use crate::stdio::{Out, PERIOD, or_fail, read, stdin};

/// Name, arguments, and what it runs. A mode that returns makes the program exit 0.
type Mode = (&'static str, &'static str, fn(&mut Args));

const MODES: &[Mode] = &[
    ("echo", "", echo),
    ("cat", "", echo),
    ("exit", "CODE", |args| process::exit(args.number())),
    #[cfg(unix)]
    ("abort-by", "SIGNAL", unix::abort_by),
    ("do", "STEP...", steps::steps),
    ("sleep", "", |_| sleep_until_killed()),
    ("write", "STREAM N [STREAM N]...", write),
    ("stay", "STREAM N [STREAM N]...", stay),
    ("say", "STREAM TEXT [STREAM TEXT]...", say),
    ("flood", "[out|err|both]", flood),
    ("both", "N", |args| both(args.number())),
    ("alternate", "N", alternate),
    ("sink", "", sink),
    ("deaf", "", deaf),
    ("ignore-input", "N", ignore_input),
    #[cfg(unix)]
    ("join-parent", "", unix::join_parent),
    #[cfg(unix)]
    ("close-stdin", "", unix::close_stdin),
    ("hold", "OUTER_MS quiet|chatty|flood", hold),
    ("hold-write", "OUTER_MS N", hold_write),
    #[cfg(unix)]
    (
        "hold-apart",
        "OUTER_MS quiet|chatty|flood",
        unix::hold_apart,
    ),
    #[cfg(unix)]
    (
        "leave-apart",
        "OUTER_MS quiet|chatty|flood",
        unix::leave_apart,
    ),
    ("heir", "OUTER_MS quiet|chatty|flood (used by hold)", heir),
    ("lines", "N LEN", lines),
    ("slow", "N MS", slow),
    ("after", "MS TEXT", after),
    ("prompt", "", prompt),
    ("answer", "N", answer),
    ("tell-env", "NAME", tell_env),
    ("args", "[ARG]...", args_as_given),
    ("cwd", "", cwd),
    ("pid", "", pid),
    #[cfg(unix)]
    ("ppid", "", unix::ppid),
    #[cfg(unix)]
    ("trap-term", "", unix::trap_term),
    #[cfg(unix)]
    (
        "parent",
        "here|thread|blocking keep|copy|let-go|detach|outlive SCRIPT...",
        parent::parent,
    ),
    ("burn", "MILLIONS", burn),
    ("allocate", "MIB", allocate),
    ("utf8-split", "", utf8_split),
    ("stall", "MS", stall),
    ("pulse", "STREAM N MS", pulse),
    #[cfg(target_os = "linux")]
    ("fd-count", "", unix::fd_count),
    #[cfg(target_os = "linux")]
    ("packets", "STREAM TEXT...", unix::packets),
];

fn main() {
    #[cfg(windows)]
    let _held = windows::mark();
    let mut args = Args(env::args_os().peekable());
    args.skip();
    run(&mut args);
}

/// The mode that comes first of the arguments.
fn run(args: &mut Args) {
    let name = args.text();
    match MODES.iter().find(|(mode, ..)| *mode == name) {
        Some((.., run)) => run(args),
        None => usage(&format!("unknown mode {name:?}")),
    }
}

/// Waits until a process that runs this program can be seen to be there, see `is_alive` of the tests.
fn until_marked(_pid: u32) {
    #[cfg(windows)]
    windows::until_marked(_pid);
}

fn usage(problem: &str) -> ! {
    let mut text = format!("child: {problem}; the modes are:\n");
    for (mode, arguments, _) in MODES {
        text.push_str(format!("  child {mode} {arguments}").trim_end());
        text.push('\n');
    }
    let _ = io::stderr().write_all(text.as_bytes());
    process::exit(64)
}

/// What is left of the command line; a missing or malformed argument ends the program.
struct Args(Peekable<ArgsOs>);

impl Args {
    fn peek(&mut self) -> Option<String> {
        self.0.peek().map(|arg| arg.to_string_lossy().into_owned())
    }

    fn skip(&mut self) -> &mut Self {
        self.0.next();
        self
    }

    fn raw(&mut self) -> OsString {
        self.0
            .next()
            .unwrap_or_else(|| usage("an argument is missing"))
    }

    fn text(&mut self) -> String {
        self.raw().to_string_lossy().into_owned()
    }

    fn number<T: FromStr>(&mut self) -> T {
        let text = self.text();
        text.parse()
            .unwrap_or_else(|_| usage(&format!("{text:?} is not a number that fits")))
    }

    fn millis(&mut self) -> Duration {
        Duration::from_millis(self.number())
    }

    fn stream(&mut self) -> Out {
        match self.text().as_str() {
            "out" => Out::stdout(),
            "err" => Out::stderr(),
            other => usage(&format!("{other:?} is neither out nor err")),
        }
    }
}

fn wait_for_eof() {
    let _ = io::copy(&mut stdin(), &mut io::sink());
}

fn sleep_until_killed() {
    sleep(Duration::from_secs(3600));
}

fn echo(_: &mut Args) {
    let (mut stdin, mut stdout) = (stdin(), Out::stdout());
    let mut chunk = vec![0; 64 * 1024];
    loop {
        match read(&mut stdin, &mut chunk) {
            0 => return,
            n => stdout.put(&chunk[..n]),
        }
    }
}

fn write(args: &mut Args) {
    loop {
        args.stream().pattern(args.number());
        if args.0.len() == 0 {
            return;
        }
    }
}

fn stay(args: &mut Args) {
    write(args);
    sleep_until_killed();
}

fn say(args: &mut Args) {
    while args.0.len() > 0 {
        args.stream().put(args.raw().as_encoded_bytes());
    }
    sleep_until_killed();
}

fn flood(args: &mut Args) {
    match args.0.next().as_deref().and_then(|which| which.to_str()) {
        None | Some("out") => Out::stdout().pattern(usize::MAX),
        Some("err") => Out::stderr().pattern(usize::MAX),
        Some("both") => both(usize::MAX),
        Some(other) => usage(&format!("{other:?} is not one of out, err, both")),
    }
}

fn both(n: usize) {
    thread::scope(|scope| {
        scope.spawn(|| Out::stdout().pattern(n));
        scope.spawn(|| Out::stderr().pattern(n));
    });
}

fn alternate(args: &mut Args) {
    let (mut stdout, mut stderr) = (Out::stdout(), Out::stderr());
    for i in 0..args.number::<u64>() {
        stdout.put(format!("out {i}\n"));
        stderr.put(format!("err {i}\n"));
    }
}

fn sink(_: &mut Args) {
    let mut stdin = stdin();
    let mut chunk = vec![0; 64 * 1024];
    // FNV-1a, 64 bits: short enough for a test to compute again.
    let (mut total, mut hash) = (0, 0xcbf2_9ce4_8422_2325_u64);
    loop {
        let n = read(&mut stdin, &mut chunk);
        if n == 0 {
            break;
        }
        total += n;
        for &byte in &chunk[..n] {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    Out::stdout().put(format!("{total} {hash:016x}\n"));
}

fn deaf(_: &mut Args) {
    Out::stdout().put("ready\n");
    sleep_until_killed();
}

fn ignore_input(args: &mut Args) {
    Out::stdout().pattern(args.number());
}

fn hold(args: &mut Args) {
    let gate = spawn_heir(&args.text(), &args.text());
    let (parent, grandchild) = (process::id(), gate.id());
    Out::stdout().put(format!("parent {parent} grandchild {grandchild}\n"));
    process::exit(7);
}

fn hold_write(args: &mut Args) {
    let gate = spawn_heir(&args.text(), "quiet");
    let n = args.number();
    Out::stdout().pattern(n);
    Out::stderr().pattern(n);
    drop(gate);
}

fn spawn_heir(ms: &str, mode: &str) -> process::Child {
    let heir = or_fail(heir_command(ms, mode).spawn());
    until_marked(heir.id());
    heir
}

/// Its stdin is a gate that opens when this process ends: nothing the grandchild writes can come
/// before what the child writes.
fn heir_command(ms: &str, mode: &str) -> Command {
    let mut heir = Command::new(or_fail(env::current_exe()));
    heir.args(["heir", ms, mode]).stdin(Stdio::piped());
    heir
}

fn heir(args: &mut Args) {
    let (time, mode) = (args.millis(), args.text());
    wait_for_eof();
    let start = Instant::now();
    match mode.as_str() {
        "quiet" => sleep(time),
        "chatty" => {
            let mut stdout = Out::stdout();
            while start.elapsed() < time {
                stdout.put("tick\n");
                sleep(Duration::from_millis(20));
            }
        }
        "flood" => {
            let mut stdout = Out::stdout();
            while start.elapsed() < time {
                stdout.pattern(PERIOD.len());
            }
        }
        other => usage(&format!("{other:?} is not one of quiet, chatty, flood")),
    }
}

/// Line `i` is `i`, one blank, and `x` up to `LEN` bytes; the newline comes on top.
fn lines(args: &mut Args) {
    let (count, len) = (args.number::<u64>(), args.number::<usize>());
    // Millions of lines: one `write` each would measure the child, not the reader.
    let mut stdout = BufWriter::with_capacity(64 * 1024, Out::stdout().0);
    let mut line = Vec::with_capacity(len + 1);
    for i in 0..count {
        line.clear();
        let _ = write!(line, "{i} ");
        line.resize(len, b'x');
        line.push(b'\n');
        or_fail(stdout.write_all(&line));
    }
    or_fail(stdout.flush());
}

fn slow(args: &mut Args) {
    let (count, pause) = (args.number::<u64>(), args.millis());
    let mut stdout = Out::stdout();
    for i in 0..count {
        if i > 0 {
            sleep(pause);
        }
        stdout.put(format!("line {i}\n"));
    }
}

fn after(args: &mut Args) {
    let (pause, text) = (args.millis(), args.raw());
    sleep(pause);
    Out::stdout().put([text.as_encoded_bytes(), b"\n"].concat());
}

/// So many bytes of the pattern to each line.
fn answer(args: &mut Args) {
    let (mut stdin, mut stdout) = (BufReader::new(stdin()), Out::stdout());
    let n = args.number();
    while or_fail(stdin.skip_until(b'\n')) > 0 {
        stdout.pattern(n);
    }
}

fn prompt(_: &mut Args) {
    let (mut stdin, mut stdout) = (BufReader::new(stdin()), Out::stdout());
    loop {
        stdout.put("> ");
        let mut line = Vec::new();
        if or_fail(stdin.read_until(b'\n', &mut line)) == 0 {
            return;
        }
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line == b"quit" {
            return;
        }
        stdout.put([b"you said: ", line, b"\n"].concat());
    }
}

fn tell_env(args: &mut Args) {
    match env::var_os(args.raw()) {
        Some(value) => Out::stdout().put([value.as_encoded_bytes(), b"\n"].concat()),
        None => process::exit(1),
    }
}

fn args_as_given(args: &mut Args) {
    let mut stdout = Out::stdout();
    for arg in &mut args.0 {
        stdout.put(format!("{arg:?}\n"));
    }
}

fn cwd(_: &mut Args) {
    let path = or_fail(env::current_dir()).into_os_string();
    Out::stdout().put([path.as_encoded_bytes(), b"\n"].concat());
}

fn pid(_: &mut Args) {
    #[cfg(unix)]
    let ids = unix::ids();
    #[cfg(not(unix))]
    let ids = format!("pid {}", process::id());
    Out::stdout().put(ids + "\n");
    wait_for_eof();
}

fn utf8_split(_: &mut Args) {
    let mut stdout = Out::stdout();
    for byte in "häß€𝄞\n".bytes() {
        stdout.put([byte]);
        sleep(Duration::from_millis(2));
    }
}

fn stall(args: &mut Args) {
    let (pause, mut stdin) = (args.millis(), stdin());
    let mut chunk = [0; 4096];
    let mut total = 0;
    loop {
        match read(&mut stdin, &mut chunk) {
            0 => break,
            n => total += n,
        }
        sleep(pause);
    }
    Out::stdout().put(format!("{total}\n"));
}

fn pulse(args: &mut Args) {
    let (mut out, count, pause) = (args.stream(), args.number::<u64>(), args.millis());
    for _ in 0..count {
        out.put(b".");
        sleep(pause);
    }
}

/// Each step needs the one before, so not even the fastest processor does a million in less than a millisecond.
fn burn(args: &mut Args) {
    let mut state = 1_u64;
    for _ in 0..args.number::<u64>() * 1_000_000 {
        state ^= state << 13;
        state ^= state >> 7;
        state = black_box(state ^ (state << 17));
    }
}

fn allocate(args: &mut Args) {
    let bytes = args.number::<usize>() << 20;
    // Not zeros, for those the system need not provide before they are written to.
    black_box(vec![1_u8; bytes]);
}
