//! Titles that start like harmless work, or sound like it, and hide something the owner must be asked about: late, in
//! parentheses, behind "then", "&", "+" or a line break, polite, or put another way.

use super::*;

/// None of them may be proposed as work that needs no tap.
const HIDDEN: &[&str] = &[
    "fix the parser, then make sure the newsletter goes out",
    "update the changelog & ping the client",
    "clean up the invoices folder + wire the money",
    "docs: finish the tutorial, tweet it",
    "chore: turn off 2FA for the test user",
    "refactor the models (drop the users table)",
    "fix the merge conflict, force push",
    "tidy the history and force-push to main",
    "fix typo; git push",
    "bump version → npm publish",
    "lint the modules and then terraform apply",
    "fix the flaky deploy, pls deploy again",
    "speed up the build, then pls send me the binary",
    "could you fix the header and let Anna know?",
    "would you mind fixing the crash and mailing the customer about it",
    "Fix the crash. Afterwards give the client a call",
    "fix crash on save, call the customer back",
    "cleanup: remove the old backups from S3",
    "optimise the queries and run them on prod",
    "fix the import; then import the real customers",
    "after the tests pass, merge it",
    "once tests are green merge to main",
    "document the api so that you can send it to the partners",
    "write the changelog and hit publish",
    "write release notes and post on the forum",
    "fix the invoice bug and pay the supplier",
    "Prune the logs, and the customer accounts from last year too",
    "clean up the S3 bucket",
    "fix the login (the admin password should be reset too)",
    "fix login and reset everybody's password",
    "speed up the page, put cloudflare in front",
    "perf: raise max_connections to 500",
    "perf: lower the cache ttl to 5s in redis",
    "fix the timeouts by raising the limit to 120s",
    "fix cors by allowing all origins",
    "fix upload permissions (chmod 777 the folder)",
    "fix the cert warning by turning off tls verification",
    "docs + rotate the deploy key",
    "update the docs and give Max write access to the repo",
    "fix the webhook url in the stripe dashboard",
    "move secrets from .env to the vault and clean up",
    "refactor the config, set DEBUG=true on the server",
    "fix bug, deploy friday",
    "fix the typo on the website and upload it via ftp",
    "benchmark the api against the live system",
    "run the load test against production",
    "load test the production api",
    "profile the live database",
    "fix the mail template, send a test mail to bob@example.com",
    "fix the template and send",
    "fix the template and resend the mails from yesterday",
    "handle the refund for order 1234",
    "reply to the bug reports once the fix is in",
    "fix #12 and close it",
    "fix #12, comment on the issue",
    "clean up the old github issues",
    "delete merged branches on origin",
    "archive the repo",
    "remove the staging server",
    "shut down the old vm",
    "stop the newsletter",
    "unsubscribe the bounced addresses",
    "clean up the mailing list",
    "unpublish version 1.2",
    "yank 0.3.1",
    "revert the last release",
    "roll back the deployment",
    "fix the schema and migrate the production db",
    "fix migrations, apply them to prod",
    "backfill the missing rows in prod",
    "fix the data in the live db by hand",
    "correct the price of item 5 in the shop",
    "update the price list and inform sales",
    "renew the domain, it expires soon",
    "the newsletter must go out today",
    "the client needs the report by mail",
    "customers should hear about the outage",
    "release is due, tag it",
    "document everything and hand over to the customer",
    "export the users and share with marketing",
    "speed up the crawler, then crawl their site again",
    "tests: hit the real payment api",
    "cache the rates, call the bank api for them every hour",
    "readme: add badge; make repo public",
    "make the bucket public so images load faster",
    "disable the firewall, it slows down the build",
    "fix perms: make the uploads folder world writable",
    "open the port 8080 to fix the health check",
    "fix slow dns by switching to cloudflare",
    "kill the slow queries on the db server",
    "cleanup: cancel the unused aws instances",
    "reduce costs: terminate the idle servers",
    "reduce the aws bill, cancel what we dont use",
    "fix CI by adding the npm token",
    "fix ci by adding my ssh key",
    "fix build: put the api key in the workflow",
    "log in as admin and fix the order",
    "fix the order status for customer 77",
    "clean up spam accounts",
    "remove spammer from the forum",
    "ban the spammers",
    "write to the hoster about slow disks",
    "ask the vendor for the docs",
    "docs: get approval from legal",
    "order a new disk for the backup box",
    "fix broken disk: order a replacement",
    "buy the perf monitoring plan",
    "upgrade the plan of our db hosting to make it faster",
    "sign up for sentry to catch errors",
    "upgrade the production database",
    "upgrade postgres on the server",
    "update the server packages",
    "install updates on the vps",
    "patch the server",
    "rerun the failed payments",
    "retry the failed webhooks",
    "resolve the customer's complaint",
    "refactor, test, commit, push",
    "when the docs are done announce them",
    "as soon as the fix works let everyone know",
    "if it is faster, ship",
    "Fix the parser\nthen publish",
    "fix\ndeploy",
    "improve docs\n\nPS: tweet about it",
    "- fix the parser\n- push to origin",
    "fix the parser / deploy",
    "Rename the Friends tab to People",
    "retitle the weekly report as Summary",
    "fix the header, rename our free plan",
    "check the coupon as customers type it",
    "verify the zip code on blur",
    "docs: rename the product in every page",
];

