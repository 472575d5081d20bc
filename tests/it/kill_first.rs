//! A child that is dropped is killed before its stdin is closed: it never takes what it has got so far for all of its input.
#![cfg(target_os = "linux")] // `/proc` tells who is still there.

use std::{future::pending, path::Path, pin::Pin, time::Duration};

use futures::{StreamExt, poll, stream};
use process_io::{Command, Input, ProcessIOWrapper, ProcessIo, RecvHalf, SendHalf, Source};
use tokio::{io::AsyncReadExt, runtime::Runtime, time::timeout};
use tokio_util::codec::LinesCodec;

use crate::support::{
    child, eventually, exists,
    life::{assert_gone, runtimes},
    sh, within,
};

/// More by hand: of what happens once in a hundred times a few would tell nothing.
fn rounds() -> usize {
    let rounds = std::env::var("PROCESS_IO_TEST_ROUNDS");
    rounds.map_or(25, |rounds| rounds.parse().expect("a number"))
}

/// What a child does when it has seen the end of its input, and must never do here.
#[derive(Debug, Clone, Copy)]
enum Acts {
    /// A shell runs the last line also if its newline is missing.
    OnAnUnfinishedLine,
    AtTheEnd,
}

impl Acts {
    const BOTH: [Self; 2] = [Self::OnAnUnfinishedLine, Self::AtTheEnd];

    fn command(self, file: &Path) -> Command {
        match self {
            Self::OnAnUnfinishedLine => Command::new("sh"),
            Self::AtTheEnd => sh(&format!(
                "read -r line; echo ready; cat >/dev/null; : > {}",
                file.display()
            )),
        }
    }

    /// What it is sent first: it says that it is there.
    const FIRST: &str = "echo ready\n";

    /// And then.
    fn then(self, file: &Path) -> String {
        match self {
            Self::OnAnUnfinishedLine => format!(": > {}", file.display()),
            Self::AtTheEnd => "half a li".to_owned(),
        }
    }

    /// One that is in the middle of its input.
    async fn start(self, file: &Path, piped: bool) -> ProcessIo {
        let run = ProcessIo::builder(self.command(file));
        let mut io = match piped {
            true => run.pipe(Command::new("cat")).spawn().unwrap(),
            false => run.spawn().unwrap(),
        };
        within(io.send(Self::FIRST)).await.unwrap();
        let said = within(io.recv(Source::Stdout))
            .await
            .unwrap()
            .data()
            .unwrap();
        assert_eq!(said, "ready\n");
        within(io.send(self.then(file))).await.unwrap();
        io
    }
}

type Dropped = Pin<Box<dyn Future<Output = ()>>>;

/// Drops the handle in some way.
type Way = fn(ProcessIo) -> Dropped;

const WAYS: [(&str, Way); 17] = [
    ("handle", |io| Box::pin(async move { drop(io) })),
    ("boxed", |io| {
        Box::pin(async move { drop(Box::new(Some(io)) as Box<dyn Send>) })
    }),
    ("recv", |mut io| {
        Box::pin(async move { drop(poll!(Box::pin(io.recv(Source::Stdout)))) })
    }),
    ("wait", |mut io| {
        Box::pin(async move { drop(poll!(Box::pin(io.wait()))) })
    }),
    ("wrapper", |io| {
        Box::pin(async move { drop(ProcessIOWrapper::from(io)) })
    }),
    ("wrapper that is read", |io| {
        Box::pin(async move {
            let mut file = ProcessIOWrapper::from(io);
            assert!(poll!(Box::pin(file.read_u8())).is_pending());
        })
    }),
    ("framed", |io| {
        Box::pin(async move {
            let mut framed = io.framed(LinesCodec::new());
            assert!(poll!(framed.next()).is_pending());
        })
    }),
    ("into_lines", |io| {
        Box::pin(async move {
            let mut lines = io.into_lines();
            assert!(poll!(lines.next()).is_pending());
        })
    }),
    ("copy_to", |mut io| {
        Box::pin(async move {
            let mut copy = Box::pin(async move {
                let mut sink = tokio::io::sink();
                drop(io.copy_to(Source::Stdout, &mut sink).await);
            });
            assert!(poll!(&mut copy).is_pending());
        })
    }),
    ("exchange in a time-out", |mut io| {
        Box::pin(async move {
            let asked = async move { drop(io.expect("never").await) };
            assert!(timeout(Duration::from_millis(1), asked).await.is_err());
        })
    }),
    ("halves, the receiving one first", |io| {
        Box::pin(async move {
            let (send, recv) = io.into_split();
            drop(recv);
            drop(send);
        })
    }),
    ("halves, the sending one first", |io| {
        Box::pin(async move {
            let (send, recv) = io.into_split();
            drop(send);
            drop(recv);
        })
    }),
    ("halves in one value", |io| {
        Box::pin(async move { drop(io.into_split()) })
    }),
    ("halves in a time-out", |io| {
        Box::pin(async move {
            let (mut send, mut recv) = io.into_split();
            let both = async move {
                let feed = async move {
                    pending::<()>().await;
                    drop(send.send("more").await);
                };
                tokio::join!(feed, recv.recv(Source::Stdout))
            };
            assert!(timeout(Duration::from_millis(1), both).await.is_err());
        })
    }),
    ("halves of one pattern", |io| {
        Box::pin(async move {
            let (_send, _recv) = io.into_split();
        })
    }),
    ("halves that were put together again", |io| {
        Box::pin(async move {
            let (send, recv): (SendHalf, RecvHalf) = io.into_split();
            drop(ProcessIo::unsplit(send, recv).unwrap());
        })
    }),
    ("panic", |io| {
        Box::pin(async move {
            let task = tokio::spawn(async move {
                let _io = io;
                tokio::task::yield_now().await;
                // Without a message.
                std::panic::resume_unwind(Box::new(()));
            });
            assert!(task.await.unwrap_err().is_panic());
        })
    }),
];

