//! Real programs are talked to over many turns: each has its own way to prompt, to buffer and to fail.
#![cfg(unix)] // There these programs are at home.

use std::{collections::BTreeMap, env, path::Path};

use futures::TryStreamExt;
use process_io::{Command, ErrorKind, Found, Needle, ProcessIo, ReadSource, Recv, Result, Source};

use crate::support::{GENEROUS, assert_bytes, pattern, within};

/// A program which speaks English, and to a terminal that can do nothing.
fn program(name: &str, args: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(args).env("LC_ALL", "C").env("TERM", "dumb");
    command
}

/// What was started; outside CI the program may be missing.
fn if_there<T>(started: Result<T>) -> Option<T> {
    match started {
        Err(error) if error.kind() == ErrorKind::ProgramNotFound && env::var_os("CI").is_none() => {
            eprintln!("skipped: {error}");
            None
        }
        started => Some(started.unwrap()),
    }
}

/// What comes before the next `needle` on one stream or both.
async fn before(io: &mut ProcessIo, from: ReadSource, needle: impl Needle) -> String {
    let found = within(io.expect_from(from, needle, GENEROUS))
        .await
        .unwrap();
    String::from_utf8(found.before.into()).unwrap()
}

async fn next_line(io: &mut ProcessIo, source: Source) -> Option<String> {
    let line = within(io.recv_line(source)).await.unwrap()?;
    Some(line.to_str().unwrap().to_owned())
}

/// The exit code of a child which has been told to go, and says no more.
async fn code(io: &mut ProcessIo) -> Option<i32> {
    let output = within(io.output()).await.unwrap();
    assert_eq!(output.stdout_lossy(), "");
    assert_eq!(output.stderr_lossy(), "");
    output.code()
}

mod sqlite {
    use super::*;

    /// Without prompt and echo. It writes out its answers before it reads the next line.
    const BATCH: &[&str] = &["-batch", "-init", "/dev/null"];

    /// Everything up to a mark that it is told to print.
    async fn ask(io: &mut ProcessIo, question: &str) -> String {
        within(io.send_line(format!("{question}\n.print --end--")))
            .await
            .unwrap();
        before(io, ReadSource::Stdout, "--end--\n").await
    }

    #[tokio::test]
    async fn as_a_coprocess_it_remembers_what_it_was_told() {
        let Some(mut io) = if_there(ProcessIo::spawn(program("sqlite3", BATCH))) else {
            return;
        };
        assert_eq!(
            ask(&mut io, "create table t (n integer, s text);").await,
            ""
        );
        for n in 0..200 {
            let question = format!(
                "insert into t values ({n}, 'it''s {n}');
                 select count(*), sum(n) from t;
                 select s from t where n = {n};"
            );
            let expected = format!("{}|{}\nit's {n}\n", n + 1, n * (n + 1) / 2);
            assert_eq!(ask(&mut io, &question).await, expected);
        }
        within(io.send_line(".exit")).await.unwrap();
        assert_eq!(code(&mut io).await, Some(0));
    }

    #[tokio::test]
    async fn megabytes_go_in_and_come_out_between_two_questions() {
        let Some(mut io) = if_there(ProcessIo::spawn(program("sqlite3", BATCH))) else {
            return;
        };
        let text = "0123456789".repeat(100);
        let mut script = String::from("create table t (s text);\nbegin;\n");
        for _ in 0..2000 {
            script += &format!("insert into t values ('{text}');\n");
        }
        let sum = "commit; select count(*), sum(length(s)) from t;";
        assert_eq!(ask(&mut io, &(script + sum)).await, "2000|2000000\n");
        let all = ask(&mut io, "select s from t;").await;
        assert_bytes(all, format!("{text}\n").repeat(2000));

        let count = "with recursive c(n) as (select 0 union all select n + 1 from c)
                     select n, 'row ' || n from c limit 100000;";
        within(io.send_line(format!("{count}\n.print --end--")))
            .await
            .unwrap();
        let mut lines = io.stdout_lines();
        for n in 0..100_000 {
            let line = within(lines.try_next()).await.unwrap().unwrap();
            assert_eq!(line.to_str().unwrap(), format!("{n}|row {n}"));
        }
        let end = within(lines.try_next()).await.unwrap().unwrap();
        assert_eq!(end.to_str().unwrap(), "--end--");
        assert_eq!(ask(&mut io, "select 1;").await, "1\n");
        io.close_stdin();
        assert_eq!(code(&mut io).await, Some(0));
    }

