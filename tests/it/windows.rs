//! What is Windows' own: job objects, creation flags, batch files, `PATHEXT`, threads.
//!
//! Three tests are for a real Windows, for Wine 8 has these limitations:
//!
//! 1. A command line may be of any length.
//! 2. `GenerateConsoleCtrlEvent` always fails.
//! 3. `GetProcessHandleCount` always tells 0.
#![cfg(windows)] // There is none of it elsewhere.

use std::{
    fs,
    os::windows::io::AsRawHandle,
    path::Path,
    time::{Duration, Instant},
};

use process_io::{Builder, Command, Ladder, ProcessIOWrapper, ProcessIo, Signal, Source, Step};
use windows_sys::Win32::{
    Security::{DACL_SECURITY_INFORMATION, GetKernelObjectSecurity, GetSecurityDescriptorDacl},
    System::Threading::{GetCurrentProcess, GetProcessHandleCount},
};

use crate::support::{GENEROUS, child, eventually, is_alive, within};

const CREATE_NO_WINDOW: u32 = 0x0800_0000;

/// The arguments as the child got them, one a line, quoted as Rust does.
async fn args_of(mut command: Command, args: &[&str]) -> String {
    command.args(args);
    let output = within(ProcessIo::builder(command)).await.unwrap().check();
    output.unwrap().stdout_lossy().into_owned()
}

fn quoted(args: &[&str]) -> String {
    args.iter().map(|arg| format!("{arg:?}\n")).collect()
}

/// A batch file that hands its arguments on to the helper child.
fn batch(path: &Path) {
    let child = env!("CARGO_BIN_EXE_child").replace('/', "\\");
    fs::write(path, format!("@\"{child}\" args %*\r\n")).unwrap();
}

/// One entry in the list of who may open it: us, or the child would have nothing to write to.
#[tokio::test]
async fn pipes_are_for_one_user() {
    let file = ProcessIOWrapper::from(ProcessIo::spawn(child(&["deaf"])).unwrap());
    for pipe in [file.read_descriptor(), file.write_descriptor()] {
        let pipe = pipe.unwrap().as_raw_handle();
        let (mut descriptor, mut len) = ([0_u64; 64], 0);
        let size = size_of_val(&descriptor) as u32;
        let descriptor = descriptor.as_mut_ptr().cast();
        let (mut present, mut list, mut defaulted) = (0, std::ptr::null_mut(), 0);
        // SAFETY: the handle is open, there is room for `size` bytes, and all that is pointed to outlives the calls.
        let (got, found) = unsafe {
            (
                GetKernelObjectSecurity(
                    pipe,
                    DACL_SECURITY_INFORMATION,
                    descriptor,
                    size,
                    &mut len,
                ),
                GetSecurityDescriptorDacl(descriptor, &mut present, &mut list, &mut defaulted),
            )
        };
        assert!(
            got != 0 && found != 0,
            "{}",
            std::io::Error::last_os_error()
        );
        assert!(present != 0 && !list.is_null(), "everybody may open it");
        // SAFETY: it points into `descriptor`.
        assert_eq!(unsafe { *list }.AceCount, 1);
    }
}

#[tokio::test]
async fn arguments_arrive_unchanged() {
    let args = [
        "",
        " ",
        "a b",
        "\"",
        "a\"b",
        "\\",
        "a b\\",
        "a\\\\\"b c\\\\",
        "ünïcödé €𝄞",
        "%PATH%",
        "a&b|c^d<e>f",
        "--x=\"y z\"",
    ];
    assert_eq!(args_of(child(&["args"]), &args).await, quoted(&args));
}

#[tokio::test]
async fn a_program_in_a_folder_with_blanks_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("with blanks & ünïcödé");
    fs::create_dir(&inner).unwrap();
    let program = inner.join("my child.exe");
    fs::copy(env!("CARGO_BIN_EXE_child"), &program).unwrap();
    let mut command = Command::new(&program);
    command.arg("args");
    assert_eq!(args_of(command, &["x y"]).await, quoted(&["x y"]));
}

/// What broke out of the quotes in many languages at once: CVE-2024-24576.
#[tokio::test]
async fn arguments_of_a_batch_file_are_no_commands() {
    let folder = tempfile::tempdir().unwrap();
    let (script, proof) = (
        folder.path().join("echo args.bat"),
        folder.path().join("proof"),
    );
    batch(&script);
    let breaks = [
        format!("\"&echo x>{}", proof.display()),
        format!("%CMDCMDLINE:~-1%&echo x>{}", proof.display()),
        format!("a\" & echo x>{} & \"", proof.display()),
        format!("|echo x>{}", proof.display()),
    ];
    for argument in &breaks {
        let mut command = Command::new(&script);
        command.arg(argument);
        // Refused, or arrived as it is: anything but executed.
        let _ = within(ProcessIo::builder(command)).await;
        assert!(!proof.exists(), "{argument}");
    }
    let refused = ProcessIo::spawn({
        let mut command = Command::new(&script);
        command.arg("two\nlines");
        command
    });
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("failed before the program ran")
    );
}

