//! The answer to `crawl explain` for people: the conclusion first, then every fact that it rests on.

use std::time::Duration;

use super::{QueueSaid, Said};
use crate::cli::render::{counted, duration, safe, wrapped};

/// Columns of the text.
const WIDTH: usize = 100;
/// Columns of a row's name, with its space.
const NAME: usize = 10;

impl Said {
    pub(super) fn text(&self) -> String {
        let mut text = Rows(wrapped(&safe(&format!("{}: {}", self.url, self.because)), WIDTH, ""));
        for change in &self.changes {
            text.row("normal", &format!("{} (by {})", change.url, change.step));
        }
        let key = self.scope.key.as_ref().map(|key| format!("{key}: ")).unwrap_or_default();
        let word = if self.scope.belongs { "in" } else { "out" };
        text.row("scope", &format!("{word}: {key}{}", self.scope.reason));
        text.row("robots", &self.robots_line());
        let seen = if self.seen { "known" } else { "not known" };
        text.row("seen", &format!("{seen} in round {}, key {}", self.round, self.fingerprint));
        if let Some(queue) = &self.queue {
            text.row("queue", &queue_line(queue));
        }
        if let Some(failed) = &self.failed {
            let status = failed.status.map(|status| format!(", status {status}")).unwrap_or_default();
            text.row("failed", &format!("{}{status}: {}, at {}", failed.class, failed.reason, failed.at));
        }
        if let Some(kept) = &self.kept {
            let [etag, modified] =
                [&kept.etag, &kept.last_modified].map(|field| field.as_deref().unwrap_or("-"));
            let (items, links) = (counted(kept.items as u64, "item"), counted(kept.links as u64, "link"));
            text.row("kept", &format!("{items}, {links}, checked {}", kept.checked));
            text.row("", &format!("ETag {etag}, Last-Modified {modified}"));
        }
        text.row("host", &self.host_line());
        for wait in &self.waits {
            let until = wait.until.as_ref().map(|until| format!(", until {until}")).unwrap_or_default();
            text.row("waits for", &format!("{}{until}", wait.reason));
        }
        if let Some(todo) = &self.host.todo {
            text.row("do", todo);
        }
        text.0
    }

    fn robots_line(&self) -> String {
        let robots = &self.robots;
        let word = match robots.allowed {
            Some(true) => "allowed: ",
            Some(false) => "not allowed: ",
            None => "",
        };
        let fetched = robots.fetched_at.as_ref().map(|at| format!("; asked at {at}")).unwrap_or_default();
        let expires = robots.expires_at.as_ref().map(|at| format!(", holds until {at}")).unwrap_or_default();
        format!("{word}{}{fetched}{expires}", robots.reason)
    }

    fn host_line(&self) -> String {
        let host = &self.host;
        let trouble = host.trouble.as_ref().map(|trouble| format!(" ({trouble})")).unwrap_or_default();
        let waiting = counted(host.waiting, "request");
        format!(
            "{}: {}{trouble}, {} by {}, {waiting} waiting",
            host.host,
            host.standing,
            host.pace,
            host.pace.decided_by.as_str()
        )
    }
}

fn queue_line(queue: &QueueSaid) -> String {
    let label = queue.label.as_ref().map(|label| format!(", label {label:?}")).unwrap_or_default();
    let turn = duration(Duration::try_from_secs_f64(queue.seconds).unwrap_or(Duration::MAX));
    format!(
        "number {} of {} at {}, priority {}, depth {}{label}, {} and {}; its turn is about {turn} after the crawl goes on",
        queue.place,
        queue.of,
        queue.origin,
        queue.priority,
        queue.depth,
        counted(u64::from(queue.tries), "failed try").replace("trys", "tries"),
        counted(u64::from(queue.refusals), "refusal"),
    )
}

/// Lines with a name in front.
struct Rows(String);

impl Rows {
    fn row(&mut self, name: &str, value: &str) {
        let margin = " ".repeat(NAME + 2);
        let lines = wrapped(&safe(value), WIDTH, &margin);
        let first = lines.strip_prefix(&margin).unwrap_or(&lines);
        self.0.push_str(&format!("  {name:<NAME$}{first}"));
    }
}
