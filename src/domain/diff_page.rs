//! A difference as one HTML page for a phone: a file each, folded, nothing loaded from anywhere. What an agent wrote is
//! text here, whatever it looks like; characters that hide or turn others around are named.

use super::visible::visible;
use std::fmt::Write as _;

/// Lines of one file that are shown; the patch itself has them all.
const MOST_LINES: usize = 2_000;

const STYLE: &str = "\
:root{color-scheme:light dark}body{font:15px/1.45 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:.8rem}\
h1{font-size:1.15rem}details{border:1px solid #8884;border-radius:.5rem;margin:.6rem 0;overflow:hidden}\
summary{padding:.6rem;font-weight:600;overflow-wrap:anywhere;cursor:pointer}\
pre{margin:0;font:12px/1.5 ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere}\
pre span{display:block;padding:0 .6rem}.a{background:#2da44e33}.d{background:#cf222e33}.h{background:#8882;opacity:.8}\
.n{opacity:.7;padding:.6rem}";

/// The page of a patch as git prints it.
pub fn page(title: &str, patch: &str) -> String {
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><title>{0}</title><style>{STYLE}</style><h1>{0}</h1>\n",
        text(title)
    );
    let files = files(patch);
    let few = files.len() <= 5;
    for file in &files {
        let (added, deleted) = file.counts();
        let open = if few && file.lines.len() <= 200 { " open" } else { "" };
        let _ = write!(
            html,
            "<details{open}><summary>{} <small>+{added} −{deleted}</small></summary><pre>",
            text(file.name)
        );
        for line in file.lines.iter().take(MOST_LINES) {
            let class = match line.as_bytes().first() {
                Some(b'+') => "a",
                Some(b'-') => "d",
                Some(b'@') => "h",
                _ => "",
            };
            let _ = write!(html, "<span class=\"{class}\">{}</span>", text(line));
        }
        html.push_str("</pre>");
        if let Some(more) = file.lines.len().checked_sub(MOST_LINES).filter(|more| *more > 0) {
            let _ = write!(html, "<div class=\"n\">{more} more lines are in the patch.</div>");
        }
        html.push_str("</details>\n");
    }
    if files.is_empty() {
        html.push_str("<p>Nothing is different.</p>");
    }
    html.push_str("</html>\n");
    html
}

struct File<'a> {
    name: &'a str,
    lines: Vec<&'a str>,
}

impl File<'_> {
    fn counts(&self) -> (usize, usize) {
        let starting = |sign: char| self.lines.iter().filter(|line| line.starts_with(sign)).count();
        (starting('+'), starting('-'))
    }
}

/// The files of a patch. Lines before the first hunk name the file and its modes.
fn files(patch: &str) -> Vec<File<'_>> {
    let mut files: Vec<File<'_>> = Vec::new();
    let mut in_hunk = false;
    for line in patch.lines() {
        if let Some(names) = line.strip_prefix("diff --git ") {
            let name = names.rsplit_once(" b/").map_or(names, |(_, name)| name).trim_end_matches('"');
            files.push(File { name, lines: Vec::new() });
            in_hunk = false;
            continue;
        }
        let Some(file) = files.last_mut() else { continue };
        in_hunk |= line.starts_with("@@");
        let says = ["new file", "deleted file", "old mode", "new mode", "Binary files"];
        if in_hunk || says.iter().any(|start| line.starts_with(start)) {
            file.lines.push(line);
        }
    }
    files
}

/// Text in HTML.
fn text(raw: &str) -> String {
    let mut html = String::with_capacity(raw.len());
    for c in visible(raw).chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            c => html.push(c),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "diff --git a/src/a.rs b/src/a.rs\nindex 1..2 100644\n--- a/src/a.rs\n+++ b/src/a.rs\n\
                         @@ -1,2 +1,3 @@\n one\n-two <script>\n+\u{202e}two\n+three & four\n\
                         diff --git a/new b/new\nnew file mode 120000\n--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+/etc\n\
                         --- not a header\n";

    #[test]
    fn a_patch_becomes_a_page_in_which_nothing_runs_and_nothing_hides() {
        let page = page("#1 \"Fix\" <b>", PATCH);
        assert!(page.contains("<summary>src/a.rs <small>+2 −1</small>"), "{page}");
        assert!(page.contains("-two &lt;script&gt;") && page.contains("three &amp; four"));
        assert!(page.contains("&lt;U+202E&gt;two") && !page.contains('\u{202e}'));
        assert!(
            page.contains("new file mode 120000") && page.contains("<small>+1 −1</small>"),
            "a line like a header counts"
        );
        assert!(page.contains("#1 &quot;Fix&quot; &lt;b&gt;") && !page.contains("<script") && !page.contains("http"));
        assert!(super::page("x", "").contains("Nothing is different"));
    }
}
