//! Draws a timeline as one SVG document, made for a phone: 1080 wide, so that its smallest text is read at a third.

use super::axis::{Axis, Flag, zone_words};
use super::palette::{CARD, EDGE, GRID, INK, LANE, MARK, SOFT, TEXT, bar, strip};
use super::pen::{Anchor, Area, Pen, Style, cut, text_width};
use super::rows::{legend, list_height, listing, pattern_name, patterns, strips};
use super::{Block, Lane, Timeline};
use crate::domain::words::clock;

/// The picture's width.
pub const WIDTH: f64 = 1080.0;

const MARGIN: f64 = 34.0;
/// Room for the lanes' numbers.
const GUTTER: f64 = 42.0;
/// A build of a second is still seen.
const NARROWEST: f64 = 12.0;
/// The narrowest a bar gets where the next one begins right after it.
const SLIVER: f64 = 3.0;
/// With more lanes than this, bars have one line of text instead of two.
const TALL_LANES: usize = 8;
/// How wide the widest sign is, in sizes of its font.
const SIGN: f64 = 0.86;
const FLAG_ROW: f64 = 36.0;
const FLAG_SIZE: f64 = 26.0;

/// The picture as SVG. Every text of others is escaped and cut to its room.
pub fn svg(timeline: &Timeline) -> String {
    let (left, right) = (MARGIN, WIDTH - MARGIN);
    let axis = Axis::new(timeline, left + GUTTER, right);
    let mut pen = Pen::default();

    pen.text(left, 78.0, Style::new(42.0, TEXT).bold(), &timeline.title);
    let span = format!(
        "{}–{} · {}",
        clock(timeline.from, timeline.zone),
        clock(timeline.to, timeline.zone),
        zone_words(timeline)
    );
    pen.text(left, 122.0, Style::new(28.0, SOFT), &cut(&span, 28.0, right - left));
    let mut y = legend(&mut pen, timeline, left, right, 148.0) + 14.0;

    y = lanes(&mut pen, timeline, &axis, y);
    for tick in axis.ticks(timeline, 112.0) {
        // The outermost labels stay on the card.
        let x = tick.x.clamp(left + 38.0, right - 20.0);
        pen.text(x, y + 34.0, Style::new(26.0, SOFT).at(Anchor::Middle), &tick.label);
    }
    y = strips(&mut pen, timeline, &axis, y + 60.0);
    listing(&mut pen, timeline, left, right, y + 4.0);
    let height = (y + list_height(timeline) + 16.0).ceil();
    document(timeline, &pen.done(), height)
}

/// The card with everything on it.
fn document(timeline: &Timeline, content: &str, height: f64) -> String {
    let mut pen = Pen::default();
    pen.add(format_args!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" font-family="DejaVu Sans" font-stretch="condensed">"#
    ));
    pen.rect(Area { x: 0.0, y: 0.0, w: WIDTH, h: height }, 0.0, CARD);
    pen.add(format_args!(
        r#"<rect x="2" y="2" width="{}" height="{}" fill="none" stroke="{EDGE}" stroke-width="4"/>"#,
        WIDTH - 4.0,
        height - 4.0
    ));
    patterns(&mut pen, timeline);
    pen.add(format_args!("{content}</svg>"));
    pen.done()
}

