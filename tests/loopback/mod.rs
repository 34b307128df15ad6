//! What every server of these tests has in common: a free port of this machine, a thread for each connection, and the head of a
//! request. How long it waits for a client, and what it answers, is the test's own.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// A free port of this address, and its origin: `http://` with the port, without a slash at its end.
pub fn listen(address: &str) -> (TcpListener, String) {
    let listener = TcpListener::bind((address, 0)).expect("loopback has free ports");
    let origin = format!("http://{}", listener.local_addr().expect("it is bound"));
    (listener, origin)
}

/// Answers every connection on a thread of its own until the test ends.
pub fn serve<T>(listener: TcpListener, answer: impl Fn(TcpStream) -> T + Send + Sync + 'static) {
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || {
                answer(stream);
            });
        }
    });
}

/// The next request up to and with its empty line; none if the client goes, or is killed, before it has said what it wants.
///
/// Not one byte more is read, so that a body can be read from the stream.
pub fn head(mut stream: &TcpStream) -> Option<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    Some(String::from_utf8(head).expect("the crawler writes heads in ASCII"))
}

/// What the request asks for.
pub fn path(head: &str) -> &str {
    head.split(' ').nth(1).expect("a request names its path")
}

/// A field of the request, whatever the case of its name.
pub fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}
