//! Pipelines: stages connected in the kernel, as one `ProcessIo`.

use std::fs;

use futures::TryStreamExt;
use process_io::{Command, Event, Limits, Overflow, ProcessIo, Recv, Redirect, Source, Stage};

#[cfg(unix)]
use crate::support::sh;
use crate::support::{assert_bytes, child, child_line, pattern, within};

#[cfg(any(target_os = "linux", windows))] // There it can be told whether a process lives.
mod life;
mod options;
mod stages;

/// The helper child doing one thing after the other.
fn steps(steps: &[&str]) -> Command {
    child(&[&["do"], steps].concat())
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
    let mut io = ProcessIo::builder(child(&["cat"]))
        .pipe(child(&["prompt"]))
        .spawn()
        .unwrap();
    for word in ["one", "two"] {
        within(io.send_line(word)).await.unwrap();
        let line = within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
        assert_eq!(line.to_str().unwrap(), format!("> you said: {word}"));
    }
    io.close_stdin();
    assert!(within(io.wait()).await.unwrap().success());
}

#[tokio::test]
async fn it_fails_with_the_first_stage_that_fails_and_names_it() {
    let run = ProcessIo::builder(steps(&["out", "a"]))
        .pipe(steps(&["drain", "err", "why", "exit", "3"]))
        .pipe(steps(&["copy", "err", "last", "exit", "4"]));
    let output = within(run).await.unwrap();
    let codes: Vec<_> = output
        .stages
        .iter()
        .map(|stage| stage.status.unwrap().code())
        .collect();
    assert_eq!(codes, [Some(0), Some(3), Some(4)]);
    assert_eq!(output.stages[1].stderr, "why");
    assert_eq!(output.stderr, "last");
    let error = output.check().unwrap_err();
    assert_eq!(error.status().unwrap().code(), Some(3));
    assert_eq!(error.stderr_tail(), b"why");
    assert!(error.stage().unwrap().ends_with("exit 3"));
    let command = error.command().unwrap();
    let [first, second, _] = command.split(" | ").collect::<Vec<_>>()[..] else {
        panic!("{command}")
    };
    assert!(first.ends_with(&child_line("do out a")), "{command}");
    assert_eq!(error.stage(), Some(second));
}

#[cfg(unix)] // A signal is what tells that nobody read any more.
#[tokio::test]
async fn a_stage_whose_reader_is_done_did_not_fail() {
    let run = ProcessIo::builder(Command::new("yes")).pipe(steps(&["take", "2"]));
    let output = within(run).await.unwrap().check().unwrap();
    assert_eq!(output.stdout, "2\n");
    assert!(!output.stages[0].status.unwrap().success());
}

/// Without a signal the stage says itself how it takes that.
#[tokio::test]
async fn a_stage_whose_reader_is_done_learns_it() {
    let run = ProcessIo::builder(child(&["flood"])).pipe(steps(&["take", "2"]));
    let output = within(run).await.unwrap();
    assert_eq!(output.stdout, "2\n");
    let codes = output.stages.iter().map(|stage| stage.status.unwrap());
    let codes: Vec<_> = codes.map(|status| status.code()).collect();
    assert_eq!(codes, [Some(32), Some(0)]);
    let error = output.check().unwrap_err();
    assert!(error.stage().unwrap().ends_with(" flood"), "{error}");
}

#[cfg(unix)] // A signal is the excuse.
#[tokio::test]
async fn the_last_stage_has_no_such_excuse() {
    let run = ProcessIo::builder(sh("echo a")).pipe(sh("cat >/dev/null; kill -PIPE $$"));
    let error = within(run).await.unwrap().check().unwrap_err();
    assert!(error.to_string().contains("killed by SIGPIPE"), "{error}");
}

