//! `Stage::tee`: what goes from one stage of a pipeline to the next goes into a writer as well.

use std::{io, time::Duration};

use futures::{StreamExt, TryStreamExt};
use process_io::{Drain, Error, Event, ProcessIOWrapper, ProcessIo, Source, Stage};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, BufWriter, DuplexStream, duplex},
    join,
};

use crate::support::{assert_bytes, child, pattern, within};

const SIZE: usize = 3_000_000;
/// Less than one piece.
const NARROW: usize = 10_000;

fn writes() -> process_io::Builder {
    ProcessIo::builder(child(&["write", "out", &SIZE.to_string()]))
}

fn cat() -> Stage {
    Stage::new(child(&["cat"]))
}

async fn all_of(mut from: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut all = Vec::new();
    from.read_to_end(&mut all).await.unwrap();
    all
}

#[tokio::test]
async fn into_a_reader_and_to_the_next_stage() {
    let (first, from_first) = duplex(NARROW);
    let (second, from_second) = duplex(NARROW);
    let run = writes()
        .pipe(cat().tee(first))
        .pipe(cat().tee(second))
        .pipe(cat());
    let run = async { run.await.unwrap().check().unwrap() };
    let all = async { join!(run, all_of(from_first), all_of(from_second)) };
    let (output, first, second) = within(all).await;
    let expected = pattern(SIZE);
    assert_bytes(&output.stdout, &expected);
    assert_bytes(&first, &expected);
    assert_bytes(&second, &expected);
    assert_eq!(output.stages.len(), 4);
    assert!(!output.pipes_held);
}

#[tokio::test]
async fn into_a_file_that_is_flushed_at_the_end() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let copy = tokio::fs::File::from_std(file.reopen().unwrap());
    let run = ProcessIo::builder(child(&["cat"]))
        .input(pattern(SIZE))
        .pipe(cat().tee(BufWriter::with_capacity(1 << 20, copy)));
    let output = within(run).await.unwrap().check().unwrap();
    assert_bytes(&output.stdout, pattern(SIZE));
    assert_bytes(std::fs::read(file.path()).unwrap(), pattern(SIZE));
}

#[tokio::test]
async fn a_prompt_is_copied_at_once() {
    let (copy, mut from) = duplex(NARROW);
    let mut io = ProcessIo::builder(child(&["cat"]))
        .pipe(cat().tee(BufWriter::new(copy)))
        .spawn()
        .unwrap();
    for word in ["one\n", "two\n"] {
        within(io.send(word)).await.unwrap();
        let mut copied = vec![0; word.len()];
        let copied = async {
            from.read_exact(&mut copied).await.unwrap();
            copied
        };
        let line = async { io.recv_line(Source::Stdout).await.unwrap().unwrap() };
        let (line, copied) = within(async { join!(line, copied) }).await;
        assert_eq!(line.as_bytes(), word.trim_end().as_bytes());
        assert_eq!(copied, word.as_bytes());
    }
    io.close_stdin();
    assert!(within(io.wait()).await.unwrap().success());
}

/// The stages have long ended by then.
#[tokio::test]
async fn a_slow_writer_gets_all() {
    let (copy, from) = duplex(10);
    let size = 50_000;
    let mut io = ProcessIo::builder(child(&["write", "out", &size.to_string()]))
        .drain(Drain::Immediate)
        .pipe(Stage::new(child(&["do", "take", &size.to_string()])).tee(copy))
        .spawn()
        .unwrap();
    let control = io.control();
    let copied = async {
        control.wait().await.unwrap();
        all_of(from).await
    };
    let (output, copied) = within(async { join!(io.output(), copied) }).await;
    assert!(output.unwrap().success());
    assert_bytes(&copied, pattern(size));
}

#[tokio::test]
async fn a_writer_that_takes_nothing_holds_back_and_is_in_no_way_of_a_time_out() {
    let (copy, mut from) = duplex(NARROW);
    let run = ProcessIo::builder(child(&["flood"]))
        .timeout(Duration::from_millis(300))
        .pipe(cat().tee(copy));
    let error = within(run).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    let stdout = error.into_output().unwrap().stdout;
    assert_bytes(&stdout, pattern(stdout.len()));
    // What went to the next stage before the writer was full, and no more.
    assert!(stdout.len() <= 1 << 17, "{}", stdout.len());
    let mut copied = vec![0; NARROW];
    within(from.read_exact(&mut copied)).await.unwrap();
    assert_bytes(&copied, pattern(NARROW));
}

/// Also when only the writer is still to be waited for.
#[tokio::test]
async fn a_time_out_after_the_last_exit_is_one_too() {
    let (copy, _from) = duplex(10);
    let run = ProcessIo::builder(child(&["write", "out", "1000"]))
        .timeout(Duration::from_millis(500))
        .pipe(Stage::new(child(&["do", "take", "1000"])).tee(copy));
    let error = within(run).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
}

