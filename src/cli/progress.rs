//! The live line on a terminal. A pipe gets none.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use tokio::sync::watch;

use super::args::{LogForm, Voice};
use super::render::{counted, duration, per_time, safe};
use crate::clock::Clock;
use crate::engine::{Progress, Totals, Trouble};
use crate::time::Timestamp;

/// How often the line is drawn anew.
const EVERY: Duration = Duration::from_millis(250);

/// Waits shorter than this are the usual pace and not worth a word.
const WORTH_SAYING: Duration = Duration::from_millis(1_500);

/// The screen that log and progress share.
pub(super) fn screen() -> MultiProgress {
    MultiProgress::with_draw_target(ProgressDrawTarget::stderr())
}

/// Begins the live line, if somebody sits there to see it. It ends with [`ProgressBar::finish_and_clear`].
pub(super) fn show(
    screen: &MultiProgress,
    voice: Voice,
    progress: watch::Receiver<Progress>,
    clock: Clock,
) -> Option<ProgressBar> {
    if voice.quiet || voice.log == LogForm::Json || !std::io::stderr().is_terminal() {
        return None;
    }
    let started = clock.now();
    let line = move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
        let text = describe(&progress.borrow(), started, clock.now());
        out.write_str(&text).expect("the line is a String");
    };
    let style = ProgressStyle::with_template("{spinner} {crawl}").expect("the template is a constant");
    let bar = screen.add(ProgressBar::new_spinner().with_style(style.with_key("crawl", line)));
    bar.enable_steady_tick(EVERY);
    Some(bar)
}

fn describe(progress: &Progress, started: Timestamp, now: Timestamp) -> String {
    let run = &progress.run;
    let seconds = now.since(started).as_secs_f64().max(0.001);
    let mut text = format!(
        "{} {:.1}/s | {} | {} in flight",
        counted(run.pages, "page"),
        run.pages as f64 / seconds,
        counted(run.items, "item"),
        progress.in_flight,
    );
    add_changes(&mut text, run);
    let lost = run.failed + run.parse_errors;
    if lost > 0 {
        write!(text, " | {lost} lost").expect("a String takes everything");
    }
    if progress.hosts_waiting > 0 {
        write!(text, " | {} waiting", counted(progress.hosts_waiting as u64, "host"))
            .expect("a String takes everything");
    }
    add_trouble(&mut text, &progress.trouble);
    let idle = progress.next_wake.filter(|_| progress.in_flight == 0).map(|wake| wake.since(now));
    if let Some(wait) = idle.filter(|wait| *wait >= WORTH_SAYING) {
        write!(text, " | next request in {}", duration(wait)).expect("a String takes everything");
    }
    text
}

/// How pages stand to what earlier rounds saw; in the first round there is none.
fn add_changes(text: &mut String, run: &Totals) {
    if run.changed + run.unchanged + run.gone > 0 {
        write!(text, " | {} new, {} changed, {} gone", run.new, run.changed, run.gone)
            .expect("a String takes everything");
    }
}

/// Hosts that refuse, by how they stand, and what they cost.
fn add_trouble(text: &mut String, trouble: &Trouble) {
    let counts = [
        (trouble.limited, "limited"),
        (trouble.down, "down"),
        (trouble.suspected, "suspected"),
        (trouble.blocked, "blocked"),
    ];
    let mut add = |part: String| write!(text, " | {part}").expect("a String takes everything");
    for (count, standing) in counts.into_iter().filter(|(count, _)| *count > 0) {
        add(format!("{count} {standing}"));
    }
    if let Some((host, rate)) = &trouble.slowest {
        add(format!("{} at {}", safe(host.as_str()), per_time(*rate)));
    }
    if trouble.throttled >= WORTH_SAYING {
        add(format!("refusals cost {}", duration(trouble.throttled)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_refuse_are_counted_by_how_they_stand_with_what_they_cost() {
        let trouble = Trouble {
            limited: 2,
            blocked: 1,
            throttled: Duration::from_secs(14),
            slowest: Some((crate::url::HostKey::of("a.example"), 0.42)),
            ..Trouble::default()
        };
        let text = describe(&Progress { trouble, ..Progress::default() }, Timestamp::ZERO, Timestamp::ZERO);
        let end = " | 2 limited | 1 blocked | a.example at 0.42/s | refusals cost 14.0 s";
        assert!(text.ends_with(end), "{text}");
    }

    #[test]
    fn what_has_changed_is_told_from_the_second_round_on() {
        let line = |run| {
            describe(&Progress { run, ..Progress::default() }, Timestamp::ZERO, Timestamp::from_secs(10))
        };
        let again = Totals { pages: 10, new: 1, changed: 2, unchanged: 7, ..Totals::default() };
        assert_eq!(line(again), "10 pages 1.0/s | 0 items | 0 in flight | 1 new, 2 changed, 0 gone");
        assert!(!line(Totals { pages: 10, new: 10, ..Totals::default() }).contains("new"));
    }

    #[test]
    fn the_line_tells_pace_and_what_is_waited_for() {
        let progress = Progress {
            run: Totals { pages: 30, items: 1, failed: 2, ..Totals::default() },
            hosts_waiting: 1,
            next_wake: Some(Timestamp::from_secs(70)),
            ..Progress::default()
        };
        let text = describe(&progress, Timestamp::ZERO, Timestamp::from_secs(10));
        assert_eq!(
            text,
            "30 pages 3.0/s | 1 item | 0 in flight | 2 lost | 1 host waiting | next request in 1 min"
        );
    }
}
