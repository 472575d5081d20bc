//! Cancel safety: every public future is polled a random number of times and dropped, again and again, and in the
//! end every byte is there.

use std::{future::Future, pin::pin, task::Poll, time::Duration};

use bytes::Bytes;
use futures::{SinkExt, StreamExt, poll};
use process_io::{
    Event, ProcessIOWrapper, ProcessIo, ReadSource, Recv, RecvHalf, SendHalf, Source,
    transport::memory,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt},
    task::yield_now,
    time::sleep,
};

use crate::support::{assert_bytes, child, pattern, within};

const ROUNDS: usize = 500;
const SOURCES: [Source; 2] = [Source::Stdout, Source::Stderr];

/// xorshift64: the same seed plays the same game, as far as the system lets it.
struct Random(u64);

impl Random {
    /// A seed from `PROCESS_IO_SEED`, or a new one. It is printed, which is seen when the test fails.
    fn new() -> Self {
        let seed = match std::env::var("PROCESS_IO_SEED") {
            Ok(seed) => seed.parse().expect("a number"),
            Err(_) => std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64 | 1,
        };
        println!("PROCESS_IO_SEED={seed}");
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() >> 16) as usize % n
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Mostly short, at times more than a pipe holds.
    fn message(&mut self) -> Vec<u8> {
        let most = self.pick(&[1, 10, 500, 500, 3000, 100_000]);
        let len = self.below(most + 1);
        let mut bytes: Vec<u8> = (0..len.div_ceil(8))
            .flat_map(|_| self.next().to_le_bytes())
            .collect();
        bytes.truncate(len);
        bytes
    }

    fn moment(&mut self) -> Duration {
        Duration::from_micros(self.below(2000) as u64)
    }

    /// Polls a few times, not at all perhaps, and drops. Whether it was polled, and what it came to.
    async fn cancel<T>(&mut self, future: impl Future<Output = T>) -> (bool, Option<T>) {
        let mut future = pin!(future);
        let polls = self.pick(&[0, 1, 1, 2, 3, 10, 40]);
        for _ in 0..polls {
            if let Poll::Ready(value) = poll!(&mut future) {
                return (true, Some(value));
            }
            if self.below(8) == 0 {
                sleep(self.moment() / 10).await;
            } else {
                yield_now().await;
            }
        }
        (polls > 0, None)
    }
}

/// What was said to a child that gives back all it hears, and what came back.
#[derive(Default)]
struct Record {
    sent: Vec<u8>,
    got: [Vec<u8>; 2],
}

impl Record {
    fn got(&mut self, source: Source, bytes: &[u8]) {
        self.got[source as usize].extend_from_slice(bytes);
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Stdout(bytes) => self.got(Source::Stdout, &bytes),
            Event::Stderr(bytes) => self.got(Source::Stderr, &bytes),
            event => panic!("{event:?} while its input is open"),
        }
    }

    fn recv(&mut self, source: Source, recv: Recv) {
        match recv {
            Recv::Data(bytes) => self.got(source, &bytes),
            Recv::Empty => {}
            Recv::Eof => panic!("the end while its input is open"),
        }
    }

    fn assert_all(&self) {
        assert!(
            self.sent.len() > 10_000,
            "{} bytes prove little",
            self.sent.len()
        );
        assert_bytes(&self.got[0], &self.sent);
        assert_bytes(&self.got[1], b"");
    }
}

