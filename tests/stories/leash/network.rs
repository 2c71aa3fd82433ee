//! Whom a hostile command can talk to.

use super::stage::{Stage, each};
use overnight::runner::leash::{Mechanisms, Network, Reach};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A server on the host's loopback that answers every connection alike and remembers what it was sent.
struct Server {
    port: u16,
    connections: Arc<AtomicUsize>,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server =
            Self { port: listener.local_addr().unwrap().port(), connections: Arc::default(), heard: Arc::default() };
        let (connections, heard) = (Arc::clone(&server.connections), Arc::clone(&server.heard));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                connections.fetch_add(1, Ordering::Relaxed);
                let heard = Arc::clone(&heard);
                std::thread::spawn(move || {
                    let mut buffer = [0; 4096];
                    let n = stream.read(&mut buffer).unwrap_or(0);
                    heard.lock().unwrap().extend_from_slice(&buffer[..n]);
                    let _ =
                        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nreached");
                });
            }
        });
        server
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

/// Connects to loopback at `PORT` and says how that went.
const CONNECT: &str = "
import socket, sys
try:
    s = socket.create_connection(('127.0.0.1', PORT), 5); s.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n'); print(s.recv(999))
except OSError as error:
    print('refused', error)
";

fn connect(port: u16) -> String {
    CONNECT.replace("PORT", &port.to_string())
}

#[test]
fn a_closed_network_reaches_no_listener_of_the_host() {
    let server = Server::start();
    each(|mode, stage| {
        let before = server.connections();
        let end = stage.python(&connect(server.port));
        let reach = end.held.unwrap().network;
        if mode.bwrap || mode.landlock {
            assert_eq!(reach, if mode.bwrap { Reach::Closed } else { Reach::ClosedTcp });
            assert_eq!(server.connections(), before, "{}", stage.log());
            assert!(stage.log().starts_with("refused"), "{}", stage.log());
        } else {
            assert_eq!(reach, Reach::Open);
        }
    });
}

#[test]
fn datagrams_are_stopped_or_said_to_be_open() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let program = format!(
        "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ntry:\n  s.sendto(b'out', ('127.0.0.1', {}))\n\
         except OSError as e:\n  print(e)",
        socket.local_addr().unwrap().port()
    );
    each(|_, stage| {
        let held = stage.python(&program).held.unwrap();
        let came = socket.recv(&mut [0; 9]).is_ok();
        if held.network == Reach::Closed {
            assert!(!came, "{held:?}");
        } else {
            assert!(held.gaps.iter().any(|gap| gap == "UDP is open" || gap == "the network is open"), "{held:?}");
        }
    });
}

#[test]
fn unix_sockets_of_the_session_are_out_of_reach_or_said_not_to_be() {
    each(|mode, stage| {
        let path = stage.root().join("data/session.sock");
        let listener = UnixListener::bind(&path).unwrap();
        listener.set_nonblocking(true).unwrap();
        let name = format!("overnight-story-{}", stage.unique());
        let address = SocketAddr::from_abstract_name(name.as_bytes());
        let hidden = UnixListener::bind_addr(&address.unwrap()).unwrap();
        hidden.set_nonblocking(true).unwrap();
        let program = format!(
            "import socket\nfor a in [{:?}, '\\0{name}']:\n  s = socket.socket(socket.AF_UNIX)\n  try:\n    s.connect(a)\n  \
             except OSError as e:\n    print(e)",
            path.to_str().unwrap()
        );
        let said = |held: &overnight::runner::leash::Held, what: &str| held.gaps.iter().any(|gap| gap.contains(what));
        let held = stage.python(&program).held.unwrap();
        let (by_path, by_name) = (listener.accept().is_ok(), hidden.accept().is_ok());
        if mode.bwrap {
            assert!(!by_path && !by_name, "{}", stage.log());
        } else if mode.landlock {
            assert!(!by_path || said(&held, "unix sockets"), "{held:?}");
            assert!(!by_name || said(&held, "abstract sockets"), "{held:?}");
        } else {
            assert!(!held.sandboxed());
        }
    });
}

