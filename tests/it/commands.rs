//! A child described in one expression: its program, arguments, environment and directory.

use std::path::PathBuf;

#[cfg(unix)]
use process_io::Signal;
use process_io::{Builder, ProcessIo};

use crate::support::within;

const CHILD: &str = env!("CARGO_BIN_EXE_child");

#[tokio::test]
async fn arguments_reach_the_child_as_they_stand() {
    let run = ProcessIo::command(CHILD)
        .arg("args")
        .arg("a b")
        .args(["", "$HOME", "*"]);
    let output = within(run).await.unwrap().check().unwrap();
    assert_eq!(output.stdout, "\"a b\"\n\"\"\n\"$HOME\"\n\"*\"\n");
}

#[tokio::test]
async fn the_environment() {
    const NAMES: [&str; 3] = ["MARK_A", "MARK_B", "MARK_C"];
    /// What the child has by these names.
    async fn values(builder: impl Fn() -> Builder) -> [Option<String>; 3] {
        let mut values = [const { None }; 3];
        for (name, value) in NAMES.into_iter().zip(&mut values) {
            let output = within(builder().args(["tell-env", name])).await.unwrap();
            let text = String::from_utf8_lossy(&output.stdout)
                .trim_end()
                .to_owned();
            *value = output.success().then_some(text);
        }
        values
    }
    let of = |values: [Option<&str>; 3]| values.map(|value| value.map(str::to_owned));
    let child = || ProcessIo::command(CHILD);
    let some = || child().env("MARK_A", "1").envs([("MARK_B", "2")]);
    assert_eq!(values(child).await, of([None; 3]));
    assert_eq!(values(some).await, of([Some("1"), Some("2"), None]));
    let less = || some().env_remove("MARK_A");
    assert_eq!(values(less).await, of([None, Some("2"), None]));
    #[cfg(unix)] // Windows has variables that a program cannot start without.
    {
        let cleared = || some().env_clear().env("MARK_C", "");
        assert_eq!(values(cleared).await, of([None, None, Some("")]));
    }
}

#[tokio::test]
async fn the_directory() {
    let folder = tempfile::tempdir().unwrap();
    let run = ProcessIo::command(CHILD)
        .arg("cwd")
        .current_dir(folder.path());
    let output = within(run).await.unwrap().check().unwrap();
    let said = PathBuf::from(
        String::from_utf8(output.stdout.to_vec())
            .unwrap()
            .trim_end(),
    );
    assert_eq!(
        said.canonicalize().unwrap(),
        folder.path().canonicalize().unwrap()
    );
}

#[tokio::test]
async fn a_shell_runs_a_script() {
    let output = within(ProcessIo::shell("echo one&& echo two&& exit 3"))
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    assert_eq!((output.code(), &*text), (Some(3), "one\ntwo\n"));
}

#[cfg(windows)]
#[tokio::test]
async fn what_a_script_quotes_stays_quoted() {
    let script = format!("\"{CHILD}\" args \"a b\" c");
    let output = within(ProcessIo::shell(script)).await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    assert_eq!(text, "\"a b\"\n\"c\"\n");
}

#[cfg(unix)]
#[tokio::test]
async fn arguments_of_a_script() {
    let run = ProcessIo::shell("echo \"$0 $2\"").args(["zero", "one", "; exit 1"]);
    let output = within(run).await.unwrap().check().unwrap();
    assert_eq!(output.stdout, "zero ; exit 1\n");
}

#[cfg(unix)]
#[tokio::test]
async fn a_handle_signals_its_child() {
    type Act = fn(&ProcessIo) -> process_io::Result<()>;
    let acts: [(Act, Signal); 3] = [
        (ProcessIo::terminate, Signal::TERM),
        (ProcessIo::kill, Signal::KILL),
        (|io| io.signal(Signal::INT), Signal::INT),
    ];
    for (act, signal) in acts {
        let mut io = ProcessIo::command(CHILD).arg("sleep").spawn().unwrap();
        assert_eq!(io.try_wait().unwrap(), None);
        act(&io).unwrap();
        let status = within(io.wait()).await.unwrap();
        assert_eq!(
            std::os::unix::process::ExitStatusExt::signal(&status),
            Some(signal.as_raw())
        );
        assert_eq!(io.try_wait().unwrap(), Some(status));
        // Nobody is there to get it.
        act(&io).unwrap();
    }
}
