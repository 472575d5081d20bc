//! Errors tell the cause: each way to fail has its own kind, names the command, and leaves nothing behind.
#![cfg(unix)] // Files that cannot be executed, interpreters and descriptors are Unix's own.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use process_io::{Command, ErrorKind as Kind, ProcessIo};
use tempfile::TempDir;

use crate::support::{child, within};

/// Fails to spawn `command`, in that one way; the message is the command and then `message`.
#[track_caller]
fn assert_fails(command: Command, kind: Kind, io_kind: ErrorKind, message: &str) {
    let error = ProcessIo::spawn(command).unwrap_err();
    assert_eq!(error.kind(), kind, "{error:?}");
    assert!(error.is_spawn());
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
        let text = match program.contains('/') {
            true => format!("no such program: {program}"),
            false => "no such program".into(),
        };
        assert_fails(command, Kind::ProgramNotFound, ErrorKind::NotFound, &text);
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
    assert_fails(
        command,
        Kind::ProgramNotFound,
        ErrorKind::NotFound,
        "no such program",
    );
}

/// To look into it is forbidden, which says nothing of the program.
#[tokio::test]
async fn no_such_program_where_the_path_has_a_directory_of_somebody_else() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let nobody = std::fs::Permissions::from_mode(0o000);
    std::fs::set_permissions(folder.path(), nobody).unwrap();
    let mut command = Command::new("no-such-program-anywhere");
    command.env("PATH", folder.path());
    if rustix::process::getuid().is_root() {
        command.uid(65534);
    }
    assert_fails(
        command,
        Kind::ProgramNotFound,
        ErrorKind::NotFound,
        "no such program",
    );
}

#[tokio::test]
async fn a_program_below_a_file() {
    let folder = folder();
    let below = file(&folder, "file", 0o755, "").join("program");
    let text = format!("no such program: {}", below.display());
    assert_fails(
        Command::new(below),
        Kind::ProgramNotFound,
        ErrorKind::NotFound,
        &text,
    );
}

#[tokio::test]
async fn no_such_directory() {
    let folder = folder();
    let plain = file(&folder, "plain", 0o644, "");
    let missing = Path::new("/no/such/directory");
    for (directory, text) in [(missing, "no such directory"), (&plain, "no directory")] {
        let mut command = child(&["cwd"]);
        command.current_dir(directory);
        let text = format!("{text} to start in: {}", directory.display());
        assert_fails(command, Kind::DirectoryNotFound, ErrorKind::NotFound, &text);
    }
}

#[tokio::test]
async fn neither_directory_nor_program() {
    let mut command = Command::new("no-such-program-anywhere");
    command.current_dir("/no/such/directory");
    let error = ProcessIo::spawn(command).unwrap_err();
    let kinds = [Kind::ProgramNotFound, Kind::DirectoryNotFound];
    assert!(kinds.contains(&error.kind()), "{error:?}");
}

#[tokio::test]
async fn a_directory_as_program() {
    let folder = folder();
    let text = format!("is a directory, not a program: {}", folder.path().display());
    let command = Command::new(folder.path());
    assert_fails(
        command,
        Kind::NotExecutable,
        ErrorKind::PermissionDenied,
        &text,
    );
}

#[tokio::test]
async fn not_executable() {
    let folder = folder();
    let script = file(&folder, "script", 0o644, "#!/bin/sh\n");
    let text = format!("not executable: {}", script.display());
    let command = Command::new(script);
    assert_fails(
        command,
        Kind::NotExecutable,
        ErrorKind::PermissionDenied,
        &text,
    );
}

#[tokio::test]
async fn a_missing_interpreter_is_named() {
    let folder = folder();
    for line in ["#!/no/such/interpreter", "#! /no/such/interpreter -x"] {
        let script = file(&folder, "script", 0o755, &format!("{line}\necho never\n"));
        let text = "its interpreter /no/such/interpreter does not exist";
        let command = Command::new(script);
        assert_fails(command, Kind::BadInterpreter, ErrorKind::NotFound, text);
    }
}

#[tokio::test]
async fn no_program_at_all() {
    let folder = folder();
    for content in ["", "\x7fELF, but no more than that"] {
        let path = file(&folder, "program", 0o755, content);
        let error = ProcessIo::spawn(Command::new(&path)).unwrap_err();
        assert_eq!(error.kind(), Kind::NotExecutable, "{error:?}");
        let text = "not a program this system can execute";
        assert_eq!(
            error.to_string(),
            format!("`{0}`: {text}: {0}", path.display())
        );
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
        assert_fails(command, Kind::NulByte, ErrorKind::InvalidInput, text);
    }
}

#[tokio::test]
async fn arguments_too_long() {
    let mut command = Command::new("echo");
    command.args(vec!["x".repeat(100_000); 100]);
    let error = ProcessIo::spawn(command).unwrap_err();
    assert_eq!(error.kind(), Kind::ArgumentListTooLong, "{error:?}");
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
    assert_eq!(error.unwrap_err().kind(), Kind::ProgramNotFound);
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
    assert_eq!(error.kind(), Kind::Input);
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
        Kind::NoRuntime,
        ErrorKind::Other,
        "no tokio runtime to spawn in",
    );
    let awaited = ProcessIo::builder(marking(&marks[1])).into_future();
    let error = futures::executor::block_on(awaited).unwrap_err();
    assert_eq!(error.kind(), Kind::NoRuntime);

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
