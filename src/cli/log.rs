//! Log lines on the standard error.
//!
//! One event is one line, whatever a server puts into it: [`safe`] escapes what a terminal would obey. Colours are left out, so
//! that every escape sequence in a log would be a foreign one. Lines and the progress line take turns.

use std::io::{self, Write};

use indicatif::MultiProgress;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::args::{LogForm, Voice};
use super::render::safe;

/// Whether databases say themselves what is wrong with their files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Databases {
    Speak,
    /// Who looks for damage says it in words of its own.
    Silent,
}

/// Starts the log of this process; `bars` is what it takes turns with. A log that is there already stays.
pub(super) fn start(voice: Voice, bars: &MultiProgress, databases: Databases) {
    let lines = Lines { bars: bars.clone() };
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter(voice, databases))
        .with_ansi(false)
        .with_writer(lines);
    let started = match voice.log {
        LogForm::Text => log.with_target(voice.verbose > 1).try_init(),
        LogForm::Json => log.json().flatten_event(true).try_init(),
    };
    // A program of its own that has a log already keeps it.
    drop(started);
}

/// The words of a panic may come from a page: they are one line of the log, and nothing else.
pub(super) fn panics_are_lines() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let words = panic.payload_as_str().unwrap_or("no words");
        tracing::error!(place, "panicked: {words}");
    }));
}

/// Those who read markup would write every page into the log, with all that stands in it.
const EVERY_DETAIL: &str =
    "debug,crawl=trace,html5ever=error,markup5ever=error,selectors=error,cssparser=error";

/// Libraries that are fed with what servers say. Their warnings are about that, one for each element of a page or frame of a connection:
/// a server could fill the disk with them. What matters of it the crawl says itself.
const FED_BY_SERVERS: &str = "html5ever=error,markup5ever=error,selectors=error,cssparser=error,\
    hyper=error,hyper_util=error,h2=error,reqwest=error,rustls=error,feed_rs=error,dom_smoothie=error,dom_query=error";

/// Flags first, then `RUST_LOG`, then warnings and what the engine has to say of hosts.
fn filter(voice: Voice, databases: Databases) -> EnvFilter {
    let wanted = match (voice.quiet, voice.verbose, std::env::var("RUST_LOG")) {
        (true, ..) => "error".to_owned(),
        (_, 1, _) => format!("warn,crawl=debug,{FED_BY_SERVERS}"),
        (_, 2.., _) => EVERY_DETAIL.to_owned(),
        (_, 0, Ok(wanted)) if !wanted.trim().is_empty() => wanted,
        _ => format!("warn,crawl=info,{FED_BY_SERVERS}"),
    };
    let silence = if databases == Databases::Silent { ",fjall=off,lsm_tree=off,sled=off" } else { "" };
    EnvFilter::builder().parse_lossy(wanted + silence)
}

/// Where log lines go.
#[derive(Clone)]
struct Lines {
    bars: MultiProgress,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for Lines {
    /// Takes one event with its line end, as the formatter hands it over.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let line = clean(event);
        // A closed standard error is no reason to stop.
        self.bars.suspend(|| drop(io::stderr().lock().write_all(line.as_bytes())));
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn clean(event: &[u8]) -> String {
    let text = String::from_utf8_lossy(event);
    format!("{}\n", safe(text.strip_suffix('\n').unwrap_or(&text)))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Takes lines as [`Lines`] would print them.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<String>>);

    impl Write for Kept {
        fn write(&mut self, event: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().push_str(&clean(event));
            Ok(event.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What stands in the log of a field that a hostile server chose.
    fn logged(form: LogForm) -> String {
        let kept = Kept::default();
        let writer = kept.clone();
        let log = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone());
        let event = || {
            let evil = "a\x1b]0;x\x07\x1b[2J\u{202e}\u{9b}1m\r\nERROR forged\0";
            tracing::warn!(url = %evil, reason = evil, "page {evil}");
        };
        match form {
            LogForm::Text => tracing::subscriber::with_default(log.finish(), event),
            LogForm::Json => tracing::subscriber::with_default(log.json().finish(), event),
        }
        std::mem::take(&mut *kept.0.lock().unwrap())
    }

    #[test]
    fn a_server_cannot_write_into_the_log_but_text() {
        for form in [LogForm::Text, LogForm::Json] {
            let log = logged(form);
            assert_eq!(log.matches('\n').count(), 1, "{log:?}");
            assert!(!log.trim_end().chars().any(char::is_control), "{log:?}");
            assert!(!log.contains('\u{202e}'), "{log:?}");
        }
        assert!(serde_json::from_str::<serde_json::Value>(&logged(LogForm::Json)).is_ok());
    }

    #[test]
    fn a_page_cannot_fill_the_log_with_what_its_readers_think_of_it() {
        for verbose in [0, 1, 2] {
            let voice = Voice { verbose, quiet: false, log: LogForm::Text };
            let kept = Kept::default();
            let writer = kept.clone();
            let log = tracing_subscriber::fmt()
                .with_env_filter(filter(voice, Databases::Speak))
                .with_writer(move || writer.clone());
            tracing::subscriber::with_default(log.finish(), || {
                tracing::warn!(target: "html5ever::tree_builder", "foster parenting not implemented");
                tracing::error!(target: "html5ever::tree_builder", "a fault of its own");
            });
            let log = std::mem::take(&mut *kept.0.lock().unwrap());
            assert!(!log.contains("foster") && log.contains("of its own"), "{verbose}: {log}");
        }
    }

    #[test]
    fn flags_come_before_the_environment() {
        let voice = |verbose, quiet| Voice { verbose, quiet, log: LogForm::Text };
        assert_eq!(filter(voice(0, true), Databases::Speak).to_string(), "error");
        assert!(filter(voice(1, false), Databases::Speak).to_string().contains("crawl=debug"));
    }
}
