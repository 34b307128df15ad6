//! Whom to believe about some hosts: authorities and pins beside the roots of the machine.
//!
//! For a server of an intranet, or one that signed its certificate itself, this takes the place of a switch that turns checks
//! off, which does not exist. A [`Trust`] adds roots for the hosts that it names and for no other, or demands a key that must be in
//! the chain, or both. Names, times and signatures are checked as everywhere.
//!
//! How a handshake is judged by it is in `verifier`.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::ParsedCertificate;
use sha2::{Digest, Sha256};

use crate::scope::HostPattern;

/// Authorities and pins for some hosts, over what holds for all.
///
/// A host may be named by several: then the authorities of all of them count, and the pins of each must be met.
///
/// ```
/// use crawl::fetch::http::HttpOptions;
/// use crawl::fetch::trust::Trust;
/// use crawl::scope::HostPattern;
///
/// let hosts = HostPattern::parse("*.intranet.example")?;
/// let trust = Trust::new([hosts]).pin("sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")?;
/// let options = HttpOptions { trust: vec![trust], ..HttpOptions::default() };
/// assert_eq!(options.trust[0].to_string(), "*.intranet.example");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Trust {
    pub(super) hosts: Vec<HostPattern>,
    pub(super) authorities: Vec<CertificateDer<'static>>,
    pub(super) pins: Vec<Pin>,
}

/// What is no authority or no pin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// There is no certificate in the text.
    #[error(
        "no certificate is in it: expected PEM, with a line `-----BEGIN CERTIFICATE-----` (of a file in DER, `openssl x509 -inform der` makes one)"
    )]
    NoCertificate,
    /// The text is no PEM.
    #[error("it is no PEM: {reason}; copy it again from where it was made")]
    NotPem {
        /// What the reader stumbled over.
        reason: String,
    },
    /// One of the certificates cannot be a root.
    #[error("certificate {number} of it cannot be read: take it out or copy it again")]
    NotACertificate {
        /// Counted from one.
        number: usize,
    },
    /// A pin in another form.
    #[error(
        "expected \"sha256/\" and the 44 characters of a SHA-256 in base64, the digest of a public key (SubjectPublicKeyInfo, RFC 7469 2.4)"
    )]
    NotAPin,
}

impl Trust {
    /// For these hosts, on every port: a certificate is that of a name. Without authorities and pins it changes nothing.
    #[must_use]
    pub fn new(hosts: impl IntoIterator<Item = HostPattern>) -> Self {
        Self { hosts: hosts.into_iter().collect(), ..Self::default() }
    }

    /// Adds the certificates of a PEM text as roots of these hosts, beside those of the machine. A certificate that signed itself
    /// is its own authority.
    ///
    /// # Errors
    /// [`TrustError`] if it holds none, or one that cannot be read.
    pub fn authorities(mut self, pem: &[u8]) -> Result<Self, TrustError> {
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let read = read.map_err(|error| TrustError::NotPem { reason: error.to_string() })?;
        if read.is_empty() {
            return Err(TrustError::NoCertificate);
        }
        for (index, certificate) in read.iter().enumerate() {
            let added = RootCertStore::empty().add(certificate.clone());
            added.map_err(|_| TrustError::NotACertificate { number: index + 1 })?;
        }
        self.authorities.extend(read);
        Ok(self)
    }

    /// Demands that one certificate of the chain has this key, or one of the others that were demanded. The chain must be good
    /// beside that.
    ///
    /// # Errors
    /// [`TrustError::NotAPin`] if it is not `sha256/` with the digest of a public key in base64.
    pub fn pin(mut self, text: &str) -> Result<Self, TrustError> {
        self.pins.push(Pin::parse(text)?);
        Ok(self)
    }

    /// Whether it holds for this host: a name, or an address (v6 in brackets).
    pub(super) fn concerns(&self, host: &str) -> bool {
        self.hosts.iter().any(|pattern| pattern.matches_name(host))
    }
}

/// Its hosts.
impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, host) in self.hosts.iter().enumerate() {
            write!(f, "{}{host}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// The digest of a public key, as RFC 7469 2.4 has it: SHA-256 of the certificate's SubjectPublicKeyInfo.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Pin([u8; 32]);

impl Pin {
    fn parse(text: &str) -> Result<Self, TrustError> {
        let digest = text.trim().strip_prefix("sha256/").and_then(|base64| STANDARD.decode(base64).ok());
        digest.and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(TrustError::NotAPin)
    }

    /// That of a certificate; `None` if it cannot be read.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let key = ParsedCertificate::try_from(certificate).ok()?.subject_public_key_info();
        Some(Self(Sha256::digest(key.as_ref()).into()))
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256/{}", STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

    #[test]
    fn a_pin_is_a_sha_256_in_base64_and_nothing_else() {
        assert_eq!(Pin::parse(KEY).unwrap().to_string(), KEY);
        for text in [
            "",
            "sha256/",
            "sha1/2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
            "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
            "sha256/47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=",
            "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
            "sha256/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ] {
            assert_eq!(Pin::parse(text).unwrap_err(), TrustError::NotAPin, "{text}");
        }
    }

    #[test]
    fn an_authority_is_a_certificate_in_pem() {
        let with =
            |pem: &str| Trust::default().authorities(pem.as_bytes()).map(|trust| trust.authorities.len());
        assert_eq!(with(include_str!("../../tests/certificates/authority.pem")), Ok(1));
        assert_eq!(with(include_str!("../../tests/certificates/key.pem")), Err(TrustError::NoCertificate));
        assert_eq!(with("no certificate"), Err(TrustError::NoCertificate));
        let cut = "-----BEGIN CERTIFICATE-----\nMIIB\n";
        assert!(matches!(with(cut), Err(TrustError::NotPem { .. })), "{:?}", with(cut));
        let empty = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
        assert_eq!(with(empty), Err(TrustError::NotACertificate { number: 1 }));
    }

    #[test]
    fn it_holds_for_its_hosts_alone() {
        let hosts = ["a.example:8443", "*.b.example", "[::1]", "10.0.0.1"];
        let trust = Trust::new(hosts.map(|host| HostPattern::parse(host).unwrap()));
        for host in ["a.example", "b.example", "w.b.example", "[::1]", "10.0.0.1"] {
            assert!(trust.concerns(host), "{host}");
        }
        for host in ["w.a.example", "cb.example", "[::2]", "10.0.0.10"] {
            assert!(!trust.concerns(host), "{host}");
        }
    }
}
