//! Draws a timeline as PNG, with the font this program carries: the same picture on every machine.
//!
//! Left out on purpose: system fonts, colour emoji. What the font can't show becomes one neutral sign a run.

use crate::domain::timeline::{Timeline, is_safe_width, svg};
use resvg::usvg::fontdb::Database;
use resvg::usvg::{Options, Tree};
use resvg::{render, tiny_skia, usvg};
use skrifa::MetadataProvider;
use skrifa::instance::{LocationRef, Size};
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::{Arc, LazyLock};
use unicode_width::UnicodeWidthChar;

/// Stands for what the font has no picture of.
const NEUTRAL: char = '•';

/// Marks over and under one letter; more are a joke that climbs out of its line.
const MOST_MARKS: usize = 2;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// Our own SVG was refused.
    #[error("the picture's SVG can't be read: {0}")]
    Svg(#[from] usvg::Error),
    /// No memory for it, or no area.
    #[error("no picture of {0} × {1} pixels can be made")]
    Size(u32, u32),
    /// The encoder failed.
    #[error("the picture can't be written as PNG: {0}")]
    Png(String),
}

static FONTS: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = Database::new();
    fonts.load_font_data(dejavu::sans_condensed::regular().to_vec());
    fonts.load_font_data(dejavu::sans_condensed::bold().to_vec());
    Arc::new(fonts)
});

/// The timeline as SVG, every title as the font can show it.
pub fn drawing(timeline: Timeline) -> String {
    svg(&drawable(timeline))
}

/// The body of `overnight draw`: a [`drawing`] on standard input, its PNG on standard output.
pub fn draw_main() -> ExitCode {
    let drawn = || {
        let drawing = io::read_to_string(io::stdin().lock())?;
        io::stdout().lock().write_all(&png(&drawing)?)?;
        anyhow::Ok(())
    };
    match drawn() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A drawing as PNG.
fn png(drawing: &str) -> Result<Vec<u8>, ChartError> {
    let tree = parse(drawing)?;
    let size = tree.size().to_int_size();
    let (width, height) = (size.width(), size.height());
    let mut pixels = tiny_skia::Pixmap::new(width, height).ok_or(ChartError::Size(width, height))?;
    render(&tree, tiny_skia::Transform::identity(), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| ChartError::Png(error.to_string()))
}

fn parse(svg: &str) -> Result<Tree, usvg::Error> {
    let options = Options { font_family: "DejaVu Sans".into(), fontdb: Arc::clone(&FONTS), ..Options::default() };
    Tree::from_str(svg, &options)
}

/// The same with every title as the font can show it.
fn drawable(mut timeline: Timeline) -> Timeline {
    for block in timeline.lanes.iter_mut().flat_map(|lane| &mut lane.blocks) {
        block.title = shown(&block.title);
    }
    timeline
}

/// A text in characters the font has, none wider than the layout expects.
fn shown(text: &str) -> String {
    let Ok(font) = skrifa::FontRef::new(dejavu::sans_condensed::regular()) else { return text.to_owned() };
    let (map, widths) = (font.charmap(), font.glyph_metrics(Size::new(1.0), LocationRef::default()));
    let known = |c: char| {
        let advance = map.map(c).and_then(|glyph| widths.advance_width(glyph));
        advance.is_some_and(|advance| is_safe_width(c, f64::from(advance)))
    };
    let mut out = String::new();
    let (mut marks, mut neutral) = (0, false);
    for c in text.chars() {
        let mark = c.width() == Some(0);
        marks = if mark { marks + 1 } else { 0 };
        match (mark, known(c)) {
            // What joins or colours an emoji has nothing left to join.
            (true, true) if marks <= MOST_MARKS && !neutral => out.push(c),
            (true, _) => {}
            (false, true) => {
                out.push(c);
                neutral = false;
            }
            (false, false) if neutral => {}
            (false, false) => {
                out.push(NEUTRAL);
                neutral = true;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests;
