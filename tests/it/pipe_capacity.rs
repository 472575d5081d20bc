//! `Builder::pipe_capacity`: pipes of the size that is asked for.
#![cfg(target_os = "linux")] // Elsewhere a pipe has one size.

use process_io::{ProcessIOWrapper, ProcessIo};
use rustix::pipe::fcntl_getpipe_size;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{assert_bytes, child, pattern, within};

#[tokio::test]
async fn all_pipes_have_it_and_keep_it() {
    for (asked, given) in [(4096, 4096), (100_000, 131_072)] {
        let run = ProcessIo::builder(child(&["cat"])).pipe_capacity(asked);
        let mut file = ProcessIOWrapper::from(run.spawn().unwrap());
        let sizes = |file: &ProcessIOWrapper| {
            let pipes = [file.read_descriptor(), file.write_descriptor()];
            pipes.map(|pipe| fcntl_getpipe_size(pipe.unwrap()).unwrap())
        };
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

/// More than the system allows is not an error.
#[tokio::test]
async fn too_much_changes_nothing() {
    let run = ProcessIo::builder(child(&["cat"])).pipe_capacity(usize::MAX);
    let output = within(run.input("data")).await.unwrap();
    assert_eq!(output.stdout, "data");
}
