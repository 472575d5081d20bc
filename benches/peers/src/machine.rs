//! Where and when it was measured, and which versions.

use std::{fs, process::Command};

use serde_json::{Value, json};

use crate::peers::{PEERS, Peer, Scripts};

const LOCK: &str = include_str!("../../../Cargo.lock");

pub(crate) struct Machine {
    cores: usize,
    model: String,
    system: String,
    date: String,
    load: String,
}

impl Machine {
    pub(crate) fn look() -> Self {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
            .map_or("unknown processor", |(_, model)| model);
        Self {
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            model: model.to_owned(),
            system: ask("uname", "-sr"),
            date: ask("date", "+%Y-%m-%d"),
            load: load(),
        }
    }

    /// One line, with the load of then and of now.
    pub(crate) fn describe(&self) -> String {
        let Self {
            cores,
            model,
            system,
            date,
            load,
        } = self;
        format!(
            "{date}, {cores} cores, {model}, {system}, load {load} before and {} after",
            self::load()
        )
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "cores": self.cores,
            "model": self.model,
            "system": self.system,
            "date": self.date,
            "load_before": self.load,
            "load_after": load(),
        })
    }
}

/// The version of each peer that was measured.
pub(crate) fn versions(peers: &[Peer], scripts: &Scripts) -> Vec<(Peer, String)> {
    let version = |peer: &Peer| {
        let version = match peer {
            Peer::Std | Peer::Shell => return None,
            Peer::Python | Peer::Go | Peer::Node => scripts.version(*peer)?,
            _ => locked(peer.name())?,
        };
        Some((*peer, version.to_owned()))
    };
    let peers = PEERS.iter().filter(|peer| peers.contains(peer));
    peers.filter_map(version).collect()
}

/// The version that the lock file has of a package.
fn locked(package: &str) -> Option<&'static str> {
    let (_, rest) = LOCK.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    rest.split('"').next()
}

fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}

fn ask(program: &str, arg: &str) -> String {
    let output = Command::new(program).arg(arg).output();
    let stdout = output.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&stdout).trim().to_owned()
}
