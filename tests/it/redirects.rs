//! stdin, stdout and stderr connected to nothing, to a file, or to our own.

use std::{
    fs::File,
    io::{ErrorKind::InvalidInput, Read, Seek, SeekFrom, Write},
};

use process_io::{Builder, Command, ErrorKind, ProcessIo, Recv, Redirect, Source, Stage};

use crate::support::{alone, child, within};

const MARK: &str = "PROCESS_IO_REDIRECTS";

/// A test of this file in a process of its own, whose own streams are known.
fn own_process(test: &str) -> Builder {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([&format!("redirects::{test}"), "--exact", "--nocapture"])
        .env(MARK, "1");
    ProcessIo::builder(command)
}

fn in_own_process() -> bool {
    std::env::var_os(MARK).is_some()
}

/// A file with this content, at its start.
fn file(content: &str) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content.as_bytes()).unwrap();
    file.rewind().unwrap();
    file
}

fn content(mut file: File) -> String {
    let mut content = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut content).unwrap();
    content
}

async fn stdout_of(builder: Builder) -> bytes::Bytes {
    within(builder).await.unwrap().check().unwrap().stdout
}

#[tokio::test]
async fn stdin_null_is_at_its_end() {
    let run = ProcessIo::builder(child(&["sink"])).stdin(Redirect::Null);
    assert!(stdout_of(run).await.starts_with(b"0 "));
}

#[tokio::test]
async fn stdin_of_a_file_begins_where_the_file_is() {
    let mut from = file("0123456789");
    from.seek(SeekFrom::Start(3)).unwrap();
    let run = ProcessIo::builder(child(&["echo"])).stdin(from);
    assert_eq!(stdout_of(run).await, "3456789");
}

#[tokio::test]
async fn stdin_inherited_is_ours() {
    if in_own_process() {
        let run = ProcessIo::builder(child(&["echo"])).stdin(Redirect::Inherit);
        assert_eq!(stdout_of(run).await, "from above");
        return;
    }
    let outer = own_process("stdin_inherited_is_ours").input("from above");
    let output = within(outer).await.unwrap().check().unwrap();
    assert!(output.stdout_lossy().contains("1 passed"), "{output:?}");
}

#[tokio::test]
async fn input_needs_a_pipe() {
    let echo = || ProcessIo::builder(child(&["echo"]));
    let is_it = |error: process_io::Error| {
        let text = error.to_string();
        assert!(
            text.contains("`input`") && text.contains("`stdin`"),
            "{text}"
        );
        assert_eq!(std::io::Error::from(error).kind(), InvalidInput);
    };
    let runs: [&dyn Fn() -> Builder; 4] = [
        &|| echo().input("bytes").stdin(file("a file")),
        &|| echo().stdin(file("a file")).input("bytes"),
        &|| echo().input("bytes").stdin(Redirect::Null),
        &|| echo().input("").stdin(Redirect::Inherit),
    ];
    for run in runs {
        is_it(run().spawn().unwrap_err());
        is_it(within(run().start()).await.unwrap_err());
        is_it(within(run()).await.unwrap_err());
        let error = within(run().pipe(child(&["echo"]))).await.unwrap_err();
        assert!(error.stage().is_some_and(|stage| stage.ends_with("echo")));
        is_it(error);
    }
    let pipe = echo().input("bytes").stdin(Redirect::Pipe);
    assert_eq!(stdout_of(pipe).await, "bytes");
    let pipe = echo().stdin(Redirect::Null).input("bytes");
    assert_eq!(stdout_of(pipe.stdin(Redirect::Pipe)).await, "bytes");
}

#[cfg(unix)]
mod of_what_owns_a_descriptor {
    use std::{
        io::Read,
        os::{fd::OwnedFd, unix::net::UnixStream},
        process::Stdio,
    };

    use super::*;

    #[tokio::test]
    async fn a_descriptor() {
        let echo = ProcessIo::builder(child(&["echo"])).stdin(OwnedFd::from(file("words")));
        assert_eq!(stdout_of(echo).await, "words");
    }

    #[tokio::test]
    async fn a_socket() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let say = ProcessIo::builder(child(&["do", "out", "words"])).stdout(theirs);
        assert_eq!(stdout_of(say).await, "");
        let mut said = String::new();
        ours.read_to_string(&mut said).unwrap();
        assert_eq!(said, "words");
    }

    #[tokio::test]
    async fn the_pipes_of_a_child_that_std_started() {
        let [echo, sink] = ["echo", "sink"].map(|mode| {
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_child"));
            command.arg(mode).stdin(Stdio::piped());
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        });
        let say = ProcessIo::builder(child(&["do", "out", "words"]));
        stdout_of(say.stdout(echo.stdin.unwrap())).await;
        let hear = ProcessIo::builder(child(&["echo"])).stdin(echo.stdout.unwrap());
        assert_eq!(stdout_of(hear).await, "words");
        let hear = ProcessIo::builder(child(&["echo"])).stdin(echo.stderr.unwrap());
        assert_eq!(stdout_of(hear).await, "");
        drop(sink.stdin);
        let hear = ProcessIo::builder(child(&["echo"])).stdin(sink.stdout.unwrap());
        assert!(stdout_of(hear).await.starts_with(b"0 "));
    }

    #[tokio::test]
    async fn the_pipes_of_tokio() {
        let (sender, receiver) = tokio::net::unix::pipe::pipe().unwrap();
        let say = ProcessIo::builder(child(&["do", "out", "words"]));
        stdout_of(say.stdout(sender.into_blocking_fd().unwrap())).await;
        let echo = ProcessIo::builder(child(&["echo"]));
        let echo = echo.stdin(receiver.into_blocking_fd().unwrap());
        assert_eq!(stdout_of(echo).await, "words");

        let mut command = child(&["do", "out", "words"]);
        let mut say = command.stdout(Stdio::piped()).spawn().unwrap();
        let stdout = say.stdout.take().unwrap().into_owned_fd().unwrap();
        let echo = ProcessIo::builder(child(&["echo"])).stdin(stdout);
        assert_eq!(stdout_of(echo).await, "words");
        assert!(within(say.wait()).await.unwrap().success());
    }
}

