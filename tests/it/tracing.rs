//! Feature `tracing`: one span for each process, with what is known of it at its end.
#![cfg(all(unix, feature = "tracing"))]

use std::{
    collections::HashMap,
    fmt::Debug,
    sync::{Arc, Mutex, OnceLock},
};

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use process_io::{Builder, ProcessIOWrapper, ProcessIo, Source, transport::memory};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tracing::{
    Dispatch, Event, Id, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Record},
    subscriber::DefaultGuard,
};

use crate::support::{child, sh, within};

type Fields = HashMap<&'static str, String>;

/// Takes down the spans, each with the last value of each field.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<Span>>>);

struct Span {
    name: &'static str,
    fields: Fields,
    /// Closed when none is left.
    handles: usize,
    events: Vec<String>,
}

/// Takes down the fields of a record.
struct TakeDown<'a>(&'a mut Fields);

impl Visit for TakeDown<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl Notes {
    /// For this thread, as long as the guard lives.
    fn take() -> (Self, DefaultGuard) {
        // What is of interest is settled anew, for all threads, whenever a subscriber comes or goes: one stays, so that there is
        // no moment in which nobody is interested.
        static STAYS: OnceLock<Dispatch> = OnceLock::new();
        STAYS.get_or_init(|| Dispatch::new(Self::default()));
        let notes = Self::default();
        let guard = tracing::subscriber::set_default(notes.clone());
        (notes, guard)
    }

    fn with<T>(&self, id: &Id, change: impl FnOnce(&mut Span) -> T) -> T {
        change(&mut self.0.lock().unwrap()[id.into_u64() as usize - 1])
    }

    /// The fields of the only span there was, which must have been closed.
    #[track_caller]
    fn only(&self) -> Fields {
        let spans = self.0.lock().unwrap();
        assert_eq!(spans.len(), 1);
        assert_eq!((spans[0].name, spans[0].handles), ("process", 0));
        spans[0].fields.clone()
    }

    /// Has these bytes of stdin, stdout and stderr.
    #[track_caller]
    fn assert_bytes(&self, bytes: [u64; 3]) -> Fields {
        let fields = self.only();
        let names = ["stdin_bytes", "stdout_bytes", "stderr_bytes"];
        let got = names.map(|name| fields.get(name).map_or("none", String::as_str));
        assert_eq!(got, bytes.map(|n| n.to_string()).each_ref().map(|n| &**n));
        fields
    }

    fn is_open(&self) -> bool {
        self.0.lock().unwrap().iter().any(|span| span.handles > 0)
    }
}

impl Subscriber for Notes {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("process_io")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields::new();
        span.record(&mut TakeDown(&mut fields));
        let mut spans = self.0.lock().unwrap();
        spans.push(Span {
            name: span.metadata().name(),
            fields,
            handles: 1,
            events: Vec::new(),
        });
        Id::from_u64(spans.len() as u64)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        self.with(id, |span| values.record(&mut TakeDown(&mut span.fields)));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::new();
        event.record(&mut TakeDown(&mut fields));
        let parent = event.parent().expect("each is of a process");
        self.with(parent, |span| span.events.push(format!("{fields:?}")));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}

    fn clone_span(&self, id: &Id) -> Id {
        self.with(id, |span| span.handles += 1);
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        self.with(&id, |span| {
            span.handles -= 1;
            span.handles == 0
        })
    }
}

/// Reads ten bytes, writes seven and four, and exits with 3. Then nothing more comes.
const SCRIPT: &str = "head -c 10 >/dev/null; printf 1234567; printf 1234 >&2; exit 3";
const INPUT: &str = "0123456789";

fn script() -> Builder {
    ProcessIo::builder(sh(SCRIPT))
}

/// What a run of the script leaves, however it was driven.
#[track_caller]
fn assert_complete(notes: &Notes) {
    let fields = notes.assert_bytes([10, 7, 4]);
    assert_eq!(fields["status"], "exit status: 3");
}

#[tokio::test]
async fn of_a_collected_run() {
    let (notes, _guard) = Notes::take();
    let output = within(script().input(INPUT)).await.unwrap();
    assert_eq!(output.code(), Some(3));
    assert_complete(&notes);
}

#[tokio::test]
async fn names_the_process() {
    let (notes, _guard) = Notes::take();
    let io = ProcessIo::spawn(child(&["prompt"])).unwrap();
    let pid = io.id().unwrap();
    drop(io);
    let fields = notes.only();
    assert_eq!(fields["pid"], pid.to_string());
    assert!(fields["command"].ends_with("child prompt"));
}

#[tokio::test]
async fn hides_secrets() {
    let (notes, _guard) = Notes::take();
    let mut command = sh("exit 0");
    command.args(["login", "--password=hunter2"]);
    within(ProcessIo::builder(command).secret("hunter2"))
        .await
        .unwrap();
    let fields = notes.only();
    assert!(fields["command"].ends_with("login --password=***"));
    let events = notes.0.lock().unwrap()[0].events.concat();
    assert!(!format!("{fields:?}{events}").contains("hunter2"));
}

#[tokio::test]
async fn of_a_stream() {
    let (notes, _guard) = Notes::take();
    let mut io = script().spawn().unwrap();
    within(io.send(INPUT)).await.unwrap();
    while let Some(event) = within(io.next()).await {
        event.unwrap();
    }
    drop(io);
    assert_complete(&notes);
}

