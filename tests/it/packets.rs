//! A child that sets `O_DIRECT` on its output: each write is a packet, and a read never gives more than one.
#![cfg(target_os = "linux")]

use std::time::Instant;

use process_io::{ProcessIOWrapper, ProcessIo, ReadSource, Source};
use rustix::io::ioctl_fionread;

use crate::support::{GENEROUS, child, within};

const PACKETS: [&str; 3] = ["one\n", "two\n", "three\n"];

/// All packets of a round are in the pipe before the reactor is told of the first.
fn await_packets(io: ProcessIo, source: Source) -> ProcessIo {
    let read = match source {
        Source::Stdout => ReadSource::Stdout,
        Source::Stderr => ReadSource::Stderr,
    };
    let file = ProcessIOWrapper::from(io).read_from(read);
    let all = PACKETS.concat().len() as u64;
    let start = Instant::now();
    while ioctl_fionread(file.read_descriptor().unwrap()).unwrap() < all {
        assert!(start.elapsed() < GENEROUS, "the child never wrote");
        std::thread::yield_now();
    }
    file.into_inner()
}

#[tokio::test]
async fn every_packet_is_read_when_it_is_there() {
    for (stream, source) in [("out", Source::Stdout), ("err", Source::Stderr)] {
        let packets = [&["packets", stream][..], &PACKETS].concat();
        let mut io = ProcessIo::spawn(child(&packets)).unwrap();
        for _ in 0..3 {
            within(io.send(".")).await.unwrap();
            io = await_packets(io, source);
            for packet in PACKETS {
                assert_eq!(
                    within(io.recv(source)).await.unwrap().data().unwrap(),
                    packet
                );
            }
        }
        for _ in 0..3 {
            within(io.send(".")).await.unwrap();
            io = await_packets(io, source);
            for packet in PACKETS {
                let line = within(io.recv_line(source)).await.unwrap().unwrap();
                assert_eq!(line.as_bytes(), packet.trim_end().as_bytes());
            }
        }
        io.close_stdin();
        assert!(within(io.wait()).await.unwrap().success());
    }
}
