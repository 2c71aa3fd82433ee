//! The kinds of values: times, durations, sizes, paths, commands, names.

use super::error::{ConfigError, nearest};
use super::section::Field;
use crate::domain::category::Category;
use crate::domain::settings::Argv;
use crate::domain::task::{Priority, TaskKind};
use chrono::NaiveTime;
use chrono_tz::Tz;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

/// Most elements of any list.
const LIST_MAX: usize = 100;

/// Where `~/` leads, if that is known.
#[derive(Clone, Copy)]
pub(super) struct Tilde<'a>(pub(super) Option<&'a Path>);

pub(super) fn clock_time(field: &Field<'_>) -> Result<NaiveTime, ConfigError> {
    let allowed = "a local time written \"HH:MM\", 00:00 to 23:59";
    let text = field.text(allowed)?;
    let time = NaiveTime::parse_from_str(text, "%H:%M").ok().filter(|_| text.len() == 5);
    time.ok_or_else(|| field.bad(allowed))
}

pub(super) fn zone(field: &Field<'_>) -> Result<Tz, ConfigError> {
    let allowed = "an IANA time zone such as \"Europe/Berlin\"";
    let text = field.text(allowed)?;
    text.parse().map_err(|_| {
        let names = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
        let meant = nearest(text, names).map(|name| format!("; did you mean {name:?}?"));
        field.bad(&format!("{allowed}{}", meant.unwrap_or_default()))
    })
}

/// A duration such as `30s`, `5m`, `8h`, `1h30m`, within `range`.
pub(super) fn duration(field: &Field<'_>, range: RangeInclusive<&str>) -> Result<Duration, ConfigError> {
    let allowed = || {
        let (least, most) = (range.start(), range.end());
        field.bad(&format!("a duration such as \"30s\", \"10m\", \"1h30m\", from {least} to {most}"))
    };
    let given = field.text("").ok().and_then(parse_duration).ok_or_else(allowed)?;
    let within = parse_duration(range.start()).is_some_and(|least| least <= given)
        && parse_duration(range.end()).is_some_and(|most| given <= most);
    if within { Ok(given) } else { Err(allowed()) }
}

fn parse_duration(text: &str) -> Option<Duration> {
    let mut total: u64 = 0;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at(digits);
        let after = after.trim_start();
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let seconds = match unit {
            "s" | "sec" => 1,
            "m" | "min" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return None,
        };
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(seconds)?)?;
        rest = after.trim_start();
    }
    (!text.trim().is_empty()).then(|| Duration::from_secs(total))
}

/// A size: bytes, or a text with a unit (`8 MiB` is 2^20, `10 MB` is 10^6 each), within `range` bytes.
pub(super) fn bytes(field: &Field<'_>, range: RangeInclusive<u64>) -> Result<u64, ConfigError> {
    let allowed = || {
        let (least, most) = (range.start(), range.end());
        field.bad(&format!("a size such as \"8 MiB\", \"10 MB\" or a number of bytes, from {least} to {most} bytes"))
    };
    let size = if field.is_text() { parse_bytes(field.text("")?) } else { field.whole(0..=u64::MAX).ok() };
    size.filter(|size| range.contains(size)).ok_or_else(allowed)
}

fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

/// An absolute path, or one under the owner's home.
pub(super) fn path(field: &Field<'_>, tilde: Tilde<'_>) -> Result<PathBuf, ConfigError> {
    let allowed = "an absolute path or one that starts with ~/, without ..";
    let text = field.text(allowed)?;
    let expanded = match text.strip_prefix("~/") {
        Some(rest) => {
            tilde.0.ok_or_else(|| field.bad("an absolute path: HOME is not set, so ~/ leads nowhere"))?.join(rest)
        }
        None => PathBuf::from(text),
    };
    let tidy = expanded.is_absolute() && !climbs(&expanded) && !text.contains('\0');
    if tidy { Ok(expanded) } else { Err(field.bad(allowed)) }
}

/// A host builds may reach: `host`, `host:port`, `*.suffix`.
pub(super) fn host(field: &Field<'_>) -> Result<String, ConfigError> {
    let allowed = "a host such as \"example.com\", \"example.com:8443\" or \"*.example.com\"";
    let text = field.text(allowed)?;
    let (name, port) = text.rsplit_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
    let name = name.strip_prefix("*.").unwrap_or(name);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let fits = !name.is_empty() && name.len() <= 253 && name.chars().all(plain);
    let port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    if fits && port { Ok(text.to_owned()) } else { Err(field.bad(allowed)) }
}

/// A path inside the project.
pub(super) fn inner_path(field: &Field<'_>) -> Result<PathBuf, ConfigError> {
    let allowed = "a path relative to the project's folder, without .. and not under .git";
    let text = field.text(allowed)?;
    let path: PathBuf = Path::new(text).components().filter(|part| *part != Component::CurDir).collect();
    let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
    let git = path.components().next().is_some_and(|part| part.as_os_str().eq_ignore_ascii_case(".git"));
    let tidy = inside && !git && !path.as_os_str().is_empty() && !text.contains('\0');
    if tidy { Ok(path) } else { Err(field.bad(allowed)) }
}

fn climbs(path: &Path) -> bool {
    path.components().any(|part| part == Component::ParentDir)
}

