//! What the owner has in front of them: messages in the order they came, with the text they have now.

/// One message as the owner sees it.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    /// Where the front-end finds it again.
    pub(crate) reference: String,
    /// The outbox key it was sent under.
    pub(crate) key: String,
    /// Its words with single spaces, so that a phone's and a terminal's can be compared.
    pub(crate) text: String,
    /// Labels, each with what a tap on it sends: a nonce on the phone, a code in the terminal.
    pub(crate) buttons: Vec<(String, String)>,
    /// Whether it came without a sound.
    pub(crate) silent: bool,
    /// How often it was changed in place.
    pub(crate) edits: usize,
    /// Whether the story has looked at it.
    pub(crate) read: bool,
}

impl Shown {
    /// Whether it shows a button with these words.
    pub(crate) fn offers(&self, label: &str) -> bool {
        self.buttons.iter().any(|(shown, _)| shown.contains(label))
    }

    /// What a tap on the first button with these words sends.
    pub(crate) fn button(&self, label: &str) -> &str {
        let found = self.buttons.iter().find(|(shown, _)| shown.contains(label));
        &found.unwrap_or_else(|| panic!("no button {label:?} on: {self:#?}")).1
    }
}

/// All messages of one chat.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    /// In the order they came.
    pub(crate) messages: Vec<Shown>,
    /// What the front-end had to refuse, and why.
    pub(crate) refused: Vec<String>,
}

impl Screen {
    /// A new message.
    pub(crate) fn add(&mut self, shown: Shown) {
        self.messages.push(shown);
    }

    /// A message changed in place. Whoever edits what was never sent has made a mistake.
    pub(crate) fn change(&mut self, reference: &str, text: String, buttons: Vec<(String, String)>) {
        let known = self.messages.iter_mut().find(|message| message.reference == reference);
        let known = known.unwrap_or_else(|| panic!("an edit of {reference:?}, which was never sent"));
        (known.text, known.buttons) = (text, buttons);
        known.edits += 1;
    }

    /// A message is found under another reference from now on.
    pub(crate) fn rename(&mut self, from: &str, to: &str) {
        if let Some(known) = self.messages.iter_mut().find(|message| message.reference == from) {
            to.clone_into(&mut known.reference);
        }
    }

    /// The oldest message with these words that the story has not looked at.
    pub(crate) fn read(&mut self, words: &str) -> Option<Shown> {
        let found = self.messages.iter_mut().find(|message| !message.read && message.text.contains(words))?;
        found.read = true;
        Some(found.clone())
    }
}

/// The text with single spaces.
pub(crate) fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
