//! Was the crawl polite? Judged from its journal, after the fact and without asking the crawler.
//!
//! The journal has every request that left, with its moments, every robots.txt text, and what was configured. The audit goes
//! through it record by record and checks the rules again: robots.txt first, nothing disallowed, concurrency, delay,
//! Crawl-delay, told waits, scope. It shares no code with the rooms that keep these rules: `politeness` and `frontier` are out
//! of its reach by the floors of the house. Only the reader of robots.txt and the patterns of the scope are the same.
//!
//! Two rules of its own: **it never accuses wrongly** (what is not known counts for the crawler), and **it excuses nothing that
//! it sees** (a rounding of one millisecond is all that is granted).
//!
//! Pure, and in memory bounded by hosts: a journal of any length goes through it.

mod belonging;
mod finding;
mod gate;
mod pace;
pub mod record;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

pub use finding::{Breach, Findings, HostFinding, Rule};

use belonging::Belonging;
use finding::MAX_TOLD;
use gate::OriginGate;
use pace::{Fault, HostPace};
use record::{Begin, BodyPart, End, HostLine, OriginLine, Record, RobotsLine, RunStart, Verdict, What};

use crate::robots::{ProductToken, RobotsRules};
use crate::time::Timestamp;
use crate::url::{Canon, CanonicalUrl, Fingerprint, HostKey};

/// The longest robots.txt text that a journal may have.
const MAX_BODY: usize = 1 << 20;

/// Why a record makes no sense where it stands: the journal is not as this program writes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JournalFault {
    /// A record refers to something that was not said before.
    #[error("a record refers to one that is not there: records are missing or out of order")]
    Order,
    /// A text in it is not what it should be.
    #[error("{what} cannot be read: {reason}")]
    Unreadable {
        /// Which text.
        what: &'static str,
        /// Why not.
        reason: String,
    },
    /// A robots.txt text is not the one that its digest names.
    #[error("the text of a robots.txt was changed after it was written")]
    Digest,
}

/// Goes through the journals of a crawl, in the order of its runs.
#[derive(Debug, Default)]
pub struct Auditor {
    hosts: Vec<HostPace>,
    host_numbers: HashMap<String, usize>,
    origins: Vec<OriginGate>,
    origin_numbers: HashMap<String, usize>,
    belonging: Belonging,
    run: Option<Run>,
    findings: Findings,
    /// Verdicts that an earlier run kept and that no journal here has the answer to.
    taken_over: u64,
}

/// What is known of the run that is being read.
#[derive(Debug)]
struct Run {
    agent: ProductToken,
    /// The journal's numbers, as those of the auditor.
    hosts: Vec<usize>,
    origins: Vec<(usize, String)>,
    /// What the texts of this run say, by digest.
    texts: HashMap<u64, RobotsRules>,
    text: Vec<u8>,
    begun: u64,
    /// Requests that are out: their hosts, and for robots.txt the origins.
    out: BTreeMap<u64, Out>,
    max_in_flight: usize,
    min_interval_ms: Option<u64>,
    last_begin: Option<Timestamp>,
}

#[derive(Debug)]
struct Out {
    host: usize,
    robots_of: Option<usize>,
    url: String,
}

/// What a breach is about.
struct About<'a> {
    host: usize,
    request: u64,
    at: Timestamp,
    url: &'a str,
}

impl Auditor {
    /// An auditor that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// [`JournalFault`] if the record makes no sense here. The rest of this journal then cannot be judged; the next journal
    /// can.
    pub fn take(&mut self, record: Record) -> Result<(), JournalFault> {
        match record {
            Record::RunStart(start) => self.run_starts(&start),
            Record::Scope(line) => self.belonging.line(&line),
            Record::Host(line) => self.host(line),
            Record::Origin(line) => self.origin(&line),
            Record::Body(part) => self.body(part),
            Record::Robots(line) => self.robots(&line),
            Record::Begin(begin) => self.begin(&begin),
            Record::End(end) => self.end(&end),
            Record::RunEnd(_) => Ok(()),
        }
    }

    /// Adds a note on something that is not as usual and no breach.
    pub fn note(&mut self, note: impl Into<String>) {
        self.findings.notes.push(note.into());
    }

    /// Notes that a journal cannot be read to its end.
    pub fn damage(&mut self, damage: impl Into<String>) {
        self.findings.damage.push(damage.into());
    }

