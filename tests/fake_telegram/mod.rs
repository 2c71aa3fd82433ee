//! A strict fake of the Telegram Bot API: real HTTP, a world of people and chats behind it, and faults on request.
//!
//! It knows nothing of the bot under test. Every request is checked against the Bot API's schema; what breaks it is
//! refused and recorded as a violation, so a test can end with `assert_eq!(telegram.violations(), [""; 0])`.
//! `phone.rs` has what stories call; `control.rs` has the same over HTTP, for the program in `tests/live/fake_telegram.rs`;
//! `record.rs` writes requests down, so that other implementations can be asked too (`tests/live/second_opinion`).
//!
//! **Simulated:** the methods in `tests/fixtures/telegram/schema.json` over JSON, query, form and multipart; long polling
//! with offsets, limits, kinds and the 409 of a second poller; `parse_mode=HTML` with entities; limits of texts, buttons,
//! toasts, commands and files; private chats, groups, supergroups, forums and channels; blocking, migration; scopes of
//! commands; taps that grow too old; updates that do; downloads; one message a second a chat if asked for.
//!
//! **Stricter than Telegram:** unknown fields and numbers in strings (in JSON) are refused; what Telegram silently repairs
//! (more than 100 entities, a link to nothing, markup inside `code`) is a violation; parameters without an effect here too.
//!
//! **Not simulated:** what a webhook gets, inline mode, business accounts, rich and ephemeral messages, albums, Markdown, thumbnails,
//! files by address, entities Telegram finds by itself (but a command's), privacy mode (the bot reads everything in its
//! groups), rights of administrators, limits of 20 a minute a group and 30 a second overall, service messages about pins.
//! The wording of refusals is Telegram's where a client could look at it (blocked, moved, not modified, too old, too long,
//! can't parse entities); of schema errors, reactions, button texts and styles it is ours.

mod answer;
mod control;
pub(crate) mod faults;
pub(crate) mod html;
mod limits;
mod link;
mod methods;
mod people;
mod phone;
mod record;
mod render;
pub(crate) mod requests;
mod schema;
pub(crate) mod seen;
mod send;
mod server;
mod updates;
mod world;

use server::{Server, Shared};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use world::World;

/// The token the fake accepts.
const TOKEN: &str = "123456:FAKE-TOKEN_for-tests";

/// A running fake; clones are the same one. It ends with its last clone.
#[derive(Clone)]
pub(crate) struct FakeTelegram {
    shared: Arc<Shared>,
    server: Arc<Mutex<Option<Server>>>,
    address: SocketAddr,
}

impl FakeTelegram {
    /// Starts on a free port.
    pub(crate) async fn start() -> Self {
        Self::start_on(0).await.expect("a free port")
    }

    /// Starts on this port.
    pub(crate) async fn start_on(port: u16) -> std::io::Result<Self> {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?.into_std()?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(World::new(now()), TOKEN));
        let server = Server::start(listener, Arc::clone(&shared));
        Ok(Self { shared, server: Arc::new(Mutex::new(Some(server))), address })
    }

    /// The address for `Bot::set_api_url`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn token(&self) -> &str {
        &self.shared.token
    }

    /// Nobody listens any more, and every connection ends.
    pub(crate) fn cut(&self) {
        drop(self.server.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Listens again where it did.
    pub(crate) fn restore(&self) {
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        if server.is_none() {
            let listener = std::net::TcpListener::bind(self.address).expect("the port it had");
            *server = Some(Server::start(listener, Arc::clone(&self.shared)));
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the fake depends on nothing of the bot, not even its clock")]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
