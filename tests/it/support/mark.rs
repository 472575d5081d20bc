//! Finds all that a child has started, wherever it is by now, by a variable in its environment.

use std::{
    fs,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use process_io::Command;
use rustix::process::{Pid, Signal, kill_process};

use super::{GENEROUS, is_alive};

const NAME: &str = "PROCESS_IO_TEST_MARK";

/// A variable that no other process has; those that have it are killed in the end.
#[derive(Debug)]
pub(crate) struct Mark(String);

impl Mark {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(format!("{}-{next}", std::process::id()))
    }

    pub(crate) fn on(&self, mut command: Command) -> Command {
        command.env(NAME, &self.0);
        command
    }

    /// The name of the variable and its value.
    pub(crate) fn variable(&self) -> (&str, &str) {
        (NAME, &self.0)
    }

    /// Program and pid of those that are alive.
    pub(crate) fn alive(&self) -> Vec<(String, u32)> {
        let variable = format!("{NAME}={}", self.0).into_bytes();
        let all = fs::read_dir("/proc").unwrap();
        let marked = |entry: std::io::Result<fs::DirEntry>| {
            let path = entry.ok()?.path();
            let pid = path.file_name()?.to_str()?.parse().ok()?;
            let environment = fs::read(path.join("environ")).ok()?;
            let is_marked = environment
                .split(|&byte| byte == 0)
                .any(|one| one == variable);
            if !is_marked || !is_alive(pid) {
                return None;
            }
            let program = fs::read_to_string(path.join("comm")).ok()?;
            Some((program.trim_end().to_owned(), pid))
        };
        let mut found: Vec<_> = all.filter_map(marked).collect();
        found.sort();
        found
    }

    pub(crate) fn count(&self, program: &str) -> usize {
        let alive = self.alive();
        alive.iter().filter(|(name, _)| name == program).count()
    }

    /// Waits until so many of the program are alive.
    pub(crate) async fn has(&self, program: &str, count: usize) {
        let what = format!("{count} times {program}");
        self.until(&what, || self.count(program) == count).await;
    }

    pub(crate) async fn is_gone(&self, context: &str) {
        let what = format!("{context}: nobody is left");
        self.until(&what, || self.alive().is_empty()).await;
    }

    /// Less often than `eventually`: to look at all processes takes a while.
    async fn until(&self, what: &str, check: impl Fn() -> bool) {
        let start = Instant::now();
        while !check() {
            if start.elapsed() > GENEROUS {
                let stats = self.alive().into_iter();
                let stats = stats.map(|(_, pid)| fs::read_to_string(format!("/proc/{pid}/stat")));
                panic!("never came true: {what}: {:?}", stats.collect::<Vec<_>>());
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        for (_, pid) in self.alive() {
            let pid = Pid::from_raw(pid as i32).unwrap();
            // It may have ended by now.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}
