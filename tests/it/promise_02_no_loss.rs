//! No loss: all that the child wrote before it exited is delivered, however late the reader comes.

use process_io::{Drain, ProcessIo, Source};

use crate::support::{Way, alone, assert_bytes, child, pattern, within};

/// What a child can write and exit, with nobody reading: it fits into a pipe.
const FITS: usize = 60_000;
const ROUNDS: usize = 200;

async fn exited(args: &[&str], drain: Drain) -> ProcessIo {
    let run = ProcessIo::builder(child(args)).drain(drain);
    let io = run.spawn().expect("the child starts");
    assert!(within(io.control().wait()).await.unwrap().success());
    io
}

fn drains() -> [Drain; 2] {
    [Drain::default(), Drain::Immediate]
}

#[tokio::test]
async fn a_late_reader_gets_everything() {
    let n = FITS.to_string();
    for drain in drains() {
        for way in Way::ALL {
            let io = exited(&["write", "out", &n, "err", &n], drain).await;
            let (left, _) = way.read(io).await;
            assert!(left.status.success());
            assert_bytes(left.stdout, pattern(FITS));
            assert_bytes(left.stderr, pattern(FITS));
        }
    }
}

/// Between fork and exec every child that another thread starts holds all our pipes for a moment, so this needs a
/// process in which no other test runs.
#[tokio::test]
async fn a_pipe_that_nobody_holds_is_not_said_to_be_held() {
    if !alone("promise_02_no_loss::a_pipe_that_nobody_holds_is_not_said_to_be_held") {
        return;
    }
    let n = FITS.to_string();
    for drain in drains() {
        for way in Way::ALL {
            let io = exited(&["write", "out", &n, "err", &n], drain).await;
            let (_, io) = way.read(io).await;
            assert!(!io.pipes_held(), "{way:?} {drain:?}");
        }
    }
}

#[tokio::test]
async fn a_late_reader_of_a_held_pipe_gets_everything() {
    let n = FITS.to_string();
    for drain in drains() {
        let reads = Way::ALL.map(|way| {
            let n = &n;
            async move {
                let io = exited(&["hold-write", "60000", n], drain).await;
                let (left, io) = way.read(io).await;
                assert!(left.status.success());
                assert_bytes(left.stdout, pattern(FITS));
                assert_bytes(left.stderr, pattern(FITS));
                assert!(io.pipes_held(), "{way:?} {drain:?}");
            }
        });
        futures::future::join_all(reads).await;
    }
}

#[tokio::test]
async fn an_exchange_that_comes_late_gets_everything() {
    let n = FITS.to_string();
    let mut io = exited(&["write", "out", &n, "err", &n], Drain::Immediate).await;
    let exchange = within(io.exchange("unheard", crate::support::GENEROUS)).await;
    let exchange = exchange.unwrap();
    assert_bytes(exchange.stdout, pattern(FITS));
    assert_bytes(exchange.stderr, pattern(FITS));
}

#[tokio::test]
async fn a_small_read_at_a_time_gets_everything() {
    let mut io = exited(&["write", "out", &FITS.to_string()], Drain::Immediate).await;
    let mut got = Vec::new();
    while let Some(piece) = io.recv_nowait_max(Source::Stdout, 1000).unwrap().data() {
        assert!(piece.len() <= 1000);
        got.extend_from_slice(&piece);
    }
    assert_bytes(got, pattern(FITS));
}

/// The exit overtakes the reader anywhere between the first byte and the last.
async fn write_and_exit_at_once(drain: Drain) {
    for round in 0..ROUNDS {
        let n = [1, FITS, 500, 130_000, 4096, 70_001][round % 6];
        let way = Way::ALL[round % Way::ALL.len()];
        let run = ProcessIo::builder(child(&["write", "out", &n.to_string(), "err", "3"]));
        let (left, _) = way.read(run.drain(drain).spawn().unwrap()).await;
        assert!(left.status.success(), "round {round} {way:?}");
        assert_bytes(left.stdout, pattern(n));
        assert_bytes(left.stderr, pattern(3));
    }
}

#[tokio::test]
async fn many_children_that_write_and_exit_at_once() {
    write_and_exit_at_once(Drain::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_children_that_write_and_exit_at_once_without_lingering() {
    write_and_exit_at_once(Drain::Immediate).await;
}

#[tokio::test]
async fn many_children_that_leave_a_holder_behind_at_once() {
    for round in 0..ROUNDS / 4 {
        let n = [1, FITS, 130_000, 4096][round % 4];
        let way = Way::ALL[round % Way::ALL.len()];
        let run = ProcessIo::builder(child(&["hold-write", "60000", &n.to_string()]));
        let (left, io) = way.read(run.drain(Drain::Immediate).spawn().unwrap()).await;
        assert!(left.status.success(), "round {round} {way:?} {left:?}");
        assert_bytes(left.stdout, pattern(n));
        assert_bytes(left.stderr, pattern(n));
        assert!(io.pipes_held(), "round {round} {way:?}");
    }
}
