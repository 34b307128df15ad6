//! The URLs of a bench: which hosts there are, how many pages each has, and what is linked.
//!
//! A URL is a host's number and the page's number in it, so that nothing but the hosts' sizes is kept. A tenth of all URLs are of
//! the first host; the others are spread by Zipf's law. Paths have some 55 bytes of which about half are alike within a site.

use std::fmt::Write as _;

use fastrand::Rng;

use crate::request::Request;
use crate::url::CanonicalUrl;

/// Of all URLs, one in so many is of the first host.
const GIANT: u32 = 10;
/// Of the links to known pages, and of new ones, this share stays within the host.
const AT_HOME: f64 = 0.75;

const WORDS: [&str; 64] = [
    "almanac", "amber", "anchor", "archive", "autumn", "bakery", "balcony", "basalt", "beacon", "bicycle",
    "bramble", "bridge", "cabinet", "candle", "canyon", "castle", "cedar", "chapter", "cinder", "clover",
    "copper", "coral", "cotton", "crystal", "dahlia", "delta", "ember", "falcon", "feather", "forest",
    "garden", "garnet", "glacier", "granite", "harbour", "hazel", "heather", "island", "ivory", "jasmine",
    "juniper", "kestrel", "lantern", "lemon", "linen", "lupin", "maple", "marble", "meadow", "mosaic",
    "nettle", "orchard", "oyster", "pebble", "pepper", "quartz", "raven", "saffron", "silver", "thistle",
    "timber", "velvet", "walnut", "willow",
];

/// One page of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Which host.
    pub(super) host: u32,
    /// Which of its pages; 0 is its home.
    pub(super) page: u32,
}

/// All hosts and how many of their URLs somebody has linked to.
#[derive(Debug)]
pub(super) struct World {
    sizes: Vec<u32>,
    known: u64,
    most: u64,
    rng: Rng,
}

impl World {
    /// `hosts` hosts of which nothing is known, and which have `most` URLs in all.
    pub(super) fn new(hosts: u32, most: u64, seed: u64) -> Self {
        Self { sizes: vec![0; hosts as usize], known: 0, most, rng: Rng::with_seed(seed) }
    }

    /// URLs that somebody has linked to.
    pub(super) const fn known(&self) -> u64 {
        self.known
    }

    pub(super) fn hosts(&self) -> u32 {
        self.sizes.len() as u32
    }

    /// A URL that nobody has linked to: each host's home first, then by size.
    pub(super) fn discover(&mut self) -> Place {
        let homes = u64::from(self.hosts());
        let host = if self.known < homes { self.known as u32 } else { self.draw_host() };
        self.grow(host)
    }

    /// The links of a page: a tenth of them are new, as long as there are any.
    pub(super) fn links(&mut self, page: Place, links: u32) -> Vec<Place> {
        let fresh = links.div_ceil(10);
        (0..links)
            .map(|link| if link < fresh { self.fresh(page.host) } else { self.old(page.host) })
            .collect()
    }

    fn fresh(&mut self, home: u32) -> Place {
        if self.known >= self.most {
            return self.old(home);
        }
        let host = self.near(home);
        self.grow(host)
    }

    fn old(&mut self, home: u32) -> Place {
        let host = self.near(home);
        let page = self.rng.u32(..self.sizes[host as usize].max(1));
        Place { host, page }
    }

    fn near(&mut self, home: u32) -> u32 {
        if self.rng.f64() < AT_HOME { home } else { self.draw_host() }
    }

    fn grow(&mut self, host: u32) -> Place {
        let size = &mut self.sizes[host as usize];
        *size += 1;
        self.known += 1;
        Place { host, page: *size - 1 }
    }

    /// By Zipf's law with the exponent 1: the logarithm of the rank is even.
    fn draw_host(&mut self) -> u32 {
        if self.rng.u32(..GIANT) == 0 {
            return 0;
        }
        let rank = (self.rng.f64() * f64::from(self.hosts()).ln()).exp();
        (rank as u32).min(self.hosts() - 1)
    }
}

impl Place {
    /// The page of a URL of this world.
    pub(super) fn of(url: &CanonicalUrl) -> Option<Self> {
        let host = last_number(url.host().strip_suffix(".example")?)?;
        let path = url.path_and_query();
        let page = if path == "/" { 0 } else { last_number(path.strip_suffix(".html")?)? };
        Some(Self { host, page })
    }

    /// Its request, as a link a few clicks from a seed; every other one with a label.
    pub(super) fn request(self) -> Request {
        let url = CanonicalUrl::parse(&self.url()).expect("it is made of letters, digits and dashes");
        let mut request = Request::get(url);
        request.depth = 3;
        if self.page % 2 == 1 { request.label("detail") } else { request }
    }

    fn host_name(self) -> String {
        let draw = mixed(u64::from(self.host));
        format!("www.{}-{}-{}.example", word(draw, 0), word(draw, 1), self.host)
    }

    fn url(self) -> String {
        let mut url = format!("https://{}/", self.host_name());
        if self.page == 0 {
            return url;
        }
        let draw = mixed(u64::from(self.host) << 32 | u64::from(self.page));
        // A site has a few sections, and many names in each.
        let section = mixed(u64::from(self.host) << 8 | draw >> 61);
        write!(
            url,
            "{}/{}/{}-{}-{}-{}-{}.html",
            word(section, 0),
            word(section, 1),
            word(draw, 0),
            word(draw, 1),
            word(draw, 2),
            word(draw, 3),
            self.page
        )
        .expect("a String takes everything");
        url
    }
}

fn word(draw: u64, place: u32) -> &'static str {
    WORDS[(draw >> (6 * place)) as usize % WORDS.len()]
}

fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

fn last_number(text: &str) -> Option<u32> {
    text.rsplit('-').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_place_and_its_url_are_one() {
        let mut world = World::new(50, 5_000, 1);
        let mut urls = HashSet::new();
        for _ in 0..5_000 {
            let place = world.discover();
            let url = place.request().url;
            assert_eq!(Place::of(&url), Some(place));
            assert!(urls.insert(url));
        }
        assert!(Place::of(&CanonicalUrl::parse("https://a.example/x").unwrap()).is_none());
    }

    #[test]
    fn a_tenth_of_the_urls_are_of_the_first_host_and_every_host_has_one() {
        let mut world = World::new(1_000, 100_000, 1);
        for _ in 0..100_000 {
            world.discover();
        }
        assert!((9_000..12_000).contains(&world.sizes[0]), "{}", world.sizes[0]);
        assert!(world.sizes.iter().all(|size| *size > 0));
    }

    #[test]
    fn paths_are_as_long_as_those_of_shops() {
        let mut world = World::new(100, 20_000, 1);
        let mut paths = 0;
        for _ in 0..20_000 {
            paths += world.discover().request().url.path_and_query().len();
        }
        let mean = paths as f64 / 20_000.0;
        assert!((50.0..60.0).contains(&mean), "{mean}");
    }

    #[test]
    fn a_page_has_a_tenth_of_new_links_until_there_are_none() {
        let mut world = World::new(10, 100, 1);
        let page = (0..10).fold(Place { host: 0, page: 0 }, |_, _| world.discover());
        assert_eq!(world.links(page, 62).len(), 62);
        assert_eq!(world.known(), 17);
        for _ in 0..100 {
            world.links(page, 62);
        }
        assert_eq!(world.known(), 100);
    }
}
