//! Why a child could not be started: what an error claims is so, and what cannot be told is not claimed.
#![cfg(unix)]

use std::{
    fs, io,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::{Path, PathBuf},
};

use process_io::{Command, Error, ErrorKind, ProcessIo};
use rustix::io::Errno;
use tempfile::TempDir;

use crate::support::{alone, child, within};

fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    // For other users too.
    set_mode(folder.path(), 0o755);
    folder
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Written by a process of its own, so that no child of another test has it open for writing.
fn file(folder: &TempDir, name: &str, mode: u32, content: &[u8]) -> PathBuf {
    let (path, source) = (folder.path().join(name), tempfile::NamedTempFile::new());
    let source = source.unwrap();
    fs::write(source.path(), content).unwrap();
    let copied = std::process::Command::new("cp")
        .args([source.path(), &path])
        .status();
    assert!(copied.unwrap().success());
    set_mode(&path, mode);
    path
}

/// What `command` fails with: on the `posix_spawn` path where that can be, and after a `fork`.
fn errors(make: impl Fn() -> Command) -> [Error; 2] {
    let mut forked = make();
    // SAFETY: it does nothing.
    unsafe { forked.pre_exec(|| Ok(())) };
    [make(), forked].map(|command| ProcessIo::spawn(command).unwrap_err())
}

/// Fails in that one way, and says so.
#[track_caller]
fn assert_fails(make: impl Fn() -> Command, kind: ErrorKind, message: &str) {
    for error in errors(make) {
        assert_eq!(error.kind(), kind, "{error}");
        let line = error.command().unwrap();
        assert_eq!(error.to_string(), format!("`{line}`: {message}"));
    }
}

#[tokio::test]
async fn the_directory_is_named() {
    let folder = folder();
    let plain = file(&folder, "plain", 0o644, b"");
    let within = |directory: &Path| {
        let mut command = child(&["cwd"]);
        command.current_dir(directory);
        command
    };
    let missing = folder.path().join("missing");
    let message = format!("no such directory to start in: {}", missing.display());
    assert_fails(|| within(&missing), ErrorKind::DirectoryNotFound, &message);
    let message = format!("no directory to start in: {}", plain.display());
    assert_fails(|| within(&plain), ErrorKind::DirectoryNotFound, &message);
}

#[tokio::test]
async fn a_secret_in_the_name_of_the_directory_is_hidden() {
    let mut command = child(&["cwd"]);
    command.current_dir("/no/such/hunter2/directory");
    let error = ProcessIo::builder(command).secret("hunter2").spawn();
    let error = error.unwrap_err();
    let message = error.to_string();
    assert!(message.ends_with("in: /no/such/***/directory"), "{message}");
    assert!(!format!("{error:#?}").contains("hunter2"), "{error:#?}");
}

#[tokio::test]
async fn control_characters_in_a_name_are_escaped() {
    let mut command = child(&["cwd"]);
    command.current_dir("/no/such/\x1b[2J\n");
    let message = ProcessIo::spawn(command).unwrap_err().to_string();
    assert!(message.ends_with("in: /no/such/\\u{1b}[2J\\n"), "{message}");
}

#[tokio::test]
async fn a_directory_that_another_user_may_not_enter() {
    if !rustix::process::getuid().is_root() {
        return;
    }
    let folder = folder();
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).unwrap();
    let inner = closed.join("inner");
    fs::create_dir(&inner).unwrap();
    set_mode(&closed, 0o700);
    for directory in [&closed, &inner] {
        let make = || {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", ":"]).uid(65534).current_dir(directory);
            command
        };
        let message = format!(
            "user 65534 may not enter the directory to start in: {}",
            directory.display()
        );
        assert_fails(make, ErrorKind::DirectoryNotFound, &message);
    }
}

#[tokio::test]
async fn a_program_that_another_user_may_not_execute() {
    if !rustix::process::getuid().is_root() {
        return;
    }
    let folder = folder();
    let program = file(&folder, "program", 0o700, b"#!/bin/sh\n");
    let make = || {
        let mut command = Command::new(&program);
        command.uid(65534);
        command
    };
    let message = format!("not executable for user 65534: {}", program.display());
    assert_fails(make, ErrorKind::NotExecutable, &message);
    set_mode(&program, 0o755);
    set_mode(folder.path(), 0o700);
    assert_fails(make, ErrorKind::NotExecutable, &message);
    set_mode(folder.path(), 0o755);
    within(ProcessIo::builder(make()))
        .await
        .unwrap()
        .check()
        .unwrap();
}

