//! Steps of a ladder that are no signals: bytes to stdin, and a function of one's own.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use process_io::{
    Error, ErrorKind, Input, Ladder, ProcessIo, Report, Signal, Source, Step,
    transport::memory::{self, Child},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{child, pattern, within};

/// A wait that must not run out.
const NEVER: Duration = Duration::from_secs(3600);

fn start() -> (ProcessIo, Child) {
    let (parts, child) = memory::child();
    (ProcessIo::from_parts(parts), child)
}

fn steps(report: &Report) -> Vec<(Step, Option<io::ErrorKind>)> {
    let taken = report.steps.iter();
    taken.map(|taken| (taken.step, taken.error)).collect()
}

#[cfg(unix)]
#[tokio::test]
async fn a_shell_is_told_to_exit() {
    let mut io =
        ProcessIo::spawn(crate::support::sh("read line; echo \"$line\"; exec sh")).unwrap();
    within(io.send_line("ready")).await.unwrap();
    assert_eq!(
        within(io.recv(Source::Stdout))
            .await
            .unwrap()
            .data()
            .unwrap(),
        "ready\n"
    );
    let ladder = Ladder::new().send("exit 7\n", NEVER);
    let report = within(io.shutdown(ladder)).await.unwrap();
    assert_eq!(report.status.code(), Some(7));
    assert_eq!(steps(&report), [(Step::Send, None)]);
}

/// Of which the child reads what was queued before.
#[tokio::test]
async fn what_is_sent_comes_last_and_instead_of_the_rest_of_the_input() {
    let (io, mut child) = start();
    let (mut send, mut recv) = io.into_split();
    let message = pattern(memory::PIPE_CAPACITY + 1000);
    // Not all of it fits.
    let mut sending = Box::pin(send.send(message.clone()));
    assert!(futures::poll!(&mut sending).is_pending());
    let shutdown = recv.shutdown(Ladder::new().send("quit", NEVER));
    let reads = async {
        let mut heard = vec![0; message.len() + 4];
        child.stdin.read_exact(&mut heard).await.unwrap();
        assert!(heard.starts_with(&message) && heard.ends_with(b"quit"));
        child.exit(0);
    };
    let (report, ()) = within(async { tokio::join!(shutdown, reads) }).await;
    assert_eq!(report.unwrap().ended_by(), Some(Step::Send));

    let endless = futures::stream::pending::<io::Result<&str>>();
    let run = ProcessIo::builder(crate::support::child(&["sink"]));
    let mut io = run.input(Input::try_stream(endless)).spawn().unwrap();
    let report = within(io.shutdown(Ladder::new().send("quit", NEVER)))
        .await
        .unwrap();
    assert_eq!(report.ended_by(), Some(Step::Send));
    let output = within(io.output()).await.unwrap();
    assert!(output.stdout.starts_with(b"4 "), "{output:?}");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_taken_back_leaves_what_was_sent_last() {
    let (io, mut child) = start();
    let (mut send, mut recv) = io.into_split();
    let message = pattern(memory::PIPE_CAPACITY + 1000);
    let second = Duration::from_secs(1);
    let sending = send.send_timeout(message.clone(), second);
    let shutdown = recv.shutdown(Ladder::new().send("quit", NEVER));
    let reads = async {
        tokio::time::sleep(2 * second).await;
        let mut heard = vec![0; memory::PIPE_CAPACITY];
        child.stdin.read_exact(&mut heard).await.unwrap();
        while !heard.ends_with(b"quit") {
            heard.push(child.stdin.read_u8().await.unwrap());
        }
        child.exit(0);
    };
    let all = async { tokio::join!(sending, shutdown, reads) };
    // Not by the helper for real time: the clock stands still.
    let (sent, report, ()) = tokio::time::timeout(2 * NEVER, all)
        .await
        .expect("it hangs");
    assert!(sent.unwrap_err().is_timeout());
    assert_eq!(report.unwrap().ended_by(), Some(Step::Send));
}

#[tokio::test]
async fn a_stdin_that_takes_nothing_is_passed_over() {
    let ladder = || Ladder::new().send("quit", NEVER);
    let kill = (Step::Signal(Signal::KILL), None);
    let mut io = ProcessIo::spawn(child(&["deaf"])).unwrap();
    io.close_stdin();
    let report = within(io.shutdown(ladder())).await.unwrap();
    let closed = (Step::Send, Some(io::ErrorKind::NotConnected));
    assert_eq!(steps(&report), [closed, kill]);
    #[cfg(unix)]
    {
        let mut io = ProcessIo::spawn(child(&["close-stdin"])).unwrap();
        within(io.recv(Source::Stdout)).await.unwrap();
        let report = within(io.shutdown(ladder())).await.unwrap();
        let broken = (Step::Send, Some(io::ErrorKind::BrokenPipe));
        assert_eq!(steps(&report), [broken, kill]);
    }
}

#[tokio::test]
async fn a_function_is_called_once_with_the_control() {
    let mut io = ProcessIo::spawn(child(&["deaf"])).unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let ladder = Ladder::new().call(
        move |control| {
            counted.fetch_add(1, Ordering::Relaxed);
            control.kill()
        },
        NEVER,
    );
    assert_eq!(ladder, ladder.clone());
    let report = within(io.shutdown(ladder)).await.unwrap();
    assert_eq!(steps(&report), [(Step::Call, None)]);
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    assert!(!report.status.success());
}

#[tokio::test]
async fn a_function_that_fails_is_passed_over() {
    let refused = |error: fn() -> Error| Ladder::new().call(move |_| Err(error()), NEVER);
    let mut io = ProcessIo::spawn(child(&["deaf"])).unwrap();
    let ladder = refused(|| io::Error::from(io::ErrorKind::ConnectionRefused).into());
    let report = within(io.shutdown(ladder)).await.unwrap();
    let refused = (Step::Call, Some(io::ErrorKind::ConnectionRefused));
    assert_eq!(
        steps(&report),
        [refused, (Step::Signal(Signal::KILL), None)]
    );
}

/// A run that is cut short takes the same steps.
#[tokio::test(start_paused = true)]
async fn a_time_out_takes_them_too() {
    let (mut io, mut child) = start();
    io.set_timeout(Duration::from_secs(1));
    let (asked, mut was_asked) = tokio::sync::mpsc::unbounded_channel();
    let ask = move |_: &process_io::Control| {
        asked.send(()).ok();
        Ok(())
    };
    io.set_ladder(
        Ladder::new()
            .call(ask, Duration::from_secs(1))
            .send("quit", NEVER),
    );
    let stops = async {
        was_asked.recv().await;
        let mut heard = [0; 4];
        child.stdin.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"quit");
        child.stdout.write_all(b"bye").await.unwrap();
        child.exit(0);
    };
    let (error, ()) = tokio::join!(io.wait(), stops);
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let report = error.report().unwrap();
    assert_eq!(steps(report), [(Step::Call, None), (Step::Send, None)]);
    assert_eq!(report.steps[0].took, Duration::from_secs(1));
    assert_eq!(
        within(io.recv(Source::Stdout))
            .await
            .unwrap()
            .data()
            .unwrap(),
        "bye"
    );
}

