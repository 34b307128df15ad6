//! The demo site beside a crawl: opened before it, closed after it, and on the same address in every run of one state.

use std::net::SocketAddr;
use std::path::Path;

use super::exit::Failure;
use crate::config::Plan;
use crate::demo::DemoSite;
use crate::url::CanonicalUrl;

/// Where a state directory remembers the address.
const FILE: &str = "demo-address";

/// An open demo site.
pub(super) struct Demo {
    site: DemoSite,
    /// The address that the state knows, if another program has it by now.
    pub(super) taken: Option<SocketAddr>,
}

impl Demo {
    /// Opens the site where the state in `dir` knows it, or else on a free port.
    pub(super) async fn open_for(dir: &Path) -> Result<Self, Failure> {
        let file = dir.join(FILE);
        let known = known_address(dir);
        let again = match known {
            Some(address) => DemoSite::start_on(address).await.ok(),
            None => None,
        };
        let demo = match again {
            Some(site) => Self { site, taken: None },
            None => Self { taken: known, ..Self::open().await? },
        };
        std::fs::write(&file, format!("{}\n", demo.site.addr())).map_err(Failure::file(file))?;
        Ok(demo)
    }

    /// Opens the site on a free port.
    async fn open() -> Result<Self, Failure> {
        let site = DemoSite::start().await;
        let site = site.map_err(|source| Failure::System { what: "a port for the demo site", source })?;
        Ok(Self { site, taken: None })
    }

    /// Opens the site on a free port if the plan has a seed there, and tells the plan where it is.
    pub(super) async fn place(plan: &mut Plan) -> Result<Option<Self>, Failure> {
        if !plan.needs_demo() {
            return Ok(None);
        }
        let demo = Self::open().await?;
        plan.place_demo(&demo.home());
        Ok(Some(demo))
    }

    /// Its home page.
    pub(super) fn home(&self) -> CanonicalUrl {
        CanonicalUrl::parse(&self.site.url()).expect("the demo site has an http address")
    }

    /// Closes it.
    pub(super) async fn close(self) {
        self.site.stop().await;
    }
}

/// Where the demo site of the state in `dir` was.
fn known_address(dir: &Path) -> Option<SocketAddr> {
    let known = std::fs::read_to_string(dir.join(FILE)).ok()?;
    // The file could name any address: only this machine's own are listened on.
    known.trim().parse().ok().filter(|address: &SocketAddr| address.ip().is_loopback())
}

/// The demo site's home page as the state in `dir` knows it.
pub(super) fn known_home(dir: &Path) -> Option<CanonicalUrl> {
    CanonicalUrl::parse(&format!("http://{}/", known_address(dir)?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_state_finds_its_demo_site_where_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let first = Demo::open_for(dir.path()).await.unwrap();
        let home = first.home();
        first.close().await;
        let again = Demo::open_for(dir.path()).await.unwrap();
        assert_eq!((again.home(), again.taken), (home, None));

        let elsewhere = Demo::open_for(dir.path()).await.unwrap();
        assert_eq!(elsewhere.taken, Some(again.site.addr()));
        assert_ne!(elsewhere.home(), again.home());
    }
}
