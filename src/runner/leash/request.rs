//! The head of a request to the proxy: read, judged fit, and rewritten for the server. Pure.

use std::fmt::Write as _;

use super::hosts;

/// Longest head taken.
pub(super) const HEAD_BYTES: usize = 16 * 1024;
/// Most header fields of a plain request.
const FIELDS: usize = 100;

/// What a request asks of the proxy.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Name or address, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// What to send to the server first; `None`: it is a tunnel.
    pub(super) forward: Option<Vec<u8>>,
    /// The field `Proxy-Authorization`.
    pub(super) authorization: Option<String>,
}

impl Head {
    /// Reads the head; gives what follows it too. `None` is no request to a proxy.
    pub(super) fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let mut fields = [lines::EMPTY; FIELDS];
        let (line, count, body) = lines::split(bytes, &mut fields)?;
        let mut words = line.split(' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        if words.next().is_some() || !version.starts_with("HTTP/1.") || method.is_empty() {
            return None;
        }
        let fields = &fields[..count];
        let own = |name: &str| name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("proxy-"));
        let authorization = fields.iter().find(|(name, _)| name.eq_ignore_ascii_case("proxy-authorization"));
        let authorization = authorization.map(|(_, value)| (*value).to_owned());
        if method == "CONNECT" {
            let (host, port) = hosts::split(target, None)?;
            return Some((Self { host, port, forward: None, authorization }, body));
        }
        let rest = target.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("http://")).map(|_| &target[7..])?;
        let (authority, path) = rest.find(['/', '?']).map_or((rest, "/"), |at| rest.split_at(at));
        let (host, port) = hosts::split(authority, Some(80))?;
        let slash = if path.starts_with('/') { "" } else { "/" };
        // One request a connection: a second one could name another host, which nobody would look at.
        let mut forward = format!("{method} {slash}{path} {version}\r\nConnection: close\r\n");
        for (name, value) in fields {
            if !own(name) && !name.eq_ignore_ascii_case("connection") && !name.eq_ignore_ascii_case("keep-alive") {
                let _ = write!(forward, "{name}: {value}\r\n");
            }
        }
        forward.push_str("\r\n");
        Some((Self { host, port, forward: Some(forward.into_bytes()), authorization }, body))
    }
}

/// The little of HTTP that is needed: lines and fields, strictly.
mod lines {
    /// A field before it is filled.
    pub(super) const EMPTY: (&str, &str) = ("", "");

    /// The first line, how many fields were put into `fields`, and what follows the head. Only visible ASCII, blanks
    /// and tabs count as text; everything else, a lone line feed as well, is refused rather than guessed.
    pub(super) fn split<'a>(bytes: &'a [u8], fields: &mut [(&'a str, &'a str)]) -> Option<(&'a str, usize, &'a [u8])> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let fit = |c: char| c == ' ' || c == '\t' || c.is_ascii_graphic();
        let mut lines = head.split("\r\n");
        let first = lines.next().filter(|line| line.chars().all(fit))?;
        let mut count = 0;
        for line in lines {
            let (name, value) = line.split_once(':')?;
            let named = !name.is_empty() && name.chars().all(|c| c.is_ascii_graphic());
            if !named || !line.chars().all(fit) {
                return None;
            }
            *fields.get_mut(count)? = (name, value.trim_matches([' ', '\t']));
            count += 1;
        }
        Some((first, count, &bytes[end + 4..]))
    }
}

/// A whole answer of the proxy's own.
pub(super) fn answer(status: u16, text: &str) -> Vec<u8> {
    let reason = match status {
        400 => "Bad Request",
        403 => "Forbidden",
        407 => "Proxy Authentication Required",
        431 => "Request Header Fields Too Large",
        502 => "Bad Gateway",
        _ => "Service Unavailable",
    };
    let ask = if status == 407 { "Proxy-Authenticate: Basic realm=\"overnight\"\r\n" } else { "" };
    let length = text.len() + 1;
    let head = format!("HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n{ask}");
    format!("{head}Connection: close\r\n\r\n{text}\n").into_bytes()
}

/// `user:password` as the field's value (RFC 7617).
pub(super) fn basic(secret: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = "Basic ".to_owned();
    for three in secret.as_bytes().chunks(3) {
        let bits = three.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place)) as usize & 63];
            text.push(if place > three.len() { '=' } else { char::from(letter) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tunnel_and_a_plain_request_are_read() {
        let (head, body) = Head::read(b"CONNECT a.example:443 HTTP/1.1\r\nHost: x\r\n\r\nhello").unwrap();
        assert_eq!((head.host.as_str(), head.port, head.forward, body), ("a.example", 443, None, &b"hello"[..]));
        let text = b"POST http://a.example:81/p?q HTTP/1.1\r\nHost: a.example\r\nProxy-Authorization: Basic eA==\r\n\
                     Connection: keep-alive\r\nContent-Length: 2\r\n\r\nhi";
        let (head, body) = Head::read(text).unwrap();
        assert_eq!((head.host.as_str(), head.port, body), ("a.example", 81, &b"hi"[..]));
        assert_eq!(head.authorization.as_deref(), Some("Basic eA=="));
        let forward = String::from_utf8(head.forward.unwrap()).unwrap();
        assert_eq!(forward, "POST /p?q HTTP/1.1\r\nConnection: close\r\nHost: a.example\r\nContent-Length: 2\r\n\r\n");
        let (head, _) = Head::read(b"GET http://a.example?q HTTP/1.0\r\n\r\n").unwrap();
        assert!(head.forward.unwrap().starts_with(b"GET /?q HTTP/1.0\r\n"));
    }

    #[test]
    fn what_is_no_proxy_request_is_refused() {
        for text in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET ftp://a/ HTTP/1.1\r\n\r\n",
            "CONNECT a HTTP/1.1\r\n\r\n",
            "CONNECT a:443 HTTP/2\r\n\r\n",
            "CONNECT a:443 x HTTP/1.1\r\n\r\n",
            "GET http://u@a/ HTTP/1.1\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\n folded: x\r\n\r\n",
            "GET http://\u{e4}/ HTTP/1.1\r\n\r\n",
            "\r\n\r\n",
            "",
        ] {
            assert_eq!(Head::read(text.as_bytes()), None, "{text:?}");
        }
        let many = format!("GET http://a/ HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(FIELDS + 1));
        assert_eq!(Head::read(many.as_bytes()), None);
    }

    #[test]
    fn a_secret_is_encoded_as_the_standard_says() {
        for (secret, text) in [
            ("Aladdin:open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
            ("a:b", "YTpi"),
            ("a:bc", "YTpiYw=="),
            ("a:bcd", "YTpiY2Q="),
        ] {
            assert_eq!(basic(secret), format!("Basic {text}"));
        }
    }
}
