//! A [`Message`] as lines for a narrow terminal. Pure.
//!
//! Every text in a message is data: whatever could move the cursor, change a colour or reorder a line is shown as a
//! visible sign instead. Words longer than the width are left whole, so that a path or a link can be copied.

use crate::domain::message::{Button, Item, Message};
use crate::domain::visible::visible;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use unicode_width::UnicodeWidthStr;

/// How to render.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RenderOptions {
    /// Columns a line may take.
    pub width: usize,
    /// Whether to use bold and dim.
    pub color: bool,
}

const BOLD: &str = "\u{1b}[1m";
const DIM: &str = "\u{1b}[2m";
const RESET: &str = "\u{1b}[0m";

/// The message as text that ends in a newline. `codes` maps a button's id to what the owner types for it; a button
/// without one is shown by its typed equivalent.
pub fn render(message: &Message, options: &RenderOptions, codes: &BTreeMap<String, String>) -> String {
    let mut page = Page { out: String::new(), options: *options, hinted: false };
    page.wrapped(&message.verdict, "", "", BOLD);
    page.paragraph(&message.intro);
    for section in &message.sections {
        page.blank();
        if !section.title.is_empty() {
            page.wrapped(&section.title, "", "  ", BOLD);
        }
        for item in &section.items {
            page.item(item, codes);
        }
    }
    page.paragraph(&message.closing);
    if message.buttons.iter().any(|row| !row.is_empty()) {
        page.blank();
        for row in &message.buttons {
            page.buttons(row, "", codes);
        }
    }
    if !message.attachments.is_empty() {
        page.blank();
        for file in &message.attachments {
            page.wrapped(&format!("📎 {}: {}", file.name, file.path), "", "   ", "");
        }
    }
    page.out
}

/// The message as a text file.
pub fn plain_text(message: &Message) -> String {
    render(message, &RenderOptions { width: 100, color: false }, &BTreeMap::new())
}

struct Page {
    out: String,
    options: RenderOptions,
    /// Whether the typed equivalent was shown: once a message is enough.
    hinted: bool,
}

impl Page {
    fn blank(&mut self) {
        self.out.push('\n');
    }

    fn paragraph(&mut self, text: &str) {
        if !text.is_empty() {
            self.blank();
            self.wrapped(text, "", "", "");
        }
    }

    fn item(&mut self, item: &Item, codes: &BTreeMap<String, String>) {
        let icon = visible(&item.icon);
        if icon.is_empty() || icon.width() > 2 || icon.contains(char::is_whitespace) {
            // No icon, or one that is more than an icon and wraps like any text.
            self.wrapped(format!("{} {}", item.icon, item.text).trim(), "  ", "     ", "");
        } else {
            let lead = format!("  {icon} ");
            self.wrapped(&item.text, &lead, &" ".repeat(lead.width()), "");
        }
        for line in &item.evidence {
            self.wrapped(line, "     - ", "       ", DIM);
        }
        if !item.quote.is_empty() {
            let whose = if item.quoted_from.is_empty() { "agent says" } else { &item.quoted_from };
            self.wrapped(&format!("{whose}: “{}”", item.quote), "     ", "       ", DIM);
        }
        self.buttons(&item.buttons, "     ", codes);
    }

    fn buttons(&mut self, buttons: &[Button], indent: &str, codes: &BTreeMap<String, String>) {
        let mut row = indent.to_owned();
        for button in buttons {
            let shown = match codes.get(&button.id) {
                Some(code) => format!("[{code}] {}", visible(&button.label)),
                None => format!("{} {}", visible(&button.typed), visible(&button.label)),
            };
            let shown = shown.replace('\n', " ");
            let free = row.trim().is_empty();
            if !free && row.width() + 2 + shown.width() > self.options.width {
                self.row(&row, indent);
                indent.clone_into(&mut row);
            } else if !free {
                row.push_str("  ");
            }
            row.push_str(&shown);
        }
        if row.len() > indent.len() {
            self.row(&row, indent);
        }
        if let Some(first) = buttons.iter().find(|b| codes.contains_key(&b.id) && !b.typed.is_empty())
            && !self.hinted
        {
            self.hinted = true;
            self.wrapped(&format!("(type the code, or {})", first.typed), indent, indent, DIM);
        }
    }

    /// A row that fits is kept as it is: the gap between two buttons is part of it.
    fn row(&mut self, row: &str, indent: &str) {
        if row.width() <= self.options.width {
            self.line(row, "");
        } else {
            self.wrapped(&row[indent.len()..], indent, indent, "");
        }
    }

    /// Wraps by display width at word borders; `lead` starts the first line, `hang` the others.
    fn wrapped(&mut self, text: &str, lead: &str, hang: &str, style: &str) {
        let text = visible(text);
        let mut line = lead.to_owned();
        for (n, paragraph) in text.split('\n').enumerate() {
            if n > 0 {
                self.line(&line, style);
                hang.clone_into(&mut line);
            }
            let mut first = true;
            for word in paragraph.split_whitespace() {
                if !first && line.width() + 1 + word.width() > self.options.width {
                    self.line(&line, style);
                    hang.clone_into(&mut line);
                    first = true;
                }
                if !first {
                    line.push(' ');
                }
                line.push_str(word);
                first = false;
            }
        }
        self.line(&line, style);
    }

