//! How a server's certificate is judged where a [`Trust`] holds for some hosts.
//!
//! The rule kept: nothing is accepted that the machine's own verifier refuses, but for one thing: to the hosts of a `Trust` its
//! authorities are roots too. A pin only ever adds a demand. The name that is judged by is that of the connection, so it holds for
//! redirects, robots.txt and everything else alike.
//!
//! A pin must be on the way from the server's certificate to a root, and not just among what the server sent: anybody can put a
//! certificate of somebody else beside his own. So the server's certificate must have the key itself, or be signed, over
//! whatever steps, by one that has.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};
use rustls_platform_verifier::Verifier as Machine;

use super::trust::{Pin, Trust};

/// TLS as reqwest sets it up by itself, with certificates judged by `trust` too.
pub(super) fn config(trust: &[Trust], provider: Arc<CryptoProvider>) -> Result<ClientConfig, Error> {
    let judge = Judge::new(trust, &provider)?;
    let config =
        ClientConfig::builder_with_provider(provider).with_protocol_versions(rustls::ALL_VERSIONS)?;
    let mut config =
        config.dangerous().with_custom_certificate_verifier(Arc::new(judge)).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Why a certificate was refused where a [`Trust`] holds. The words go into the failure of the exchange.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// It is not good, whatever its key is.
    #[error("[[net.trust]] for {rule} does not help: {source}{remedy}")]
    Chain { rule: String, remedy: &'static str, source: Error },
    /// It is good, and has none of the keys that it must have.
    #[error(
        "none of the `pins` of [[net.trust]] for {rule} is in the chain: what the server showed has {shown}"
    )]
    Pins { rule: String, shown: String },
}

impl Refusal {
    /// The refusal in an error of rustls, if it is one.
    pub(super) fn of(error: &Error) -> Option<&Self> {
        match error {
            Error::InvalidCertificate(CertificateError::Other(OtherError(cause))) => cause.downcast_ref(),
            _ => None,
        }
    }
}

impl From<Refusal> for Error {
    /// The log has its words too: what becomes of a robots.txt keeps only the class of the failure.
    fn from(refusal: Refusal) -> Self {
        tracing::error!("certificate refused: {refusal}");
        CertificateError::Other(OtherError(Arc::new(refusal))).into()
    }
}

struct Judge {
    machine: Machine,
    rules: Vec<Rule>,
    provider: Arc<CryptoProvider>,
}

/// A [`Trust`], ready to be used.
struct Rule {
    trust: Trust,
    /// The machine's roots and those of the rule, if it has some.
    with_authorities: Option<Machine>,
    /// Those of the roots whose keys are pinned.
    pinned_roots: RootCertStore,
}

impl Rule {
    /// `roots` are those of the machine, for a rule with pins.
    fn new(
        trust: &Trust,
        roots: &[CertificateDer<'static>],
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, Error> {
        let authorities = &trust.authorities;
        let with_authorities = (!authorities.is_empty())
            .then(|| Machine::new_with_extra_roots(authorities.iter().cloned(), provider.clone()))
            .transpose()?;
        let mut pinned_roots = RootCertStore::empty();
        if !trust.pins.is_empty() {
            let pinned = roots.iter().chain(authorities).filter(|root| trust.is_pinned(root));
            pinned_roots.add_parsable_certificates(pinned.cloned());
        }
        Ok(Self { trust: trust.clone(), with_authorities, pinned_roots })
    }
}

impl Trust {
    fn is_pinned(&self, certificate: &CertificateDer<'_>) -> bool {
        Pin::of(certificate).is_some_and(|pin| self.pins.contains(&pin))
    }
}

/// What a server shows in a handshake.
struct Shown<'a> {
    own: &'a CertificateDer<'a>,
    others: &'a [CertificateDer<'a>],
    name: &'a ServerName<'a>,
    status: &'a [u8],
    now: UnixTime,
}

