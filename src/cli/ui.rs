//! `run-agent ui`: opens the page in a browser. If the daemon requires a key, the page gets one of its own.
//!
//! The page exchanges a code for the key. The code is valid once and for two minutes, and stands in the fragment of
//! the address, which no browser sends to a server. The browser is not started with that address, because every user
//! of a machine may read the arguments of every process. Instead the browser opens a file that only this user may
//! read, and that redirects to the address.

use std::{
    io,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    context::Context,
    error::{CliError, CliResult, Kind},
    server::{Client, ServerFlags},
};
use base::secret;
use config::{Scope, Secret};
use process::command::CommandSpec;
use tree::Tree;

/// Maximum time that a browser gets to read the file that redirects to the page.
const READING: Duration = Duration::from_secs(20);

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  run-agent ui
  run-agent ui --print
  run-agent ui --scope read
  run-agent ui --revoke")]
pub struct Args {
    #[command(flatten)]
    server: ServerFlags,
    /// Print the address instead of opening a browser
    #[arg(long)]
    print: bool,
    /// Rights of the page: read, run or admin [default: those of your key; admin on this machine]
    #[arg(long, value_name = "SCOPE", value_parser = scope)]
    scope: Option<Scope>,
    /// Revoke the keys of all pages that `ui` has opened
    #[arg(long, conflicts_with_all = ["print", "scope"])]
    revoke: bool,
}

fn scope(word: &str) -> Result<Scope, String> {
    Scope::of(word).ok_or_else(|| "it is read, run or admin".to_owned())
}

/// Opens the page, or prints its address.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let client = Client::new(&args.server, context)?;
    let tree = local(&client, context)?;
    if args.revoke {
        return revoke(client, tree.as_ref(), context);
    }
    let page = format!("{}/ui/", reachable(client.base()));
    let url = match code(&client, tree.as_ref(), args.scope)? {
        Some(code) => format!("{page}#code={}", code.expose()),
        None => page,
    };
    context.printer().line(&url)?;
    if args.print {
        return Ok(ExitCode::SUCCESS);
    }
    match browser(context) {
        None => context.printer().word("no browser was found; open the address yourself")?,
        Some(browser) => open(&browser, &url, context)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the tree that the client's daemon serves, if it is our own tree.
fn local(client: &Client, context: &Context) -> CliResult<Option<Tree>> {
    let Some(tree) = context.tree_if_there()? else { return Ok(None) };
    let serves =
        tree.daemon()?.is_some_and(|d| d.listen.iter().any(|at| at.trim_end_matches('/') == client.base()));
    Ok(serves.then_some(tree))
}

/// Returns a code for the page; `None` if the daemon requires no key.
fn code(client: &Client, tree: Option<&Tree>, scope: Option<Scope>) -> CliResult<Option<Secret>> {
    let who = client.get("/api/v1/auth")?;
    if who["required"] == false {
        return Ok(None);
    }
    if let Some(tree) = tree {
        return Ok(Some(daemon::offer_code(tree, scope.unwrap_or(Scope::Admin))?.secret));
    }
    let wanted = scope.map_or(Value::Null, |scope| json!({ "scope": scope.as_str() }));
    let made = client.post("/api/v1/auth/codes", Some(&wanted).filter(|w| !w.is_null()))?;
    let code = made["code"].as_str().map(Secret::new);
    code.map(Some).ok_or_else(|| CliError::new(Kind::Failed, "the answer of the daemon has no sign-in code"))
}

fn revoke(client: Client, tree: Option<&Tree>, context: &Context) -> CliResult<ExitCode> {
    let client = match tree {
        None => client,
        // Write access to the tree suffices, so no configured key is needed: the verb makes a key of its own, which is
        // revoked together with the others.
        Some(tree) => {
            let code = daemon::offer_code(tree, Scope::Admin)?;
            let key = client.post("/api/v1/auth/keys", Some(&json!({ "code": code.secret.expose() })))?;
            client.with_key(Secret::new(key["key"].as_str().unwrap_or_default()))
        }
    };
    client.delete("/api/v1/auth/keys")?;
    context.printer().word("revoked the keys of all pages")?;
    Ok(ExitCode::SUCCESS)
}

/// Returns an address that a browser on this machine can open. A server that listens everywhere listens on loopback,
/// too.
fn reachable(base: &str) -> String {
    base.replacen("//0.0.0.0", "//127.0.0.1", 1).replacen("//[::]", "//[::1]", 1)
}

/// Returns the program that opens pages: `$BROWSER`, else the desktop's default.
fn browser(context: &Context) -> Option<String> {
    let environment = context.environment();
    let named = environment.get("BROWSER").and_then(|list| list.split(':').find(|name| !name.is_empty()));
    let desktop = ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| environment.get(name).is_some());
    named.map(str::to_owned).or_else(|| desktop.then(|| "xdg-open".to_owned()))
}

fn open(browser: &str, url: &str, context: &Context) -> CliResult<()> {
    let tree = context.tree()?;
    let Some((_, code)) = url.split_once("#code=") else { return start(browser, url, context) };
    // The address is built by us and contains nothing that HTML would interpret.
    let text = format!(
        "<!doctype html><meta charset=utf-8><meta name=referrer content=no-referrer>\
         <meta http-equiv=refresh content=\"0;url={url}\"><title>Conductor</title>\n"
    );
    let file = tree.leave_login_page(&text)?;
    if let Err(e) = start(browser, &format!("file://{}", file.display()), context) {
        tree.remove_login_page()?;
        return Err(e);
    }
    // The file is useless once its code is used, so it is removed as soon as the page has exchanged the code.
    let began = Instant::now();
    while began.elapsed() < READING && tree.login_waits(&secret::Digest::of(code).hex())? {
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(tree.remove_login_page()?)
}

fn start(browser: &str, address: &str, context: &Context) -> CliResult<()> {
    // A program may lie in a folder with a space in its name.
    let whole = Path::new(browser).is_absolute() && Path::new(browser).is_file();
    let words = if whole { vec![browser] } else { browser.split_whitespace().collect() };
    let (program, given) = words.split_first().unwrap_or((&"xdg-open", &[]));
    let mut args: Vec<_> = given.iter().map(|word| word.replace("%s", address).into()).collect();
    if !given.iter().any(|word| word.contains("%s")) {
        args.push(address.into());
    }
    let env = context.environment().iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let spec = CommandSpec { program: Path::new(program).to_owned(), args, env, cwd: None };
    let hint = "open the address yourself, or name a browser in $BROWSER";
    spec.start_apart().map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => {
            let text = format!("the browser '{program}' is not installed, or not in $PATH");
            CliError::new(Kind::ProgramMissing, text).with_hint(hint)
        }
        _ => {
            CliError::caused(Kind::Failed, format!("cannot start the browser '{program}'"), e).with_hint(hint)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listens_everywhere_is_asked_for_here() {
        for (base, url) in [
            ("http://127.0.0.1:14355", "http://127.0.0.1:14355"),
            ("http://0.0.0.0:14355", "http://127.0.0.1:14355"),
            ("http://[::]:14355", "http://[::1]:14355"),
            ("http://host.example", "http://host.example"),
        ] {
            assert_eq!(reachable(base), url);
        }
    }
}
