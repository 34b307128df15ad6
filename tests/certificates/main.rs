//! Certificates: nothing is asked of a server that cannot show a good one, and what is wrong is told.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ParsedCertificate;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sha2::{Digest, Sha256};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates").join(name)
}

fn chain(name: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(file(name)).unwrap().collect::<Result<_, _>>().unwrap()
}

fn server(certificate: &str) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::from_pem_file(file("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_no_client_auth().with_single_cert(chain(certificate), key).unwrap())
}

/// Answers what is asked over a connection that came to be, and counts it.
fn converse(
    stream: TcpStream,
    config: &Arc<ServerConfig>,
    asked: &AtomicUsize,
    answer: &str,
) -> std::io::Result<()> {
    let connection = ServerConnection::new(config.clone()).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let mut head = [0; 4_096];
    loop {
        let read = stream.read(&mut head)?;
        if read == 0 {
            return Ok(());
        }
        asked.fetch_add(1, Ordering::SeqCst);
        let is_robots = head.starts_with(b"GET /robots.txt");
        stream.write_all(if is_robots { PAGE } else { answer }.as_bytes())?;
    }
}

const PAGE: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\n<p>x";

/// A server with this certificate: its port, and the requests that arrive.
fn serve(certificate: &str, answer: String) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (config, asked) = (server(certificate), Arc::new(AtomicUsize::new(0)));
    let counted = asked.clone();
    // It ends with the test.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (config, counted, answer) = (config.clone(), counted.clone(), answer.clone());
            std::thread::spawn(move || converse(stream, &config, &counted, &answer));
        }
    });
    (port, asked)
}

/// A page is asked for, on a machine that knows one authority, by a crawler file with this in it.
fn ask(url: &str, text: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.toml"), format!("[backoff]\npatience = \"0s\"\n{text}")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_crawl"));
    command.args(["fetch", "a.toml", url]);
    command.env("SSL_CERT_FILE", file("authority.pem")).env_remove("SSL_CERT_DIR").env_remove("RUST_LOG");
    command.current_dir(folder.path()).stdin(Stdio::null()).output().unwrap()
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

/// A page is asked for at a server with this certificate: what was printed, and the requests that arrived.
fn fetched(certificate: &str) -> (Output, usize) {
    fetched_with(certificate, "localhost", "")
}

fn fetched_with(certificate: &str, host: &str, text: &str) -> (Output, usize) {
    let (port, asked) = serve(certificate, PAGE.to_owned());
    let output = ask(&format!("https://{host}:{port}/page"), text);
    (output, asked.load(Ordering::SeqCst))
}

/// A `[[net.trust]]` for these hosts.
fn trust(hosts: &[&str], ca: Option<&str>, pins: &[String]) -> String {
    let ca = ca.map(|name| format!("ca = {:?}\n", file(name))).unwrap_or_default();
    let pins = if pins.is_empty() { String::new() } else { format!("pins = {pins:?}\n") };
    format!("[[net.trust]]\nhosts = {hosts:?}\n{ca}{pins}")
}

/// The pin of one of the certificates in a file.
fn pin(name: &str, index: usize) -> String {
    let chain = chain(name);
    let key = ParsedCertificate::try_from(&chain[index]).unwrap().subject_public_key_info();
    format!("sha256/{}", STANDARD.encode(Sha256::digest(key.as_ref())))
}

fn assert_accepted((output, asked): (Output, usize), why: &str) {
    assert_eq!((output.status.code(), asked), (Some(0), 2), "{why}: {}", words(&output));
}

/// Not a byte of HTTP, and the reason is told.
fn assert_refused((output, asked): (Output, usize), reasons: &[&str]) {
    let words = words(&output);
    assert_eq!(asked, 0, "{reasons:?}: {words}");
    assert_ne!(output.status.code(), Some(0), "{reasons:?}: {words}");
    for reason in reasons {
        assert!(words.contains(reason), "{reason}: {words}");
    }
}

#[test]
fn a_server_with_a_good_certificate_is_asked() {
    let (output, asked) = fetched("valid.pem");
    assert_eq!((output.status.code(), asked), (Some(0), 2), "{output:?}");
}

#[test]
fn a_server_is_asked_for_nothing_without_a_certificate_that_is_valid_now_here_and_known() {
    for (certificate, word) in [
        ("expired.pem", "expired"),
        ("elsewhere.pem", "not valid for name"),
        ("self-signed.pem", "certificate"),
    ] {
        assert_refused(fetched(certificate), &[word]);
    }
}

#[test]
fn an_authority_of_the_file_counts_for_its_hosts_alone() {
    let rule = trust(&["localhost", "127.0.0.1"], Some("intranet.pem"), &[]);
    assert_accepted(fetched_with("chain.pem", "localhost", &rule), "a name");
    assert_accepted(fetched_with("chain.pem", "127.0.0.1", &rule), "an address");
    assert_refused(fetched_with("chain.pem", "127.0.0.2", &rule), &["UnknownIssuer"]);
    let others = trust(&["*.example", "127.0.0.1"], Some("intranet.pem"), &[]);
    assert_refused(fetched_with("chain.pem", "localhost", &others), &["UnknownIssuer"]);
}

#[test]
fn the_roots_of_the_machine_count_beside_it() {
    let rule = trust(&["localhost"], Some("intranet.pem"), &[]);
    assert_accepted(fetched_with("valid.pem", "localhost", &rule), "known to the machine");
    let two = rule + &trust(&["*"], Some("alone.pem"), &[]);
    assert_accepted(fetched_with("chain.pem", "localhost", &two), "the authority of the first rule");
    assert_accepted(fetched_with("alone.pem", "localhost", &two), "the authority of the second");
}