#[tokio::test]
async fn nothing_can_be_sent_to_what_is_no_pipe() {
    let mut io = ProcessIo::builder(child(&["echo"]))
        .stdin(file("a file"))
        .spawn()
        .unwrap();
    assert!(within(io.send("x")).await.unwrap_err().is_broken_pipe());
    assert!(io.send_nowait("x").unwrap_err().is_broken_pipe());
    let output = within(io.output()).await.unwrap();
    assert_eq!(output.stdout, "a file");
    assert_eq!(output.stdin_written, 0);
}

#[tokio::test]
async fn outputs_to_nothing() {
    let both = || ProcessIo::builder(child(&["write", "out", "1000", "err", "2000"]));
    let output = within(both().stdout(Redirect::Null))
        .await
        .unwrap()
        .check()
        .unwrap();
    assert_eq!((output.stdout.len(), output.stderr.len()), (0, 2000));
    let output = within(both().stderr(Redirect::Null))
        .await
        .unwrap()
        .check()
        .unwrap();
    assert_eq!((output.stdout.len(), output.stderr.len()), (1000, 0));
}

#[tokio::test]
async fn outputs_to_files() {
    let (out, err) = (file(""), file("before "));
    let mut at_end = err.try_clone().unwrap();
    at_end.seek(SeekFrom::End(0)).unwrap();
    let run = ProcessIo::builder(child(&["alternate", "1"]))
        .stdout(out.try_clone().unwrap())
        .stderr(at_end);
    let output = within(run).await.unwrap().check().unwrap();
    assert!(output.stdout.is_empty() && output.stderr.is_empty());
    assert_eq!(content(out), "out 0\n");
    assert_eq!(content(err), "before err 0\n");
}

#[tokio::test]
async fn what_is_no_pipe_says_so_once() {
    let mut io = ProcessIo::builder(child(&["deaf"]))
        .stdout(Redirect::Null)
        .spawn()
        .unwrap();
    let error = within(io.recv(Source::Stdout)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotPiped, "{error}");
    assert_eq!(io.recv_nowait(Source::Stdout).unwrap(), Recv::Eof);
    assert_eq!(io.recv_nowait(Source::Stderr).unwrap(), Recv::Empty);
}

#[tokio::test]
async fn outputs_inherited_are_ours() {
    if in_own_process() {
        let run = ProcessIo::builder(child(&["alternate", "2"]))
            .stdout(Redirect::Inherit)
            .stderr(Redirect::Inherit);
        let output = within(run).await.unwrap().check().unwrap();
        assert!(output.stdout.is_empty() && output.stderr.is_empty());
        return;
    }
    let output = within(own_process("outputs_inherited_are_ours"))
        .await
        .unwrap();
    let output = output.check().unwrap();
    assert!(
        output.stdout_lossy().contains("out 0\nout 1\n"),
        "{output:?}"
    );
    assert_eq!(output.stderr, "err 0\nerr 1\n");
}

#[tokio::test]
async fn merged_and_inherited_goes_to_our_stdout() {
    if in_own_process() {
        let run = ProcessIo::builder(child(&["alternate", "2"]))
            .stdout(Redirect::Inherit)
            .merge_stderr();
        within(run).await.unwrap().check().unwrap();
        return;
    }
    let outer = own_process("merged_and_inherited_goes_to_our_stdout");
    let output = within(outer).await.unwrap().check().unwrap();
    let expected = "out 0\nerr 0\nout 1\nerr 1\n";
    assert!(output.stdout_lossy().contains(expected), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}

/// Under its own number too the child would have it for as long as it lives.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_that_is_not_closed_on_exec_is_the_childs_stream_alone() {
    use rustix::io::{FdFlags, fcntl_setfd};

    if !alone("redirects::a_file_that_is_not_closed_on_exec_is_the_childs_stream_alone") {
        return;
    }
    let inheritable = || {
        let file = file("");
        let at_same_place = file.try_clone().unwrap();
        fcntl_setfd(&at_same_place, FdFlags::empty()).unwrap();
        (file, at_same_place)
    };
    let count = || ProcessIo::builder(child(&["fd-count"]));

    // What this process itself was given may be inherited too.
    let none = stdout_of(count()).await;
    assert_eq!(stdout_of(count().stdin(inheritable().1)).await, none);
    assert_eq!(stdout_of(count().stderr(inheritable().1)).await, none);
    let guarded = count().stderr(inheritable().1).die_with_parent(true);
    assert_eq!(stdout_of(guarded).await, none);
    let (out, theirs) = inheritable();
    within(count().stdout(theirs)).await.unwrap();
    assert_eq!(content(out).as_bytes(), none);
    let (out, theirs) = inheritable();
    within(count().stdout(theirs).merge_stderr()).await.unwrap();
    assert_eq!(content(out).as_bytes(), none);
    // The first stage is started while what the last one is to get is already there.
    let last = Stage::new(child(&["cat"])).stderr(inheritable().1);
    let (out, theirs) = inheritable();
    within(count().stdout(theirs).pipe(last)).await.unwrap();
    assert_eq!(content(out).as_bytes(), none);
}