    /// Some builds echo what they read and some do not.
    #[tokio::test]
    async fn its_prompt_tells_a_whole_question_from_the_half_of_one() {
        let args = ["-interactive", "-init", "/dev/null"];
        let Some(mut io) = if_there(ProcessIo::spawn(program("sqlite3", &args))) else {
            return;
        };
        let prompts = ["sqlite> ", "   ...> "];
        let banner = before(&mut io, ReadSource::Stdout, prompts[0]).await;
        assert!(banner.starts_with("SQLite version 3."), "{banner}");
        for n in 0..50 {
            within(io.send_line(format!("select {n} + 1,")))
                .await
                .unwrap();
            let half = within(io.expect(prompts)).await.unwrap();
            assert_eq!(half.index, 1, "{half:?}");
            within(io.send_line(format!("'{n}';"))).await.unwrap();
            let whole = within(io.expect(prompts)).await.unwrap();
            assert_eq!(whole.index, 0, "{whole:?}");
            let answer = format!("{}|{n}\n", n + 1);
            assert!(whole.before.ends_with(answer.as_bytes()), "{whole:?}");
        }
        within(io.send_line(".exit 3")).await.unwrap();
        let error = within(io.expect(prompts)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Eof, "{error}");
        assert_eq!(error.status().unwrap().code(), Some(3));
    }

