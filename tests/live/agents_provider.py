"""The scripted model of tests/live/agents: what it answers to each build, and the provider in front of it with its limits."""

import http.client
import http.server
import json
import re
import threading
import time

SPEED = 60
EVENING = 1773529080  # 2026-03-14T22:58:00Z
# How long after it is met a limit ends, in seconds of the bot's clock.
LIMIT = 1200
# Which request of a build meets the usage limit: the one after its first edit.
LIMITED = {"claude": 3, "codex": 2, "opencode": 3}
QUESTION, ANSWER = "Round a discount up or down?", "Round down, as the receipts do"
# What mends the project, and the same as commands.
EDITS = [("sum(prices[1:])", "sum(prices)"), ("percent // 10", "percent // 100")]
SED = ["sed -i 's/prices.1:./prices/' basket.py", "sed -i 's/percent .. 10$/percent \\/\\/ 100/' basket.py"]


class Provider(http.server.BaseHTTPRequestHandler):
    """Passes on to the scripted model, but for one request of a build, and what it asks from then on until the reset."""

    protocol_version = "HTTP/1.1"
    model = 0
    began = 0.0
    asked = {}
    bodies = {}
    stated = {}
    lock = threading.Lock()

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.pass_on(b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        told = re.search(rb"Mend the basket of (\w+)", body)
        # OpenCode has a title made for its conversation, without tools.
        works = told and b'"tools"' in body
        name = told[1].decode() if works else None
        with Provider.lock:
            Provider.asked[name] = Provider.asked.get(name, 0) + 1
            Provider.bodies[name] = Provider.bodies.get(name, b"") + body
            now = int(EVENING + (time.time() - Provider.began) * SPEED)
            limited = LIMITED.get(name) == Provider.asked[name] or now < Provider.stated.get(name, 0)
            if limited:
                Provider.stated.setdefault(name, now + LIMIT)
        if limited:
            self.limit(name)
        else:
            self.pass_on(body)

    def limit(self, name):
        # As each provider says it: Claude's and Codex' state a time, here by the bot's clock, which runs fast; what
        # OpenCode talks to says how long.
        reset = Provider.stated[name]
        headers, error = {}, {"type": "usage_limit_reached", "message": "The usage limit has been reached", "plan_type": "plus",
                              "resets_at": reset, "resets_in_seconds": LIMIT}
        if name == "claude":
            error = {"type": "rate_limit_error", "message": "This request would exceed your account's rate limit."}
            headers = {"anthropic-ratelimit-unified-status": "rejected", "anthropic-ratelimit-unified-reset": str(reset),
                       "anthropic-ratelimit-unified-representative-claim": "five_hour", "x-should-retry": "false"}
        if name == "opencode":
            error = {"type": "rate_limit_error", "message": "You have used up what your plan allows for now."}
            headers = {"retry-after": str(LIMIT)}
        text = json.dumps({"type": "error", "error": error}).encode()
        self.answer(429, {**headers, "Content-Type": "application/json"}, text)

    def pass_on(self, body):
        model = http.client.HTTPConnection("127.0.0.1", Provider.model, timeout=60)
        kept = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection", "accept-encoding")}
        model.request(self.command, self.path, body, kept)
        answer = model.getresponse()
        self.answer(answer.status, {"Content-Type": answer.getheader("Content-Type") or "application/json"}, answer.read())

    def answer(self, status, headers, text):
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(text))}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(text)


def script():
    """What the model answers to each build, one after the other; a request that met the limit is not counted."""
    def bash(command):
        return [("Bash", {"command": command})]

    claude_edits = [[("Edit", {"file_path": "basket.py", "old_string": old, "new_string": new})] for old, new in EDITS]
    # Both keep a list of what is to do, and have done half of it: that is how far they are.
    tasks = [("TaskCreate", {"subject": what, "description": what, "activeForm": what}) for what in ("Mend total", "Mend discounts")]
    tasks.append(("TaskUpdate", {"taskId": "1", "status": "completed"}))
    todo = {"todos": [{"id": "1", "content": "Find it", "status": "completed", "priority": "high"},
                      {"id": "2", "content": "Mend it", "status": "in_progress", "priority": "high"}]}
    edits = [[("edit", {"filePath": "basket.py", "oldString": old, "newString": new})] for old, new in EDITS]
    steps = {
        "claude": [[*tasks, ("Read", {"file_path": "basket.py"})], *claude_edits, bash("python3 -m unittest"), "Done."],
        "codex": [[("exec_command", {"cmd": edit})] for edit in SED] + ["Done."],
        "opencode": [[("todowrite", todo), ("read", {"filePath": "basket.py"})], *edits, "Done."],
        "pusher": [bash(" && ".join(SED)), bash("git push origin HEAD"), "Done, and pushed."],
        "asker": [bash(SED[0]), f"One is mended.\n\nQUESTION: {QUESTION}", bash(SED[1]), "Done."],
    }
    fixtures = [{"match": {"systemMessage": "title generator"}, "response": {"content": "A basket"}}]
    for name, answers in steps.items():
        for at, step in enumerate(answers):
            response = {"content": step}
            if not isinstance(step, str):
                calls = [{"id": f"call_{name}_{at}_{n}", "name": tool, "arguments": arguments} for n, (tool, arguments) in enumerate(step)]
                response = {"content": "On it.", "toolCalls": calls, "usage": {"input_tokens": 1200, "output_tokens": 55}}
            fixtures.append({"match": {"userMessage": f"Mend the basket of {name}", "sequenceIndex": at}, "response": response})
    fixtures.append({"match": {}, "response": {"content": "Nobody wrote what comes here."}})
    return {"fixtures": fixtures}