#[tokio::test]
async fn a_writer_that_fails_is_told_at_the_end() {
    let broken = || -> DuplexStream { duplex(NARROW).0 };
    let run = || writes().pipe(cat().tee(broken())).pipe(cat());
    let error = within(run()).await.unwrap_err();
    assert_eq!(error.kind(), process_io::ErrorKind::Output, "{error}");
    assert!(error.stage().unwrap().contains("write"), "{error}");
    assert_bytes(&error.output().unwrap().stdout, pattern(SIZE));
    assert_eq!(io::Error::from(error).kind(), io::ErrorKind::BrokenPipe);

    let mut io = run().spawn().unwrap();
    let mut bytes = 0;
    let events = async {
        while let Some(event) = io.try_next().await? {
            if let Event::Stdout(piece) = event {
                bytes += piece.len();
            }
        }
        Ok(())
    };
    let error: process_io::Error = within(events).await.unwrap_err();
    assert_eq!(error.kind(), process_io::ErrorKind::Output, "{error}");
    assert_eq!(bytes, SIZE);
}

#[tokio::test]
async fn each_that_fails_is_told() {
    let broken = || -> DuplexStream { duplex(NARROW).0 };
    let tail = Stage::new(child(&["sink"])).tee(broken());
    let mut io = writes()
        .pipe(cat().tee(broken()))
        .pipe(tail)
        .spawn()
        .unwrap();
    let mut told = Vec::new();
    while let Some(event) = within(io.next()).await {
        if let Err(error) = event {
            assert_eq!(error.kind(), process_io::ErrorKind::Output, "{error}");
            told.push(error.stage().unwrap().to_owned());
        }
    }
    told.sort();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].ends_with("cat") && told[1].contains("write out"),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_prompt_that_never_came_does_not_hide_it() {
    let mut io = writes().pipe(cat().tee(duplex(NARROW).0)).spawn().unwrap();
    let error = within(io.expect("no such text")).await.unwrap_err();
    assert_eq!(error.kind(), process_io::ErrorKind::Output, "{error}");
}

#[tokio::test]
async fn a_write_that_failed_does_not_hide_it() {
    let takes_little = child(&["do", "take", "10", "write", "out", "1000"]);
    let io = ProcessIo::builder(takes_little)
        .pipe(cat().tee(duplex(NARROW).0))
        .spawn()
        .unwrap();
    let mut file = ProcessIOWrapper::from(io).check_exit(true);
    let written = within(file.write_all(&pattern(SIZE))).await;
    let read = within(file.read_to_end(&mut Vec::new())).await;
    let errors = [written.err(), read.err()].into_iter().flatten();
    let told = errors.filter(|error| {
        let inner = error.get_ref().unwrap().downcast_ref::<Error>();
        inner.is_some_and(|inner| inner.kind() == process_io::ErrorKind::Output)
    });
    assert_eq!(told.count(), 1);
}

/// As without the copy: the stage before it ends, by `SIGPIPE` where there is such a thing.
#[tokio::test]
async fn a_stage_that_reads_no_more_ends_the_one_before_it() {
    let (copy, from) = duplex(1 << 20);
    let run = ProcessIo::builder(child(&["flood"]))
        .pipe(Stage::new(child(&["do", "take", "100000"])).tee(copy))
        .into_future();
    let (output, copied) = within(async { join!(run, all_of(from)) }).await;
    let last = output.unwrap().stages.pop().unwrap();
    assert!(last.status.unwrap().success());
    assert!(copied.len() >= 100_000);
    assert_bytes(&copied, pattern(copied.len()));
}

#[tokio::test]
async fn moved_bytes_are_no_silence() {
    let (copy, from) = duplex(NARROW);
    // Longer in all than it may be silent.
    let run = ProcessIo::builder(child(&["pulse", "out", "45", "100"]))
        .inactivity_timeout(Duration::from_millis(2500))
        .pipe(Stage::new(child(&["sink"])).tee(copy));
    let (output, copied) = within(async { join!(run, all_of(from)) }).await;
    assert!(output.unwrap().success());
    assert!(!copied.is_empty());
}

/// Nobody is left to move the data.
#[tokio::test]
async fn a_pipeline_that_is_let_go_ends() {
    let (copy, from) = duplex(NARROW);
    let io = ProcessIo::builder(child(&["flood"]))
        .pipe(Stage::new(child(&["sink"])).tee(copy))
        .spawn()
        .unwrap();
    let control = io.detach();
    assert!(!within(control.wait()).await.unwrap().success());
    assert_eq!(within(all_of(from)).await, b"");
}

#[tokio::test]
async fn nothing_is_copied_of_a_stage_that_cannot_start() {
    let (mut copy, from) = duplex(NARROW);
    copy.write_all(b"before ").await.unwrap();
    let run = writes().pipe(Stage::new(process_io::Command::new("/no/such")).tee(copy));
    let error = within(run).await.unwrap_err();
    assert_eq!(
        error.kind(),
        process_io::ErrorKind::ProgramNotFound,
        "{error}"
    );
    assert_eq!(within(all_of(from)).await, b"before ");
}

/// The copy has not all that was taken for it, and never will.
#[tokio::test]
async fn a_shutdown_does_not_wait_for_it_when_all_stages_have_exited() {
    let (stuck, _other_end) = duplex(10);
    let mut io = ProcessIo::builder(child(&["write", "out", "1000"]))
        .pipe(Stage::new(child(&["exit", "0"])).tee(stuck))
        .spawn()
        .unwrap();
    within(io.control().wait()).await.unwrap();
    within(io.shutdown(process_io::Ladder::default()))
        .await
        .unwrap();
}
