//! Speaks a protocol of one's own: asks a single `git cat-file --batch` for thousands of objects, without
//! waiting for one answer before the next question.
//!
//! `cargo run --example git_objects`, best in a git repository; elsewhere it makes one.

use std::{
    cell::Cell, collections::BTreeMap, error::Error, fs, io, iter, path::Path, str, time::Instant,
};

use bytes::{Buf, Bytes, BytesMut};
use futures::{SinkExt, StreamExt, TryStreamExt, stream};
use process_io::{Builder, ErrorKind, ProcessIo};
use tokio_util::codec::{Decoder, Encoder};

const REQUESTS: usize = 20_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let head = git(Path::new("."), &["rev-parse", "--verify", "HEAD"]);
    let scratch = tempfile::tempdir()?;
    let folder = match head.await {
        Ok(output) if output.success() => Path::new("."),
        Ok(_) => {
            make_repository(scratch.path()).await?;
            scratch.path()
        }
        Err(error) if error.kind() == ErrorKind::ProgramNotFound => {
            println!("This example talks to `git`, which is not here: {error}");
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let all = [
        "cat-file",
        "--batch-all-objects",
        "--batch-check=%(objectname)",
    ];
    let all = git(folder, &all).await?.check()?;
    let names: Vec<&str> = str::from_utf8(&all.stdout)?.lines().collect();

    let began = Instant::now();
    let cat = git(folder, &["cat-file", "--batch"]).spawn()?;
    let (mut requests, mut objects) = cat.framed(CatFile::default()).split();
    let (sent, received, in_flight) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let names = names.into_iter().cycle().take(REQUESTS);
    // The last one is not there, which is an answer too.
    let names = names.chain(iter::once("no-such-object"));

    let ask = async {
        let names = names.inspect(|_| sent.set(sent.get() + 1));
        requests.send_all(&mut stream::iter(names.map(Ok))).await?;
        requests.close().await // git sees end-of-file, answers what it was asked, and ends
    };
    let collect = async {
        let mut kinds = BTreeMap::<String, (usize, usize)>::new();
        while let Some(object) = objects.try_next().await? {
            in_flight.set(in_flight.get().max(sent.get() - received.get()));
            received.set(received.get() + 1);
            let (count, bytes) = kinds.entry(object.kind).or_default();
            *count += 1;
            *bytes += object.data.len();
        }
        Ok::<_, io::Error>(kinds)
    };
    let ((), kinds) = tokio::try_join!(ask, collect)?;

    for (kind, (count, bytes)) in kinds {
        println!("{count:>7} {kind:<8} {bytes:>12} bytes");
    }
    let (took, in_flight) = (began.elapsed(), in_flight.get());
    println!(
        "{} answers in {took:.1?}, up to {in_flight} in flight",
        received.get()
    );
    Ok(())
}

/// An answer: `<name> <kind> <size>\n<data>\n`, or `<name> missing\n`.
#[derive(Debug)]
struct Object {
    kind: String,
    data: Bytes,
}

/// What `git cat-file --batch` speaks. Holds the kind and the size of an object whose data are still on the way.
#[derive(Debug, Default)]
struct CatFile(Option<(String, usize)>);

impl Encoder<&str> for CatFile {
    type Error = io::Error;

    fn encode(&mut self, name: &str, buffer: &mut BytesMut) -> io::Result<()> {
        buffer.extend_from_slice(name.as_bytes());
        buffer.extend_from_slice(b"\n");
        Ok(())
    }
}

impl Decoder for CatFile {
    type Item = Object;
    type Error = io::Error;

    fn decode(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Object>> {
        if self.0.is_none() {
            let Some(end) = buffer.iter().position(|byte| *byte == b'\n') else {
                return Ok(None);
            };
            let head = buffer.split_to(end + 1);
            let head = str::from_utf8(&head).map_err(io::Error::other)?;
            let words: Vec<&str> = head.split_whitespace().collect();
            self.0 = match words[..] {
                [_, kind, size] => Some((kind.into(), size.parse().map_err(io::Error::other)?)),
                [_, kind] => {
                    let (kind, data) = (kind.into(), Bytes::new());
                    return Ok(Some(Object { kind, data }));
                }
                _ => return Err(io::Error::other(format!("not an object: {head:?}"))),
            };
        }
        match self.0.take() {
            Some((kind, size)) if buffer.len() > size => {
                let data = buffer.split_to(size).freeze();
                buffer.advance(1); // the newline after it
                Ok(Some(Object { kind, data }))
            }
            waiting => {
                self.0 = waiting;
                Ok(None)
            }
        }
    }
}

fn git(folder: &Path, args: &[&str]) -> Builder {
    ProcessIo::command("git").arg("-C").arg(folder).args(args)
}

async fn make_repository(folder: &Path) -> Result<(), Box<dyn Error>> {
    println!("There is no repository here, so one is made.");
    let run = async |args: &str| {
        let args: Vec<&str> = args.split(' ').collect();
        git(folder, &args).await?.check()
    };
    run("init -q").await?;
    for message in ["one", "two", "three"] {
        fs::write(folder.join(message), message.repeat(1000))?;
        run("add .").await?;
        let author = "-c user.name=nobody -c user.email=nobody@localhost";
        run(&format!("{author} commit -q -m {message}")).await?;
    }
    Ok(())
}
