//! The plainest answer of a server.

/// An answer with a page; `fields` are further lines of its head, each with its end.
pub fn page(status: &str, fields: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Type: text/html\r\n{fields}Content-Length: {length}\r\n\r\n");
    [head.as_bytes(), body.as_bytes()].concat()
}
