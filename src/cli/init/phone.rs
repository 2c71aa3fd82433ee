//! The Telegram part of setting up: the token, and who owns the bot.

use super::InitArgs;
use super::claim::{Claim, Incoming, Verdict, link};
use super::prompt::Prompt;
use super::telegram::{Api, Trouble};
use crate::app::OnlyOne;
use crate::clock::Clock;
use crate::config::{Config, is_token};
use crate::engine::home::Home;
use anyhow::bail;
use chrono::TimeDelta;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use std::io::IsTerminal;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What this part came to.
#[derive(Debug, Clone)]
pub(super) struct Phone {
    /// A token Telegram knows.
    pub(super) token: String,
    /// Who owns the bot, if anybody.
    pub(super) owner: Option<i64>,
}

/// Letters of a code: none that look alike. Twenty of them hold 100 bits.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const CODE_LETTERS: usize = 20;
/// Between looks, while things wait that are not for us: they come at once every time.
const PAUSE: Duration = Duration::from_millis(700);
/// Telegram shows this many at once; later ones can only be seen by confirming these.
const FULL: usize = 100;

const STEPS: &str = "\
Your own bot, in a minute:
  1. In Telegram open @BotFather (https://t.me/BotFather) and send: /newbot
  2. Give it a name, then a user name that ends in \"bot\".
  3. It answers with a token such as 123456789:AAE…; copy it here.
     It is like a password: only .env will hold it.";

/// Who and what is needed to ask.
pub(super) struct Asking<'a> {
    /// As found.
    pub(super) config: &'a Config,
    /// Flags.
    pub(super) args: &'a InitArgs,
    /// The person.
    pub(super) prompt: Prompt,
    /// The time.
    pub(super) clock: &'a dyn Clock,
    /// Ctrl-C.
    pub(super) stop: &'a CancellationToken,
}

