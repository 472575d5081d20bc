//! The end of stderr that an error shows is safe to print, and begins where a line or at least a character does.
#![cfg(unix)] // Shells.

use process_io::{Error, ProcessIo};

use crate::support::{sh, within};

async fn failure(script: &str) -> Error {
    let output = within(ProcessIo::builder(sh(script))).await.unwrap();
    output.check().unwrap_err()
}

/// What the message shows of stderr.
fn shown(error: &Error) -> String {
    let message = error.to_string();
    let (_, shown) = message.split_once("; stderr:\n").expect("a stderr");
    assert_eq!(format!("{error:?}"), message);
    shown.to_owned()
}

#[tokio::test]
async fn escape_sequences_do_not_reach_the_terminal() {
    let script = r"printf 'a\033[2J\033]0;title\007b\tc\nd\r\ne\rf\302\233g\177h\n' >&2; exit 1";
    let error = failure(script).await;
    assert_eq!(
        shown(&error),
        "a\\u{1b}[2J\\u{1b}]0;title\\u{7}b\tc\nd\ne\\rf\\u{9b}g\\u{7f}h"
    );
    assert_eq!(
        error.stderr_tail(),
        b"a\x1b[2J\x1b]0;title\x07b\tc\nd\r\ne\rf\xc2\x9bg\x7fh\n"
    );
}

#[tokio::test]
async fn it_begins_with_a_line() {
    let error = failure("yes 'one line' | head -c 9000 >&2; exit 1").await;
    assert_eq!(error.stderr_tail().len(), 4096);
    let shown = shown(&error);
    assert!(shown.starts_with("one line\none line\n"), "{shown}");
    assert!(shown.len() > 4000);
}

#[tokio::test]
async fn a_line_that_begins_with_it_is_shown() {
    // 455 lines of nine bytes, and one byte more.
    let error = failure("printf 'x\\n' >&2; yes 12345678 | head -c 4096 >&2; exit 1").await;
    assert!(shown(&error).starts_with("12345678\n12345678\n"), "{error}");
    let error = failure("printf 'xyz' >&2; yes 12345678 | head -c 4096 >&2; exit 1").await;
    assert!(shown(&error).starts_with("12345678\n12345678\n"), "{error}");
}

#[tokio::test]
async fn a_long_line_begins_with_a_character() {
    for before in 0..4 {
        let filler = "x".repeat(before);
        let script = format!(
            "printf {filler} >&2; for i in 1 2 3 4 5; do printf '%s' {} >&2; done; exit 1",
            "\u{1f980}\u{e9}".repeat(200),
        );
        let error = failure(&script).await;
        assert_eq!(error.stderr_tail().len(), 4096);
        let shown = shown(&error);
        assert!(!shown.contains('\u{fffd}'), "{before}: {shown}");
        assert!(shown.len() > 4090);
    }
}

#[tokio::test]
async fn a_short_one_is_shown_from_its_beginning() {
    let error = failure(r"printf '\200first\nlast' >&2; exit 1").await;
    assert_eq!(shown(&error), "\u{fffd}first\nlast");
}
