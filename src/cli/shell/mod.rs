//! `crawl shell`: one page after the other, looked at by hand.
//!
//! Pages come by the road of `crawl fetch`: robots.txt, pace, waits, journal, state. Everything else looks at the page that is there
//! and asks nobody. A command that goes wrong says so and the next one is read. Answers go to the standard output, everything else
//! to the standard error, so that a script that pipes commands in gets answers alone. Nothing is kept of what was typed.

mod command;
mod session;

use std::io::{self, BufRead, IsTerminal};

use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{Config, Editor};

use super::args::ShellArgs;
use super::exit::{Exit, Failure};
use super::render::{safe, tell};
use super::{Registry, Stage};
use command::{Command, Line};
use session::Session;

const PROMPT: &str = "crawl> ";

pub(super) fn shell(args: &ShellArgs, stage: &Stage, registry: &Registry) -> Result<Exit, Failure> {
    let mut session = Session::open(args, stage, registry)?;
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        tell("`help` lists the commands, `quit` or Ctrl-D leaves");
        typed(&mut session)?;
    } else {
        piped(&mut session)?;
    }
    Ok(session.exit())
}

/// Reads lines that a person types, with a history in memory.
fn typed(session: &mut Session<'_>) -> Result<(), Failure> {
    let refused = |source: ReadlineError| Failure::System {
        what: "to read from the terminal",
        source: io::Error::other(source.to_string()),
    };
    let config = Config::builder().auto_add_history(true).build();
    let history = MemHistory::with_config(&config);
    let mut editor: Editor<(), MemHistory> = Editor::with_history(config, history).map_err(refused)?;
    loop {
        match editor.readline(PROMPT) {
            Ok(line) => {
                if obey(session, &line)? == Next::Leave {
                    return Ok(());
                }
            }
            Err(ReadlineError::Interrupted) => tell("`quit` or Ctrl-D leaves"),
            Err(ReadlineError::Eof) => return Ok(()),
            // The size of the window has changed.
            Err(ReadlineError::Signal(_)) => {}
            Err(error) => return Err(refused(error)),
        }
    }
}

/// Reads lines that a script has written.
fn piped(session: &mut Session<'_>) -> Result<(), Failure> {
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = input.read_until(b'\n', &mut line);
        let read = read.map_err(|source| Failure::System { what: "to read the standard input", source })?;
        if read == 0 || obey(session, &String::from_utf8_lossy(&line))? == Next::Leave {
            return Ok(());
        }
    }
}

/// What comes after a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Line,
    Leave,
}

/// Does what a line says. Only an output that nobody reads any more is a reason to end.
fn obey(session: &mut Session<'_>, line: &str) -> Result<Next, Failure> {
    let done = match command::read(line) {
        Ok(Line::Nothing) => Ok(()),
        Ok(Line::Command(Command::Quit)) => return Ok(Next::Leave),
        Ok(Line::Command(command)) => session.obey(&command),
        Err(error) => Err(Failure::Usage(error.to_string())),
    };
    match done {
        Err(failure) if failure.is_closed_output() => Err(failure),
        Err(failure) => {
            let text = failure.to_string();
            let lines: Vec<_> = text.lines().map(safe).collect();
            // Problems of a crawler file are laid out by their own room.
            let mark = if matches!(failure, Failure::Config(_)) { "" } else { "error: " };
            tell(&format!("{mark}{}", lines.join("\n")));
            Ok(Next::Line)
        }
        Ok(()) => Ok(Next::Line),
    }
}
