//! The command menu: shown only to those who may use it.

use crate::chat::command::menu;
use teloxide::Bot;
use teloxide::prelude::Requester;
use teloxide::types::{BotCommand, BotCommandScope, ChatId, Recipient};

/// Sets the menus. False: not all of it worked, try again later.
pub(super) async fn announce(bot: &Bot, people: &[(i64, bool)]) -> bool {
    let mut all = bot.delete_my_commands().await.is_ok();
    for (id, everything) in people {
        let commands = menu(*everything).into_iter().map(|(name, what)| BotCommand::new(name, what));
        let mut request = bot.set_my_commands(commands);
        request.scope = Some(BotCommandScope::Chat { chat_id: Recipient::Id(ChatId(*id)) });
        if let Err(error) = request.await {
            tracing::warn!(%error, id, "the command menu could not be set; it is tried again");
            all = false;
        }
    }
    all
}
