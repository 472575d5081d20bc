//! Errors tell the cause: each way to fail has its own kind, names the command, and leaves nothing behind.
#![cfg(unix)] // Files that cannot be executed, interpreters and descriptors are Unix's own.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use process_io::{Command, Error, ProcessIo};
use tempfile::TempDir;

use crate::support::{child, sh, within};

/// The kinds a failed spawn can have, to see that no two are mixed up.
fn kinds(error: &Error) -> Vec<&'static str> {
    let all = [
        ("not_found", error.is_not_found()),
        ("directory_not_found", error.is_directory_not_found()),
        ("not_executable", error.is_not_executable()),
        ("bad_interpreter", error.is_bad_interpreter()),
        ("argument_list_too_long", error.is_argument_list_too_long()),
        ("nul_byte", error.is_nul_byte()),
        ("no_runtime", error.is_no_runtime()),
        ("too_many_files", error.is_too_many_files()),
        ("broken_pipe", error.is_broken_pipe()),
        ("timeout", error.is_timeout()),
        ("failed", error.is_failed()),
    ];
    (all.into_iter().filter(|(_, is)| *is).map(|(name, _)| name)).collect()
}

/// Fails to spawn `command`, in that one way; the message is the command and then `message`.
#[track_caller]
fn assert_fails(command: Command, kind: &str, io_kind: ErrorKind, message: &str) {
    let error = ProcessIo::spawn(command).expect_err(kind);
    assert_eq!(kinds(&error), [kind], "{error:?}");
    let line = error.command().expect("the command").to_owned();
    assert!(!line.is_empty());
    assert_eq!(error.to_string(), format!("`{line}`: {message}"));
    assert!(error.status().is_none() && error.output().is_none());
    assert_eq!(std::io::Error::from(error).kind(), io_kind);
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Written by a process of its own: what we had open for writing could be busy when it is to be executed, because a
/// child that another test is just starting still has it open.
fn file(folder: &TempDir, name: &str, mode: u32, content: &str) -> PathBuf {
    let path = folder.path().join(name);
    let written = std::process::Command::new("sh")
        .args(["-c", r#"printf %s "$1" >"$0" && chmod "$2" "$0""#])
        .args([
            path.as_os_str(),
            content.as_ref(),
            format!("{mode:o}").as_ref(),
        ])
        .status();
    assert!(written.unwrap().success());
    path
}

#[tokio::test]
async fn no_such_program() {
    for program in ["no-such-program-anywhere", "/no/such/program", "./no-such"] {
        let mut command = Command::new(program);
        command.args(["-x", "two words"]);
        assert_fails(command, "not_found", ErrorKind::NotFound, "no such program");
    }
    let error = ProcessIo::spawn(Command::new("/no/such/program")).unwrap_err();
    assert_eq!(error.command(), Some("/no/such/program"));
    let mut command = Command::new("no-such");
    command.args(["-x", "two words"]);
    let error = ProcessIo::spawn(command).unwrap_err();
    assert_eq!(error.command(), Some("no-such -x 'two words'"));
}

#[tokio::test]
async fn no_such_program_on_the_path_of_the_command() {
    let mut command = Command::new("sh");
    command.env("PATH", folder().path());
    assert_fails(command, "not_found", ErrorKind::NotFound, "no such program");
}

#[tokio::test]
async fn a_program_below_a_file() {
    let folder = folder();
    let below = file(&folder, "file", 0o755, "").join("program");
    let (kind, text) = ("not_found", "no such program");
    assert_fails(Command::new(below), kind, ErrorKind::NotFound, text);
}

#[tokio::test]
async fn no_such_directory() {
    let folder = folder();
    let plain = file(&folder, "plain", 0o644, "");
    for directory in [Path::new("/no/such/directory"), &plain] {
        let mut command = child(&["cwd"]);
        command.current_dir(directory);
        let (kind, text) = ("directory_not_found", "no such directory to start in");
        assert_fails(command, kind, ErrorKind::NotFound, text);
    }
}

#[tokio::test]
async fn neither_directory_nor_program() {
    let mut command = Command::new("no-such-program-anywhere");
    command.current_dir("/no/such/directory");
    let error = ProcessIo::spawn(command).unwrap_err();
    assert_eq!(kinds(&error).len(), 1, "{error:?}");
    assert!(error.is_not_found() || error.is_directory_not_found());
}

#[tokio::test]
async fn a_directory_as_program() {
    let folder = folder();
    let (kind, text) = ("not_executable", "is a directory, not a program");
    let command = Command::new(folder.path());
    assert_fails(command, kind, ErrorKind::PermissionDenied, text);
}

#[tokio::test]
async fn not_executable() {
    let folder = folder();
    let command = Command::new(file(&folder, "script", 0o644, "#!/bin/sh\n"));
    let (kind, text) = ("not_executable", "not executable");
    assert_fails(command, kind, ErrorKind::PermissionDenied, text);
}

#[tokio::test]
async fn a_missing_interpreter_is_named() {
    let folder = folder();
    for line in ["#!/no/such/interpreter", "#! /no/such/interpreter -x"] {
        let script = file(&folder, "script", 0o755, &format!("{line}\necho never\n"));
        let text = "its interpreter /no/such/interpreter does not exist";
        let command = Command::new(script);
        assert_fails(command, "bad_interpreter", ErrorKind::NotFound, text);
    }
}

#[tokio::test]
async fn no_program_at_all() {
    let folder = folder();
    for content in ["", "\x7fELF, but no more than that"] {
        let path = file(&folder, "program", 0o755, content);
        let error = ProcessIo::spawn(Command::new(&path)).unwrap_err();
        assert_eq!(kinds(&error), ["not_executable"], "{error:?}");
        let text = "not a program this system can execute";
        assert_eq!(error.to_string(), format!("`{}`: {text}", path.display()));
        let source = std::error::Error::source(&error).expect("the system's own error");
        assert!(!source.to_string().is_empty());
    }
}

#[tokio::test]
async fn a_nul_byte() {
    let mut argument = Command::new("echo");
    argument.arg("a\0b");
    let mut variable = Command::new("echo");
    variable.env("NAME", "a\0b");
    for command in [argument, variable, Command::new("ec\0ho")] {
        let text = "a NUL byte in the command, its arguments or variables";
        assert_fails(command, "nul_byte", ErrorKind::InvalidInput, text);
    }
}

#[tokio::test]
async fn arguments_too_long() {
    let mut command = Command::new("echo");
    command.args(vec!["x".repeat(100_000); 100]);
    let error = ProcessIo::spawn(command).unwrap_err();
    assert_eq!(kinds(&error), ["argument_list_too_long"], "{error:?}");
    let message = error.to_string();
    assert!(message.starts_with("`echo xxx"), "{message}");
    assert!(message.ends_with("`: argument list too long"), "{message}");
    assert!(message.len() < 2000, "{} bytes", message.len());
    let error = std::io::Error::from(error);
    assert_eq!(error.kind(), ErrorKind::ArgumentListTooLong);
}

#[tokio::test]
async fn collecting_fails_as_spawning_does() {
    let error = within(ProcessIo::builder(Command::new("/no/such/program"))).await;
    assert_eq!(kinds(&error.unwrap_err()), ["not_found"]);
}

#[tokio::test]
async fn a_failed_run_names_command_status_and_message() {
    let script = "echo out; echo first >&2; echo last >&2; exit 3";
    let output = within(ProcessIo::builder(sh(script))).await.unwrap();
    let error = output.check().unwrap_err();
    assert_eq!(kinds(&error), ["failed"]);
    assert_eq!(error.status().unwrap().code(), Some(3));
    assert_eq!(error.stderr_tail(), b"first\nlast\n");
    let message = error.to_string();
    assert!(message.starts_with("`sh -c 'echo out;"), "{message}");
    assert!(
        message.contains("`: failed with exit code 3 after "),
        "{message}"
    );
    assert!(message.ends_with("stderr:\nfirst\nlast"), "{message}");
    assert_eq!(error.into_output().unwrap().stdout, "out\n");
}

#[tokio::test]
async fn an_input_that_fails_is_told() {
    let failing = futures::stream::iter([
        Ok("some"),
        Err(std::io::Error::new(
            ErrorKind::ConnectionReset,
            "the line is dead",
        )),
    ]);
    let input = process_io::Input::try_stream(failing);
    let error = within(ProcessIo::builder(child(&["echo"])).input(input))
        .await
        .unwrap_err();
    assert!(error.is_input());
    let message = error.to_string();
    assert!(message.contains("the line is dead"), "{message}");
    let output = error.output().unwrap();
    assert!(output.success());
    assert_eq!(output.stdout, "some");
    assert_eq!(
        std::io::Error::from(error).kind(),
        ErrorKind::ConnectionReset
    );
}

/// A command that leaves a mark if it ever runs.
fn marking(mark: &Path) -> Command {
    let mut command = Command::new("touch");
    command.arg(mark);
    command
}

#[test]
fn outside_a_runtime_no_child_is_started() {
    let folder = folder();
    let marks = ["spawned", "awaited", "proof"].map(|name| folder.path().join(name));
    assert_fails(
        marking(&marks[0]),
        "no_runtime",
        ErrorKind::Other,
        "no tokio runtime to spawn in",
    );
    let awaited = ProcessIo::builder(marking(&marks[1])).into_future();
    let error = futures::executor::block_on(awaited).unwrap_err();
    assert_eq!(kinds(&error), ["no_runtime"]);

    // Whatever was started before this has had its time.
    run_in_a_runtime(marking(&marks[2]));
    assert_eq!(marks.map(|mark| mark.exists()), [false, false, true]);
}

#[test]
fn in_a_runtime_without_io_no_child_is_left() {
    let folder = folder();
    let marks = ["spawned", "proof"].map(|name| folder.path().join(name));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let spawned = std::panic::catch_unwind(|| {
        let _inside = runtime.enter();
        ProcessIo::spawn(marking(&marks[0]))
    });
    assert!(spawned.is_err() || spawned.unwrap().is_err());
    run_in_a_runtime(marking(&marks[1]));
    assert_eq!(marks.map(|mark| mark.exists()), [false, true]);
}

fn run_in_a_runtime(command: Command) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let output = runtime.block_on(async { within(ProcessIo::builder(command)).await });
    assert!(output.unwrap().success());
}

/// `/proc` lists what a process has open, so these are for Linux. They change a limit of the whole process.
#[cfg(target_os = "linux")]
mod descriptors {
    use std::{fs, os::fd::AsRawFd};

    use process_io::Source;
    use rustix::{
        io::Errno,
        process::{Resource, Rlimit, WaitId, WaitIdOptions, getrlimit, setrlimit, waitid},
    };

    use super::*;
    use crate::support::{alone, assert_bytes, eventually, pattern};

    /// More than one spawn needs.
    const STEPS: u64 = 16;

    /// Open descriptors, and the highest of them. The one that lists them is not counted.
    fn open() -> (usize, u64) {
        let names = fs::read_dir("/proc/self/fd").unwrap();
        let fds: Vec<u64> = names
            .map(|entry| entry.unwrap().path())
            .filter(|path| fs::read_link(path).is_ok_and(|to| !to.ends_with("fd")))
            .map(|path| path.file_name().unwrap().to_str().unwrap().parse().unwrap())
            .collect();
        (fds.len(), fds.into_iter().max().unwrap())
    }

    /// Every number below the highest is in use, so that a limit above it says how many can be had.
    fn fill_gaps() -> Vec<fs::File> {
        let (_, highest) = open();
        let mut files = Vec::new();
        loop {
            let file = fs::File::open("/dev/null").unwrap();
            let number = file.as_raw_fd();
            files.push(file);
            if number as u64 > highest {
                return files;
            }
        }
    }

    /// Whether this process has no child at all, not even one that waits to be reaped.
    fn childless() -> bool {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        matches!(waitid(WaitId::All, look), Err(Errno::CHILD))
    }

    fn set_limit(current: u64) {
        let maximum = getrlimit(Resource::Nofile).maximum;
        let limit = Rlimit {
            current: Some(current),
            maximum,
        };
        setrlimit(Resource::Nofile, limit).unwrap();
    }

    /// Spawns with ever so many more descriptors to be had, until there are enough; how often it failed.
    async fn spawn_at_every_shortage() -> u64 {
        let usual = getrlimit(Resource::Nofile).current.unwrap();
        let _no_gaps = fill_gaps();
        let (count, highest) = open();
        for spare in 0..STEPS {
            set_limit(highest + 1 + spare);
            let spawned = ProcessIo::spawn(child(&["write", "out", "1000", "err", "7"]));
            set_limit(usual);
            let mut io = match spawned {
                Ok(io) => io,
                Err(error) => {
                    assert_eq!(kinds(&error), ["too_many_files"], "{error:?}");
                    let message = error.to_string();
                    assert!(message.contains("no file descriptor left"), "{message}");
                    assert_eq!(open().0, count, "descriptors leak with {spare} to spare");
                    eventually("no child is left", childless).await;
                    continue;
                }
            };
            let output = within(io.output()).await.unwrap();
            assert!(output.success());
            assert_bytes(output.stdout, pattern(1000));
            assert_bytes(output.stderr, pattern(7));
            drop(io);
            return spare;
        }
        panic!("{STEPS} descriptors are not enough for one child");
    }

    #[tokio::test]
    async fn run_out_at_any_step_of_a_spawn() {
        if !alone("promise_10_errors_tell_the_cause::descriptors::run_out_at_any_step_of_a_spawn") {
            return;
        }
        let failures = spawn_at_every_shortage().await;
        assert!(failures > 3, "{failures}");
        let (count, _) = open();
        // Once more, now that all that is opened once per process is open.
        spawn_at_every_shortage().await;
        eventually("nothing leaks", || open().0 == count).await;
        eventually("no child is left", childless).await;
    }

    #[tokio::test]
    async fn run_out_with_other_children_running() {
        if !alone(
            "promise_10_errors_tell_the_cause::descriptors::run_out_with_other_children_running",
        ) {
            return;
        }
        let (before, highest) = open();
        let usual = getrlimit(Resource::Nofile).current.unwrap();
        set_limit(highest + 60);
        let mut running = Vec::new();
        let error = loop {
            match ProcessIo::spawn(child(&["echo"])) {
                Ok(io) => running.push(io),
                Err(error) => break error,
            }
        };
        assert_eq!(kinds(&error), ["too_many_files"], "{error:?}");
        assert!(running.len() > 3);
        for io in &mut running {
            within(io.send("hello")).await.unwrap();
            let back = within(io.recv(Source::Stdout)).await.unwrap().unwrap();
            assert_eq!(back, "hello");
        }
        // Dropping children has to work without a descriptor to spare.
        drop(running);
        eventually("all are reaped", childless).await;
        set_limit(usual);
        eventually("nothing leaks", || open().0 <= before + 1).await;
        let output = within(ProcessIo::builder(child(&["write", "out", "9"]))).await;
        assert_bytes(output.unwrap().stdout, pattern(9));
    }
}
