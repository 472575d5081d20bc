//! All figures, for a program to read.

use serde_json::{Value, json};

use super::table::describe;
use crate::{
    args::Args,
    machine::Machine,
    measure::{Block, Fault, Row},
    peers::Peer,
};

pub(super) fn json(
    args: &Args,
    machine: &Machine,
    versions: &[(Peer, String)],
    blocks: &[Block],
) -> Value {
    let versions = versions.iter();
    let versions = versions.map(|(peer, version)| (peer.name().to_owned(), json!(version)));
    json!({
        "mode": if args.full { "full" } else { "quick" },
        "machine": machine.json(),
        "versions": Value::Object(versions.collect()),
        "works": blocks.iter().map(work).collect::<Vec<_>>(),
    })
}

fn work(block: &Block) -> Value {
    json!({
        "name": block.work.name,
        "title": block.title(),
        "size": block.amount.size,
        "times": block.amount.times,
        "unit": block.work.unit.name(),
        "more_is_better": block.work.unit.more_is_better(),
        "rows": block.rows.iter().map(|one| row(block, one)).collect::<Vec<_>>(),
    })
}

fn row(block: &Block, row: &Row) -> Value {
    let [median, lowest, highest] = match block.figures(row) {
        Some(figures) => figures.map(Some),
        None => [None; 3],
    };
    let outcome = match row.fault {
        None => "done",
        Some(Fault::Cannot(_)) => "cannot",
        Some(Fault::Failed(_)) => "fails",
        Some(Fault::Hung(_)) => "hangs",
    };
    json!({
        "peer": row.contender.peer.name(),
        "way": row.contender.way,
        "outcome": outcome,
        "why": row.fault.as_ref().map(describe),
        "median": median,
        "lowest": lowest,
        "highest": highest,
        "cost_to_ours": block.ratio(row),
        // In seconds, or in bytes of memory.
        "costs": row.samples.iter().map(|sample| sample.cost).collect::<Vec<_>>(),
        "cpu_seconds": row.median(|sample| Some(sample.cpu)),
        "peak_bytes": row.median(|sample| Some(sample.peak)),
    })
}
