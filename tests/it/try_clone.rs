//! A builder that knows its command can be cloned, and run again.

use std::{
    io::{Read, Seek, Write},
    time::Duration,
};

use process_io::{
    Builder, CancellationToken, Drain, Input, Ladder, Limits, Output, ProcessIo, Redirect, Result,
};

use crate::support::{child, within};

const CHILD: &str = env!("CARGO_BIN_EXE_child");

fn twice(builder: Builder) -> [Builder; 2] {
    let again = builder.try_clone().unwrap();
    [builder, again]
}

async fn both(builder: Builder) -> [Result<Output>; 2] {
    let [first, second] = twice(builder);
    [within(first).await, within(second).await]
}

async fn both_say(builder: Builder, text: &str) {
    for output in both(builder).await {
        assert_eq!(output.unwrap().check().unwrap().stdout_lossy(), text);
    }
}

#[tokio::test]
async fn all_that_is_set_is_set_in_both() {
    let options = |run: Builder| {
        run.limits(Limits::default())
            .drain(Drain::UntilEof)
            .process_group(false)
            .kill_on_drop(false)
            .kill_leftovers(true)
            .die_with_parent(true)
            .inherit_signals(true)
            .creation_flags(1)
            .retry_busy(false)
            .pipe_capacity(1)
            .secret("word")
            .timeout(Duration::from_secs(1))
            .deadline(std::time::Instant::now())
            .inactivity_timeout(Duration::from_secs(2))
            .ladder(Ladder::default())
            .stdin(Redirect::Null)
            .stdout(Redirect::Inherit)
            .input("bytes")
    };
    // Without the points in time.
    let shown = |run: &Builder| {
        let text = format!("{run:?}");
        let instants = |part: &str| !part.contains("Instant") && !part.contains("tv_");
        text.split(',')
            .filter(|part| instants(part))
            .collect::<String>()
    };
    for run in [
        options(ProcessIo::command(CHILD).args(["say", "word"])),
        options(ProcessIo::command(CHILD)).merge_stderr(),
        options(ProcessIo::shell("exit")).merge_stdout(),
    ] {
        let [first, second] = twice(run);
        assert_eq!(shown(&first), shown(&second));
    }
}

#[tokio::test]
async fn arguments_and_input() {
    let run = ProcessIo::command(CHILD).args(["args", "a b", "", "c"]);
    both_say(run, "\"a b\"\n\"\"\n\"c\"\n").await;
    both_say(
        ProcessIo::command(CHILD).arg("echo").input("words"),
        "words",
    )
    .await;
}

#[tokio::test]
async fn environment_and_directory() {
    let tells = |name| ProcessIo::command(CHILD).args(["tell-env", name]);
    both_say(tells("MARK").env("MARK", "1"), "1\n").await;
    for output in both(tells("PATH").env_remove("PATH")).await {
        assert!(!output.unwrap().success());
    }
    #[cfg(unix)] // Windows has variables that a program cannot start without.
    {
        for output in both(tells("PATH").env_clear().env("MARK", "1")).await {
            assert!(!output.unwrap().success());
        }
        both_say(
            tells("MARK").env("MARK", "0").env_clear().env("MARK", "1"),
            "1\n",
        )
        .await;
    }
    let directory = tempfile::tempdir().unwrap();
    let run = ProcessIo::command(CHILD).arg("cwd").current_dir(&directory);
    for output in both(run).await {
        let output = output.unwrap().check().unwrap();
        let path = std::path::PathBuf::from(output.stdout_lossy().trim_end());
        assert_eq!(
            path.canonicalize().unwrap(),
            directory.path().canonicalize().unwrap()
        );
    }
}

#[tokio::test]
async fn a_script_and_its_arguments() {
    let (script, text) = match cfg!(windows) {
        true => ("echo \"a b\"&exit 0", "\"a b\"\r\n"),
        false => ("echo 'a b'; echo $1", "a b\n$HOME\n"),
    };
    let run = ProcessIo::shell(script);
    let run = match cfg!(windows) {
        true => run,
        false => run.args(["sh", "$HOME"]),
    };
    both_say(run, text).await;
}

#[tokio::test]
async fn a_clone_has_its_own_time_and_the_same_token() {
    let sleeps = || ProcessIo::command(CHILD).arg("sleep");
    for output in both(sleeps().timeout(Duration::from_millis(50))).await {
        assert!(output.unwrap_err().is_timeout());
    }
    let token = CancellationToken::new();
    let [first, second] = twice(sleeps().cancel_on(token.clone()));
    let (first, second, ()) =
        within(async { tokio::join!(first, second, async { token.cancel() }) }).await;
    assert!(first.unwrap_err().is_cancelled());
    assert!(second.unwrap_err().is_cancelled());
}

#[tokio::test]
async fn descriptors_share_a_position() {
    let mut out = tempfile::tempfile().unwrap();
    out.write_all(b"both: ").unwrap();
    let says = ProcessIo::command(CHILD).args(["do", "out", "x", "err", "y"]);
    both_say(says.stdout(out.try_clone().unwrap()).merge_stderr(), "").await;
    out.rewind().unwrap();
    let mut text = String::new();
    out.read_to_string(&mut text).unwrap();
    assert_eq!(text, "both: xyxy");
}

#[tokio::test]
async fn what_is_not_known_cannot_be_cloned() {
    assert!(ProcessIo::builder(child(&["echo"])).try_clone().is_none());
    let echo = || ProcessIo::command(CHILD).arg("echo");
    let reader = echo().input(Input::reader(&b"words"[..]));
    assert!(reader.try_clone().is_none());
    let words = futures::stream::iter(["words"]);
    assert!(echo().input(Input::stream(words)).try_clone().is_none());
    // It is the same builder as before.
    assert_eq!(within(reader).await.unwrap().stdout, "words");
}
