//! The picture's colours: an opaque dark card that stands well on a dark chat and on a light one.
//!
//! The bars' hues are those of Okabe and Ito's palette, made lighter so that dark text can be read on each; a sign goes
//! with every one of them. Held by tests: text 4.5:1 or more on what it stands on, bars 3:1 or more on the card.

use super::{BandKind, Fate};

/// The card.
pub(super) const CARD: &str = "#1d2530";
/// Its edge, for a chat that is as dark as the card.
pub(super) const EDGE: &str = "#56667a";
/// A lane without a build.
pub(super) const LANE: &str = "#28323f";
/// Lines of the hours.
pub(super) const GRID: &str = "#46525f";
/// Lines of the session's moments.
pub(super) const MARK: &str = "#dfe6ee";
/// Text that matters.
pub(super) const TEXT: &str = "#f4f7fa";
/// Text beside it.
pub(super) const SOFT: &str = "#c3ccd6";
/// Text on a bar.
pub(super) const INK: &str = "#0e141b";

/// A bar.
pub(super) fn bar(fate: Fate) -> &'static str {
    match fate {
        Fate::Ready => "#3cc79b",
        Fate::Building => "#6cc0ee",
        Fate::Unproven => "#f3e86a",
        Fate::Failed => "#f58048",
        Fate::Retried => "#dc9cc0",
        Fate::Stopped => "#b6c0cb",
        Fate::Unclear => "#efb02e",
        Fate::Parked => "#c4b5f7",
    }
}

/// A strip, and the way its stripes lean in degrees: those differ as well as the colours.
pub(super) fn strip(kind: BandKind) -> (&'static str, i32) {
    match kind {
        BandKind::Disk => ("#f0a35a", 45),
        BandKind::Memory => ("#e58fb8", -45),
        BandKind::Limit => ("#f3e86a", 0),
        BandKind::Asleep => ("#a9b8c9", 90),
        BandKind::Other => ("#8fc9ef", 20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance as WCAG 2 defines it.
    fn luminance(colour: &str) -> f64 {
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn the_measure_is_the_known_one() {
        assert!((contrast("#ffffff", "#000000") - 21.0).abs() < 1e-9);
        // The lightest grey that passes on white, as is well known.
        assert!((4.5..4.6).contains(&contrast("#767676", "#ffffff")));
    }

    #[test]
    fn text_is_readable_wherever_it_stands() {
        let mut ratios = vec![
            ("text on the card", contrast(TEXT, CARD), 14.0),
            ("soft text on the card", contrast(SOFT, CARD), 9.0),
            ("soft text on a lane", contrast(SOFT, LANE), 7.0),
        ];
        ratios.extend(Fate::ALL.map(|fate| (fate.word(), contrast(INK, bar(fate)), 7.0)));
        for (what, ratio, least) in ratios {
            assert!(ratio >= least && least >= 4.5, "{what}: {ratio:.1}:1 is below {least}:1");
        }
    }

    #[test]
    fn bars_and_strips_stand_out_from_card_and_lane() {
        for colour in Fate::ALL.map(bar).into_iter().chain(BandKind::ALL.map(|kind| strip(kind).0)).chain([MARK]) {
            assert!(contrast(colour, CARD) >= 5.0 && contrast(colour, LANE) >= 4.5, "{colour}");
        }
        // The card's edge shows on a dark chat, the card itself on a light one.
        assert!(contrast(EDGE, "#0e1621") >= 3.0 && contrast(CARD, "#ffffff") >= 12.0);
    }

    #[test]
    fn every_fate_has_its_own_sign_and_colour() {
        let mut signs = Fate::ALL.map(Fate::sign).to_vec();
        let mut colours = Fate::ALL.map(bar).to_vec();
        signs.sort_unstable();
        signs.dedup();
        colours.sort_unstable();
        colours.dedup();
        assert_eq!((signs.len(), colours.len()), (Fate::ALL.len(), Fate::ALL.len()));
    }
}
