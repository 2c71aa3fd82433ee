//! Habits: tasks the owner queues on the same weekday week after week.
//!
//! A small method that can be explained in one line: titles that say the same are one group, a group's weekday counts
//! in how many of the last weeks it came, and the rate is shrunk by a prior so that few weeks can't look certain. Left
//! out on purpose: monthly and longer cycles, similar but not equal titles, and anything learned from what the bot
//! itself queued (the caller passes the owner's tasks only, or a habit would confirm itself).

use super::category::Category;
use super::id::TaskId;
use super::words::{count_word, plain};
use chrono::{DateTime, Datelike, Days, NaiveDate, Timelike, Utc, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Days looked back: twelve weeks.
pub const WINDOW_DAYS: u64 = 84;
/// Fewer weeks than this are no habit.
pub const MIN_SUPPORT: u32 = 3;
/// What comes less often than every other week is not proposed.
pub const MIN_CONFIDENCE: f64 = 0.5;
/// Days a dismissed habit stays silent.
pub const SILENT_DAYS: u64 = 30;
/// Most habits proposed for one day, the surest first.
pub const MOST: usize = 20;

/// A task the owner queued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskEvent {
    /// Which task.
    pub task: TaskId,
    /// Its title.
    pub title: String,
    /// Its project.
    pub project: Option<String>,
    /// Its category.
    pub category: Category,
    /// When it was queued.
    pub at: DateTime<Utc>,
}

/// A habit the owner said no to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dismissal {
    /// [`Pattern::normal`] of the habit.
    pub normal: String,
    /// Its project.
    pub project: Option<String>,
    /// Its weekday.
    pub weekday: Weekday,
    /// The local date of the no.
    pub on: NaiveDate,
}

/// A habit expected on the coming day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pattern {
    /// The title it had last.
    pub title: String,
    /// What titles of the group have in common, see [`normal_form`].
    pub normal: String,
    /// The weekday it comes on.
    pub weekday: Weekday,
    /// The usual local hour, 0–23: the circular mean, so 23 and 1 give 0.
    pub hour: u32,
    /// Weeks it came in.
    pub support: u32,
    /// Weeks it could have come in: this weekday's dates since it was first seen, at most twelve.
    pub of: u32,
    /// Estimated probability that it comes again, 0–1; see [`confidence`].
    pub confidence: f64,
    /// The category it had last.
    pub category: Category,
    /// Its project.
    pub project: Option<String>,
    /// The latest task of the group: what a pre-built one is copied from.
    pub source: TaskId,
}

impl Pattern {
    /// `Thursday: NBA rankings, 0.87 (6 of the last 7 Thursdays)`.
    pub fn text(&self) -> String {
        line(weekday_name(self.weekday), &self.title, self.confidence, self.support, self.of)
    }
}

/// A habit in one line. The count always stands beside the number: a bare probability would claim more than is known.
pub fn line(weekday: &str, title: &str, confidence: f64, support: u32, of: u32) -> String {
    let title = plain(title, super::task::limits::TITLE_CHARS);
    format!("{weekday}: {title}, {confidence:.2} ({support} of the last {of} {weekday}s)")
}

/// The weekday's English name.
pub fn weekday_name(day: Weekday) -> &'static str {
    match day {
        Weekday::Mon => "Monday",
        Weekday::Tue => "Tuesday",
        Weekday::Wed => "Wednesday",
        Weekday::Thu => "Thursday",
        Weekday::Fri => "Friday",
        Weekday::Sat => "Saturday",
        Weekday::Sun => "Sunday",
    }
}

/// Probability that a habit seen in `support` of `of` weeks comes again: the mean of the Beta posterior under Jeffreys'
/// prior Beta(½, ½), (support + ½) / (of + 1). It starts at one half and trusts weeks as they come: 3 of 3 give 0.88,
/// 6 of 7 give 0.81, 12 of 12 give 0.96.
pub fn confidence(support: u32, of: u32) -> f64 {
    (f64::from(support.min(of)) + 0.5) / (f64::from(of) + 1.0)
}

/// What two titles must share to be one task: their words in lower case without punctuation and articles, in any order.
/// Numbers are words, so `Report 2024` and `Report 2025` differ; with a negation among the words their order counts
/// too, so `cache, not login` and `login, not cache` differ.
pub fn normal_form(title: &str) -> String {
    // Apostrophes vanish, so that "don't" stays one word.
    let lower: String = title.to_lowercase().chars().filter(|c| !matches!(c, '\'' | '’')).collect();
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty() && !matches!(*word, "a" | "an" | "the" | "please"))
        .collect();
    if words.is_empty() {
        return lower.trim().to_string();
    }
    if words.iter().any(|word| is_negation(word)) {
        return words.join(" ");
    }
    words.into_iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" ")
}

