//! The HTTP server: a thread of its own, so that a test which blocks its own thread blocks nobody's requests.

use super::answer::{Answer, Refusal};
use super::control;
use super::faults::Fault;
use super::link::{Link, Links};
use super::methods::{self, Call};
use super::record;
use super::requests::{self, Asked};
use super::schema::Schema;
use super::seen::Logged;
use super::updates::{Found, patience};
use super::world::World;
use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};

/// Most bytes of a request: more than the largest file.
pub(crate) const BODY: usize = 64 << 20;

/// What the server and its users share.
pub(crate) struct Shared {
    world: Mutex<World>,
    changed: watch::Sender<u64>,
    pub(crate) token: String,
}

impl Shared {
    pub(crate) fn new(world: World, token: &str) -> Self {
        Self { world: Mutex::new(world), changed: watch::Sender::new(0), token: token.to_owned() }
    }

    /// Looks without telling anybody.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        look(&mut self.world.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes something, and wakes whoever waits for changes.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let changed = self.look(change);
        self.changed.send_modify(|version| *version += 1);
        changed
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

/// A server that runs.
pub(crate) struct Server {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(listener: TcpListener, shared: Arc<Shared>) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let address = listener.local_addr().expect("an address");
            let mut listener = Some(listener);
            loop {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                let listening = listener.take().unwrap_or_else(|| TcpListener::bind(address).expect("the port it had"));
                let outage = runtime.block_on(async {
                    tokio::select! {
                        _ = &mut stopped => None,
                        outage = outage(&shared) => Some(outage),
                        () = serve(listening, Arc::clone(&shared)) => None,
                    }
                });
                // Everything still open ends with its runtime.
                drop(runtime);
                let Some(outage) = outage else { return };
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                let stopped = runtime.block_on(async { tokio::time::timeout(outage, &mut stopped).await.is_ok() });
                if stopped {
                    return;
                }
            }
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in there was already printed.
            drop(thread.join());
        }
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    listener.set_nonblocking(true).expect("a listener that does not block");
    let links = Links(tokio::net::TcpListener::from_std(listener).expect("a listener"));
    let router = Router::new().fallback(handle).layer(DefaultBodyLimit::max(BODY)).with_state(shared);
    axum::serve(links, router.into_make_service_with_connect_info::<Link>()).await.expect("a server without an end");
}

