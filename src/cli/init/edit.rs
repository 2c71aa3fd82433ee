//! Changing files people wrote, by as few characters as possible: comments, order and unknown lines stay. Pure.
//!
//! Left out on purpose: knowing TOML whole. A text that is written in a way these edits don't understand comes out
//! wrong or unreadable; so what comes out is always read by the configuration before it is written.

/// Sets one variable in a `.env` text: in its line if it has one, else at the end.
pub(in crate::cli) fn set_variable(text: &str, name: &str, value: &str) -> String {
    let is_it = |line: &str| {
        let line = line.trim_start();
        let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
        line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    let new = format!("{name}={}", quoted(value));
    match text.lines().find(|line| is_it(line)) {
        Some(line) if unquoted(line) == Some(value) => text.to_owned(),
        // The first one counts when it is read.
        Some(line) => text.replacen(line, &new, 1),
        None => with_line(text, &new),
    }
}

fn unquoted(line: &str) -> Option<&str> {
    let value = line.split_once('=')?.1.trim();
    let bare = ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
    Some(bare.unwrap_or(value))
}

fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-:./@%+,=".contains(c);
    if value.chars().all(plain) { value.to_owned() } else { format!("'{value}'") }
}

fn with_line(text: &str, line: &str) -> String {
    let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{text}{gap}{line}\n")
}

/// A TOML string.
pub(in crate::cli) fn string(value: &str) -> String {
    toml::Value::String(value.to_owned()).to_string()
}

/// Sets `key` of `[section]` to a value written as TOML.
pub(in crate::cli) fn set_key(text: &str, section: &str, key: &str, value: &str) -> String {
    match find(text, section, key) {
        Found::Value(at) => {
            let end = at + value_length(&text[at..]);
            format!("{}{value}{}", &text[..at], &text[end..])
        }
        found => insert(text, section, &found, &format!("{key} = {value}")),
    }
}

/// Adds values (written as TOML) to the list `key` of `[section]`.
pub(in crate::cli) fn add_to_list(text: &str, section: &str, key: &str, values: &[String]) -> String {
    if values.is_empty() {
        return text.to_owned();
    }
    let added = values.join(", ");
    match find(text, section, key) {
        Found::Value(at) => {
            let end = at + value_length(&text[at..]);
            let Some(close) = end.checked_sub(1).filter(|close| text[*close..].starts_with(']')) else {
                return text.to_owned();
            };
            let gap = if ends_with_item(&text[at..close]) { ", " } else { "" };
            format!("{}{gap}{added}{}", &text[..close], &text[close..])
        }
        found => insert(text, section, &found, &format!("{key} = [{added}]")),
    }
}

