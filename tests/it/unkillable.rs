//! Who cannot be killed, as another user's processes cannot, is told of: in words and as a flag.
//!
//! A program that has become another user's by its set-user-ID bit. The test is repeated by a user who may not kill that.
#![cfg(target_os = "linux")] // The tools, and `/proc`.

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use process_io::{Command, Ladder, ProcessIo, Signal, Source};
use rustix::process::geteuid;

use crate::support::{GENEROUS, Mark, is_alive, within};

const SHORT: Duration = Duration::from_millis(100);
const NOBODY: u32 = 65534;

/// Where the program is that becomes root's.
const TOOL: &str = "PROCESS_IO_TEST_TOOL";

/// Whether this is a process of a user who may not kill what `TOOL` runs. If not, runs the test in one, where that can be done.
fn as_nobody(test: &str) -> bool {
    if std::env::var_os(TOOL).is_some() {
        return true;
    }
    let Some(folder) = geteuid().is_root().then(tool).flatten() else {
        return false;
    };
    // Its path may be closed to that user.
    let exe = File::open("/proc/self/exe").unwrap();
    let mark = Mark::new();
    let (name, value) = mark.variable();
    let output = std::process::Command::new("setpriv")
        .args([&format!("--reuid={NOBODY}"), "--clear-groups"])
        .args(["/proc/self/fd/0", test, "--exact", "--nocapture"])
        .env(TOOL, folder.path().join("tool"))
        .env(name, value)
        .current_dir("/")
        .stdin(exe)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{test}: {}\n{said}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr),
    );
    // And all that could not be killed is, by the mark.
    false
}

/// A program that runs others as root, whoever starts it; `None` where there is no such thing.
fn tool() -> Option<tempfile::TempDir> {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let found = std::process::Command::new("sh")
        .args(["-c", "command -v setpriv"])
        .output()
        .unwrap();
    let path = String::from_utf8(found.stdout).unwrap();
    let tool = folder.path().join("tool");
    fs::copy(path.trim(), &tool).ok()?;
    fs::set_permissions(&tool, Permissions::from_mode(0o4755)).unwrap();
    // The file system may be mounted `nosuid`.
    let id = std::process::Command::new("setpriv")
        .arg(format!("--reuid={NOBODY}"))
        .arg("--clear-groups")
        .arg(&tool)
        .args(["--reuid=0", "id", "-ru"])
        .stderr(Stdio::null())
        .output()
        .unwrap();
    (id.stdout == b"0\n").then_some(folder)
}

/// Is root's, and says so.
fn roots(before: &str, after: &str) -> Command {
    let tool = std::env::var(TOOL).unwrap();
    assert!(Path::new(&tool).exists());
    let mut command = Command::new("sh");
    let script = format!("{before} {tool} --reuid=0 sh -c 'echo $$; exec sleep 300' {after}");
    command.args(["-c", &script]);
    command
}

async fn started(command: Command) -> (ProcessIo, u32) {
    let mut io = ProcessIo::spawn(command).unwrap();
    let line = within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
    (io, line.to_string().parse().unwrap())
}

const WORDS: &str = "could not be killed and is still running";

#[tokio::test]
async fn a_child_under_a_time_out() {
    if !as_nobody("unkillable::a_child_under_a_time_out") {
        return;
    }
    let (mut io, pid) = started(roots("exec", "")).await;
    assert_eq!(io.id(), Some(pid));
    io.set_timeout(SHORT);
    let error = within(io.output()).await.unwrap_err();
    assert!(error.is_timeout() && error.has_survivors(), "{error:?}");
    assert!(error.to_string().contains(WORDS), "{error}");
    assert_eq!(error.status(), None);
    assert!(is_alive(pid));
    // It is left to the reaper, which does not wait at the drop.
    let start = Instant::now();
    drop(io);
    assert!(start.elapsed() < GENEROUS / 6);
}

#[tokio::test]
async fn what_it_has_started_under_a_time_out() {
    if !as_nobody("unkillable::what_it_has_started_under_a_time_out") {
        return;
    }
    for (before, after) in [
        ("", "; true"),
        ("timeout 300", "; true"),
        ("(", " &); sleep 300; true"),
    ] {
        let (mut io, pid) = started(roots(before, after)).await;
        assert_ne!(io.id(), Some(pid));
        io.set_timeout(SHORT);
        let error = within(io.output()).await.unwrap_err();
        assert!(error.is_timeout(), "{error}");
        assert!(error.has_survivors(), "{before:?}: {error}");
        assert!(error.to_string().contains(WORDS), "{error}");
        assert!(error.status().is_some(), "the child itself could be");
        assert!(is_alive(pid));
    }
}

#[tokio::test]
async fn by_a_shutdown() {
    if !as_nobody("unkillable::by_a_shutdown") {
        return;
    }
    for (before, after) in [("", "; true"), ("timeout 300", "; true")] {
        for ladder in [Ladder::kill(), Ladder::new().signal(Signal::TERM, SHORT)] {
            let (mut io, pid) = started(roots(before, after)).await;
            let report = within(io.shutdown(ladder)).await.unwrap();
            assert!(report.survivors, "{report}");
            assert!(
                report.to_string().contains("could not be killed"),
                "{report}"
            );
            assert!(is_alive(pid));
        }
    }
    // There is no status to be reported of a child that has not exited.
    let (mut io, pid) = started(roots("exec", "")).await;
    let error = within(io.shutdown(Ladder::kill())).await.unwrap_err();
    assert_eq!(error.status(), None);
    assert!(is_alive(pid));
}

/// The control: who can be killed does not count.
#[tokio::test]
async fn who_can_be_killed_is_no_survivor() {
    if !as_nobody("unkillable::who_can_be_killed_is_no_survivor") {
        return;
    }
    let mut command = Command::new("sh");
    command.args(["-c", "echo $$; timeout 300 sleep 300; true"]);
    let (mut io, pid) = started(command).await;
    io.set_timeout(SHORT);
    let error = within(io.output()).await.unwrap_err();
    assert!(error.is_timeout() && !error.has_survivors(), "{error}");
    assert!(!error.to_string().contains("killed and"), "{error}");
    assert!(!is_alive(pid));
}

/// The reaper must not take a processor for what does not end.
#[tokio::test]
async fn the_reaper_waits_in_peace() {
    if !as_nobody("unkillable::the_reaper_waits_in_peace") {
        return;
    }
    let (io, pid) = started(roots("exec", "")).await;
    drop(io);
    let ticks = || {
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    let before = ticks();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(is_alive(pid));
    assert!(
        ticks() - before < 20,
        "{} hundredths of a second",
        ticks() - before
    );
}
