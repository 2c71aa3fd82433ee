//! `overnight.toml` → [`Settings`]: every key, its type and its limits.

use super::error::ConfigError;
use super::projects;
use super::section::{Field, Section, Source};
use super::telegram::{self, Places};
use super::values::{Tilde, bytes, clock_time, duration, host, list, path, zone};
use crate::domain::category::Category;
use crate::domain::schedule::Schedule;
use crate::domain::settings::{
    BudgetSettings, BuildSettings, HealthSettings, Isolation, NetworkRule, PatternSettings, Planning, ResourceSettings,
    Sandbox, Settings,
};
use std::collections::{BTreeMap, BTreeSet};

/// Largest configuration file, in bytes.
pub(super) const FILE_BYTES_MAX: u64 = 1024 * 1024;
const GIB: u64 = 1 << 30;

/// Everything the file says.
pub(super) struct File {
    pub(super) settings: Settings,
    /// None: the file does not list any.
    pub(super) senders: Option<BTreeSet<String>>,
    pub(super) places: Places,
    /// Whether the file names a time zone.
    pub(super) zone_given: bool,
}

pub(super) fn read(source: &Source, tilde: Tilde<'_>) -> Result<File, ConfigError> {
    let table = source.parse()?;
    let mut root = Section::root(source, &table);
    let mut settings = Settings::default();
    root.read("planning", &mut settings.planning, planning)?;
    let zone_given = schedule(&mut root.section("schedule")?, &mut settings.schedule)?;
    limits(&mut root.section("limits")?, &mut settings)?;
    build(&mut root.section("build")?, &mut settings.build)?;
    budget(&mut root.section("budget")?, &mut settings.budget)?;
    categories(&root.section("categories")?, &mut settings.categories)?;
    health(&mut root.section("health")?, &mut settings.health, tilde)?;
    patterns(&mut root.section("patterns")?, &mut settings.patterns)?;
    isolation(&mut root.section("isolation")?, &mut settings.isolation, tilde)?;
    let senders = owner(&mut root.section("owner")?)?;
    let places = telegram::places(&mut root.section("telegram")?)?;
    settings.agents = projects::agents(&mut root, tilde)?;
    settings.projects = projects::projects(&mut root, &settings, tilde)?;
    root.finish()?;
    Ok(File { settings, senders, places, zone_given })
}

fn planning(field: &Field<'_>) -> Result<Planning, ConfigError> {
    let allowed = "\"value\" (what tonight's time is worth most to) or \"strict\" (by priority, then age)";
    match field.text(allowed)? {
        "value" => Ok(Planning::Value),
        "strict" => Ok(Planning::Strict),
        _ => Err(field.bad(allowed)),
    }
}

fn schedule(section: &mut Section<'_>, schedule: &mut Schedule) -> Result<bool, ConfigError> {
    let given = section.get("zone");
    if let Some(field) = &given {
        schedule.zone = zone(field)?;
    }
    section.read("start", &mut schedule.session_start, clock_time)?;
    section.read("patterns", &mut schedule.patterns_at, clock_time)?;
    section.read("spawn", &mut schedule.spawn_at, clock_time)?;
    section.read("report", &mut schedule.report_at, clock_time)?;
    section.read("brief", &mut schedule.brief_at, clock_time)?;
    section.read("keep_building_until", &mut schedule.keep_building_until, clock_time)?;
    section.read("progress_every", &mut schedule.progress_every, |f| duration(f, "1m"..="12h"))?;
    section.read("late_start_needs", &mut schedule.late_start_needs, |f| duration(f, "1m"..="12h"))?;
    section.finish()?;
    schedule.validate().map_err(|rule| section.broken(&rule))?;
    Ok(given.is_some())
}

