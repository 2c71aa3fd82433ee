//! The word lists of the rules. English only: a text in another language is not recognised as locked by its words, so it
//! is the category, the approval and the look at the diff that hold there.

use std::collections::HashSet;
use std::sync::OnceLock;

/// A list of words, split on first use.
pub(super) struct Words {
    text: &'static str,
    set: OnceLock<HashSet<&'static str>>,
}

impl Words {
    pub(super) const fn new(text: &'static str) -> Self {
        Self { text, set: OnceLock::new() }
    }

    /// Whether `word`, lower-case, is one of them.
    pub(super) fn has(&self, word: &str) -> bool {
        self.set.get_or_init(|| self.text.split_ascii_whitespace().collect()).contains(word)
    }
}

/// Forms of a verb that acts on the world outside.
pub(super) struct Verb {
    pub(super) base: &'static str,
    pub(super) gerund: &'static str,
    pub(super) participle: &'static str,
    pub(super) third: &'static str,
    /// Also an everyday noun: "the release", "a push".
    pub(super) noun: bool,
}

const fn verb(
    base: &'static str,
    gerund: &'static str,
    participle: &'static str,
    third: &'static str,
    noun: bool,
) -> Verb {
    Verb { base, gerund, participle, third, noun }
}

/// Verbs that reach other people or systems.
pub(super) const OUTSIDE: &[Verb] = &[
    verb("send", "sending", "sent", "sends", false),
    verb("resend", "resending", "resent", "resends", false),
    verb("email", "emailing", "emailed", "emails", true),
    verb("mail", "mailing", "mailed", "mails", true),
    verb("post", "posting", "posted", "posts", true),
    verb("repost", "reposting", "reposted", "reposts", true),
    verb("publish", "publishing", "published", "publishes", false),
    verb("republish", "republishing", "republished", "republishes", false),
    verb("deploy", "deploying", "deployed", "deploys", true),
    verb("redeploy", "redeploying", "redeployed", "redeploys", true),
    verb("release", "releasing", "released", "releases", true),
    verb("push", "pushing", "pushed", "pushes", true),
    verb("notify", "notifying", "notified", "notifies", false),
    verb("tweet", "tweeting", "tweeted", "tweets", true),
    verb("announce", "announcing", "announced", "announces", false),
    verb("broadcast", "broadcasting", "broadcasted", "broadcasts", true),
    verb("charge", "charging", "charged", "charges", true),
    verb("refund", "refunding", "refunded", "refunds", true),
    verb("pay", "paying", "paid", "pays", false),
    verb("buy", "buying", "bought", "buys", false),
    verb("purchase", "purchasing", "purchased", "purchases", true),
    verb("submit", "submitting", "submitted", "submits", true),
    verb("upload", "uploading", "uploaded", "uploads", true),
    verb("ship", "shipping", "shipped", "ships", true),
    verb("invite", "inviting", "invited", "invites", true),
    verb("subscribe", "subscribing", "subscribed", "subscribes", false),
    verb("unsubscribe", "unsubscribing", "unsubscribed", "unsubscribes", false),
    verb("forward", "forwarding", "forwarded", "forwards", true),
    verb("share", "sharing", "shared", "shares", true),
    verb("transfer", "transferring", "transferred", "transfers", true),
    verb("launch", "launching", "launched", "launches", true),
    verb("sms", "", "", "", true),
    verb("dm", "", "", "", true),
];

/// Verbs that reach people only when people stand after them.
pub(super) static TO_PEOPLE: Words = Words::new(
    "tell inform contact message text ping remind alert warn ask write reply respond call phone bill invoice spam thank \
     apologize apologise congratulate nag chase poke nudge meet brief fax survey poll introduce",
);

/// Programs that talk to other machines.
pub(super) static REMOTE_PROGRAMS: Words =
    Words::new("curl wget ssh scp rsync sftp kubectl terraform ansible ansible-playbook helm");

/// Programs whose push or publish is one.
pub(super) static TOOLS: Words =
    Words::new("git gh npm yarn pnpm cargo docker podman twine poetry gem fly vercel heroku");

