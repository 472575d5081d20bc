//! process-io beside its peers, on the same work.
//!
//! ```sh
//! cargo run --release -p process-io-peers -- --quick
//! ```
//!
//! `--quick`, which is the default, takes less than three minutes, `--full` does what README.md shows. `--help` lists
//! the other options.
//!
//! All peers do a work in turn, round after round, each time in a process of its own: so none disturbs another, its
//! processor time and memory are known, and one that hangs can be ended. The clock runs in that process, from just before the
//! spawn until all is there; that all is there is checked here, by its bytes. Compare ratios only, and only
//! within one run: what else the machine does decides more than the code.
//!
//! | file | holds |
//! |---|---|
//! | `args` | what is wanted |
//! | `work` | the work, and how much of it |
//! | `child` | the children that most of it is done with |
//! | `peers` | how each peer does it |
//! | `worker` | one measurement, in its own process |
//! | `measure` | all measurements, in turn |
//! | `machine` | where and when, and which versions |
//! | `report` | the table, JSON, and the chart |

#[cfg(unix)]
mod args;
#[cfg(unix)]
mod child;
#[cfg(unix)]
mod machine;
#[cfg(unix)]
mod measure;
#[cfg(unix)]
mod peers;
#[cfg(unix)]
mod report;
#[cfg(unix)]
mod work;
#[cfg(unix)]
mod worker;

#[cfg(unix)]
type Result<T = work::Done> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[cfg(unix)]
fn run() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.split_first() {
        Some((mode, rest)) if mode == "child" => child::run(rest),
        Some((mode, rest)) if mode == worker::MODE => worker::run(rest),
        _ => match args::Args::parse(&args)? {
            Some(args) => report::run(&args),
            None => {
                print!("{}", args::help());
                Ok(())
            }
        },
    }
}

#[cfg(unix)]
fn main() {
    if let Err(error) = run() {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

#[cfg(not(unix))]
fn main() {
    println!("The work is done with `cat`, `sh` and `wc`, which are not here.");
}
