//! Texts: markup, lengths, buttons, toasts.

use super::{ANN, allowed, declined, refused, remarked, telegram};
use crate::fake_telegram::html::{number, parse, utf16};
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
use serde_json::{Value, json};

fn html(text: &str) -> Value {
    json!({ "chat_id": ANN, "text": text, "parse_mode": "HTML" })
}

#[tokio::test]
async fn markup_becomes_entities() {
    let telegram = telegram().await;
    for (source, text, entities) in [
        ("plain", "plain", json!([])),
        ("<b>a</b><strong>b</strong>", "ab", json!([["bold", 0, 1], ["bold", 1, 1]])),
        ("<i>a</i> <em>b</em>", "a b", json!([["italic", 0, 1], ["italic", 2, 1]])),
        ("<u>a</u><ins>b</ins>", "ab", json!([["underline", 0, 1], ["underline", 1, 1]])),
        ("<s>a</s><strike>b</strike><del>c</del>", "abc", {
            json!([["strikethrough", 0, 1], ["strikethrough", 1, 1], ["strikethrough", 2, 1]])
        }),
        ("<code>x &lt; y</code>", "x < y", json!([["code", 0, 5]])),
        ("<pre>a\nb</pre>", "a\nb", json!([["pre", 0, 3]])),
        ("<tg-spoiler>a</tg-spoiler><span class=\"tg-spoiler\">b</span>", "ab", {
            json!([["spoiler", 0, 1], ["spoiler", 1, 1]])
        }),
        ("<blockquote>a</blockquote>", "a", json!([["blockquote", 0, 1]])),
        ("<blockquote expandable>a</blockquote>", "a", json!([["expandable_blockquote", 0, 1]])),
        ("<b>a<i>b</i></b>", "ab", json!([["bold", 0, 2], ["italic", 1, 1]])),
        ("<B>a</b >", "a", json!([["bold", 0, 1]])),
        // Units of UTF-16: an emoji is two.
        ("🚀<b>ü</b>", "🚀ü", json!([["bold", 2, 1]])),
        ("&lt;&gt;&amp;&quot;&#33;&#x1F680;", "<>&\"!🚀", json!([])),
        ("&nbsp; &copy; & a&b", "&nbsp; &copy; & a&b", json!([])),
        ("\n <b> a </b> \n", "a", json!([["bold", 0, 1]])),
        ("<b></b>a", "a", json!([])),
    ] {
        let sent = allowed(&telegram, "sendMessage", html(source)).await;
        assert_eq!(sent["text"], text, "{source}");
        let found = sent["entities"].as_array().cloned().unwrap_or_default();
        let found: Vec<Value> = found.iter().map(|e| json!([e["type"], e["offset"], e["length"]])).collect();
        assert_eq!(json!(found), entities, "{source}");
        assert_eq!(telegram.bot_messages(ANN).last().expect("a message").source, source);
    }
    let link = allowed(&telegram, "sendMessage", html("<a href=\"https://a.example/?x=1&amp;y=2\">a</a>")).await;
    let expected = json!([{ "type": "text_link", "offset": 0, "length": 1, "url": "https://a.example/?x=1&y=2" }]);
    assert_eq!(link["entities"], expected);
    let code = allowed(&telegram, "sendMessage", html("<pre><code class='language-rust'>fn</code></pre>")).await;
    assert_eq!(code["entities"], json!([{ "type": "pre", "offset": 0, "length": 2, "language": "rust" }]));
    // Without a parse mode nothing is markup.
    let sent = allowed(&telegram, "sendMessage", json!({ "chat_id": ANN, "text": "a <b> c & d" })).await;
    assert_eq!((&sent["text"], &sent["entities"]), (&json!("a <b> c & d"), &Value::Null));
}

proptest! {
    #[test]
    fn escaped_text_comes_out_as_it_was(text in "\\PC{0,60}") {
        let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let parsed = parse(&format!("<b>{escaped}</b>")).expect("markup");
        prop_assert_eq!(parsed.text, text.trim());
    }

    #[test]
    fn any_markup_is_read_or_refused(text in "[<>/&;#x\"'= aübip0-9-]{0,40}") {
        let parsed = parse(&text).unwrap_or_default();
        let end = utf16(&parsed.text);
        for entity in parsed.entities {
            prop_assert!(number(&entity, "offset") + number(&entity, "length") <= end);
        }
    }
}

