//! Where the database is and how it is connected to: the URL of a crawler file, read once.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use postgres::config::{Host, SslMode};
use postgres::{Client, Config, NoTls};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;
use tokio_postgres_rustls::MakeRustlsConnect;
use url::Url;

use super::session::told;
use crate::sink::table::database::Fault;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a server may be silent before the connection counts as lost.
const SILENCE: Duration = Duration::from_secs(30);

/// Why a URL is none of a database. Never holds the URL itself, which may have a password in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// No URL, or not of PostgreSQL.
    #[error("expected postgres://user:password@host/database ({reason})")]
    Url {
        /// What is wrong.
        reason: String,
    },
    /// A way of encryption that is not offered.
    #[error(
        "sslmode={mode} is not offered: write disable, require or verify-full, all but the first of which verify"
    )]
    Mode {
        /// What was written.
        mode: String,
    },
}

/// How a database is connected to.
#[derive(Clone)]
pub(super) struct Login {
    url: String,
    config: Config,
    /// A file with certificates that are trusted beside those of the machine.
    roots: Option<PathBuf>,
}

impl PartialEq for Login {
    fn eq(&self, other: &Self) -> bool {
        self.url == other.url
    }
}

impl Eq for Login {}

impl Login {
    pub(super) fn parse(text: &str) -> Result<Self, LoginError> {
        let no_url = |reason: &str| LoginError::Url { reason: reason.to_owned() };
        let mut url = Url::parse(text).map_err(|error| no_url(&error.to_string()))?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(no_url("it begins with something else"));
        }
        let (mut roots, mut mode) = (None, None);
        let mut rest = Vec::new();
        for (name, value) in url.query_pairs() {
            match &*name {
                "sslrootcert" => roots = Some(PathBuf::from(&*value)),
                "sslmode" => mode = Some(ssl_mode(&value)?),
                _ => rest.push((name.into_owned(), value.into_owned())),
            }
        }
        url.set_query(None);
        if !rest.is_empty() {
            url.query_pairs_mut().extend_pairs(rest);
        }
        let mut config: Config =
            url.as_str().parse().map_err(|error: postgres::Error| no_url(&error.to_string()))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(no_url("it has no host"));
        }
        config.ssl_mode(mode.unwrap_or(if is_here(&config) { SslMode::Disable } else { SslMode::Require }));
        config.connect_timeout(config.get_connect_timeout().copied().unwrap_or(CONNECT));
        config.tcp_user_timeout(SILENCE).keepalives_idle(SILENCE);
        if config.get_application_name().is_none() {
            config.application_name("crawl");
        }
        Ok(Self { url: text.to_owned(), config, roots })
    }

    /// Host, port and database.
    pub(super) fn place(&self) -> String {
        let hosts = self.config.get_hosts().iter().map(|host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        });
        let hosts = hosts.collect::<Vec<_>>().join(",");
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        let user = self.config.get_user().unwrap_or_default();
        format!("{hosts}:{port}/{}", self.config.get_dbname().unwrap_or(user))
    }

    /// Connects. Must not be called where an async runtime runs.
    pub(super) fn connect(&self) -> Result<Client, Fault> {
        let connected = match self.config.get_ssl_mode() {
            SslMode::Disable => self.config.connect(NoTls),
            _ => self.config.connect(MakeRustlsConnect::new(self.tls()?)),
        };
        connected.map_err(|error| told(&error))
    }

    /// Verifies the server by the machine's roots and our own.
    fn tls(&self) -> Result<ClientConfig, Fault> {
        let refused = |what: String| Fault::Refused(format!("no encrypted connection: {what}"));
        let roots = match &self.roots {
            None => Vec::new(),
            Some(path) => {
                let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
                read.map_err(|error| refused(format!("sslrootcert {}: {error}", path.display())))?
            }
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Verifier::new_with_extra_roots(roots, Arc::clone(&provider))
            .map_err(|error| refused(error.to_string()))?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| refused(error.to_string()))?;
        Ok(config.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
    }
}

fn ssl_mode(word: &str) -> Result<SslMode, LoginError> {
    match word {
        "disable" => Ok(SslMode::Disable),
        "require" | "verify-ca" | "verify-full" => Ok(SslMode::Require),
        other => Err(LoginError::Mode { mode: other.to_owned() }),
    }
}

/// Whether all of it stays on this machine.
fn is_here(config: &Config) -> bool {
    let is_local = |host: &Host| match host {
        Host::Tcp(name) => crate::host::is_loopback(name),
        Host::Unix(_) => true,
    };
    config.get_hosts().iter().all(is_local)
        && config.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> SslMode {
        Login::parse(url).unwrap_or_else(|error| panic!("{url}: {error}")).config.get_ssl_mode()
    }

    #[test]
    fn what_leaves_this_machine_is_encrypted_unless_the_url_says_otherwise() {
        assert_eq!(mode("postgres://me@db.example/x"), SslMode::Require);
        assert_eq!(
            mode("postgres://me@db.example/x?sslmode=verify-full&sslrootcert=/ca.pem"),
            SslMode::Require
        );
        assert_eq!(mode("postgres://me@db.example/x?sslmode=disable"), SslMode::Disable);
        assert_eq!(mode("postgres://me@127.0.0.1/x"), SslMode::Disable);
        assert_eq!(mode("postgresql://localhost/x?user=me"), SslMode::Disable);
        assert_eq!(mode("postgres://me@%2Fvar%2Frun/x"), SslMode::Disable);
    }

    #[test]
    fn what_is_wrong_is_told_without_the_password() {
        for url in [
            "s3cret",
            "mysql://a:s3cret@h/b",
            "postgres://a:s3cret@h/b?sslmode=prefer",
            "postgres://a:s3cret@h:99999/b",
            "postgres:///b?password=s3cret",
            "postgres://a:s3cret@h/b?nonsense=1",
        ] {
            let error = Login::parse(url).err().unwrap_or_else(|| panic!("{url} is taken")).to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
        let options = super::super::PostgresOptions::to("postgres://a:s3cret@db.example/books").unwrap();
        assert!(!format!("{options:?}").contains("s3cret"));
        assert_eq!(options.place(), "db.example:5432/books");
    }
}
