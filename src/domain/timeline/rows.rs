//! What is read rather than seen: the legend over the picture, and under it every build with its times.

use super::axis::Axis;
use super::palette::{CARD, EDGE, INK, SOFT, TEXT, bar, strip};
use super::pen::{Anchor, Area, Pen, Style, cut, text_width};
use super::{BandKind, Block, Fate, Timeline};
use crate::domain::words::{clock, list};

/// Most builds that are listed; more are counted.
pub(super) const LISTED: usize = 24;

const CHIP: f64 = 38.0;
const LEGEND_ROW: f64 = 54.0;
const LIST_ROW: f64 = 52.0;
const SIZE: f64 = 28.0;

/// A square with a fate's sign.
fn chip(pen: &mut Pen, x: f64, y: f64, fate: Fate) {
    pen.rect(Area { x, y, w: CHIP, h: CHIP }, 8.0, bar(fate));
    let sign = Style::new(SIZE, INK).bold().at(Anchor::Middle);
    pen.text(x + CHIP / 2.0, y + 29.0, sign, &fate.sign().to_string());
}

/// How many builds came to what: only what occurs. Returns where it ends.
pub(super) fn legend(pen: &mut Pen, timeline: &Timeline, left: f64, right: f64, top: f64) -> f64 {
    let blocks = timeline.blocks();
    if blocks.is_empty() {
        pen.text(left, top + 29.0, Style::new(SIZE, SOFT), "No build was started");
        return top + LEGEND_ROW;
    }
    let (mut x, mut y) = (left, top);
    for fate in Fate::ALL {
        let count = blocks.iter().filter(|block| block.fate == fate).count();
        if count == 0 {
            continue;
        }
        let text = format!("{count} {}", fate.word());
        let width = CHIP + 12.0 + text_width(&text, SIZE, false);
        if x > left && x + width > right {
            (x, y) = (left, y + LEGEND_ROW);
        }
        chip(pen, x, y, fate);
        pen.text(x + CHIP + 12.0, y + 29.0, Style::new(SIZE, TEXT), &text);
        x += width + 34.0;
    }
    y + LEGEND_ROW
}

/// A strip for each reason that no build could start, with its words and times under it. Returns where they end.
pub(super) fn strips(pen: &mut Pen, timeline: &Timeline, axis: &Axis, top: f64) -> f64 {
    let mut y = top;
    for kind in BandKind::ALL {
        let bands: Vec<_> = timeline.bands.iter().filter(|band| band.kind == kind).collect();
        if bands.is_empty() {
            continue;
        }
        pen.rect(Area { x: axis.left, y, w: axis.right - axis.left, h: 22.0 }, 6.0, super::palette::LANE);
        for band in &bands {
            let x = axis.x(band.from).min(axis.right - 8.0);
            let area = Area { x, y, w: (axis.x(band.to) - x).max(8.0), h: 22.0 };
            pen.rect(area, 4.0, strip(kind).0);
            pen.rect(area, 4.0, &format!("url(#{})", pattern_name(kind)));
        }
        let times: Vec<String> = bands
            .iter()
            .map(|band| format!("{}–{}", clock(band.from, timeline.zone), clock(band.to, timeline.zone)))
            .collect();
        let text = format!("{}: {}", kind.words(), list(&times, 2));
        pen.text(axis.left, y + 54.0, Style::new(26.0, TEXT), &cut(&text, 26.0, axis.right - axis.left));
        y += 74.0;
    }
    y
}

/// The name of a kind's stripes in the document.
pub(super) fn pattern_name(kind: BandKind) -> &'static str {
    match kind {
        BandKind::Disk => "stripes-disk",
        BandKind::Memory => "stripes-memory",
        BandKind::Limit => "stripes-limit",
        BandKind::Asleep => "stripes-asleep",
        BandKind::Other => "stripes-other",
    }
}

/// The stripes of the kinds that occur.
pub(super) fn patterns(pen: &mut Pen, timeline: &Timeline) {
    let used = BandKind::ALL.into_iter().filter(|kind| timeline.bands.iter().any(|band| band.kind == *kind));
    for kind in used {
        let (name, (_, lean)) = (pattern_name(kind), strip(kind));
        pen.add(format_args!(
            r#"<pattern id="{name}" width="14" height="14" patternUnits="userSpaceOnUse" patternTransform="rotate({lean})"><rect width="14" height="6" fill="{CARD}"/></pattern>"#
        ));
    }
}

/// How high the list is.
pub(super) fn list_height(timeline: &Timeline) -> f64 {
    let blocks = timeline.blocks().len();
    let rows = blocks.min(LISTED) + usize::from(blocks > LISTED);
    if rows == 0 { 0.0 } else { rows as f64 * LIST_ROW + 24.0 }
}

/// Every build in the order of its start: narrow bars have no room for words.
pub(super) fn listing(pen: &mut Pen, timeline: &Timeline, left: f64, right: f64, top: f64) {
    let blocks = timeline.blocks();
    if blocks.is_empty() {
        return;
    }
    pen.rect(Area { x: left, y: top, w: right - left, h: 2.0 }, 0.0, EDGE);
    let mut y = top + 20.0;
    let number = |block: &&Block| text_width(&format!("#{}", block.task), SIZE, true);
    let numbers = blocks.iter().map(number).fold(0.0, f64::max);
    for block in blocks.iter().take(LISTED) {
        row(pen, timeline, block, [left, left + CHIP + 16.0 + numbers + 6.0, right], y);
        y += LIST_ROW;
    }
    if blocks.len() > LISTED {
        let more = format!("and {} more", blocks.len() - LISTED);
        pen.text(left + CHIP + 16.0, y + 29.0, Style::new(SIZE, SOFT), &more);
    }
}

/// One build: its chip at the first place, its title at the second, its times up to the third.
fn row(pen: &mut Pen, timeline: &Timeline, block: &Block, [left, title, right]: [f64; 3], y: f64) {
    let baseline = y + 29.0;
    chip(pen, left, y, block.fate);
    pen.text(left + CHIP + 16.0, baseline, Style::new(SIZE, TEXT).bold(), &format!("#{}", block.task));
    let from = clock(block.from, timeline.zone);
    // The picture is looked at later: it can't say `now`.
    let mut times =
        block.to.map_or_else(|| format!("since {from}"), |to| format!("{from}–{}", clock(to, timeline.zone)));
    if block.attempt > 1 {
        times = format!("try {} · {times}", block.attempt);
    }
    pen.text(right, baseline, Style::new(SIZE, SOFT).at(Anchor::End), &times);
    let room = right - text_width(&times, SIZE, false) - 20.0 - title;
    pen.text(title, baseline, Style::new(SIZE, TEXT), &cut(&block.title, SIZE, room));
}
