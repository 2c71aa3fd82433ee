use super::*;
use proptest::prelude::*;

fn item(text: &str) -> Item {
    Item { icon: "✅".into(), text: text.into(), ..Item::default() }
}

fn button(label: &str, id: &str) -> Button {
    Button { label: label.into(), id: id.into(), typed: "/x".into() }
}

/// Visible text, or what is wrong with the tags. Written apart from the renderer: it knows only the platform's rules.
fn parse(html: &str) -> Result<(String, usize), String> {
    let (mut text, mut open, mut entities) = (String::new(), Vec::<&str>::new(), 0);
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with('&') {
            let known = [("&lt;", '<'), ("&gt;", '>'), ("&amp;", '&'), ("&quot;", '"')];
            let (name, c) = known.into_iter().find(|(name, _)| rest.starts_with(name)).ok_or("a bare &")?;
            text.push(c);
            rest = &rest[name.len()..];
            continue;
        }
        let end = rest.find('>').ok_or("a tag without end")?;
        match &rest[1..end] {
            "b" => open.push("b"),
            "blockquote expandable" if !open.contains(&"blockquote") => open.push("blockquote"),
            close if close.starts_with('/') => {
                if open.pop() != Some(&close[1..]) {
                    return Err(format!("</{close}> closes nothing"));
                }
                entities += 1;
            }
            tag => return Err(format!("unknown tag {tag:?}")),
        }
        rest = &rest[end + 1..];
    }
    text.push_str(rest);
    if open.is_empty() { Ok((text, entities)) } else { Err(format!("left open: {open:?}")) }
}

fn check(message: &Message) -> Result<Vec<String>, String> {
    let rendered = render(message);
    if rendered.parts.is_empty() || rendered.parts.len() > MOST_PARTS {
        return Err(format!("{} parts", rendered.parts.len()));
    }
    let mut shown = Vec::new();
    for part in &rendered.parts {
        let (text, entities) = parse(&part.html)?;
        if text.trim().is_empty() || units(&text) > 4096 || entities > 100 {
            return Err(format!("{} units, {entities} entities", units(&text)));
        }
        for (label, data) in part.keyboard.iter().flatten() {
            if label.trim().is_empty() || data.is_empty() || data.len() > 64 {
                return Err(format!("button {label:?} {data:?}"));
            }
        }
        shown.push(text);
    }
    Ok(shown)
}

#[test]
fn a_brief_reads_as_it_should() {
    let mut shipped = item("#1 Faster <reports> & more");
    shipped.evidence = vec!["48 tests pass".into(), "4.1× faster".into()];
    let mut locked = item("#7 Post the news");
    locked.icon = "🔒".into();
    locked.buttons = vec![button("✅ Approve", "n1"), button("✖️ Reject", "n2")];
    let mut other = item("#9 Move the server");
    other.buttons = vec![button("✅ Approve", "n3")];
    let message = Message::line("🌅 1 ready · 2 need you")
        .intro("Good morning! One thing is ready.")
        .section("🚀 What shipped", vec![shipped])
        .section("🔒 Needs you", vec![locked, other])
        .closing("Ready to review or should I keep building?")
        .row(vec![button("👀 Review", "n4"), button("🔨 Keep building", "n5")]);
    let rendered = render(&message);
    assert!(!rendered.cut);
    assert_eq!(
        rendered.parts[0].html,
        "<b>🌅 1 ready · 2 need you</b>\n\nGood morning! One thing is ready.\n\n<b>🚀 What shipped</b>\n\
         ✅ #1 Faster &lt;reports&gt; &amp; more\n<blockquote expandable>48 tests pass\n4.1× faster</blockquote>\n\n\
         <b>🔒 Needs you</b>\n🔒 #7 Post the news\n✅ #9 Move the server\n\nReady to review or should I keep building?"
    );
    let labels: Vec<Vec<&str>> =
        rendered.parts[0].keyboard.iter().map(|row| row.iter().map(|(label, _)| label.as_str()).collect()).collect();
    assert_eq!(
        labels,
        [vec!["✅ Approve #7", "✖️ Reject #7"], vec!["✅ Approve #9"], vec!["👀 Review", "🔨 Keep building"]]
    );
}

