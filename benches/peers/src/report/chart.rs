//! A chart: for each work a row, for each peer a mark at what it costs as a multiple of ours.
//!
//! It has no background, and its text and lines follow the reader's colour scheme.

use std::fmt::Write;

use super::short;
use crate::{
    measure::{Block, Fault, Row},
    peers::{PEERS, Peer},
};

const WIDTH: f64 = 900.0;
/// Where the scale begins and ends.
const LEFT: f64 = 300.0;
const RIGHT: f64 = 745.0;
const TOP: f64 = 128.0;
const ROW: f64 = 44.0;
/// The powers of two that the scale spans; what is beyond is at its end.
const LOWEST: f64 = -2.0;
const HIGHEST: f64 = 5.0;

const STYLE: &str = "\
text { font: 12px system-ui, sans-serif; fill: #333; }
.head { font-size: 15px; font-weight: 600; }
.small { font-size: 10.5px; fill: #666; }
.grid { stroke: #888; stroke-opacity: .35; }
.ours { stroke: #d9534f; stroke-width: 2; }
@media (prefers-color-scheme: dark) { text { fill: #ddd; } .small { fill: #aaa; } }
";

pub(super) fn chart(blocks: &[Block], machine: &str) -> String {
    let bottom = TOP + ROW * blocks.len() as f64;
    let height = bottom + 44.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" role=\"img\" aria-label=\"process-io and its peers\">\n\
         <style>\n{STYLE}</style>\n"
    );
    text(
        &mut svg,
        (10.0, 22.0),
        "head",
        "start",
        "Cost as a multiple of process-io's",
    );
    legend(&mut svg, blocks);
    scale(&mut svg, bottom);
    for (at, block) in blocks.iter().enumerate() {
        row(&mut svg, block, TOP + ROW * (at as f64 + 0.5));
    }
    text(&mut svg, (10.0, height - 8.0), "small", "start", machine);
    svg + "</svg>\n"
}

/// Which marks are whose: three to a column.
fn legend(svg: &mut String, blocks: &[Block]) {
    let is_shown = |peer: &&Peer| {
        let mut rows = blocks.iter().flat_map(|block| &block.rows);
        **peer != Peer::Ours && rows.any(|row| row.contender.peer == **peer)
    };
    for (at, &peer) in PEERS.iter().filter(is_shown).enumerate() {
        let x = 18.0 + 178.0 * (at / 3) as f64;
        let y = 48.0 + 18.0 * (at % 3) as f64;
        mark(svg, peer, (x, y), peer.name());
        text(svg, (x + 12.0, y + 4.0), "", "start", peer.name());
    }
}

fn scale(svg: &mut String, bottom: f64) {
    for power in LOWEST as i32..=HIGHEST as i32 {
        let multiple = f64::from(power).exp2();
        let x = place(multiple);
        let class = if power == 0 { "ours" } else { "grid" };
        let _ = writeln!(
            svg,
            "<line class=\"{class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>"
        );
        let label = match power {
            0 => "process-io".to_owned(),
            5 => "32 or more".to_owned(),
            _ => multiple.to_string(),
        };
        text(svg, (x, TOP - 6.0), "small", "middle", &label);
    }
    text(
        svg,
        (RIGHT + 95.0, TOP - 6.0),
        "small",
        "middle",
        "cannot, or fails",
    );
    text(
        svg,
        (place(1.0) - 8.0, bottom + 14.0),
        "small",
        "end",
        "cheaper",
    );
    text(
        svg,
        (place(1.0) + 8.0, bottom + 14.0),
        "small",
        "start",
        "dearer",
    );
}

fn row(svg: &mut String, block: &Block, y: f64) {
    let rule = y + ROW / 2.0;
    let _ = writeln!(
        svg,
        "<line class=\"grid\" x1=\"10\" x2=\"{}\" y1=\"{rule}\" y2=\"{rule}\"/>",
        WIDTH - 10.0
    );
    text(svg, (10.0, y - 2.0), "", "start", &block.title());
    let usual = |row: &&Row| row.contender.way.is_empty();
    let mut faulty = 0.0;
    let mut marks: Vec<(i8, f64)> = Vec::new();
    for row in block.rows.iter().filter(usual) {
        let peer = row.contender.peer;
        let lane = y + 11.0 * f64::from(lane(peer));
        if let Some(fault) = &row.fault {
            let why = super::table::describe(fault);
            let title = format!("{}: {why}", peer.name());
            mark(svg, peer, (RIGHT + 40.0 + 15.0 * faulty, y), &title);
            if !matches!(fault, Fault::Cannot(_)) {
                text(
                    svg,
                    (RIGHT + 40.0 + 15.0 * faulty, y + 16.0),
                    "small",
                    "middle",
                    "!",
                );
            }
            faulty += 1.0;
        } else if let Some([figure, ..]) = block.figures(row) {
            let figure = format!("{} {}", short(figure), block.work.unit.name());
            if peer == Peer::Ours {
                let own = format!("process-io: {figure}");
                text(svg, (10.0, y + 13.0), "small", "start", &own);
            } else if let Some(ratio) = block.ratio(row) {
                let title = format!("{}: {figure}, {} times ours", peer.name(), short(ratio));
                // Marks in the same place would look like one.
                let mut x = place(ratio);
                while (marks.iter())
                    .any(|mark| mark.0 == self::lane(peer) && (mark.1 - x).abs() < 3.0)
                {
                    x += 4.0;
                }
                marks.push((self::lane(peer), x));
                mark(svg, peer, (x, lane), &title);
            }
        }
    }
}

/// Where a multiple is on the scale.
fn place(multiple: f64) -> f64 {
    let power = multiple.log2().clamp(LOWEST, HIGHEST);
    LEFT + (power - LOWEST) / (HIGHEST - LOWEST) * (RIGHT - LEFT)
}

/// Asynchronous Rust above, blocking ones in the middle, other languages below.
fn lane(peer: Peer) -> i8 {
    match peer {
        Peer::Subprocess | Peer::Duct | Peer::Std | Peer::Shell => 0,
        Peer::Python | Peer::Go | Peer::Node => 1,
        _ => -1,
    }
}

/// Colours that can be seen on white and on black.
fn colour(peer: Peer) -> &'static str {
    match peer {
        Peer::Ours => "#d9534f",
        Peer::Tokio => "#2f81f7",
        Peer::AsyncProcess => "#a371f7",
        Peer::TokioProcessStream => "#d6539b",
        Peer::TokioProcessTools => "#c98a1b",
        Peer::Processkit => "#2da44e",
        Peer::Subprocess => "#2f81f7",
        Peer::Duct => "#c98a1b",
        Peer::Std => "#8b949e",
        Peer::Shell => "#2da44e",
        Peer::Python => "#2f81f7",
        Peer::Go => "#c98a1b",
        Peer::Node => "#2da44e",
    }
}

/// A circle, a square or a triangle, by the lane.
fn mark(svg: &mut String, peer: Peer, (x, y): (f64, f64), title: &str) {
    let shape = match lane(peer) {
        -1 => format!("circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\""),
        0 => format!(
            "rect x=\"{:.1}\" y=\"{:.1}\" width=\"9\" height=\"9\"",
            x - 4.5,
            y - 4.5
        ),
        _ => {
            let (left, right) = (x - 5.5, x + 5.5);
            let (base, tip) = (y + 4.5, y - 5.0);
            format!("polygon points=\"{left:.1},{base:.1} {right:.1},{base:.1} {x:.1},{tip:.1}\"")
        }
    };
    let name = shape.split(' ').next().unwrap_or_default();
    let _ = writeln!(
        svg,
        "<{shape} fill=\"{}\" fill-opacity=\".85\"><title>{}</title></{name}>",
        colour(peer),
        escape(title)
    );
}

fn text(svg: &mut String, (x, y): (f64, f64), class: &str, anchor: &str, text: &str) {
    let _ = writeln!(
        svg,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>",
        escape(text)
    );
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
