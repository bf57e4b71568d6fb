#!/usr/bin/env python3
"""fake_model.py - a scripted model server for testing agent CLIs offline.

Speaks, on 127.0.0.1 only, just enough of four wire protocols for the real CLIs:

  POST .../responses                          OpenAI Responses   (codex)
  POST .../chat/completions                   OpenAI Chat        (opencode, others)
  POST .../messages                           Anthropic Messages (claude)
  POST .../models/M:streamGenerateContent     Gemini             (gemini)
  (plus GET .../models, .../messages/count_tokens, :countTokens, :generateContent)

The script lives in the *prompt*, so the server is stateless and safe under
concurrency and session resume.  A user message may carry directives, executed
one per model round trip (a round trip = one tool result coming back):

  [[run CMD]]        ask for the shell tool with CMD
  [[escalate CMD]]   codex only: run, asking to leave the sandbox (always needs approval)
  [[write PATH]]     ask for the file-writing tool (apply_patch for codex)
  [[say TEXT]]       plain assistant message, ends the turn
  [[think TEXT]]     reasoning summary / thinking block, then a short message
  [[slow N]]         message streamed as N words, one every 0.25 s (for interrupt)
  [[runslow N CMD]]  like run, but the reply is held back N seconds first
  [[error CODE N]]   HTTP error CODE with a protocol-shaped body; with N, Retry-After: N
  [[drop]]           start streaming, then cut the connection
  [[stall]]          start streaming, then send nothing for 600 s
  [[hang]]           accept the request and send nothing for 600 s

With no directive left the reply is "Hello from the fake model.".  Requests that
offer no tools (session titles, routing, summaries) never get more than text; those
that ask for JSON get a value fitting their schema.  Conductor's own chat agents never
offer tools: to them every directive applies, and a model named sonar* gives sources.

In the log, "served" is the number of input tokens that the reply's usage counts.

Usage: fake_model.py [--port 0] [--log FILE.jsonl] [--port-file FILE] [--loopback-up]
Prints "listening http://127.0.0.1:PORT" once ready.  --loopback-up is for a network
namespace of its own, where even the loopback interface is down at first.
"""
import argparse, fcntl, itertools, json, re, socket, struct, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DIRECTIVE = re.compile(r"\[\[(\w+)(?: (.*?))?\]\]", re.S)
DEFAULT = "Hello from the fake model."
SHELL_TOOLS = ("exec_command", "shell_command", "shell", "local_shell", "Bash", "bash", "run_shell_command")
WRITE_TOOLS = ("apply_patch", "Write", "write", "write_file")
IDS = itertools.count(1)
RUN = format(int(time.time() * 1000) & 0xFFFFFF, "06x")
LOG, LOG_LOCK = None, threading.Lock()


def new_id(prefix):
    return f"{prefix}_{RUN}{next(IDS):06d}"


def pick(turns):
    """turns: list of ('user', text) | ('tool', text) | ('assistant', ''), oldest first.

    The newest user text holding a directive is the script; each tool result
    *round* after it (consecutive results count once) consumes one step."""
    start = max((i for i, (who, text) in enumerate(turns)
                 if who == "user" and DIRECTIVE.search(text)), default=None)
    if start is None:
        return "say", DEFAULT
    steps = DIRECTIVE.findall(turns[start][1])
    after = [who for who, _ in turns[start + 1:]]
    done = sum(1 for i, who in enumerate(after)
               if who == "tool" and (i + 1 == len(after) or after[i + 1] != "tool"))
    return steps[done] if done < len(steps) else ("say", DEFAULT)


# --- request -> turns, tools -------------------------------------------------

def said(role, content):
    """One turn per text part: CLIs merge consecutive user messages into one with many parts."""
    if isinstance(content, str):
        return [(role, content)]
    return [(role, p.get("text") or "") for p in content or [] if isinstance(p, dict)]


def read_responses(body):
    items = body.get("input") or []
    if isinstance(items, str):
        return [("user", items)], tool_index(body)
    turns = []
    for it in items:
        kind = it.get("type", "message")
        if kind == "message":
            turns += said(it.get("role"), it.get("content"))
        elif kind.endswith("_output"):
            turns.append(("tool", ""))
        elif kind.endswith("_call"):
            turns.append(("assistant", ""))
    tools = list(body.get("tools") or [])
    for it in items:                              # newer codex models declare tools in the input
        if it.get("type") == "additional_tools":
            tools += it["tools"]
    return turns, tool_index({"tools": tools})


