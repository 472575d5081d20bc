//! `expect` holds a dialog: it waits for a prompt, takes what came before it, and loses nothing when it fails.

use std::time::Duration;

use futures::FutureExt;
use process_io::{
    Command, Eof, ErrorKind, Limits, Needle, Overflow, ProcessIo, ReadSource, Recv, Source,
    transport::memory::{self, Child},
};
use tokio::io::AsyncWriteExt;

use crate::support::{GENEROUS, assert_bytes, child, pattern, within};

fn start() -> (ProcessIo, Child) {
    let (parts, child) = memory::child();
    (ProcessIo::from_parts(parts), child)
}

async fn say(child: &mut Child, text: &str) {
    child.stdout.write_all(text.as_bytes()).await.unwrap();
}

/// Starts a real program; outside CI it may be missing.
fn program(name: &str, args: &[&str]) -> Option<ProcessIo> {
    let mut command = Command::new(name);
    command.args(args);
    match ProcessIo::spawn(command) {
        Err(error)
            if error.kind() == ErrorKind::ProgramNotFound && std::env::var_os("CI").is_none() =>
        {
            eprintln!("skipped: there is no {name} here");
            None
        }
        spawned => Some(spawned.unwrap()),
    }
}

#[tokio::test]
async fn a_dialog() {
    let mut io = ProcessIo::spawn(child(&["prompt"])).unwrap();
    let found = within(io.expect("> ")).await.unwrap();
    assert_eq!(
        (&found.before[..], &found.matched[..]),
        (&b""[..], &b"> "[..])
    );
    for i in 0..200 {
        within(io.send_line(format!("turn {i}"))).await.unwrap();
        let found = within(io.expect("> ")).await.unwrap();
        assert_eq!(found.before, format!("you said: turn {i}\n"));
        assert_eq!(found.matched, "> ");
        assert_eq!((found.index, found.captures), (0, Vec::new()));
    }
    within(io.send_line("quit")).await.unwrap();
    let found = within(io.expect(Eof)).await.unwrap();
    assert_eq!((found.before, found.matched), ("".into(), "".into()));
    assert!(within(io.wait()).await.unwrap().success());
}

#[tokio::test]
async fn what_comes_after_the_match_stays() {
    let (mut io, mut child) = start();
    say(&mut child, "one, two, three").await;
    assert_eq!(within(io.expect(", ")).await.unwrap().before, "one");
    assert_eq!(within(io.expect(b", ")).await.unwrap().before, "two");
    let rest = within(io.recv(Source::Stdout))
        .await
        .unwrap()
        .data()
        .unwrap();
    assert_eq!(rest, "three");
}

#[tokio::test]
async fn lines_and_prompts_take_turns() {
    let (mut io, mut child) = start();
    say(&mut child, "banner\nname: ").await;
    let line = within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
    assert_eq!(line.as_bytes(), b"banner");
    assert!(io.recv_line(Source::Stdout).now_or_never().is_none());
    assert_eq!(within(io.expect("name: ")).await.unwrap().before, "");
    say(&mut child, "hello\nagain\n> ").await;
    let line = within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
    assert_eq!(line.as_bytes(), b"hello");
    assert_eq!(within(io.expect("> ")).await.unwrap().before, "again\n");
}

#[tokio::test]
async fn a_match_may_come_in_two_reads() {
    let (mut io, mut child) = start();
    say(&mut child, "text pass").await;
    assert!(io.expect("password: ").now_or_never().is_none());
    say(&mut child, "word: ").await;
    assert_eq!(
        within(io.expect("password: ")).await.unwrap().before,
        "text "
    );
}

#[tokio::test(start_paused = true)]
async fn a_time_out_keeps_everything() {
    let (mut io, mut child) = start();
    say(&mut child, "thinking").await;
    let second = Duration::from_secs(1);
    for needle in ["> ", "other"] {
        let error = io.expect_timeout(needle, second).await.unwrap_err();
        assert!(error.is_timeout(), "{error}");
    }
    assert_eq!(io.pending(Source::Stdout), b"thinking");
    say(&mut child, "... done> ").await;
    let found = io.expect_timeout("> ", second).await.unwrap();
    assert_eq!(found.before, "thinking... done");
}

#[tokio::test]
async fn dropped_half_way_it_keeps_everything() {
    let (mut io, mut child) = start();
    for piece in ["a", "b", "c"] {
        say(&mut child, piece).await;
        assert!(io.expect("> ").now_or_never().is_none());
    }
    say(&mut child, "> ").await;
    assert_eq!(within(io.expect("> ")).await.unwrap().before, "abc");
}

