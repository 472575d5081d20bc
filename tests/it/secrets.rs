//! A text that is marked as secret is never shown, wherever the command line is.
#![cfg(unix)] // Arguments are bytes.

use std::{
    ffi::{OsStr, OsString},
    fmt::Debug,
    os::unix::ffi::{OsStrExt, OsStringExt},
    time::Duration,
};

use process_io::{
    Builder, Command, Error, ErrorKind, Ladder, Limits, Overflow, ProcessIOWrapper, ProcessIo,
    Stage,
};
use tokio::io::AsyncReadExt;

use crate::support::{child, sh, within};

const SECRET: &str = "hunter2";

/// A shell with the secret among its arguments, which it does not tell.
fn login(script: &str) -> Builder {
    let mut command = sh(script);
    command.args(["login", "--password=hunter2"]);
    ProcessIo::builder(command).secret(SECRET)
}

#[track_caller]
fn assert_hidden(shown: &str) {
    assert!(!shown.contains(SECRET), "{shown}");
}

/// Shows that there was something to hide, and that it is hidden.
#[track_caller]
fn assert_hides(value: &impl Debug) {
    for shown in [format!("{value:?}"), format!("{value:#?}")] {
        assert!(shown.contains("--password=***"), "{shown}");
        assert_hidden(&shown);
    }
}

#[track_caller]
fn assert_error_hides(error: Error) {
    assert_hides(&error);
    let mut shown = error.to_string();
    assert!(shown.contains("--password=***"), "{shown}");
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        shown += &format!("{inner} {inner:?}");
        source = inner.source();
    }
    shown += error.command().unwrap();
    if let Some(output) = error.output() {
        assert_hides(output);
    }
    assert_hidden(&shown);
    let error = std::io::Error::from(error);
    assert_hides(&error);
    assert_hidden(&error.to_string());
    assert_hides(&Error::from(error));
}

/// The command line as it is shown, of a program that does not exist.
fn shown<S: AsRef<OsStr>>(args: &[&[u8]], secrets: &[S]) -> String {
    let mut words = args.iter().map(|arg| OsStr::from_bytes(arg));
    let mut command = Command::new(words.next().unwrap());
    command.args(words);
    let run = (secrets.iter()).fold(ProcessIo::builder(command), |run, secret| {
        run.secret(secret.as_ref())
    });
    let debug = format!("{run:?}");
    let error = run.spawn().unwrap_err();
    let line = error.command().unwrap().to_owned();
    assert!(debug.contains(&format!("{line:?}")), "{debug}");
    line
}

#[tokio::test]
async fn without_it_arguments_are_shown() {
    let error = ProcessIo::builder(Command::new("/no/such/hunter2")).await;
    assert!(error.unwrap_err().to_string().contains(SECRET));
}

#[tokio::test]
async fn in_the_error_of_a_spawn() {
    let mut command = Command::new("/no/such/program");
    command.arg("--password=hunter2");
    let run = ProcessIo::builder(command).secret(SECRET);
    assert_error_hides(run.spawn().unwrap_err());
    let run = login("exit").stdout(process_io::Redirect::Null);
    assert_hides(&run);
    assert_hidden(&format!("{:?}", run.into_future()));
}

#[tokio::test]
async fn in_the_error_of_a_spawn_that_blames_an_argument() {
    let mut command = child(&["args", "a\0b", "--password=hunter2"]);
    command.env("PASSWORD", SECRET);
    let error = ProcessIo::builder(command).secret(SECRET).spawn();
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NulByte);
    assert_error_hides(error);
}

#[tokio::test]
async fn in_the_error_of_a_run_that_failed() {
    let output = within(login("echo wrong >&2; exit 3")).await.unwrap();
    assert_hides(&output);
    let error = output.check().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed);
    assert_error_hides(error);
}

#[tokio::test]
async fn in_the_error_of_a_time_out() {
    let run = login("sleep 300; true").timeout(Duration::from_millis(10));
    let error = within(run).await.unwrap_err();
    assert!(error.is_timeout());
    assert_error_hides(error);
}

#[tokio::test]
async fn in_the_error_of_a_limit() {
    let limits = Limits::default().stdout(3, Overflow::Fail);
    let run = login("echo too much; read line").limits(limits);
    let error = within(run).await.unwrap_err();
    assert!(error.is_limit());
    assert_error_hides(error);
}

#[tokio::test]
async fn in_the_errors_of_a_conversation() {
    let mut io = login("exec <&-; echo closed").spawn().unwrap();
    assert_error_hides(within(io.expect("never")).await.unwrap_err());
    let error = within(io.send(vec![0; 1 << 20])).await.unwrap_err();
    assert!(error.is_broken_pipe());
    assert_error_hides(error);
}

