//! Every message the bot sends, as Telegram gets it: a day, a night, a morning and what goes wrong, a page each.
//!
//! A page is what the phone showed in order, so a change of any text is seen here, beside the texts around it. After a
//! change that is meant: `INSTA_UPDATE=always cargo test --test stories messages`, and read the difference.

mod album;
mod chapters;
mod trouble;

use album::Album;