fn is_negation(word: &str) -> bool {
    matches!(word, "no" | "not" | "never" | "none" | "without" | "cannot" | "except" | "nor")
        || (word.len() > 3 && word.ends_with("nt") && is_contraction(word))
}

/// Contractions of "not" as they stand once the apostrophe is gone.
fn is_contraction(word: &str) -> bool {
    const STEMS: [&str; 13] =
        ["do", "does", "did", "is", "are", "was", "were", "wo", "should", "would", "could", "must", "ca"];
    word.strip_suffix("nt").is_some_and(|stem| STEMS.contains(&stem))
}

/// Whether two titles name the same task.
pub fn same_title(a: &str, b: &str) -> bool {
    normal_form(a) == normal_form(b)
}

/// One group's occurrences on the weekday that is expected.
struct Group<'a> {
    dates: BTreeSet<NaiveDate>,
    /// Sums of the hours as points on the day's circle.
    sin: f64,
    cos: f64,
    latest: &'a TaskEvent,
}

/// The habits expected on the day after the night that starts on `today` (local dates of `zone`), surest first, at
/// most [`MOST`]. A habit that stayed out on the last two of its dates is taken as given up. A dismissal silences its
/// habit for [`SILENT_DAYS`] and halves its confidence as long as the window remembers it.
pub fn mine(events: &[TaskEvent], zone: Tz, today: NaiveDate, dismissed: &[Dismissal]) -> Vec<Pattern> {
    let Some(expected) = today.checked_add_days(Days::new(1)) else { return vec![] };
    let Some(from) = expected.checked_sub_days(Days::new(WINDOW_DAYS)) else { return vec![] };
    let mut groups: BTreeMap<(String, Option<&str>), Group<'_>> = BTreeMap::new();
    for event in events {
        let local = event.at.with_timezone(&zone);
        let date = local.date_naive();
        if date.weekday() != expected.weekday() || date < from || date > today {
            continue;
        }
        let key = (normal_form(&event.title), event.project.as_deref());
        let group = groups.entry(key).or_insert_with(|| Group::new(event));
        group.add(event, date, f64::from(local.hour()) + f64::from(local.minute()) / 60.0);
    }
    let mut found: Vec<Pattern> =
        groups.into_iter().filter_map(|((normal, _), group)| group.pattern(normal, expected, dismissed)).collect();
    found.sort_by(|a, b| {
        b.confidence.total_cmp(&a.confidence).then(b.support.cmp(&a.support)).then_with(|| a.title.cmp(&b.title))
    });
    found.truncate(MOST);
    found
}

impl<'a> Group<'a> {
    fn new(event: &'a TaskEvent) -> Self {
        Self { dates: BTreeSet::new(), sin: 0.0, cos: 0.0, latest: event }
    }

    fn add(&mut self, event: &'a TaskEvent, date: NaiveDate, hour: f64) {
        let angle = hour / 24.0 * std::f64::consts::TAU;
        self.sin += angle.sin();
        self.cos += angle.cos();
        self.dates.insert(date);
        if (event.at, event.task) >= (self.latest.at, self.latest.task) {
            self.latest = event;
        }
    }

    fn hour(&self) -> u32 {
        let turn = (self.sin.atan2(self.cos) / std::f64::consts::TAU).rem_euclid(1.0);
        // Whole hours of the 24; 23:40 is nearest to 0.
        (0..24).min_by(|a, b| distance(turn, *a).total_cmp(&distance(turn, *b))).unwrap_or(0)
    }

    fn pattern(&self, normal: String, expected: NaiveDate, dismissed: &[Dismissal]) -> Option<Pattern> {
        let support = u32::try_from(self.dates.len()).ok().filter(|n| *n >= MIN_SUPPORT)?;
        let (first, last) = (*self.dates.first()?, *self.dates.last()?);
        let of = weeks_between(first, expected)?;
        if weeks_between(last, expected)? > 2 {
            return None;
        }
        let mut sure = confidence(support, of);
        for no in dismissed {
            let this = no.normal == normal && no.project == self.latest.project && no.weekday == expected.weekday();
            let age = (expected - no.on).num_days();
            if !this || age > WINDOW_DAYS.cast_signed() {
                continue;
            }
            if age <= SILENT_DAYS.cast_signed() {
                return None;
            }
            sure /= 2.0;
        }
        (sure >= MIN_CONFIDENCE).then(|| Pattern {
            title: self.latest.title.clone(),
            normal,
            weekday: expected.weekday(),
            hour: self.hour(),
            support,
            of,
            confidence: sure,
            category: self.latest.category,
            project: self.latest.project.clone(),
            source: self.latest.task,
        })
    }
}

/// How far a point of the day's circle (0–1) is from a whole hour.
fn distance(turn: f64, hour: u32) -> f64 {
    let apart = (turn - f64::from(hour) / 24.0).abs();
    apart.min(1.0 - apart)
}