#[test]
fn a_long_message_is_split_between_items_and_buttons_stay_with_theirs() {
    let items: Vec<Item> = (0..60)
        .map(|n| {
            let mut one = item(&format!("#{n} {}", "word ".repeat(35)));
            if n == 2 || n == 59 {
                one.buttons = vec![button("✅ Approve", &format!("n{n}"))];
            }
            one
        })
        .collect();
    let message = Message::line("Sixty").section("All", items).row(vec![button("👀 Review", "last")]);
    let rendered = render(&message);
    assert_eq!((rendered.parts.len(), rendered.cut), (3, false));
    assert_eq!(rendered.parts[0].keyboard[0][0].0, "✅ Approve #2");
    let last: Vec<&str> = rendered.parts[2].keyboard.iter().flatten().map(|(_, data)| data.as_str()).collect();
    assert_eq!(last, ["n59", "last"]);
    let shown = check(&message).unwrap().join("\n");
    for n in 0..60 {
        assert!(shown.contains(&format!("#{n} word")), "{n} is missing");
    }
}

#[test]
fn what_does_not_fit_is_marked_and_no_button_is_lost() {
    let items = (0..400).map(|n| item(&format!("#{n} {}", "word ".repeat(25)))).collect();
    let message = Message::line("Many").section("All", items).row(vec![button("👀 Review", "last")]);
    let rendered = render(&message);
    assert_eq!((rendered.parts.len(), rendered.cut), (3, true));
    assert_eq!(rendered.parts[2].keyboard, [[("👀 Review".to_owned(), "last".to_owned())]]);
    let one = Item { quote: "x".repeat(10_000), ..item("log") };
    let rendered = render(&Message::line("Log").section("", vec![one]));
    assert_eq!((rendered.parts.len(), rendered.cut), (1, true));
}

#[test]
fn toasts_are_short_and_tell_when_they_say_it_all() {
    let short = Message::line("✅ #3 is approved").closing("It runs tonight.");
    assert!(fits_a_toast(&short));
    assert_eq!(toast(&short), "✅ #3 is approved\nIt runs tonight.");
    let long = Message::line("😀".repeat(150));
    assert!(!fits_a_toast(&long));
    assert!(units(&toast(&long)) <= 200 && toast(&long).ends_with('…'));
    assert!(!fits_a_toast(&Message::line("x").section("", vec![item("y")])));
}

fn any_text() -> impl Strategy<Value = String> {
    let nasty = prop::sample::select(vec![
        "</b>",
        "<script>",
        "&amp;",
        "&#x41;",
        "</blockquote>",
        "\u{202e}abc",
        "😀👨‍👩‍👧",
        "\u{200d}",
        "\u{fe0f}",
        "\0",
        "\r\n",
        "/stop",
        "@all",
        "https://evil.example/?a=1&b=2",
        "\u{2060}",
        "ﷺ",
        "<b",
        "<!--",
        "tg://user?id=1",
        "  ",
        "\n\n\n",
    ]);
    prop::collection::vec(prop_oneof![".{0,40}", nasty.prop_map(String::from), "[a-z ]{0,300}"], 0..8)
        .prop_map(|parts| parts.concat())
}

fn any_item() -> impl Strategy<Value = Item> {
    let buttons = prop::collection::vec(any_text(), 0..3);
    (any_text(), any_text(), prop::collection::vec(any_text(), 0..4), any_text(), buttons).prop_map(
        |(icon, text, evidence, quote, labels)| Item {
            icon,
            text,
            evidence,
            quote,
            quoted_from: String::new(),
            buttons: labels.iter().map(|label| button(label, "0123456789abcdef0123456789abcdef")).collect(),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_of_any_task_stays_within_the_limits_and_is_only_text(
        verdict in any_text(),
        intro in any_text(),
        closing in any_text(),
        sections in prop::collection::vec((any_text(), prop::collection::vec(any_item(), 0..30)), 0..4),
    ) {
        let mut message = Message::line(verdict.clone()).intro(intro).closing(closing);
        for (title, items) in sections {
            message = message.section(title, items);
        }
        let shown = check(&message).map_err(TestCaseError::fail)?;
        let first = visible(&verdict);
        let first: String = first.trim().chars().take(40).collect();
        let blank = first.chars().all(|c| c.is_whitespace() || "\u{200d}\u{fe0f}\u{2060}".contains(c));
        prop_assert!(blank || shown[0].starts_with(&first), "{:?} does not begin with {first:?}", shown[0]);
        let toasted = toast(&message);
        prop_assert!(units(&toasted) <= 200);
    }
}
