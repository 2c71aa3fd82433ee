//! What a phone showed, written down: each new or changed message with its HTML, its buttons and its files; each toast.

use crate::fake_telegram::FakeTelegram;
use crate::fake_telegram::seen::Seen;
use crate::harness::{OWNER, On, Overnight, Shown, Stage};
use overnight::chat::telegram::TelegramOptions;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Characters of a line; more are of texts made long on purpose.
const LINE: usize = 600;

/// A story on Telegram that is written down.
pub(super) struct Album {
    pub(super) o: Overnight,
    pub(super) fake: FakeTelegram,
    /// Whose chats are looked at, with the name each has in the album.
    pub(super) chats: Vec<(i64, &'static str)>,
    shown: BTreeMap<(i64, i64), String>,
    toasts: usize,
    page: String,
}

impl Album {
    pub(super) async fn begin(stage: Stage, moment: &str) -> Self {
        Self::begin_with(stage, moment, |_| {}).await
    }

    /// With other options of the front-end.
    pub(super) async fn begin_with(stage: Stage, moment: &str, change: impl FnOnce(&mut TelegramOptions)) -> Self {
        let (o, telegram) = stage.start_on_telegram(moment, change).await;
        let (shown, page) = (BTreeMap::new(), String::new());
        Self { o, fake: telegram.fake.clone(), chats: vec![(OWNER, "")], shown, toasts: 0, page }
    }

    pub(super) fn stage() -> Stage {
        Stage::new(On::Phone)
    }

    /// The owner writes.
    pub(super) async fn says(&mut self, text: &str) {
        self.o.says(text).await;
        self.note(text);
    }

    /// The owner taps a button of the newest message with these words that offers it.
    pub(super) async fn taps(&mut self, words: &str, label: &str) {
        let card = self.find(words, label);
        self.o.taps(&card, label).await;
        self.note(&format!("[{label}]"));
    }

    /// Life goes on until then.
    pub(super) async fn until(&mut self, moment: &str) {
        self.o.advance_to(moment).await;
        self.note(moment);
    }

    /// The bot takes what was done to it by other hands.
    pub(super) async fn hears(&mut self, what: &str) {
        self.o.hears().await;
        self.o.settle().await;
        self.note(what);
    }

    /// The newest message with these words that offers this button.
    pub(super) fn find(&self, words: &str, label: &str) -> Shown {
        let messages = self.o.messages();
        let found = messages.iter().rfind(|message| message.text.contains(words) && message.offers(label));
        found.unwrap_or_else(|| panic!("no message with {words:?} offers {label:?}:\n{}", self.page)).clone()
    }

    /// Its number, and what its button sends.
    pub(super) fn button(&self, words: &str, label: &str) -> (i64, String) {
        let card = self.find(words, label);
        (card.reference.parse().expect("one message"), card.button(label).to_owned())
    }

    /// Writes down what has become visible since the last time.
    pub(super) fn note(&mut self, what: &str) {
        let what: String =
            if what.chars().count() > 100 { what.chars().take(100).chain(['…']).collect() } else { what.into() };
        let _ = writeln!(self.page, "\n──── {}", what.replace('\n', " ⏎ "));
        for (chat, name) in self.chats.clone() {
            for message in self.fake.messages(chat).iter().filter(|message| message.from_bot) {
                let looks = looks(message);
                let before = self.shown.insert((chat, message.id), looks.clone());
                if before.as_ref() != Some(&looks) {
                    let sound = if message.silent || before.is_some() { "" } else { " 🔔" };
                    let change = if before.is_some() { ", changed" } else { "" };
                    let _ = writeln!(self.page, "({name}{}{change}{sound})\n{looks}", message.id);
                }
            }
        }
        for toast in self.fake.toasts().split_off(self.toasts) {
            self.toasts += 1;
            let _ = writeln!(self.page, "(toast)\n{}", if toast.text.is_empty() { "–" } else { &toast.text });
        }
    }

    /// Ends the story; gives the page.
    pub(super) async fn end(mut self) -> String {
        self.o.reads_all();
        let folder = self.o.stage_folder().display().to_string();
        self.o.finish().await;
        let page = without_hashes(&self.page.replace(&folder, "/home/ross"));
        page.split('\n').map(without_sizes).collect::<Vec<_>>().join("\n")
    }
}

fn looks(message: &Seen) -> String {
    if message.deleted {
        return "deleted".into();
    }
    let mut text: String = message.source.split('\n').map(cut).collect::<Vec<_>>().join("\n");
    for file in &message.files {
        let _ = write!(text, "{} {}", if file.photo { "🖼" } else { "📎" }, file.name);
    }
    for row in message.buttons.iter().filter(|row| !row.is_empty()) {
        let row: Vec<String> = row.iter().map(|button| format!("[{}]", button.label)).collect();
        let _ = write!(text, "\n{}", row.join(" "));
    }
    text
}

/// A line as far as anybody reads it.
fn cut(line: &str) -> String {
    let dots = if line.chars().count() > LINE { "…" } else { "" };
    line.chars().take(LINE).collect::<String>() + dots
}

/// What differs from machine to machine: bytes that a restore was tried from, and those of the data folder.
fn without_sizes(line: &str) -> String {
    if let Some((drill, _)) = line.split_once("Restore drill: OK, ").and_then(|_| line.rsplit_once(", ")) {
        return format!("{drill}, (size)");
    }
    if line.contains(" of disk") { "(sizes) of disk".into() } else { line.to_owned() }
}

/// What differs each time: hashes of commits.
fn without_hashes(text: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    for c in text.chars().chain(['\n']) {
        if c.is_ascii_hexdigit() && !c.is_ascii_uppercase() {
            word.push(c);
            continue;
        }
        let hash = word.len() >= 12 && word.chars().any(|c| c.is_ascii_alphabetic());
        out.push_str(if hash { "(hash)" } else { &word });
        word.clear();
        out.push(c);
    }
    out
}