#[tokio::test]
async fn a_script_is_found_by_pathext() {
    let folder = tempfile::tempdir().unwrap();
    batch(&folder.path().join("some-tool.cmd"));
    let with_path = |name: &str| {
        let mut command = Command::new(name);
        let path = std::env::var_os("PATH").unwrap();
        let mut folders = vec![folder.path().to_path_buf()];
        folders.extend(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(folders).unwrap());
        command
    };
    for name in ["some-tool", "some-tool.cmd"] {
        assert_eq!(
            args_of(with_path(name), &["x", "y"]).await,
            quoted(&["x", "y"])
        );
    }
    // With a folder it is looked for there.
    let path = folder.path().join("some-tool");
    assert_eq!(args_of(Command::new(path), &["x"]).await, quoted(&["x"]));
    let error = ProcessIo::spawn(with_path("no-such-tool")).unwrap_err();
    assert_eq!(
        error.kind(),
        process_io::ErrorKind::ProgramNotFound,
        "{error}"
    );
}

#[tokio::test]
async fn pathext_keeps_directory_and_environment() {
    let folder = tempfile::tempdir().unwrap();
    let script = "@echo %SOME_NAME%\r\n@echo [%GONE%]\r\n@cd\r\n";
    fs::write(folder.path().join("tell.bat"), script).unwrap();
    let mut command = Command::new(folder.path().join("tell"));
    command.env("SOME_NAME", "some value").env_remove("GONE");
    command.current_dir(folder.path());
    let output = within(ProcessIo::builder(command))
        .await
        .unwrap()
        .check()
        .unwrap();
    let said = output.stdout_lossy().into_owned();
    let lines: Vec<&str> = said.lines().map(str::trim).collect();
    assert_eq!(lines[..2], ["some value", "[]"]);
    assert!(
        Path::new(lines[2]).ends_with(folder.path().file_name().unwrap()),
        "{said}"
    );
}

#[tokio::test]
async fn a_failed_spawn_tells_its_cause() {
    let folder = tempfile::tempdir().unwrap();
    let spawn = |command: Command| ProcessIo::spawn(command).unwrap_err();

    let error = spawn(Command::new("no-such-program"));
    assert_eq!(
        error.kind(),
        process_io::ErrorKind::ProgramNotFound,
        "{error}"
    );
    let mut lost = child(&["cat"]);
    lost.current_dir(folder.path().join("none"));
    let error = spawn(lost);
    assert_eq!(
        error.kind(),
        process_io::ErrorKind::DirectoryNotFound,
        "{error}"
    );
    let error = spawn(Command::new(folder.path()));
    assert!(
        error.to_string().contains("is a directory, not a program"),
        "{error}"
    );
    let error = spawn(child(&["args", "a\0b"]));
    assert_eq!(error.kind(), process_io::ErrorKind::NulByte, "{error}");
    let text = folder.path().join("text.exe");
    fs::write(&text, "no program").unwrap();
    let error = spawn(Command::new(text));
    assert!(
        error
            .to_string()
            .contains("not a program this system can execute"),
        "{error}"
    );
}

#[ignore = "limitation 1 of Wine 8; to be run on Windows"]
#[tokio::test]
async fn arguments_too_long() {
    let spawned = ProcessIo::spawn(child(&["args", &"x".repeat(40_000)]));
    let error = spawned.expect_err("more than 32767 characters");
    assert_eq!(
        error.kind(),
        process_io::ErrorKind::ArgumentListTooLong,
        "{error}"
    );
}

#[tokio::test]
async fn exit_codes_above_i32_max_are_kept() {
    for code in [0xc000_0005_u32, 0xffff_ffff, 0x8000_0000, 259] {
        let code = code as i32;
        let output = within(ProcessIo::builder(child(&["exit", &code.to_string()]))).await;
        assert_eq!(output.unwrap().code(), Some(code));
    }
}

#[tokio::test]
async fn usage_is_known_after_the_end() {
    let mut io = ProcessIo::spawn(child(&["do", "write", "out", "30000000"])).unwrap();
    assert_eq!(io.control().usage(), None);
    let output = within(io.output()).await.unwrap();
    let usage = output.usage.unwrap();
    assert!(usage.user + usage.system > Duration::ZERO, "{usage:?}");
    assert!(
        usage.max_resident.is_none_or(|bytes| bytes > 1 << 16),
        "{usage:?}"
    );
    assert_eq!(io.control().usage(), Some(usage));
}

