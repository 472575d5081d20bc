//! A program that has just been written may still be open for writing: that is waited for, but not for long.
#![cfg(target_os = "linux")] // Where such a program cannot be executed.

use std::{
    fs::File,
    io::ErrorKind,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use process_io::{Builder, Command, Error, ProcessIo};
use tempfile::TempDir;

use crate::support::{alone, eventually, within};

/// For how long it is tried, as the documentation has it.
const TRIED: Duration = Duration::from_millis(63);

/// A program that can be executed as soon as `file` is closed.
struct Program {
    path: PathBuf,
    file: File,
    _folder: TempDir,
}

impl Program {
    /// `None` where the system executes what is open for writing, as Linux 6.11 and 6.12 do.
    fn new(content: &[u8]) -> Option<Self> {
        use std::{io::Write, os::unix::fs::PermissionsExt};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        let mut file = File::create(&path).unwrap();
        file.write_all(content).unwrap();
        let executable = std::fs::Permissions::from_mode(0o755);
        file.set_permissions(executable).unwrap();
        match std::process::Command::new(&path).output() {
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => Some(Self {
                path,
                file,
                _folder: folder,
            }),
            other => {
                eprintln!("skipped: a file open for writing is executed here: {other:?}");
                None
            }
        }
    }

    fn script() -> Option<Self> {
        Self::new(b"#!/bin/sh\necho ran\n")
    }

    fn run(&self) -> Builder {
        run(&self.path)
    }
}

fn run(path: &Path) -> Builder {
    ProcessIo::builder(Command::new(path))
}

#[track_caller]
fn assert_is_busy(error: Error, path: &Path) {
    assert_eq!(
        error.kind(),
        process_io::ErrorKind::ExecutableFileBusy,
        "{error:?}"
    );
    assert!(
        error.kind() != process_io::ErrorKind::NotExecutable
            && error.kind() != process_io::ErrorKind::ProgramNotFound
    );
    let message = format!("`{0}`: its file is open for writing: {0}", path.display());
    assert_eq!(error.to_string(), message);
    let source = std::error::Error::source(&error).expect("the system's own error");
    assert!(!source.to_string().is_empty());
    assert_eq!(
        std::io::Error::from(error).kind(),
        ErrorKind::ExecutableFileBusy
    );
}

#[tokio::test]
async fn a_file_that_stays_open_fails_in_the_end() {
    let Some(program) = Program::script() else {
        return;
    };
    let begun = Instant::now();
    let error = program.run().spawn().unwrap_err();
    let took = begun.elapsed();
    assert_is_busy(error, &program.path);
    assert!(took >= TRIED, "{took:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test]
async fn a_binary_is_no_different_from_a_script() {
    let binary = std::fs::read("/bin/true").unwrap();
    let Some(program) = Program::new(&binary) else {
        return;
    };
    assert_is_busy(program.run().spawn().unwrap_err(), &program.path);
    drop(program.file);
    assert!(within(run(&program.path)).await.unwrap().success());
}

#[tokio::test]
async fn collecting_fails_as_spawning_does() {
    let Some(program) = Program::script() else {
        return;
    };
    assert_is_busy(within(program.run()).await.unwrap_err(), &program.path);
}

#[tokio::test]
async fn a_file_that_is_closed_in_time_is_executed() {
    let Some(program) = Program::script() else {
        return;
    };
    let Program {
        path,
        file,
        _folder,
    } = program;
    let (mut file, mut counted) = (Some(file), 0);
    for _ in 0..50 {
        let held = file
            .take()
            .unwrap_or_else(|| File::options().append(true).open(&path).unwrap());
        let begun = Instant::now();
        let holding = thread::spawn(move || {
            thread::sleep(Duration::from_millis(8));
            drop(held);
            begun.elapsed()
        });
        let started = run(&path).spawn();
        // On a busy machine it may have been longer than what the library waits.
        if holding.join().unwrap() < TRIED {
            counted += 1;
            let output = within(started.unwrap().into_future()).await.unwrap();
            assert_eq!(output.stdout, "ran\n");
        }
        if counted == 5 {
            return;
        }
    }
    panic!("{counted} times only was the file closed in time");
}

#[tokio::test]
async fn without_the_retry_it_fails_at_once() {
    let Some(program) = Program::script() else {
        return;
    };
    // One attempt cannot always take as long as all of them with what is waited between.
    let mut quickest = Duration::MAX;
    for _ in 0..20 {
        let begun = Instant::now();
        let error = program.run().retry_busy(false).spawn().unwrap_err();
        quickest = quickest.min(begun.elapsed());
        assert_is_busy(error, &program.path);
    }
    assert!(quickest < TRIED, "{quickest:?}");
}

#[tokio::test]
async fn nothing_is_left_of_the_attempts() {
    if !alone("text_file_busy::nothing_is_left_of_the_attempts") {
        return;
    }
    let Some(program) = Program::script() else {
        return;
    };
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let mut before = None;
    for dies in [false, true, false, true] {
        let run = program.run().die_with_parent(dies);
        assert_is_busy(run.spawn().unwrap_err(), &program.path);
        eventually("nobody is left", || {
            use rustix::process::{WaitId, WaitIdOptions, waitid};
            let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            waitid(WaitId::All, look).is_err()
        })
        .await;
        // The first two open what is opened once.
        let now = open();
        if dies {
            eventually("no descriptor is left", || open() <= before.unwrap_or(now)).await;
            before = Some(open());
        }
    }
}
