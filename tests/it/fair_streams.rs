//! A flood on one output stream never starves the other.

use futures::StreamExt;
use process_io::{
    Event, Limits, Overflow, ProcessIo, Recv, Source,
    transport::{Parts, memory},
};
#[cfg(unix)]
use process_io::{ProcessIOWrapper, ReadSource};
use tokio::io::AsyncWriteExt;

use crate::support::{child, pattern, within};

/// Of so many events: how many came from stdout, and the longest run from one stream.
async fn share(mut io: ProcessIo, events: usize) -> (usize, usize) {
    let (mut from_stdout, mut run, mut longest, mut last) = (0, 0, 0, None);
    for _ in 0..events {
        let source = match within(io.next()).await.unwrap().unwrap() {
            Event::Stdout(_) => Source::Stdout,
            Event::Stderr(_) => Source::Stderr,
            event => panic!("{event:?}"),
        };
        run = if last == Some(source) { run + 1 } else { 1 };
        longest = longest.max(run);
        last = Some(source);
        from_stdout += usize::from(source == Source::Stdout);
    }
    (from_stdout, longest)
}

/// Both streams always have something.
fn endless() -> Parts {
    let (parts, child) = memory::child();
    // It must not exit.
    std::mem::forget(child);
    parts
        .stdout(tokio::io::repeat(b'o'))
        .stderr(tokio::io::repeat(b'e'))
}

#[tokio::test]
async fn two_that_are_always_ready_alternate() {
    let (from_stdout, longest) = share(ProcessIo::from_parts(endless()), 2000).await;
    assert_eq!((from_stdout, longest), (1000, 1));
}

#[tokio::test]
async fn a_child_that_floods_both_is_heard_on_both() {
    let mut io = ProcessIo::spawn(child(&["flood", "both"])).unwrap();
    let (mut out, mut err) = (0, 0);
    while out < 100 || err < 100 {
        match within(io.next()).await.unwrap().unwrap() {
            Event::Stdout(_) => out += 1,
            Event::Stderr(_) => err += 1,
            event => panic!("{event:?}"),
        }
        // How the child's two threads are scheduled is the system's business, so the bound is wide.
        assert!(out + err < 100_000, "{out} and {err}");
    }
}

/// A second descriptor of the pipe that is read.
#[cfg(unix)]
fn pipe_of(file: &ProcessIOWrapper) -> std::os::fd::OwnedFd {
    file.read_descriptor()
        .unwrap()
        .try_clone_to_owned()
        .unwrap()
}

#[cfg(unix)] // How much is in a pipe is told by FIONREAD.
#[tokio::test]
async fn a_stream_that_has_something_gets_its_turn() {
    let io = ProcessIo::spawn(child(&["flood", "both"])).unwrap();
    let file = ProcessIOWrapper::from(io);
    let stdout = pipe_of(&file);
    let file = file.read_from(ReadSource::Stderr);
    let pipes = [stdout, pipe_of(&file)];
    let mut io = file.into_inner();

    let (mut served, mut passed_over, mut longest) = ([0; 2], [0; 2], 0);
    for _ in 0..2000 {
        let waiting = [0, 1].map(|i| rustix::io::ioctl_fionread(&pipes[i]).unwrap() > 0);
        let from = match within(io.next()).await.unwrap().unwrap() {
            Event::Stdout(_) => 0,
            Event::Stderr(_) => 1,
            event => panic!("{event:?}"),
        };
        let other = 1 - from;
        passed_over[from] = 0;
        if waiting[other] {
            served[from] += 1;
            passed_over[other] += 1;
            longest = longest.max(passed_over[other]);
        }
    }
    assert!(longest <= 20, "passed over {longest} times in a row");
    let contested: usize = served.iter().sum();
    for times in served {
        assert!(times * 10 >= contested, "{times} of {contested}");
    }
}

#[tokio::test]
async fn the_exit_is_not_starved_either() {
    let (parts, child) = memory::child();
    let parts = parts
        .stdout(tokio::io::repeat(b'o'))
        .stderr(tokio::io::repeat(b'e'));
    let mut io = ProcessIo::from_parts(parts);
    io.set_drain(process_io::Drain::Linger {
        idle: std::time::Duration::from_millis(1),
        cap: std::time::Duration::from_millis(100),
    });
    child.exit(0);
    within(async { while !matches!(io.next().await.unwrap().unwrap(), Event::Exit(_)) {} }).await;
    assert!(io.pipes_held());
}

#[tokio::test]
async fn recv_is_served_while_the_other_always_has_something() {
    for (wanted, flooding) in [
        (Source::Stdout, Source::Stderr),
        (Source::Stderr, Source::Stdout),
    ] {
        let (parts, mut child) = memory::child();
        let parts = match flooding {
            Source::Stdout => parts.stdout(tokio::io::repeat(b'o')),
            Source::Stderr => parts.stderr(tokio::io::repeat(b'e')),
        };
        let mut io = ProcessIo::from_parts(parts);
        io.set_limits(
            Limits::default()
                .stdout(100_000, Overflow::KeepTail)
                .stderr(100_000, Overflow::KeepTail),
        );
        let speaker = match wanted {
            Source::Stdout => &mut child.stdout,
            Source::Stderr => &mut child.stderr,
        };
        for i in 0..20 {
            let word = format!("word {i}");
            let (received, ()) = within(async {
                tokio::join!(io.recv(wanted), async {
                    tokio::task::yield_now().await;
                    speaker.write_all(word.as_bytes()).await.unwrap();
                })
            })
            .await;
            assert_eq!(received.unwrap().data().unwrap(), word);
        }
        assert!(io.omitted(flooding) > 0);
        assert_eq!(io.omitted(wanted), 0);
    }
}

#[cfg(unix)] // The shell runs two children on one pair of pipes.
#[tokio::test]
async fn a_slow_child_is_heard_beside_one_that_floods() {
    let mut sh = crate::support::sh(r#""$CHILD" flood err & "$CHILD" slow 20 5; kill $!"#);
    sh.env("CHILD", env!("CARGO_BIN_EXE_child"));
    let mut io = ProcessIo::builder(sh)
        .limits(Limits::default().stderr(100_000, Overflow::KeepTail))
        .spawn()
        .unwrap();
    let mut heard = Vec::new();
    while let Recv::Data(piece) = within(io.recv(Source::Stdout)).await.unwrap() {
        heard.extend_from_slice(&piece);
    }
    let expected: String = (0..20).map(|i| format!("line {i}\n")).collect();
    assert_eq!(String::from_utf8(heard).unwrap(), expected);
    within(io.wait()).await.unwrap();
    assert!(io.omitted(Source::Stderr) > 0);
}

#[tokio::test]
async fn a_flood_keeps_its_order() {
    let mut io = ProcessIo::spawn(child(&["flood", "both"])).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    while out.len() < 500_000 || err.len() < 500_000 {
        match within(io.next()).await.unwrap().unwrap() {
            Event::Stdout(bytes) => out.extend_from_slice(&bytes),
            Event::Stderr(bytes) => err.extend_from_slice(&bytes),
            event => panic!("{event:?}"),
        }
    }
    crate::support::assert_bytes(&out, pattern(out.len()));
    crate::support::assert_bytes(&err, pattern(err.len()));
}