impl Shown<'_> {
    fn judged_by(&self, machine: &Machine) -> Result<ServerCertVerified, Error> {
        machine.verify_server_cert(self.own, self.others, self.name, self.status, self.now)
    }

    fn pins(&self) -> String {
        let all = std::iter::once(self.own).chain(self.others).filter_map(Pin::of);
        all.map(|pin| pin.to_string()).collect::<Vec<_>>().join(", ")
    }
}

impl Judge {
    fn new(trust: &[Trust], provider: &Arc<CryptoProvider>) -> Result<Self, Error> {
        let has_pins = trust.iter().any(|trust| !trust.pins.is_empty());
        let roots = if has_pins { rustls_native_certs::load_native_certs().certs } else { Vec::new() };
        let rules = trust.iter().map(|trust| Rule::new(trust, &roots, provider)).collect::<Result<_, _>>()?;
        Ok(Self { machine: Machine::new(provider.clone())?, rules, provider: provider.clone() })
    }

    /// Whether the chain leads to a root, for one of the rules or without them.
    fn check_chain(&self, shown: &Shown<'_>, rules: &[&Rule]) -> Result<ServerCertVerified, Error> {
        let mut refusal = None;
        for rule in rules {
            let Some(machine) = &rule.with_authorities else { continue };
            match shown.judged_by(machine) {
                Ok(verified) => return Ok(verified),
                Err(source) => refusal = Some((*rule, source)),
            }
        }
        let (rule, source) = match (refusal, rules.first()) {
            (Some(refusal), _) => refusal,
            (None, None) => return shown.judged_by(&self.machine),
            (None, Some(rule)) => match shown.judged_by(&self.machine) {
                Ok(verified) => return Ok(verified),
                Err(source) => (*rule, source),
            },
        };
        let remedy = remedy(&source, rule);
        Err(Refusal::Chain { rule: rule.trust.to_string(), remedy, source }.into())
    }

    /// Whether a pinned key is on the way.
    fn check_pins(&self, shown: &Shown<'_>, rule: &Rule) -> Result<(), Error> {
        if rule.trust.pins.is_empty() || rule.trust.is_pinned(shown.own) {
            return Ok(());
        }
        let mut pinned = rule.pinned_roots.clone();
        let others = shown.others.iter().filter(|other| rule.trust.is_pinned(other));
        pinned.add_parsable_certificates(others.map(|other| other.clone().into_owned()));
        let own = ParsedCertificate::try_from(shown.own)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&own, &pinned, shown.others, shown.now, algorithms)
            .map_err(|_| Refusal::Pins { rule: rule.trust.to_string(), shown: shown.pins() }.into())
    }
}

/// What may be done about it, where that can be known.
fn remedy(error: &Error, rule: &Rule) -> &'static str {
    let Error::InvalidCertificate(error) = error else { return "" };
    match (error, &rule.with_authorities) {
        (CertificateError::UnknownIssuer, Some(_)) => {
            ": neither a root of this machine nor one of its `ca` has signed it"
        }
        (CertificateError::UnknownIssuer, None) => {
            ": no root of this machine has signed it, and a pin makes no certificate good: name its authority as `ca`"
        }
        (CertificateError::Other(other), _) if other.to_string().contains("CaUsedAsEndEntity") => {
            ": it is that of an authority, which no server may show: make one with basicConstraints=CA:FALSE"
        }
        _ => "",
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        status: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = Shown { own, others, name, status, now };
        let host = host(name);
        let rules: Vec<&Rule> = self.rules.iter().filter(|rule| rule.trust.concerns(&host)).collect();
        let verified = self.check_chain(&shown, &rules)?;
        rules.iter().try_for_each(|rule| self.check_pins(&shown, rule))?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.machine.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.machine.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.machine.supported_verify_schemes()
    }
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.rules.iter().map(|rule| &rule.trust)).finish()
    }
}

/// The host as patterns write it.
fn host(name: &ServerName<'_>) -> String {
    match name {
        ServerName::IpAddress(address) => match std::net::IpAddr::from(*address) {
            std::net::IpAddr::V6(address) => format!("[{address}]"),
            std::net::IpAddr::V4(address) => address.to_string(),
        },
        name => name.to_str().trim_end_matches('.').to_ascii_lowercase(),
    }
}
