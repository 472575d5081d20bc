//! How much heap an idle child takes: a program of its own, for it counts what is allocated.
#![allow(unsafe_code)]
#![cfg(unix)] // Beside tokio, which gives each pipe that waits a thread on Windows.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    future::poll_fn,
    process::Stdio,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    task::Poll,
};

use process_io::{Command, ProcessIo, Source};
use tokio::io::{AsyncRead, ReadBuf};

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: the system's allocator does all the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Relaxed);
        // SAFETY: the caller keeps to the same rules.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller keeps to the same rules.
        unsafe { System.dealloc(at, layout) }
    }
}

const CHILDREN: usize = 50;

/// The heap that one of many takes.
async fn held_by_each<T>(make: impl AsyncFn() -> T) -> usize {
    // What is allocated once for all.
    drop(make().await);
    let mut all = Vec::with_capacity(CHILDREN);
    let before = HELD.load(Relaxed);
    for _ in 0..CHILDREN {
        all.push(make().await);
    }
    (HELD.load(Relaxed).saturating_sub(before)) / CHILDREN
}

/// A child that has said something and waits, and whose outputs are waited for.
async fn ours() -> ProcessIo {
    let mut io = ProcessIo::spawn(Command::new("cat")).unwrap();
    io.send("x".repeat(10_000)).await.unwrap();
    let mut received = 0;
    while received < 10_000 {
        received += io.recv(Source::Stdout).await.unwrap().data().unwrap().len();
    }
    poll_fn(|cx| {
        assert!(io.poll_recv(cx, Source::Stdout).is_pending());
        Poll::Ready(())
    })
    .await;
    io
}

async fn tokios() -> tokio::process::Child {
    let mut cat = Command::new("cat");
    cat.stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = cat.kill_on_drop(true).spawn().unwrap();
    poll_fn(|cx| {
        let mut buffer = [0; 16];
        let mut buffer = ReadBuf::new(&mut buffer);
        let stdout = std::pin::Pin::new(child.stdout.as_mut().unwrap());
        assert!(stdout.poll_read(cx, &mut buffer).is_pending());
        Poll::Ready(())
    })
    .await;
    child
}

#[tokio::test]
async fn an_idle_child_takes_at_most_2_kib_more_than_tokios() {
    let (ours, tokios) = (held_by_each(ours).await, held_by_each(tokios).await);
    println!("{ours} bytes, tokio {tokios}");
    assert!(ours > 0 && tokios > 0, "nothing is counted");
    assert!(ours <= tokios + 2048, "{ours} bytes, tokio {tokios}");
}