#[test]
fn with_an_authority_of_the_file_names_and_times_are_checked_all_the_same() {
    let rule = trust(&["*"], Some("intranet.pem"), &[]);
    let named = "[[net.trust]] for *";
    assert_refused(fetched_with("past.pem", "localhost", &rule), &["expired", named]);
    assert_refused(fetched_with("chain.pem", "127.0.0.3", &rule), &["not valid for name", named]);
    let stranger = fetched_with("alone.pem", "localhost", &rule);
    assert_refused(stranger, &["UnknownIssuer", named, "nor one of its `ca`"]);
    let other = trust(&["*"], Some("authority.pem"), &[]);
    assert_refused(fetched_with("elsewhere.pem", "localhost", &other), &["not valid for name", named]);
}

#[test]
fn a_certificate_that_signed_itself_is_its_own_authority() {
    let rule = |name| trust(&["localhost"], Some(name), &[]);
    assert_accepted(fetched_with("alone.pem", "localhost", &rule("alone.pem")), "alone");
    let both = fetched_with("self-signed.pem", "localhost", &rule("self-signed.pem"));
    assert_refused(both, &["basicConstraints=CA:FALSE"]);
}

#[test]
fn one_certificate_of_a_good_chain_carries_a_pin() {
    let none = "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned();
    let pinned = |pin: &str| trust(&["localhost"], Some("intranet.pem"), &[none.clone(), pin.to_owned()]);
    let (own, first, root) = (pin("chain.pem", 0), pin("chain.pem", 1), pin("intranet.pem", 0));
    for pin in [&own, &first, &root] {
        assert_accepted(fetched_with("chain.pem", "localhost", &pinned(pin)), pin);
    }
    assert_refused(
        fetched_with("chain.pem", "localhost", &pinned(&none)),
        &["[[net.trust]] for localhost", "none of the `pins`", &own, &first],
    );
    let of_machine = |pin: String| trust(&["localhost"], None, &[pin]);
    let known = pin("authority.pem", 0);
    assert_accepted(fetched_with("valid.pem", "localhost", &of_machine(known)), "a root of the machine");
    assert_refused(fetched_with("valid.pem", "localhost", &of_machine(root)), &["none of the `pins`"]);
}

#[test]
fn a_pinned_certificate_that_only_stands_beside_the_chain_does_not_count() {
    let rule = trust(&["localhost"], Some("intranet.pem"), &[pin("chain.pem", 1)]);
    assert_refused(fetched_with("beside.pem", "localhost", &rule), &["none of the `pins`"]);
    let rule = trust(&["localhost"], Some("intranet.pem"), &[pin("beside.pem", 1)]);
    assert_accepted(fetched_with("beside.pem", "localhost", &rule), "the one that has signed");
}

#[test]
fn a_pin_makes_no_certificate_good() {
    let rule = |name| trust(&["localhost"], None, &[pin(name, 0)]);
    for name in ["alone.pem", "chain.pem"] {
        let remedy = "name its authority as `ca`";
        assert_refused(fetched_with(name, "localhost", &rule(name)), &["UnknownIssuer", remedy]);
    }
    assert_refused(fetched_with("expired.pem", "localhost", &rule("expired.pem")), &["expired"]);
}

#[test]
fn a_redirect_meets_the_rule_of_the_host_that_it_leads_to() {
    let (port, asked) = serve("chain.pem", PAGE.to_owned());
    let location =
        format!("HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1:{port}/\r\nContent-Length: 0\r\n\r\n");
    let (front, _) = serve("valid.pem", location);
    let start = format!("https://localhost:{front}/page");
    let net = "[net]\nallow = [\"127.0.0.1\"]\n";
    let output = ask(&start, &format!("{net}{}", trust(&["localhost"], Some("intranet.pem"), &[])));
    assert_refused((output, asked.load(Ordering::SeqCst)), &["UnknownIssuer"]);
    let output = ask(&start, &format!("{net}{}", trust(&["127.0.0.1"], Some("intranet.pem"), &[])));
    assert_accepted((output, asked.load(Ordering::SeqCst)), "the rule is for the target");
}

#[test]
fn what_cannot_be_trusted_is_told_when_the_file_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "seeds = [\"demo:\"]\n[[net.trust]]\nhosts = [\"a.example:8443\"]\nca = {:?}\npins = [\"sha1/x\"]\n\
         [[net.trust]]\nca = \"none.pem\"\n[[net.trust]]\nhosts = [\"b.example\"]\n\
         [[net.trust]]\nhosts = [\"c.example\"]\nca = \".\"\n",
        file("key.pem")
    );
    fs::write(folder.path().join("a.toml"), text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_crawl"));
    let output = command.args(["check", "a.toml"]).current_dir(folder.path()).output().unwrap();
    let words = words(&output);
    assert_eq!(output.status.code(), Some(2), "{words}");
    for part in [
        "`net.trust[0].hosts[0]`: leave `:8443` out",
        "a.toml:3:10",
        "`net.trust[0].ca`: the file",
        "no certificate is in it",
        "`net.trust[0].pins[0]`: expected \"sha256/\"",
        "`net.trust[1].hosts`: for which hosts?",
        "the file `none.pem` cannot be read",
        "`net.trust[2].ca`: nothing to trust",
        "the file `.` cannot be read: it is no file",
    ] {
        assert!(words.contains(part), "{part}\n{words}");
    }
}