    #[tokio::test]
    async fn an_error_is_on_stderr_and_the_next_answer_on_stdout() {
        let Some(mut io) = if_there(ProcessIo::spawn(program("sqlite3", BATCH))) else {
            return;
        };
        for n in 0..20 {
            assert_eq!(ask(&mut io, "selec 1;").await, "");
            let error = before(&mut io, ReadSource::Stderr, "syntax error").await;
            assert!(error.ends_with(r#"near "selec": "#), "{error}");
            assert_eq!(ask(&mut io, "select * from nowhere;").await, "");
            before(&mut io, ReadSource::Stderr, "no such table: nowhere").await;
            let answer = ask(&mut io, &format!("select {n};")).await;
            assert_eq!(answer, format!("{n}\n"));
        }
        within(io.send_line("selec 2;\n.exit 3")).await.unwrap();
        let error = within(io.expect("more")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Eof, "{error}");
        assert_eq!(error.status().unwrap().code(), Some(3));
        let said = String::from_utf8_lossy(error.stderr_tail());
        assert!(said.contains("syntax error"), "{said}");
    }

    #[tokio::test]
    async fn merged_an_error_stands_between_the_answers() {
        let merged = ProcessIo::builder(program("sqlite3", BATCH)).merge_stderr();
        let Some(mut io) = if_there(merged.spawn()) else {
            return;
        };
        for _ in 0..20 {
            let answers = ask(&mut io, "select 'one';\nselec 2;\nselect 'three';").await;
            let rest = answers.strip_prefix("one\n").unwrap();
            let error = rest.strip_suffix("three\n").unwrap();
            assert!(error.contains(r#"near "selec": syntax error"#), "{error}");
        }
    }

    #[tokio::test]
    async fn a_script_that_fails_is_an_error_with_what_it_said() {
        let args = [BATCH, &["-bail"]].concat();
        let run = ProcessIo::builder(program("sqlite3", &args))
            .input("select 1;\nselec 2;\nselect 3;\n")
            .spawn();
        let Some(io) = if_there(run) else {
            return;
        };
        let error = within(io).await.unwrap().check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Failed, "{error}");
        assert_eq!(error.status().unwrap().code(), Some(1));
        assert!(error.to_string().contains("syntax error"), "{error}");
        assert_eq!(error.into_output().unwrap().stdout, "1\n");
    }
}

mod bc {
    use super::*;

    /// It breaks a long number in lines, of which all but the last end with a backslash.
    async fn number(io: &mut ProcessIo) -> String {
        let mut digits = String::new();
        loop {
            digits += &next_line(io, Source::Stdout).await.unwrap();
            match digits.pop().unwrap() {
                '\\' => {}
                last => return digits + &last.to_string(),
            }
        }
    }

    #[tokio::test]
    async fn after_an_error_it_still_knows_what_it_was_told() {
        let Some(mut io) = if_there(ProcessIo::spawn(program("bc", &["-lq"]))) else {
            return;
        };
        let define = "define f(n) {\nif (n < 2) return 1;\nreturn n * f(n - 1); }";
        within(io.send_line(define)).await.unwrap();
        let stderr = ReadSource::Stderr;
        for n in 1..=20 {
            within(io.send_line("1 / 0")).await.unwrap();
            before(&mut io, stderr, "ivide by").await;
            before(&mut io, stderr, "\n").await;
            within(io.send_line(format!("x += f({n}) / f({n} - 1); x")))
                .await
                .unwrap();
            let expected = format!("{}.{}", n * (n + 1) / 2, "0".repeat(20));
            assert_eq!(number(&mut io).await, expected);
            within(io.send_line("10^300 - 1")).await.unwrap();
            assert_eq!(number(&mut io).await, "9".repeat(300));
        }
        within(io.send_line("quit")).await.unwrap();
        assert_eq!(next_line(&mut io, Source::Stdout).await, None);
        assert!(within(io.wait()).await.unwrap().success());
    }
}

mod python {
    use super::*;

    const ARGS: &[&str] = &["-I", "-X", "utf8", "-u"];

    /// It prompts on stderr.
    async fn prompt(io: &mut ProcessIo, expected: &str) -> String {
        let needles = [">>> ", "... "];
        let found = within(io.expect_from(ReadSource::Stderr, needles, GENEROUS));
        let found = found.await.unwrap();
        assert_eq!(found.matched, expected.to_owned(), "{found:?}");
        String::from_utf8(found.before.into()).unwrap()
    }

    /// What is on stdout at this moment.
    fn there(io: &mut ProcessIo) -> String {
        let mut all = Vec::new();
        while let Recv::Data(piece) = io.recv_nowait(Source::Stdout).unwrap() {
            all.extend_from_slice(&piece);
        }
        String::from_utf8(all).unwrap()
    }

    #[tokio::test]
    async fn once_it_prompts_its_answer_is_there_without_waiting() {
        let args = [ARGS, &["-i", "-q"]].concat();
        let Some(mut io) = if_there(ProcessIo::spawn(program("python3", &args))) else {
            return;
        };
        assert_eq!(prompt(&mut io, ">>> ").await, "");
        within(io.send_line("total = 0")).await.unwrap();
        assert_eq!(prompt(&mut io, ">>> ").await, "");
        for n in 0..50 {
            for line in [&format!("for i in range({n}):"), "    total += i"] {
                within(io.send_line(line)).await.unwrap();
                assert_eq!(prompt(&mut io, "... ").await, "");
                assert_eq!(there(&mut io), "");
            }
            within(io.send_line("")).await.unwrap();
            assert_eq!(prompt(&mut io, ">>> ").await, "");
            within(io.send_line("print('ä', total); total"))
                .await
                .unwrap();
            assert_eq!(prompt(&mut io, ">>> ").await, "");
            let total: u64 = (0..=n).map(|n: u64| n * n.saturating_sub(1) / 2).sum();
            assert_eq!(there(&mut io), format!("ä {total}\n{total}\n"));
        }
    }

    #[tokio::test]
    async fn what_it_raises_is_told_and_what_ends_it_is_in_the_error() {
        let args = [ARGS, &["-i", "-q"]].concat();
        let Some(mut io) = if_there(ProcessIo::spawn(program("python3", &args))) else {
            return;
        };
        assert_eq!(prompt(&mut io, ">>> ").await, "");
        for _ in 0..20 {
            for (line, expected) in [
                ("raise ValueError('ä')", "\nValueError: ä\n"),
                ("{}['key']", "\nKeyError: 'key'\n"),
                ("1 +", "\nSyntaxError: invalid syntax\n"),
            ] {
                within(io.send_line(line)).await.unwrap();
                let said = prompt(&mut io, ">>> ").await;
                assert!(said.ends_with(expected), "{said}");
                assert_eq!(there(&mut io), "");
            }
        }
        within(io.send_line("print('bye'); raise SystemExit('gone wrong')"))
            .await
            .unwrap();
        let error = within(io.expect(">>> ")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Eof, "{error}");
        assert_eq!(error.status().unwrap().code(), Some(1));
        assert_eq!(error.stderr_tail(), b"gone wrong\n");
        assert_eq!(error.into_output().unwrap().stdout, "bye\n");
    }

    #[tokio::test]
    async fn a_script_that_raises_is_an_error_with_its_traceback() {
        let run = ProcessIo::builder(program("python3", ARGS))
            .input("print('before')\nraise KeyError('key')\nprint('after')\n")
            .spawn();
        let Some(io) = if_there(run) else {
            return;
        };
        let error = within(io).await.unwrap().check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Failed, "{error}");
        assert_eq!(error.status().unwrap().code(), Some(1));
        let said = String::from_utf8_lossy(error.stderr_tail());
        assert!(said.starts_with("Traceback"), "{said}");
        assert!(said.ends_with("\nKeyError: 'key'\n"), "{said}");
        assert_eq!(error.into_output().unwrap().stdout, "before\n");
    }
}

mod git {
    use super::*;

    /// For the repository in `folder`, whoever runs this and wherever.
    fn git(folder: &Path, args: &[&str]) -> Command {
        let mut git = program("git", args);
        git.env("GIT_DIR", folder)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1");
        git
    }

    /// A repository of objects, and their names.
    async fn objects(folder: &Path, objects: &[Vec<u8>]) -> Option<Vec<String>> {
        let init = if_there(ProcessIo::spawn(git(folder, &["init", "-q", "--bare"])))?;
        within(init).await.unwrap().check().unwrap();
        let mut names = Vec::new();
        for object in objects {
            let hash = git(folder, &["hash-object", "-w", "--stdin"]);
            let hash = ProcessIo::builder(hash).input(object.clone());
            let name = within(hash).await.unwrap().check().unwrap();
            names.push(name.stdout_lossy().trim_end().to_owned());
        }
        Some(names)
    }

    /// Lines, ends of lines and what looks like an answer, all in the data.
    fn awkward() -> Vec<Vec<u8>> {
        let mut all: Vec<Vec<u8>> = ["", "\n", "\r\n\r", "a missing\n", "\0\n\0"]
            .map(Vec::from)
            .into();
        all.extend([4095, 4096, 65_536, 1_000_000].map(pattern));
        all
    }

    #[tokio::test]
    async fn of_an_answer_the_head_is_a_line_and_the_rest_are_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let data = awkward();
        let Some(names) = objects(folder.path(), &data).await else {
            return;
        };
        let cat = git(folder.path(), &["cat-file", "--batch"]);
        let mut io = ProcessIo::spawn(cat).unwrap();
        for _ in 0..3 {
            for (name, data) in names.iter().zip(&data) {
                within(io.send_line(name)).await.unwrap();
                let head = next_line(&mut io, Source::Stdout).await.unwrap();
                assert_eq!(head, format!("{name} blob {}", data.len()));
                let mut rest = Vec::new();
                while rest.len() <= data.len() {
                    let piece = within(io.recv(Source::Stdout)).await.unwrap();
                    rest.extend_from_slice(&piece.data().expect("more of it"));
                }
                assert_eq!(rest.pop(), Some(b'\n'));
                assert_bytes(rest, data);
            }
            within(io.send_line("no such object")).await.unwrap();
            let head = next_line(&mut io, Source::Stdout).await.unwrap();
            assert_eq!(head, "no such object missing");
        }
        io.close_stdin();
        assert_eq!(code(&mut io).await, Some(0));
    }

    /// A needle of one's own: so many bytes.
    struct Count(usize);

    impl Needle for Count {
        fn find(&self, output: &[u8], _: usize) -> Option<Found> {
            (output.len() >= self.0).then(|| Found::new(0, self.0))
        }
    }

    #[tokio::test]
    async fn many_requests_in_flight_are_answered_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let data = awkward();
        let Some(names) = objects(folder.path(), &data).await else {
            return;
        };
        let cat = git(folder.path(), &["cat-file", "--batch"]);
        let mut io = ProcessIo::spawn(cat).unwrap();
        // Each side writes far more than a pipe holds before the other is done.
        let requests = (names.join("\n") + "\nnone\n").repeat(20);
        let more = "none\n".repeat(20_000);
        within(io.send(requests + &more)).await.unwrap();
        io.close_stdin();
        for _ in 0..20 {
            for (name, data) in names.iter().zip(&data) {
                let head = next_line(&mut io, Source::Stdout).await.unwrap();
                assert_eq!(head, format!("{name} blob {}", data.len()));
                let found = within(io.expect(Count(data.len() + 1))).await.unwrap();
                assert_bytes(&found.matched[..data.len()], data);
            }
            let head = next_line(&mut io, Source::Stdout).await.unwrap();
            assert_eq!(head, "none missing");
        }
        let rest = within(io).await.unwrap().check().unwrap();
        assert_bytes(rest.stdout, "none missing\n".repeat(20_000));
    }