/// No file is made by any of the children, all of which are dropped.
fn assert_none_acts(begin: impl AsyncFn(Acts, &Path, usize) -> Option<u32>) {
    for runtime in runtimes() {
        for acts in Acts::BOTH {
            assert_none_acts_in(&runtime, acts, &begin);
        }
    }
}

fn assert_none_acts_in(
    runtime: &Runtime,
    acts: Acts,
    begin: &impl AsyncFn(Acts, &Path, usize) -> Option<u32>,
) {
    let folder = tempfile::tempdir().unwrap();
    let pids: Vec<u32> = runtime.block_on(async {
        let mut pids = Vec::new();
        for round in 0..rounds() {
            let file = folder.path().join(round.to_string());
            pids.extend(begin(acts, &file, round).await);
        }
        pids
    });
    pids.into_iter().for_each(assert_gone);
    let files = std::fs::read_dir(folder.path()).unwrap();
    // Those that say that a child is ready have an extension.
    let made = files.filter(|file| file.as_ref().unwrap().path().extension().is_none());
    let made = made.count();
    assert_eq!(made, 0, "{acts:?} of {} in {runtime:?}", rounds());
}

#[test]
fn by_any_way() {
    for (name, way) in WAYS {
        println!("{name}");
        assert_none_acts(async |acts, file, _| {
            let io = acts.start(file, false).await;
            let pid = io.id();
            way(io).await;
            pid
        });
    }
}

/// The stages are reaped together.
#[test]
fn a_pipeline() {
    for (name, way) in [WAYS[0], WAYS[7], WAYS[10]] {
        println!("{name}");
        assert_none_acts(async |acts, file, _| {
            let io = acts.start(file, true).await;
            let pid = io.id();
            way(io).await;
            pid
        });
    }
}

#[test]
fn by_a_thread_without_a_runtime() {
    assert_none_acts(async |acts, file, _| {
        let io = acts.start(file, false).await;
        let pid = io.id();
        std::thread::spawn(move || drop(io)).join().unwrap();
        pid
    });
}

/// While a source that is not at its end is fed, by a run that has been polled, until it has come so far.
#[test]
fn a_run_that_is_fed() {
    assert_none_acts(async |acts, file, round| {
        let ready = file.with_extension("ready");
        let first = match acts {
            Acts::OnAnUnfinishedLine => format!("echo $$ > {}\n", ready.display()),
            Acts::AtTheEnd => "a line\n".to_owned(),
        };
        let command = match acts {
            Acts::OnAnUnfinishedLine => acts.command(file),
            Acts::AtTheEnd => sh(&format!(
                "read -r line; echo $$ > {}; cat >/dev/null; : > {}",
                ready.display(),
                file.display()
            )),
        };
        let pieces = stream::iter([first, acts.then(file)]).chain(stream::once(pending()));
        let run = ProcessIo::builder(command).input(Input::stream(pieces));
        let told = || std::fs::read_to_string(&ready).is_ok_and(|pid| pid.ends_with('\n'));
        if round % 2 == 0 {
            let mut run = run.into_future();
            tokio::select! {
                output = &mut run => panic!("{output:?}"),
                () = eventually("it is fed", told) => {}
            }
            drop(run);
        } else {
            // It may come so far, or not.
            let time = Duration::from_millis(round as u64 % 20);
            assert!(timeout(time, run).await.is_err());
        }
        let pid = std::fs::read_to_string(&ready).ok();
        pid.and_then(|pid| pid.trim().parse().ok())
    });
}

/// A half that is dropped while the other one lives closes its side and no more.
#[tokio::test]
async fn a_half_alone_still_closes_stdin() {
    for _ in 0..10 {
        let mut io = ProcessIo::spawn(child(&["sink"])).unwrap();
        within(io.send("12345")).await.unwrap();
        let (send, mut recv) = io.into_split();
        drop(send);
        let said = within(recv.recv(Source::Stdout))
            .await
            .unwrap()
            .data()
            .unwrap();
        assert!(said.starts_with(b"5 "), "{said:?}");
        assert!(within(recv.wait()).await.unwrap().success());
    }
}

/// Nor does it kill.
#[tokio::test]
async fn a_half_alone_still_sends() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("written");
    let io = ProcessIo::spawn(sh(&format!("read -r line; : > {}; cat", file.display()))).unwrap();
    let (mut send, recv) = io.into_split();
    let pid = recv.control().id().unwrap();
    drop(recv);
    within(send.send("line\n")).await.unwrap();
    eventually("it has got it", || file.exists()).await;
    assert!(send.control().try_wait().unwrap().is_none());
    drop(send);
    eventually("it is reaped", || !exists(pid)).await;
}

/// What the child is to have is what it has when it may go on.
#[tokio::test]
async fn who_is_left_still_sees_the_end() {
    let folder = tempfile::tempdir().unwrap();
    for (round, detach) in [false, true].into_iter().cycle().take(20).enumerate() {
        let file = folder.path().join(round.to_string());
        let run = ProcessIo::builder(Acts::OnAnUnfinishedLine.command(&file));
        let mut io = run.kill_on_drop(false).spawn().unwrap();
        within(io.send(Acts::OnAnUnfinishedLine.then(&file)))
            .await
            .unwrap();
        match detach {
            true => drop(io.detach()),
            false => drop(io),
        }
        eventually("it acts", || file.exists()).await;
    }
}
