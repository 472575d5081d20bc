//! Pipelines: stages connected in the kernel, as one `ProcessIo`.
#![cfg(unix)]

use std::{fs, time::Duration};

use futures::TryStreamExt;
use process_io::{
    Command, Event, Ladder, Limits, Overflow, ProcessIo, Redirect, Signal, Source, Stage, Step,
};
use tokio::time::Instant;

use crate::support::{GENEROUS, assert_bytes, child, pattern, sh, within};

const SHORT: Duration = Duration::from_millis(300);

/// The process ids in lines such as `pid 17`.
fn pids(text: &[u8]) -> Vec<u32> {
    String::from_utf8_lossy(text)
        .lines()
        .map(|line| line.strip_prefix("pid ").unwrap().parse().unwrap())
        .collect()
}

#[tokio::test]
async fn the_input_goes_through_all_stages() {
    let data = pattern(3_000_000);
    let run = ProcessIo::builder(child(&["cat"]))
        .input(data.clone())
        .pipe(child(&["cat"]))
        .pipe(child(&["cat"]));
    let output = within(run).await.unwrap().check().unwrap();
    assert_bytes(&output.stdout, &data);
    assert_eq!(output.stdin_written, data.len() as u64);
    assert_eq!(output.stages.len(), 3);
    for stage in &output.stages {
        assert!(stage.status.unwrap().success());
        assert!(stage.command.ends_with(" cat"), "{}", stage.command);
        assert!(output.usage.unwrap().user >= stage.usage.unwrap().user);
    }
}

#[tokio::test]
async fn a_conversation_goes_through_all_stages() {
    let mut io = ProcessIo::builder(Command::new("cat"))
        .pipe(sh("while read x; do echo \"<$x>\"; done"))
        .spawn()
        .unwrap();
    for word in ["one", "two"] {
        within(io.send_line(word)).await.unwrap();
        let line = within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
        assert_eq!(line.to_str().unwrap(), format!("<{word}>"));
    }
    io.close_stdin();
    assert!(within(io.wait()).await.unwrap().success());
}

#[tokio::test]
async fn it_fails_with_the_first_stage_that_fails_and_names_it() {
    let run = ProcessIo::builder(sh("echo a"))
        .pipe(sh("cat >/dev/null; echo why >&2; exit 3"))
        .pipe(sh("cat; echo last >&2; exit 4"));
    let output = within(run).await.unwrap();
    let codes: Vec<_> = output
        .stages
        .iter()
        .map(|stage| stage.status.unwrap().code())
        .collect();
    assert_eq!(codes, [Some(0), Some(3), Some(4)]);
    assert_eq!(output.stages[1].stderr, "why\n");
    assert_eq!(output.stderr, "last\n");
    let error = output.check().unwrap_err();
    assert_eq!(error.status().unwrap().code(), Some(3));
    assert_eq!(error.stderr_tail(), b"why\n");
    assert!(error.stage().unwrap().contains("exit 3"));
    assert!(
        error
            .command()
            .unwrap()
            .starts_with("sh -c 'echo a' | sh -c ")
    );
}

#[tokio::test]
async fn a_stage_whose_reader_is_done_did_not_fail() {
    let run = ProcessIo::builder(Command::new("yes")).pipe(sh("head -1"));
    let output = within(run).await.unwrap().check().unwrap();
    assert_eq!(output.stdout, "y\n");
    assert!(!output.stages[0].status.unwrap().success());
}

#[tokio::test]
async fn the_last_stage_has_no_such_excuse() {
    let run = ProcessIo::builder(sh("echo a")).pipe(sh("cat >/dev/null; kill -PIPE $$"));
    let error = within(run).await.unwrap().check().unwrap_err();
    assert!(error.to_string().contains("killed by SIGPIPE"), "{error}");
}

#[tokio::test]
async fn events_tell_their_stage_and_each_stage_its_exit() {
    let mut io = ProcessIo::builder(sh("echo zero >&2; echo x"))
        .pipe(sh("cat; echo one >&2; exit 1"))
        .pipe(sh("cat; echo two >&2"))
        .spawn()
        .unwrap();
    let all: Vec<_> = within(io.stage_events().try_collect::<Vec<_>>())
        .await
        .unwrap();
    let (exits, said): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|(_, event)| matches!(event, Event::Exit(_)));
    for (stage, text) in ["zero\n", "one\n", "two\n"].into_iter().enumerate() {
        assert!(
            said.contains(&(stage, Event::Stderr(text.into()))),
            "{said:?}"
        );
    }
    assert!(said.contains(&(2, Event::Stdout("x\n".into()))), "{said:?}");
    assert_eq!(said.len(), 4);
    let codes: Vec<_> = (exits.iter())
        .map(|(stage, event)| match event {
            Event::Exit(status) => (*stage, status.code()),
            _ => unreachable!(),
        })
        .collect();
    assert_eq!(codes, [(0, Some(0)), (1, Some(1)), (2, Some(0))]);
    assert_eq!(within(io.stage_events().try_next()).await.unwrap(), None);
}

