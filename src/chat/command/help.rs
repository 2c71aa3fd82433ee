//! The commands explained: one table that the help, the suggestions and the tests read.
//!
//! Left out on purpose: what a command did. That is the engine's to say.

use super::words::quoted;
use crate::domain::message::{Item, Message};

struct Topic {
    name: &'static str,
    section: &'static str,
    usage: &'static str,
    what: &'static str,
    /// Real commands: the tests parse each.
    examples: &'static [&'static str],
}

const QUEUE: &str = "📋 Queue";
const DECIDE: &str = "🔒 Decide";
const NIGHT: &str = "🌙 Night";
const LOOK: &str = "🔎 Look";

const TOPICS: &[Topic] = &[
    Topic {
        name: "queue",
        section: QUEUE,
        usage: "/queue [add|show|edit|drop]",
        what: "What waits: lists it, adds to it, shows, changes or drops a task. Parts of a task are separated by | in any order: title, estimate (0.1–8 h), category (performance, bug, docs, \
               infra, feature, external, config), priority (critical, high, medium, low), project, agent, kind (code, \
               artifact, action). Also: after #3, not before 02:00, ! command to run. Further lines are details; with a - before each \
               line, every line is a task.",
        examples: &[
            "/queue",
            "/queue add Optimize the report query | 4h | perf | high",
            "/queue add Load the data | after #3 | not before 02:00",
            "/queue add Post the news | action | external | ! ./post.sh \"spring news\"",
            "/queue edit 3 | high | 2h",
            "/queue edit 3 title: New title",
            "/queue show 3",
            "/queue drop 3 5",
        ],
    },
    Topic {
        name: "approve",
        section: DECIDE,
        usage: "/approve 3 5",
        what: "Lets locked tasks run: new features, external actions, config changes.",
        examples: &["/approve 3 5"],
    },
    Topic {
        name: "reject",
        section: DECIDE,
        usage: "/reject 3 why",
        what: "Refuses a locked task, with your reason.",
        examples: &["/reject 3 not before the launch"],
    },
    Topic {
        name: "undo",
        section: DECIDE,
        usage: "/undo 3",
        what: "Takes back your last decision about a task: an approval until its build starts, a rejection, a drop, a discard, \
               a wish to ship until it lands. Approvers take back only their own.",
        examples: &["/undo 3"],
    },
    Topic {
        name: "snooze",
        section: DECIDE,
        usage: "/snooze 3",
        what: "Leaves a locked task out of the next brief; it is asked about again in the one after.",
        examples: &["/snooze 3"],
    },
    Topic {
        name: "answer",
        section: DECIDE,
        usage: "/answer 12 your answer",
        what: "Answers what an agent asked; it goes on with it, in the same session. A reply to its question does the same.",
        examples: &["/answer 12 keep the old format"],
    },
    Topic {
        name: "review",
        section: DECIDE,
        usage: "/review",
        what: "What is ready to ship, a card each.",
        examples: &["/review"],
    },
    Topic {
        name: "ship",
        section: DECIDE,
        usage: "/ship 12, /ship all",
        what: "Lands a result on its project's branch: on the branch as it is now, after its tests passed there. What asks to \
               be looked at twice needs the word anyway.",
        examples: &["/ship 12 13", "/ship 12 anyway", "/ship all"],
    },
    Topic {
        name: "revert",
        section: DECIDE,
        usage: "/revert 12",
        what: "Takes a shipped result off its branch again.",
        examples: &["/revert 12"],
    },
    Topic {
        name: "diff",
        section: DECIDE,
        usage: "/diff 12",
        what: "Sends what a result changes: as a page for the phone and as a patch.",
        examples: &["/diff 12"],
    },
    Topic {
        name: "discard",
        section: DECIDE,
        usage: "/discard 12",
        what: "Says that a result is not wanted; it stays in the vault.",
        examples: &["/discard 12"],
    },
    Topic {
        name: "night",
        section: NIGHT,
        usage: "/night start|stop|pause|resume|skip",
        what: "Steers the session: begin now, end it, start nothing new, go on, leave out the coming night.",
        examples: &["/night pause", "/night skip"],
    },
    Topic {
        name: "keep",
        section: NIGHT,
        usage: "/keep [until 11:30]",
        what: "Goes on building after the morning brief.",
        examples: &["/keep", "/keep until 11:30"],
    },
    Topic {
        name: "run",
        section: NIGHT,
        usage: "/run 12",
        what: "Starts a task now instead of tonight.",
        examples: &["/run 12"],
    },
    Topic {
        name: "stop",
        section: NIGHT,
        usage: "/stop 12, /stop all",
        what: "Stops a running build, or all of them.",
        examples: &["/stop 12", "/stop all"],
    },
    Topic {
        name: "retry",
        section: NIGHT,
        usage: "/retry 12",
        what: "Queues a failed task again.",
        examples: &["/retry 12"],
    },
    Topic {
        name: "status",
        section: LOOK,
        usage: "/status",
        what: "What is going on now, and what comes next.",
        examples: &["/status"],
    },
    Topic {
        name: "brief",
        section: LOOK,
        usage: "/brief",
        what: "The latest morning brief again.",
        examples: &["/brief"],
    },
    Topic {
        name: "report",
        section: LOOK,
        usage: "/report",
        what: "The latest report, as a file.",
        examples: &["/report"],
    },
    Topic {
        name: "plan",
        section: LOOK,
        usage: "/plan",
        what: "What tonight will probably look like, and what won't fit and why.",
        examples: &["/plan"],
    },
    Topic { name: "why", section: LOOK, usage: "/why 12", what: "Why a task is not running.", examples: &["/why 12"] },
    Topic {
        name: "log",
        section: LOOK,
        usage: "/log 12 [lines]",
        what: "The end of a build's log, up to 500 lines.",
        examples: &["/log 12 50"],
    },
    Topic {
        name: "health",
        section: LOOK,
        usage: "/health [fix]",
        what: "The machine's health; fix repairs what is safe to repair.",
        examples: &["/health", "/health fix"],
    },
    Topic {
        name: "snapshots",
        section: LOOK,
        usage: "/snapshots",
        what: "Days that are kept: your files, the vaults and the database. Restoring is done at the command line.",
        examples: &["/snapshots"],
    },
    Topic {
        name: "metrics",
        section: LOOK,
        usage: "/metrics",
        what: "Numbers against the daily, weekly and quality goals.",
        examples: &["/metrics"],
    },
    Topic {
        name: "audit",
        section: LOOK,
        usage: "/audit [rows]",
        what: "What was done, when and by whom; up to 200 rows.",
        examples: &["/audit 50"],
    },
    Topic {
        name: "oplog",
        section: LOOK,
        usage: "/oplog [rows]",
        what: "What was done to your repositories and folders; up to 200 rows.",
        examples: &["/oplog 50"],
    },
    Topic {
        name: "help",
        section: LOOK,
        usage: "/help [command]",
        what: "This list, or one command explained.",
        examples: &["/help", "/help queue"],
    },
];