/// Said in the details, these are orders no less.
const IN_DETAILS: &[&str] = &[
    "When you are done, tweet it.",
    "Steps:\n1. find the bug\n2. fix it\n3. git push",
    "It breaks on empty input. Also wire the money to the supplier.",
    "It is slow (and pls ping the client).",
    "The table is unused: drop the users table.",
    "Needs no review, force push.",
    "Make sure the newsletter goes out afterwards.",
    "You have to turn off 2FA for that.",
    "Then run terraform apply.",
    "The admin password should be reset too.",
    "npm publish when green",
    "Once that works let the customers know.",
];

fn open(title: &str, details: &str) -> bool {
    let category = propose(title, details).category;
    category.auto_approved_by_default() && text_lock(title, details, category).is_none()
}

#[test]
fn a_hidden_order_is_never_auto_approved() {
    assert!(HIDDEN.len() >= 40);
    let missed: Vec<&&str> = HIDDEN.iter().filter(|title| open(title, "")).collect();
    assert!(missed.is_empty(), "{missed:#?}");
}

/// What people write below a title; none of it may cost them a tap.
const ORDINARY: &[&str] = &[
    "It fails on empty input. The stack trace is below.",
    "Steps to reproduce:\n1. Open the list page\n2. Click the save button\n3. See the error",
    "Happens since 4.2, on Linux and macOS. Reverting the last commit helps.",
    "Expected: the list is sorted.\nActual: the list is empty.",
    "When a user types quickly, the cursor jumps to the end of the line.",
    "The query takes 9 s because it scans the whole table; an index on created_at should help.",
    "See the module for dates, the function parse_day and its tests.",
    "thread 'main' panicked at src/parse.rs:12:5: called `Option::unwrap()` on a `None` value",
    "I noticed this while reading the code. Scroll the list down, press the up key twice and watch the selection.",
    "Please keep the public API as it is and add a test.",
];

#[test]
fn ordinary_details_cost_no_tap() {
    let titles = ["Fix the parser", "Speed up the search"];
    let locked: Vec<(&&str, String)> = titles
        .iter()
        .flat_map(|title| ORDINARY.iter().filter(|d| !open(title, d)).map(|d| (d, propose(title, d).why)))
        .collect();
    assert!(locked.is_empty(), "{locked:#?}");
}

/// What stands in the details is read as closely as a title.
#[test]
fn a_hidden_order_is_found_in_the_details_too() {
    let doubted = |text: &&&str| open("Fix the parser", text);
    let missed: Vec<&&str> = HIDDEN.iter().filter(doubted).collect();
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn an_order_in_the_details_is_never_auto_approved() {
    for title in ["Fix the parser", "docs: update the readme", "Speed up the search"] {
        assert!(open(title, "It is in the module for dates."), "{title}");
        let missed: Vec<&&str> = IN_DETAILS.iter().filter(|details| open(title, details)).collect();
        assert!(missed.is_empty(), "{title}: {missed:#?}");
    }
}
