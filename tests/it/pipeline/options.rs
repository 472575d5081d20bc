//! What can be set for a pipeline as a whole, after its stages.

use std::{
    fs,
    io::ErrorKind,
    time::{Duration, Instant},
};

use process_io::{
    CancellationToken, Drain, Input, Ladder, Limits, OnDrop, Overflow, Pipeline, ProcessIo,
    Redirect, Signal, Stage, Step,
};

use super::steps;
use crate::support::{GENEROUS, child, within};

const SHORT: Duration = Duration::from_millis(100);

/// Two stages that end with their input.
fn cats() -> Pipeline {
    ProcessIo::builder(child(&["cat"])).pipe(child(&["cat"]))
}

/// Two stages that do not end.
fn sleeps() -> Pipeline {
    ProcessIo::builder(child(&["sleep"])).pipe(child(&["sleep"]))
}

#[tokio::test]
async fn each_has_its_effect() {
    let output = within(cats().input("x")).await.unwrap();
    assert_eq!(output.stdout, "x");
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    fs::write(&from, "from a file").unwrap();
    let run = cats()
        .stdin(fs::File::open(&from).unwrap())
        .stdout(fs::File::create(&to).unwrap());
    within(run).await.unwrap().check().unwrap();
    assert_eq!(fs::read_to_string(to).unwrap(), "from a file");

    let limits = Limits::default().stdout(2, Overflow::KeepHead);
    let output = within(cats().input("abcd").limits(limits)).await.unwrap();
    assert_eq!((&output.stdout[..], output.stdout_omitted), (&b"ab"[..], 2));

    let run = steps(&["copy", "exit", "1", "alpha"]);
    let run = ProcessIo::builder(run)
        .pipe(child(&["cat"]))
        .secret("alpha");
    assert!(!format!("{run:?}").contains("alpha"));
    let error = within(run).await.unwrap().check().unwrap_err();
    assert!(!error.to_string().contains("alpha"), "{error}");
}

#[tokio::test]
async fn time_runs_out_for_all_stages() {
    for run in [
        sleeps().timeout(SHORT),
        sleeps().deadline(Instant::now() + SHORT),
        sleeps().inactivity_timeout(SHORT),
    ] {
        let error = within(run).await.unwrap_err();
        assert!(error.is_timeout(), "{error}");
        assert_eq!(error.output().unwrap().stages.len(), 2);
    }
    let error = within(sleeps().timeout(Duration::ZERO).start()).await;
    assert!(error.unwrap_err().is_timeout());
}

#[tokio::test]
async fn a_cancellation_goes_by_the_ladder() {
    let token = CancellationToken::new();
    let run = cats()
        .cancel_on(token.clone())
        .ladder(
            Ladder::new()
                .close_stdin(GENEROUS)
                .signal(Signal::TERM, GENEROUS),
        )
        .drain(Drain::Immediate);
    let mut io = run.spawn().unwrap();
    token.cancel();
    let error = within(io.wait()).await.unwrap_err();
    assert!(error.is_cancelled(), "{error}");
    assert_eq!(error.report().unwrap().ended_by(), Some(Step::CloseStdin));
}

#[tokio::test]
async fn who_is_let_go_lives_on() {
    for run in [
        sleeps().on_drop(OnDrop::Leave),
        sleeps().kill_on_drop(false),
    ] {
        let io = run.kill_leftovers(false).spawn().unwrap();
        let (control, stages) = (io.control(), io.stage_controls());
        drop(io);
        assert!(
            stages
                .iter()
                .all(|stage| stage.try_wait().unwrap().is_none())
        );
        control.kill_tree().unwrap();
        within(control.wait()).await.unwrap();
    }
}

#[tokio::test]
async fn the_others_are_passed_on() {
    let run = cats()
        .process_group(false)
        .inherit_signals(true)
        .creation_flags(0)
        .retry_busy(false)
        .pipe_capacity(4096)
        .input(Input::try_stream(futures::stream::iter([Ok::<
            _,
            std::io::Error,
        >("x")])));
    assert_eq!(within(run).await.unwrap().stdout, "x");
    // What cannot be combined tells that it has been passed on.
    let error = cats().process_group(false).die_with_parent(true).spawn();
    assert_eq!(
        error.unwrap_err().kind(),
        process_io::ErrorKind::Unsupported
    );
}

#[cfg(unix)]
mod shared {
    use super::*;
    use crate::support::sh;

    /// Says what each stage finds of `$X` and `$Y`, and where.
    fn tell(run: impl Fn(Pipeline) -> Pipeline) -> impl Future<Output = Vec<String>> {
        let script = "echo \"$X $Y $PWD\" >&2; cat";
        let mut own = sh(script);
        own.env("X", "own").current_dir("/");
        let first = Stage::new(sh(script));
        let stages = [
            first,
            own.into(),
            Stage::new(sh(script)).stderr(Redirect::Pipe),
        ];
        let run = run(Pipeline::from_stages(stages).unwrap());
        async {
            let output = within(run).await.unwrap().check().unwrap();
            let stages = output.stages.iter();
            stages
                .map(|stage| String::from_utf8(stage.stderr.to_vec()).unwrap())
                .collect()
        }
    }

    #[tokio::test]
    async fn directory_and_environment_are_those_of_all_stages_that_have_none() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        let here = dir.display();
        let told = tell(|run| run.current_dir(&dir).env("X", "1").envs([("Y", "2")])).await;
        let elsewhere = format!("1 2 {here}\n");
        assert_eq!(told, [elsewhere.clone(), "own 2 /\n".into(), elsewhere]);
        let told = tell(|run| {
            run.current_dir(&dir)
                .env("X", "1")
                .env("Y", "2")
                .env_remove("Y")
        })
        .await;
        assert_eq!(
            told,
            [
                format!("1  {here}\n"),
                "own  /\n".into(),
                format!("1  {here}\n")
            ]
        );
    }

    /// Those that are added later too.
    #[tokio::test]
    async fn an_empty_environment_is_that_of_all_stages() {
        let empty = "env | grep -v -e ^PWD= -e ^SHLVL= -e ^_= -e ^X= >&2; cat";
        let run = ProcessIo::builder(sh(empty)).pipe(sh(empty));
        let run = run
            .env("Y", "2")
            .env_clear()
            .env("X", "1")
            .pipe(sh("cat; echo \"$X\""));
        let output = within(run).await.unwrap().check().unwrap();
        assert_eq!(output.stdout, "1\n");
        for stage in &output.stages {
            assert_eq!(stage.stderr, "");
        }
    }
}

#[tokio::test]
async fn a_directory_that_does_not_exist_is_told_of_the_first_stage() {
    let error = cats()
        .current_dir("/no/such/directory")
        .spawn()
        .unwrap_err();
    assert_eq!(error.kind(), process_io::ErrorKind::DirectoryNotFound);
    assert!(error.stage().unwrap().ends_with(" cat"), "{error}");
    assert_eq!(std::io::Error::from(error).kind(), ErrorKind::NotFound);
}
