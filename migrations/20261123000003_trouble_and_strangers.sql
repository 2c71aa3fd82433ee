-- What stands between the owner and the bot, for /status and doctor: a row while it lasts.
CREATE TABLE chat_trouble (
    chat    TEXT    NOT NULL PRIMARY KEY,         -- a platform, or an address of it that can't be reached
    why     TEXT    NOT NULL,                     -- what is wrong and what to do, for the owner
    since   INTEGER NOT NULL,                     -- since when
    alarmed INTEGER NOT NULL                      -- 1: the owner was told of it by an alarm, and hears when it is over
) STRICT, WITHOUT ROWID;

-- Messages of people who are not known, counted by the hour: only the first of them are kept, the rest is a number.
CREATE TABLE stranger (
    hour   INTEGER NOT NULL,                      -- when the hour began
    sender TEXT    NOT NULL,                      -- who, as platform:id; '' stands for all who came too late to be named
    seen   INTEGER NOT NULL,                      -- messages in that hour
    kept   INTEGER NOT NULL,                      -- of these, those in inbox and audit
    PRIMARY KEY (hour, sender)
) STRICT, WITHOUT ROWID;