#[tokio::test]
async fn broken_markup_is_refused() {
    let telegram = telegram().await;
    for (source, reason) in [
        ("<b>a", "Can't find end tag corresponding to start tag \"b\""),
        ("a</b>", "Unexpected end tag at byte offset 1"),
        ("<b><i>a</b></i>", "Unmatched end tag at byte offset 7, expected \"</i>\", found \"</b>\""),
        ("<p>a</p>", "Unsupported start tag \"p\" at byte offset 0"),
        ("ü<br>", "Unsupported start tag \"br\" at byte offset 2"),
        ("a < b", "Unsupported start tag \"\" at byte offset 2"),
        ("a <3 b > c", "Unsupported start tag \"3\" at byte offset 2"),
        ("<b", "Unclosed start tag at byte offset 0"),
        ("<b>a</b", "Unclosed end tag at byte offset 4"),
        ("<a href=\"x>a</a>", "Unclosed start tag at byte offset 0"),
        ("<a href>a</a>", "Expected equal sign in declaration of an attribute of the tag \"a\""),
        ("<a =x>a</a>", "Empty attribute name in the tag \"a\""),
        ("<span>a</span>", "Tag \"span\" must have class \"tg-spoiler\""),
        ("<blockquote>a<blockquote>b</blockquote></blockquote>", "Blockquote entities can't be nested"),
        (
            "<blockquote>a<b><blockquote expandable>b</blockquote></b></blockquote>",
            "Blockquote entities can't be nested",
        ),
    ] {
        refused(&telegram, "sendMessage", html(source), &format!("can't parse entities: {reason}")).await;
    }
    refused(&telegram, "sendMessage", json!({ "chat_id": ANN, "text": "a", "parse_mode": "MarkdownV2" }), "parse_mode")
        .await;
    assert!(telegram.bot_messages(ANN).is_empty());
}

#[tokio::test]
async fn what_telegram_would_repair_in_silence_is_remarked() {
    let telegram = telegram().await;
    remarked(&telegram, "sendMessage", html("<a href=\"nowhere\">a</a>"), "no address").await;
    remarked(&telegram, "sendMessage", html("<code>a<b>b</b></code>"), "can't contain other entities").await;
    remarked(&telegram, "sendMessage", html("<b id=\"x\">a</b>"), "no attribute id").await;
    let beyond = json!({ "chat_id": ANN, "text": "a", "entities": [{ "type": "bold", "offset": 5, "length": 9 }] });
    remarked(&telegram, "sendMessage", beyond, "beyond the end").await;
    remarked(&telegram, "sendMessage", html(&"<b>a</b> ".repeat(101)), "101 entities").await;
    allowed(&telegram, "sendMessage", html(&"<b>a</b> ".repeat(100))).await;
}

#[tokio::test]
async fn texts_have_a_length() {
    let telegram = telegram().await;
    let full = "<b>&amp;</b>".repeat(50) + &"a".repeat(4046);
    let sent = allowed(&telegram, "sendMessage", html(&full)).await;
    let id = sent["message_id"].clone();
    refused(&telegram, "sendMessage", html(&format!("{full}a")), "message is too long").await;
    let rockets = "🚀".repeat(2048);
    allowed(&telegram, "sendMessage", html(&rockets)).await;
    refused(&telegram, "sendMessage", html(&format!("{rockets}a")), "message is too long").await;
    for empty in ["", " \n ", "<b></b>", "<i> </i>"] {
        refused(&telegram, "sendMessage", html(empty), "message text is empty").await;
    }
    let edit = |text: &str| json!({ "chat_id": ANN, "message_id": id, "text": text });
    refused(&telegram, "editMessageText", edit(&"a".repeat(4097)), "MESSAGE_TOO_LONG").await;
    refused(&telegram, "editMessageText", edit(""), "message text is empty").await;
    allowed(&telegram, "editMessageText", edit(&"a".repeat(4096))).await;
}

