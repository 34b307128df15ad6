//! Which sections of a host are forbidden to us.
//!
//! A section is the first directory of a path: `/private/` for `/private/a/b.html`. Pages at the root have none. Only a host
//! that is known to answer (a control has passed) has forbidden sections; else it may be the host that forbids.
//!
//! Bounded: sections beyond 256 push out the one that was forbidden least recently. Kept while the host sleeps, and not from run to run: a later run asks again.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::BlockPolicy;

/// Sections of a host that are counted.
const MAX_SECTIONS: usize = 256;
/// Longer names are not told apart behind so many bytes.
const MAX_NAME: usize = 200;

/// Forbidden pages in a row, for each section of a host.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Sections {
    counts: HashMap<Box<str>, Count>,
    turn: u64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Count {
    in_a_row: u32,
    /// Whether a control has shown since the first of them that the host as a whole is not forbidden.
    confirmed: bool,
    /// When it was forbidden last, in forbidden pages of the host.
    turn: u64,
}

/// The section of a path: its first directory with both slashes, if it has one.
#[must_use]
pub fn section(path: &str) -> Option<&str> {
    let inner = path.strip_prefix('/')?;
    let end = inner.find(['/', '?', '#'])?;
    (inner.as_bytes()[end] == b'/').then(|| cut(&path[..end + 2]))
}

fn cut(name: &str) -> &str {
    let mut end = name.len().min(MAX_NAME);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

impl Sections {
    /// A page of this path was forbidden.
    pub fn forbidden(&mut self, path: &str) {
        let Some(section) = section(path) else { return };
        self.turn += 1;
        let turn = self.turn;
        if let Some(count) = self.counts.get_mut(section) {
            count.in_a_row = count.in_a_row.saturating_add(1);
            count.turn = turn;
            return;
        }
        self.make_room();
        self.counts.insert(section.into(), Count { in_a_row: 1, confirmed: false, turn });
    }

    fn make_room(&mut self) {
        if self.counts.len() < MAX_SECTIONS {
            return;
        }
        let oldest = self.counts.iter().min_by_key(|(_, count)| count.turn).map(|(name, _)| name.clone());
        if let Some(oldest) = oldest {
            self.counts.remove(&oldest);
        }
    }

    /// A page of this path was answered well.
    pub fn fine(&mut self, path: &str) {
        if let Some(section) = section(path) {
            self.counts.remove(section);
        }
    }

    /// A control has passed: the host answers, so what is forbidden is a section.
    pub fn confirm(&mut self) {
        self.counts.values_mut().for_each(|count| count.confirmed = true);
    }

    /// It is the host that refuses. What was counted says nothing of sections.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// Whether pages of this path are not worth asking: so many of its section were forbidden in a row, and a control has
    /// passed since the first of them.
    #[must_use]
    pub fn is_shut(&self, path: &str, policy: &BlockPolicy) -> bool {
        let count = section(path).and_then(|section| self.counts.get(section));
        count.is_some_and(|count| count.confirmed && count.in_a_row >= policy.section_after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> BlockPolicy {
        BlockPolicy::default()
    }

    fn forbid(sections: &mut Sections, path: &str, times: u32) {
        for _ in 0..times {
            sections.forbidden(path);
        }
    }

    #[test]
    fn a_section_is_the_first_directory() {
        for (path, expected) in [
            ("/private/a.html", Some("/private/")),
            ("/private/b/c/?d=/e/", Some("/private/")),
            ("/private/", Some("/private/")),
            ("/private", None),
            ("/", None),
            ("/?a=/b/", None),
            ("/page?next=/b/", None),
            ("//a", Some("//")),
            ("", None),
            ("*", None),
        ] {
            assert_eq!(section(path), expected, "{path}");
        }
    }

    #[test]
    fn a_section_is_shut_after_five_forbidden_pages_in_a_row_once_a_control_has_passed() {
        let mut sections = Sections::default();
        forbid(&mut sections, "/private/a", 4);
        sections.confirm();
        assert!(!sections.is_shut("/private/b", &policy()));
        sections.forbidden("/private/c");
        assert!(sections.is_shut("/private/b", &policy()));
        assert!(!sections.is_shut("/public/b", &policy()));
    }

    #[test]
    fn without_a_control_nothing_is_shut() {
        let mut sections = Sections::default();
        forbid(&mut sections, "/private/a", 50);
        assert!(!sections.is_shut("/private/a", &policy()));
    }

    #[test]
    fn one_page_that_is_fine_opens_its_section() {
        let mut sections = Sections::default();
        sections.confirm();
        forbid(&mut sections, "/private/a", 4);
        sections.fine("/private/b");
        forbid(&mut sections, "/private/a", 4);
        assert!(!sections.is_shut("/private/a", &policy()));
    }

    #[test]
    fn pages_at_the_root_are_never_shut() {
        let mut sections = Sections::default();
        sections.confirm();
        forbid(&mut sections, "/login", 50);
        assert!(!sections.is_shut("/login", &policy()));
    }

    #[test]
    fn of_too_many_sections_the_oldest_is_forgotten() {
        let mut sections = Sections::default();
        forbid(&mut sections, "/first/", 5);
        forbid(&mut sections, "/second/", 5);
        sections.confirm();
        for number in 0..MAX_SECTIONS - 1 {
            sections.forbidden(&format!("/{number}/"));
        }
        assert!(!sections.is_shut("/first/", &policy()));
        assert!(sections.is_shut("/second/", &policy()));
        assert_eq!(sections.counts.len(), MAX_SECTIONS);
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        let path = format!("/{}/", "ä".repeat(300));
        assert_eq!(section(&path).map(str::len), Some(199));
    }
}