/// Adds a block at the end, parted by an empty line.
pub(in crate::cli) fn append(text: &str, block: &str) -> String {
    let gap = match text {
        "" => "",
        _ if text.ends_with("\n\n") => "",
        _ if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    format!("{text}{gap}{}\n", block.trim_end())
}

enum Found {
    /// The value starts at this byte.
    Value(usize),
    /// The section has no such key; its first line starts at this byte.
    Section(usize),
    Nothing,
}

fn find(text: &str, section: &str, key: &str) -> Found {
    let (mut inside, mut found, mut at) = (false, Found::Nothing, 0);
    for line in text.split_inclusive('\n') {
        let bare = line.trim();
        if let Some(header) = bare.strip_prefix('[') {
            inside = header.split_once(']').is_some_and(|(name, _)| name.trim() == section);
            if inside {
                found = Found::Section(at + line.len());
            }
        } else if inside
            && let Some(rest) = bare.strip_prefix(key)
            && let Some(value) = rest.trim_start().strip_prefix('=')
        {
            let value = value.trim_start();
            return Found::Value(at + line.trim_end().len() - value.len());
        }
        at += line.len();
    }
    found
}

fn insert(text: &str, section: &str, found: &Found, line: &str) -> String {
    match found {
        Found::Section(at) if text[..*at].ends_with('\n') => format!("{}{line}\n{}", &text[..*at], &text[*at..]),
        Found::Section(_) => with_line(text, line),
        _ => append(text, &format!("[{section}]\n{line}")),
    }
}

/// Bytes of the value a text starts with: to its closing bracket, or to a comment or the end of the line.
fn value_length(text: &str) -> usize {
    let (mut depth, mut end) = (0_usize, 0);
    for (at, c) in significant(text) {
        match c {
            '[' => depth += 1,
            ']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            '\n' if depth == 0 => break,
            _ => {}
        }
        if !c.is_whitespace() {
            end = at + c.len_utf8();
        }
        // A comment after the value ends it too: nothing of it is significant, and the line's end comes next.
    }
    end
}

/// Whether the part of a list before its closing bracket ends with an item, so that a comma is needed.
fn ends_with_item(list: &str) -> bool {
    let end = significant(list).filter(|(_, c)| !c.is_whitespace()).last();
    end.is_some_and(|(_, c)| !matches!(c, '[' | ','))
}

/// Characters that are not in a comment; those in a string are told as `"`.
fn significant(text: &str) -> impl Iterator<Item = (usize, char)> {
    let (mut quote, mut comment, mut escaped) = (None, false, false);
    text.char_indices().filter_map(move |(at, c)| {
        if comment {
            comment = c != '\n';
            return (!comment).then_some((at, c));
        }
        match quote {
            Some(open) => {
                let ends = c == open && !escaped;
                escaped = c == '\\' && open == '"' && !escaped;
                if ends {
                    quote = None;
                }
                return Some((at + c.len_utf8() - 1, '"'));
            }
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None if c == '#' => {
                comment = true;
                return None;
            }
            None => {}
        }
        Some((at, c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_set_in_its_place() {
        for (text, expected) in [
            ("", "A=new\n"),
            ("# mine\nB=1", "# mine\nB=1\nA=new\n"),
            ("A=old\nB=1\n", "A=new\nB=1\n"),
            ("export A = 'old'\n#A=x\n", "A=new\n#A=x\n"),
            ("A='new'\n", "A='new'\n"),
            ("AA=1\n", "AA=1\nA=new\n"),
        ] {
            assert_eq!(set_variable(text, "A", "new"), expected, "{text:?}");
        }
        assert_eq!(set_variable("", "A", "two words"), "A='two words'\n");
    }

    #[test]
    fn a_key_is_set_in_its_place_and_comments_stay() {
        for (text, expected) in [
            ("", "[s]\nk = \"n\"\n"),
            ("a = 1\n", "a = 1\n\n[s]\nk = \"n\"\n"),
            ("[s]\n# why\nk = \"o\" # because # of it\nz = 1\n", "[s]\n# why\nk = \"n\" # because # of it\nz = 1\n"),
            ("[s]\nk='#o'\n", "[s]\nk=\"n\"\n"),
            ("[s]\n#k = 1\n[t]\nk = 2\n", "[s]\nk = \"n\"\n#k = 1\n[t]\nk = 2\n"),
            ("[ s ] # x", "[ s ] # x\nk = \"n\"\n"),
            ("[s]\nkk = 1\n", "[s]\nk = \"n\"\nkk = 1\n"),
            ("[s]\nk = \"ü\\\"#\" # é\n", "[s]\nk = \"n\" # é\n"),
        ] {
            let edited = set_key(text, "s", "k", "\"n\"");
            assert_eq!(edited, expected, "{text:?}");
            let read: toml::Table = edited.parse().unwrap();
            assert_eq!(read["s"]["k"].as_str(), Some("n"), "{text:?}");
        }
    }

    #[test]
    fn a_list_grows_at_its_end() {
        for (text, values) in [
            ("", vec!["n"]),
            ("[s]\nk = []\n", vec!["n"]),
            ("[s]\nk = [\"a]\", 'b'] # c]\n", vec!["a]", "b", "n"]),
            ("[s]\nk = [\n  \"a\", # first ]\n  \"b\" # last\n]\nz = 1\n", vec!["a", "b", "n"]),
            ("[s]\nk = [\n  \"a\",\n  # end\n]\n", vec!["a", "n"]),
        ] {
            let edited = add_to_list(text, "s", "k", &[string("n")]);
            let read: toml::Table = edited.parse().unwrap_or_else(|error| panic!("{edited}: {error}"));
            let list: Vec<_> = read["s"]["k"].as_array().unwrap().iter().filter_map(toml::Value::as_str).collect();
            assert_eq!(list, values, "{text:?}");
            for comment in text.lines().filter_map(|line| line.split_once("# ")) {
                assert!(edited.contains(comment.1), "{comment:?} is gone from {edited}");
            }
        }
        assert_eq!(add_to_list("[s]\n", "s", "k", &[]), "[s]\n");
    }

    #[test]
    fn a_block_stands_apart() {
        assert_eq!(append("", "[a]\n"), "[a]\n");
        assert_eq!(append("x = 1", "[a]"), "x = 1\n\n[a]\n");
        assert_eq!(append("x = 1\n\n", "[a]"), "x = 1\n\n[a]\n");
    }
}