/// Who or what something goes out to.
pub(super) static RECIPIENTS: Words = Words::new(
    "customer customers user users client clients subscriber subscribers everyone everybody somebody someone team \
     teams members people contacts leads investors partner partners vendor vendors public followers audience \
     world press staff employees colleagues coworkers boss ceo manager support friends family patients students \
     parents me him her them us admins admin provider supplier landlord accountant bank sponsor sponsors tester testers \
     maintainer maintainers reviewer reviewers stakeholder stakeholders management sales marketing developers devs \
     reporter reporters contributor contributors hoster subscribers journalist journalists community mom mum dad wife husband buyer buyers tenant tenants lawyer \
     slack twitter facebook instagram linkedin reddit mastodon youtube tiktok discord \
     telegram whatsapp github gitlab npm pypi crates dockerhub production prod live staging master main origin \
     upstream app-store appstore s3 cdn stripe paypal twilio sendgrid mailchimp zapier salesforce hubspot",
);

/// What marks a call as one to somebody else's system.
pub(super) static FOREIGN: Words = Words::new(
    "external third-party 3rd-party thirdparty vendor partner stripe paypal twilio sendgrid mailchimp slack \
     twitter facebook instagram linkedin github google aws openai salesforce hubspot webhook webhooks production \
     prod live bank payment",
);

/// Verbs that call something.
pub(super) static CALLS: Words = Words::new("call invoke hit trigger request query");

/// Nouns that follow another noun: after one of them, "push", "email" or "release" is no order.
pub(super) static COMPOUND: Words = Words::new(
    "page pages settings setting query queries template templates build builds script scripts job jobs queue \
     queues worker workers handler handlers notification notifications form forms list lists endpoint endpoints \
     service services module modules parser test tests logic function class component button buttons bug bugs \
     error errors crash crashes failure failures log logs table tables index cache pipeline pipelines process \
     workflow workflows documentation notes stack graph api url urls validation validator address addresses field \
     fields client server sender regex header headers rendering column columns calculation calculations link \
     links history status state mortem processing processor hook hooks event events subscription flow step steps \
     time times size mode branch branches latency performance throughput format formatting encoding detection \
     counter count counts limit buffer token tokens feed model schema screen view dialog preview previews editor \
     search path request requests response delivery code-path box inbox bounce bounces retry retries rate system \
     subsystem backend frontend controller route timeout timeouts checklist procedure guide candidate version \
     artifact artifacts key keys mechanism feature method operation operations loop thread threads action \
     callback callbacks order config configuration",
);

/// After an order that is never a noun, only these make it one: "send button".
pub(super) static COMPOUND_STRICT: Words = Words::new(
    "button endpoint handler function method buffer loop thread path error errors timeout rate logic latency \
     performance queue workflow job step failure failures button's",
);

/// What is released, pushed or sent inside a program.
pub(super) static RESOURCES: Words = Words::new(
    "lock locks mutex memory connection connections handle handles semaphore buffer buffers descriptor \
     descriptors resources lease leases",
);

/// What goes between the parts of a program.
pub(super) static TRAFFIC: Words = Words::new(
    "query queries request requests byte bytes packet packets header headers chunk chunks frame frames etag response \
     responses signal signals ack heartbeat heartbeats value values element elements item items state node nodes",
);

/// Verbs in the form that only a statement has.
pub(super) static FINITE: Words = Words::new(
    "fails crashes hangs throws panics leaks takes doesn't doesnt does loses duplicates ignores returns rejects is are \
     isn't isnt aren't arent never raises blocks overflows deadlocks drops breaks shows stays covers overlaps gets \
     disappears freezes flickers exits swallows truncates overwrites skips appears keeps looks can't cant cannot won't",
);

/// Words that tell of a fault rather than give an order.
pub(super) static FAULT: Words = Words::new(
    "fail fails failing failed broken breaks crash crashes crashing hang hangs hanging slow slowly stuck throws \
     errors panics leaks wrong missing takes doesn't does loses duplicates twice ignores returns rejects times \
     arrive arrives is are isn't aren't never raises blocks overflows deadlocks drops",
);