#[tokio::test]
async fn from_stderr_it_leaves_stdout_alone() {
    let (mut io, mut child) = start();
    say(&mut child, "> is not it").await;
    child.stderr.write_all(b"warning> ").await.unwrap();
    let found = within(io.expect_from(ReadSource::Stderr, "> ", GENEROUS)).await;
    assert_eq!(found.unwrap().before, "warning");
    let found = within(io.expect_from(ReadSource::Stdout, "not", GENEROUS)).await;
    assert_eq!(found.unwrap().before, "> is ");
}

#[tokio::test]
async fn from_both_a_match_may_come_from_either() {
    let (mut io, mut child) = start();
    let both = ReadSource::Both;
    child.stderr.write_all(b"password: ").await.unwrap();
    let found = within(io.expect_from(both, "password: ", GENEROUS)).await;
    assert_eq!(found.unwrap().before, "");
    say(&mut child, "welcome\n> ").await;
    let found = within(io.expect_from(both, "> ", GENEROUS)).await;
    assert_eq!(found.unwrap().before, "welcome\n");
    child.stdout.shutdown().await.unwrap();
    child.stderr.write_all(b"bye").await.unwrap();
    child.exit(0);
    let found = within(io.expect_from(both, Eof, GENEROUS)).await.unwrap();
    assert_eq!(found.before, "bye");
}

#[tokio::test]
async fn of_a_set_the_first_to_be_complete_wins() {
    let (mut io, mut child) = start();
    say(&mut child, "retry? denied granted").await;
    let answers = ["granted", "denied"];
    let found = within(io.expect(answers)).await.unwrap();
    assert_eq!((found.index, &found.matched[..]), (1, &b"denied"[..]));
    let found = within(io.expect(&answers)).await.unwrap();
    assert_eq!((found.index, &found.before[..]), (0, &b" "[..]));
}

#[tokio::test]
async fn the_end_may_be_one_of_a_set() {
    let mut io = ProcessIo::spawn(child(&["lines", "2", "3"])).unwrap();
    let needles: [Box<dyn Needle>; 2] = [Box::new("\n"), Box::new(Eof)];
    for expected in ["0 x", "1 x"] {
        let found = within(io.expect(&needles)).await.unwrap();
        assert_eq!((found.index, found.before), (0, expected.into()));
    }
    let found = within(io.expect(&needles)).await.unwrap();
    assert_eq!((found.index, found.before), (1, "".into()));
}

#[tokio::test]
async fn at_the_end_the_error_tells_all() {
    let steps = ["do", "out", "login: ", "err", "no such user\n", "exit", "3"];
    let mut io = ProcessIo::spawn(child(&steps)).unwrap();
    let error = within(io.expect("password: ")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Eof, "{error}");
    assert_eq!(error.status().unwrap().code(), Some(3));
    assert_eq!(error.stderr_tail(), b"no such user\n");
    assert!(error.to_string().contains("no such user"), "{error}");
    let output = error.into_output().unwrap();
    assert_eq!(output.stdout, "login: ");
    assert_eq!(output.stderr, "no such user\n");
    let error = within(io.expect("password: ")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Eof, "{error}");
}

#[tokio::test]
async fn at_the_limit_everything_stays() {
    let mut io = ProcessIo::builder(child(&["flood"]))
        .limits(Limits::default().stdout(300_000, Overflow::Fail))
        .spawn()
        .unwrap();
    for _ in 0..2 {
        let error = within(io.expect("no such text")).await.unwrap_err();
        assert!(error.is_limit(), "{error}");
    }
    let mut kept = Vec::new();
    while kept.len() < 300_000 {
        match io.recv_nowait(Source::Stdout).unwrap() {
            Recv::Data(piece) => kept.extend_from_slice(&piece),
            other => panic!("{other:?} behind {} bytes", kept.len()),
        }
    }
    assert_bytes(&kept, pattern(kept.len()));
}

#[tokio::test]
async fn whatever_the_limit_says_a_prompt_within_it_is_found() {
    for overflow in [
        Overflow::Block,
        Overflow::Fail,
        Overflow::KeepHead,
        Overflow::KeepTail,
        Overflow::KeepBoth,
    ] {
        let (mut io, mut child) = start();
        io.set_limits(Limits::default().stdout(1_000_000, overflow));
        let speaker = tokio::spawn(async move {
            child.stdout.write_all(&pattern(900_000)).await.unwrap();
            child.stdout.write_all(b"ready> ").await.unwrap();
            child
        });
        let found = within(io.expect("ready> ")).await.unwrap();
        assert_bytes(found.before, pattern(900_000));
        drop(within(speaker).await.unwrap());
    }
}

