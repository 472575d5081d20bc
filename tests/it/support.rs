//! What the tests share.

use std::{future::Future, time::Duration};

use process_io::Command;

/// Far more than anything here takes, also on a loaded machine: only a hang reaches it.
pub(crate) const GENEROUS: Duration = Duration::from_secs(60);

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
    (0..n).map(|i| ((i * 31 + i / 251) % 251) as u8).collect()
}

/// Fails instead of hanging.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(GENEROUS, future)
        .await
        .expect("it hangs")
}

/// Whether a process exists and is not a zombie.
#[cfg(target_os = "linux")]
pub(crate) fn is_alive(pid: u32) -> bool {
    state(pid).is_some_and(|state| state != 'Z')
}

/// Whether a process exists, as a zombie or alive.
#[cfg(target_os = "linux")]
pub(crate) fn exists(pid: u32) -> bool {
    state(pid).is_some()
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