#[tokio::test]
async fn events_tell_their_stage_and_each_stage_its_exit() {
    let mut io = ProcessIo::builder(steps(&["err", "zero", "out", "x"]))
        .pipe(steps(&["copy", "err", "one", "exit", "1"]))
        .pipe(steps(&["copy", "err", "two", "exit", "0"]))
        .spawn()
        .unwrap();
    let all: Vec<_> = within(io.stage_events().try_collect::<Vec<_>>())
        .await
        .unwrap();
    let (exits, said): (Vec<_>, Vec<_>) = (all.into_iter())
        .filter(|(_, event)| !matches!(event, Event::Eof(_)))
        .partition(|(_, event)| matches!(event, Event::Exit(_)));
    for (stage, text) in ["zero", "one", "two"].into_iter().enumerate() {
        assert!(
            said.contains(&(stage, Event::Stderr(text.into()))),
            "{said:?}"
        );
    }
    assert!(said.contains(&(2, Event::Stdout("x".into()))), "{said:?}");
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
    let mut io = ProcessIo::spawn(steps(&["out", "x", "exit", "0"])).unwrap();
    let all: Vec<_> = within(io.stage_events().try_collect::<Vec<_>>())
        .await
        .unwrap();
    assert_eq!(all[0], (0, Event::Stdout("x".into())));
    assert!(matches!(all[3], (0, Event::Exit(status)) if status.success()));
    assert!(
        all[1..3].contains(&(0, Event::Eof(Source::Stdout))),
        "{all:?}"
    );
    assert!(
        all[1..3].contains(&(0, Event::Eof(Source::Stderr))),
        "{all:?}"
    );
    assert_eq!(all.len(), 4);
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
    assert_eq!(within(io.recv(Source::Stdout)).await.unwrap(), Recv::Eof);
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

/// No more than a pipe holds, so that the stage exits; what it said is not read to the end.
#[tokio::test]
async fn what_is_held_back_of_a_stage_is_an_error() {
    let limits = Limits::default().stderr(1000, Overflow::Block);
    let run = ProcessIo::builder(child(&["write", "err", "5000"])).limits(limits);
    let error = within(run.pipe(child(&["cat"]))).await.unwrap_err();
    assert!(error.is_limit(), "{error}");
    let stages = error.into_output().unwrap().stages;
    assert_eq!(stages[0].stderr.len(), 1001);
}

#[tokio::test]
async fn stderr_of_a_stage_can_go_elsewhere() {
    let run = ProcessIo::builder(steps(&["err", "a\n", "out", "b\n"]))
        .merge_stderr()
        .pipe(Stage::new(steps(&["copy", "err", "c\n", "out", "d\n"])).merge_stderr())
        .pipe(Stage::new(steps(&["copy", "err", "gone"])).stderr(Redirect::Null));
    let output = within(run).await.unwrap();
    assert_eq!(output.stdout, "a\nb\nc\nd\n");
    assert!(output.stages.iter().all(|stage| stage.stderr.is_empty()));
}

#[tokio::test]
async fn both_ends_can_be_files() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    fs::write(&from, "b\na\n").unwrap();
    let run = ProcessIo::builder(steps(&["copy", "out", "c\n"]))
        .stdin(fs::File::open(&from).unwrap())
        .stdout(fs::File::create(&to).unwrap())
        .pipe(steps(&["copy", "out", "d\n"]));
    within(run).await.unwrap().check().unwrap();
    assert_eq!(fs::read_to_string(&to).unwrap(), "b\na\nc\nd\n");
}

#[tokio::test]
async fn secrets_of_every_stage_are_hidden() {
    let run = ProcessIo::builder(steps(&["exit", "1", "alpha"]))
        .secret("alpha")
        .pipe(Stage::new(steps(&["copy", "exit", "0", "beta"])).secret("beta"));
    assert!(!format!("{run:?}").contains("alpha") && !format!("{run:?}").contains("beta"));
    let output = within(run).await.unwrap();
    let shown = format!("{output:?} {}", output.clone().check().unwrap_err());
    assert!(
        !shown.contains("alpha") && !shown.contains("beta"),
        "{shown}"
    );
}
