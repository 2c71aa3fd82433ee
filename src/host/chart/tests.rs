use super::*;
use crate::domain::build::Outcome;
use crate::domain::category::Category;
use crate::domain::facts::NightFacts;
use crate::domain::facts::sample::{at, empty_night, fact, full_night, task};
use crate::domain::timeline::{Fate, WIDTH, text_width};
use chrono::TimeDelta;
use proptest::prelude::*;
use resvg::usvg::{Group, Node, Rect, TextChunk};

fn night_of(titles: &[String], minutes: i64) -> NightFacts {
    let mut facts = empty_night();
    for (at_place, title) in (0_i64..).zip(titles) {
        let mut build = fact(
            at_place + 1,
            task(at_place + 1, title, Category::BugFix, 1),
            Some(Outcome::Verified),
            "14 23:10",
            None,
        );
        build.build.started_at += TimeDelta::minutes(at_place * 20);
        build.build.ended_at = Some(build.build.started_at + TimeDelta::minutes(minutes));
        facts.builds.push(build);
    }
    facts
}

fn texts(group: &Group, found: &mut Vec<(String, Rect)>) {
    for node in group.children() {
        match node {
            Node::Group(group) => texts(group, found),
            Node::Text(text) => {
                let words = text.chunks().iter().map(TextChunk::text).collect();
                found.push((words, text.abs_bounding_box()));
            }
            _ => {}
        }
    }
}

/// Every text of a picture with the box it takes.
fn texts_of(timeline: &Timeline) -> (Tree, Vec<(String, Rect)>) {
    let tree = parse(&svg(timeline)).expect("our SVG parses");
    let mut found = vec![];
    texts(tree.root(), &mut found);
    (tree, found)
}

#[track_caller]
fn inside(timeline: &Timeline) {
    let (tree, found) = texts_of(timeline);
    assert!(found.len() >= 3, "{found:?}");
    let (width, height) = (tree.size().width(), tree.size().height());
    for (words, area) in found {
        let inside = area.left() >= 0.0 && area.top() >= 0.0 && area.right() <= width && area.bottom() <= height;
        assert!(inside, "{words:?} is at {area:?} in a picture of {width} × {height}");
    }
}

#[test]
fn the_picture_has_its_size_and_shows_something() {
    let bytes = png(&drawing(Timeline::of(&full_night()))).unwrap();
    assert!(bytes.len() < 400_000, "{} bytes", bytes.len());
    let pixels = tiny_skia::Pixmap::decode_png(&bytes).unwrap();
    assert_eq!(pixels.width(), 1080);
    assert!((700..1600).contains(&pixels.height()), "{}", pixels.height());
    let mut colours: Vec<u32> = pixels.pixels().iter().map(|pixel| packed(*pixel)).collect();
    assert!(colours.iter().all(|colour| colour & 0xff == 0xff), "a chat's own colour shows through");
    colours.sort_unstable();
    colours.dedup();
    assert!(colours.len() > 100, "{} colours", colours.len());
    assert_eq!(png(&drawing(Timeline::of(&full_night()))).unwrap(), bytes, "the same night is the same picture");
}

fn packed(pixel: tiny_skia::PremultipliedColorU8) -> u32 {
    u32::from_be_bytes([pixel.red(), pixel.green(), pixel.blue(), pixel.alpha()])
}

#[test]
fn every_night_makes_a_picture() {
    let many: Vec<String> = (1..=21).map(|id| format!("Task number {id} with a title of usual length")).collect();
    let mut nights = vec![("empty", empty_night()), ("full", full_night())];
    nights.push(("one", night_of(&many[..1], 90)));
    nights.push(("21 in a row", night_of(&many, 20)));
    nights.push(("21 that overlap", night_of(&many, 400)));
    nights.push(("21 of a second", night_of(&many, 0)));
    let mut long = night_of(&many, 40);
    long.now = at("15 09:00");
    nights.push(("ten hours", long));
    for (name, facts) in nights {
        let timeline = Timeline::of(&facts);
        inside(&drawable(timeline.clone()));
        let bytes = png(&drawing(timeline.clone())).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(bytes.len() < 1_000_000, "{name}: {} bytes", bytes.len());
    }
}

/// Widest characters of the font, and those it lacks.
#[test]
fn layout_never_expects_less_than_the_font_takes() {
    for bytes in [dejavu::sans_condensed::regular(), dejavu::sans_condensed::bold()] {
        let font = skrifa::FontRef::new(bytes).unwrap();
        let (map, widths) = (font.charmap(), font.glyph_metrics(Size::new(1.0), LocationRef::default()));
        let ours = (' '..='~').chain("…–·".chars()).chain(Fate::ALL.map(Fate::sign)).chain([NEUTRAL]);
        for c in ours {
            let advance = map.map(c).and_then(|glyph| widths.advance_width(glyph));
            let advance = f64::from(advance.unwrap_or_else(|| panic!("the font has no {c:?}")));
            let bold = bytes == dejavu::sans_condensed::bold();
            assert!(advance <= text_width(&c.to_string(), 1.0, bold), "{c:?} takes {advance}");
        }
    }
    let font = skrifa::FontRef::new(dejavu::sans_condensed::regular()).unwrap();
    let known: Vec<char> = font.charmap().mappings().filter_map(|(c, _)| char::from_u32(c)).collect();
    let wide: String = known.iter().filter(|c| c.width() != Some(0) && !shown(&c.to_string()).contains(**c)).collect();
    // A few digraphs, ligatures and a smiley.
    assert!(known.len() > 5000 && wide.chars().count() < 30, "too much is replaced: {wide}");
}

#[test]
fn what_the_font_lacks_is_one_neutral_sign_a_run() {
    for (title, expected) in [
        ("Fix the labels", "Fix the labels"),
        ("Größe über Ελλάδα и Щука", "Größe über Ελλάδα и Щука"),
        ("🚀 Ship 👨‍👩‍👧 it 🏳️‍🌈", "• Ship • it •"),
        ("日本語のタイトル", "•"),
        ("שלום עולם", "שלום עולם"),
        ("e\u{301}\u{301}\u{301}\u{301}", "e\u{301}\u{301}"),
        ("", ""),
    ] {
        assert_eq!(shown(title), expected);
    }
}

#[test]
fn hostile_titles_stay_inside() {
    let titles = [
        "</svg><script>alert(1)</script>",
        "]]>&amp;&#0;<!-- --><?xml ?>",
        "مرحبا بالعالم وهذا عنوان طويل جدا لمهمة لا تنتهي أبدا في هذه الليلة الطويلة",
        "שלום 123 עולם (abc) שלום",
        "Z\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}a\u{316}\u{317}\u{318}\u{319}lgo",
        "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW",
        "👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻",
        "\u{feff}\u{fffe}\u{ffff}\u{0}",
    ];
    for minutes in [0, 60, 420] {
        let timeline = Timeline::of(&night_of(&titles.map(str::to_owned), minutes));
        inside(&timeline);
        inside(&drawable(timeline));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_title_stays_inside(titles in proptest::collection::vec("\\PC{0,120}|.{0,30}", 1..6), minutes in 0_i64..500) {
        let timeline = Timeline::of(&night_of(&titles, minutes));
        inside(&timeline);
        inside(&drawable(timeline.clone()));
        let (tree, _) = texts_of(&timeline);
        prop_assert!(f64::from(tree.size().width()) <= WIDTH);
    }
}