/// The lanes with hours, bands and moments behind the builds. Returns where they end.
fn lanes(pen: &mut Pen, timeline: &Timeline, axis: &Axis, top: f64) -> f64 {
    let flags = axis.flags(timeline, |text| text_width(text, FLAG_SIZE, false));
    let rows = flags.iter().map(|flag| flag.row + 1).max().unwrap_or(0);
    let first = top + rows as f64 * FLAG_ROW + 6.0;
    let baseline = |flag: &Flag| first - 14.0 - flag.row as f64 * FLAG_ROW;
    let tall = timeline.lanes.len() <= TALL_LANES;
    let (height, gap) = if tall { (88.0, 12.0) } else { (46.0, 8.0) };
    let bottom = first + timeline.lanes.len() as f64 * (height + gap);
    let areas = (0..timeline.lanes.len()).map(|at| first + at as f64 * (height + gap));
    let areas: Vec<Area> = areas.map(|y| Area { x: axis.left, y, w: axis.right - axis.left, h: height }).collect();

    for area in &areas {
        pen.rect(*area, 8.0, LANE);
    }
    for band in &timeline.bands {
        let x = axis.x(band.from);
        let area = Area { x, y: first, w: axis.x(band.to) - x, h: bottom - gap - first };
        pen.add(format_args!(r#"<g opacity="0.16">"#));
        pen.rect(area, 0.0, strip(band.kind).0);
        pen.rect(area, 0.0, &format!("url(#{})", pattern_name(band.kind)));
        pen.add(format_args!("</g>"));
    }
    for tick in axis.ticks(timeline, 112.0) {
        pen.line(tick.x, first, bottom, GRID, false);
    }
    // Behind the builds, whose texts they would cross.
    for flag in &flags {
        pen.line(flag.x, baseline(flag) - 22.0, bottom, MARK, true);
    }
    for (lane, area) in timeline.lanes.iter().zip(&areas) {
        let style = Style::new(28.0, SOFT).bold().at(Anchor::Middle);
        pen.text(MARGIN + GUTTER / 2.0 - 4.0, area.y + height / 2.0 + 10.0, style, &lane.label);
        bars(pen, lane, axis, *area, tall);
    }
    for flag in flags {
        let (x, anchor) = if flag.left { (flag.x - 8.0, Anchor::End) } else { (flag.x + 8.0, Anchor::Start) };
        pen.text(x, baseline(&flag), Style::new(FLAG_SIZE, TEXT).at(anchor), &flag.text);
    }
    bottom
}

/// The builds of one lane. A short one is drawn wider than it was, up to where the next begins.
fn bars(pen: &mut Pen, lane: &Lane, axis: &Axis, area: Area, tall: bool) {
    for (at, block) in lane.blocks.iter().enumerate() {
        let end = block.to.map_or(axis.right, |to| axis.x(to));
        let x = axis.x(block.from).min(axis.right - NARROWEST);
        let next = lane.blocks.get(at + 1).map_or(axis.right, |next| axis.x(next.from) - 2.0);
        let w = (end - x).max(NARROWEST).min(next - x).max(SLIVER);
        bar_of(pen, block, Area { x, w, ..area }, tall);
    }
}

fn bar_of(pen: &mut Pen, block: &Block, area: Area, tall: bool) {
    let fill = bar(block.fate);
    if block.to.is_none() {
        pen.arrow(area, fill);
    } else {
        pen.rect(area, 8.0_f64.min(area.w / 2.0), fill);
    }
    let (room, sign) = (area.w - 16.0, block.fate.sign());
    let head = Style::new(28.0, INK).bold();
    let baseline = area.y + if tall { 37.0 } else { 33.0 };
    let mut number = format!("{sign} #{}", block.task);
    let taken = (SIGN + text_width(&number[sign.len_utf8()..], 1.0, true)) * head.size;
    if taken > room {
        let (middle, centred) = (area.x + area.w / 2.0, Style { size: 26.0, ..head }.at(Anchor::Middle));
        if area.w >= SIGN * centred.size {
            pen.text(middle, baseline, centred, &sign.to_string());
        }
        // Its times, and its number where that does not fit either, are in the list.
        let number = number.split_off(sign.len_utf8() + 1);
        if tall && area.w >= text_width(&number, centred.size, false) + 4.0 {
            pen.text(middle, area.y + 72.0, Style { bold: false, ..centred }, &number);
        }
        return;
    }
    let (x, body) = (area.x + 8.0, Style::new(26.0, INK));
    pen.text(x, baseline, head, &number);
    if tall {
        pen.text(x, area.y + 72.0, body, &cut(&block.title, body.size, room));
    } else {
        let taken = taken + 10.0;
        pen.text(x + taken, baseline, body, &cut(&block.title, body.size, room - taken));
    }
}
