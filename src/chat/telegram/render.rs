//! A [`Message`] as Telegram HTML: parts within the platform's limits, each with its keyboard. Pure.
//!
//! Every text in a message is data: escaped everywhere, and stripped of what reorders or hides text. A message is split
//! between items; what can't be split is cut and sent whole as a document. Lengths are counted in UTF-16 units of the
//! visible text, as Telegram does.

use crate::domain::message::{Button, Item, Message, Section};
use crate::domain::visible::visible;

/// Telegram's limit is 4096 after parsing; some room is left for a continuation mark.
const MOST_UNITS: usize = 4000;
/// Telegram's limit is 100; the rest of a message would silently lose its format.
const MOST_ENTITIES: usize = 90;
/// Parts of one message; what is longer goes into a document.
const MOST_PARTS: usize = 3;
/// Rows and buttons of one keyboard.
const MOST_ROWS: usize = 30;
/// A button's label; longer ones are cut by the phone anyway.
const LABEL_CHARS: usize = 40;
/// Visible text of one line of evidence or quote before it is cut.
const QUOTE_UNITS: usize = 2500;

/// One Telegram message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// Text with tags, for `parse_mode=HTML`.
    pub html: String,
    /// Rows of label and callback data.
    pub keyboard: Vec<Vec<(String, String)>>,
}

/// A whole message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rendered {
    /// In order; never empty.
    pub parts: Vec<Part>,
    /// Whether something was left out: the whole has to go along as a document.
    pub cut: bool,
}

/// Renders a message.
pub fn render(message: &Message) -> Rendered {
    let mut pages = Pages::default();
    // What stands alone is no heading: an answer of a whole sentence in bold is a shout.
    let alone = message.intro.is_empty() && message.sections.is_empty() && message.closing.is_empty();
    pages.push(verdict(&message.verdict, !alone));
    pages.push(paragraph(&message.intro));
    for section in &message.sections {
        section_blocks(&mut pages, section);
    }
    pages.push(paragraph(&message.closing));
    let Pages { mut parts, mut cut, .. } = pages.finish();
    if parts.len() > MOST_PARTS {
        let keyboards: Vec<_> = parts.drain(MOST_PARTS..).flat_map(|part| part.keyboard).collect();
        if let Some(last) = parts.last_mut() {
            last.html.push_str("\n\n… the rest is in the file");
            last.keyboard.extend(keyboards);
        }
        cut = true;
    }
    if let Some(last) = parts.last_mut() {
        last.keyboard.extend(message.buttons.iter().map(|row| row.iter().map(|b| key(b, "")).collect()));
    }
    for part in &mut parts {
        part.keyboard.retain(|row: &Vec<_>| !row.is_empty());
        part.keyboard.truncate(MOST_ROWS);
    }
    Rendered { parts, cut }
}

/// The visible text of a toast: one line of at most 200 units.
pub(super) fn toast(message: &Message) -> String {
    let text = [&message.verdict, &message.intro, &message.closing]
        .into_iter()
        .filter(|text| !text.is_empty())
        .map(|text| visible(text))
        .collect::<Vec<_>>()
        .join("\n");
    cut_to(&text, 200).0
}

/// Whether a toast says all of a message.
pub(super) fn fits_a_toast(message: &Message) -> bool {
    let plain = message.sections.is_empty() && message.buttons.is_empty() && message.attachments.is_empty();
    let length = units(&message.verdict) + units(&message.intro) + units(&message.closing);
    plain && length + 2 <= 200
}

fn section_blocks(pages: &mut Pages, section: &Section) {
    let mut title = bold(&section.title);
    title.gap = true;
    if !title.html.is_empty() {
        title.sticks = true;
        pages.push(title);
    }
    for (n, item) in section.items.iter().enumerate() {
        let mut block = item_block(item);
        block.gap = n == 0 && section.title.is_empty();
        pages.push(block);
    }
}

/// A stretch that is not split.
#[derive(Debug, Default)]
struct Block {
    html: String,
    units: usize,
    entities: usize,
    keyboard: Vec<Vec<(String, String)>>,
    /// An empty line before it.
    gap: bool,
    /// Stays with what follows.
    sticks: bool,
    cut: bool,
}

impl Block {
    fn text(&mut self, text: &str) {
        self.html.push_str(&escape(text));
        self.units += units(text);
    }

    fn tag(&mut self, open: &str, text: &str, close: &str) {
        self.html.push_str(open);
        self.text(text);
        self.html.push_str(close);
        self.entities += 1;
    }
}

/// The first line; never without anything to see, which Telegram refuses.
fn verdict(text: &str, heading: bool) -> Block {
    let mut block = if heading { bold(text) } else { paragraph(text) };
    if !block.html.chars().any(|c| !c.is_whitespace() && !is_joiner(c)) {
        block.html.clear();
        block.text("·");
    }
    block
}

