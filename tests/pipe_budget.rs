//! A pipe that is seen full grows, within the budget: a program of its own, for the budget is that of the process.
#![cfg(target_os = "linux")]

use std::time::Duration;

use process_io::{Command, ProcessIOWrapper, ProcessIo, Source, set_pipe_budget};
use rustix::{io::ioctl_fionread, pipe::fcntl_getpipe_size};

const SMALL: usize = 64 << 10;
const LARGE: usize = 256 << 10;
/// Pieces of this length take a page each, so that a pipe of 64 KiB holds 16 of them, of which the first may have been read in
/// part.
const SHORT: usize = 2049;
const GENEROUS: Duration = Duration::from_secs(60);

/// Writes without end, so many bytes at a time.
fn writer(piece: usize) -> ProcessIo {
    let mut dd = Command::new("dd");
    dd.args(["if=/dev/zero", &format!("bs={piece}")]);
    ProcessIo::spawn(dd).unwrap()
}

fn size(file: &ProcessIOWrapper) -> usize {
    fcntl_getpipe_size(file.read_descriptor().unwrap()).unwrap()
}

/// Reads a pipe that is full, several times; how large it is then.
async fn read(io: ProcessIo) -> (ProcessIo, usize) {
    let mut file = ProcessIOWrapper::from(io);
    for _ in 0..20 {
        while ioctl_fionread(file.read_descriptor().unwrap()).unwrap() < 15 * SHORT as u64 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let mut io = file.into_inner();
        io.recv(Source::Stdout).await.unwrap().data().unwrap();
        file = ProcessIOWrapper::from(io);
    }
    let size = size(&file);
    (file.into_inner(), size)
}

#[tokio::test]
async fn a_full_pipe_grows_while_the_budget_lasts() {
    let all = async {
        // However little the pieces fill it.
        for piece in [SHORT, 4096, 64_800, 65_536, 1 << 20] {
            assert_eq!(read(writer(piece)).await.1, LARGE, "{piece}");
        }

        set_pipe_budget(LARGE + LARGE / 2);
        let (first, size) = read(writer(SMALL)).await;
        assert_eq!(size, LARGE);
        let (second, size) = read(writer(SMALL)).await;
        assert_eq!(size, SMALL);
        drop(first);
        // A pipe is looked at only once.
        assert_eq!(read(second).await.1, SMALL);
        // What the first one took is there again.
        assert_eq!(read(writer(SMALL)).await.1, LARGE);

        set_pipe_budget(0);
        assert_eq!(read(writer(SMALL)).await.1, SMALL);
    };
    tokio::time::timeout(GENEROUS, all).await.expect("it hangs");
}
