//! A PostgreSQL server in a folder, on a socket in it.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use postgres::{Client, NoTls};
use tempfile::TempDir;

/// Whoever may not run a server: PostgreSQL refuses to be root.
pub const NOBODY: u32 = 65_534;

/// A server that ends with the test.
pub struct Server {
    pub folder: TempDir,
    bin: PathBuf,
    pub process: Option<Child>,
}

impl Server {
    /// `None`, with a word, where there is no PostgreSQL.
    pub fn start() -> Option<Self> {
        let Some(bin) = programs() else {
            eprintln!("skipped: initdb is not there; tests/run.sh installs PostgreSQL");
            return None;
        };
        let folder = tempfile::Builder::new().prefix("pg").tempdir_in("/tmp").unwrap();
        if rustix::process::geteuid().is_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let mut server = Self { folder, bin, process: None };
        let made = server
            .program("initdb")
            .args(["-U", "crawl", "-E", "UTF8", "--no-locale", "-A", "trust", "-N", "-D"])
            .arg(server.data())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        server.run();
        Some(server)
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.bin.join(name));
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        if rustix::process::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    pub fn run(&mut self) {
        let socket = format!("unix_socket_directories={}", self.folder.path().display());
        let mut command = self.program("postgres");
        command.arg("-D").arg(self.data()).args([
            "-c",
            &socket,
            "-c",
            "listen_addresses=",
            "-c",
            "fsync=off",
        ]);
        self.process = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        for _ in 0..200 {
            if Client::connect(&self.url(), NoTls).is_ok() {
                return;
            }
            pause(50);
        }
        panic!("the server does not answer");
    }

    pub fn stop(&mut self) {
        let stopped = self
            .program("pg_ctl")
            .args(["-m", "fast", "-w", "stop", "-D"])
            .arg(self.data())
            .output()
            .unwrap();
        assert!(stopped.status.success());
        self.process.take().unwrap().wait().unwrap();
    }

    pub fn url(&self) -> String {
        let folder = self.folder.path().display().to_string().replace('/', "%2F");
        format!("postgres://crawl:s3cret@{folder}/postgres")
    }

    pub fn client(&self) -> Client {
        Client::connect(&self.url(), NoTls).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = self
                .program("pg_ctl")
                .args(["-m", "immediate", "-w", "stop", "-D"])
                .arg(self.data())
                .output();
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a server of another program is waited for in real time")]
pub fn pause(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

/// The folder with `initdb`, `pg_ctl` and `postgres`.
fn programs() -> Option<PathBuf> {
    let named = std::env::var_os("PATH")
        .into_iter()
        .flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let folders = debian.map(|version| version.path().join("bin")).chain(named);
    let whole =
        |folder: &PathBuf| ["initdb", "pg_ctl", "postgres"].iter().all(|name| folder.join(name).exists());
    folders.into_iter().find(whole)
}
