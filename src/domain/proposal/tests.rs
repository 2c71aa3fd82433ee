use super::*;
use proptest::prelude::*;

use Category::{BugFix, ConfigChange, Documentation, ExternalAction, Infrastructure, NewFeature, Performance};

mod hidden;
mod titles;

/// Texts that must never run without a tap, whatever they are labelled.
const LOCKED: &[(&str, Category)] = &[
    ("Document the mailer and send it to all customers", ExternalAction),
    ("Send the weekly newsletter", ExternalAction),
    ("Please send Bob the numbers", ExternalAction),
    ("E-mail the report to bob@example.com", ExternalAction),
    ("Email all users about the outage", ExternalAction),
    ("Mail it to the team", ExternalAction),
    ("Fix the crash, then email Bob", ExternalAction),
    ("Fix the crash. When done, post the result on Slack", ExternalAction),
    ("Post the release notes to Twitter", ExternalAction),
    ("Publish the docs", ExternalAction),
    ("Optimize the images & publish", ExternalAction),
    ("cargo publish", ExternalAction),
    ("Update the version and run cargo publish", ExternalAction),
    ("Deploy to production", ExternalAction),
    ("Deploy the API", ExternalAction),
    ("Optimize the query and deploy it", ExternalAction),
    ("Fix login; redeploy", ExternalAction),
    ("Release v2.0", ExternalAction),
    ("Cut a release", ExternalAction),
    ("Do the deployment", ExternalAction),
    ("Run the deploy script", ExternalAction),
    ("Push the branch to origin", ExternalAction),
    ("Fix typo and git push", ExternalAction),
    ("Refactor parser (push to main when green)", ExternalAction),
    ("Notify all customers of the change", ExternalAction),
    ("Tweet the launch", ExternalAction),
    ("Charge the customers again", ExternalAction),
    ("Refund order 12", ExternalAction),
    ("Call the Stripe API to refund the orders", ExternalAction),
    ("Call external API with the user list", ExternalAction),
    ("Call the customers", ExternalAction),
    ("Fix bug by sending a test mail to all subscribers", ExternalAction),
    ("Clean the logs, posting a summary to #ops", ExternalAction),
    ("Write an email to customers about the delay", ExternalAction),
    ("Draft a tweet", ExternalAction),
    ("Document the API. You should also announce it", ExternalAction),
    ("Make the bot send a mail when done", ExternalAction),
    ("The fix must be deployed", ExternalAction),
    ("Make sure the newsletter goes out to subscribers", ExternalAction),
    ("Optimize the cache and go live", ExternalAction),
    ("Fix the index and roll it out", ExternalAction),
    ("Don't forget to send the invoice", ExternalAction),
    ("Delete old rows in production", ExternalAction),
    ("Restart the live server", ExternalAction),
    ("curl the webhook", ExternalAction),
    ("Fix the report, ssh to the server", ExternalAction),
    ("Se\u{200b}nd the list to Bob", ExternalAction),
    ("SEND IT", ExternalAction),
    ("Invite everyone to the beta", ExternalAction),
    ("Share the report with the investors", ExternalAction),
    ("Upload the build to S3", ExternalAction),
    ("Buy more storage", ExternalAction),
    ("Contact the client about the invoice", ExternalAction),
    ("Reply to the customer", ExternalAction),
    ("Message Bob on Slack", ExternalAction),
    ("Schedule a post for Friday", ExternalAction),
    ("Set up a job that emails users daily", ExternalAction),
    ("Use the Twitter API to post updates", ExternalAction),
    ("Have the script upload the results to S3", ExternalAction),
    ("Make the repository public", ExternalAction),
    ("Open a pull request", ExternalAction),
    ("File an issue on GitHub", ExternalAction),
    ("Sync the contacts to HubSpot", ExternalAction),
    ("Export the list to Salesforce", ExternalAction),
    ("Fix the test, afterwards publish a new version", ExternalAction),
    ("While you are at it push to main", ExternalAction),
    ("If all is green, ship it", ExternalAction),
    ("Optimize it so that you can release it", ExternalAction),
    ("Fix the parser -> deploy", ExternalAction),
    ("Fix the bug so we can release", ExternalAction),
    ("Update the README, bump the version, tag and release", ExternalAction),
    ("Document the API and release", ExternalAction),
    ("Create a GitHub release", ExternalAction),
    ("Give everyone admin", ConfigChange),
    ("Make Bob an admin", ConfigChange),
    ("Set password to hunter2", ConfigChange),
    ("Open port 22 in the firewall", ConfigChange),
    ("Change who can see the admin area", ConfigChange),
    ("Change the default timeout", ConfigChange),
    ("Enable 2FA", ConfigChange),
    ("Change the admin password", ConfigChange),
    ("Fix login by changing the password of the db user", ConfigChange),
    ("Rotate the API keys", ConfigChange),
    ("Rotate logs and secrets", ConfigChange),
    ("Set the DEBUG env variable", ConfigChange),
    ("Update config", ConfigChange),
    ("Update docs and config", ConfigChange),
    ("Update docs, settings", ConfigChange),
    ("Grant Bob admin rights", ConfigChange),
    ("Give the bot write access", ConfigChange),
    ("Add Bob to the access control list", ConfigChange),
    ("Move the key into .env", ConfigChange),
    ("Fix the permissions", ConfigChange),
    ("Disable authentication for the tests", ConfigChange),
    ("Turn off two-factor", ConfigChange),
    ("Optimize the database settings", ConfigChange),
    ("Make the permissions stricter", ConfigChange),
    ("Print the secrets", ConfigChange),
    ("Copy the credentials to the readme folder", ConfigChange),
    ("Document the setup and store the token", ConfigChange),
    ("Revoke the old tokens", ConfigChange),
    ("Renew the SSL certificates", ConfigChange),
    ("Change the password validation", ConfigChange),
    ("Remove the permission check", ConfigChange),
    ("Add a new endpoint", NewFeature),
    ("Add a button", NewFeature),
    ("Add an export button to the page", NewFeature),
    ("Fix the login and add a page for teams", NewFeature),
    ("Create a dashboard", NewFeature),
    ("Build workout analytics dashboard", NewFeature),
    ("Implement dark mode", NewFeature),
    ("Document the API and implement pagination", NewFeature),
    ("Fix the bug by adding a new screen", NewFeature),
    ("Allow users to export their data", NewFeature),
    ("Let customers pick a theme", NewFeature),
    ("Add a new thing", NewFeature),
    ("New landing page", NewFeature),
    ("Redesign the header", NewFeature),
    ("Integrate Strava", NewFeature),
    ("Expose the totals in the API", NewFeature),
    ("Change the color of the header", NewFeature),
    ("Add CSV export", NewFeature),
    ("Add Google login", NewFeature),
    ("Make a new settings-less onboarding", NewFeature),
];

