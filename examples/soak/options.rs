//! [`Options`]: the command line.

use crate::phases;

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) seconds: u64,
    pub(crate) parallel: usize,
    pub(crate) phase: Option<String>,
    pub(crate) help: bool,
}

impl Options {
    pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            seconds: 60,
            parallel: 200,
            phase: None,
            help: false,
        };
        while let Some(option) = args.next() {
            let mut value = || args.next().ok_or(format!("{option} needs a value"));
            let bad = |_| format!("{option} needs a number");
            match option.as_str() {
                "--seconds" => options.seconds = value()?.parse().map_err(bad)?,
                "--parallel" => options.parallel = value()?.parse().map_err(bad)?,
                "--phase" => options.phase = Some(value()?),
                "--help" | "-h" => options.help = true,
                _ => return Err(format!("no such option: {option}")),
            }
        }
        match &options.phase {
            Some(name) if phases::named(name).is_empty() => Err(format!("no such phase: {name}")),
            _ if options.parallel == 0 => Err("--parallel needs 1 or more".to_owned()),
            _ => Ok(options),
        }
    }
}

pub(crate) fn usage() -> String {
    let mut text = "soak [--seconds 60] [--parallel 200]\nsoak --phase NAME\n\nphases:".to_owned();
    for phase in phases::named("all") {
        text += &format!("\n  {:12} {}", phase.name, phase.promise);
    }
    text + "\n  all          one after the other"
}