/// A list of whatever `parse` reads.
pub(super) fn list<T>(
    field: &Field<'_>,
    parse: impl Fn(&Field<'_>) -> Result<T, ConfigError>,
) -> Result<Vec<T>, ConfigError> {
    let elements = field.list()?;
    if elements.len() > LIST_MAX {
        return Err(field.bad(&format!("at most {LIST_MAX} elements")));
    }
    elements.iter().map(parse).collect()
}

/// A command: one line, or a list of words.
pub(super) fn command(field: &Field<'_>) -> Result<Argv, ConfigError> {
    let argv = if field.is_text() {
        Argv::parse(field.text("")?)
    } else {
        let allowed = "a command as a line (\"cargo test\") or as a list of words ([\"cargo\", \"test\"])";
        let words = field.list().map_err(|_| field.bad(allowed))?;
        Argv::new(words.iter().map(|word| word.text(allowed).map(str::to_owned)).collect::<Result<_, _>>()?)
    };
    argv.map_err(|e| field.bad(&format!("a command; here {e}")))
}

/// The name of a project or an agent: typed in chat, and a folder's and a ref's name.
pub(super) fn name(field: &Field<'_>) -> Result<String, ConfigError> {
    let allowed = "1 to 41 of a-z 0-9 . _ -, the first a letter or digit, no \"..\", not ending in . or .lock";
    let text = field.text(allowed)?;
    let first = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let rest = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c));
    let odd = text.contains("..") || text.ends_with('.') || text.strip_suffix(".lock").is_some();
    if !first || !rest || odd || text.len() > 41 {
        return Err(field.bad(allowed));
    }
    let taken =
        text.parse::<Category>().is_ok() || text.parse::<Priority>().is_ok() || text.parse::<TaskKind>().is_ok();
    if taken {
        return Err(field.bad("a word that names no category, priority or kind, since /queue add reads all of them"));
    }
    Ok(text.to_owned())
}

/// A branch, by the rules of git-check-ref-format that matter here.
pub(super) fn branch(field: &Field<'_>) -> Result<String, ConfigError> {
    let allowed = "a branch name such as \"main\"";
    let text = field.text(allowed)?;
    let odd = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c);
    let part = |part: &str| part.is_empty() || part.starts_with('.') || part.strip_suffix(".lock").is_some();
    let refused = text.starts_with('-')
        || text.ends_with('.')
        || text.contains("..")
        || text.contains("@{")
        || text.contains(odd)
        || text.split('/').any(part);
    if refused { Err(field.bad(allowed)) } else { Ok(text.to_owned()) }
}

/// Whether a variable is the bot's own: no child ever gets it.
pub(super) fn is_reserved(name: &str) -> bool {
    ["OVERNIGHT_", "TELEGRAM_", "SLACK_"].iter().any(|prefix| name.to_ascii_uppercase().starts_with(prefix))
}

fn check_variable(field: &Field<'_>, name: &str) -> Result<(), ConfigError> {
    let first = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !first || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(field.bad("the name of an environment variable: letters, digits and _"));
    }
    if is_reserved(name) {
        return Err(
            field.bad(&format!("no {name}: variables of the bot (OVERNIGHT_*, TELEGRAM_*, SLACK_*) stay with it"))
        );
    }
    Ok(())
}

/// The name of a variable handed through to children.
pub(super) fn variable(field: &Field<'_>) -> Result<String, ConfigError> {
    let name = field.text("the name of an environment variable")?;
    check_variable(field, name)?;
    Ok(name.to_owned())
}

/// Variables set for children. Their values may be secrets and are never repeated.
pub(super) fn variables(field: &Field<'_>) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut variables = BTreeMap::new();
    for (name, value) in field.section()?.entries() {
        let value = value.secret();
        check_variable(&value, name)?;
        let text = value.text("a text, written \"…\"")?;
        if text.contains('\0') {
            return Err(value.bad("a text without a NUL character"));
        }
        variables.insert(name.to_owned(), text.to_owned());
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_add_up() {
        let seconds = |text| parse_duration(text).map(|d| d.as_secs());
        assert_eq!(seconds("90s"), Some(90));
        assert_eq!(seconds("1h30m"), Some(5400));
        assert_eq!(seconds(" 2 d 1 min "), Some(172_860));
        for wrong in ["", " ", "5", "h", "5x", "-5s", "1.5h", "99999999999999999999s", "9999999999999999999d"] {
            assert_eq!(seconds(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn sizes_know_both_kinds_of_units() {
        assert_eq!(parse_bytes("8 MiB"), Some(8 * 1024 * 1024));
        assert_eq!(parse_bytes("10MB"), Some(10_000_000));
        assert_eq!(parse_bytes("512"), Some(512));
        for wrong in ["", "MB", "1.5 GB", "10 mb", "-1", "99999999999 GiB"] {
            assert_eq!(parse_bytes(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn the_bots_own_variables_are_reserved_in_any_case() {
        assert!(is_reserved("TELEGRAM_BOT_TOKEN") && is_reserved("slack_app_token") && is_reserved("OVERNIGHT_HOME"));
        assert!(!is_reserved("ANTHROPIC_API_KEY") && !is_reserved("MY_SLACK_"));
    }
}