#[tokio::test]
async fn the_program_is_named() {
    let folder = folder();
    file(&folder, "tool", 0o644, b"#!/bin/sh\n");
    let make = || {
        let mut command = Command::new("tool");
        command.env("PATH", format!("/no/such:{}", folder.path().display()));
        command
    };
    let message = format!("not executable: {}/tool", folder.path().display());
    assert_fails(make, ErrorKind::NotExecutable, &message);
    let make = || {
        let mut command = Command::new("./missing");
        command.current_dir(folder.path());
        command
    };
    let message = format!("no such program: {}/./missing", folder.path().display());
    assert_fails(make, ErrorKind::ProgramNotFound, &message);
    let make = || Command::new("no-such-program-anywhere");
    assert_fails(make, ErrorKind::ProgramNotFound, "no such program");
}

/// The closure's error, whatever it is, is not the program's.
#[tokio::test]
async fn an_error_of_pre_exec_is_not_blamed_on_the_program() {
    let folder = folder();
    let programs = [
        PathBuf::from("sh"),
        PathBuf::from(env!("CARGO_BIN_EXE_child")),
        file(&folder, "script", 0o755, b"#!/bin/sh\n"),
    ];
    for program in &programs {
        for errno in [
            Errno::NOENT,
            Errno::NOTDIR,
            Errno::ACCESS,
            Errno::TXTBSY,
            Errno::NOEXEC,
            Errno::TOOBIG,
            Errno::PERM,
        ] {
            let mut command = Command::new(program);
            command.current_dir(folder.path());
            // SAFETY: it only makes an error.
            unsafe { command.pre_exec(move || Err(errno.into())) };
            let run = ProcessIo::builder(command).process_group(false);
            let error = run.spawn().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Spawn, "{errno:?}: {error}");
            let line = error.command().unwrap();
            let words = io::Error::from(errno);
            assert_eq!(
                error.to_string(),
                format!("`{line}`: failed before the program ran: {words}")
            );
            assert_eq!(io::Error::from(error).kind(), words.kind());
        }
    }
}

/// No process has the program's file open for writing: there is nothing to wait for.
#[tokio::test]
async fn an_error_of_pre_exec_is_not_waited_for() {
    // Nobody else sees what all processes have open.
    if !rustix::process::getuid().is_root() {
        return;
    }
    let tries = tempfile::tempfile().unwrap();
    let mut command = child(&["exit", "0"]);
    let counted = tries.try_clone().unwrap();
    // SAFETY: a write of one byte is safe after a `fork`.
    unsafe {
        command.pre_exec(move || {
            io::Write::write(&mut &counted, b"x")?;
            Err(Errno::TXTBSY.into())
        });
    }
    let error = ProcessIo::spawn(command).unwrap_err();
    assert!(error.kind() != ErrorKind::ExecutableFileBusy, "{error}");
    let tries = tries.metadata().unwrap().len();
    // Twice more, for a file may have been closed just then.
    assert!(tries <= 3, "{tries}");
}

#[tokio::test]
async fn a_carriage_return_behind_the_interpreter_is_named() {
    let folder = folder();
    for line in ["#!/bin/sh\r\n", "#! /bin/sh\r\necho\r\n"] {
        let script = file(&folder, "script", 0o755, line.as_bytes());
        let message = "its interpreter /bin/sh\\r does not exist: \
                       the first line of the script ends in a carriage return";
        assert_fails(|| Command::new(&script), ErrorKind::BadInterpreter, message);
    }
}

#[cfg(target_os = "linux")] // Elsewhere an interpreter may not be a script.
#[tokio::test]
async fn the_interpreter_of_an_interpreter() {
    let folder = folder();
    let inner = file(&folder, "inner", 0o755, b"#!/no/such/thing -x\n");
    let line = format!("#!{} -y\n", inner.display());
    let script = file(&folder, "script", 0o755, line.as_bytes());
    let message = format!(
        "its interpreter {} needs /no/such/thing, which does not exist",
        inner.display()
    );
    assert_fails(
        || Command::new(&script),
        ErrorKind::BadInterpreter,
        &message,
    );
}

