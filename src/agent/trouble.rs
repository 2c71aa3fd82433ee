//! What kind of trouble an error message speaks of. Only for what a CLI says as an error: structured fields are asked
//! first, and an agent's own words never.

use crate::domain::agent::AgentOutcome;

/// Needs the owner. Before the others: "exceeded your quota, check your plan and billing" is no limit that ends by itself.
const ACCOUNT: [&str; 33] = [
    "not logged in",
    "please run /login",
    "run `codex login`",
    "log in again",
    "login required",
    "sign in again",
    "invalid api key",
    "incorrect api key",
    "invalid x-api-key",
    "api key not valid",
    "api key not found",
    "api_key_invalid",
    "invalid_api_key",
    "missing api key",
    "check your api key",
    "authentication_error",
    "authenticationerror",
    "authentication failed",
    "failed to authenticate",
    "unauthorized",
    "token has expired",
    "token has been revoked",
    "token could not be refreshed",
    "set an auth method",
    "credit balance is too low",
    "insufficient_quota",
    "insufficient credits",
    "insufficient balance",
    "out of credits",
    "check your plan and billing",
    "payment required",
    "organization has been disabled",
    "upgrade to plus",
];

/// The provider's usage limit.
const LIMIT: [&str; 9] = [
    "usage limit",
    "usage_limit_reached",
    "limit reached",
    "daily quota",
    "quota will reset",
    "exhausted your capacity",
    "exceeded your current quota",
    "out of extra usage",
    "session limit",
];

/// Worth another try.
const TRANSIENT: [&str; 36] = [
    "rate limit",
    "rate_limit",
    "ratelimit",
    "rate limited",
    "too many requests",
    "resource_exhausted",
    "resource exhausted",
    "overloaded",
    "at capacity",
    "service unavailable",
    "servers are down",
    "server error",
    "servererror",
    "bad gateway",
    "gateway timeout",
    "unavailable",
    "connection error",
    "connection refused",
    "connection reset",
    "connection closed",
    "connection failed",
    "connection_failed",
    "unable to connect",
    "cannot connect",
    "apiconnectionerror",
    "econnrefused",
    "econnreset",
    "etimedout",
    "enotfound",
    "eai_again",
    "fetch failed",
    "socket hang up",
    "network error",
    "stream disconnected",
    "waiting for network",
    "timed out",
];

/// The trouble a message speaks of; none: nothing that is known.
pub(super) fn of(message: &str) -> Option<AgentOutcome> {
    let message = message.to_lowercase().replace('’', "'");
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| message.contains(phrase));
    // "You've hit your 5-hour limit", "hit your weekly limit", "reached your Opus limit".
    let hit = ["hit your ", "reached your "].iter().any(|verb| {
        let after = message.split_once(verb).map(|(_, after)| after);
        after.is_some_and(|after| after.split_whitespace().take(4).any(|word| word.starts_with("limit")))
    });
    if hit || message.contains("hit your usage limit") {
        return Some(AgentOutcome::Limit);
    }
    if says(&ACCOUNT) {
        return Some(AgentOutcome::Account);
    }
    // "Rate limit reached … on tokens per min" is too fast, not too much.
    let slower = message.replace("rate limit reached", "");
    if LIMIT.iter().any(|phrase| slower.contains(phrase)) {
        return Some(AgentOutcome::Limit);
    }
    of_status(&message).or_else(|| says(&TRANSIENT).then_some(AgentOutcome::Transient))
}

/// By an HTTP status.
pub(super) fn of_http(status: u64) -> Option<AgentOutcome> {
    match status {
        401..=403 => Some(AgentOutcome::Account),
        408 | 425 | 429 | 500..=599 => Some(AgentOutcome::Transient),
        _ => None,
    }
}

/// By a status that stands in the message where statuses stand: after `status`, `error`, `code`, `http`, or in brackets.
fn of_status(message: &str) -> Option<AgentOutcome> {
    let mut before = "";
    for word in message.split(|c: char| c.is_whitespace() || c == '=' || c == '"') {
        let bare = word.trim_matches(|c: char| !c.is_ascii_digit());
        let marked = ["status", "error", "code", "http"].iter().any(|mark| before.contains(mark))
            || word.starts_with('(')
            || word.starts_with('[');
        if marked
            && bare.len() == 3
            && let Some(outcome) = bare.parse().ok().and_then(of_http)
        {
            return Some(outcome);
        }
        before = word;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_as_they_were_seen() {
        use AgentOutcome::{Account, Limit, Transient};
        for (message, trouble) in [
            ("You've hit your 5-hour limit · resets 9:18pm (UTC)", Some(Limit)),
            ("You’ve hit your usage limit. Upgrade to Pro (https://x/y), or try again at 10:05 PM.", Some(Limit)),
            ("You've hit your weekly limit · resets Nov 25 at 9pm (UTC)", Some(Limit)),
            ("5-hour limit reached ∙ resets 3pm", Some(Limit)),
            ("You're out of extra usage · resets 3pm (UTC)", Some(Limit)),
            ("[API Error: You have exhausted your daily quota on this model.]", Some(Limit)),
            ("You have exhausted your capacity on this model. Your quota will reset after 3h2m.", Some(Limit)),
            ("exceeded retry limit, last status: 429 Too Many Requests", Some(Transient)),
            ("exceeded retry limit, last status: 401 Unauthorized, request id: x", Some(Account)),
            ("unexpected status 503 Service Unavailable: overloaded, url: http://127.0.0.1:8898/v1", Some(Transient)),
            (
                "API Error: Request rejected (429) · This request would exceed your account's rate limit.",
                Some(Transient),
            ),
            ("API Error: 529 Overloaded. This is a server-side issue", Some(Transient)),
            (
                "Rate limit reached for m on tokens per min (TPM): Limit 30000. Please try again in 1.2s.",
                Some(Transient),
            ),
            ("AI_APICallError: Rate limit reached. Your usage limit is used up.", Some(Limit)),
            ("Selected model is at capacity. Please try a different model.", Some(Transient)),
            ("stream disconnected before completion: error sending request", Some(Transient)),
            ("Quota exceeded. Check your plan and billing details.", Some(Account)),
            ("Not logged in · Please run /login", Some(Account)),
            ("Credit balance is too low", Some(Account)),
            ("litellm.AuthenticationError: AnthropicException - invalid x-api-key", Some(Account)),
            ("The API provider has rate limited you. Try again later or check your quotas.", Some(Transient)),
            ("Please set an Auth method in your settings.json or specify GEMINI_API_KEY", Some(Account)),
            ("TypeError: fetch failed (ECONNREFUSED)", Some(Transient)),
            ("the file has 429 lines", None),
            ("prompt is too long: 210000 tokens > 200000 maximum", None),
            ("No conversation found with session ID: 11111111-1111-4111-8111-111111111111", None),
            ("unexpected status 404 Not Found: model not found", None),
            ("", None),
        ] {
            assert_eq!(of(message), trouble, "{message}");
        }
    }
}