def tool_index(body):
    """name -> the tool's declaration, for OpenAI and Anthropic shaped requests."""
    out = {}
    for t in body.get("tools") or []:
        if t.get("type") == "namespace":
            out.update({n: {**d, "namespace": t["name"]} for n, d in tool_index(t).items()})
            continue
        d = t.get("function") if isinstance(t.get("function"), dict) else t
        out[d.get("name") or t.get("type")] = t
    return out


def read_chat(body):
    turns = []
    for m in body.get("messages", []):
        turns += [("tool", "")] if m["role"] == "tool" else said(m["role"], m.get("content")) or [(m["role"], "")]
    return turns, tool_index(body)


def read_messages(body):
    turns = []
    for m in body.get("messages", []):
        c = m.get("content")
        if isinstance(c, list) and any(p.get("type") == "tool_result" for p in c):
            turns.append(("tool", ""))            # a message typed meanwhile rides in or beside the result
            c = [{"text": str(p.get("content", p.get("text")))} for p in c]
            c = [p for p in c if "new message while you were working" in p["text"]]
        turns += said("assistant" if m["role"] == "assistant" else "user", c)
    return turns, tool_index(body)


def read_gemini(body):
    turns = []
    for c in body.get("contents", []):
        parts = c.get("parts", [])
        if any("functionResponse" in p for p in parts):
            turns.append(("tool", ""))
            parts = [p for p in parts if DIRECTIVE.search(p.get("text") or "")]
        turns += said(c.get("role", "user"), parts)
    names = {f["name"]: f for t in body.get("tools") or [] for f in t.get("functionDeclarations", [])}
    return turns, names


# --- directive -> concrete tool call ----------------------------------------

def tool_call(verb, arg, tools):
    """Return (name, args); args is a str for codex's free-form tools."""
    if tools.get("exec", {}).get("type") == "custom":   # codex "code mode"
        inner, args = tool_call(verb, arg, {"exec_command": {}, "apply_patch": {"type": "custom"}})
        return "exec", f"const r = await tools.{inner}({json.dumps(args)});\ntext(r);\n"
    if verb in ("run", "escalate"):
        name = next((n for n in SHELL_TOOLS if n in tools), SHELL_TOOLS[0])
        key = "cmd" if name == "exec_command" else "command"
        args = {key: arg}
        if name in ("shell", "local_shell"):
            args = {"command": ["bash", "-lc", arg]}
        if verb == "escalate":
            args.update(sandbox_permissions="require_escalated", justification="scripted escalation")
        if name in ("Bash", "bash", "run_shell_command"):
            args["description"] = "scripted command"
        return name, args
    name = next((n for n in WRITE_TOOLS if n in tools), WRITE_TOOLS[0])
    body = "written by the fake model\n"
    if name == "apply_patch":
        patch = f"*** Begin Patch\n*** Add File: {arg}\n+{body}*** End Patch\n"
        return name, patch if tools.get(name, {}).get("type") == "custom" else {"input": patch}
    return name, {"filePath" if name == "write" else "file_path": arg, "content": body}


# --- replies: each generator yields (event name or None, data) ----------------
# reply = dict(text=..., think=..., call=(name, args) or None, words=[...], delay=s)

def input_of(body):
    return len(json.dumps(body)) // 4


