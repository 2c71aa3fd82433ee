//! Telegram: whether the bot is known, can fetch messages and reach its owner; and this machine's clock by its answer.

use super::Findings;
use crate::cli::init::telegram::{Api, Trouble};
use crate::config::Config;
use chrono::{DateTime, Utc};

/// Minutes a clock may be off: certificates and nights bear that.
const CLOCK_MINUTES: i64 = 2;

pub(super) async fn look(config: &Config, now: DateTime<Utc>, findings: &mut Findings) {
    let Some(known) = &config.telegram else {
        return findings.warn("not set up: the bot talks on the terminal only", "overnight init");
    };
    let api = match Api::new(known.token.expose(), config.telegram_api_url()) {
        Ok(api) => api,
        Err(error) => return findings.bad(format!("{error:#}"), "correct TELEGRAM_API_URL"),
    };
    match api.name().await {
        Ok(name) => findings.fine(format!("the token is good: @{name}")),
        Err(trouble @ Trouble::Network(..)) => {
            return findings
                .bad(trouble.to_string(), "look at the network, a proxy, a firewall; messages wait meanwhile");
        }
        Err(trouble) => {
            return findings.bad(trouble.to_string(), "ask @BotFather for the token (/mybots), then: overnight init");
        }
    }
    clock(&api, now, findings).await;
    match api.webhook().await {
        Ok(None) => findings.fine("no webhook is set"),
        Ok(Some(place)) => findings.bad(
            format!("a webhook at {place} takes the bot's messages away, so none can be fetched"),
            "end what set it, then run overnight init, which asks and takes it away; or use another bot",
        ),
        Err(trouble) => findings.warn(trouble.to_string(), "try again"),
    }
    let Some(owner) = known.owner else {
        return findings.bad("nobody owns the bot, so it talks to nobody", "overnight init shows a code to claim it");
    };
    match api.reaches(owner).await {
        Ok(()) => findings.fine(format!("its owner ({owner}) can be reached")),
        Err(trouble) => {
            findings.bad(format!("its owner ({owner}) can't be reached: {trouble}"), "open the bot, press Start");
        }
    }
    let home = known.places.home.as_deref().and_then(|home| home.split('/').next()?.parse::<i64>().ok());
    for chat in home.into_iter().chain(known.places.chats.iter().copied().filter(|chat| Some(*chat) != home)) {
        match api.reaches(chat).await {
            Ok(()) => findings.fine(format!("chat {chat} can be reached")),
            Err(trouble) if Some(chat) == home => {
                let what = format!("chat {chat}, where the brief goes, can't be reached: {trouble}");
                findings.bad(what, "add the bot to it, or correct home under [telegram]");
            }
            Err(trouble) => {
                let what = format!("chat {chat} can't be reached: {trouble}");
                findings.warn(what, "add the bot to it, or take it out of chats under [telegram]");
            }
        }
    }
}

async fn clock(api: &Api, now: DateTime<Utc>, findings: &mut Findings) {
    let Ok(Some(theirs)) = api.time().await else { return };
    let minutes = (now - theirs).num_minutes();
    if minutes.abs() > CLOCK_MINUTES {
        let what =
            format!("this machine's clock is {} min {}", minutes.abs(), if minutes > 0 { "fast" } else { "slow" });
        findings.warn(what, "switch time synchronization on (timedatectl set-ntp true)");
    } else {
        findings.fine("this machine's clock is right");
    }
}