impl Asking<'_> {
    /// Asks for the token and finds the owner. None: Telegram is left out, or stays as it is.
    pub(super) async fn phone(&self) -> anyhow::Result<Option<Phone>> {
        println!("\nTelegram");
        if self.args.no_telegram {
            println!("  left as it is (--no-telegram)");
            return Ok(None);
        }
        let Some((token, api, name)) = self.token().await? else {
            println!("  left out for now; run overnight init again to add it");
            return Ok(None);
        };
        println!("  the bot is @{name}");
        self.free_of_webhook(&api).await?;
        let present = self.config.telegram.as_ref().filter(|known| known.token.expose() == token);
        let present = present.and_then(|known| known.owner);
        let owner = match (self.args.owner, present) {
            (Some(owner), _) => Some(owner),
            (None, Some(owner)) => {
                let keep =
                    self.prompt.confirm(&format!("The bot belongs to the person with id {owner}. Keep that?"), true)?;
                if keep { Some(owner) } else { self.claim(&api, &name).await? }
            }
            (None, None) => self.claim(&api, &name).await?,
        };
        match owner {
            Some(owner) => println!("  it belongs to the person with id {owner}"),
            None => println!("  nobody owns it yet, so it will talk to nobody; run overnight init again to claim it"),
        }
        Ok(Some(Phone { token, owner }))
    }

    /// A token that Telegram knows.
    async fn token(&self) -> anyhow::Result<Option<(String, Api, String)>> {
        let url = self.config.telegram_api_url();
        let present = self.config.telegram.as_ref().map(|known| known.token.expose().to_owned());
        let mut candidate = self.args.token.clone().or(present);
        if candidate.is_none() {
            println!("{STEPS}");
        }
        loop {
            let token = match candidate.take() {
                Some(token) => token,
                None => self.prompt.secret("Token (return leaves Telegram out)")?,
            };
            if token.is_empty() {
                return Ok(None);
            }
            let mut advice = "give another --token, or --no-telegram";
            let trouble = if is_token(&token) {
                let api = Api::new(&token, url)?;
                match api.name().await {
                    Ok(name) => return Ok(Some((token, api, name))),
                    Err(trouble) => {
                        if matches!(trouble, Trouble::Network(..)) {
                            advice = "try again once it can be, or leave Telegram out by --no-telegram";
                        }
                        trouble.to_string()
                    }
                }
            } else {
                "that is no token: it has a number, a colon, and letters, such as 123456789:AAE…".to_owned()
            };
            if !self.prompt.live {
                bail!("{trouble}. Nothing was written; {advice}");
            }
            println!("  ❌ {trouble}");
            let choices = ["Type the token again", "Try the same one again", "Leave Telegram out for now"];
            match self.prompt.choose("And now?", &choices.map(str::to_owned), 0)? {
                0 => {}
                1 => candidate = Some(token),
                _ => return Ok(None),
            }
        }
    }

    /// As long as a webhook is set nothing can be fetched, so nobody could claim the bot or talk to it.
    async fn free_of_webhook(&self, api: &Api) -> anyhow::Result<()> {
        let Some(place) = api.webhook().await? else { return Ok(()) };
        println!("  Its messages go to a webhook at {place}; as long as that is set nothing can be fetched.");
        let question = "Take the webhook away? Whatever is there gets nothing any more";
        if !self.args.remove_webhook && !self.prompt.confirm(question, false)? {
            bail!(
                "a webhook is set for the bot: let it be taken away (--remove-webhook), or use another bot. Nothing was \
                 written"
            );
        }
        api.remove_webhook().await?;
        println!("  ✅ the webhook is taken away; what waited for the bot is kept");
        Ok(())
    }

    /// Shows a code and waits until somebody sends it.
    async fn claim(&self, api: &Api, bot: &str) -> anyhow::Result<Option<i64>> {
        self.config.ensure_home()?;
        let home = Home::open(&self.config.home)?;
        let Ok(_only_one) = OnlyOne::take(&home) else {
            let problem = format!(
                "the bot is running with {} and reads its messages itself, so it can't be claimed now: end it \
                 (Ctrl-C, or systemctl --user stop overnight) and run overnight init again, or give --owner ID",
                home.root().display()
            );
            if !self.prompt.live {
                bail!(problem);
            }
            println!("  ❌ {problem}");
            return Ok(None);
        };
        loop {
            if let Some(owner) = self.wait_for_code(api, bot).await? {
                return Ok(Some(owner));
            }
            println!("  The code has expired and nobody claimed the bot.");
            if !self.prompt.live {
                bail!("nobody claimed the bot in time; nothing was written. Run it again, or give --owner ID");
            }
            if !self.prompt.confirm("Show a new code?", true)? {
                return Ok(None);
            }
        }
    }

    /// One code's time.
    async fn wait_for_code(&self, api: &Api, bot: &str) -> anyhow::Result<Option<i64>> {
        let good_for = TimeDelta::from_std(self.args.claim_within).unwrap_or(TimeDelta::minutes(10));
        // What waits from before is no answer to this code.
        let mut seen = api.waiting(None, false).await?.last;
        let mut confirmed = None;
        let mut claim = Claim::new(code(), self.clock.now(), good_for);
        self.show(&claim, bot);
        while !claim.expired(self.clock.now()) {
            let batch = tokio::select! {
                batch = api.waiting(confirmed, true) => batch,
                () = self.stop.cancelled() => bail!(std::io::Error::from(std::io::ErrorKind::Interrupted)),
            };
            let batch = match batch {
                Ok(batch) => batch,
                Err(Trouble::Network(host, why)) => {
                    println!("  {host} can't be reached ({why}); trying again");
                    tokio::time::sleep(PAUSE * 4).await;
                    continue;
                }
                Err(trouble) => bail!("Telegram: {trouble}"),
            };
            for message in batch.messages.iter().filter(|message| seen.is_none_or(|seen| message.update > seen)) {
                let incoming = Incoming { sender: message.sender, private: message.private, text: &message.text };
                match claim.see(incoming, self.clock.now(), code) {
                    Verdict::Ignored => {}
                    Verdict::Wrong(left) => println!("  A wrong code came in; after {left} more there is a new one."),
                    Verdict::Replaced => {
                        println!("  Five wrong codes came in. The old code is void; here is a new one:");
                        self.show(&claim, bot);
                    }
                    Verdict::Claimed(owner) => {
                        println!("  ✅ claimed by {}", message.name);
                        return Ok(Some(owner));
                    }
                }
            }
            seen = seen.max(batch.last);
            if batch.count >= FULL {
                println!("  More than {FULL} messages wait for the bot; to see later ones, these are let go.");
                confirmed = batch.last;
            }
            if batch.count > 0 {
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(None)
    }

    fn show(&self, claim: &Claim, bot: &str) {
        let link = link(bot, claim.code());
        println!(
            "\n  Open this on your phone, or scan it, and press Start. Whoever sends this code first owns the bot."
        );
        println!("  It is good for {}.\n\n  {link}\n", minutes(self.args.claim_within));
        if let Ok(picture) = QrCode::new(&link) {
            let picture = picture.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build();
            let color = std::io::stdout().is_terminal();
            for line in picture.lines() {
                // Light on dark whatever the terminal's colours are.
                if color { println!("  \x1b[38;5;231;48;5;16m{line}\x1b[0m") } else { println!("  {line}") }
            }
        }
        println!("\n  Waiting … (Ctrl-C ends it, nothing is written)");
    }
}

fn minutes(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds % 60 == 0 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

fn code() -> String {
    (0..CODE_LETTERS).map(|_| char::from(LETTERS[usize::from(rand::random::<u8>() % 32)])).collect()
}