/// The grandchild is started before anything else, so it is in the job only if the child was put there first.
#[tokio::test]
async fn a_grandchild_of_the_first_moment_is_in_the_job() {
    for _ in 0..5 {
        let mut io = ProcessIo::spawn(child(&["do", "grandchild-quietly", "exit", "0"])).unwrap();
        let said = within(io.recv(Source::Stdout))
            .await
            .unwrap()
            .data()
            .unwrap();
        let grandchild = String::from_utf8(said.into())
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        assert!(within(io.control().wait()).await.unwrap().success());
        assert!(is_alive(grandchild));
        io.control().kill_tree().unwrap();
        eventually("the grandchild is killed", || !is_alive(grandchild)).await;
    }
}

/// The pid of a grandchild that is started, without our pipes, before the child does `rest`.
async fn with_grandchild(run: fn(Builder) -> Builder, rest: &[&str]) -> (ProcessIo, u32) {
    let steps = [&["do", "grandchild-quietly"], rest].concat();
    let mut io = run(ProcessIo::builder(child(&steps))).spawn().unwrap();
    let said = within(io.recv(Source::Stdout))
        .await
        .unwrap()
        .data()
        .unwrap();
    let pid = String::from_utf8(said.into()).unwrap();
    (io, pid.trim().parse().unwrap())
}

#[tokio::test]
async fn what_a_child_leaves_at_its_exit_lives_on() {
    for run in [|run| run, |run: Builder| run.die_with_parent(true)] {
        let (mut io, grandchild) = with_grandchild(run, &["exit", "0"]).await;
        let control = io.control();
        assert!(within(io.output()).await.unwrap().success());
        drop(io);
        // It is not ours any more.
        control.kill_tree().unwrap();
        drop(control);
        // What was killed would be gone by the time that this is.
        assert!(
            within(ProcessIo::builder(child(&["exit", "0"])))
                .await
                .unwrap()
                .success()
        );
        assert!(is_alive(grandchild));
        crate::support::kill(grandchild);
    }
}

#[tokio::test]
async fn what_a_child_leaves_is_killed_if_asked_for() {
    let run = |run: Builder| run.kill_leftovers(true);
    let (mut io, grandchild) = with_grandchild(run, &["exit", "0"]).await;
    assert!(within(io.output()).await.unwrap().success());
    eventually("the grandchild is killed", || !is_alive(grandchild)).await;
}

#[tokio::test]
async fn a_drop_kills_the_whole_job() {
    let (io, grandchild) = with_grandchild(|run| run, &["wait"]).await;
    drop(io);
    eventually("the grandchild is killed", || !is_alive(grandchild)).await;
}

/// A shutdown is over when nothing is left in the job, and not before.
#[tokio::test]
async fn a_shutdown_waits_for_the_whole_job() {
    let (mut io, grandchild) = with_grandchild(|run| run, &["drain", "exit", "0"]).await;
    let ladder = Ladder::new().close_stdin(Duration::from_millis(300));
    let report = within(io.shutdown(ladder)).await.unwrap();
    assert!(report.status.success());
    assert_eq!(report.ended_by(), Some(Step::Signal(Signal::KILL)));
    assert!(!report.survivors);
    eventually("the grandchild is killed", || !is_alive(grandchild)).await;

    let mut io = ProcessIo::spawn(child(&["do", "drain", "exit", "0"])).unwrap();
    let ladder = Ladder::new().close_stdin(GENEROUS);
    let report = within(io.shutdown(ladder)).await.unwrap();
    assert_eq!(report.ended_by(), Some(Step::CloseStdin));
}

/// A job that dies with us keeps its handle only for those who were let go.
#[tokio::test]
async fn no_handle_is_left_of_a_child_that_has_ended() {
    if !crate::support::alone("windows::no_handle_is_left_of_a_child_that_has_ended") {
        return;
    }
    let handles = || {
        let mut count = 0;
        // SAFETY: the handle is that of this process, and `count` outlives the call.
        let told = unsafe { GetProcessHandleCount(GetCurrentProcess(), &mut count) };
        assert!(told != 0, "{}", std::io::Error::last_os_error());
        count
    };
    let run = async |children| {
        for _ in 0..children {
            let run = ProcessIo::builder(child(&["exit", "0"])).die_with_parent(true);
            assert!(within(run).await.unwrap().success());
            let killed = ProcessIo::builder(child(&["wait"])).die_with_parent(true);
            drop(killed.spawn().unwrap());
        }
    };
    run(5).await;
    let before = handles();
    if before == 0 {
        return; // Limitation 3 of Wine 8.
    }
    run(20).await;
    assert!(handles() < before + 20, "{before}, then {}", handles());
}

