//! `Builder::pipe_capacity`: pipes of the size that is asked for, where pipes can be resized.
#![cfg(any(target_os = "linux", windows))] // Where the size of a pipe can be told.

use process_io::{ProcessIOWrapper, ProcessIo};
#[cfg(target_os = "linux")]
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[cfg(target_os = "linux")]
use crate::support::{assert_bytes, pattern};
use crate::support::{child, within};

#[cfg(target_os = "linux")]
fn sizes(file: &ProcessIOWrapper) -> [usize; 2] {
    let pipes = [file.read_descriptor(), file.write_descriptor()];
    pipes.map(|pipe| rustix::pipe::fcntl_getpipe_size(pipe.unwrap()).unwrap())
}

/// Of the pipe that is read: the other may not be asked by who only writes to it.
#[cfg(windows)]
fn sizes(file: &ProcessIOWrapper) -> [u32; 2] {
    use std::{os::windows::io::AsRawHandle, ptr};

    let pipe = file.read_descriptor().unwrap().as_raw_handle();
    let (mut out, mut into, nothing) = (0, 0, ptr::null_mut);
    // SAFETY: the handle is open, and both sizes outlive the call; the others may be null.
    let told = unsafe {
        windows_sys::Win32::System::Pipes::GetNamedPipeInfo(
            pipe,
            nothing(),
            &mut out,
            &mut into,
            nothing(),
        )
    };
    assert!(told != 0, "{}", std::io::Error::last_os_error());
    [out, into]
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn all_pipes_have_it_and_keep_it() {
    for (asked, given) in [(4096, 4096), (100_000, 131_072)] {
        let run = ProcessIo::builder(child(&["cat"])).pipe_capacity(asked);
        let mut file = ProcessIOWrapper::from(run.spawn().unwrap());
        assert_eq!(sizes(&file), [given; 2]);
        // Full pipes in both directions.
        let data = pattern(1_000_000);
        let mut back = vec![0; data.len()];
        let round = async {
            file.write_all(&data).await.unwrap();
            file.read_exact(&mut back).await.unwrap();
        };
        within(round).await;
        assert_bytes(&back, &data);
        assert_eq!(sizes(&file), [given; 2]);
    }
}

#[cfg(windows)]
#[tokio::test]
async fn elsewhere_it_does_nothing() {
    let spawn = |run: process_io::Builder| ProcessIOWrapper::from(run.spawn().unwrap());
    let usual = sizes(&spawn(ProcessIo::builder(child(&["cat"]))));
    for asked in [1, 1_000_000, usize::MAX] {
        let run = ProcessIo::builder(child(&["cat"])).pipe_capacity(asked);
        assert_eq!(sizes(&spawn(run)), usual, "{asked}");
    }
}

/// More than the system allows is not an error.
#[tokio::test]
async fn too_much_changes_nothing() {
    let run = ProcessIo::builder(child(&["cat"])).pipe_capacity(usize::MAX);
    let output = within(run.input("data")).await.unwrap();
    assert_eq!(output.stdout, "data");
}
