//! HTTP/2 as the program speaks it: offered in the handshake, one connection for the pages of a host, one request at a time, and
//! no connection for two hosts, whatever its certificate is good for.

#![expect(clippy::disallowed_methods, reason = "a test measures the time that passes outside of the program")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

const PAGES: usize = 12;

/// What one connection was used for.
#[derive(Default)]
struct Use {
    hosts: BTreeSet<String>,
    paths: Vec<String>,
    open: usize,
    most_open: usize,
    all_h2: bool,
}

type Uses = Arc<Mutex<Vec<Arc<Mutex<Use>>>>>;

fn file(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/h2").join(name)
}

fn acceptor() -> TlsAcceptor {
    let chain = vec![CertificateDer::from_pem_file(file("server.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(file("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(listener: TcpListener, uses: Uses) {
    let acceptor = acceptor();
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(converse(stream, acceptor.clone(), uses.clone()));
    }
}

async fn converse(stream: TcpStream, acceptor: TlsAcceptor, uses: Uses) {
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let this = Arc::new(Mutex::new(Use { all_h2: true, ..Use::default() }));
    uses.lock().unwrap().push(this.clone());
    let service = service_fn(move |request| answer(request, this.clone()));
    // The client leaves when it is done.
    let _ = http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    request: Request<Incoming>,
    seen: Arc<Mutex<Use>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    {
        let mut seen = seen.lock().unwrap();
        seen.hosts.insert(request.uri().host().unwrap().to_owned());
        seen.paths.push(path.clone());
        seen.all_h2 &= request.version() == Version::HTTP_2;
        seen.open += 1;
        seen.most_open = seen.most_open.max(seen.open);
    }
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    seen.lock().unwrap().open -= 1;
    let (status, body) = match path.as_str() {
        "/robots.txt" => (404, String::new()),
        _ => (200, (0..PAGES).map(|page| format!("<a href='/{page}'>{page}</a>")).collect()),
    };
    let answer = Response::builder().status(status).header("content-type", "text/html");
    Ok(answer.body(Full::new(body.into())).unwrap())
}

/// Believes the server by the roots of the machine, of which `roots` is the file, or by what `trust` says.
fn crawl(folder: &Path, port: u16, roots: &Path, trust: &str) -> std::process::Output {
    let text = format!(
        "seeds = [\"https://localhost:{port}/0\", \"https://127.0.0.1:{port}/0\"]\n\
         [politeness]\ndelay = 0\njitter = 0\npace = \"fixed\"\nmax-concurrency = 1\n[sink.jsonl]\npath = \"out\"\n{trust}"
    );
    std::fs::write(folder.join("two.toml"), text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_crawl"));
    command.args(["run", "two.toml"]).current_dir(folder).env_remove("RUST_LOG").stdin(Stdio::null());
    command.env("SSL_CERT_FILE", roots).env_remove("SSL_CERT_DIR").output().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pages_of_a_host_come_over_one_connection_of_its_own_one_at_a_time() {
    one_connection_each(file("authority.pem"), String::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_they_do_where_the_file_says_whom_to_believe() {
    let trust = format!("[[net.trust]]\nhosts = [\"*\"]\nca = {:?}\n", file("authority.pem"));
    one_connection_each(file("../certificates/authority.pem"), trust).await;
}

async fn one_connection_each(roots: std::path::PathBuf, trust: String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let uses = Uses::default();
    tokio::spawn(serve(listener, uses.clone()));
    let folder = tempfile::tempdir().unwrap();
    let desk = folder.path().to_owned();
    let ran = tokio::task::spawn_blocking(move || crawl(&desk, port, &roots, &trust)).await.unwrap();
    let words = String::from_utf8_lossy(&ran.stderr).into_owned() + &String::from_utf8_lossy(&ran.stdout);
    assert_eq!(ran.status.code(), Some(0), "{words}");
    let uses = uses.lock().unwrap();
    assert_eq!(uses.len(), 2, "{words}");
    for seen in uses.iter().map(|seen| seen.lock().unwrap()) {
        assert!(seen.all_h2);
        assert_eq!(seen.hosts.len(), 1, "{:?}", seen.hosts);
        assert_eq!((seen.paths.len(), seen.most_open), (PAGES + 1, 1), "{:?}", seen.paths);
        assert_eq!(seen.paths[0], "/robots.txt");
    }
}

/// Answers the first request with no robots.txt, and any other with frames of this kind without end. Tells how long each flood was
/// taken.
async fn flood(listener: TcpListener, frame: &'static [u8], taken: Arc<Mutex<Vec<Duration>>>) {
    let acceptor = acceptor();
    let asked = Arc::new(AtomicUsize::new(0));
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, asked, taken) = (acceptor.clone(), asked.clone(), taken.clone());
        tokio::spawn(async move {
            let mut stream = acceptor.accept(stream).await?;
            // The preface of the client, then our empty SETTINGS.
            stream.read_exact(&mut [0; 24]).await?;
            stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await?;
            while let Some(id) = headers(&mut stream).await {
                if asked.fetch_add(1, Ordering::SeqCst) == 0 {
                    // HEADERS with END_STREAM and END_HEADERS: status 404.
                    let answer = [&[0, 0, 1, 1, 5][..], &id, &[0x8d]].concat();
                    stream.write_all(&answer).await?;
                    continue;
                }
                let (began, many) = (Instant::now(), frame.repeat(500));
                while stream.write_all(&many).await.is_ok() {}
                taken.lock().unwrap().push(began.elapsed());
            }
            Ok::<(), std::io::Error>(())
        });
    }
}

/// The number of the stream that the next HEADERS frame opens.
async fn headers(stream: &mut TlsStream<TcpStream>) -> Option<[u8; 4]> {
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        stream.read_exact(&mut vec![0; length]).await.ok()?;
        if head[3] == 1 {
            return head[5..].try_into().ok();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_kept_busy_by_control_frames_ends_with_the_time_of_its_request() {
    let ping: &[u8] = &[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    let settings: &[u8] = &[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 255, 255];
    for frame in [ping, settings] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let taken = Arc::new(Mutex::new(Vec::new()));
        tokio::spawn(flood(listener, frame, taken.clone()));
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_crawl"));
        command.args(["run", "--seed", &format!("https://localhost:{port}/"), "--state", "state"]);
        for setting in ["http.first-byte-timeout=2s", "retry.tries=1", "politeness.delay=0"] {
            command.args(["--set", setting]);
        }
        command.current_dir(folder.path()).env("SSL_CERT_FILE", file("authority.pem")).stdin(Stdio::null());
        let began = Instant::now();
        let ran = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let words = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(3), "{words}");
        // The program is over, and with it all connections; what counts is that it was over soon.
        assert!(began.elapsed() < Duration::from_secs(30), "{words}");
        let taken = taken.lock().unwrap();
        assert!(!taken.is_empty() && taken.iter().all(|time| *time < Duration::from_secs(20)), "{taken:?}");
    }
}
