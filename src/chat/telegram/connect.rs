//! The way to a Bot API server, one for the front-end, for setting up and for checking.

use std::time::Duration;
use teloxide::Bot;

const CONNECT: Duration = Duration::from_secs(10);

/// The bot of this token at `api_url`, or at Telegram itself; no request takes longer than `limit`.
///
/// # Errors
/// An address that is none, or no TLS.
pub fn bot(token: &str, api_url: Option<&str>, limit: Duration) -> Result<Bot, String> {
    let client = reqwest::Client::builder().connect_timeout(CONNECT).timeout(limit).tcp_nodelay(true).build();
    let client = client.map_err(|error| format!("no HTTP client can be made: {error}"))?;
    let bot = Bot::with_client(token, client);
    match api_url {
        None => Ok(bot),
        Some(url) => match reqwest::Url::parse(url) {
            Ok(url) => Ok(bot.set_api_url(url)),
            Err(error) => Err(format!("TELEGRAM_API_URL: {url:?} is no address of a Bot API server: {error}")),
        },
    }
}
