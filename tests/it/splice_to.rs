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

    use bytes::Bytes;
    use futures::channel::mpsc;
    use process_io::{Input, Result};
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

    /// The reader may have emptied the pipe the moment after it was seen full, and the child says nothing more before the next
    /// question. With one page the pipe is full often.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn answers_into_a_small_pipe_that_a_thread_reads() {
        const ANSWER: usize = 100_000;
        const ANSWERS: usize = 2_000;
        const PAGE: usize = 4096;
        let (to, from) = pipe::pipe().unwrap();
        rustix::pipe::fcntl_setpipe_size(&to, PAGE).unwrap();
        let mut from = File::from(from.into_blocking_fd().unwrap());
        let (ask, questions) = mpsc::unbounded();
        let question = Bytes::from_static(b"\n");
        ask.unbounded_send(question.clone()).unwrap();
        let reader = std::thread::spawn(move || {
            let mut answer = vec![0; ANSWER];
            for left in (0..ANSWERS).rev() {
                from.read_exact(&mut answer).unwrap();
                if left > 0 {
                    ask.unbounded_send(question.clone()).unwrap();
                }
            }
            from
        });
        let mut io = ProcessIo::builder(child(&["answer", &ANSWER.to_string()]))
            .input(Input::stream(questions))
            .spawn()
            .unwrap();
        let bytes = within(io.splice_to(Source::Stdout, to.as_fd())).await;
        assert_eq!(bytes.unwrap(), (ANSWER * ANSWERS) as u64);
        drop(reader.join().unwrap());
    }
}

#[cfg(target_os = "linux")]
mod where_it_is_refused {
    use std::{env, process::Command};

    use super::*;

    /// Runs the rest of its arguments where a system call, by number, is refused with EPERM.
    const SANDBOX: &str = "
import ctypes, os, struct, sys
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
SECCOMP_RET_ERRNO, SECCOMP_RET_ALLOW, EPERM = 0x00050000, 0x7fff0000, 1
program = [(LOAD, 0, 0, 0), (JUMP_IF_EQUAL, 0, 1, int(sys.argv[1])),
           (RETURN, 0, 0, SECCOMP_RET_ERRNO | EPERM), (RETURN, 0, 0, SECCOMP_RET_ALLOW)]
code = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *step) for step in program))
filter = ctypes.create_string_buffer(struct.pack('@HP', len(program), ctypes.addressof(code)))
prctl = ctypes.CDLL(None).prctl
prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
assert prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
assert prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(filter), 0, 0) == 0
os.execv(sys.argv[2], sys.argv[2:])
";
    const TEST: &str = "splice_to::where_it_is_refused::it_is_copied";
    const MARK: &str = "PROCESS_IO_TEST_SANDBOX";

    #[tokio::test]
    async fn it_is_copied() {
        if env::var_os(MARK).is_none() {
            let splice = libc::SYS_splice.to_string();
            let exe = env::current_exe().unwrap();
            let output = Command::new("python3")
                .args(["-c", SANDBOX, &splice])
                .arg(exe)
                .args([TEST, "--exact", "--nocapture", "--test-threads=1"])
                .env(MARK, "1")
                .output();
            let Ok(output) = output else {
                return; // No python3 here.
            };
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(
                output.status.success() && said.contains("1 passed"),
                "{output:?}"
            );
            return;
        }
        let pipe = rustix::pipe::pipe().unwrap();
        let null = File::options().write(true).open("/dev/null").unwrap();
        let refused = rustix::pipe::splice(
            &pipe.0,
            None,
            &null,
            None,
            1,
            rustix::pipe::SpliceFlags::NONBLOCK,
        );
        assert_eq!(refused, Err(rustix::io::Errno::PERM));

        let mut file = tempfile::tempfile().unwrap();
        let mut io = writes("out");
        let bytes = within(io.splice_to(Source::Stdout, descriptor(&file))).await;
        assert_eq!(bytes.unwrap(), SIZE as u64);
        let mut all = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut all).unwrap();
        assert_bytes(&all, pattern(SIZE));
    }
}