/// There is no runtime any more, and no stdin.
#[tokio::test]
async fn after_a_drop_a_function_is_called_and_nothing_is_sent() {
    let run = ProcessIo::builder(crate::support::child(&["deaf"]));
    let (called, was_called) = std::sync::mpsc::channel();
    let ladder = Ladder::new().send("quit", NEVER).call(
        move |control| {
            called.send(control.id()).ok();
            control.kill()
        },
        NEVER,
    );
    let io = run.on_drop(ladder).spawn().unwrap();
    let control = io.control();
    drop(io);
    assert_eq!(was_called.recv().unwrap(), control.id());
    assert!(!within(control.wait()).await.unwrap().success());
}

#[tokio::test]
async fn after_a_drop_a_function_that_panics_is_passed_over() {
    let ladder = Ladder::new().call(|_| panic!("in a step, as it should be"), NEVER);
    let run = ProcessIo::builder(child(&["deaf"])).on_drop(ladder);
    let io = run.spawn().unwrap();
    let control = io.control();
    drop(io);
    assert!(!within(control.wait()).await.unwrap().success());
}

/// What is sent last stays behind a message that is taken back, and the message is not sent as well.
#[tokio::test(start_paused = true)]
async fn a_message_that_is_taken_back_is_not_sent_before_the_last() {
    use process_io::transport::memory;
    use tokio::io::AsyncReadExt;
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    let second = Duration::from_secs(1);
    io.set_timeout(second);
    io.set_ladder(Ladder::new().send("bye", second * 10));
    let message = vec![b'x'; 3 * memory::PIPE_CAPACITY];
    let error = within(io.send_timeout(message, second * 2))
        .await
        .unwrap_err();
    let written = error.written().unwrap();
    assert!(
        written < 3 * memory::PIPE_CAPACITY && io.queued() <= 3,
        "{written} {}",
        io.queued()
    );
    let read = tokio::spawn(async move {
        let mut all = vec![0; written + 3];
        child.stdin.read_exact(&mut all).await.unwrap();
        child.exit(0);
        all
    });
    drop(within(io.wait()).await);
    let all = read.await.unwrap();
    assert!(all[..written].iter().all(|byte| *byte == b'x'));
    assert_eq!(&all[written..], b"bye");
}
