//! Wrappers for [`alone_by`](super::alone_by): what a process is given before its program begins, and cannot be given by
//! safe code afterwards.

use std::{env, process::Command};

/// A program with its first arguments.
pub(crate) type Wrapper = Vec<&'static str>;

/// In a session of its own, with a terminal, on which the command is in the foreground and `typed` has been typed.
const TERMINAL: &str = "
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
os.write(fd, b'typed\\n')
while True:
    try:
        data = os.read(fd, 65536)
    except OSError:
        break
    if not data:
        break
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) and 1)
";

/// `NUMBER:ERRNO` answers a system call with an error, `NUMBER:ARGUMENT:VALUE:ERRNO` only where the argument has that value.
const FILTER: &str = "
import ctypes, os, struct, sys
rules, command = sys.argv[1].split(','), sys.argv[2:]
LOAD, EQUAL, RETURN, ALLOW, FAIL = 0x20, 0x15, 0x06, 0x7fff0000, 0x00050000
code = []
add = lambda *words: code.append(struct.pack('HBBI', *words))
for rule in rules:
    number, *argument, error = map(int, rule.split(':'))
    add(LOAD, 0, 0, 0)
    if argument:
        add(EQUAL, 0, 3, number)
        add(LOAD, 0, 0, 16 + 8 * argument[0])
        add(EQUAL, 0, 1, argument[1])
    else:
        add(EQUAL, 0, 1, number)
    add(RETURN, 0, 0, FAIL | error)
add(RETURN, 0, 0, ALLOW)
code = ctypes.create_string_buffer(b''.join(code))
program = struct.pack('HxxxxxxP', len(code) // 8, ctypes.addressof(code))
prctl = ctypes.CDLL(None, use_errno=True).prctl
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
if prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0):
    sys.exit(os.strerror(ctypes.get_errno()))
os.execvp(command[0], command)
";

pub(crate) const PIDFD_SEND_SIGNAL: u32 = 424;
pub(crate) const PIDFD_OPEN: u32 = 434;

/// Under a terminal of its own.
pub(crate) fn terminal() -> Option<Wrapper> {
    usable(vec!["python3", "-c", TERMINAL])
}

/// Under a filter of system calls, by the rules of [`FILTER`].
pub(crate) fn filtered(rules: impl Into<String>) -> Option<Wrapper> {
    usable(vec!["python3", "-c", FILTER, rules.into().leak()])
}

/// After these statements of Python.
pub(crate) fn after(statements: &str) -> Option<Wrapper> {
    let script =
        format!("import os, signal, sys\n{statements}\nos.execv(sys.argv[1], sys.argv[1:])");
    usable(vec!["python3", "-c", script.leak()])
}

/// As the first process of a PID namespace, in which nobody else takes a number.
pub(crate) fn first_process() -> Option<Wrapper> {
    usable(vec!["unshare", "-pf", "--mount-proc", "--kill-child"])
}

/// The wrapper, if it works here. It must in CI.
fn usable(wrapper: Wrapper) -> Option<Wrapper> {
    let truth = ["/bin/true", "/usr/bin/true"]
        .iter()
        .find(|path| std::path::Path::new(path).exists());
    let output = Command::new(wrapper[0])
        .args(&wrapper[1..])
        .args(truth)
        .output();
    match output {
        Ok(output) if output.status.success() => Some(wrapper),
        output if env::var_os("CI").is_none() => {
            eprintln!("skipped: {}: {output:?}", wrapper[0]);
            None
        }
        output => panic!("{}: {output:?}", wrapper[0]),
    }
}