/// A child that cannot be asked is passed over by the ladder, and killed.
#[tokio::test]
async fn what_cannot_be_delivered_is_in_the_report() {
    // It has no console of ours to get a Ctrl-Break from.
    let run = ProcessIo::builder(child(&["deaf"])).creation_flags(CREATE_NO_WINDOW);
    let mut io = run.spawn().unwrap();
    within(io.recv(Source::Stdout)).await.unwrap();
    assert!(io.control().terminate().is_err());
    let start = Instant::now();
    let ladder = Ladder::kill().signal(Signal::TERM, Duration::from_secs(50));
    let report = within(io.shutdown(ladder)).await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(40));
    assert_eq!(report.steps[0].error, Some(std::io::ErrorKind::Unsupported));
    assert_eq!(report.ended_by(), Some(Step::Signal(Signal::KILL)));
    assert_eq!(report.status.code(), Some(1));
}

#[ignore = "limitation 2 of Wine 8; to be run on Windows"]
#[tokio::test]
async fn terminate_is_a_ctrl_break() {
    const STATUS_CONTROL_C_EXIT: i32 = 0xc000_013a_u32 as i32;
    let mut io = ProcessIo::spawn(child(&["deaf"])).unwrap();
    within(io.recv(Source::Stdout)).await.unwrap();
    io.control().terminate().unwrap();
    let status = within(io.wait()).await.unwrap();
    assert_eq!(status.code(), Some(STATUS_CONTROL_C_EXIT));
}

#[tokio::test]
async fn other_signals_are_errors() {
    let mut io = ProcessIo::spawn(child(&["deaf"])).unwrap();
    within(io.recv(Source::Stdout)).await.unwrap();
    assert!(io.control().signal(Signal::INT).is_err());
    assert!(io.control().signal_tree(Signal::HUP).is_err());
    assert_eq!(io.control().try_wait().unwrap(), None);
}

/// A host that starts a child, tells its pid and is killed: what has become of the child.
async fn child_of_a_killed_host(mode: &str) -> u32 {
    let mut host = std::process::Command::new(std::env::current_exe().unwrap());
    host.args(["windows::host", "--exact", "--ignored", "--nocapture"]);
    let folder = tempfile::tempdir().unwrap();
    let note = folder.path().join("pid");
    host.env(HOST, mode).env(NOTE, &note);
    host.stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    let mut host = host.spawn().unwrap();
    eventually("the host has told", || note.exists()).await;
    let pid = fs::read_to_string(&note).unwrap().parse().unwrap();
    assert!(is_alive(pid));
    host.kill().unwrap();
    host.wait().unwrap();
    pid
}

const HOST: &str = "PROCESS_IO_TEST_HOST";
const NOTE: &str = "PROCESS_IO_TEST_NOTE";

#[ignore = "no test, but what `child_of_a_killed_host` runs"]
#[tokio::test]
async fn host() {
    let Ok(mode) = std::env::var(HOST) else {
        return;
    };
    let run = ProcessIo::builder(child(&["deaf"])).die_with_parent(mode != "lives");
    let mut io = run.spawn().unwrap();
    within(io.recv(Source::Stdout)).await.unwrap();
    let note = std::env::var(NOTE).unwrap();
    let pid = io.id().unwrap();
    let _kept = match &*mode {
        "detached" => (None, Some(io.detach())),
        _ => (Some(io), None),
    };
    fs::write(format!("{note}.new"), pid.to_string()).unwrap();
    fs::rename(format!("{note}.new"), note).unwrap();
    std::future::pending().await
}

#[tokio::test]
async fn it_dies_with_its_parent_if_asked_to() {
    for mode in ["dies", "detached"] {
        let pid = child_of_a_killed_host(mode).await;
        eventually("the child is killed", || !is_alive(pid)).await;
    }
}

#[tokio::test]
async fn else_it_outlives_its_parent() {
    let pid = child_of_a_killed_host("lives").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(is_alive(pid));
    crate::support::kill(pid);
}

/// A wait for a child's output costs no thread: tokio's own pipes would have taken all 512 of the blocking pool.
#[test]
fn idle_children_leave_the_blocking_pool_alone() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut children: Vec<_> = (0..600)
            .map(|_| ProcessIo::spawn(child(&["cat"])).unwrap())
            .collect();
        // Each is polled, so that each waits.
        for io in &mut children {
            assert!(futures::poll!(Box::pin(io.recv(Source::Stdout))).is_pending());
        }
        let answer = tokio::task::spawn_blocking(|| 42);
        assert_eq!(within(answer).await.unwrap(), 42);
        for io in &mut children {
            within(io.send("word")).await.unwrap();
        }
        for io in &mut children {
            assert_eq!(
                within(io.recv(Source::Stdout))
                    .await
                    .unwrap()
                    .data()
                    .unwrap(),
                "word"
            );
        }
    });
    // Nothing waits for what the children might still do.
    let start = Instant::now();
    drop(runtime);
    assert!(start.elapsed() < Duration::from_secs(10));
}
