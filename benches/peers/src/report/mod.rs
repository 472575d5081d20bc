//! What was found: as a table, as JSON, and as a chart.

mod chart;
mod json;
mod table;

use std::fs;

use crate::{
    Result,
    args::Args,
    machine::{Machine, versions},
    measure::{Block, Harness, Row, Sample},
    peers::{Peer, Scripts},
};

pub(crate) fn run(args: &Args) -> Result<()> {
    let machine = Machine::look();
    let scripts = Scripts::new(&args.peers)?;
    let versions = versions(&args.peers, &scripts);
    let harness = Harness::new(args, &scripts)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    println!("{}\n", list(&versions));
    let blocks = runtime.block_on(harness.run(|block| println!("{}", table::table(block))))?;
    println!("{}", machine.describe());
    if let Some(path) = &args.json {
        let json = json::json(args, &machine, &versions, &blocks);
        fs::write(path, serde_json::to_string_pretty(&json)? + "\n")?;
    }
    if let Some(path) = &args.svg {
        fs::write(path, chart::chart(&blocks, &machine.describe()))?;
    }
    Ok(())
}

fn list(versions: &[(Peer, String)]) -> String {
    let each = versions.iter();
    let each = each.map(|(peer, version)| format!("{} {version}", peer.name()));
    each.collect::<Vec<_>>().join(", ")
}

impl Row {
    fn median(&self, of: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
        let mut values: Vec<f64> = self.samples.iter().filter_map(of).collect();
        values.sort_by(f64::total_cmp);
        let (low, high) = (values.len().checked_sub(1)? / 2, values.len() / 2);
        Some((values[low] + values[high]) / 2.0)
    }

    fn cost(&self) -> Option<f64> {
        self.median(|sample| Some(sample.cost))
    }
}

impl Block {
    /// What the row's figures are: its median, its lowest and its highest.
    fn figures(&self, row: &Row) -> Option<[f64; 3]> {
        let figure = |cost| self.work.figure(self.amount, cost);
        let median = figure(row.cost()?);
        let all = || row.samples.iter().map(|sample| figure(sample.cost));
        let lowest = all().fold(f64::INFINITY, f64::min);
        Some([median, lowest, all().fold(f64::NEG_INFINITY, f64::max)])
    }

    /// The row's median cost as a multiple of ours.
    fn ratio(&self, row: &Row) -> Option<f64> {
        let is_ours = |row: &&Row| row.contender.peer == Peer::Ours && row.contender.way.is_empty();
        let ours = self.rows.iter().find(is_ours)?.cost()?;
        Some(row.cost()? / ours)
    }

    fn rounds(&self) -> usize {
        self.rows
            .iter()
            .map(|row| row.samples.len())
            .max()
            .unwrap_or(0)
    }

    /// What it is, and how much of it.
    fn title(&self) -> String {
        self.work.title(self.amount)
    }
}

/// Three digits that count.
fn short(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