#[tokio::test]
async fn of_a_run_that_was_waited_for() {
    let (notes, _guard) = Notes::take();
    let mut io = script().input(INPUT).spawn().unwrap();
    assert_eq!(within(io.wait()).await.unwrap().code(), Some(3));
    // All is known now, and a subscriber may look at it before the handle is gone.
    let fields = notes.0.lock().unwrap()[0].fields.clone();
    assert_eq!(fields["stdin_bytes"], "10");
    assert_eq!(fields["stdout_bytes"], "7");
    assert_eq!(fields["status"], "exit status: 3");
    drop(io);
    assert_complete(&notes);
}

#[tokio::test]
async fn of_a_wrapper() {
    let (notes, _guard) = Notes::take();
    let mut file = ProcessIOWrapper::from(script().spawn().unwrap());
    within(file.write_all(INPUT.as_bytes())).await.unwrap();
    within(file.read_to_end(&mut Vec::new())).await.unwrap();
    within(file.into_inner().wait()).await.unwrap();
    assert_complete(&notes);
}

#[tokio::test]
async fn of_halves_at_the_same_time() {
    let (notes, _guard) = Notes::take();
    let (mut send, mut recv) = script().spawn().unwrap().into_split();
    let (sent, status) = within(async { tokio::join!(send.send(INPUT), recv.wait()) }).await;
    sent.unwrap();
    assert_eq!(status.unwrap().code(), Some(3));
    drop((send, recv));
    assert_complete(&notes);
}

#[tokio::test]
async fn of_halves_whichever_goes_first() {
    for send_first in [true, false] {
        let (notes, _guard) = Notes::take();
        let (mut send, mut recv) = script().spawn().unwrap().into_split();
        within(send.send(Bytes::from(INPUT))).await.unwrap();
        let mut send = Some(send);
        if send_first {
            send = None;
        }
        while let Some(event) = within(recv.next()).await {
            event.unwrap();
        }
        drop(recv);
        assert_eq!(notes.is_open(), !send_first, "as long as a half is there");
        drop(send);
        assert_complete(&notes);
    }
}

/// It counts what has been received, and what the child has taken.
#[tokio::test]
async fn of_a_handle_that_is_dropped() {
    let (notes, _guard) = Notes::take();
    let mut io = ProcessIo::spawn(child(&["echo"])).unwrap();
    within(io.send("0123456789")).await.unwrap();
    within(io.expect("0123456789")).await.unwrap();
    within(io.send("more")).await.unwrap();
    within(io.expect("more")).await.unwrap();
    drop(io);
    let fields = notes.assert_bytes([14, 14, 0]);
    assert_eq!(fields.get("status"), None);
}

#[tokio::test]
async fn of_a_handle_that_is_dropped_after_a_send_that_nothing_followed() {
    let (notes, _guard) = Notes::take();
    let mut io = ProcessIo::spawn(child(&["deaf"])).unwrap();
    within(io.recv(Source::Stdout)).await.unwrap();
    within(SinkExt::send(&mut io, Bytes::from("0123456789")))
        .await
        .unwrap();
    assert_eq!(io.send_nowait("more").unwrap(), 4);
    drop(io);
    notes.assert_bytes([14, 6, 0]);
}

#[tokio::test]
async fn of_halves_that_are_dropped() {
    for send_first in [true, false] {
        let (notes, _guard) = Notes::take();
        let io = ProcessIo::spawn(child(&["echo"])).unwrap();
        let (mut send, mut recv) = io.into_split();
        within(send.send("0123456789")).await.unwrap();
        let mut got = 0;
        while got < 10 {
            got += within(recv.recv(Source::Stdout))
                .await
                .unwrap()
                .data()
                .unwrap()
                .len();
        }
        if send_first {
            drop(send);
            drop(recv);
        } else {
            drop(recv);
            drop(send);
        }
        notes.assert_bytes([10, 10, 0]);
    }
}

#[tokio::test]
async fn is_closed_while_a_control_lives_on() {
    let (notes, _guard) = Notes::take();
    let io = ProcessIo::spawn(child(&["prompt"])).unwrap();
    let control = io.control();
    assert!(notes.is_open());
    drop(io);
    assert!(!notes.is_open());
    within(control.wait()).await.unwrap();
    notes.only();
}

#[tokio::test]
async fn each_process_has_its_own() {
    let (notes, _guard) = Notes::take();
    let runs = [1, 2, 3].map(|code| ProcessIo::builder(sh(&format!("exit {code}"))).into_future());
    for output in futures::future::join_all(runs).await {
        output.unwrap();
    }
    let mut statuses: Vec<String> = (notes.0.lock().unwrap().iter())
        .map(|span| span.fields["status"].clone())
        .collect();
    statuses.sort();
    assert_eq!(
        statuses,
        [1, 2, 3].map(|code| format!("exit status: {code}"))
    );
    assert!(!notes.is_open());
}

#[tokio::test]
async fn a_spawn_that_fails_has_none() {
    let (notes, _guard) = Notes::take();
    ProcessIo::spawn(process_io::Command::new("/no/such/program")).unwrap_err();
    assert!(notes.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn of_a_child_in_memory() {
    let (notes, _guard) = Notes::take();
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts.name("far away"));
    child.stdout.write_all(b"hello").await.unwrap();
    child.exit(3);
    within(io.output()).await.unwrap();
    drop(io);
    let fields = notes.assert_bytes([0, 5, 0]);
    assert_eq!(fields["command"], "far away");
    assert_eq!(fields.get("pid"), None);
}