#[tokio::test]
async fn an_interpreter_that_is_not_executable() {
    let folder = folder();
    let inner = file(&folder, "inner", 0o644, b"");
    let line = format!("#!{}\n", inner.display());
    let script = file(&folder, "script", 0o755, line.as_bytes());
    let message = format!("its interpreter {} is not executable", inner.display());
    assert_fails(
        || Command::new(&script),
        ErrorKind::BadInterpreter,
        &message,
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_loader_that_does_not_exist() {
    let folder = folder();
    let mut program = fs::read(env!("CARGO_BIN_EXE_child")).unwrap();
    // Statically linked it has none.
    let Some(at) = memchr::memmem::find(&program[..4096], b"/ld-") else {
        return;
    };
    program[at + 1..at + 3].copy_from_slice(b"no");
    let program = file(&folder, "program", 0o755, &program);
    for error in errors(|| Command::new(&program)) {
        assert_eq!(error.kind(), ErrorKind::BadInterpreter, "{error}");
        let message = error.to_string();
        let told = message.contains("its loader /lib") && message.contains("/no-");
        assert!(told && message.ends_with(" does not exist"), "{message}");
    }
}

/// The child looks in its own path. Without one it looks in the system's own directories, never in ours.
#[tokio::test]
async fn a_tool_that_is_on_our_path_alone() {
    if !alone("spawn_causes::a_tool_that_is_on_our_path_alone") {
        return;
    }
    let folder = folder();
    file(&folder, "tool-of-ours", 0o755, b"#!/bin/sh\n");
    // SAFETY: there is no other thread yet: the runtime of a test has but one.
    unsafe { std::env::set_var("PATH", format!("{}:/bin:/usr/bin", folder.path().display())) };
    let make = |change: fn(&mut Command)| {
        move || {
            let mut command = Command::new("tool-of-ours");
            change(&mut command);
            command
        }
    };
    let found = ProcessIo::builder(make(|_| {})()).await.unwrap();
    found.check().unwrap();
    let changes: [fn(&mut Command); 4] = [
        |command| _ = command.env_clear(),
        |command| _ = command.env_clear().env("A", "clear: false"),
        |command| _ = command.env_remove("PATH"),
        |command| _ = command.env("PATH", "/bin:/usr/bin"),
    ];
    for change in changes {
        assert_fails(make(change), ErrorKind::ProgramNotFound, "no such program");
    }
    // It is there also with nothing else in the environment.
    let cleared = |command: &mut Command| {
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap());
    };
    let found = ProcessIo::builder(make(cleared)()).await.unwrap();
    found.check().unwrap();
}

#[tokio::test]
async fn a_group_that_does_not_exist() {
    let make = || {
        let mut command = child(&["exit", "0"]);
        command.process_group(i32::MAX - 1);
        command
    };
    let run = ProcessIo::builder(make()).process_group(false);
    let error = run.spawn().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Spawn);
    let line = error.command().unwrap();
    let message = format!("there is no process group {} to join", i32::MAX - 1);
    assert_eq!(error.to_string(), format!("`{line}`: {message}"));
}

#[tokio::test]
async fn a_group_of_another_session() {
    let mut leader = child(&["sleep"]);
    // SAFETY: a system call that is safe after a `fork`.
    unsafe { leader.pre_exec(|| rustix::process::setsid().map(drop).map_err(Into::into)) };
    let leader = ProcessIo::builder(leader)
        .process_group(false)
        .spawn()
        .unwrap();
    let group = leader.id().unwrap();
    let mut command = child(&["exit", "0"]);
    command.process_group(group as i32);
    let error = ProcessIo::builder(command)
        .process_group(false)
        .spawn()
        .unwrap_err();
    let message = format!("the process group {group} is of another session");
    assert!(error.to_string().ends_with(&message), "{error}");
}

/// A leader of a group cannot start a session.
#[tokio::test]
async fn a_session_in_a_group_of_its_own() {
    let mut command = child(&["exit", "0"]);
    // SAFETY: a system call that is safe after a `fork`.
    unsafe { command.pre_exec(|| rustix::process::setsid().map(drop).map_err(Into::into)) };
    let error = ProcessIo::spawn(command).unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("failed before the program ran, "),
        "{message}"
    );
    assert!(message.contains("process group of its own"), "{message}");
}

#[cfg(target_os = "linux")]
#[test]
fn without_dev_null() {
    const MARK: &str = "PROCESS_IO_TEST_WITHOUT_DEV_NULL";
    let name = "spawn_causes::without_dev_null";
    if std::env::var_os(MARK).is_none() {
        let hide = r#"mount -t tmpfs none /dev && exec "$0" "$@""#;
        let run = |script: &str, args: &[&str]| {
            let mut unshare = std::process::Command::new("unshare");
            let myself = std::env::current_exe().unwrap();
            unshare.args(["-rm", "sh", "-c", script]).arg(myself);
            unshare.args(args).env(MARK, "1").output()
        };
        // Not everywhere may one have a namespace of one's own.
        if !run("mount -t tmpfs none /dev", &[]).is_ok_and(|tried| tried.status.success()) {
            return;
        }
        let args = [name, "--exact", "--nocapture", "--test-threads=1"];
        let output = run(hide, &args).unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let told = output.status.success() && said.contains("1 passed");
        assert!(told, "{said}{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    assert!(!Path::new("/dev/null").exists());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let error = runtime.block_on(async {
        let run = ProcessIo::builder(child(&["exit", "0"]));
        run.stdin(process_io::Redirect::Null).spawn().unwrap_err()
    });
    assert_eq!(error.kind(), ErrorKind::Spawn);
    let message = error.to_string();
    assert!(
        message.contains("/dev/null cannot be opened: No such file"),
        "{message}"
    );
}

/// The name in the message is that of the file, byte for byte where it is text.
#[test]
fn names_are_bytes() {
    let name = std::ffi::OsStr::from_bytes(b"/no/such/\xff");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let error = ProcessIo::spawn(Command::new(name)).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("no such program: /no/such/\u{fffd}"),
        "{error}"
    );
}
