//! What stories call: people's doings, what they see, and what goes wrong. Each panics with the reason if it can't be.

use super::FakeTelegram;
use super::faults::{Batch, Fault};
use super::people::Upload;
use super::seen::{Button, Logged, Seen, Toast};
use super::world::{Kept, Pace, Sort, World};
use serde_json::Value;
use std::time::Duration;

/// How long a story waits before it counts as stuck.
const PATIENCE: Duration = Duration::from_mins(1);

impl FakeTelegram {
    #[track_caller]
    fn doing<T>(&self, what: impl FnOnce(&mut World) -> Result<T, String>) -> T {
        match self.shared.change(what) {
            Ok(done) => done,
            Err(problem) => panic!("fake Telegram: {problem}"),
        }
    }

    /// A person with a private chat of the same number, who has written to the bot before.
    pub(crate) fn person(&self, id: i64, name: &str) -> i64 {
        self.shared.change(|world| world.person(id, name, false));
        id
    }

    /// A person who has not written to the bot yet: it can't begin.
    pub(crate) fn stranger(&self, id: i64, name: &str) -> i64 {
        self.shared.change(|world| world.person(id, name, true));
        id
    }

    pub(crate) fn group(&self, title: &str, members: &[i64]) -> i64 {
        self.shared.change(|world| world.room(Sort::Group, title, members))
    }

    pub(crate) fn supergroup(&self, title: &str, members: &[i64]) -> i64 {
        self.shared.change(|world| world.room(Sort::Supergroup, title, members))
    }

    /// A supergroup with topics.
    pub(crate) fn forum(&self, title: &str, members: &[i64]) -> i64 {
        self.shared.change(|world| world.room(Sort::Forum, title, members))
    }

    pub(crate) fn channel(&self, title: &str, members: &[i64]) -> i64 {
        self.shared.change(|world| world.room(Sort::Channel, title, members))
    }

    /// A new topic of a forum.
    #[track_caller]
    pub(crate) fn topic(&self, chat: i64, name: &str) -> i64 {
        self.doing(|world| world.topic(chat, name))
    }

    /// Each of these gives the new message's number.
    #[track_caller]
    pub(crate) fn says(&self, user: i64, chat: i64, text: &str) -> i64 {
        self.writes(user, chat, Kept { text: text.to_owned(), ..Kept::default() })
    }

    #[track_caller]
    pub(crate) fn replies(&self, user: i64, chat: i64, message: i64, text: &str) -> i64 {
        self.writes(user, chat, Kept { text: text.to_owned(), reply_to: Some(message), ..Kept::default() })
    }

    #[track_caller]
    pub(crate) fn says_in(&self, user: i64, chat: i64, topic: i64, text: &str) -> i64 {
        self.writes(user, chat, Kept { text: text.to_owned(), topic: Some(topic), ..Kept::default() })
    }

    /// Forwards what somebody else wrote.
    #[track_caller]
    pub(crate) fn forwards(&self, user: i64, chat: i64, author: i64, text: &str) -> i64 {
        let date = self.shared.look(|world| world.now());
        self.writes(user, chat, Kept { text: text.to_owned(), forwarded: Some((author, date)), ..Kept::default() })
    }

    #[track_caller]
    fn writes(&self, user: i64, chat: i64, words: Kept) -> i64 {
        self.doing(|world| world.write(user, chat, words))
    }

    #[track_caller]
    pub(crate) fn sends_document(&self, user: i64, chat: i64, file: (&str, &[u8]), caption: &str) -> i64 {
        let (name, bytes) = file;
        self.doing(|world| world.send_file(user, chat, Upload { name, bytes, photo: false }, caption))
    }

    #[track_caller]
    pub(crate) fn sends_photo(&self, user: i64, chat: i64, file: (&str, &[u8]), caption: &str) -> i64 {
        let (name, bytes) = file;
        self.doing(|world| world.send_file(user, chat, Upload { name, bytes, photo: true }, caption))
    }

    #[track_caller]
    pub(crate) fn edits(&self, user: i64, chat: i64, message: i64, text: &str) {
        self.doing(|world| world.rewrite(user, chat, message, text));
    }

    /// A person deletes a message, which bots are never told.
    #[track_caller]
    pub(crate) fn removes(&self, chat: i64, message: i64) {
        self.doing(|world| world.remove(chat, message));
    }

    /// Taps a button that is there; gives the tap's number.
    #[track_caller]
    pub(crate) fn taps(&self, user: i64, chat: i64, message: i64, data: &str) -> String {
        self.doing(|world| world.tap(user, chat, message, data, false))
    }

    /// Taps what their screen may still show: a button that was edited away, or of a deleted message.
    #[track_caller]
    pub(crate) fn taps_stale(&self, user: i64, chat: i64, message: i64, data: &str) -> String {
        self.doing(|world| world.tap(user, chat, message, data, true))
    }

    /// A person blocks the bot in their private chat, or throws it out of a group.
    #[track_caller]
    pub(crate) fn blocks(&self, user: i64, chat: i64) {
        self.doing(|world| world.close(user, chat, true));
    }

    #[track_caller]
    pub(crate) fn unblocks(&self, user: i64, chat: i64) {
        self.doing(|world| world.close(user, chat, false));
    }

    /// A group becomes a supergroup; gives its new number.
    #[track_caller]
    pub(crate) fn migrates(&self, chat: i64) -> i64 {
        self.doing(|world| world.migrate(chat))
    }

