//! Compares the public API, as rustdoc has written it to a JSON file, with a text file; `--write` writes that file.
//!
//! `.ci/run` says how to call it.

use std::{collections::BTreeSet, env, fs, process::ExitCode};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<ExitCode> {
    let args: Vec<_> = env::args().skip(1).collect();
    let [json, text, write @ ..] = &args[..] else {
        return Err("rustdoc's JSON file, the text file, and perhaps --write".into());
    };
    let api = public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()?;
    let now: String = api.items().map(|item| format!("{item}\n")).collect();
    if write.iter().any(|arg| arg == "--write") {
        fs::write(text, now)?;
        return Ok(ExitCode::SUCCESS);
    }
    let before = fs::read_to_string(text)?;
    let [before, now] = [&before, &now].map(|text| text.lines().collect::<BTreeSet<_>>());
    for line in before.difference(&now) {
        println!("- {line}");
    }
    for line in now.difference(&before) {
        println!("+ {line}");
    }
    println!("{} items, {} before", now.len(), before.len());
    match before == now {
        true => Ok(ExitCode::SUCCESS),
        false => {
            println!("The public API has changed. If that is meant: `.ci/run api --write`.");
            Ok(ExitCode::FAILURE)
        }
    }
}