#[tokio::test]
async fn in_the_errors_of_a_control() {
    let io = login("read line").spawn().unwrap();
    let control = io.control();
    let error = control.signal(process_io::Signal::from_raw(1000));
    assert_error_hides(error.unwrap_err());
    drop(io);
    within(control.wait()).await.unwrap();
}

#[tokio::test]
async fn in_a_handle_and_what_comes_of_it() {
    let mut io = login("read line").spawn().unwrap();
    assert_hides(&io);
    assert_hides(&io.control());
    let (send, recv) = io.into_split();
    assert_hides(&send);
    assert_hides(&recv);
    io = ProcessIo::unsplit(send, recv).unwrap();
    let other = login("exit").spawn().unwrap();
    let (send, _recv) = other.into_split();
    let (_send, recv) = io.into_split();
    let error = ProcessIo::unsplit(send, recv).unwrap_err();
    assert_hides(&error);
    assert_hidden(&error.to_string());
}

#[tokio::test]
async fn in_the_report_of_a_shutdown() {
    let mut io = login("read line").spawn().unwrap();
    let report = within(io.shutdown(Ladder::default())).await.unwrap();
    assert_hidden(&format!("{report} {report:?}"));
    assert_hides(&io);
}

#[tokio::test]
async fn in_a_wrapper_and_its_errors() {
    let io = login("echo wrong >&2; exit 3").spawn().unwrap();
    let mut file = ProcessIOWrapper::from(io).check_exit(true);
    assert!(file.name().ends_with("login --password=***"));
    assert_hides(&file);
    let error = within(file.read_to_end(&mut Vec::new())).await.unwrap_err();
    assert_hides(&error);
    assert_error_hides(Error::from(error));
}

#[tokio::test]
async fn in_the_stages_of_a_pipeline() {
    let mut second = child(&["exit", "3"]);
    second.arg("--password=hunter2");
    let run = login("exit 0").pipe(Stage::new(second).secret(SECRET));
    assert_hides(&run);
    let output = within(run).await.unwrap();
    assert_hides(&output);
    let error = output.check().unwrap_err();
    assert!(
        error
            .stage()
            .unwrap()
            .ends_with("child exit 3 --password=***")
    );
    assert_error_hides(error);
}

/// What is secret for one stage is secret for all of them.
#[tokio::test]
async fn in_every_stage_of_a_pipeline() {
    let stage = |code: &str| {
        let mut command = child(&["exit", code]);
        command.arg("--password=hunter2");
        command
    };
    let runs = || {
        let of_the_first = login("exit 0").pipe(stage("0")).pipe(stage("3"));
        let of_the_last = ProcessIo::builder(stage("0"))
            .pipe(stage("3"))
            .pipe(Stage::new(stage("0")).secret(SECRET));
        [of_the_first, of_the_last]
    };
    for run in runs() {
        assert_hides(&run);
        assert_hidden(&format!("{:?}", run.into_future()));
    }
    for run in runs() {
        let output = within(run).await.unwrap();
        assert_hides(&output);
        for stage in &output.stages {
            assert_hidden(&stage.command);
        }
        let error = output.check().unwrap_err();
        assert!(error.stage().unwrap().ends_with("--password=***"));
        assert_error_hides(error);
    }
    let mut missing = Command::new("/no/such/program");
    missing.arg("--password=hunter2");
    let error = login("exit 0").pipe(missing).spawn().unwrap_err();
    assert_error_hides(error);
}

/// The error shows the end of what the child wrote to stderr; the bytes are as they are.
#[tokio::test]
async fn in_the_end_of_stderr() {
    let script = r#"printf 'wrong: hun' >&2; printf 'ter2!\n' >&2; exit 3"#;
    let error = within(login(script)).await.unwrap().check().unwrap_err();
    assert_eq!(error.stderr_tail(), b"wrong: hunter2!\n");
    assert!(error.to_string().ends_with("wrong: ***!"), "{error}");
    for shown in [format!("{error:?}"), format!("{error:#?}")] {
        assert_hidden(&shown);
    }

    let mut io = login(script).spawn().unwrap();
    let error = within(io.expect("never")).await.unwrap_err();
    assert!(error.to_string().ends_with("wrong: ***!"), "{error}");
    let run = login("echo hunter2 >&2; sleep 300; true").timeout(Duration::from_millis(500));
    assert_hidden(&within(run).await.unwrap_err().to_string());

    let last = child(&["exit", "0"]);
    let error = within(login(script).pipe(last)).await.unwrap().check();
    assert!(error.as_ref().unwrap_err().kind() == ErrorKind::Failed);
    assert_hidden(&error.unwrap_err().to_string());
}

