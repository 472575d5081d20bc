//! When no thread is to be had a dropped child waits to be reaped, until anything of this crate happens after there is one.
#![cfg(target_os = "linux")]

use process_io::ProcessIo;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::{
    alone_by, child, eventually, exists, is_alive,
    life::{childless, reapers},
    setup::after,
    within,
};

/// The limit is one of a user, and does not bind root.
const AS_SOMEBODY: &str = "
if os.getuid() == 0:
    os.chmod(os.path.dirname(os.path.dirname(os.path.dirname(sys.argv[1]))), 0o755)
    os.setgroups([]); os.setgid(64999); os.setuid(64999)
";

fn limit(threads: Option<u64>) {
    let maximum = getrlimit(Resource::Nproc).maximum;
    let current = threads.or(maximum);
    setrlimit(Resource::Nproc, Rlimit { current, maximum }).unwrap();
}

/// A child that has been dropped and killed, and that nobody can reap now.
async fn starved() -> u32 {
    loop {
        limit(None);
        eventually("no thread is left", || reapers() == 0).await;
        let io = ProcessIo::spawn(child(&["sleep"])).unwrap();
        let pid = io.id().unwrap();
        limit(Some(1));
        drop(io);
        eventually("it has ended", || !is_alive(pid)).await;
        // One that dies at once is reaped by the drop itself.
        if exists(pid) {
            assert_eq!(reapers(), 0);
            return pid;
        }
    }
}

#[tokio::test]
async fn it_is_reaped_when_there_is_one() {
    let somebody = || after(AS_SOMEBODY);
    if !alone_by(
        "no_thread_to_reap::it_is_reaped_when_there_is_one",
        somebody,
    ) {
        return;
    }
    let nproc = getrlimit(Resource::Nproc);
    println!("{nproc:?}");
    // By a later spawn.
    let pid = starved().await;
    limit(None);
    let mut later = ProcessIo::spawn(child(&["exit", "0"])).unwrap();
    eventually("it is reaped", || !exists(pid)).await;
    // By the end of a run.
    let pid = starved().await;
    limit(None);
    within(later.wait()).await.unwrap();
    eventually("it is reaped", || !exists(pid)).await;
    // By a drop of what has exited.
    let later = ProcessIo::spawn(child(&["exit", "0"])).unwrap();
    within(later.control().wait()).await.unwrap();
    let pid = starved().await;
    limit(None);
    drop(later);
    eventually("it is reaped", || !exists(pid)).await;
    // By a drop of what has not.
    let later = ProcessIo::spawn(child(&["sleep"])).unwrap();
    let pid = starved().await;
    limit(None);
    drop(later);
    eventually("it is reaped", || !exists(pid)).await;
    eventually("nobody is left", || childless() && reapers() == 0).await;
}