#[tokio::test]
async fn buttons_have_limits() {
    let telegram = telegram().await;
    let with = |rows: Value| json!({ "chat_id": ANN, "text": "a", "reply_markup": { "inline_keyboard": rows } });
    let tap = |data: &str| json!({ "text": "t", "callback_data": data });
    for (rows, reason) in [
        (json!([[tap("")]]), "BUTTON_DATA_INVALID"),
        (json!([[tap(&"a".repeat(65))]]), "BUTTON_DATA_INVALID"),
        (json!([[tap(&"ü".repeat(33))]]), "BUTTON_DATA_INVALID"),
        (json!([[{ "text": "", "callback_data": "a" }]]), "BUTTON_TEXT_INVALID"),
        (json!([[{ "text": " ", "callback_data": "a" }]]), "BUTTON_TEXT_INVALID"),
        (json!([[{ "text": "a" }]]), "Text buttons are unallowed"),
        (json!([[{ "text": "a", "callback_data": "a", "url": "https://a.example" }]]), "exactly one action"),
        (json!([[{ "text": "a", "url": "javascript:x" }]]), "BUTTON_URL_INVALID"),
        (json!([[{ "text": "a", "callback_data": "a", "style": "purple" }]]), "BUTTON_STYLE_INVALID"),
        (json!([[{ "text": "a", "copy_text": { "text": "c".repeat(257) } }]]), "BUTTON_COPY_TEXT_INVALID"),
        (json!(vec![vec![tap("a"); 8]; 13]), "reply markup is too long"),
    ] {
        refused(&telegram, "sendMessage", with(rows.clone()), reason).await;
    }
    for rows in [
        json!([[tap(&"a".repeat(64))]]),
        json!([[tap(&"ü".repeat(32))]]),
        json!([[{ "text": "a", "url": "https://a.example" }]]),
        json!([[{ "text": "a", "callback_data": "a", "style": "danger" }]]),
        json!([[{ "text": "a", "copy_text": { "text": "c".repeat(256) } }]]),
        json!(vec![vec![tap("a"); 8]; 12]),
        json!([]),
    ] {
        allowed(&telegram, "sendMessage", with(rows)).await;
    }
    let edit = json!({
        "chat_id": ANN, "message_id": 1, "reply_markup": { "inline_keyboard": [[tap(&"a".repeat(65))]] },
    });
    refused(&telegram, "editMessageReplyMarkup", edit, "BUTTON_DATA_INVALID").await;
}

#[tokio::test]
async fn a_tap_is_answered_once_in_time_and_briefly() {
    let telegram = telegram().await;
    let markup = json!({ "inline_keyboard": [[{ "text": "Yes", "callback_data": "y" }]] });
    allowed(&telegram, "sendMessage", json!({ "chat_id": ANN, "text": "Well?", "reply_markup": markup })).await;
    let id = telegram.bot_messages(ANN)[0].id;
    let tap = telegram.taps(ANN, ANN, id, "y");
    let answer = |tap: &str, text: &str| json!({ "callback_query_id": tap, "text": text });
    refused(&telegram, "answerCallbackQuery", answer(&tap, &"ü".repeat(201)), "MESSAGE_TOO_LONG").await;
    refused(&telegram, "answerCallbackQuery", json!({ "text": "x" }), "\"callback_query_id\" is required").await;
    allowed(&telegram, "answerCallbackQuery", answer(&tap, &"ü".repeat(200))).await;
    let old = "Bad Request: query is too old and response timeout expired or query ID is invalid";
    declined(&telegram, "answerCallbackQuery", answer(&tap, "again"), 400, old).await;
    declined(&telegram, "answerCallbackQuery", answer("1", "x"), 400, old).await;
    let (quick, late) = (telegram.taps(ANN, ANN, id, "y"), telegram.taps(ANN, ANN, id, "y"));
    allowed(&telegram, "answerCallbackQuery", json!({ "callback_query_id": quick, "show_alert": true })).await;
    telegram.passes(150);
    declined(&telegram, "answerCallbackQuery", answer(&late, "x"), 400, old).await;
    let toasts: Vec<(String, i64, bool)> = telegram.toasts().into_iter().map(|t| (t.text, t.user, t.alert)).collect();
    assert_eq!(toasts, [("ü".repeat(200), ANN, false), (String::new(), ANN, true)]);
}
