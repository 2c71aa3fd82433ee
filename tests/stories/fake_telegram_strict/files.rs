//! Files: what may be sent, what is kept, and downloads.

use super::{ANN, allowed, ask, bot, method_url, post, refused, telegram};
use crate::fake_telegram::FakeTelegram;
use serde_json::{Value, json};
use teloxide::net::Download;
use teloxide::prelude::*;
use teloxide::types::InputFile;

/// The beginning of a PNG of this size, filled up to this many bytes.
fn png(width: u32, height: u32, bytes: usize) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    png.extend(width.to_be_bytes());
    png.extend(height.to_be_bytes());
    png.resize(bytes.max(png.len()), 0);
    png
}

/// Sends Ann a picture without a caption, and gives its message's number.
pub(crate) async fn send_picture(telegram: &FakeTelegram) -> Value {
    let picture = InputFile::memory(png(10, 10, 100)).file_name("p.png");
    bot(telegram).send_photo(ChatId(ANN), picture).await.expect("sent").id.0.into()
}

/// Sends a file and a caption as parts, the file in a part of this name.
async fn parts(telegram: &FakeTelegram, method: &str, reference: &str, part: &str, bytes: &[u8]) -> (u16, Value) {
    let field = if method == "sendPhoto" { "photo" } else { "document" };
    let mut body = Vec::new();
    for (name, value) in [("chat_id", "7"), ("caption", "<b>c</b>"), ("parse_mode", "HTML"), (field, reference)] {
        if !value.is_empty() {
            body.extend(format!("--xx\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes());
        }
    }
    let head = format!("--xx\r\nContent-Disposition: form-data; name=\"{part}\"; filename=\"f.bin\"\r\n\r\n");
    body.extend(head.bytes());
    body.extend(bytes);
    body.extend(b"\r\n--xx--\r\n");
    post(method_url(telegram, method), "multipart/form-data; boundary=xx", body).await
}

#[tokio::test]
async fn documents_and_photos_arrive_whole() {
    let telegram = telegram().await;
    let bot = bot(&telegram);
    let report = InputFile::memory("{}").file_name("report.json");
    let sent = bot.send_document(ChatId(ANN), report).caption("the <b>report</b>").await.expect("sent");
    let document = sent.document().expect("a document");
    assert_eq!((document.file_name.as_deref(), document.file.size), (Some("report.json"), 2));
    let chart = InputFile::memory(png(800, 400, 5_000)).file_name("chart.png");
    let sent = bot.send_photo(ChatId(ANN), chart).disable_notification(true).await.expect("sent");
    assert_eq!(sent.photo().expect("a photo")[0].width, 800);

    let seen = telegram.bot_messages(ANN);
    assert_eq!(seen[0].text, "the <b>report</b>");
    assert_eq!(
        (&*seen[0].files[0].name, &seen[0].files[0].bytes[..], seen[0].files[0].photo),
        ("report.json", &b"{}"[..], false)
    );
    assert_eq!((&*seen[1].files[0].name, seen[1].files[0].photo, seen[1].silent), ("chart.png", true, true));

    // A file that is there can be sent again by its number, as what it is.
    let id = document.file.id.clone();
    bot.send_document(ChatId(ANN), InputFile::file_id(id.clone())).await.expect("sent again");
    let wrong = "wrong file identifier/HTTP URL specified";
    assert_eq!(telegram.take_violations(), [""; 0]);
    refused(&telegram, "sendPhoto", json!({ "chat_id": ANN, "photo": id.0 }), wrong).await;
    refused(&telegram, "sendDocument", json!({ "chat_id": ANN, "document": "https://a.example/a.pdf" }), wrong).await;
}

#[tokio::test]
async fn a_part_belongs_to_a_parameter() {
    let telegram = telegram().await;
    assert_eq!(parts(&telegram, "sendDocument", "attach://file", "file", b"x").await.0, 200);
    assert_eq!(parts(&telegram, "sendDocument", "", "document", b"x").await.0, 200);
    assert_eq!(telegram.take_violations(), [""; 0]);
    let seen = telegram.bot_messages(ANN);
    assert_eq!((&*seen[0].text, seen[0].entities.len(), &*seen[1].files[0].name), ("c", 1, "f.bin"));

    for (reference, part, reason) in [
        ("attach://other", "file", "unknown field \"file\""),
        ("", "file", "unknown field \"file\""),
        ("attach://document2", "document2", ""),
    ] {
        let (status, answer) = parts(&telegram, "sendDocument", reference, part, b"x").await;
        let violations = telegram.take_violations();
        assert_eq!(status == 200, reason.is_empty(), "{reference} {part}: {answer}");
        assert!(violations.iter().all(|one| one.contains(reason)), "{violations:?}");
        assert_eq!(violations.len(), usize::from(!reason.is_empty()));
    }
    refused(&telegram, "sendDocument", json!({ "chat_id": ANN, "document": "attach://none" }), "no part \"none\"")
        .await;
    refused(&telegram, "sendDocument", json!({ "chat_id": ANN }), "\"document\" is required").await;
}

#[tokio::test]
async fn files_have_limits() {
    let telegram = telegram().await;
    for (method, bytes, status, reason) in [
        ("sendDocument", vec![], 400, "file must be non-empty"),
        ("sendDocument", vec![0; 50_000_001], 413, "bytes"),
        ("sendPhoto", png(10, 10, 10_000_001), 400, "too big for a photo"),
        ("sendPhoto", b"no picture".to_vec(), 400, "IMAGE_PROCESS_FAILED"),
        ("sendPhoto", png(9_000, 1_001, 100), 400, "PHOTO_INVALID_DIMENSIONS"),
        ("sendPhoto", png(2_100, 100, 100), 400, "PHOTO_INVALID_DIMENSIONS"),
    ] {
        let (found, answer) = parts(&telegram, method, "attach://f", "f", &bytes).await;
        let violations = telegram.take_violations();
        assert_eq!(found, status, "{method}: {answer}");
        assert!(matches!(&violations[..], [one] if one.contains(reason)), "{violations:?}");
    }
    for (method, bytes) in [
        ("sendDocument", vec![0; 50_000_000]),
        ("sendPhoto", png(10, 10, 10_000_000)),
        ("sendPhoto", png(9_000, 1_000, 100)),
        ("sendPhoto", vec![0xff, 0xd8, 0xff, 0xe0]),
    ] {
        let (status, answer) = parts(&telegram, method, "attach://f", "f", &bytes).await;
        assert_eq!((status, telegram.take_violations()), (200, vec![]), "{method}: {answer}");
    }
    let file = InputFile::memory("x").file_name("x.txt");
    let bot = bot(&telegram);
    bot.send_document(ChatId(ANN), file.clone()).caption("c".repeat(1024)).await.expect("a full caption");
    assert_eq!(telegram.take_violations(), [""; 0]);
    bot.send_document(ChatId(ANN), file).caption("c".repeat(1025)).await.expect_err("too long a caption");
    assert_eq!(telegram.take_violations(), ["sendDocument: message caption is too long"]);
}

#[tokio::test]
async fn what_a_person_sends_can_be_downloaded() {
    let telegram = telegram().await;
    telegram.sends_document(ANN, ANN, ("notes.txt", b"remember"), "see this");
    telegram.sends_photo(ANN, ANN, ("photo.png", &png(30, 20, 64)), "");
    let bot = bot(&telegram);
    let updates = bot.get_updates().await.expect("updates");
    let messages: Vec<&Message> = updates
        .iter()
        .filter_map(|update| match &update.kind {
            teloxide::types::UpdateKind::Message(message) => Some(message),
            _ => None,
        })
        .collect();
    assert_eq!(messages[0].caption(), Some("see this"));
    assert_eq!(messages[1].photo().expect("a photo")[0].height, 20);
    let file = bot.get_file(messages[0].document().expect("a document").file.id.clone()).await.expect("a file");
    let mut bytes = Vec::new();
    bot.download_file(&file.path, &mut bytes).await.expect("its bytes");
    assert_eq!(bytes, b"remember");
    assert_eq!(telegram.violations(), [""; 0]);

    let (status, answer) = ask(&telegram, "getFile", json!({ "file_id": "none" })).await;
    assert_eq!((status, &answer["description"]), (400, &json!("Bad Request: invalid file_id")));
    let (status, _) = post(format!("{}/file/bot1:OTHER/{}", telegram.url(), file.path), "text/plain", vec![]).await;
    assert_eq!(status, 401);
    let (status, _) = post(format!("{}/file/bot{}/none", telegram.url(), telegram.token()), "text/plain", vec![]).await;
    assert_eq!(status, 404);
    telegram.sends_document(ANN, ANN, ("big.bin", &vec![1; 20_000_001]), "");
    let big = allowed(&telegram, "getUpdates", json!({ "offset": -1 })).await;
    let id = big[0]["message"]["document"]["file_id"].clone();
    super::declined(&telegram, "getFile", json!({ "file_id": id }), 400, "Bad Request: file is too big").await;
}
