//! A soak that a person can watch: children of all shapes, hundreds at once, each checked to the byte. At the end no process,
//! no zombie and no descriptor may be left, and the memory in use must not have grown.
//!
//! `cargo run --release --example soak -- --seconds 60`
//!
//! `--help` tells of its phases, each a proof of one property.

#[cfg(unix)]
mod children;
#[cfg(unix)]
mod latency;
#[cfg(unix)]
mod left;
#[cfg(unix)]
mod options;
#[cfg(unix)]
mod phases;
#[cfg(unix)]
mod progress;
#[cfg(unix)]
mod storm;

#[cfg(unix)]
use std::{process::ExitCode, thread, time::Duration};

#[cfg(not(unix))]
fn main() {
    println!("This example runs `sh`, `cat` and `sleep`, which are not here.");
}

#[cfg(unix)]
fn main() -> ExitCode {
    let options = match options::Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}\n\n{}", options::usage());
            return ExitCode::from(64);
        }
    };
    if options.help {
        println!("{}", options::usage());
        return ExitCode::SUCCESS;
    }
    let faults = match run(&options) {
        Ok(faults) => faults,
        Err(error) => vec![error.to_string()],
    };
    if faults.is_empty() {
        println!("\nall is well");
        return ExitCode::SUCCESS;
    }
    println!("\n{} wrong:", faults.len());
    for fault in &faults {
        println!("- {fault}");
    }
    ExitCode::FAILURE
}

#[cfg(unix)]
fn run(options: &options::Options) -> std::io::Result<Vec<String>> {
    let patience = match options.phase {
        Some(_) => Duration::from_secs(3600),
        None => Duration::from_secs(options.seconds + 180),
    };
    // What blocks a thread is not ended by a time-out of the runtime.
    thread::spawn(move || {
        thread::sleep(patience);
        eprintln!("it hangs");
        std::process::exit(1);
    });
    left::raise_limit();
    let folder = tempfile::tempdir()?;
    children::write_data(folder.path())?;
    let runtime = tokio::runtime::Runtime::new()?;
    if cfg!(not(target_os = "linux")) {
        println!("Descriptors, memory and descendants are counted on Linux only.");
    }
    Ok(runtime.block_on(async {
        let phases = match &options.phase {
            Some(name) => phases::named(name),
            None => return storm::run(options.seconds, options.parallel).await,
        };
        let mut faults = Vec::new();
        for phase in phases {
            println!("{}: {}", phase.name, phase.promise);
            let wrong = phases::run(phase).await;
            println!("  {}", if wrong.is_empty() { "ok" } else { "FAILED" });
            faults.extend((wrong.iter()).map(|wrong| format!("{}: {wrong}", phase.name)));
        }
        faults
    }))
}
