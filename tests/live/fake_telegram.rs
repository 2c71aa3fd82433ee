//! The fake Telegram as a program of its own: `fake_telegram [--port N]`. It says where it listens, takes orders under
//! `/control/`, and ends on SIGTERM.

#[expect(dead_code, reason = "stories call what this program offers over HTTP")]
#[path = "../fake_telegram/mod.rs"]
mod fake_telegram;

use fake_telegram::FakeTelegram;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let port = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Some(0),
        ["--port", port] => port.parse().ok(),
        _ => None,
    };
    let Some(port) = port else {
        eprintln!("usage: fake_telegram [--port N]");
        return ExitCode::from(2);
    };
    let (Ok(mut terminated), Ok(mut interrupted)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        eprintln!("fake_telegram: can't listen for signals");
        return ExitCode::FAILURE;
    };
    let telegram = match FakeTelegram::start_on(port).await {
        Ok(telegram) => telegram,
        Err(problem) => {
            eprintln!("fake_telegram: can't listen on port {port}: {problem}; choose another with --port");
            return ExitCode::FAILURE;
        }
    };
    println!("listening on {}", telegram.url());
    println!("token {}", telegram.token());
    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    ExitCode::SUCCESS
}