#[tokio::test]
async fn a_prompt_behind_25_megabytes() {
    let steps = ["do", "write", "out", "25000000", "prompt"];
    let mut io = ProcessIo::spawn(child(&steps)).unwrap();
    within(io.send_line("x")).await.unwrap();
    let found = within(io.expect("> you said: x\n> ")).await.unwrap();
    assert_bytes(found.before, pattern(25_000_000));
    within(io.send_line("y")).await.unwrap();
    let found = within(io.expect("> ")).await.unwrap();
    assert_eq!(found.before, "you said: y\n");
}

#[cfg(feature = "regex")]
mod regex {
    use ::regex::bytes::Regex;

    use super::*;

    fn regex(pattern: &str) -> Regex {
        Regex::new(pattern).unwrap()
    }

    #[tokio::test]
    async fn groups_are_captured() {
        let (mut io, mut child) = start();
        say(&mut child, "this is version 12.3\nrest").await;
        let version = regex(r"version (?P<major>\d+)\.(\d+)(-rc)?\n");
        let found = within(io.expect(&version)).await.unwrap();
        assert_eq!(found.before, "this is ");
        assert_eq!(found.matched, "version 12.3\n");
        assert_eq!(
            found.captures,
            [
                Some("version 12.3\n".into()),
                Some("12".into()),
                Some("3".into()),
                None
            ]
        );
        assert_eq!(io.pending(Source::Stdout), b"rest");
    }

    /// The rule that is documented: what may come next is not waited for.
    #[tokio::test]
    async fn it_matches_as_soon_as_it_can() {
        let (mut io, mut child) = start();
        say(&mut child, "123 456\n").await;
        for expected in ["1", "2"] {
            let found = within(io.expect(regex(r"\d+"))).await.unwrap();
            assert_eq!(found.matched, expected);
        }
        let found = within(io.expect(regex(r"\d+\n"))).await.unwrap();
        assert_eq!((found.before, found.matched), ("3 ".into(), "456\n".into()));
    }

    #[tokio::test]
    async fn behind_much_output_it_is_found() {
        let mut io = ProcessIo::spawn(child(&["lines", "50000", "60"])).unwrap();
        let found = within(io.expect(regex(r"\n(49999) x+\n"))).await.unwrap();
        assert_eq!(found.before.len(), 49_999 * 61 - 1);
        assert_eq!(found.captures[1].as_deref(), Some(&b"49999"[..]));
    }
}

#[cfg(unix)] // There it is at home.
#[tokio::test]
async fn bc_calculates() {
    let Some(mut io) = program("bc", &["-q"]) else {
        return;
    };
    within(io.send_line("2^100")).await.unwrap();
    let found = within(io.expect("\n")).await.unwrap();
    assert_eq!(found.before, "1267650600228229401496703205376");
    for i in 0..100 {
        within(io.send_line(format!("{i} * 3"))).await.unwrap();
        let found = within(io.expect("\n")).await.unwrap();
        assert_eq!(found.before, (i * 3).to_string());
    }
    within(io.send_line("quit")).await.unwrap();
    assert!(within(io.wait()).await.unwrap().success());
}

/// Its prompt is on stderr and its answers are on stdout.
#[cfg(unix)] // There a line ends with a newline.
#[tokio::test]
async fn python_answers() {
    let Some(mut io) = program("python3", &["-i", "-q", "-u"]) else {
        return;
    };
    let prompt = ReadSource::Stderr;
    within(io.expect_from(prompt, ">>> ", GENEROUS))
        .await
        .unwrap();
    within(io.send_line("6 * 7")).await.unwrap();
    assert_eq!(within(io.expect("\n")).await.unwrap().before, "42");
    within(io.expect_from(prompt, ">>> ", GENEROUS))
        .await
        .unwrap();
    within(io.send_line("1 / 0")).await.unwrap();
    let found = within(io.expect_from(prompt, ">>> ", GENEROUS)).await;
    let before = found.unwrap().before;
    assert!(
        before.ends_with(b"ZeroDivisionError: division by zero\n"),
        "{before:?}"
    );
    within(io.send_line("exit(5)")).await.unwrap();
    let error = within(io.expect("more")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Eof, "{error}");
    assert_eq!(error.status().unwrap().code(), Some(5));
}