/// One random call on the whole handle.
async fn call(io: &mut ProcessIo, random: &mut Random, record: &mut Record) {
    let message = random.message();
    let source = random.pick(&[Source::Stdout, Source::Stdout, Source::Stderr]);
    let (quiet, time) = (random.moment(), random.moment());
    match random.below(16) {
        0 => {
            let (polled, sent) = random.cancel(io.send(message.clone())).await;
            sent.transpose().unwrap();
            if polled {
                record.sent.extend_from_slice(&message);
            }
        }
        1 => {
            let (polled, sent) = random.cancel(io.send_line(&message)).await;
            sent.transpose().unwrap();
            if polled {
                record.sent.extend_from_slice(&message);
                record.sent.push(b'\n');
            }
        }
        2 => match random.cancel(io.send_timeout(message.clone(), time)).await {
            (false, _) => {}
            (true, None | Some(Ok(()))) => record.sent.extend_from_slice(&message),
            (true, Some(Err(error))) => {
                assert!(error.is_timeout(), "{error}");
                record
                    .sent
                    .extend_from_slice(&message[..error.written().unwrap()]);
            }
        },
        3 => match random.cancel(io.exchange(message.clone(), time)).await {
            (false, _) => {}
            (true, None) => record.sent.extend_from_slice(&message),
            (true, Some(exchange)) => {
                let exchange = exchange.unwrap();
                record.sent.extend_from_slice(&message[..exchange.written]);
                record.got(Source::Stdout, &exchange.stdout);
                record.got(Source::Stderr, &exchange.stderr);
            }
        },
        4 => {
            let fed = random.cancel(io.feed(Bytes::from(message.clone()))).await;
            if let (_, Some(fed)) = fed {
                fed.unwrap();
                record.sent.extend_from_slice(&message);
            }
        }
        5 => {
            let (_, flushed) = random.cancel(SinkExt::<Bytes>::flush(io)).await;
            flushed.transpose().unwrap();
        }
        6 => {
            let n = io.send_nowait(&message).unwrap();
            record.sent.extend_from_slice(&message[..n]);
        }
        7 => {
            if let (_, Some(piece)) = random.cancel(io.recv(source)).await {
                record.got(source, &piece.unwrap().data().expect("no end yet"));
            }
        }
        8 => {
            if let (_, Some(recv)) = random.cancel(io.recv_timeout(source, time)).await {
                record.recv(source, recv.unwrap());
            }
        }
        9 => {
            if let (_, Some(recv)) = random.cancel(io.recv_for(source, time)).await {
                record.recv(source, recv.unwrap());
            }
        }
        10 => {
            let reading = io.recv_until_quiet(source, quiet / 4, time);
            if let (_, Some(recv)) = random.cancel(reading).await {
                record.recv(source, recv.unwrap());
            }
        }
        11 | 12 => {
            if let (_, Some(event)) = random.cancel(io.next()).await {
                record.event(event.expect("no end yet").unwrap());
            }
        }
        13 => {
            let most = 1 + random.below(5000);
            let recv = io.recv_nowait_max(source, most).unwrap();
            record.recv(source, recv);
        }
        14 => {
            let (_, waited) = random.cancel(io.wait()).await;
            assert!(waited.is_none(), "{waited:?}");
        }
        _ => {
            let control = io.control();
            let (_, waited) = random.cancel(control.wait()).await;
            assert!(waited.is_none(), "{waited:?}");
        }
    }
}

/// Ends the run by futures that are dropped too, until one of them comes to its end.
async fn finish(mut io: ProcessIo, random: &mut Random, record: &mut Record) {
    for _ in 0..5 {
        random
            .cancel(SinkExt::<Bytes>::close(&mut io))
            .await
            .1
            .transpose()
            .unwrap();
    }
    let output = within(async {
        loop {
            let (_, waited) = random.cancel(io.wait()).await;
            waited.transpose().unwrap();
            if let (_, Some(output)) = random.cancel(io.output()).await {
                break output.unwrap();
            }
        }
    })
    .await;
    record.got(Source::Stdout, &output.stdout);
    record.got(Source::Stderr, &output.stderr);
    assert!(output.success(), "{output:?}");
    assert!(!output.pipes_held);
    assert_eq!(output.stdin_written, record.sent.len() as u64);
}

async fn converse(mut io: ProcessIo) {
    let (mut random, mut record) = (Random::new(), Record::default());
    for _ in 0..ROUNDS {
        call(&mut io, &mut random, &mut record).await;
    }
    finish(io, &mut random, &mut record).await;
    record.assert_all();
}

fn echo() -> ProcessIo {
    ProcessIo::spawn(child(&["echo"])).expect("the child starts")
}

