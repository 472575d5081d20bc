//! One measurement: the process in which one peer does one work.

use std::{
    env,
    process::{self, Command},
};

use crate::{
    Result,
    peers::{self, Cannot, Contender, PEERS},
    work::{Amount, Job, WORKS, Work},
};

pub(crate) const MODE: &str = "worker";
/// What a worker prints says which it is.
pub(crate) const OK: &str = "ok";
pub(crate) const CANNOT: &str = "cannot";

/// The worker for a job.
pub(crate) fn command(exe: &str, work: &Work, amount: Amount, contender: Contender) -> Command {
    let mut worker = Command::new(exe);
    worker.args([MODE, work.name, contender.peer.name(), contender.way]);
    worker.args([amount.size, amount.times].map(|n| n.to_string()));
    worker
}

pub(crate) fn run(args: &[String]) -> Result<()> {
    let [work, peer, way, size, times] = args else {
        return Err("worker WORK PEER WAY SIZE TIMES".into());
    };
    let work = WORKS.iter().find(|one| one.name == work);
    let work = work.ok_or("no such work")?;
    let peer = PEERS.into_iter().find(|one| one.name() == peer);
    let peer = peer.ok_or("no such peer")?;
    let ways = peer.ways(work.kind).iter();
    let way = ways.copied().find(|one| one == way).ok_or("no such way")?;
    let job = Job {
        kind: work.kind,
        size: size.parse()?,
        exe: own_path()?,
    };
    match peers::run(Contender { peer, way }, &job, times.parse()?) {
        Ok(done) => {
            // Where the system does not tell, it is not shown.
            let peak = peers::peak().unwrap_or(f64::NAN);
            println!("{OK} {} {} {} {peak}", done.cost, done.stdout, done.stderr);
        }
        Err(error) => match error.downcast_ref::<Cannot>() {
            Some(why) => println!("{CANNOT} {why}"),
            None => return Err(error),
        },
    }
    // Not by returning: a thread that still waits for a child would be waited for.
    process::exit(0);
}

pub(crate) fn own_path() -> Result<String> {
    let path = env::current_exe()?.into_os_string().into_string();
    path.map_err(|_| "the path of this program is not UTF-8".into())
}