    /// What it has come to.
    #[must_use]
    pub fn finish(mut self) -> Findings {
        let mut findings = std::mem::take(&mut self.findings);
        findings.hosts = self.hosts.into_iter().map(HostPace::finish).collect();
        findings.hosts.sort_by(|a, b| a.host.cmp(&b.host));
        if self.taken_over > 0 {
            let count = self.taken_over;
            findings.notes.push(format!(
                "{count} robots.txt verdicts were kept by runs whose journal is gone: their texts were checked, their answers not"
            ));
        }
        let unanswered: u64 = findings.hosts.iter().map(|host| host.unanswered).sum();
        if unanswered > 0 {
            findings.notes.push(format!(
                "{unanswered} requests have no end in the journal (a crash, an interruption, or they are still out): taken to \
                 have ended when the next run began"
            ));
        }
        findings
    }

    fn run(&mut self) -> Result<&mut Run, JournalFault> {
        self.run.as_mut().ok_or(JournalFault::Order)
    }

    fn run_starts(&mut self, start: &RunStart) -> Result<(), JournalFault> {
        self.run = None;
        let agent = ProductToken::parse(&start.agent).map_err(|error| JournalFault::Unreadable {
            what: "the crawler's name",
            reason: error.to_string(),
        })?;
        self.findings.runs += 1;
        self.hosts.iter_mut().for_each(|host| host.run_starts(start.at));
        self.origins.iter_mut().for_each(OriginGate::run_starts);
        self.belonging.run_starts(start);
        self.run = Some(Run {
            agent,
            hosts: Vec::new(),
            origins: Vec::new(),
            texts: HashMap::new(),
            text: Vec::new(),
            begun: 0,
            out: BTreeMap::new(),
            max_in_flight: usize::try_from(start.max_in_flight).unwrap_or(usize::MAX).max(1),
            min_interval_ms: start.min_interval_ms,
            last_begin: None,
        });
        Ok(())
    }

    fn host(&mut self, line: HostLine) -> Result<(), JournalFault> {
        let number = self.host_number(&line.name);
        self.hosts[number].configure(line.pace);
        self.run()?.hosts.push(number);
        Ok(())
    }

    fn host_number(&mut self, name: &str) -> usize {
        if let Some(number) = self.host_numbers.get(name) {
            return *number;
        }
        let number = self.hosts.len();
        self.hosts.push(HostPace::new(name.to_owned()));
        self.host_numbers.insert(name.to_owned(), number);
        number
    }

    fn origin(&mut self, line: &OriginLine) -> Result<(), JournalFault> {
        let host = *self.run()?.hosts.get(line.host as usize).ok_or(JournalFault::Order)?;
        let number = match self.origin_numbers.get(&line.text) {
            Some(number) => *number,
            None => {
                let url = address(&line.text, "/")?;
                if url.host_key() != HostKey::of(&self.hosts[host].finding.host) {
                    return Err(JournalFault::Order);
                }
                self.origins.push(OriginGate::new(host, url.origin()));
                self.origin_numbers.insert(line.text.clone(), self.origins.len() - 1);
                self.origins.len() - 1
            }
        };
        self.run()?.origins.push((number, line.text.clone()));
        Ok(())
    }

    fn body(&mut self, part: BodyPart) -> Result<(), JournalFault> {
        let run = self.run()?;
        run.text.extend(part.bytes);
        if run.text.len() > MAX_BODY {
            return Err(JournalFault::Digest);
        }
        if part.last {
            let text = std::mem::take(&mut run.text);
            if Fingerprint::of(&text).get() != part.digest {
                return Err(JournalFault::Digest);
            }
            run.texts.insert(part.digest, RobotsRules::parse(&text, &run.agent));
        }
        Ok(())
    }

    fn robots(&mut self, line: &RobotsLine) -> Result<(), JournalFault> {
        let run = self.run()?;
        let (origin, text) = run.origins.get(line.origin as usize).cloned().ok_or(JournalFault::Order)?;
        let rules = match line.verdict {
            Verdict::Text(digest) => run.texts.get(&digest).cloned().ok_or(JournalFault::Order)?,
            Verdict::AllowAll => RobotsRules::allow_all(),
            Verdict::DenyAll | Verdict::Unreachable => RobotsRules::deny_all(),
        };
        let gate = &mut self.origins[origin];
        let host = gate.host;
        self.taken_over += u64::from(line.answer_to.is_none() && !gate.remembers(line));
        let fault = gate.rule(line, rules, self.hosts[host].max_wish());
        self.hosts[host].wish(origin, gate.wish());
        let url = format!("{text}/robots.txt");
        let about = About { host, request: line.answer_to.unwrap_or(0), at: line.at, url: &url };
        self.tell(&about, fault);
        Ok(())
    }