/// Every command's name, without its slash: what a suggestion chooses from.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TOPICS.iter().map(|topic| topic.name).chain(["start"])
}

/// What those may use who may only decide and read.
const FOR_APPROVERS: [&str; 16] = [
    "queue", "approve", "reject", "undo", "review", "diff", "oplog", "status", "brief", "report", "plan", "why", "log",
    "metrics", "audit", "help",
];

/// The command menu of a phone: name and what it does. `everything` is for the owner.
pub fn menu(everything: bool) -> Vec<(&'static str, &'static str)> {
    TOPICS
        .iter()
        .filter(|topic| everything || FOR_APPROVERS.contains(&topic.name))
        .map(|topic| (topic.name, first_sentence(topic.what)))
        .collect()
}

/// The list of all commands, or of those for who only decides and reads.
pub fn help_text(everything: bool) -> Message {
    let intro = if everything {
        "Text without a slash is taken as an idea: I ask whether to queue it."
    } else {
        "You can look at everything, and approve or reject what is locked."
    };
    let mut message = Message::line("❔ What you can write").intro(intro);
    for section in [QUEUE, DECIDE, NIGHT, LOOK] {
        let items = TOPICS
            .iter()
            .filter(|topic| topic.section == section && (everything || FOR_APPROVERS.contains(&topic.name)))
            .map(|topic| Item::new("•", format!("{} · {}", topic.usage, first_sentence(topic.what))))
            .collect();
        message = message.section(section, items);
    }
    message.closing("/help queue explains one command with examples.")
}

/// One command explained with its examples; without a topic, or with an unknown one, the list.
pub fn help(topic: Option<&str>, everything: bool) -> Message {
    let Some(asked) = topic else { return help_text(everything) };
    let asked = asked.split_whitespace().next().unwrap_or_default().trim_start_matches('/').to_lowercase();
    let Some(topic) = TOPICS.iter().find(|topic| topic.name == asked) else {
        let mut list = help_text(everything);
        list.intro = format!("There is no command {}; these are all.", quoted(&asked));
        return list;
    };
    let examples = topic.examples.iter().map(|example| Item::new("•", *example)).collect();
    Message::line(format!("❔ {}", topic.usage)).intro(topic.what).section("For example", examples)
}

fn first_sentence(text: &str) -> &str {
    text.split_once(". ").map_or(text, |(first, _)| first).trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::command::{ParseContext, parse};

    #[test]
    fn every_example_is_a_command() {
        for topic in TOPICS {
            assert!(!topic.examples.is_empty(), "{}", topic.name);
            for example in topic.examples {
                let read = parse(example, &ParseContext::default());
                assert!(read.is_ok(), "{example}: {read:?}");
            }
        }
    }

    #[test]
    fn the_list_names_every_command() {
        let list = help_text(true);
        let shown: Vec<&str> = list.sections.iter().flat_map(|s| &s.items).map(|item| item.text.as_str()).collect();
        assert_eq!(shown.len(), TOPICS.len());
        for topic in TOPICS {
            assert!(shown.iter().any(|line| line.starts_with(topic.usage)), "{}", topic.name);
        }
    }

    #[test]
    fn a_topic_is_explained_by_example_and_an_unknown_one_gets_the_list() {
        let keep = help(Some("/Keep"), true);
        assert!(keep.sections[0].items.iter().any(|item| item.text == "/keep until 11:30"), "{keep:?}");
        let unknown = help(Some("quue"), true);
        assert_eq!(unknown.sections.len(), 4);
        assert!(unknown.intro.contains("quue"), "{}", unknown.intro);
    }
}
