//! Certificates: nothing is asked of a server that cannot show a good one, and what is wrong is told.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates").join(name)
}

fn server(certificate: &str) -> Arc<ServerConfig> {
    let chain = vec![CertificateDer::from_pem_file(file(certificate)).unwrap()];
    let key = PrivateKeyDer::from_pem_file(file("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap())
}

/// Answers what is asked over a connection that came to be, and counts it.
fn converse(stream: TcpStream, config: &Arc<ServerConfig>, asked: &AtomicUsize) -> std::io::Result<()> {
    let connection = ServerConnection::new(config.clone()).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let mut head = [0; 4_096];
    while stream.read(&mut head)? > 0 {
        asked.fetch_add(1, Ordering::SeqCst);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\n<p>x")?;
    }
    Ok(())
}

/// A page is asked for at a server with this certificate: what was printed, and the requests that arrived.
fn fetched(certificate: &str) -> (Output, usize) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (config, asked) = (server(certificate), Arc::new(AtomicUsize::new(0)));
    let counted = asked.clone();
    // It ends with the test.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (config, counted) = (config.clone(), counted.clone());
            std::thread::spawn(move || converse(stream, &config, &counted));
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_crawl"));
    command.args(["fetch", &format!("https://localhost:{port}/page"), "--set", "backoff.patience=0s"]);
    command.env("SSL_CERT_FILE", file("authority.pem")).env_remove("SSL_CERT_DIR").env_remove("RUST_LOG");
    let output = command.current_dir(folder.path()).stdin(Stdio::null()).output().unwrap();
    (output, asked.load(Ordering::SeqCst))
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
        let (output, asked) = fetched(certificate);
        let words =
            String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert_eq!(asked, 0, "{certificate}: {words}");
        assert_ne!(output.status.code(), Some(0), "{certificate}: {words}");
        assert!(words.contains(word), "{certificate}: {words}");
    }
}
