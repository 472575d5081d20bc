//! A table on the terminal.

use std::fmt::Write;

use super::short;
use crate::measure::{Block, Fault};

pub(super) fn table(block: &Block) -> String {
    let unit = block.work.unit;
    let better = if unit.more_is_better() {
        "more"
    } else {
        "less"
    };
    let mut text = format!(
        "{}: {}, {better} is better; medians, rounds in turn: {}\n",
        block.title(),
        unit.name(),
        block.rounds()
    );
    let _ = writeln!(
        text,
        "  {:<26}{:>9}{:>17}{:>10}{:>9}{:>11}",
        "", "", "lowest-highest", "cost, x", "CPU, s", "peak, MiB"
    );
    for row in &block.rows {
        let name = row.contender.to_string();
        let _ = write!(text, "  {name:<26}");
        if let Some(fault) = &row.fault {
            let _ = writeln!(text, " {}", describe(fault));
            continue;
        }
        let Some([median, lowest, highest]) = block.figures(row) else {
            continue;
        };
        let spread = format!("{}-{}", short(lowest), short(highest));
        let ratio = block
            .ratio(row)
            .map_or("-".into(), |ratio| format!("{ratio:.2}"));
        let cpu = row.median(|sample| Some(sample.cpu));
        let peak = row.median(|sample| Some(sample.peak));
        let _ = writeln!(
            text,
            "{:>9}{spread:>17}{ratio:>10}{:>9.2}{:>11.1}",
            short(median),
            cpu.unwrap_or(f64::NAN),
            peak.unwrap_or(f64::NAN) / f64::from(1 << 20),
        );
    }
    text
}

pub(super) fn describe(fault: &Fault) -> String {
    match fault {
        Fault::Cannot(why) => format!("cannot: {why}"),
        Fault::Failed(why) => format!("fails: {why}"),
        Fault::Hung(limit) => format!("hangs: cut off after {} s", limit.as_secs()),
    }
}