/// Before a noun; after a verb.
pub(super) static DETERMINERS: Words = Words::new(
    "the a an this that these those our my your their its his her all every each any some it them him everyone \
     everybody both new one",
);

/// Before a word that is then no order although its form would allow it.
pub(super) static NOUN_CUES: Words = Words::new(
    "the a an this that these those our my your their its every each any some of for in on from with per slow \
     broken failed failing last previous nightly weekly daily duplicate duplicated missing old up during between \
     no",
);

/// Before an order in the middle of a clause.
pub(super) static ORDER_CUES: Words = Words::new(
    "to will shall must should can could would please you we i they auto automatically immediately directly just \
     now always finally go let's lets done it bot afterwards quickly simply do",
);

/// Skipped at the start of a clause.
pub(super) static FILLERS: Words = Words::new(
    "please pls plz kindly finally next afterwards additionally kindly now can could would will you we i should must need needs \
     to let's lets want just go ahead first firstly second secondly third lastly step todo task urgent quickly \
     simply immediately automatically directly have be sure hey ok okay jarvis still always afterward later \
     tonight tomorrow today that don't-forget it's time lets gotta remember maybe quick small force",
);

/// Words that end a clause and start another.
pub(super) static CONJUNCTIONS: Words = Words::new("and then also plus but or afterwards so before after once n");

/// After one of these, and after a safe verb, comes the description of a fault.
pub(super) static SUBORDINATORS: Words =
    Words::new("when whenever if while where that which who whose why how because");

/// What stands right before an order that is not meant.
pub(super) static NEGATIONS: Words =
    Words::new("don't dont doesn't doesnt didn't didnt not never cannot can't cant won't wouldn't");

/// "… to send": told of, not asked for.
pub(super) static TOLD_OF: Words = Words::new(
    "fail fails failed failing failure unable inability tries trying tried attempts attempting attempted refuses \
     how used slow",
);

/// Verbs that change or describe the code at hand and nothing outside.
pub(super) static SAFE_VERBS: Words = Words::new(
    "fix repair resolve correct debug handle prevent avoid stop investigate optimize optimise speed improve \
     reduce accelerate tune profile benchmark measure refactor simplify test cache document describe explain \
     comment analyze analyse review audit summarize summarise research list verify check clarify parallelize \
     batch minimize minimise harden catch log trace",
);

/// Verbs that only describe.
pub(super) static DESCRIBING: Words = Words::new(
    "document describe explain comment analyze analyse review summarize summarise research clarify investigate",
);

/// Verbs that, with a noun of [`EVENTS`], act outside.
pub(super) static PERFORM: Words = Words::new(
    "do make perform trigger start run execute cut initiate schedule create write draft compose kick place issue \
     prepare open file raise",
);

/// Of [`PERFORM`], those that act whatever stands after the noun: "run the deploy script".
pub(super) static RUN: Words = Words::new("run execute trigger start kick initiate perform do");

/// Nouns that are actions outside.
pub(super) static EVENTS: Words = Words::new(
    "release deploy deployment redeploy redeployment rollout post posts tweet tweets email emails mail mails \
     newsletter newsletters campaign campaigns announcement announcements refund refunds payment payments \
     publication push invoice invoices invitation invitations purchase broadcast launch mailing pullrequest \
     ticket tickets pr prs mr",
);

/// Orders of several words, by their words.
pub(super) const OUTSIDE_PHRASES: &[&str] = &[
    " go live ",
    " goes live ",
    " going live ",
    " roll out ",
    " roll it out ",
    " rolled out ",
    " make it public ",
    " make public ",
    " make this public ",
    " put it online ",
    " put online ",
    " reach out ",
    " go out to ",
    " goes out to ",
    " get in touch ",
    " out to customers ",
    " out to users ",
    " spread the word ",
];

/// What is done to a live system.
pub(super) static LIVE_VERBS: Words = Words::new(
    "run kick start trigger apply migrate restart reboot delete drop truncate wipe execute change update switch roll install upgrade \
     clear purge flush shut stop kill reset restore vacuum",
);

