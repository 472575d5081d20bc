//! What an output tells of itself: its text, what ended the child, and where bytes are missing.

use process_io::{Limits, Overflow, ProcessIo, transport::memory};
use tokio::io::AsyncWriteExt;

use crate::support::{child, within};

async fn said(text: &str) -> process_io::Output {
    let run = ProcessIo::builder(child(&["cat"])).input(text.to_owned());
    within(run).await.unwrap()
}

#[tokio::test]
async fn text_is_what_is_utf8() {
    let run = ProcessIo::builder(child(&["do", "out", "héllo\n", "err", "wörld"]));
    let output = within(run).await.unwrap();
    assert_eq!(output.stdout_str().unwrap(), "héllo\n");
    assert_eq!(output.stderr_str().unwrap(), "wörld");
    let run = ProcessIo::builder(child(&["cat"])).input(&b"ab\xff\n"[..]);
    let output = within(run).await.unwrap();
    assert_eq!(output.stdout_str().unwrap_err().valid_up_to(), 2);
    assert!(output.stdout_trimmed().is_err());
}

#[tokio::test]
async fn newlines_at_the_end_are_trimmed_and_nothing_else() {
    for (text, trimmed) in [
        ("", ""),
        ("a", "a"),
        ("a\n", "a"),
        (" a\n b \n\n\r\n", " a\n b "),
        ("a\r", "a\r"),
        ("\n\n", ""),
    ] {
        assert_eq!(said(text).await.stdout_trimmed().unwrap(), trimmed);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_signal_that_ended_the_child() {
    use process_io::Signal;
    let run = |script: &str| within(ProcessIo::builder(crate::support::sh(script)));
    let output = run("kill -TERM $$").await.unwrap();
    assert_eq!(output.signal(), Some(Signal::TERM));
    assert_eq!(run("exit 143").await.unwrap().signal(), None);
}

#[tokio::test]
async fn where_bytes_are_missing() {
    for (overflow, kept, gap) in [
        (Overflow::KeepHead, "01234", 5),
        (Overflow::KeepTail, "56789", 0),
        (Overflow::KeepBoth, "01789", 2),
    ] {
        let limits = Limits::default().stdout(5, overflow).stderr(5, overflow);
        let digits = "0123456789";
        let both = || child(&["do", "out", digits, "err", digits]);
        let output = within(ProcessIo::builder(both()).limits(limits))
            .await
            .unwrap();
        assert_eq!(
            (&output.stdout[..], output.stdout_omitted),
            (kept.as_bytes(), 5)
        );
        assert_eq!(
            (output.stdout_gap, output.stderr_gap),
            (Some(gap), Some(gap))
        );
        let err = || child(&["do", "err", digits]);
        let run = ProcessIo::builder(err()).limits(limits).pipe(err());
        for stage in within(run).await.unwrap().stages {
            assert_eq!(
                (&stage.stderr[..], stage.stderr_gap),
                (kept.as_bytes(), Some(gap))
            );
        }
        // All of it is there.
        let limits = Limits::default().stdout(10, overflow).stderr(10, overflow);
        let output = within(ProcessIo::builder(both()).limits(limits))
            .await
            .unwrap();
        assert_eq!((output.stdout_gap, output.stderr_gap), (None, None));
    }
}

/// What has been received is no part of it.
#[tokio::test]
async fn where_bytes_are_missing_of_what_is_left() {
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    io.set_limits(Limits::default().stdout(6, Overflow::KeepBoth));
    child.stdout.write_all(b"0123456789").await.unwrap();
    child.exit(0);
    within(io.wait()).await.unwrap();
    let stdout = process_io::Source::Stdout;
    assert_eq!(io.recv_nowait_max(stdout, 1).unwrap().data().unwrap(), "0");
    let output = within(io.output()).await.unwrap();
    assert_eq!(
        (&output.stdout[..], output.stdout_gap),
        (&b"12789"[..], Some(2))
    );

    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    io.set_limits(Limits::default().stdout(6, Overflow::KeepBoth));
    child.stdout.write_all(b"0123456789").await.unwrap();
    child.exit(0);
    within(io.wait()).await.unwrap();
    assert_eq!(
        within(io.recv(stdout)).await.unwrap().data().unwrap(),
        "012"
    );
    let output = within(io.output()).await.unwrap();
    assert_eq!(
        (&output.stdout[..], output.stdout_gap),
        (&b"789"[..], Some(0))
    );
}
