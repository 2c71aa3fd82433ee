//! The only way out of a run whose network is a list of hosts: a small HTTP proxy in its supervisor.
//!
//! It takes `CONNECT host:port` and plain requests with an absolute address, asks the list, resolves the name here
//! (the sandbox has no DNS), and copies bytes. It listens on a unix socket that is shown to the sandbox, or, where
//! there is no network namespace, on loopback behind a secret.
//!
//! Everything is bounded: connections at once, the head of a request in bytes and seconds, silence on a connection,
//! names remembered. Left out on purpose: HTTP beyond the first line and the proxy's own header fields, caching, and
//! looking into what is sent.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::hosts::{self, Hosts};
use super::pipe::{self, Stream};
use super::request::{self, Head};
use crate::runner::RunEnd;

/// Connections at once; more are told to come back later.
const MOST: usize = 128;
/// The head of a request, in time.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// Connecting to one address.
const CONNECT_LIMIT: Duration = Duration::from_secs(20);
/// Refused names kept, and how long each may be.
const NAMES: usize = 20;
const NAME_LENGTH: usize = 253;

/// A proxy that serves until its process ends.
#[derive(Debug, Clone)]
pub(super) struct Proxy {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    hosts: Hosts,
    /// What `Proxy-Authorization` has to be; `None` where only the sandbox can reach the socket.
    secret: Option<String>,
    open: AtomicUsize,
    refused: Mutex<Refused>,
}

/// What was asked for and is not on the list.
#[derive(Debug, Default)]
struct Refused {
    count: u64,
    names: BTreeSet<String>,
}

impl Proxy {
    /// Serves on a unix socket.
    pub(super) fn on_socket(listener: UnixListener, hosts: Hosts) -> io::Result<Self> {
        let proxy = Self::new(hosts, None);
        let shared = Arc::clone(&proxy.shared);
        pipe::thread("proxy", move || accept(&shared, || listener.accept().map(|(stream, _)| stream)))?;
        Ok(proxy)
    }

    /// Serves on a port of loopback that the system chooses, to whoever knows `user:password`; gives the port.
    pub(super) fn on_loopback(hosts: Hosts, secret: &str) -> io::Result<(Self, u16)> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let proxy = Self::new(hosts, Some(request::basic(secret)));
        let shared = Arc::clone(&proxy.shared);
        pipe::thread("proxy", move || accept(&shared, || listener.accept().map(|(stream, _)| stream)))?;
        Ok((proxy, port))
    }

    fn new(hosts: Hosts, secret: Option<String>) -> Self {
        Self { shared: Arc::new(Shared { hosts, secret, open: AtomicUsize::new(0), refused: Mutex::default() }) }
    }

    /// Tells in `end` what was refused so far.
    pub(super) fn tell(&self, end: &mut RunEnd) {
        let refused = self.shared.refused.lock().unwrap_or_else(PoisonError::into_inner);
        end.refused = refused.count;
        end.refused_hosts = refused.names.iter().cloned().collect();
    }
}

/// The variables programs find a proxy by. What a run serves itself on loopback it reaches without.
pub(super) fn point_at(env: &mut BTreeMap<String, String>, proxy: &str) {
    let own = "localhost,127.0.0.1,::1";
    for (name, value) in [("HTTP_PROXY", proxy), ("HTTPS_PROXY", proxy), ("ALL_PROXY", proxy), ("NO_PROXY", own)] {
        env.insert(name.into(), value.into());
        env.insert(name.to_lowercase(), value.into());
    }
    // Node looks at them only when told to.
    env.insert("NODE_USE_ENV_PROXY".into(), "1".into());
}

fn accept<S: Stream>(shared: &Arc<Shared>, mut next: impl FnMut() -> io::Result<S>) {
    loop {
        let Ok(mut client) = next() else {
            // Out of file handles, most likely: it passes.
            std::thread::sleep(Duration::from_millis(50));
            continue;
        };
        if shared.open.fetch_add(1, Ordering::AcqRel) >= MOST {
            shared.open.fetch_sub(1, Ordering::AcqRel);
            // Never waits: a client that does not read must not stop the others.
            let _ = client.set_nonblocking(true);
            let _ = client.write(&request::answer(503, "Too many connections at once; try again."));
            continue;
        }
        let seat = Seat(Arc::clone(shared));
        // Where no thread can be had the connection is closed, and the seat with it.
        let _ = pipe::thread("proxied", move || drop(serve(&seat.0, client)));
    }
}