/// Texts that only mention such things.
const OPEN: &[&str] = &[
    "Fix crash when sending mail fails",
    "Document the email settings page",
    "Optimize the push notification query",
    "Speed up the release build",
    "Fix the send button",
    "Fix mails that are sent twice",
    "Fix bug where users send empty posts",
    "Fix emails to clients being garbled",
    "Fix failing to send mails over IPv6",
    "Mails fail to send when the queue is full",
    "Document how to deploy the service",
    "Explain how to publish a package",
    "Document the deploy and release process",
    "Document git push hooks",
    "Fix git push hook crash",
    "Improve the email template rendering",
    "Email validation rejects plus signs",
    "Mail queue stuck after restart",
    "Post list page loads slowly",
    "Push notifications arrive twice",
    "Release build takes 20 minutes",
    "Deploy fails on arm",
    "Charge calculation is off by one cent",
    "Upload fails for large files",
    "Sending mail fails on Windows",
    "Publishing takes too long",
    "Reduce the time to deploy",
    "Fix crash when users change their password",
    "Fix the password reset page",
    "Fix settings page layout bug",
    "Fix error in the permission check",
    "Fix token refresh",
    "Fix config parser crash on empty file",
    "Refactor the config loader",
    "Optimize the token cache",
    "Update the token parser",
    "Speed up loading of settings",
    "Make config loading faster",
    "Update the settings documentation",
    "Update docs for login and settings",
    "Update README about environment variables",
    "Write tests for the password reset",
    "Add tests and docs for the settings module",
    "Add comments to the permissions module",
    "Document secrets handling",
    "Document the roles, permissions and access control",
    "Explain the configuration",
    "Review the permissions",
    "Add missing null check in config",
    "Add docs for the new endpoint",
    "Add tests for the export button",
    "Create API documentation",
    "Build API documentation",
    "Document fitness API endpoints",
    "Add index on users.email",
    "Add caching to the dashboard",
    "Add retries to the mail worker",
    "Add error handling to the upload form",
    "Implement log rotation",
    "Implement caching for the report",
    "Optimize nutrition calculations",
    "Optimize database queries",
    "Make the dashboard faster",
    "Fix dashboard crash on empty data",
    "Fix button alignment on the login page",
    "Fix crash when the user clicks the new button",
    "Clean up old logs",
    "Rotate large log files",
    "Vacuum the database",
    "Release the lock on error",
    "Fix memory not being released",
    "Improve response time of the search page",
    "Reduce memory use of the mail parser",
    "Fix race in the deploy script",
    "Don't send mails twice",
    "Fix typo in the release notes",
    "Analyze workout patterns",
    "Fix slow query in production",
    "Refresh the cache",
    "Fix N+1 queries in the post feed",
    "Handle refunds with a zero amount",
    "Prevent users from posting twice",
    "Stop sending emails to customers twice",
    "Update the release notes",
    "Fix typo in the deploy section of the README",
    "Reduce the bundle size of the landing page",
    "Add unit tests for the send endpoint",
    "Add logging to the deploy script",
    "Optimize image upload",
    "Cache API calls to Stripe",
    "Batch push requests",
    "Handle timeouts when calling the Stripe API",
    "Simplify the mail sending code",
    "Update comments in the mailer",
    "Rename a variable in the token parser",
    "Remove unused imports from the settings module",
    "Remove dead code",
    "Delete old log files",
    "Clean up temporary tables in the database",
    "Database optimization",
    "Log rotation",
    "README updates",
    "Edge case handling",
    "Fix 500 when posting a comment",
    "Investigate why deploys are slow",
    "Test sending with an empty body",
    "Load settings lazily",
    "Cache the settings",
    "docs: describe the release steps",
    "fix(mailer): crash on an empty list",
    "chore: rotate logs",
    "Optimize push",
    "Fix permission denied error in the backup script",
    "Reduce calls to the Stripe API",
    "Improve error messages when the config is invalid",
    "Optimize the query that loads all users for the newsletter",
    "Fix timezone bug in the scheduled posts",
    "Set up log rotation",
    "Speed up the search page",
];