#[tokio::test]
async fn of_the_handle() {
    converse(echo()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_the_handle_on_many_threads() {
    within(tokio::spawn(converse(echo()))).await.unwrap();
}

#[tokio::test]
async fn of_the_handle_of_a_child_in_memory() {
    let (parts, mut child) = memory::child();
    let living = tokio::spawn(async move {
        tokio::io::copy(&mut child.stdin, &mut child.stdout)
            .await
            .unwrap();
        child.exit(0);
    });
    converse(ProcessIo::from_parts(parts)).await;
    within(living).await.unwrap();
}

#[tokio::test]
async fn of_reads_from_both_streams() {
    const N: usize = 500_000;
    let mut random = Random::new();
    for _ in 0..10 {
        let mut io = ProcessIo::spawn(child(&["both", &N.to_string()])).unwrap();
        let mut record = Record::default();
        let output = within(async {
            loop {
                let source = random.pick(&SOURCES);
                let (quiet, time) = (random.moment(), random.moment());
                let data = match random.below(6) {
                    0 => random
                        .cancel(io.recv(source))
                        .await
                        .1
                        .and_then(|piece| piece.unwrap().data()),
                    1 => {
                        let recv = random.cancel(io.recv_timeout(source, time)).await.1;
                        recv.and_then(|recv| recv.unwrap().data())
                    }
                    2 => {
                        let recv = random.cancel(io.recv_for(source, time)).await.1;
                        recv.and_then(|recv| recv.unwrap().data())
                    }
                    3 => {
                        let reading = io.recv_until_quiet(source, quiet, time);
                        random
                            .cancel(reading)
                            .await
                            .1
                            .and_then(|recv| recv.unwrap().data())
                    }
                    4 => {
                        let event = random.cancel(io.next()).await.1.flatten();
                        match event.transpose().unwrap() {
                            Some(Event::Exit(status)) => assert!(status.success()),
                            Some(Event::Eof(_)) => {}
                            Some(event) => record.event(event),
                            None => {}
                        }
                        None
                    }
                    _ => match random.cancel(io.output()).await.1 {
                        Some(output) => break output.unwrap(),
                        None => None,
                    },
                };
                record.got(source, &data.unwrap_or_default());
            }
        })
        .await;
        record.got(Source::Stdout, &output.stdout);
        record.got(Source::Stderr, &output.stderr);
        assert!(output.success());
        for got in record.got {
            assert_bytes(got, pattern(N));
        }
    }
}

/// One random call on the file.
async fn call_file(file: &mut ProcessIOWrapper, random: &mut Random, record: &mut Record) {
    let message = random.message();
    match random.below(9) {
        0 | 1 => {
            if let (_, Some(n)) = random.cancel(file.write(&message)).await {
                record.sent.extend_from_slice(&message[..n.unwrap()]);
            }
        }
        2 => {
            let (front, back) = message.split_at(message.len() / 2);
            let slices = [front, back].map(std::io::IoSlice::new);
            if let (_, Some(n)) = random.cancel(file.write_vectored(&slices)).await {
                record.sent.extend_from_slice(&message[..n.unwrap()]);
            }
        }
        3 => random
            .cancel(file.flush())
            .await
            .1
            .transpose()
            .unwrap()
            .unwrap_or_default(),
        4 => {
            let mut buffer = vec![0; 1 + random.below(10_000)];
            if let (_, Some(n)) = random.cancel(file.read(&mut buffer)).await {
                record.got(Source::Stdout, &buffer[..n.unwrap()]);
            }
        }
        5 | 6 => {
            let got = &mut record.got[0];
            random
                .cancel(file.read_until(b'\n', got))
                .await
                .1
                .transpose()
                .unwrap();
        }
        7 => {
            let most = random.below(1000);
            let mut used = 0;
            if let (_, Some(available)) = random.cancel(file.fill_buf()).await {
                let available = available.unwrap();
                used = available.len().min(most);
                record.got[0].extend_from_slice(&available[..used]);
            }
            file.consume(used);
        }
        _ => {
            // What is skipped is not seen; what follows must still be in its place.
            let (start, most) = (file.position(), random.below(1000) as u64);
            random.cancel(file.skip(most)).await.1.transpose().unwrap();
            let skipped = (file.position() - start) as usize;
            let at = record.got[0].len();
            let unseen = record.sent[at..at + skipped].to_vec();
            record.got[0].extend_from_slice(&unseen);
        }
    }
}

#[tokio::test]
async fn of_the_wrapper() {
    let (mut random, mut record) = (Random::new(), Record::default());
    let mut file = ProcessIOWrapper::from(echo());
    let mut start = 0;
    for _ in 0..ROUNDS {
        call_file(&mut file, &mut random, &mut record).await;
        assert_eq!(file.position(), (record.got[0].len() - start) as u64);
        if random.below(20) == 0 {
            let mut io = file.into_inner();
            call(&mut io, &mut random, &mut record).await;
            file = ProcessIOWrapper::from(io).read_from(random.pick(&[
                ReadSource::Stdout,
                ReadSource::Stdout,
                ReadSource::Both,
            ]));
            start = record.got[0].len();
        }
    }
    for _ in 0..5 {
        random.cancel(file.shutdown()).await.1.transpose().unwrap();
    }
    within(async {
        loop {
            let ended = random.cancel(file.read_to_end(&mut record.got[0])).await.1;
            if ended.transpose().unwrap().is_some() {
                break;
            }
        }
    })
    .await;
    record.assert_all();
    let status = within(file.get_mut().wait()).await.unwrap();
    assert!(status.success());
}

/// One random call on either half.
async fn call_halves(
    (send, recv): (&mut SendHalf, &mut RecvHalf),
    random: &mut Random,
    record: &mut Record,
) {
    let message = random.message();
    let (source, time) = (random.pick(&SOURCES), random.moment());
    match random.below(10) {
        0 => {
            let (polled, sent) = random.cancel(send.send(message.clone())).await;
            sent.transpose().unwrap();
            if polled {
                record.sent.extend_from_slice(&message);
            }
        }
        1 => {
            let fed = random.cancel(send.feed(Bytes::from(message.clone()))).await;
            if let (_, Some(fed)) = fed {
                fed.unwrap();
                record.sent.extend_from_slice(&message);
            }
        }
        2 => {
            let (_, flushed) = random.cancel(SinkExt::<Bytes>::flush(send)).await;
            flushed.transpose().unwrap();
        }
        3 => {
            let n = send.send_nowait(&message).unwrap();
            record.sent.extend_from_slice(&message[..n]);
        }
        4 => {
            if let (_, Some(piece)) = random.cancel(recv.recv(source)).await {
                record.got(source, &piece.unwrap().data().expect("no end yet"));
            }
        }
        5 => {
            if let (_, Some(got)) = random.cancel(recv.recv_timeout(source, time)).await {
                record.recv(source, got.unwrap());
            }
        }
        6 | 7 => {
            if let (_, Some(event)) = random.cancel(recv.next()).await {
                record.event(event.expect("no end yet").unwrap());
            }
        }
        8 => {
            let (_, waited) = random.cancel(recv.wait()).await;
            assert!(waited.is_none(), "{waited:?}");
        }
        _ => {
            let got = recv.recv_nowait(source).unwrap();
            record.recv(source, got);
        }
    }
}

#[tokio::test]
async fn of_the_halves() {
    let (mut random, mut record) = (Random::new(), Record::default());
    let (mut send, mut recv) = echo().into_split();
    for _ in 0..ROUNDS {
        call_halves((&mut send, &mut recv), &mut random, &mut record).await;
        if random.below(20) == 0 {
            let mut io = ProcessIo::unsplit(send, recv).unwrap();
            call(&mut io, &mut random, &mut record).await;
            (send, recv) = io.into_split();
        }
    }
    let io = ProcessIo::unsplit(send, recv).unwrap();
    finish(io, &mut random, &mut record).await;
    record.assert_all();
}

#[tokio::test]
async fn of_what_was_never_polled() {
    let mut io = echo();
    drop(io.send("never"));
    drop(io.send_line("never"));
    drop(io.send_timeout("never", Duration::ZERO));
    drop(io.exchange("never", Duration::ZERO));
    drop(io.output());
    drop(SinkExt::<Bytes>::close(&mut io));
    assert_eq!(io.queued(), 0);
    within(io.send("sent")).await.unwrap();
    let output = within(io.output()).await.unwrap();
    assert_eq!(output.stdout, "sent");
}

#[tokio::test]
async fn of_a_time_out_of_no_time() {
    let mut io = echo();
    let mut record = Record::default();
    let mut random = Random::new();
    for _ in 0..ROUNDS {
        let message = random.message();
        match io.send_timeout(message.clone(), Duration::ZERO).await {
            Ok(()) => record.sent.extend_from_slice(&message),
            Err(error) => {
                assert!(error.is_timeout(), "{error}");
                record
                    .sent
                    .extend_from_slice(&message[..error.written().unwrap()]);
            }
        }
        assert_eq!(io.queued(), 0, "what did not go is not kept");
        for source in SOURCES {
            let recv = io.recv_timeout(source, Duration::ZERO).await.unwrap();
            record.recv(source, recv);
        }
        yield_now().await;
    }
    finish(io, &mut random, &mut record).await;
    record.assert_all();
}