/// Verbs that, with "to" one of [`SYSTEMS`], move data out.
pub(super) static MOVE_OUT: Words = Words::new(
    "sync export copy import stream connect move migrate write save store report backup back mirror replicate \
     hook link file open put add log commit merge sign register",
);

/// Systems of others, and live ones.
pub(super) static SYSTEMS: Words = Words::new(
    "slack twitter facebook instagram linkedin reddit mastodon youtube tiktok discord telegram whatsapp github \
     gitlab npm pypi crates dockerhub production prod live origin upstream s3 cdn stripe paypal twilio \
     sendgrid mailchimp zapier salesforce hubspot google aws notion jira app-store cdn testflight",
);

/// Live systems.
pub(super) static LIVE: Words = Words::new("production prod live");

/// Settings, secrets and rights.
pub(super) static CONFIG: Words = Words::new(
    "default defaults password passwords passwd passphrase passphrases secret secrets token tokens credential \
     credentials permission permissions setting settings env .env envvar config configs configuration \
     configurations acl acls firewall apikey accesscontrol privilege privileges sudoers featureflag sshkey \
     privatekey certificate certificates authorized_keys role roles crontab cors login-data admin admins \
     administrator superuser sudo dns cert certs spf dkim dmarc mx cname nameserver dsn cron loglevel \
     passcode pin vpn allowlist whitelist blocklist webhooksecret",
);

/// What has a limit that somebody set.
pub(super) static LIMITS: Words = Words::new(
    "limit limits size count timeout timeouts memory max maximum min minimum pool ttl lifetime interval retention heap \
     workers worker threads replicas ratelimit port ports level threshold quota rate schedule delay connections concurrency \
     frequency retries verbosity",
);

/// Programs that are configured where they run.
pub(super) static SERVERS: Words = Words::new(
    "nginx apache haproxy postgres postgresql mysql mariadb redis systemd kubernetes k8s cloudflare traefik caddy \
     grafana prometheus sshd iptables ufw",
);

/// Places for files, of which "public" is a setting.
pub(super) static STORES: Words = Words::new("bucket buckets folder folders directory directories port share volume");

/// Where running systems are.
pub(super) static PLACES: Words =
    Words::new("server servers production prod live staging cluster host gateway vps box");

/// Protections: switching one off or on is a change of access.
pub(super) static PROTECTIONS: Words = Words::new(
    "auth authentication authorization authorisation 2fa mfa tls ssl https cors csrf sandbox firewall two-factor \
     encryption access ip ips login signature antivirus selinux verification captcha \
     rate-limit ratelimit moderation backups monitoring alerts alerting firewall's vpn sso",
);

/// What is done to a protection.
pub(super) static SWITCH: Words = Words::new(
    "disable enable bypass skip turn remove relax loosen weaken grant revoke give restrict deny require block unblock ban unban allow",
);

/// What changes a setting, or lets a secret out.
pub(super) static CHANGE: Words = Words::new(
    "open close block whitelist allowlist change set reset update rotate renew replace add remove delete create \
     grant revoke give allow deny enable disable modify edit adjust tweak switch turn configure reconfigure store \
     save commit hardcode hard-code rename migrate move generate regenerate put insert write overwrite override \
     drop purge expose share print dump copy extract reveal show upload increase decrease raise lower bump relax \
     tighten loosen bypass use read fetch get steal assign invalidate swap tune build implement introduce install \
     import export leak unlock",
);

/// After a setting's name these make it a piece of code.
pub(super) static CODE_NOUNS: Words = Words::new(
    "code parser parsing loader loading lexer tokenizer module modules class classes function method test tests cache \
     caching query queries table index serializer struct type types bug bugs error errors message messages \
     warning warnings helper helpers util utils utility utilities library lib struct structs middleware component \
     constant macro logic validator hashing field typo typos comment comments bucket count counter docs doc documentation readme guide \
     reference refresh page's benchmark lookup lookups stream",
);

