//! Writes SVG elements: everything foreign is escaped, and a text's width is estimated, never too narrow.
//!
//! The widths are those of DejaVu Sans Condensed, which the host draws with. Left out: shaping, which only makes text
//! narrower than the sum of its characters or so little wider that the margins hold it.

use std::fmt::Write;
use unicode_width::UnicodeWidthChar;

/// Advance of space to tilde, in thousandths of the font's size.
#[rustfmt::skip]
const ASCII: [u16; 95] = [
    286, 361, 415, 755, 573, 856, 702, 248, 352, 352, 450, 755, 287, 325, 287, 304,
    573, 573, 573, 573, 573, 573, 573, 573, 573, 573, 304, 304, 755, 755, 755, 479,
    900, 616, 618, 629, 694, 569, 518, 698, 677, 266, 266, 591, 502, 777, 674, 709,
    543, 709, 626, 572, 550, 659, 616, 890, 617, 550, 617, 352, 304, 352, 755, 451,
    451, 552, 572, 495, 572, 554, 317, 572, 571, 250, 250, 522, 250, 877, 571, 551,
    572, 572, 371, 469, 353, 571, 533, 737, 533, 533, 473, 573, 304, 573, 755,
];

/// How much wider bold can be, character by character.
const BOLD: f64 = 1.27;

/// How wide a character can be at a size of one.
fn width_of(c: char) -> f64 {
    let known = u32::from(c).checked_sub(0x20).and_then(|at| ASCII.get(at as usize));
    match known {
        Some(width) => f64::from(*width) / 1000.0,
        None => match c {
            '…' | '–' => 0.9,
            'Æ' | 'Œ' | 'æ' | 'œ' => 1.1,
            _ if c.width() == Some(0) => 0.0,
            // Latin with accents; Greek and Cyrillic; Armenian and Hebrew; Arabic.
            ..'\u{250}' => 0.91,
            '\u{250}'..'\u{530}' if c.is_lowercase() => 0.91,
            '\u{250}'..'\u{530}' => 1.07,
            '\u{530}'..'\u{600}' => 0.9,
            '\u{600}'..'\u{700}' => 1.15,
            '•' => 0.6,
            _ => 1.3,
        },
    }
}

/// Whether a character's real advance (in sizes) is within the estimate.
pub fn is_safe_width(c: char, advance: f64) -> bool {
    advance <= width_of(c)
}

/// The width of a text: at least what it will take.
pub fn text_width(text: &str, size: f64, bold: bool) -> f64 {
    text.chars().map(width_of).sum::<f64>() * size * if bold { BOLD } else { 1.0 }
}

/// As much of `text` as fits, with `…` where it was cut. Empty if not even three characters would be left.
pub(super) fn cut(text: &str, size: f64, room: f64) -> String {
    if text_width(text, size, false) <= room {
        return text.to_owned();
    }
    let mut left = room - width_of('…') * size;
    let fits = |c: &char| {
        left -= width_of(*c) * size;
        left >= 0.0
    };
    let kept: String = text.chars().take_while(fits).collect();
    let kept = kept.trim_end();
    if kept.chars().count() < 3 {
        return String::new();
    }
    // Where a line runs to the left, so does its end: a mark without width tells the renderer.
    let leftward = kept.chars().rfind(|c| c.is_alphanumeric()).is_some_and(|c| matches!(c, '\u{590}'..'\u{900}'));
    format!("{kept}…{}", if leftward { "\u{200f}" } else { "" })
}

/// Text for an element or an attribute: markup escaped, and what XML can't hold at all replaced.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Where a text stands relative to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    /// It begins there.
    Start,
    /// Its middle is there.
    Middle,
    /// It ends there.
    End,
}

/// How a text looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// Height of the font.
    pub size: f64,
    /// Whether it is bold.
    pub bold: bool,
    /// Its colour.
    pub colour: &'static str,
    /// Where it stands.
    pub anchor: Anchor,
}

impl Style {
    /// Regular text that begins at its place.
    pub(super) fn new(size: f64, colour: &'static str) -> Self {
        Self { size, bold: false, colour, anchor: Anchor::Start }
    }

    /// The same in bold.
    pub(super) fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    /// The same, standing otherwise.
    pub(super) fn at(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }
}

/// A rectangle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Width.
    pub w: f64,
    /// Height.
    pub h: f64,
}

/// Collects elements.
#[derive(Debug, Default)]
pub(super) struct Pen(String);

impl Pen {
    /// A rectangle with round corners.
    pub(super) fn rect(&mut self, area: Area, round: f64, paint: &str) {
        let Area { x, y, w, h } = area;
        self.add(format_args!(
            r#"<rect x="{x:.1}" y="{y:.1}" width="{w:.1}" height="{h:.1}" rx="{round:.1}" fill="{}"/>"#,
            escape(paint)
        ));
    }

    /// A rectangle that ends in a point to the right: what goes on.
    pub(super) fn arrow(&mut self, area: Area, paint: &str) {
        let Area { x, y, w, h } = area;
        let (right, tip) = (x + w, (w / 2.0).min(22.0));
        self.add(format_args!(
            r#"<path d="M{x:.1} {y:.1}H{:.1}L{right:.1} {:.1}L{:.1} {:.1}H{x:.1}Z" fill="{}"/>"#,
            right - tip,
            y + h / 2.0,
            right - tip,
            y + h,
            escape(paint)
        ));
    }

    /// A line from top to bottom.
    pub(super) fn line(&mut self, x: f64, from: f64, to: f64, colour: &str, broken: bool) {
        let dashes = if broken { r#" stroke-dasharray="8 7""# } else { "" };
        self.add(format_args!(
            r#"<path d="M{x:.1} {from:.1}V{to:.1}" stroke="{}" stroke-width="2"{dashes}/>"#,
            escape(colour)
        ));
    }

    /// One line of text on its baseline.
    pub(super) fn text(&mut self, x: f64, y: f64, style: Style, text: &str) {
        let anchor = match style.anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let weight = if style.bold { "bold" } else { "normal" };
        self.add(format_args!(
            r#"<text x="{x:.1}" y="{y:.1}" font-size="{}" font-weight="{weight}" text-anchor="{anchor}" fill="{}">{}</text>"#,
            style.size,
            escape(style.colour),
            escape(text)
        ));
    }

    /// Anything else, as it is.
    pub(super) fn add(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a string can't fail.
        let _ = self.0.write_fmt(element);
        self.0.push('\n');
    }

    /// What was drawn.
    pub(super) fn done(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_to_their_room_and_escaped() {
        assert_eq!(cut("Fix it", 26.0, 500.0), "Fix it");
        let cut_short = cut("Optimize nutrition calculations", 26.0, 150.0);
        assert!(cut_short.starts_with("Opti") && cut_short.ends_with('…'), "{cut_short}");
        assert!(text_width(&cut_short, 26.0, false) <= 150.0);
        assert_eq!(cut("Optimize", 26.0, 50.0), "");
        assert!(cut("שלום עולם זה מבחן", 26.0, 150.0).ends_with("…\u{200f}"));
        assert_eq!(escape("</svg><script>\"'&\u{1b}\u{ffff}"), "&lt;/svg&gt;&lt;script&gt;&quot;&#39;&amp; \u{fffd}");
    }
}
