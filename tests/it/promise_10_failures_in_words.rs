//! Errors tell the cause: a run that failed reads like the message of a good command-line tool.
#![cfg(unix)] // Signals and shells.

use std::os::unix::process::ExitStatusExt;

use process_io::{Error, ErrorKind, Output, ProcessIo};

use crate::support::{child, sh, within};

async fn run(script: &str) -> Output {
    within(ProcessIo::builder(sh(script))).await.unwrap()
}

async fn failure(script: &str) -> Error {
    let error = run(script).await.check().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed);
    error
}

/// Takes a message apart: the command, how it ended, after how long in seconds, and its stderr.
#[track_caller]
fn parts(message: &str) -> (&str, &str, f64, &str) {
    let (line, stderr) = message.split_once("; stderr:\n").unwrap_or((message, ""));
    let (command, ending) = line.rsplit_once("`: ").expect("a command");
    let (ending, time) = ending.rsplit_once(" after ").expect("a time");
    let units = [("ns", 1e-9), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0)];
    let mut times = units.iter().filter_map(|(unit, factor)| {
        let number: f64 = time.strip_suffix(unit)?.parse().ok()?;
        Some(number * factor)
    });
    let time = times.next().unwrap_or_else(|| panic!("no time: {message}"));
    (&command[1..], ending, time, stderr)
}

#[tokio::test]
async fn success_is_passed_on() {
    let output = run("echo out; echo err >&2").await.check().unwrap();
    assert_eq!(
        (&output.stdout[..], &output.stderr[..]),
        (&b"out\n"[..], &b"err\n"[..])
    );
}

#[tokio::test]
async fn a_failure_names_command_code_time_and_stderr() {
    let error = failure("echo out; echo first >&2; sleep 0.2; echo last >&2; exit 3").await;
    assert_eq!(error.status().unwrap().code(), Some(3));
    assert_eq!(error.stderr_tail(), b"first\nlast\n");
    let message = error.to_string();
    let (command, ending, time, stderr) = parts(&message);
    assert_eq!(command, error.command().unwrap());
    assert!(command.starts_with("sh -c 'echo out;"), "{message}");
    assert_eq!(ending, "failed with exit code 3");
    let output = error.into_output().unwrap();
    // It is shown with one digit after the point.
    let elapsed = output.elapsed.as_secs_f64();
    assert!(
        time >= 0.2 && (time - elapsed).abs() < 0.1,
        "{message} {elapsed}"
    );
    assert_eq!(stderr, "first\nlast");
    assert_eq!(output.stdout, "out\n");
}

#[tokio::test]
async fn a_silent_failure_shows_no_stderr() {
    for script in ["exit 1", "echo >&2; exit 1"] {
        let message = failure(script).await.to_string();
        assert!(!message.contains("stderr:"), "{message}");
        assert!(!message.ends_with(char::is_whitespace), "{message:?}");
    }
}

#[tokio::test]
async fn the_end_of_a_long_stderr_is_shown() {
    let script = "echo first >&2; yes middle | head -c 70000 >&2; echo last >&2; exit 1";
    let error = failure(script).await;
    let message = error.to_string();
    assert!(error.stderr_tail().ends_with(b"\nlast\n"));
    assert_eq!(error.stderr_tail().len(), 4096);
    assert!(message.ends_with("middle\nlast"), "{message}");
    assert!(
        !message.contains("first\n") && message.len() < 5000,
        "{message}"
    );
    // It is all there nevertheless.
    assert!(error.output().unwrap().stderr.starts_with(b"first\n"));
}

#[tokio::test]
async fn a_stderr_that_is_no_text_is_shown_too() {
    let message = failure(r"printf 'a\377b' >&2; exit 1").await.to_string();
    assert!(message.ends_with("; stderr:\na\u{fffd}b"), "{message}");
}

/// None of those that are ignored by what runs in the background.
#[tokio::test]
async fn signals_have_names() {
    for (number, name) in [
        (15, "SIGTERM"),
        (9, "SIGKILL"),
        (14, "SIGALRM"),
        (13, "SIGPIPE"),
    ] {
        let message = failure(&format!("kill -{number} $$")).await.to_string();
        let (_, ending, _, _) = parts(&message);
        assert_eq!(ending, format!("killed by {name}"));
    }
}

#[tokio::test]
async fn a_crash_is_told_and_whether_there_is_a_core() {
    // Where cores are written at all it is to the current directory.
    let folder = tempfile::tempdir().unwrap();
    for limit in ["0", "unlimited"] {
        let mut command = sh(&format!("ulimit -c {limit} && kill -SEGV $$"));
        command.current_dir(folder.path());
        let output = within(ProcessIo::builder(command)).await.unwrap();
        let Some(11) = output.status.unwrap().signal() else {
            // The hard limit may forbid it.
            assert_eq!((limit, output.success()), ("unlimited", false));
            continue;
        };
        let core = output.status.unwrap().core_dumped();
        assert!(!(core && limit == "0"));
        let message = output.check().unwrap_err().to_string();
        let (_, ending, _, _) = parts(&message);
        let expected = match core {
            true => "killed by SIGSEGV (core dumped)",
            false => "killed by SIGSEGV",
        };
        assert_eq!(ending, expected);
    }
}

#[tokio::test]
async fn a_child_that_was_killed_by_us_is_told_as_such() {
    let mut io = ProcessIo::spawn(child(&["deaf"])).unwrap();
    io.control().kill().unwrap();
    let error = within(io.output()).await.unwrap().check().unwrap_err();
    assert!(
        error.to_string().contains("`: killed by SIGKILL after "),
        "{error}"
    );
}

#[tokio::test]
async fn a_run_that_was_cut_short_tells_why_and_how_it_ended() {
    let run = ProcessIo::builder(sh("echo so far >&2; exec sleep 300"));
    let timeout = std::time::Duration::from_millis(1500);
    let error = within(run.timeout(timeout)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(
        error.to_string(),
        "`sh -c 'echo so far >&2; exec sleep 300'`: timed out after 1.5s (killed by SIGKILL); stderr:\nso far"
    );
}

/// As in `fn main() -> Result<()>`.
#[tokio::test]
async fn main_shows_it_as_well() {
    let error = failure("echo wrong >&2; exit 3").await;
    assert_eq!(format!("{error:?}"), error.to_string());
}

/// The beginning tells which script it was, and the rest would bury the cause.
#[cfg(unix)]
#[tokio::test]
async fn a_long_script_is_cut_after_a_whole_character() {
    let script = format!("exit 3 # {}", "é".repeat(1000));
    let output = within(ProcessIo::shell(script)).await.unwrap();
    let error = output.check().unwrap_err();
    let shown = format!("sh -c 'exit 3 # {}'…", "é".repeat(55));
    assert_eq!(error.command(), Some(&*shown));
    assert!(
        error
            .to_string()
            .starts_with(&format!("`{shown}`: failed with exit code 3")),
        "{error}"
    );
}