/// Of one that the end of stderr begins within, the rest is not shown either.
#[tokio::test]
async fn at_the_beginning_of_the_end_of_stderr() {
    for after in 4096 - SECRET.len() - 1..=4096 {
        let script = format!("printf 'xxx hunter2%{after}s' y >&2; exit 3");
        let error = within(login(&script)).await.unwrap().check().unwrap_err();
        assert_eq!(error.stderr_tail().len(), 4096);
        let message = error.to_string();
        let (_, shown) = message.split_once("; stderr:\n").unwrap();
        let letters: String = shown.chars().filter(|c| c.is_alphanumeric()).collect();
        assert_eq!(letters, "y", "{after}: {}", shown.replace(' ', ""));
        assert_eq!(shown.contains("***"), after < 4096, "{after}");
    }
}

#[tokio::test]
async fn in_the_name_of_the_program() {
    assert_eq!(shown(&[b"/no/hunter2/x"], &[SECRET]), "/no/***/x");
    assert_eq!(shown(&[b"/no-such"], &["/no-such"]), "***");
}

#[tokio::test]
async fn wherever_it_occurs() {
    let line = shown(
        &[
            b"/no-such",
            b"hunter2",
            b"a hunter2 b",
            b"hunter2 hunter2",
            b"-p=hunter2!",
        ],
        &[SECRET],
    );
    assert_eq!(line, "/no-such *** 'a *** b' '*** ***' '-p=***!'");
}

#[tokio::test]
async fn several_of_them() {
    let args: &[&[u8]] = &[b"/no-such", b"pass", b"password", b"x-password-pass"];
    for secrets in [["pass", "password"], ["password", "pass"]] {
        let line = shown(args, &secrets);
        assert_eq!(line, "/no-such *** *** x-***-***");
    }
}

/// What is left of one must not show because another one took its beginning.
#[tokio::test]
async fn several_that_overlap() {
    let line = shown(&[b"/no-such", b"<abcdef>"], &["abcd", "cdef"]);
    assert!(!line.contains("ef") && !line.contains("ab"), "{line}");
    let line = shown(&[b"/no-such", b"<ababa>"], &["aba"]);
    assert!(!line.contains('b'), "{line}");
}

#[tokio::test]
async fn one_that_looks_like_what_stands_for_it() {
    let line = shown(&[b"/no-such", b"pass*word"], &["pass", "*", "*w"]);
    assert!(!line.contains("pass") && !line.contains('w'), "{line}");
}

#[tokio::test]
async fn an_empty_one_hides_nothing() {
    assert_eq!(shown(&[b"/no-such", b"", b"arg"], &[""]), "/no-such '' arg");
}

/// Quoting must not come first: it would break the secret up.
#[tokio::test]
async fn one_that_has_to_be_quoted() {
    for secret in [
        "it's",
        "a\nb",
        "a'\n'b",
        "\\",
        "tab\there",
        "ünï",
        "\u{301}x",
        "\"",
    ] {
        let arg = format!("<{secret}>");
        let line = shown(&[b"/no-such", arg.as_bytes()], &[secret]);
        assert_eq!(line, "/no-such '<***>'", "{secret:?}");
    }
}

#[tokio::test]
async fn one_that_is_not_utf_8() {
    let secret = OsString::from_vec(b"se\xffcret\xfe".into());
    let line = shown(&[b"/no-such", b"-k=se\xffcret\xfe"], &[&secret]);
    assert_eq!(line, "/no-such -k=***");
}

/// Together with what stands beside it, it may be a character that it is not by itself.
#[tokio::test]
async fn one_that_begins_or_ends_within_a_character() {
    let secret = OsString::from_vec(b"\xa4secret\xc3".into());
    let line = shown(&[b"/no-such", b"\xc3\xa4secret\xc3\xa4"], &[&secret]);
    assert!(!line.contains("secret"), "{line}");
}

#[tokio::test]
async fn in_a_command_line_that_is_cut() {
    for before in 980..1040 {
        let filler = "y".repeat(before);
        let arg = format!("{filler}{SECRET}");
        let line = shown(&[b"/no-such", arg.as_bytes(), b"hunter2"], &[SECRET]);
        assert!(!line.contains("hu"), "{before}: {line}");
        let line = shown(&[b"/no-such", filler.as_bytes(), b"hunter2"], &[SECRET]);
        assert!(!line.contains("hu"), "{before}: {line}");
    }
    let long = "z".repeat(5000);
    let line = shown(&[b"/no-such", long.as_bytes(), b"more"], &[&long]);
    assert_eq!(line, "/no-such *** more");
}

#[test]
fn what_a_ladder_sends_is_not_shown() {
    let ladder = Ladder::new().send("hunter2", std::time::Duration::ZERO);
    let builder = ProcessIo::command("cat").ladder(ladder.clone());
    let pipeline = ProcessIo::command("cat")
        .ladder(ladder.clone())
        .pipe(Command::new("cat"));
    for shown in [
        format!("{ladder:?}"),
        format!("{builder:?}"),
        format!("{pipeline:?}"),
    ] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