    fn line(&mut self, line: &str, style: &str) {
        let line = line.trim_end();
        let style = if self.options.color && !line.is_empty() { style } else { "" };
        let reset = if style.is_empty() { "" } else { RESET };
        // Writing to a string can't fail.
        let _ = writeln!(self.out, "{style}{line}{reset}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::message::{Attachment, Section};
    use proptest::prelude::*;

    const PHONE: RenderOptions = RenderOptions { width: 46, color: false };

    fn button(label: &str, id: &str, typed: &str) -> Button {
        Button { label: label.into(), id: id.into(), typed: typed.into() }
    }

    fn codes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(id, code)| ((*id).to_owned(), (*code).to_owned())).collect()
    }

    fn brief() -> Message {
        let mut shipped = Item::new("✅", "#1 Optimize nutrition calculations (Performance)")
            .evidence("cargo test passed on 3f2a1c9 in 41 s, on a clone of its own")
            .button(button("✅ Ship", "n1", "/ship 1"))
            .button(button("🗑 Drop", "n2", "/queue drop 1"))
            .button(button("📄 Show the whole log of it", "n3", "/log 1"));
        shipped.quote = "5x speedup achieved".into();
        Message::line("🌅 Good morning! 1 ready to ship")
            .intro("Here's what was built overnight:")
            .section("🚀 What shipped", vec![shipped, Item::new("✅", "#2 Document the API")])
            .section("🔧 Auto-fixed", vec![Item::new("•", "Cleaned 45 MB of old logs")])
            .closing("Ready to review or should I keep building?")
            .row(vec![button("👀 Review", "n4", "/review"), button("🔨 Keep building", "n5", "/keep")])
    }

    #[test]
    fn a_brief_fits_a_phone() {
        let known = codes(&[("n1", "a1"), ("n2", "a2"), ("n3", "a3"), ("n4", "a4"), ("n5", "a5")]);
        insta::assert_snapshot!(render(&brief(), &PHONE, &known), @"
        🌅 Good morning! 1 ready to ship

        Here's what was built overnight:

        🚀 What shipped
          ✅ #1 Optimize nutrition calculations
             (Performance)
             - cargo test passed on 3f2a1c9 in 41 s,
               on a clone of its own
             agent says: “5x speedup achieved”
             [a1] ✅ Ship  [a2] 🗑 Drop
             [a3] 📄 Show the whole log of it
             (type the code, or /ship 1)
          ✅ #2 Document the API

        🔧 Auto-fixed
          • Cleaned 45 MB of old logs

        Ready to review or should I keep building?

        [a4] 👀 Review  [a5] 🔨 Keep building
        ");
    }

    #[test]
    fn bold_and_dim_are_ours_alone_and_end_with_their_line() {
        let mut message = Message::line("Done\u{1b}[31m").section("S", vec![Item::new("", "x").evidence("seen")]);
        message.attachments.push(Attachment { path: "/srv/report.json".into(), name: "report.json".into() });
        let text = render(&message, &RenderOptions { width: 46, color: true }, &BTreeMap::new());
        let wanted = "\u{1b}[1mDone␛[31m\u{1b}[0m\n\n\u{1b}[1mS\u{1b}[0m\n  x\n\u{1b}[2m     - seen\u{1b}[0m\n\n📎 report.json: /srv/report.json\n";
        assert_eq!(text, wanted);
    }

    #[test]
    fn hostile_text_is_shown_not_obeyed() {
        assert_eq!(visible("a\u{1b}]0;x\u{7}b\r\nc\rd\u{9b}2J"), "a␛]0;x␇b\nc␍d<U+009B>2J");
        assert_eq!(visible("abc\u{202e}fed\u{2066}\u{200b}\u{e0041}"), "abc<U+202E>fed<U+2066><U+200B><U+E0041>");
        assert_eq!(visible("👩‍🚀 ❤️"), "👩‍🚀 ❤️");
    }

    #[test]
    fn a_button_without_a_code_is_shown_by_its_words() {
        let message = Message::line("x").row(vec![button("Ship", "gone", "/ship 1")]);
        assert_eq!(render(&message, &PHONE, &BTreeMap::new()), "x\n\n/ship 1 Ship\n");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_line_is_too_wide_and_no_control_character_gets_through(
            texts in prop::collection::vec("([a-zß世✅\u{0}\u{7}\u{1b}\u{9b}\u{202e}\r\n\t]{1,12}[ \u{a0}]?){0,12}", 8),
            color in any::<bool>(),
            width in 10_usize..60,
        ) {
            let [verdict, intro, title, icon, text, evidence, quote, label] = <[String; 8]>::try_from(texts).unwrap();
            let message = Message {
                verdict, intro, closing: label.clone(),
                sections: vec![Section { title, items: vec![Item {
                    icon, text, evidence: vec![evidence], quote, quoted_from: String::new(), buttons: vec![button(&label, "n", &label); 3],
                }] }],
                ..Message::default()
            };
            let out = render(&message, &RenderOptions { width, color }, &codes(&[("n", "a1")]));
            let plain = [BOLD, DIM, RESET].iter().fold(out, |text, sgr| text.replace(sgr, ""));
            for line in plain.lines() {
                prop_assert!(!line.chars().any(|c| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c)), "{line:?}");
                // An icon or a dash is not broken off the first word.
                let words: Vec<&str> = line.split_whitespace().collect();
                let lead = words.first().is_some_and(|word| word.width() <= 2);
                prop_assert!(line.width() <= width || words.len() <= 1 + usize::from(lead), "{width}: {line:?}");
            }
            prop_assert!(plain.ends_with('\n'));
        }
    }
}