#[test]
fn an_order_for_something_locked_is_found_whatever_the_label() {
    let missed: Vec<_> = LOCKED
        .iter()
        .flat_map(|(text, category)| {
            [(*text, lock::find(text, ""), category), (*text, lock::find("Fix it", text), category)]
        })
        .filter(|(_, found, category)| found.as_ref().map(|f| f.category) != Some(**category))
        .map(|(text, found, category)| (text, *category, found.map(|f| f.why)))
        .collect();
    assert!(missed.is_empty(), "{missed:#?}");
    for (text, _) in LOCKED {
        for label in Category::ALL {
            assert!(text_lock(text, "", label).is_some());
        }
    }
}

#[test]
fn a_mention_locks_nothing() {
    let locked: Vec<_> = OPEN.iter().filter_map(|text| text_lock(text, "", BugFix).map(|why| (text, why))).collect();
    assert!(locked.is_empty(), "{locked:#?}");
}

#[test]
fn the_reason_names_the_label_and_the_words() {
    let why = text_lock("Document the mailer and send it to all customers", "", Documentation).unwrap();
    assert_eq!(why, "labelled “Documentation”, but its text asks for an external action: “send it to all customers”");
    let why = text_lock("Send it", "", ExternalAction).unwrap();
    assert_eq!(why, "its text asks for an external action: “send it”");
}

#[test]
fn a_category_is_proposed_for_what_is_clear() {
    for (title, wanted) in [
        ("Optimize database queries", Performance),
        ("Optimize nutrition calculations", Performance),
        ("Speed up the release build", Performance),
        ("Reduce load time of the report", Performance),
        ("Fix crash when sending mail fails", BugFix),
        ("Fix slow query in the docs page", BugFix),
        ("Resolve the login error", BugFix),
        ("Build API documentation", Documentation),
        ("Document fitness API endpoints", Documentation),
        ("Update the README", Documentation),
        ("Clean up old logs", Infrastructure),
        ("Rotate large log files", Infrastructure),
        ("Vacuum the database", Infrastructure),
        ("Build workout analytics dashboard", NewFeature),
        ("Send the weekly newsletter", ExternalAction),
        ("Change the admin password", ConfigChange),
    ] {
        let proposal = propose(title, "");
        assert_eq!((proposal.category, proposal.sure), (wanted, true), "{title}: {}", proposal.why);
        assert!(!proposal.why.is_empty());
    }
}

#[test]
fn doubt_is_locked_and_says_so() {
    for title in ["Analyze workout patterns", "Workout patterns", "", "Räum die Küche auf", "The thing from yesterday"]
    {
        let proposal = propose(title, "");
        assert_eq!((proposal.category, proposal.sure), (NewFeature, false), "{title}: {}", proposal.why);
        assert!(proposal.why.starts_with("I'm not sure"), "{}", proposal.why);
    }
}

#[test]
fn details_count_and_can_lock() {
    assert_eq!(propose("Report page", "It is slow: the query takes 9 s, optimize the query").category, Performance);
    let smuggled = "The parser fails on empty input.\n\nAfterwards push the branch to origin.";
    assert_eq!(propose("Fix the parser", smuggled).category, ExternalAction);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_order_is_found_wherever_it_stands(
        before in prop::sample::select(OPEN.to_vec()),
        order in prop::sample::select(LOCKED.iter().map(|(text, _)| *text).collect::<Vec<_>>()),
        join in prop::sample::select(vec![". ", "\n", "; ", "\n- ", ".\n\n2. ", "! ", " | "]),
        after in prop::sample::select(OPEN.to_vec()),
    ) {
        let text = format!("{before}{join}{order}{join}{after}");
        prop_assert!(text_lock(&text, "", Performance).is_some(), "{text}");
        prop_assert!(text_lock("Fix it", &text, Performance).is_some(), "{text}");
    }

    #[test]
    fn any_text_gets_an_answer(title in "\\PC{0,80}", details in "([a-z]{1,9}[ ,.\n]|send |to |the |\u{0}|\u{202e}){0,60}") {
        let proposal = propose(&title, &details);
        prop_assert!(proposal.sure || proposal.category == NewFeature);
        if proposal.sure && proposal.category.auto_approved_by_default() {
            prop_assert_eq!(text_lock(&title, &details, proposal.category), None);
        }
    }
}
