//! What is left when all is over: processes, zombies, descriptors.

use std::time::{Duration, Instant};

use process_io::Command;
use rustix::{
    io::Errno,
    process::{Resource, Rlimit, WaitId, WaitIdOptions, getrlimit, setrlimit, waitid},
};

/// How long what has been killed may take to go.
const PATIENCE: Duration = Duration::from_secs(20);

/// In the environment of all that we start, and so of all that those start.
const MARK: &str = "PROCESS_IO_SOAK";

/// A command that is found again, with all its descendants, if it is left.
pub(crate) fn command(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).env(MARK, std::process::id().to_string());
    command
}

pub(crate) fn sh(script: &str) -> Command {
    command("sh", &["-c", script])
}

/// What there was before, and has to be again.
pub(crate) struct Before {
    pub(crate) descriptors: Option<usize>,
}

impl Before {
    pub(crate) fn now() -> Self {
        Self {
            descriptors: descriptors(),
        }
    }

    /// Gives what has been killed its time to go; what is wrong then.
    pub(crate) async fn restored(&self) -> Vec<String> {
        let end = Instant::now() + PATIENCE;
        loop {
            let wrong = self.wrong();
            if wrong.is_empty() || Instant::now() > end {
                return wrong;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn wrong(&self) -> Vec<String> {
        let mut wrong = descendants();
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::All, look) {
            Err(Errno::CHILD) => {}
            Ok(None) => wrong.push("a child is left".to_owned()),
            Ok(Some(_)) => wrong.push("a zombie is left".to_owned()),
            Err(error) => wrong.push(format!("waitid: {error}")),
        }
        let now = descriptors();
        if let (Some(before), Some(now)) = (self.descriptors, now) {
            if before != now {
                wrong.push(format!("{before} descriptors before, {now} now"));
            }
        }
        wrong
    }
}

/// Each child costs us four descriptors. Where the system does not let us have more it has to do.
pub(crate) fn raise_limit() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    );
}

// What follows reads what only Linux has; elsewhere the files are not there.

/// How many descriptors are open. The one that lists them is always counted.
pub(crate) fn descriptors() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count())
}

/// How many bytes of memory this process has resident.
pub(crate) fn resident() -> Option<u64> {
    size("/proc/self/status", "VmRSS:")
}

/// How many bytes of the machine's memory can still be had.
pub(crate) fn available() -> Option<u64> {
    size("/proc/meminfo", "MemAvailable:")
}

fn size(file: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kibibytes * 1024)
}

/// Those of our processes that live, children or not.
fn descendants() -> Vec<String> {
    let mark = format!("{MARK}={}", std::process::id());
    let mut found = Vec::new();
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let read = |file| std::fs::read(process.path().join(file)).unwrap_or_default();
        // Another user's, or gone meanwhile, or a zombie: then there is nothing to read.
        let environment = read("environ");
        let mut variables = environment.split(|byte| *byte == 0);
        if variables.any(|variable| variable == mark.as_bytes()) {
            let id = process.file_name();
            let line = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
            found.push(format!("process {} lives: {line}", id.to_string_lossy()));
        }
    }
    found
}
