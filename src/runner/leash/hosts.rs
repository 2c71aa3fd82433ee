//! Which hosts a run may talk to: the list it was given, asked by its proxy. Pure.
//!
//! Left out on purpose: resolving names (`proxy`), which happens outside of the sandbox.

use std::net::{IpAddr, Ipv6Addr};

/// Ports meant by a host listed without one.
const WEB: [u16; 2] = [80, 443];

/// What is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hosts(Vec<Host>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Host {
    /// Lower case; the suffix with its dot where any host below it is meant.
    name: String,
    below: bool,
    port: Option<u16>,
}

impl Hosts {
    /// Reads the list; the error names the first entry that is none.
    pub(super) fn new(list: &[String]) -> Result<Self, String> {
        list.iter()
            .map(|text| Host::read(text).ok_or_else(|| format!("{text:?} is not host, host:port or *.suffix")))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether `host` (a name or an address, without brackets) may be connected to at `port`.
    pub(super) fn allow(&self, host: &str, port: u16) -> bool {
        let host = tidy(host);
        self.0.iter().any(|listed| listed.is(&host) && listed.port.map_or(WEB.contains(&port), |only| only == port))
    }

    /// Listed places on this machine itself, each with a port: they are reached without knowing of a proxy.
    pub(super) fn here(&self) -> Vec<(String, u16)> {
        let here = self.0.iter().filter(|listed| !listed.below && is_here(&listed.name));
        here.filter_map(|listed| Some((listed.name.clone(), listed.port?))).collect()
    }
}

impl Host {
    fn read(text: &str) -> Option<Self> {
        let (name, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, "")) => (address, None),
            Some((address, rest)) => (address, Some(rest.strip_prefix(':')?)),
            None if text.parse::<Ipv6Addr>().is_ok() => (text, None),
            None => text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port))),
        };
        let port = port.map(str::parse).transpose().ok()?;
        let (name, below) = name.strip_prefix('*').map_or((name, false), |suffix| (suffix, true));
        let bare = if below { name.strip_prefix('.')? } else { name };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        let fits = !bare.is_empty() && bare.len() <= 253 && bare.chars().all(plain);
        (fits && port != Some(0)).then(|| Self { name: tidy(name), below, port })
    }

    fn is(&self, host: &str) -> bool {
        if self.below { host.len() > self.name.len() && host.ends_with(&self.name) } else { host == self.name }
    }
}

/// Names are compared without case and without the dot of the root.
fn tidy(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(is_own)
}

/// Whether an address of this machine's own may be meant by `host`: only by one that says so. A name that somebody else
/// resolves must not lead back here.
pub(super) fn may_be_here(host: &str) -> bool {
    is_here(&tidy(host))
}

/// An address that means this machine, or its direct neighbourhood, such as a cloud's metadata server.
pub(super) fn is_own(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_unspecified() || v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unspecified() || v6.is_unicast_link_local(),
    }
}

/// Splits `host:port`, `[v6]:port` or `host`; the port is `default` where there is none.
pub(super) fn split(authority: &str, default: Option<u16>) -> Option<(String, u16)> {
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => authority.rsplit_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let port = match port {
        Some(port) => port.parse().ok().filter(|port| *port != 0)?,
        None => default?,
    };
    (!host.is_empty() && !host.contains(['/', '@', ' '])).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(list: &[&str]) -> Hosts {
        Hosts::new(&list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn a_host_is_allowed_by_name_suffix_and_port() {
        let hosts =
            hosts(&["api.example.com", "*.cdn.example.net", "127.0.0.1:4010", "Models.example.org:8443", "::1"]);
        for (host, port) in [
            ("api.example.com", 443),
            ("API.Example.com.", 80),
            ("a.cdn.example.net", 443),
            ("a.b.cdn.example.net", 443),
            ("127.0.0.1", 4010),
            ("models.example.org", 8443),
            ("::1", 80),
        ] {
            assert!(hosts.allow(host, port), "{host}:{port}");
        }
        for (host, port) in [
            ("api.example.com", 22),
            ("cdn.example.net", 443),
            ("evilcdn.example.net", 443),
            (".cdn.example.net", 443),
            ("api.example.com.evil.org", 443),
            ("x.api.example.com", 443),
            ("127.0.0.1", 4011),
            ("127.0.0.1", 443),
            ("models.example.org", 443),
            ("", 443),
        ] {
            assert!(!hosts.allow(host, port), "{host}:{port}");
        }
        assert_eq!(hosts.here(), [("127.0.0.1".to_owned(), 4010)]);
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in ["", "a b", "http://a", "a:0", "a:x", "*", "*a.com", "a/b", "a:1:2", "[::1", "*.", "u@a"] {
            assert!(Hosts::new(&[text.to_owned()]).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_name_resolved_by_others_does_not_lead_back_here() {
        assert!(!may_be_here("a.example.com") && may_be_here("LOCALHOST.") && may_be_here("127.0.0.1"));
        for own in ["127.0.0.1", "0.0.0.0", "169.254.169.254", "::1", "::", "::ffff:127.0.0.1", "fe80::1"] {
            assert!(is_own(own.parse().unwrap()), "{own}");
        }
        assert!(!is_own("10.0.0.1".parse().unwrap()) && !is_own("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn an_authority_is_split() {
        assert_eq!(split("a:1", None), Some(("a".into(), 1)));
        assert_eq!(split("a", Some(80)), Some(("a".into(), 80)));
        assert_eq!(split("[::1]:4", None), Some(("::1".into(), 4)));
        for odd in ["a", ":1", "a:0", "a:b", "a:99999", "u@a:1", "a/b:1"] {
            assert_eq!(split(odd, None), None, "{odd}");
        }
    }
}
