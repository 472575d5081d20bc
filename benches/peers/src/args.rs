//! What is wanted.

use std::path::PathBuf;

use crate::{
    Result,
    peers::{PEERS, Peer},
    work::{WORKS, Work},
};

pub(crate) struct Args {
    pub(crate) full: bool,
    pub(crate) works: Vec<&'static Work>,
    pub(crate) peers: Vec<Peer>,
    pub(crate) json: Option<PathBuf>,
    pub(crate) svg: Option<PathBuf>,
}

pub(crate) fn help() -> String {
    let works: Vec<&str> = WORKS.iter().map(|work| work.name).collect();
    let peers: Vec<&str> = PEERS.iter().map(|peer| peer.name()).collect();
    format!(
        "process-io beside its peers\n\
        \n\
        --quick            less work, less than three minutes (the default)\n\
        --full             all the work\n\
        --only WORK,...    of {}\n\
        --peers PEER,...   of {}\n\
        --json FILE        all figures\n\
        --svg FILE         a chart\n",
        works.join(", "),
        peers.join(", ")
    )
}

impl Args {
    /// `None` if only the help is wanted.
    pub(crate) fn parse(args: &[String]) -> Result<Option<Self>> {
        let mut parsed = Self {
            full: false,
            works: WORKS.iter().collect(),
            peers: PEERS.to_vec(),
            json: None,
            svg: None,
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or(format!("{arg} needs a value"));
            match arg.as_str() {
                "--quick" => parsed.full = false,
                "--full" => parsed.full = true,
                "--only" => parsed.works = choose(value()?, WORKS, |work| work.name)?,
                "--peers" => {
                    let peers = choose(value()?, &PEERS, |peer| peer.name())?;
                    parsed.peers = peers.into_iter().copied().collect();
                }
                "--json" => parsed.json = Some(value()?.into()),
                "--svg" => parsed.svg = Some(value()?.into()),
                "--help" | "-h" => return Ok(None),
                _ => return Err(format!("{arg}? See --help").into()),
            }
        }
        Ok(Some(parsed))
    }
}

/// Those of `all` that the list names, in the order of `all`.
fn choose<'a, T>(list: &str, all: &'a [T], name: fn(&T) -> &str) -> Result<Vec<&'a T>> {
    let wanted: Vec<&str> = list.split(',').collect();
    if let Some(unknown) = wanted
        .iter()
        .find(|wanted| all.iter().all(|one| name(one) != **wanted))
    {
        return Err(format!("{unknown}? See --help").into());
    }
    Ok(all
        .iter()
        .filter(|one| wanted.contains(&name(one)))
        .collect())
}