def usage_of(body, reply):
    return input_of(body), max(1, len(reply["text"]) // 4 + (20 if reply["call"] else 0))


def out_responses(body, r):
    rid, (tin, tout) = new_id("resp"), usage_of(body, r)
    yield "response.created", {"type": "response.created", "response": {"id": rid}}
    n = 0
    if r["think"]:
        item = {"type": "reasoning", "id": new_id("rs"), "summary": [], "encrypted_content": "eA=="}
        yield "", {"type": "response.output_item.added", "output_index": n, "item": item}
        yield "", {"type": "response.reasoning_summary_part.added", "item_id": item["id"], "summary_index": 0}
        yield "", {"type": "response.reasoning_summary_text.delta", "item_id": item["id"],
                   "summary_index": 0, "delta": r["think"]}
        yield "", {"type": "response.output_item.done", "output_index": n,
                   "item": {**item, "summary": [{"type": "summary_text", "text": r["think"]}]}}
        n += 1
    if r["text"]:
        item = {"type": "message", "role": "assistant", "id": new_id("msg"), "content": []}
        yield "", {"type": "response.output_item.added", "output_index": n, "item": item}
        for w in r["words"]:
            yield "", {"type": "response.output_text.delta", "item_id": item["id"],
                       "output_index": n, "content_index": 0, "delta": w}
            time.sleep(r["delay"])
        yield "", {"type": "response.output_item.done", "output_index": n,
                   "item": {**item, "content": [{"type": "output_text", "text": r["text"]}]}}
        n += 1
    if r["call"]:
        name, args = r["call"]
        item = {"id": new_id("fc"), "call_id": new_id("call"), "name": name, "status": "completed"}
        if r["namespace"]:
            item["namespace"] = r["namespace"]
        item.update({"type": "custom_tool_call", "input": args} if isinstance(args, str) else
                    {"type": "function_call", "arguments": json.dumps(args)})
        yield "", {"type": "response.output_item.added", "output_index": n, "item": item}
        yield "", {"type": "response.output_item.done", "output_index": n, "item": item}
    yield "", {"type": "response.completed", "response": {"id": rid, "usage": {
        "input_tokens": tin, "input_tokens_details": {"cached_tokens": tin // 2}, "output_tokens": tout,
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": tin + tout}}}


def out_chat(body, r):
    head = {"id": new_id("chatcmpl"), "object": "chat.completion.chunk", "created": int(time.time()),
            "model": body.get("model")}

    def chunk(delta, finish=None):
        return None, {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    if str(body.get("model")).startswith("sonar"):
        head["citations"] = ["https://one.example/", "https://two.example/"]
        head["search_results"] = [{"title": "One", "url": "https://one.example/"}]
    yield chunk({"role": "assistant", "content": ""})
    for w in r["words"]:
        yield chunk({"content": w})
        time.sleep(r["delay"])
    if r["call"]:
        name, args = r["call"]
        yield chunk({"tool_calls": [{"index": 0, "id": new_id("call"), "type": "function",
                                     "function": {"name": name, "arguments": json.dumps(args)}}]})
    yield chunk({}, "tool_calls" if r["call"] else "stop")
    tin, tout = usage_of(body, r)
    yield None, {**head, "choices": [], "usage": {"prompt_tokens": tin, "completion_tokens": tout,
                                                  "total_tokens": tin + tout}}
    yield None, "[DONE]"


def out_messages(body, r):
    tin, tout = usage_of(body, r)
    yield "", {"type": "message_start", "message": {
        "id": new_id("msg"), "type": "message", "role": "assistant", "model": body.get("model"),
        "content": [], "stop_reason": None, "stop_sequence": None,
        "usage": {"input_tokens": tin, "output_tokens": 1,
                  "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}}}
    blocks = []
    if r["think"] and (body.get("thinking") or {}).get("type") in ("enabled", "adaptive"):
        blocks.append(({"type": "thinking", "thinking": "", "signature": ""},
                       [{"type": "thinking_delta", "thinking": r["think"]},
                        {"type": "signature_delta", "signature": "eA=="}]))
    if r["text"]:
        blocks.append(({"type": "text", "text": ""}, [{"type": "text_delta", "text": w} for w in r["words"]]))
    if r["call"]:
        name, args = r["call"]
        blocks.append(({"type": "tool_use", "id": new_id("toolu"), "name": name, "input": {}},
                       [{"type": "input_json_delta", "partial_json": json.dumps(args)}]))
    for i, (block, deltas) in enumerate(blocks):
        yield "", {"type": "content_block_start", "index": i, "content_block": block}
        for d in deltas:
            yield "", {"type": "content_block_delta", "index": i, "delta": d}
            time.sleep(r["delay"])
        yield "", {"type": "content_block_stop", "index": i}
    yield "", {"type": "message_delta", "usage": {"output_tokens": tout},
               "delta": {"stop_reason": "tool_use" if r["call"] else "end_turn", "stop_sequence": None}}
    yield "", {"type": "message_stop"}


def out_gemini(body, r):
    def chunk(parts, finish=None):
        c = {"index": 0, "content": {"role": "model", "parts": parts}}
        tin, tout = usage_of(body, r)
        if finish:
            c["finishReason"] = finish
        return None, {"candidates": [c], "modelVersion": "fake", "responseId": rid, "usageMetadata": {
            "promptTokenCount": tin, "candidatesTokenCount": tout, "totalTokenCount": tin + tout}}
    rid = new_id("gem")
    if r["think"]:
        yield chunk([{"text": r["think"], "thought": True}])
    for w in r["words"]:
        yield chunk([{"text": w}])
        time.sleep(r["delay"])
    if r["call"]:
        yield chunk([{"functionCall": {"name": r["call"][0], "args": r["call"][1]}}])
    yield chunk([{"text": ""}], "STOP")


def collapse_messages(events):
    """Non-streaming Anthropic body from the streamed events."""
    msg, blocks = None, []
    for _, e in events:
        if e["type"] == "message_start":
            msg = e["message"]
        elif e["type"] == "content_block_start":
            blocks.append(dict(e["content_block"]))
        elif e["type"] == "content_block_delta":
            d, b = e["delta"], blocks[e["index"]]
            if d["type"] == "input_json_delta":
                b["input"] = json.loads(d["partial_json"])
            else:
                k = d["type"].split("_")[0]
                b[k] = b.get(k, "") + d[k]
        elif e["type"] == "message_delta":
            msg["stop_reason"] = e["delta"]["stop_reason"]
            msg["usage"].update(e["usage"])
    return {**msg, "content": blocks}


def collapse_chat(events):
    text, call, base = "", None, {}
    for _, e in events:
        if e == "[DONE]":
            continue
        base = e
        for c in e["choices"]:
            text += c["delta"].get("content") or ""
            call = c["delta"].get("tool_calls") or call
    msg = {"role": "assistant", "content": text, **({"tool_calls": call} if call else {})}
    return {**base, "object": "chat.completion", "choices": [
        {"index": 0, "message": msg, "finish_reason": "tool_calls" if call else "stop"}]}


def collapse_gemini(events):
    chunks = [e for _, e in events]
    parts = [p for c in chunks for p in c["candidates"][0]["content"]["parts"] if p != {"text": ""}]
    last = chunks[-1]
    last["candidates"][0]["content"]["parts"] = parts
    return last


ROUTES = [  # (path pattern, reader, writer, collapse or None, error body shape)
    (re.compile(r"/responses$"), read_responses, out_responses, None, "openai"),
    (re.compile(r"/chat/completions$"), read_chat, out_chat, collapse_chat, "openai"),
    (re.compile(r"/messages$"), read_messages, out_messages, collapse_messages, "anthropic"),
    (re.compile(r":(stream)?[gG]enerateContent$"), read_gemini, out_gemini, collapse_gemini, "gemini"),
]


def wanted_schema(body):
    """The JSON schema a side request (router, title, structured output) asks the reply to fit."""
    g = body.get("generationConfig") or {}
    return (g.get("responseJsonSchema") or g.get("responseSchema")
            or ((body.get("text") or {}).get("format") or {}).get("schema")
            or ((body.get("output_config") or {}).get("format") or {}).get("schema")
            or ((body.get("response_format") or {}).get("json_schema") or {}).get("schema"))


def sample(schema):
    """A small value that fits a JSON schema."""
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type", "object")
    kind = (kind[0] if isinstance(kind, list) else kind).lower()
    if kind == "object":
        return {k: sample(v) for k, v in (schema.get("properties") or {}).items()}
    return {"array": [], "number": 1, "integer": 1, "boolean": True, "null": None}.get(kind, "fake")


REFUSALS = {  # HTTP status: (type, Google's status, words), as services say it
    429: ("rate_limit_error", "RESOURCE_EXHAUSTED", ": Rate limit reached for requests"),
    503: ("overloaded_error", "UNAVAILABLE", ": The model is overloaded"),
    529: ("overloaded_error", "UNAVAILABLE", ": Overloaded"),
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def note(self, **kw):
        if LOG:
            with LOG_LOCK:
                LOG.write(json.dumps({"t": round(time.time(), 3), **kw}) + "\n")
                LOG.flush()

    def reply_json(self, obj, code=200, retry_after=None):
        data = json.dumps(obj).encode()
        self.send_response(code)
        if retry_after:
            self.send_header("retry-after", retry_after)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.note(get=self.path, headers=dict(self.headers))
        if self.path.split("?")[0].endswith("/models"):
            return self.reply_json({"object": "list", "data": [
                {"id": "fake", "object": "model", "created": 0, "owned_by": "fake"}]})
        self.reply_json({"error": {"message": "not found"}}, 404)

    do_HEAD = do_GET

    def do_POST(self):
        if "chunked" in self.headers.get("transfer-encoding", ""):
            raw = b""
            while (n := int(self.rfile.readline().split(b";")[0], 16)):
                raw += self.rfile.read(n)
                self.rfile.readline()
            self.rfile.readline()
        else:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            body = json.loads(raw or b"{}")
        except ValueError:
            self.note(post=self.path, undecodable=len(raw), headers=dict(self.headers))
            return self.reply_json({"error": {"message": "body is not JSON"}}, 400)
        path = self.path.split("?")[0]
        if path.endswith("count_tokens"):
            return self.reply_json({"input_tokens": len(raw) // 4})
        if path.endswith(":countTokens"):
            return self.reply_json({"totalTokens": len(raw) // 4})
        for pat, read, write, collapse, shape in ROUTES:
            if pat.search(path):
                break
        else:
            self.note(post=self.path, body=body, unknown=True)
            return self.reply_json({"error": {"message": "not found"}}, 404)
        turns, tools = read(body)
        verb, arg = pick(turns)
        schema = wanted_schema(body)
        if schema and (not tools or arg == DEFAULT):   # a side request: answer in its shape
            verb, arg = "say", json.dumps(sample(schema))
        elif not tools and verb != "say" and "conductor" not in self.headers.get("user-agent", ""):  # titles, summaries: plain text only
            verb, arg = "say", DEFAULT
        served = None if verb in ("hang", "error", "drop", "stall") else input_of(body)
        self.note(post=self.path, step=[verb, arg], tools=sorted(map(str, tools)), served=served, body=body,
                  headers=dict(self.headers))
        if verb == "hang":
            time.sleep(600)
        if verb == "error":
            code, _, retry_after = arg.partition(" ")
            code = int(code)
            kind, status, words = REFUSALS.get(code, ("api_error", "INTERNAL", ""))
            err = {"type": kind, "message": f"scripted error {code}{words}"}
            details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo",
                        "retryDelay": f"{retry_after}s"}] if retry_after else []
            return self.reply_json({"openai": {"error": {**err, "code": str(code)}},
                                    "anthropic": {"type": "error", "error": err},
                                    "gemini": {"error": {"code": code, "message": err["message"], "status": status,
                                                         "details": details}}}[shape], code, retry_after)
        if verb == "runslow":
            n, arg = arg.split(" ", 1)
            time.sleep(float(n))
            verb = "run"
        r = {"text": "", "think": "", "call": None, "namespace": None, "delay": 0}
        if verb in ("run", "escalate", "write"):
            r["call"] = tool_call(verb, arg, tools)
            r["namespace"] = tools.get(r["call"][0], {}).get("namespace")
        elif verb == "slow":
            r["text"], r["delay"] = " ".join(f"word{i}" for i in range(int(arg))), 0.25
        elif verb == "think":
            r["text"], r["think"] = DEFAULT, arg
        else:
            r["text"] = arg or DEFAULT
        r["words"] = re.findall(r"\S+\s*", r["text"])
        events = write(body, r)
        streaming = "streamGenerate" in path if shape == "gemini" else body.get("stream", False)
        if verb == "drop" and not streaming:
            self.close_connection = True
            return self.connection.shutdown(socket.SHUT_RDWR)
        if not streaming and collapse:
            return self.reply_json(collapse(list(events)))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("cache-control", "no-cache")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            if shape == "openai" and read is read_chat:
                self.wfile.write(b": keep-alive\n\n")
            for name, data in events:
                name = data["type"] if name == "" else name
                text = data if isinstance(data, str) else json.dumps(data)
                self.wfile.write(((f"event: {name}\n" if name else "") + f"data: {text}\n\n").encode())
                self.wfile.flush()
                if verb == "stall":
                    time.sleep(600)
                if verb == "drop":
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
        except OSError:
            self.note(client_left=self.path)


def loopback_up():
    """ip link set lo up, without ip: SIOCSIFFLAGS with IFF_UP | IFF_RUNNING (netdevice(7))."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))


def main():
    global LOG
    ap = argparse.ArgumentParser(description="scripted model server for agent CLIs")
    ap.add_argument("--port", type=int, default=0)
    ap.add_argument("--log", help="append every request as JSONL")
    ap.add_argument("--port-file", help="write the chosen port here")
    ap.add_argument("--loopback-up", action="store_true", help="bring the loopback interface up first")
    a = ap.parse_args()
    if a.loopback_up:
        loopback_up()
    LOG = open(a.log, "a") if a.log else None
    srv = ThreadingHTTPServer(("127.0.0.1", a.port), Handler)
    srv.daemon_threads = True
    if a.port_file:
        open(a.port_file, "w").write(str(srv.server_port))
    print(f"listening http://127.0.0.1:{srv.server_port}", flush=True)
    try:
        srv.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
