//! The peers in other languages: each a script that is a worker of its own, where its language is installed.

use std::{fs, path::PathBuf, process::Command};

use tempfile::TempDir;

use super::Peer;
use crate::{
    Result,
    work::{Job, Kind},
};

/// The scripts, ready to be run.
pub(crate) struct Scripts {
    /// Who is installed: how it is started, and its version.
    ready: Vec<(Peer, Vec<PathBuf>, String)>,
    /// Holds the scripts.
    _dir: TempDir,
}

impl Scripts {
    /// Finds out which languages there are among these; Go's script is compiled here.
    pub(crate) fn new(wanted: &[Peer]) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let mut ready = Vec::new();
        for &peer in wanted {
            let (program, ask, file, text) = match peer {
                Peer::Python => (
                    "python3",
                    "--version",
                    "peer.py",
                    include_str!("../../scripts/peer.py"),
                ),
                Peer::Go => (
                    "go",
                    "version",
                    "peer.go",
                    include_str!("../../scripts/peer.go"),
                ),
                Peer::Node => (
                    "node",
                    "--version",
                    "peer.mjs",
                    include_str!("../../scripts/peer.mjs"),
                ),
                _ => continue,
            };
            let Some(version) = version(program, ask) else {
                continue;
            };
            let path = dir.path().join(file);
            fs::write(&path, text)?;
            let mut start = vec![program.into(), path.clone()];
            if peer == Peer::Go {
                let built = dir.path().join("peer-go");
                let mut build = Command::new(program);
                build.arg("build").arg("-o").arg(&built).arg(&path);
                if !build.status()?.success() {
                    return Err("Go cannot compile its script".into());
                }
                start = vec![built];
            }
            ready.push((peer, start, version));
        }
        Ok(Self { ready, _dir: dir })
    }

    pub(crate) fn version(&self, peer: Peer) -> Option<&str> {
        let found = self.ready.iter().find(|(name, ..)| *name == peer);
        found.map(|(_, _, version)| version.as_str())
    }

    /// The worker for a job, so many times.
    pub(crate) fn worker(&self, peer: Peer, job: &Job, times: u64) -> Option<Command> {
        let (_, start, _) = self.ready.iter().find(|(name, ..)| *name == peer)?;
        let mut worker = crate::work::command(start);
        worker.arg(format!("{:?}", job.kind));
        worker.args([job.size, times].map(|n| n.to_string()));
        if job.kind == Kind::Pipeline {
            worker.args(job.stages().join(&"|".to_owned()));
        } else {
            worker.args(job.argv());
        }
        Some(worker)
    }
}

/// The part of the answer that has a digit.
fn version(program: &str, ask: &str) -> Option<String> {
    let output = Command::new(program).arg(ask).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let is_version = |word: &&str| word.contains(|c: char| c.is_ascii_digit());
    let word = text.split_whitespace().find(is_version)?;
    Some(
        word.trim_start_matches(|c: char| !c.is_ascii_digit())
            .to_owned(),
    )
}