    fn begin(&mut self, begin: &Begin) -> Result<(), JournalFault> {
        let run = self.run()?;
        let request = run.begun;
        run.begun += 1;
        let (origin, text) = run.origins.get(begin.origin as usize).cloned().ok_or(JournalFault::Order)?;
        let robots_of = match begin.what {
            What::Robots(of) => Some(run.origins.get(of as usize).ok_or(JournalFault::Order)?.0),
            What::Page | What::Control | What::File => None,
        };
        let host = self.origins[origin].host;
        let url = address(&text, &begin.path)?;
        let mut faults = self.crawl_wide(begin.at)?;
        faults.extend(self.hosts[host].begin(request, begin.at));
        match robots_of {
            Some(of) => {
                self.hosts[host].finding.robots += 1;
                faults.extend(self.origins[of].ask(request, &url));
            }
            None => faults.extend(self.page(origin, &url, begin)),
        }
        self.findings.requests += 1;
        self.tell(&About { host, request, at: begin.at, url: url.as_str() }, faults);
        self.run()?.out.insert(request, Out { host, robots_of, url: url.as_str().to_owned() });
        Ok(())
    }

    fn page(&mut self, origin: usize, url: &CanonicalUrl, begin: &Begin) -> Vec<Fault> {
        let gate = &self.origins[origin];
        let host = &mut self.hosts[gate.host];
        host.checked(Rule::RobotsFirst);
        host.checked(Rule::Disallowed);
        host.checked(Rule::Scope);
        if gate.has_visit_time() {
            host.checked(Rule::VisitTime);
        }
        let mut faults = gate.page(url, begin.at);
        let belongs = match begin.what {
            What::File => self.belonging.judge_file(url),
            _ => self.belonging.judge(url, begin.depth),
        };
        faults.extend(belongs.err().map(|why| (Rule::Scope, why)));
        faults
    }

    fn crawl_wide(&mut self, at: Timestamp) -> Result<Vec<Fault>, JournalFault> {
        let run = self.run()?;
        let mut faults = Vec::new();
        let (now, most) = (run.out.len() + 1, run.max_in_flight);
        if now > most {
            faults.push((Rule::Crawl, format!("was number {now} in flight over all hosts, {most} allowed")));
        }
        let before = run.last_begin.replace(at);
        if let (Some(before), Some(least)) = (before, run.min_interval_ms) {
            let gap = pace::ahead(before, at);
            if gap.saturating_add(1) < i64::try_from(least).unwrap_or(i64::MAX) {
                faults.push((
                    Rule::Crawl,
                    format!("left {gap} ms after the request before it, {least} ms asked"),
                ));
            }
        }
        Ok(faults)
    }

    fn end(&mut self, end: &End) -> Result<(), JournalFault> {
        let run = self.run()?;
        let Out { host, robots_of, .. } = run.out.remove(&end.request).ok_or(JournalFault::Order)?;
        if let Some(of) = robots_of {
            self.origins[of].answered(end);
        }
        for (request, at, fault) in self.hosts[host].end(end) {
            let out = self.run.as_ref().and_then(|run| run.out.get(&request));
            let url = out.map(|out| out.url.clone()).unwrap_or_default();
            self.tell(&About { host, request, at, url: &url }, [fault]);
        }
        Ok(())
    }

    fn tell(&mut self, about: &About<'_>, faults: impl IntoIterator<Item = Fault>) {
        let finding = &mut self.hosts[about.host].finding;
        for (rule, what) in faults {
            finding.breaches += 1;
            self.findings.broken += 1;
            if self.findings.breaches.len() < MAX_TOLD {
                self.findings.breaches.push(Breach {
                    rule,
                    host: finding.host.clone(),
                    at: about.at,
                    url: about.url.to_owned(),
                    run: self.findings.runs,
                    request: about.request,
                    what,
                });
            }
        }
    }
}

/// The URL of an origin and a path, as it was asked.
fn address(origin: &str, path: &str) -> Result<CanonicalUrl, JournalFault> {
    if !path.starts_with('/') {
        return Err(JournalFault::Unreadable {
            what: "a path",
            reason: "it has no slash in front".to_owned(),
        });
    }
    let url = Canon::of([]).parse(&format!("{origin}{path}"));
    url.map_err(|error| JournalFault::Unreadable { what: "a URL", reason: error.to_string() })
}