/// With an open network the namespace is the host's: only landlock keeps abstract sockets apart.
#[test]
fn an_open_network_is_open_and_abstract_sockets_are_not() {
    let server = Server::start();
    let mut stage = Stage::new(Mechanisms::ALL);
    stage.leash.network = Network::Open;
    let name = format!("overnight-open-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(name.as_bytes());
    let hidden = UnixListener::bind_addr(&address.unwrap()).unwrap();
    hidden.set_nonblocking(true).unwrap();
    let abstract_too =
        format!("\ntry:\n  socket.socket(socket.AF_UNIX).connect('\\0{name}')\nexcept OSError as e:\n  print('no', e)");
    let end = stage.python(&(connect(server.port) + &abstract_too));
    assert_eq!(end.held.unwrap().network, Reach::Open);
    assert!(stage.log().contains("reached") && stage.log().contains("no "), "{}", stage.log());
    assert!(hidden.accept().is_err());
}

/// Asks the proxy it was told of for `host:port` in both ways it may be asked.
const ASK: &str = r#"
import os, socket, sys, base64, urllib.parse
proxy = urllib.parse.urlsplit(os.environ["HTTPS_PROXY"])
def ask(text):
    s = socket.create_connection((proxy.hostname, proxy.port), 20)
    login = ""
    if proxy.username:
        token = base64.b64encode(f"{proxy.username}:{proxy.password}".encode()).decode()
        login = f"Proxy-Authorization: Basic {token}\r\n"
    s.sendall(text.replace("LOGIN", login).encode())
    got = b""
    while True:
        part = s.recv(9999)
        if not part or got.endswith(b"established\r\n\r\n"): return got + part, s
        got += part
        if got.endswith(b"established\r\n\r\n"): return got, s
for target in sys.argv[1:]:
    got, s = ask(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nLOGIN\r\n")
    if b" 200 " in got:
        s.sendall(b"GET /tunnel HTTP/1.0\r\n\r\n")
        got = s.makefile("rb").read()
    print("connect", target, got.decode().replace("\r\n", " "))
    got, _ = ask(f"GET http://{target}/plain HTTP/1.1\r\nHost: {target}\r\nX-Kept: yes\r\nLOGIN\r\n")
    print("plain", target, got.decode().replace("\r\n", " "))
"#;

#[test]
fn listed_hosts_are_reached_by_the_proxy_and_others_are_refused_and_named() {
    let (server, other) = (Server::start(), Server::start());
    each(|mode, stage| {
        let listed = format!("127.0.0.1:{}", server.port);
        let unlisted = format!("127.0.0.1:{}", other.port);
        stage.leash.network = Network::Hosts(vec![listed.clone(), "*.example.com".into()]);
        if !(mode.bwrap || mode.landlock) {
            let held = stage.run("env | grep -i _proxy; true").held.unwrap();
            assert_eq!((held.network, stage.log().as_str()), (Reach::Open, ""), "nothing is pretended");
            return;
        }
        let before = other.connections();
        let end = stage.run_argv(&["python3", "-c", ASK, &listed, &unlisted, "evil.example.org:443"]);
        let (log, held) = (stage.log(), end.held.as_ref().unwrap());
        assert_eq!(held.network, if mode.bwrap { Reach::Hosts } else { Reach::HostsTcp });
        for how in ["connect", "plain"] {
            let line = |target: &str| log.lines().find(|line| line.starts_with(&format!("{how} {target}"))).unwrap();
            assert!(line(&listed).contains("reached"), "{log}");
            for target in [unlisted.as_str(), "evil.example.org:443"] {
                assert!(line(target).contains("403") && line(target).contains("not among the hosts"), "{log}");
            }
        }
        assert_eq!(other.connections(), before);
        assert_eq!((end.refused, end.refused_hosts), (4, vec![unlisted, "evil.example.org:443".to_owned()]));
        let heard = String::from_utf8_lossy(&server.heard.lock().unwrap()).into_owned();
        assert!(heard.contains("GET /tunnel ") && heard.contains("GET /plain HTTP/1.1\r\nConnection: close\r\n"));
        assert!(heard.contains("X-Kept: yes") && !heard.contains("Proxy-"), "{heard}");
        // Without knowing of a proxy: a listed place of the host's loopback is there, another is not.
        stage.python(&connect(server.port));
        assert!(stage.log().contains("reached"), "{}", stage.log());
        stage.python(&connect(other.port));
        assert!(stage.log().contains("refused") && other.connections() == before, "{}", stage.log());
    });
}

#[test]
fn a_proxy_on_loopback_serves_only_who_knows_its_secret() {
    let server = Server::start();
    let mut stage = Stage::new(Mechanisms { bwrap: false, ..Mechanisms::ALL });
    stage.leash.network = Network::Hosts(vec![format!("127.0.0.1:{}", server.port)]);
    stage.launch("echo $HTTP_PROXY; while :; do sleep 0.1; done");
    stage.wait_log("\n");
    let log = stage.log();
    let (secret, address) = log.trim().strip_prefix("http://").unwrap().split_once('@').unwrap();
    assert!(secret.len() > 32);
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    write!(stream, "CONNECT 127.0.0.1:{} HTTP/1.1\r\n\r\n", server.port).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 407 "), "{answer}");
    assert_eq!(server.connections(), 0);
    stage.stop();
}

#[test]
fn a_flood_of_connections_costs_the_supervisor_little() {
    let server = Server::start();
    let mut stage = Stage::new(Mechanisms::ALL);
    stage.leash.processes = Some(1024);
    stage.leash.network = Network::Hosts(vec![format!("127.0.0.1:{}", server.port)]);
    // Opened, never finished: half a head each, a thousand held at once; then one that is served as soon as others end.
    stage.launch(&format!(
        "cat > flood.py <<'END'
import socket, time, resource
held = []
for i in range(3000):
    s = socket.socket(); s.settimeout(20)
    try:
        s.connect(('127.0.0.1', 3128)); s.sendall(b'CONNECT a')
    except OSError:
        pass
    held.append(s)
    if len(held) > 700: held.pop(0).close()
print('flooded', flush=True)
held.clear()
for i in range(200):
    s = socket.create_connection(('127.0.0.1', {}), 20)
    try:
        s.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n')
        if b'reached' in s.recv(999): print('served', flush=True); break
    except OSError: pass
    time.sleep(0.1)
time.sleep(600)
END
python3 flood.py",
        server.port
    ));
    stage.wait_log("flooded");
    let memory = stage.supervisor_memory().unwrap();
    assert!(memory < 64 << 20, "{memory} bytes");
    stage.wait_log("served");
    let end = stage.stop();
    assert_eq!(end.error, None, "{end:?}");
}
