//! The halves of a handle where an `AsyncRead` and an `AsyncWrite` are asked for.

use process_io::{Error, ProcessIo, Source};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};

use crate::support::{assert_bytes, child, pattern, within};

#[tokio::test]
async fn every_byte_goes_there_and_back() {
    let (mut send, mut recv) = ProcessIo::spawn(child(&["cat"])).unwrap().into_split();
    let data = pattern(300_000);
    let mut got = Vec::new();
    let both = async {
        tokio::join!(
            async {
                AsyncWriteExt::write_all(&mut send, &data).await?;
                AsyncWriteExt::flush(&mut send).await?;
                AsyncWriteExt::shutdown(&mut send).await
            },
            recv.read_to_end(&mut got)
        )
    };
    let (wrote, read) = within(both).await;
    wrote.unwrap();
    assert_eq!(read.unwrap(), 300_000);
    assert_bytes(got, data);
    assert!(within(recv.wait()).await.unwrap().success());
}

/// A read takes as much as there is room for, and the next one goes on from there.
#[tokio::test]
async fn small_reads() {
    let (_send, mut recv) = ProcessIo::spawn(child(&["write", "out", "10"]))
        .unwrap()
        .into_split();
    let mut got = [0; 3];
    for n in [0, 3, 6] {
        within(recv.read_exact(&mut got)).await.unwrap();
        assert_eq!(got, pattern(10)[n..n + 3]);
    }
    assert_eq!(within(recv.read(&mut got)).await.unwrap(), 1);
    assert_eq!(within(recv.read(&mut got)).await.unwrap(), 0);
}

/// stderr is drained meanwhile, and can be had.
#[tokio::test]
async fn the_other_stream_moves() {
    let (_send, mut recv) = ProcessIo::spawn(child(&["write", "err", "1000000", "out", "10"]))
        .unwrap()
        .into_split();
    let mut got = Vec::new();
    within(recv.read_to_end(&mut got)).await.unwrap();
    assert_bytes(got, pattern(10));
    let mut err = 0;
    while let Some(piece) = within(recv.recv(Source::Stderr)).await.unwrap().data() {
        err += piece.len();
    }
    assert_eq!(err, 1_000_000);
}

#[tokio::test]
async fn a_child_that_takes_no_more_is_a_broken_pipe() {
    let (mut send, mut recv) = ProcessIo::spawn(child(&["exit", "3"]))
        .unwrap()
        .into_split();
    within(recv.wait()).await.unwrap();
    let error = within(async { copy(&mut &pattern(200_000)[..], &mut send).await })
        .await
        .unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    let error = error.downcast::<Error>().unwrap();
    assert_eq!(error.status().unwrap().code(), Some(3));
}

/// A system takes only so many slices at once.
#[tokio::test]
async fn many_empty_slices_before_the_first_byte() {
    let (mut send, mut recv) = ProcessIo::spawn(child(&["cat"])).unwrap().into_split();
    let mut slices = vec![std::io::IoSlice::new(b""); 3000];
    slices.push(std::io::IoSlice::new(b"data"));
    assert_eq!(within(send.write_vectored(&slices)).await.unwrap(), 4);
    let mut got = [0; 4];
    within(recv.read_exact(&mut got)).await.unwrap();
    assert_eq!(&got, b"data");
}
