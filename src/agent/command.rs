//! `command`: any program. It gets the prompt on standard input and in the file named by `OVERNIGHT_PROMPT`; `{prompt}`
//! in its arguments is replaced by that file's path. It ends with 0 when it is done and 75 when it should be tried
//! again later; it may print progress lines.