#[tokio::test]
async fn a_single_child_is_stage_0() {
    let mut io = ProcessIo::spawn(sh("echo x")).unwrap();
    let all: Vec<_> = within(io.stage_events().try_collect::<Vec<_>>())
        .await
        .unwrap();
    assert_eq!(all[0], (0, Event::Stdout("x\n".into())));
    assert!(matches!(all[1], (0, Event::Exit(status)) if status.success()));
    assert_eq!(all.len(), 2);
}

/// A stage whose stderr nobody reads would fill its pipe and stop.
#[tokio::test]
async fn the_stderr_of_every_stage_is_read_whatever_is_awaited() {
    let noisy = || child(&["write", "err", "500000"]);
    let run = || ProcessIo::builder(noisy()).pipe(noisy()).pipe(noisy());
    let mut io = run().spawn().unwrap();
    assert!(within(io.wait()).await.unwrap().success());
    let output = within(io.output()).await.unwrap();
    for stage in &output.stages {
        assert_bytes(&stage.stderr, pattern(500_000));
    }
    let mut io = run().spawn().unwrap();
    assert_eq!(within(io.recv(Source::Stdout)).await.unwrap(), None);
    let mut io = run().spawn().unwrap();
    let mut bytes = [0; 3];
    while let Some((stage, event)) = within(io.stage_events().try_next()).await.unwrap() {
        if let Event::Stderr(piece) = event {
            bytes[stage] += piece.len();
        }
    }
    assert_eq!(bytes, [500_000; 3]);
}

#[tokio::test]
async fn limits_hold_for_the_stderr_of_each_stage() {
    let noisy = || child(&["write", "err", "500000"]);
    let run = |overflow| {
        ProcessIo::builder(noisy())
            .limits(Limits::default().stderr(1000, overflow))
            .pipe(noisy())
    };
    let output = within(run(Overflow::KeepTail)).await.unwrap();
    for stage in &output.stages {
        assert_bytes(&stage.stderr, &pattern(500_000)[499_000..]);
        assert_eq!(stage.stderr_omitted, 499_000);
    }
    assert!(within(run(Overflow::Fail)).await.unwrap_err().is_limit());
}

#[tokio::test]
async fn stderr_of_a_stage_can_go_elsewhere() {
    let run = ProcessIo::builder(sh("echo a >&2; echo b"))
        .merge_stderr()
        .pipe(Stage::new(sh("cat; echo c >&2; echo d")).merge_stderr())
        .pipe(Stage::new(sh("cat; echo gone >&2")).stderr(Redirect::Null));
    let output = within(run).await.unwrap();
    assert_eq!(output.stdout, "a\nb\nc\nd\n");
    assert!(output.stages.iter().all(|stage| stage.stderr.is_empty()));
}

#[tokio::test]
async fn both_ends_can_be_files() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    fs::write(&from, "b\na\n").unwrap();
    let run = ProcessIo::builder(Command::new("sort"))
        .stdin(fs::File::open(&from).unwrap())
        .stdout(fs::File::create(&to).unwrap())
        .pipe(sh("tr a-z A-Z"));
    within(run).await.unwrap().check().unwrap();
    assert_eq!(fs::read_to_string(&to).unwrap(), "A\nB\n");
}

#[tokio::test]
async fn secrets_of_every_stage_are_hidden() {
    let run = ProcessIo::builder(sh("exit 1 # alpha"))
        .secret("alpha")
        .pipe(Stage::new(sh("cat # beta")).secret("beta"));
    assert!(!format!("{run:?}").contains("alpha") && !format!("{run:?}").contains("beta"));
    let output = within(run).await.unwrap();
    let shown = format!("{output:?} {}", output.clone().check().unwrap_err());
    assert!(
        !shown.contains("alpha") && !shown.contains("beta"),
        "{shown}"
    );
}

