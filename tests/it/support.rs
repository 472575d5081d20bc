//! What the tests share.

#[cfg(target_os = "linux")]
pub(crate) mod life;
#[cfg(target_os = "linux")]
mod mark;
#[cfg(target_os = "linux")]
pub(crate) mod setup;
mod way;

use std::{future::IntoFuture, time::Duration};

use process_io::{Command, DEFAULT_DRAIN_IDLE};
use tokio::{io::AsyncWriteExt, task::JoinHandle};
use tokio_util::io::simplex;

#[cfg(target_os = "linux")]
pub(crate) use mark::Mark;
pub(crate) use way::{Left, Way};

/// Far more than anything here takes, also on a loaded machine: only a hang reaches it.
pub(crate) const GENEROUS: Duration = Duration::from_secs(60);

/// Long enough for what acts on a signal. A shell may swallow one that comes just as it starts a program, which then lives on
/// until this is over.
pub(crate) const GRACE: Duration = Duration::from_secs(10);

/// The helper child in one of its modes, see `tests/child/main.rs`.
pub(crate) fn child(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_child"));
    command.args(args);
    command
}

/// `sh -c SCRIPT`.
#[cfg(unix)]
pub(crate) fn sh(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// What the child's `write`, `both`, `ignore-input` and `flood` modes write: the first `n` bytes.
pub(crate) fn pattern(n: usize) -> Vec<u8> {
    // It comes round after this many bytes, and copying is faster than counting.
    let period = 251 * 251;
    let once: Vec<u8> = (0..period.min(n))
        .map(|i| ((i * 31 + i / 251) % 251) as u8)
        .collect();
    let mut all = once.repeat(n.div_ceil(period));
    all.truncate(n);
    all
}

/// Compares megabytes without printing them.
#[track_caller]
pub(crate) fn assert_bytes(got: impl AsRef<[u8]>, expected: impl AsRef<[u8]>) {
    let (got, expected) = (got.as_ref(), expected.as_ref());
    if got != expected {
        let same = got.iter().zip(expected).take_while(|(a, b)| a == b).count();
        let (got, expected) = (got.len(), expected.len());
        panic!("{got} bytes where {expected} were expected; the first {same} are right");
    }
}

/// Fails instead of hanging.
pub(crate) async fn within<T>(future: impl IntoFuture<Output = T>) -> T {
    let start = tokio::time::Instant::now();
    let value = tokio::time::timeout(GENEROUS, future)
        .await
        .expect("it hangs");
    // The deadline polls the future once more, and so may be what wakes it.
    assert!(start.elapsed() < GENEROUS, "nothing woke it");
    value
}

/// A descendant that holds the pipes of a child in memory: it writes so many ticks, one in every half of the idle time that ends
/// a drain, and then is silent.
pub(crate) fn tick([mut stdout, stderr]: [simplex::Sender; 2], ticks: u32) -> JoinHandle<()> {
    tokio::spawn(async move {
        for _ in 0..ticks {
            tokio::time::sleep(DEFAULT_DRAIN_IDLE / 2).await;
            if stdout.write_all(b"tick\n").await.is_err() {
                break;
            }
        }
        std::future::pending::<()>().await;
        drop(stderr);
    })
}

/// Whether a process exists and is not a zombie.
#[cfg(target_os = "linux")]
pub(crate) fn is_alive(pid: u32) -> bool {
    state(pid).is_some_and(|state| state != 'Z')
}

/// Whether a process of the helper program is alive: it holds a file that the system deletes at its end.
#[cfg(windows)]
pub(crate) fn is_alive(pid: u32) -> bool {
    let path = std::env::temp_dir().join(format!("process-io-child-{pid}"));
    path.exists()
}

/// Whether a process exists, as a zombie or alive.
#[cfg(target_os = "linux")]
pub(crate) fn exists(pid: u32) -> bool {
    state(pid).is_some()
}

/// There are no zombies.
#[cfg(windows)]
pub(crate) fn exists(pid: u32) -> bool {
    is_alive(pid)
}

/// Kills a process that is not a child of ours.
#[cfg(target_os = "linux")]
pub(crate) fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

/// Kills a process that is not a child of ours.
#[cfg(windows)]
pub(crate) fn kill(pid: u32) {
    let mut taskkill = std::process::Command::new("taskkill");
    let killed = taskkill.args(["/f", "/pid", &pid.to_string()]).output();
    assert!(
        killed.as_ref().is_ok_and(|killed| killed.status.success()),
        "{killed:?}"
    );
}

/// Whether a child was killed: Windows knows that only as an exit code.
#[cfg(any(target_os = "linux", windows))]
pub(crate) fn was_killed(status: std::process::ExitStatus) -> bool {
    #[cfg(unix)]
    return std::os::unix::process::ExitStatusExt::signal(&status) == Some(9);
    #[cfg(not(unix))]
    return status.code() == Some(1);
}

/// The helper child's command line, as errors show it.
pub(crate) fn child_line(args: &str) -> String {
    let name = format!("child{}", std::env::consts::EXE_SUFFIX);
    format!("{name} {args}")
}

#[cfg(target_os = "linux")]
fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Waits, for a generous time, until something comes true that no output announces.
pub(crate) async fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !check() {
        assert!(start.elapsed() < GENEROUS, "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The next event that is not the end of a stream.
pub(crate) async fn next_but_ends(
    events: &mut (impl futures::Stream<Item = process_io::Result<process_io::Event>> + Unpin),
) -> Option<process_io::Result<process_io::Event>> {
    loop {
        match within(futures::StreamExt::next(events)).await {
            Some(Ok(process_io::Event::Eof(_))) => {}
            event => return event,
        }
    }
}

/// Whether this is a process that has the named test for itself, where it may change limits and count what
/// is open. If not, runs it in one, which must succeed.
pub(crate) fn alone(test: &str) -> bool {
    is_alone() || alone_under(test, &[])
}

/// As [`alone`], by a program that sets something up and then runs the command that it is given, if there is such a
/// program here.
pub(crate) fn alone_by(test: &str, wrapper: impl FnOnce() -> Option<Vec<&'static str>>) -> bool {
    is_alone() || wrapper().is_some_and(|wrapper| alone_under(test, &wrapper))
}

const ALONE: &str = "PROCESS_IO_TEST_ALONE";

fn is_alone() -> bool {
    std::env::var_os(ALONE).is_some()
}

fn alone_under(test: &str, wrapper: &[&str]) -> bool {
    let exe = std::env::current_exe().expect("the test's own path");
    let mut words: Vec<_> = wrapper.iter().map(std::ffi::OsStr::new).collect();
    words.push(exe.as_os_str());
    let output = std::process::Command::new(words[0])
        .args(&words[1..])
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(ALONE, "1")
        .output()
        .expect("the test starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{test} in a process of its own: {}\n{said}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr),
    );
    false
}
