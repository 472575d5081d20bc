//! Where a sandbox or an old kernel refuses what is done by pidfd, it is done by number and by SIGCHLD.
#![cfg(target_os = "linux")]

use std::{os::unix::process::ExitStatusExt, time::Duration};

use process_io::{Ladder, ProcessIo, Signal, Source};

use crate::support::{
    alone_by, child, eventually, is_alive,
    life::{assert_gone, childless, reapers},
    setup::{PIDFD_OPEN, PIDFD_SEND_SIGNAL, Wrapper, after, filtered},
    sh, within,
};

const NEVER: Duration = Duration::from_secs(3600);
const EPERM: i32 = 1;
const EINVAL: i32 = 22;
const ENOSYS: i32 = 38;

const WAITID: u32 = if cfg!(target_arch = "x86_64") {
    247
} else {
    95
};

async fn family(own_group: bool) -> (ProcessIo, u32, u32) {
    let run = ProcessIo::builder(sh("sleep 300 & echo $!; wait")).process_group(own_group);
    let mut io = run.spawn().unwrap();
    let line = within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
    let (shell, other) = (io.id().unwrap(), line.to_string().parse().unwrap());
    (io, shell, other)
}

/// A child can be signalled, killed, timed out, shut down and dropped, with what it started as far as that can be found.
async fn assert_works(finds_descendants: bool) {
    for own_group in [false, true] {
        let reached = own_group || finds_descendants;
        let dead = |other: u32| async move {
            if reached {
                eventually("the other is dead", || !is_alive(other)).await;
            } else if is_alive(other) {
                crate::support::kill(other);
            }
        };
        let (mut io, _, other) = family(own_group).await;
        io.control().signal(Signal::INT).unwrap();
        assert_eq!(within(io.control().wait()).await.unwrap().signal(), Some(2));
        crate::support::kill(other);
        within(io.wait()).await.unwrap();

        let (mut io, ..) = family(own_group).await;
        io.control().terminate().unwrap();
        assert_eq!(
            within(io.control().wait()).await.unwrap().signal(),
            Some(15)
        );
        io.control().kill_tree().unwrap();
        io.set_drain(process_io::Drain::Immediate);
        within(io.wait()).await.unwrap();

        let (mut io, _, other) = family(own_group).await;
        io.control().kill_tree().unwrap();
        dead(other).await;
        assert_eq!(within(io.wait()).await.unwrap().signal(), Some(9));

        let (io, shell, other) = family(own_group).await;
        drop(io);
        assert_gone(shell);
        dead(other).await;

        let (mut io, shell, other) = family(own_group).await;
        io.set_timeout(Duration::from_millis(1));
        let error = within(io.output()).await.unwrap_err();
        assert!(error.is_timeout() && !error.has_survivors(), "{error}");
        assert_gone(shell);
        dead(other).await;

        let (mut io, shell, other) = family(own_group).await;
        let ladder = Ladder::new().signal(Signal::TERM, NEVER);
        let report = within(io.shutdown(ladder)).await.unwrap();
        assert_eq!(report.status.signal(), Some(15));
        assert!(!report.survivors);
        assert_gone(shell);
        dead(other).await;
    }
    let pipeline = ProcessIo::builder(sh("echo some; exit 3")).pipe(sh("cat"));
    let output = within(pipeline).await.unwrap();
    assert_eq!((output.code(), output.stdout), (Some(3), "some\n".into()));
    let pipeline = ProcessIo::builder(sh("sleep 300")).pipe(sh("sleep 300"));
    let error = within(
        pipeline
            .pipe(sh("cat"))
            .spawn()
            .map(|mut io| {
                io.set_timeout(Duration::from_millis(1));
                io
            })
            .unwrap(),
    )
    .await
    .unwrap_err();
    assert!(error.is_timeout(), "{error}");
    let run = ProcessIo::builder(child(&["sleep"])).die_with_parent(true);
    drop(run.spawn().unwrap());
    eventually("no child", || childless() && reapers() == 0).await;
}

macro_rules! sandbox {
    ($name:ident, $wrapper:expr, $finds:expr) => {
        #[tokio::test]
        async fn $name() {
            if alone_by(concat!("sandboxed::", stringify!($name)), || $wrapper) {
                assert_works($finds).await;
            }
        }
    };
}

sandbox!(
    without_signals_by_pidfd,
    filtered(format!("{PIDFD_SEND_SIGNAL}:{ENOSYS}")),
    true
);
sandbox!(
    with_signals_by_pidfd_forbidden,
    filtered(format!("{PIDFD_SEND_SIGNAL}:{EPERM}")),
    true
);
sandbox!(
    without_signals_to_groups_by_pidfd,
    filtered(format!("{PIDFD_SEND_SIGNAL}:3:4:{EINVAL}")),
    true
);
sandbox!(
    without_waiting_by_pidfd,
    filtered(format!("{WAITID}:0:3:{EINVAL}")),
    true
);
sandbox!(
    without_pidfds,
    filtered(format!("{PIDFD_OPEN}:{ENOSYS}")),
    false
);
sandbox!(
    without_pidfds_and_sigchld_blocked,
    blocked(&filtered(format!("{PIDFD_OPEN}:{ENOSYS}"))),
    false
);

#[tokio::test]
async fn without_pidfds_and_with_a_handler_of_somebody_else() {
    let filter = || filtered(format!("{PIDFD_OPEN}:{ENOSYS}"));
    if !alone_by(
        "sandboxed::without_pidfds_and_with_a_handler_of_somebody_else",
        filter,
    ) {
        return;
    }
    extern "C" fn ignore(_: libc::c_int) {}
    // The handler of this crate's runtime comes first, and is not there any more then.
    let first = ProcessIo::builder(child(&["exit", "0"]));
    assert!(within(first).await.unwrap().success());
    // SAFETY: the handler does nothing.
    unsafe { libc::signal(libc::SIGCHLD, ignore as *const () as libc::sighandler_t) };
    assert_works(false).await;
}

/// The first wrapper, in which SIGCHLD is blocked.
fn blocked(filter: &Option<Wrapper>) -> Option<Wrapper> {
    let mut wrapper = after(
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])\nsys.argv[0] = 'python3'\nos.execvp(sys.argv[1], sys.argv[1:])",
    )?;
    wrapper.extend(filter.as_ref()?);
    Some(wrapper)
}

/// Something that keeps starting others, of which none can be stopped: a drop does not wait for that.
#[tokio::test]
async fn what_cannot_be_stopped_does_not_keep_a_drop() {
    const KILL: u32 = if cfg!(target_arch = "x86_64") {
        62
    } else {
        129
    };
    let filter = || {
        filtered(format!(
            "{PIDFD_SEND_SIGNAL}:{EPERM},{KILL}:1:9:{EPERM},{KILL}:1:19:{EPERM}"
        ))
    };
    if !alone_by(
        "sandboxed::what_cannot_be_stopped_does_not_keep_a_drop",
        filter,
    ) {
        return;
    }
    let script = "echo ready; i=0; while [ $i -lt 20000 ]; do /bin/true & i=$((i+1)); done";
    let mut io = ProcessIo::spawn(sh(script)).unwrap();
    within(io.recv(Source::Stdout)).await.unwrap();
    let start = std::time::Instant::now();
    let control = io.control();
    drop(io);
    println!("{:?}", start.elapsed());
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(control.try_wait().unwrap(), None, "it is still at it");
    control.signal(Signal::TERM).unwrap();
    within(control.wait()).await.unwrap();
}
