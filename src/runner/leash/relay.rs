//! Inside of a sandbox without a network: ports on its loopback that lead to the proxy's socket, one for the proxy
//! itself and one for each listed place on the host's loopback, so that its user need not know of a proxy.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{control, pipe};

/// Where the proxy is found inside: a number nobody else has there, for the loopback is the sandbox's own.
pub(super) const PORT: u16 = 3128;
/// Connections at once; the proxy has the same limit.
const MOST: usize = 128;

/// What leads where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Relay {
    /// The proxy's socket, as it is seen inside.
    #[serde(with = "crate::runner::path_json")]
    pub(super) proxy: PathBuf,
    /// Places on the host's loopback: what is asked of the proxy, and the port they have inside too.
    pub(super) places: Vec<(String, u16)>,
}

/// Listens; the error says where that is not possible.
pub(super) fn start(relay: &Relay) -> Result<(), String> {
    let open = Arc::new(AtomicUsize::new(0));
    let own = (None, PORT);
    for (place, port) in relay.places.iter().map(|(host, port)| (Some(host.clone()), *port)).chain([own]) {
        let address = if place.as_deref().is_some_and(|host| host.contains(':')) { "::1" } else { "127.0.0.1" };
        let failed = |error: io::Error| format!("could not listen on {address} port {port} in the sandbox: {error}");
        let listener = TcpListener::bind((address, port)).map_err(failed)?;
        let (proxy, open) = (relay.proxy.clone(), Arc::clone(&open));
        let place =
            place.map(|host| if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") });
        pipe::thread("relay", move || accept(&listener, &proxy, place.as_deref(), &open)).map_err(failed)?;
    }
    Ok(())
}

fn accept(listener: &TcpListener, proxy: &Path, place: Option<&str>, open: &Arc<AtomicUsize>) {
    loop {
        let Ok((client, _)) = listener.accept() else {
            std::thread::sleep(Duration::from_millis(50));
            continue;
        };
        if open.fetch_add(1, Ordering::AcqRel) >= MOST {
            open.fetch_sub(1, Ordering::AcqRel);
            continue;
        }
        let (proxy, place, seats) = (proxy.to_owned(), place.map(str::to_owned), Arc::clone(open));
        let carried = pipe::thread("relayed", move || {
            let _ = carry(client, &proxy, place.as_deref());
            seats.fetch_sub(1, Ordering::AcqRel);
        });
        if carried.is_err() {
            open.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

fn carry(client: TcpStream, proxy: &Path, place: Option<&str>) -> io::Result<()> {
    let mut server = control::connect(proxy)?;
    if let Some(place) = place {
        write!(server, "CONNECT {place} HTTP/1.1\r\n\r\n")?;
        answered(&mut server)?;
    }
    pipe::join(client, server)
}

/// Reads the proxy's answer up to its empty line; anything but a yes is an error.
fn answered(server: &mut UnixStream) -> io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    // One by one, so that nothing of what follows is taken; it is one short line.
    while !head.ends_with(b"\r\n\r\n") && head.len() < 1024 {
        server.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    if head.starts_with(b"HTTP/1.1 200 ") { Ok(()) } else { Err(io::ErrorKind::ConnectionRefused.into()) }
}
