//! `splice_to`: all that a stream says into a descriptor, without coming by here where the system can do that.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
};

use process_io::{ProcessIo, Source};

use crate::support::{assert_bytes, child, pattern, within};

const SIZE: usize = 3_000_000;

fn writes(stream: &str) -> ProcessIo {
    ProcessIo::spawn(child(&["write", stream, &SIZE.to_string()])).unwrap()
}

#[cfg(unix)]
fn descriptor(file: &File) -> std::os::fd::BorrowedFd<'_> {
    std::os::fd::AsFd::as_fd(file)
}

#[cfg(windows)]
fn descriptor(file: &File) -> std::os::windows::io::BorrowedHandle<'_> {
    std::os::windows::io::AsHandle::as_handle(file)
}

#[tokio::test]
async fn into_a_file_from_where_it_stands() {
    for (name, source) in [("out", Source::Stdout), ("err", Source::Stderr)] {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"before ").unwrap();
        let mut io = writes(name);
        let bytes = within(io.splice_to(source, descriptor(&file)))
            .await
            .unwrap();
        assert_eq!(bytes, SIZE as u64);
        file.write_all(b" after").unwrap();
        let mut all = Vec::new();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.read_to_end(&mut all).unwrap();
        assert_bytes(&all, [&b"before "[..], &pattern(SIZE), b" after"].concat());
        assert!(within(io.wait()).await.unwrap().success());
    }
}

/// The system splices into no file that is open for appending.
#[tokio::test]
async fn what_cannot_be_spliced_is_copied() {
    let named = tempfile::NamedTempFile::new().unwrap();
    let file = File::options().append(true).open(named.path()).unwrap();
    let mut io = writes("out");
    let bytes = within(io.splice_to(Source::Stdout, descriptor(&file)))
        .await
        .unwrap();
    assert_eq!(bytes, SIZE as u64);
    assert_bytes(std::fs::read(named.path()).unwrap(), pattern(SIZE));
}

#[tokio::test]
async fn what_was_received_before_comes_first_and_the_rest_is_fed_and_kept() {
    let mut file = tempfile::tempfile().unwrap();
    let mut io =
        ProcessIo::spawn(child(&["do", "out", "one\ntwo\n", "copy", "err", "err\n"])).unwrap();
    let line = within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
    assert_eq!(line.as_bytes(), b"one");
    let data = pattern(SIZE);
    within(io.send("three\n")).await.unwrap();
    io.close_stdin();
    let bytes = within(io.splice_to(Source::Stdout, descriptor(&file)))
        .await
        .unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    let mut all = String::new();
    file.read_to_string(&mut all).unwrap();
    assert_eq!(all, "two\nthree\n");
    assert_eq!(bytes, all.len() as u64);
    assert_eq!(within(io.output()).await.unwrap().stderr, "err\n");

    let mut io = ProcessIo::builder(child(&["cat"]))
        .input(data.clone())
        .spawn()
        .unwrap();
    file.set_len(0).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    within(io.splice_to(Source::Stdout, descriptor(&file)))
        .await
        .unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    let mut all = Vec::new();
    file.read_to_end(&mut all).unwrap();
    assert_bytes(&all, &data);
}

#[cfg(unix)] // Elsewhere there is only a file to copy to.
mod into_what_can_be_full {
    use std::{os::fd::AsFd, time::Duration};

    use process_io::Result;
    use tokio::{io::AsyncReadExt, net::UnixStream, net::unix::pipe};

    use super::*;

    /// Splices stdout, and closes the other side at its end.
    async fn splice_all(io: &mut ProcessIo, to: impl AsFd) -> Result<u64> {
        io.splice_to(Source::Stdout, to.as_fd()).await
    }

    #[tokio::test]
    async fn into_a_pipe_that_is_read_slowly() {
        let (to, mut from) = pipe::pipe().unwrap();
        let mut io = writes("out");
        let splice = splice_all(&mut io, to);
        let read = async {
            let mut all = Vec::new();
            let mut piece = [0; 1000];
            loop {
                match from.read(&mut piece).await.unwrap() {
                    0 => return all,
                    n => all.extend_from_slice(&piece[..n]),
                }
            }
        };
        let (bytes, all) = within(async { tokio::join!(splice, read) }).await;
        assert_eq!(bytes.unwrap(), SIZE as u64);
        assert_bytes(&all, pattern(SIZE));
    }

    #[tokio::test]
    async fn into_a_socket() {
        let (to, mut from) = UnixStream::pair().unwrap();
        let mut io = writes("out");
        let splice = splice_all(&mut io, to);
        let mut all = Vec::new();
        let (bytes, _) = within(async { tokio::join!(splice, from.read_to_end(&mut all)) }).await;
        assert_eq!(bytes.unwrap(), SIZE as u64);
        assert_bytes(&all, pattern(SIZE));
    }

    #[tokio::test]
    async fn a_time_out_ends_it() {
        let (full, _from) = pipe::pipe().unwrap();
        let null = File::options().write(true).open("/dev/null").unwrap();
        for to in [full.as_fd(), null.as_fd()] {
            let flood = ProcessIo::builder(child(&["flood"])).timeout(Duration::from_millis(200));
            let mut io = flood.spawn().unwrap();
            let error = within(io.splice_to(Source::Stdout, to)).await.unwrap_err();
            assert!(error.is_timeout(), "{error}");
        }
    }

    #[tokio::test]
    async fn dropped_half_way_it_loses_nothing() {
        let (to, mut from) = pipe::pipe().unwrap();
        let mut io = writes("out");
        let mut all = vec![0; 15_000];
        tokio::select! {
            biased;
            done = io.splice_to(Source::Stdout, to.as_fd()) => panic!("{done:?}"),
            read = within(from.read_exact(&mut all)) => drop(read.unwrap()),
        }
        let splice = splice_all(&mut io, to);
        let (bytes, _) = within(async { tokio::join!(splice, from.read_to_end(&mut all)) }).await;
        bytes.unwrap();
        assert_bytes(&all, pattern(SIZE));
    }
}