    #[tokio::test]
    async fn outside_of_a_repository_the_error_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let cat = git(&folder.path().join("none"), &["cat-file", "--batch"]);
        let Some(mut io) = if_there(ProcessIo::spawn(cat)) else {
            return;
        };
        let error = within(io.expect("\n")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Eof, "{error}");
        assert_eq!(error.status().unwrap().code(), Some(128));
        let text = error.to_string();
        assert!(text.contains("not a git repository"), "{text}");
    }
}

mod gdb {
    use super::*;

    /// In the mode for machines: a token before a request is before its answer too. No configuration, no network.
    fn gdb() -> Command {
        let mut gdb = program("gdb", &["-q", "-nx", "--interpreter=mi3"]);
        gdb.env_remove("DEBUGINFOD_URLS");
        gdb
    }

    const PROMPT: &str = "(gdb) \n";

    /// The answer to a request, without what it tells on the side.
    async fn ask(io: &mut ProcessIo, request: &str) -> String {
        within(io.send_line(request)).await.unwrap();
        let said = before(io, ReadSource::Stdout, PROMPT).await;
        let answer = said.lines().last().unwrap();
        answer.to_owned()
    }

    #[tokio::test]
    async fn it_answers_with_values_and_errors() {
        let Some(mut io) = if_there(ProcessIo::spawn(gdb())) else {
            return;
        };
        before(&mut io, ReadSource::Stdout, PROMPT).await;
        assert_eq!(ask(&mut io, "1-gdb-set var $sum = 0").await, "1^done");
        for n in 1..=50 {
            let add = format!("{n}-data-evaluate-expression \"$sum += {n}\"");
            let expected = format!("{n}^done,value=\"{}\"", n * (n + 1) / 2);
            assert_eq!(ask(&mut io, &add).await, expected);
            let error = ask(&mut io, "-data-evaluate-expression 1/0").await;
            assert_eq!(error, r#"^error,msg="Division by zero""#);
            let error = ask(&mut io, &format!("{n}-no-such-command")).await;
            assert!(error.starts_with(&format!("{n}^error,msg=")), "{error}");
        }
        within(io.send_line("99-gdb-exit")).await.unwrap();
        let last = next_line(&mut io, Source::Stdout).await;
        assert_eq!(last.as_deref(), Some("99^exit"));
        assert!(within(io.wait()).await.unwrap().success());
    }

    #[tokio::test]
    async fn what_it_tells_on_the_side_comes_before_the_answer() {
        let Some(mut io) = if_there(ProcessIo::spawn(gdb())) else {
            return;
        };
        before(&mut io, ReadSource::Stdout, PROMPT).await;
        for turn in 0..5 {
            let help = format!(r#"{turn}-interpreter-exec console "help all""#);
            within(io.send_line(help)).await.unwrap();
            let mut side = 0;
            let done = loop {
                let line = next_line(&mut io, Source::Stdout).await.unwrap();
                match line.starts_with('~') {
                    true => side += 1,
                    false => break line,
                }
            };
            assert_eq!(done, format!("{turn}^done"));
            assert!(side > 500, "{side} lines of help");
            let prompt = next_line(&mut io, Source::Stdout).await;
            assert_eq!(prompt.as_deref(), Some("(gdb) "));
        }
        within(io.send_line("quit 5")).await.unwrap();
        let error = within(io.expect(PROMPT)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Eof, "{error}");
        assert_eq!(error.status().unwrap().code(), Some(5));
    }

    #[tokio::test]
    async fn requests_in_flight_find_their_answers_by_token() {
        let Some(io) = if_there(ProcessIo::spawn(gdb())) else {
            return;
        };
        let (mut send, recv) = io.into_split();
        let sender = tokio::spawn(async move {
            for token in 0..2000 {
                let divisor = token % 7;
                let request = format!("{token}-data-evaluate-expression {token}/{divisor}\n");
                send.send(request).await.unwrap();
            }
            send.close_stdin();
            send
        });
        let mut answers = BTreeMap::new();
        let mut lines = recv.into_lines();
        while let Some(line) = within(lines.try_next()).await.unwrap() {
            let line = line.to_str().unwrap();
            if let Some((token, answer)) = line.split_once('^') {
                let token: u32 = token.parse().unwrap();
                assert_eq!(answers.insert(token, answer.to_owned()), None);
            }
        }
        assert_eq!(answers.len(), 2000);
        for (token, answer) in answers {
            let expected = match token.checked_div(token % 7) {
                Some(value) => format!("done,value=\"{value}\""),
                None => "error,msg=\"Division by zero\"".into(),
            };
            assert_eq!(answer, expected, "{token}");
        }
        let send = within(sender).await.unwrap();
        let mut io = ProcessIo::unsplit(send, lines.into_inner()).unwrap();
        assert!(within(io.wait()).await.unwrap().success());
    }
}