/// Whole weeks from a date to a later one on the same weekday.
fn weeks_between(from: NaiveDate, to: NaiveDate) -> Option<u32> {
    u32::try_from((to - from).num_days() / 7).ok()
}

/// `One habit is expected on Thursday`, for a progress line.
pub fn summary(patterns: &[Pattern]) -> String {
    match patterns {
        [] => "No habit is expected tomorrow".into(),
        [one] => format!("One habit is expected on {}", weekday_name(one.weekday)),
        [first, ..] => format!(
            "{} habits are expected on {}",
            super::words::capital(&count_word(patterns.len())),
            weekday_name(first.weekday)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    const ZONE: Tz = chrono_tz::America::New_York;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn event(id: i64, title: &str, local: &str) -> TaskEvent {
        let naive = chrono::NaiveDateTime::parse_from_str(local, "%Y-%m-%d %H:%M").unwrap();
        TaskEvent {
            task: TaskId(id),
            title: title.into(),
            project: None,
            category: Category::Infrastructure,
            at: ZONE.from_local_datetime(&naive).unwrap().to_utc(),
        }
    }

    /// Thursdays before 2026-03-26, over the change to summer time on 8 March; the one of 5 March was left out.
    fn thursdays() -> Vec<TaskEvent> {
        ["2026-02-05", "2026-02-12", "2026-02-19", "2026-02-26", "2026-03-12", "2026-03-19"]
            .iter()
            .zip(0..)
            .map(|(date, n)| event(n, "NBA rankings!", &format!("{date} 23:30")))
            .collect()
    }

    #[test]
    fn a_weekly_habit_is_expected_on_its_day_only() {
        let mut events = thursdays();
        events.push(event(9, "the nba Rankings", "2026-03-19 06:00"));
        events.push(event(10, "something once", "2026-03-19 06:00"));
        let found = mine(&events, ZONE, day("2026-03-25"), &[]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].text(), "Thursday: NBA rankings!, 0.81 (6 of the last 7 Thursdays)");
        assert_eq!((found[0].source, found[0].hour), (TaskId(5), 0));
        for other in ["2026-03-23", "2026-03-24", "2026-03-26", "2026-03-27"] {
            assert_eq!(mine(&events, ZONE, day(other), &[]), vec![], "{other}");
        }
    }

    #[test]
    fn twice_is_no_habit_and_neither_is_one_given_up() {
        assert_eq!(mine(&thursdays()[4..], ZONE, day("2026-03-25"), &[]), vec![]);
        assert_eq!(mine(&thursdays(), ZONE, day("2026-04-01"), &[]).len(), 1, "one miss");
        assert_eq!(mine(&thursdays(), ZONE, day("2026-04-08"), &[]), vec![], "two in a row");
    }

    #[test]
    fn a_no_silences_and_then_halves() {
        let start = day("2026-01-01");
        let events: Vec<TaskEvent> = (0..12)
            .map(|n| event(n, "x", &(start + chrono::Duration::weeks(n)).format("%F 12:00").to_string()))
            .collect();
        let no =
            |on: &str| vec![Dismissal { normal: normal_form("X"), project: None, weekday: Weekday::Thu, on: day(on) }];
        let with = |dismissed: &[Dismissal]| mine(&events, ZONE, day("2026-03-25"), dismissed);
        assert!(with(&[])[0].confidence > 0.95);
        assert_eq!(with(&no("2026-03-01")), vec![]);
        assert_eq!(with(&no("2026-02-01")), vec![], "half of it is below the threshold");
        assert!(with(&no("2025-12-01"))[0].confidence > 0.95, "forgotten with the window");
        let friday = vec![Dismissal { weekday: Weekday::Fri, ..no("2026-03-01").remove(0) }];
        assert_eq!(with(&friday).len(), 1, "another day's no is not this one's");
    }

    #[test]
    fn titles_are_one_only_if_they_say_the_same() {
        for (a, b) in [
            ("NBA rankings", "nba  Rankings."),
            ("Update the README", "update readme"),
            ("rankings NBA", "NBA rankings"),
            ("🚀", "🚀"),
            ("Don’t cache", "don't cache"),
        ] {
            assert!(same_title(a, b), "{a} / {b}");
        }
        for (a, b) in [
            ("Report 2024", "Report 2025"),
            ("cache, not login", "login, not cache"),
            ("deploy", "do not deploy"),
            ("cache", "caches"),
            ("🚀", "🎉"),
        ] {
            assert!(!same_title(a, b), "{a} / {b}");
        }
    }

    #[test]
    fn the_prior_keeps_few_weeks_from_looking_certain() {
        for (support, of, expected) in [(3, 3, 0.875), (6, 7, 0.8125), (12, 12, 0.9615), (0, 0, 0.5)] {
            assert!((confidence(support, of) - expected).abs() < 0.0001);
        }
    }
}
