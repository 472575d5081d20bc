//! The ways to read a child to its end, for tests that must hold for each of them.

use std::{process::ExitStatus, time::Duration};

use futures::{Stream, StreamExt};
use process_io::{Event, ProcessIOWrapper, ProcessIo, ReadSource, Recv, Result, Source};
use tokio::io::AsyncReadExt;

use super::{GENEROUS, within};

/// A way to read a child to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Output,
    Events,
    Recv,
    Wrapper,
    Wait,
    Nowait,
    Window,
    Halves,
}

impl Way {
    pub(crate) const ALL: [Self; 8] = [
        Self::Output,
        Self::Events,
        Self::Recv,
        Self::Wrapper,
        Self::Wait,
        Self::Nowait,
        Self::Window,
        Self::Halves,
    ];

    /// Reads both streams to their ends, and gives the handle back.
    pub(crate) async fn read(self, io: ProcessIo) -> (Left, ProcessIo) {
        within(self.try_read(io))
            .await
            .unwrap_or_else(|error| panic!("{self:?}: {error}"))
    }

    async fn try_read(self, mut io: ProcessIo) -> Result<(Left, ProcessIo)> {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        match self {
            Self::Output => {
                let output = io.output().await?;
                assert_eq!(output.pipes_held, io.pipes_held());
                (stdout, stderr) = (output.stdout.into(), output.stderr.into());
            }
            Self::Events => (stdout, stderr) = events(&mut io).await?,
            Self::Recv => {
                while let Recv::Data(piece) = io.recv(Source::Stdout).await? {
                    stdout.extend_from_slice(&piece);
                }
                while let Recv::Data(piece) = io.recv(Source::Stderr).await? {
                    stderr.extend_from_slice(&piece);
                }
            }
            Self::Wrapper => {
                let mut file = ProcessIOWrapper::from(io);
                file.read_to_end(&mut stdout).await?;
                assert_eq!(file.position(), stdout.len() as u64);
                let mut file = file.read_from(ReadSource::Stderr);
                file.read_to_end(&mut stderr).await?;
                io = file.into_inner();
            }
            Self::Wait => {
                let status = io.wait().await?;
                let output = io.output().await?;
                assert_eq!(output.status, Some(status));
                (stdout, stderr) = (output.stdout.into(), output.stderr.into());
            }
            Self::Nowait => {
                let mut open = vec![(Source::Stdout, &mut stdout), (Source::Stderr, &mut stderr)];
                while !open.is_empty() {
                    let mut failed = None;
                    open.retain_mut(|(source, got)| match io.recv_nowait(*source) {
                        Ok(Recv::Data(piece)) => {
                            got.extend_from_slice(&piece);
                            true
                        }
                        Ok(Recv::Empty) => true,
                        Ok(Recv::Eof) => false,
                        Err(error) => {
                            failed = Some(error);
                            false
                        }
                    });
                    if let Some(error) = failed {
                        return Err(error);
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            Self::Window => {
                for (source, got) in [(Source::Stdout, &mut stdout), (Source::Stderr, &mut stderr)]
                {
                    while let Recv::Data(all) = io.recv_for(source, GENEROUS).await? {
                        got.extend_from_slice(&all);
                    }
                }
            }
            Self::Halves => {
                let (send, mut recv) = io.into_split();
                (stdout, stderr) = events(&mut recv).await?;
                io = ProcessIo::unsplit(send, recv).expect("halves of one child");
            }
        }
        let left = Left {
            status: io.wait().await?,
            stdout,
            stderr,
        };
        Ok((left, io))
    }
}

/// What a child left, whichever way it was read.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

/// All events of a stream, which must end with one exit.
async fn events(
    mut stream: impl Stream<Item = Result<Event>> + Unpin,
) -> Result<(Vec<u8>, Vec<u8>)> {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    loop {
        match stream.next().await.expect("the exit before the end")? {
            Event::Stdout(piece) => stdout.extend_from_slice(&piece),
            Event::Stderr(piece) => stderr.extend_from_slice(&piece),
            Event::Exit(_) => break,
            _ => {}
        }
    }
    assert!(stream.next().await.is_none(), "the exit is the last item");
    Ok((stdout, stderr))
}