#[cfg(target_os = "linux")]
mod life {
    use super::*;
    use crate::support::{eventually, exists, is_alive};

    const ANNOUNCE: &str = "echo pid $$ >&2; (trap '' TERM; sleep 60; true) & wait";

    #[tokio::test]
    async fn a_stage_that_cannot_start_takes_the_others_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        let stays = format!("echo $$ >{}; sleep 60; true", file.display());
        let start = Instant::now();
        let run = ProcessIo::builder(sh(&stays))
            .pipe(Command::new("/no/such"))
            .pipe(sh("cat"));
        let error = within(run).await.unwrap_err();
        assert!(error.is_not_found(), "{error}");
        assert_eq!(error.stage(), Some("/no/such"));
        assert!(start.elapsed() < GENEROUS / 2);
        // It may have been killed before it could tell.
        if let Some(pid) = fs::read_to_string(&file)
            .ok()
            .and_then(|pid| pid.trim().parse().ok())
        {
            eventually("the first stage is reaped", || !exists(pid)).await;
        }
    }

    #[tokio::test]
    async fn a_time_out_ends_all_stages_and_what_they_started() {
        let run = ProcessIo::builder(sh(ANNOUNCE))
            .timeout(SHORT)
            .pipe(sh(ANNOUNCE))
            .pipe(sh(ANNOUNCE));
        let error = within(run).await.unwrap_err();
        assert!(error.is_timeout(), "{error}");
        let output = error.into_output().unwrap();
        for stage in &output.stages {
            let [pid] = pids(&stage.stderr)[..] else {
                panic!("{stage:?}")
            };
            eventually("the stage is gone", || !exists(pid)).await;
            // Of the group only what its new parent has not reaped yet.
            eventually("the group is gone", || !group_lives(pid)).await;
        }
    }

    /// Whether any process is in the group.
    fn group_lives(group: u32) -> bool {
        let group = rustix::process::Pid::from_raw(group as i32).unwrap();
        rustix::process::test_kill_process_group(group).is_ok()
    }

    #[tokio::test]
    async fn drop_and_shutdown_concern_all_stages() {
        let spawn = || {
            ProcessIo::builder(sh(ANNOUNCE))
                .merge_stderr()
                .pipe(Stage::new(sh("cat; sleep 60; true")))
                .spawn()
                .unwrap()
        };
        let mut io = spawn();
        let line = within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
        let [pid] = pids(line.as_bytes())[..] else {
            panic!("{line:?}")
        };
        assert!(is_alive(pid) && group_lives(pid));
        drop(io);
        eventually("the group is gone", || !group_lives(pid)).await;

        let mut io = spawn();
        let line = within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
        let [pid] = pids(line.as_bytes())[..] else {
            panic!("{line:?}")
        };
        let ladder = Ladder::new().signal(Signal::TERM, GENEROUS);
        let report = within(io.shutdown(ladder)).await.unwrap();
        assert_eq!(report.ended_by(), Some(Step::Signal(Signal::TERM)));
        eventually("the group is gone", || !group_lives(pid)).await;
    }

    #[tokio::test]
    async fn a_stage_that_leaves_the_group_is_killed_too() {
        let mut leaver = Command::new("setsid");
        leaver.args(["sh", "-c", "echo pid $$; sleep 60; true"]);
        let mut io = ProcessIo::builder(sh("sleep 60; true"))
            .pipe(leaver)
            .spawn()
            .unwrap();
        let line = within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
        let [pid] = pids(line.as_bytes())[..] else {
            panic!("{line:?}")
        };
        drop(io);
        eventually("the stage is gone", || !exists(pid)).await;
    }

    /// The first stage, whose id is that of the group, has been reaped by then.
    #[tokio::test]
    async fn a_pipeline_that_was_let_go_can_still_be_killed() {
        let mut io = ProcessIo::builder(sh("exit"))
            .pipe(sh("echo pid $$; sleep 300 & echo pid $!; wait"))
            .pipe(child(&["cat"]))
            .spawn()
            .unwrap();
        let first = io.id().unwrap();
        let mut alive = Vec::new();
        for _ in 0..2 {
            let line = within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
            alive.extend(pids(line.as_bytes()));
        }
        let control = io.detach();
        eventually("the first stage is reaped", || !exists(first)).await;
        assert!(alive.iter().all(|pid| is_alive(*pid)));
        control.kill_tree().unwrap();
        eventually("all are gone", || !alive.iter().any(|pid| exists(*pid))).await;
    }
}