/// How long the next ordered outage lasts; it begins a little later, so that the order's own answer gets out.
async fn outage(shared: &Shared) -> Duration {
    let mut changes = shared.changes();
    loop {
        if let Some(outage) = shared.look(|world| world.outage.take()) {
            tokio::time::sleep(Duration::from_millis(100)).await;
            return outage;
        }
        if changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

async fn handle(State(shared): State<Arc<Shared>>, ConnectInfo(link): ConnectInfo<Link>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    if let Some(order) = path.strip_prefix("/control/") {
        return control::handle(&shared, order, request).await;
    }
    if let Some(rest) = path.strip_prefix("/file/bot") {
        return file(&shared, rest);
    }
    let Some((token, method)) = path.strip_prefix("/bot").and_then(|rest| rest.split_once('/')) else {
        return answered(Err(Refusal::new(404, "Not Found")));
    };
    if token != shared.token {
        return answered(Err(Refusal::new(401, "Unauthorized")));
    }
    let Some((method, fields)) = Schema::get().method(method) else {
        let unknown = format!("unknown method {method:?}");
        shared.change(|world| world.violations.push(unknown));
        return answered(Err(Refusal::new(404, "Not Found: method not found")));
    };
    let asked = requests::read(request, fields).await;
    let noted = record::noted(method, asked.as_ref().ok());
    let before = shared.look(|world| world.violations.len());
    let response = answer(&shared, &link, method, asked).await;
    record::write(noted, shared.look(|world| world.violations.len()) > before);
    response
}

async fn answer(shared: &Shared, link: &Link, method: &str, asked: Result<Asked, Refusal>) -> Response {
    let (call, fault) = match begin(shared, method, asked) {
        Ok(begun) => begun,
        Err(refusal) => return answered(Err(refusal)),
    };
    match fault {
        Some(Fault::Refuses(refusal)) => return answered(Err(refusal)),
        Some(Fault::Hangs) => return std::future::pending().await,
        Some(Fault::Drops) => {
            link.cut();
            return answered(Ok(Value::Null));
        }
        Some(Fault::Slow(time)) => tokio::time::sleep(time).await,
        Some(Fault::Truncates | Fault::LosesAnswer) | None => {}
    }
    let answer = if call.method == "getUpdates" { poll(shared, &call).await } else { perform(shared, &call) };
    match fault {
        Some(Fault::LosesAnswer) => link.cut(),
        Some(Fault::Truncates) => {
            let whole = json!({ "ok": true, "result": answer.unwrap_or_default() }).to_string();
            let half: String = whole.chars().take(whole.chars().count() / 2).collect();
            return json_response(StatusCode::OK, half);
        }
        _ => {}
    }
    answered(answer)
}

/// Counts and checks a request, and finds the fault it meets.
fn begin(shared: &Shared, method: &str, asked: Result<Asked, Refusal>) -> Result<(Call, Option<Fault>), Refusal> {
    shared.change(|world| {
        let Asked { params, files, .. } = asked.unwrap_or_else(|refusal| Asked::unreadable(&refusal));
        let call = Call { method: method.to_owned(), params, files };
        world.log.push(Logged { method: method.to_owned(), params: Value::Object(call.params.clone()) });
        let checked = methods::check(&call);
        note(world, &call, checked.as_ref().err());
        checked?;
        let fault = world.faults.take(method);
        Ok((call, fault))
    })
}

fn note(world: &mut World, call: &Call, refusal: Option<&Refusal>) {
    if let Some(violation) = refusal.and_then(|refusal| refusal.violation.as_ref()) {
        world.violations.push(format!("{}: {violation}", call.method));
    }
}

fn perform(shared: &Shared, call: &Call) -> Answer {
    shared.change(|world| {
        let answer = world.call(call);
        note(world, call, answer.as_ref().err());
        let wrong = answer.as_ref().ok().and_then(|result| methods::check_result(&call.method, result).err());
        world.violations.extend(wrong.map(|problem| format!("the fake's own: {problem}")));
        answer
    })
}

async fn poll(shared: &Shared, call: &Call) -> Answer {
    let deadline = Instant::now() + patience(call.number("timeout").unwrap_or_default());
    let allowed = call
        .params
        .contains_key("allowed_updates")
        .then(|| call.list("allowed_updates").iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>());
    let mut changes = shared.changes();
    let poll = shared.change(|world| {
        let known: Vec<&str> = Schema::get().update_kinds().collect();
        let unknown = allowed.iter().flatten().filter(|kind| !known.contains(&kind.as_str()));
        let unknown: Vec<String> = unknown.map(|kind| format!("getUpdates: there are no updates {kind:?}")).collect();
        world.violations.extend(unknown);
        let limit = call.number("limit").unwrap_or(100);
        if !(1..=100).contains(&limit) {
            world.violations.push(format!("getUpdates: limit must be between 1 and 100, got {limit}"));
        }
        world.queue.begin(call.number("offset").unwrap_or_default(), limit, allowed)
    });
    loop {
        changes.borrow_and_update();
        let found = shared.look(|world| {
            let now = world.now();
            if !world.webhook.is_empty() {
                let why = "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first";
                return Err(Refusal::new(409, format!("Conflict: {why}")));
            }
            world.queue.look(poll, now)
        })?;
        let until = match found {
            Found::Updates(updates) => return Ok(updates.into()),
            Found::Nothing(_) if Instant::now() >= deadline => return Ok(json!([])),
            Found::Nothing(again) => again.map_or(deadline, |again| again.min(deadline)),
        };
        tokio::select! {
            _ = changes.changed() => {}
            () = tokio::time::sleep_until(until.into()) => {}
        }
    }
}

fn file(shared: &Shared, rest: &str) -> Response {
    let Some((token, path)) = rest.split_once('/') else { return answered(Err(Refusal::new(404, "Not Found"))) };
    if token != shared.token {
        return answered(Err(Refusal::new(401, "Unauthorized")));
    }
    // teloxide writes the path's slash as %2F, which Telegram reads as a slash.
    let path = path.replace("%2F", "/");
    let found = shared.look(|world| world.files.values().find(|stored| stored.path == path).map(|s| s.bytes.clone()));
    found.map_or_else(|| answered(Err(Refusal::new(404, "Not Found"))), IntoResponse::into_response)
}

fn answered(answer: Answer) -> Response {
    match answer {
        Ok(result) => json_response(StatusCode::OK, json!({ "ok": true, "result": result }).to_string()),
        Err(refusal) => {
            let status = StatusCode::from_u16(refusal.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            json_response(status, refusal.body().to_string())
        }
    }
}

pub(crate) fn json_response(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}