/// Further names that only who works on the code knows.
pub(super) static NAMED_IN_CODE: Words = Words::new(
    "variable variables file files folder folders directory directories package packages crate crates field column columns \
     trait traits interface interfaces parameter parameters argument arguments constants enum enums namespace member \
     members property properties attribute attributes migration migrations branch branches fixture \
     fixtures schema job script scripts target targets dto model models identifier identifiers symbol symbols",
);

/// Objects that are never a feature by themselves, and that take the edge off a setting behind a preposition.
pub(super) static HARMLESS: Words = Words::new(
    "test tests doc docs documentation comment comments docstring docstrings readme changelog guide guides \
     handling index indexes indices cache caches caching logging log logs retry retries backoff timeout timeouts \
     example examples check checks benchmark benchmarks backup backups type types annotation annotations guard \
     guards assertion assertions rotation pooling batching memoization compression cleanup vacuum loading \
     prefetching debouncing throttling fix fixes workaround optimization optimizations algorithm imports code \
     typo typos reference coverage lint lints specification spec swagger diagram diagrams explanation overview \
     description notes tracing pool job jobs parser architecture",
);

/// Documentation and tests.
pub(super) static TEXT_OR_TEST: Words = Words::new(
    "test tests doc docs documentation comment comments docstring docstrings readme changelog guide guides \
     example examples reference wiki manual handbook runbook faq glossary troubleshooting quickstart howto typo typos \
     diagram diagrams tutorial",
);

/// What a user sees or calls.
pub(super) static FEATURES: Words = Words::new(
    "color colors colour colours font fonts wording style styles styling label labels endpoint endpoints button \
     buttons page pages ui ux gui screen screens view views dashboard dashboards feature features form forms \
     modal dialog tab tabs menu menus widget widgets chart charts route routes api apis command commands option \
     options flag flags toggle theme themes mode integration integrations signup sign-up login checkout \
     notification notifications banner popup pop-up wizard filter filters search export exports import app bot \
     website site icon icons link links webhook webhooks subscription subscriptions feed plugin plugins layout \
     sidebar navbar header footer dropdown checkbox tooltip onboarding upload report reports leaderboard profile \
     badge badges pagination support sorting autocomplete translation translations field section method methods \
     tool screenshot newsletter animation logo calendar chat",
);

/// Verbs that make something new unless what they make is harmless.
pub(super) static MAKE_NEW: Words =
    Words::new("build implement introduce develop design launch redesign restyle support integrate expose offer");

/// Verbs that make something new when their object is a feature, or called new.
pub(super) static ADD: Words = Words::new(
    "add create make provide show display enable put insert include write place set render extend change move \
     rename remove delete hide replace update",
);

/// Ends the object of a verb.
pub(super) static PREPOSITIONS: Words = Words::new(
    "for to in on of about with from at by into onto against via using without when whenever if while where that \
     which who because so during within as under over between through per until how why",
);

/// Two words that mean one thing.
pub(super) const PAIRS: &[(&str, &str, &str)] = &[
    ("api", "keys", "apikey"),
    ("access", "keys", "apikey"),
    ("access", "controls", "accesscontrol"),
    ("access", "rights", "accesscontrol"),
    ("admin", "rights", "accesscontrol"),
    ("admin", "access", "accesscontrol"),
    ("write", "access", "accesscontrol"),
    ("read", "access", "accesscontrol"),
    ("environment", "variables", "envvar"),
    ("env", "variables", "envvar"),
    ("env", "vars", "envvar"),
    ("env", "files", ".env"),
    ("ssh", "keys", "sshkey"),
    ("private", "keys", "privatekey"),
    ("signing", "keys", "privatekey"),
    ("encryption", "keys", "privatekey"),
    ("deploy", "keys", "sshkey"),
    ("feature", "flags", "featureflag"),
    ("pull", "requests", "pullrequest"),
    ("merge", "requests", "pullrequest"),
    ("log", "level", "loglevel"),
    ("mailing", "lists", "mailing-list"),
    ("app", "stores", "app-store"),
    ("play", "stores", "app-store"),
    ("rate", "limits", "ratelimit"),
    ("who", "can", "whocan"),
    ("third", "party", "third-party"),
    ("3rd", "party", "3rd-party"),
    ("don't", "forget", "don't-forget"),
];