fn limits(section: &mut Section<'_>, settings: &mut Settings) -> Result<(), ConfigError> {
    let ResourceSettings {
        max_builds,
        disk_used_percent,
        disk_free_gb,
        memory_available_percent,
        psi_memory_avg60,
        disk_stop_after_minutes,
    } = &mut settings.limits;
    section.read("max_builds", max_builds, |f| f.whole(1..=64))?;
    section.read("disk_used_percent", disk_used_percent, |f| f.number(10.0..=99.0))?;
    section.read("disk_free_gb", disk_free_gb, |f| f.number(0.0..=1_000_000.0).map(Some))?;
    section.read("memory_available_percent", memory_available_percent, |f| f.number(0.0..=90.0))?;
    section.read("psi_memory_avg60", psi_memory_avg60, |f| f.number(0.1..=100.0))?;
    section.read("disk_stop_after_minutes", disk_stop_after_minutes, |f| f.whole(1..=720))?;
    section.read("sample_every", &mut settings.sample_every, |f| duration(f, "1s"..="10m"))?;
    section.finish()
}

fn build(section: &mut Section<'_>, build: &mut BuildSettings) -> Result<(), ConfigError> {
    section.read("timeout", &mut build.timeout, |f| duration(f, "1m"..="24h"))?;
    section.read("silence", &mut build.silence, |f| duration(f, "10s"..="8h"))?;
    section.read("grace", &mut build.grace, |f| duration(f, "1s"..="10m"))?;
    section.read("setup_timeout", &mut build.setup_timeout, |f| duration(f, "1s"..="8h"))?;
    section.read("verify_timeout", &mut build.verify_timeout, |f| duration(f, "1s"..="8h"))?;
    section.read("measure_timeout", &mut build.measure_timeout, |f| duration(f, "1s"..="8h"))?;
    section.read("max_attempts", &mut build.max_attempts, |f| f.whole(1..=10))?;
    section.read("retry_backoff", &mut build.retry_backoff, |f| list(f, |wait| duration(wait, "0s"..="12h")))?;
    section.read("log_head_bytes", &mut build.log_head_bytes, |f| bytes(f, 4096..=GIB))?;
    section.read("log_tail_bytes", &mut build.log_tail_bytes, |f| bytes(f, 4096..=GIB))?;
    section.finish()
}

fn budget(section: &mut Section<'_>, budget: &mut BudgetSettings) -> Result<(), ConfigError> {
    let BudgetSettings { build, night } = budget;
    section.read("build_usd", &mut build.usd, |f| f.number(0.01..=1_000_000.0).map(Some))?;
    section.read("build_tokens", &mut build.tokens, |f| f.whole(1000..=1_000_000_000_000).map(Some))?;
    section.read("build_turns", &mut build.turns, |f| f.whole(1..=1_000_000).map(Some))?;
    section.read("night_usd", &mut night.usd, |f| f.number(0.01..=1_000_000.0).map(Some))?;
    section.read("night_tokens", &mut night.tokens, |f| f.whole(1000..=1_000_000_000_000).map(Some))?;
    section.read("night_turns", &mut night.turns, |f| f.whole(1..=1_000_000).map(Some))?;
    section.finish()
}

fn isolation(section: &mut Section<'_>, isolation: &mut Isolation, tilde: Tilde<'_>) -> Result<(), ConfigError> {
    section.read("sandbox", &mut isolation.sandbox, |field| {
        let allowed =
            "\"auto\" (the strongest there is), \"bwrap\", \"landlock\" (that one, or no build runs) or \"off\"";
        match field.text(allowed)? {
            "auto" => Ok(Sandbox::Auto),
            "bwrap" => Ok(Sandbox::Bwrap),
            "landlock" => Ok(Sandbox::Landlock),
            "off" => Ok(Sandbox::Off),
            _ => Err(field.bad(allowed)),
        }
    })?;
    section.read("memory_gb", &mut isolation.memory_gb, |f| f.number(0.1..=100_000.0).map(Some))?;
    section.read("processes", &mut isolation.processes, |f| f.whole(16..=1_000_000))?;
    section.read("readable", &mut isolation.readable, |f| list(f, |place| path(place, tilde)))?;
    section.read("network", &mut isolation.network, |field| {
        let allowed = "\"agents\" (the agent's own hosts and those listed), \"open\" or \"closed\"";
        match field.text(allowed)? {
            "agents" => Ok(NetworkRule::Agents),
            "open" => Ok(NetworkRule::Open),
            "closed" => Ok(NetworkRule::Closed),
            _ => Err(field.bad(allowed)),
        }
    })?;
    section.read("hosts", &mut isolation.hosts, |f| list(f, host))?;
    section.read("category_hosts", &mut isolation.category_hosts, |field| {
        let section = field.section()?;
        let hosts = section.entries().map(|(name, field)| Ok((category(&section, name, &field)?, list(&field, host)?)));
        hosts.collect()
    })?;
    section.finish()
}

