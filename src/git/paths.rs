//! Path names from a tree an agent wrote: shown so that nothing hides, and followed so that nothing leads out.
//!
//! Pure except for the link reader handed in. Paths are bytes with `/` between components, as git has them.

use std::fmt::Write as _;

/// Links followed in a row before a chain counts as leading out, as the kernel does.
const MAX_LINKS: usize = 40;

/// A path as one line of text: control, bidirectional and invisible characters, backslashes and invalid UTF-8 are
/// written as escapes, so two different names never look the same and none can rewrite the line it stands in.
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => text.push_str(r"\\"),
                '\n' => text.push_str(r"\n"),
                '\t' => text.push_str(r"\t"),
                c if hides(c) => {
                    let _ = write!(text, "\\u{{{:x}}}", u32::from(c));
                }
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// Characters that draw nothing, or change how their neighbours are drawn (Unicode TR36 and TR9).
fn hides(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Whether following the symbolic link at `link` leaves the tree, also by way of other links in it.
/// `read_link` gives the target of the link at a tree path, or None if no link is there.
pub(super) fn leads_out(link: &[u8], read_link: impl Fn(&[u8]) -> Option<Vec<u8>>) -> bool {
    let mut todo: Vec<Vec<u8>> = components(link);
    let mut at: Vec<Vec<u8>> = Vec::new();
    let mut links = 0;
    while let Some(part) = todo.pop() {
        match part.as_slice() {
            b"" | b"." => {}
            b".." => {
                if at.pop().is_none() {
                    return true;
                }
            }
            _ => {
                at.push(part);
                let Some(target) = read_link(&at.join(&b'/')) else {
                    continue;
                };
                links += 1;
                if target.starts_with(b"/") || links > MAX_LINKS {
                    return true;
                }
                at.pop();
                todo.append(&mut components(&target));
            }
        }
    }
    false
}

/// Components last first, to be used as a stack.
fn components(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec).collect()
}

/// Whether `path` is `folder` or lies below it.
pub(super) fn is_within(path: &[u8], folder: &[u8]) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_without_letting_them_act() {
        let cases: [(&[u8], &str); 5] = [
            ("src/grüße.rs".as_bytes(), "src/grüße.rs"),
            (b"a\nb", r"a\nb"),
            (b"a\\nb", r"a\\nb"),
            ("x\u{202e}txt".as_bytes(), r"x\u{202e}txt"),
            (b"\xff\xfe", r"\xff\xfe"),
        ];
        for (raw, shown) in cases {
            assert_eq!(escape(raw), shown);
        }
    }

    #[test]
    fn links_are_followed_through_links() {
        let tree = |path: &[u8]| -> Option<Vec<u8>> {
            let target: &[u8] = match path {
                b"in" => b"src/./a",
                b"abs" => b"/etc/passwd",
                b"up" | b"src/a/toroot" => b"../..",
                b"loop" => b"loop",
                b"src/root" => b"..",
                b"sly" => b"src/root/../x",
                _ => return None,
            };
            Some(target.to_vec())
        };
        for (link, out) in
            [("in", false), ("abs", true), ("up", true), ("loop", true), ("src/root", false), ("sly", true)]
        {
            assert_eq!(leads_out(link.as_bytes(), tree), out, "{link}");
        }
        assert!(!leads_out(b"src/a/toroot", tree));
    }

    #[test]
    fn within_is_by_component() {
        assert!(is_within(b"a/b", b"a") && is_within(b"a", b"a"));
        assert!(!is_within(b"ab", b"a"));
    }
}