fn bold(text: &str) -> Block {
    let mut block = Block::default();
    let (text, cut) = cut_to(visible(text).trim(), QUOTE_UNITS);
    block.cut = cut;
    if text.chars().any(|c| !c.is_whitespace() && !is_joiner(c)) {
        block.tag("<b>", &text, "</b>");
    }
    block
}

/// Shows nothing by itself.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200d}' | '\u{fe0f}' | '\u{2060}')
}

fn paragraph(text: &str) -> Block {
    let mut block = Block { gap: true, ..Block::default() };
    let (text, cut) = cut_to(visible(text).trim(), QUOTE_UNITS);
    block.cut = cut;
    block.text(&text);
    block
}

fn item_block(item: &Item) -> Block {
    let mut block = Block::default();
    let line = format!("{} {}", item.icon, item.text);
    let (line, cut) = cut_to(visible(&line).trim(), QUOTE_UNITS);
    block.cut = cut;
    block.text(&line);
    let mut folded: Vec<String> = item.evidence.iter().map(|line| visible(line).trim().to_owned()).collect();
    if !item.quote.trim().is_empty() {
        let whose = if item.quoted_from.is_empty() { "agent says" } else { &item.quoted_from };
        folded.push(format!("{}: “{}”", visible(whose), visible(&item.quote).trim()));
    }
    folded.retain(|line| !line.is_empty());
    if !folded.is_empty() {
        let (text, cut) = cut_to(&folded.join("\n"), QUOTE_UNITS);
        block.cut |= cut;
        if !line.is_empty() {
            block.text("\n");
        }
        // Up to three lines are shown as they are, more behind a tap.
        block.tag("<blockquote expandable>", &text, "</blockquote>");
    }
    if !item.buttons.is_empty() {
        // All keyboards stand below the text, so each button has to say which line it belongs to.
        let about = number_in(&item.text);
        block.keyboard.push(item.buttons.iter().map(|button| key(button, &about)).collect());
    }
    block
}

/// ` #12`, if the text names a task.
fn number_in(text: &str) -> String {
    let digits = text.split('#').nth(1).map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
    digits.filter(|digits| !digits.is_empty()).map(|digits| format!(" #{digits}")).unwrap_or_default()
}

fn key(button: &Button, about: &str) -> (String, String) {
    let label = visible(&button.label).replace('\n', " ");
    let label = label.trim();
    let room = LABEL_CHARS.saturating_sub(about.chars().count());
    let mut shown: String = label.chars().take(room).collect();
    if label.chars().count() > room {
        shown.pop();
        shown.push('…');
    }
    if shown.is_empty() {
        shown.push('·');
    }
    (format!("{shown}{about}"), button.id.clone())
}

#[derive(Default)]
struct Pages {
    parts: Vec<Part>,
    current: Part,
    units: usize,
    entities: usize,
    cut: bool,
    /// A heading that waits for its first item.
    held: Option<Block>,
}

impl Pages {
    fn push(&mut self, block: Block) {
        if block.html.is_empty() && block.keyboard.is_empty() {
            return;
        }
        if block.sticks {
            self.held = Some(block);
            return;
        }
        let held = self.held.take();
        let both = |pick: fn(&Block) -> usize| held.as_ref().map_or(0, pick) + pick(&block);
        let room_needed = both(|b| b.units) + 4;
        let full = self.units + room_needed > MOST_UNITS || self.entities + both(|b| b.entities) > MOST_ENTITIES;
        if full && !self.current.html.is_empty() {
            self.turn();
        }
        for block in held.into_iter().chain([block]) {
            self.add(block);
        }
    }

    fn add(&mut self, block: Block) {
        if !self.current.html.is_empty() {
            let gap = if block.gap { "\n\n" } else { "\n" };
            self.current.html.push_str(gap);
            self.units += gap.len();
        }
        self.current.html.push_str(&block.html);
        self.current.keyboard.extend(block.keyboard);
        self.units += block.units;
        self.entities += block.entities;
        self.cut |= block.cut;
    }

    fn turn(&mut self) {
        self.parts.push(std::mem::take(&mut self.current));
        (self.units, self.entities) = (0, 0);
    }

    fn finish(mut self) -> Self {
        if let Some(held) = self.held.take() {
            self.add(held);
        }
        if !self.current.html.is_empty() || self.parts.is_empty() {
            self.turn();
        }
        self
    }
}

/// Length as Telegram counts it.
fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// At most `most` units, with `…` where something is missing; and whether something is.
fn cut_to(text: &str, most: usize) -> (String, bool) {
    if units(text) <= most {
        return (text.to_owned(), false);
    }
    let mut used = 1;
    let mut out = String::new();
    for c in text.chars() {
        used += c.len_utf16();
        if used > most {
            break;
        }
        out.push(c);
    }
    out.push('…');
    (out, true)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests;