    /// A chat's messages, oldest first, deleted ones too.
    #[track_caller]
    pub(crate) fn messages(&self, chat: i64) -> Vec<Seen> {
        match self.shared.look(|world| world.seen(chat)) {
            Ok(seen) => seen,
            Err(problem) => panic!("fake Telegram: {problem}"),
        }
    }

    /// What the bot wrote in a chat and is still there.
    #[track_caller]
    pub(crate) fn bot_messages(&self, chat: i64) -> Vec<Seen> {
        let messages = self.messages(chat).into_iter();
        messages.filter(|seen| seen.from_bot && !seen.deleted).collect()
    }

    /// Answers to taps, oldest first.
    pub(crate) fn toasts(&self) -> Vec<Toast> {
        self.shared.look(|world| world.toasts.clone())
    }

    /// What "is typing" and the like was shown.
    #[track_caller]
    pub(crate) fn actions(&self, chat: i64) -> Vec<String> {
        self.shared.look(|world| world.chats.get(&chat).map(|chat| chat.actions.clone())).expect("a chat")
    }

    /// The commands a person is offered in a chat: name and description.
    #[track_caller]
    pub(crate) fn commands(&self, user: i64, chat: i64) -> Vec<(String, String)> {
        let menu = self.shared.look(|world| world.menu(user, &world.chats[&chat], "en"));
        let text = |command: &Value, key: &str| command[key].as_str().unwrap_or_default().to_owned();
        menu.iter().map(|command| (text(command, "command"), text(command, "description"))).collect()
    }

    /// How often a method was asked for.
    pub(crate) fn requests(&self, method: &str) -> usize {
        self.log().iter().filter(|one| one.method.eq_ignore_ascii_case(method)).count()
    }

    /// Every request, oldest first.
    pub(crate) fn log(&self) -> Vec<Logged> {
        self.shared.look(|world| world.log.clone())
    }

    /// What the bot should never have sent.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.shared.look(|world| world.violations.clone())
    }

    /// The violations so far, which are then forgotten.
    pub(crate) fn take_violations(&self) -> Vec<String> {
        self.shared.look(|world| std::mem::take(&mut world.violations))
    }

    /// Numbers of the updates that the bot has not confirmed.
    pub(crate) fn unconfirmed(&self) -> Vec<i64> {
        self.shared.look(|world| world.queue.unconfirmed())
    }

    /// The next requests of a method, or of any, meet this, as often as said.
    pub(crate) fn fails(&self, method: Option<&str>, times: usize, fault: Fault) {
        self.shared.change(|world| world.faults.queue(method, times, fault));
    }

    /// Whatever was still to go wrong does not.
    pub(crate) fn heals(&self) {
        self.shared.change(|world| world.faults.clear());
    }

    /// Another program has the updates sent to this address.
    pub(crate) fn hooks(&self, url: &str) {
        self.shared.change(|world| url.clone_into(&mut world.webhook));
    }

    /// What happens to the next updates that are handed out.
    pub(crate) fn disturbs(&self, batch: Batch) {
        self.shared.change(|world| world.queue.disturb(batch));
    }

    /// The next update's number, and the one it gets from now on.
    pub(crate) fn next_update(&self) -> i64 {
        self.shared.look(|world| world.queue.next_id())
    }

    pub(crate) fn set_next_update(&self, id: i64) {
        self.shared.change(|world| world.queue.jump(id));
    }

    /// Seconds since 1970, here.
    pub(crate) fn time(&self) -> i64 {
        self.shared.look(|world| world.now())
    }

    pub(crate) fn set_time(&self, now: i64) {
        self.shared.change(|world| world.set_time(now));
    }

    /// Time passes at once.
    pub(crate) fn passes(&self, seconds: i64) {
        self.set_time(self.time() + seconds);
    }

    /// Seconds after which taps and other updates are dropped, and after which a tap can't be answered.
    pub(crate) fn set_ages(&self, taps: i64, others: i64, answers: i64) {
        self.shared.change(|world| {
            world.queue.ages = (taps, others);
            world.answerable = answers;
        });
    }

    /// One message in this time a chat, edits counted or not; more meet 429. `None`: as many as you like.
    pub(crate) fn set_pace(&self, every: Option<Duration>, edits: bool) {
        self.shared.change(|world| world.pace = every.map(|every| Pace { every, edits }));
    }

    /// Waits until `look` finds something; panics with what was there if it never does.
    pub(crate) async fn until<T>(&self, what: &str, look: impl Fn(&Self) -> Option<T>) -> T {
        let mut changes = self.shared.changes();
        let found = async {
            loop {
                changes.borrow_and_update();
                if let Some(found) = look(self) {
                    return found;
                }
                changes.changed().await.expect("the fake outlives its users");
            }
        };
        match tokio::time::timeout(PATIENCE, found).await {
            Ok(found) => found,
            Err(late) => panic!("fake Telegram: {what} never happened ({late})\n{}", self.transcript()),
        }
    }

    /// All chats as people read them, and the violations.
    pub(crate) fn transcript(&self) -> String {
        self.shared.look(|world| world.transcript())
    }
}

impl Seen {
    /// The first button with this label.
    pub(crate) fn button(&self, label: &str) -> Option<&Button> {
        self.buttons.iter().flatten().find(|button| button.label == label)
    }

    /// What a button with this label sends when it is tapped.
    #[track_caller]
    pub(crate) fn data(&self, label: &str) -> String {
        let button = self.button(label).unwrap_or_else(|| panic!("no button {label:?} in {}", self.line()));
        button.data.clone().unwrap_or_else(|| panic!("the button {label:?} sends no data"))
    }
}