/// A place among the connections; leaves it when dropped.
struct Seat(Arc<Shared>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
    }
}

fn serve<S: Stream>(shared: &Shared, mut client: S) -> io::Result<()> {
    let bytes = match read_head(&mut client) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return client.write_all(&request::answer(431, "The head of the request is too large."));
        }
        Err(error) => return Err(error),
    };
    let Some((head, body)) = Head::read(&bytes) else {
        return client
            .write_all(&request::answer(400, "This is a proxy: CONNECT host:port, or an absolute http address."));
    };
    if shared.secret.is_some() && head.authorization != shared.secret {
        return client.write_all(&request::answer(407, "Not yours."));
    }
    if !shared.hosts.allow(&head.host, head.port) {
        shared.refuse(&head.host, head.port);
        let text = format!(
            "overnight: {}:{} is not among the hosts this build may reach. Its owner can list it.",
            shown(&head.host),
            head.port
        );
        return client.write_all(&request::answer(403, &text));
    }
    let mut server = match connect(&head.host, head.port) {
        Ok(server) => server,
        Err(error) => {
            let text = format!("overnight: no connection to {}:{}: {error}", shown(&head.host), head.port);
            return client.write_all(&request::answer(502, &text));
        }
    };
    match &head.forward {
        None => client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?,
        Some(forward) => server.write_all(forward)?,
    }
    server.write_all(body)?;
    pipe::join(client, server)
}

impl Shared {
    fn refuse(&self, host: &str, port: u16) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.count += 1;
        if refused.names.len() < NAMES {
            refused.names.insert(format!("{}:{port}", shown(host)));
        }
    }
}

/// A name the run chose, fit to be repeated.
fn shown(host: &str) -> String {
    host.chars().map(|c| if c.is_ascii_graphic() { c } else { '?' }).take(NAME_LENGTH).collect()
}

/// Reads up to the empty line, and what came with it.
fn read_head(client: &mut impl Stream) -> io::Result<Vec<u8>> {
    let until = Instant::now() + HEAD_LIMIT;
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        client.set_read_timeout(Some(left))?;
        let n = client.read(&mut buffer)?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&buffer[..n]);
        if bytes.windows(4).any(|end| end == b"\r\n\r\n") {
            return Ok(bytes);
        }
        if bytes.len() > request::HEAD_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}

fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let here = hosts::may_be_here(host);
    for address in addresses(host, port)? {
        if hosts::is_own(address.ip()) && !here {
            last = io::Error::new(io::ErrorKind::PermissionDenied, "the name leads to this machine itself");
            continue;
        }
        match TcpStream::connect_timeout(&address, CONNECT_LIMIT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn addresses(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    match host.parse::<IpAddr>() {
        Ok(address) => Ok(vec![(address, port).into()]),
        Err(_) => Ok((host, port).to_socket_addrs()?.take(8).collect()),
    }
}

impl Stream for UnixStream {
    fn twin(&self) -> io::Result<Self> {
        self.try_clone()
    }
    fn set_read_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        Self::set_read_timeout(self, limit)
    }
    fn set_write_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        Self::set_write_timeout(self, limit)
    }
    fn set_nonblocking(&self, on: bool) -> io::Result<()> {
        Self::set_nonblocking(self, on)
    }
    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        Self::shutdown(self, how)
    }
}

impl Stream for TcpStream {
    fn twin(&self) -> io::Result<Self> {
        self.try_clone()
    }
    fn set_read_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        Self::set_read_timeout(self, limit)
    }
    fn set_write_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        Self::set_write_timeout(self, limit)
    }
    fn set_nonblocking(&self, on: bool) -> io::Result<()> {
        Self::set_nonblocking(self, on)
    }
    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        Self::shutdown(self, how)
    }
}