/// A category by its stored word: with synonyms one could be set twice, differently.
fn category(section: &Section<'_>, name: &str, field: &Field<'_>) -> Result<Category, ConfigError> {
    let known = Category::ALL.into_iter().find(|category| category.as_str() == name);
    known.ok_or_else(|| section.unknown_key(name, field.span(), &Category::ALL.map(Category::as_str)))
}

fn categories(section: &Section<'_>, categories: &mut BTreeMap<Category, bool>) -> Result<(), ConfigError> {
    for (name, field) in section.entries() {
        let category = category(section, name, &field)?;
        let allowed = "\"auto\" (runs without approval) or \"locked\" (waits for a tap)";
        let auto = match field.text(allowed)? {
            "auto" => true,
            "locked" => false,
            _ => return Err(field.bad(allowed)),
        };
        categories.insert(category, auto);
    }
    Ok(())
}

fn health(section: &mut Section<'_>, health: &mut HealthSettings, tilde: Tilde<'_>) -> Result<(), ConfigError> {
    section.read("log_roots", &mut health.log_roots, |f| list(f, |root| log_root(root, tilde)))?;
    section.read("databases", &mut health.databases, |f| list(f, |file| path(file, tilde)))?;
    section.read("log_max_age_days", &mut health.log_max_age_days, |f| f.whole(1..=3650))?;
    section.read("log_rotate_bytes", &mut health.log_rotate_bytes, |f| bytes(f, 4096..=1024 * GIB))?;
    section.read("trash_keep_days", &mut health.trash_keep_days, |f| f.whole(1..=3650))?;
    section.finish()
}

/// A folder that is cleaned: never the root of everything, never the owner's whole home.
pub(super) fn log_root(field: &Field<'_>, tilde: Tilde<'_>) -> Result<std::path::PathBuf, ConfigError> {
    let root = path(field, tilde)?;
    if root.parent().is_none() || tilde.0.is_some_and(|home| home.starts_with(&root)) {
        return Err(field.bad("a folder of logs; this one holds your home folder, and what is in it gets cleaned"));
    }
    Ok(root)
}

fn patterns(section: &mut Section<'_>, patterns: &mut PatternSettings) -> Result<(), ConfigError> {
    section.read("auto", &mut patterns.auto, Field::boolean)?;
    section.read("confidence", &mut patterns.confidence, |f| f.number(0.5..=1.0))?;
    section.finish()
}

fn owner(section: &mut Section<'_>) -> Result<Option<BTreeSet<String>>, ConfigError> {
    let mut senders = None;
    section.read("senders", &mut senders, |f| list(f, sender).map(|all| Some(all.into_iter().collect())))?;
    section.finish()?;
    Ok(senders)
}

fn sender(field: &Field<'_>) -> Result<String, ConfigError> {
    let allowed = "senders as platform:id, such as \"terminal:owner\"; an id, never an @name, since names change hands";
    let text = field.text(allowed)?;
    let (platform, id) = text.split_once(':').ok_or_else(|| field.bad(allowed))?;
    let word = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    if word(platform) && word(id) && text.len() <= 100 { Ok(text.to_owned()) } else { Err(field.bad(allowed)) }
}
