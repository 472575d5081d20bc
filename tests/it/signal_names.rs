//! Signals by their names.

use process_io::Signal;

#[test]
fn a_name_is_read_as_it_is_shown() {
    for signal in [
        Signal::HUP,
        Signal::INT,
        Signal::QUIT,
        Signal::KILL,
        Signal::TERM,
    ] {
        let name = signal.to_string();
        assert_eq!(format!("{signal:?}"), name);
        assert_eq!(name.parse(), Ok(signal));
        let short = name.strip_prefix("SIG").unwrap();
        assert_eq!(short.parse(), Ok(signal));
        assert_eq!(short.to_lowercase().parse(), Ok(signal));
        assert_eq!(signal.as_raw().to_string().parse(), Ok(signal));
    }
    assert_eq!(Signal::TERM.to_string(), "SIGTERM");
    assert_eq!("SIGHUP".parse(), Ok(Signal::from_raw(1)));
}

#[test]
fn what_has_no_name_is_a_number() {
    for number in [-1, 0, 1000, i32::MAX, i32::MIN] {
        assert_eq!(
            Signal::from_raw(number).to_string(),
            format!("signal {number}")
        );
    }
    assert_eq!("1000".parse(), Ok(Signal::from_raw(1000)));
    let none = [
        "",
        "SIG",
        "SIGSIGTERM",
        "TERM ",
        "0",
        "-9",
        "99999999999",
        "RTMIN-1",
        "RTMIN+",
        "RTMIN++3",
        "+15",
        "RTMIN+99",
        "SIGRTMIN+2147483647",
        "signal 9",
    ];
    for text in none {
        let error = text.parse::<Signal>().unwrap_err();
        assert_eq!(error.to_string(), "no such signal", "{text}");
    }
}

#[cfg(unix)]
#[test]
fn all_that_posix_names() {
    let all = [
        (Signal::ABRT, libc::SIGABRT, "SIGABRT"),
        (Signal::ALRM, libc::SIGALRM, "SIGALRM"),
        (Signal::BUS, libc::SIGBUS, "SIGBUS"),
        (Signal::CHLD, libc::SIGCHLD, "SIGCHLD"),
        (Signal::CONT, libc::SIGCONT, "SIGCONT"),
        (Signal::FPE, libc::SIGFPE, "SIGFPE"),
        (Signal::HUP, libc::SIGHUP, "SIGHUP"),
        (Signal::ILL, libc::SIGILL, "SIGILL"),
        (Signal::INT, libc::SIGINT, "SIGINT"),
        (Signal::KILL, libc::SIGKILL, "SIGKILL"),
        (Signal::PIPE, libc::SIGPIPE, "SIGPIPE"),
        (Signal::QUIT, libc::SIGQUIT, "SIGQUIT"),
        (Signal::SEGV, libc::SIGSEGV, "SIGSEGV"),
        (Signal::STOP, libc::SIGSTOP, "SIGSTOP"),
        (Signal::SYS, libc::SIGSYS, "SIGSYS"),
        (Signal::TERM, libc::SIGTERM, "SIGTERM"),
        (Signal::TRAP, libc::SIGTRAP, "SIGTRAP"),
        (Signal::TSTP, libc::SIGTSTP, "SIGTSTP"),
        (Signal::TTIN, libc::SIGTTIN, "SIGTTIN"),
        (Signal::TTOU, libc::SIGTTOU, "SIGTTOU"),
        (Signal::URG, libc::SIGURG, "SIGURG"),
        (Signal::USR1, libc::SIGUSR1, "SIGUSR1"),
        (Signal::USR2, libc::SIGUSR2, "SIGUSR2"),
        (Signal::VTALRM, libc::SIGVTALRM, "SIGVTALRM"),
        (Signal::WINCH, libc::SIGWINCH, "SIGWINCH"),
        (Signal::XCPU, libc::SIGXCPU, "SIGXCPU"),
        (Signal::XFSZ, libc::SIGXFSZ, "SIGXFSZ"),
    ];
    for (signal, number, name) in all {
        assert_eq!((signal.as_raw(), &signal.to_string()[..]), (number, name));
        assert_eq!(name.parse(), Ok(signal));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn of_real_time() {
    let first = libc::SIGRTMIN();
    for (number, name) in [
        (first, "SIGRTMIN"),
        (first + 3, "SIGRTMIN+3"),
        (
            libc::SIGRTMAX(),
            &format!("SIGRTMIN+{}", libc::SIGRTMAX() - first),
        ),
    ] {
        assert_eq!(Signal::from_raw(number).to_string(), name);
        assert_eq!(name.parse(), Ok(Signal::from_raw(number)));
    }
    assert_eq!("rtmin+1".parse(), Ok(Signal::from_raw(first + 1)));
}

#[cfg(unix)]
#[tokio::test]
async fn a_child_is_ended_by_one() {
    use std::os::unix::process::ExitStatusExt;

    let mut io = process_io::ProcessIo::spawn(crate::support::child(&["sleep"])).unwrap();
    io.signal(Signal::USR1).unwrap();
    let status = crate::support::within(io.wait()).await.unwrap();
    assert_eq!(status.signal(), Some(libc::SIGUSR1));
}
