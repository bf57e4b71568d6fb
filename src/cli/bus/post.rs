//! `run-agent bus post`: posts one message to a bus.

use std::io::{IsTerminal, Read};

use serde_json::Value;

use super::target::{self, Target};
use crate::cli::{
    context::Context,
    error::{CliError, CliResult, Kind},
    flags::JsonFlag,
    print::Form,
};
use tree::{
    bus::{Discovered, Draft, Link, MAX_LINE, MessageType, Parent},
    ids::{BadId, RunId},
};

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  run-agent bus post --type PROGRESS --body 'half of the tests pass'
  git log -3 | run-agent bus post --type FACT --meta commits=3
  run-agent bus post --project my-project --type USER --body 'please look at the logs'")]
pub(super) struct Args {
    /// Message type, such as FACT, PROGRESS, DECISION, ERROR or QUESTION [default: USER; in a run PROGRESS]
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<MessageType>,
    /// Message text [default: read from standard input]
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    body: Option<String>,
    #[command(flatten)]
    target: Target,
    /// Run that posts the message [default: $JRUN_ID]
    #[arg(long, value_name = "RUN")]
    run: Option<RunId>,
    /// Message that this one answers, with the kind of relation; repeatable
    #[arg(long, value_name = "MSG_ID[:KIND]", value_parser = parent)]
    parent: Vec<Parent>,
    /// Link to a page or file, with an optional label; repeatable
    #[arg(long, value_name = "[LABEL ]URL", value_parser = link)]
    link: Vec<Link>,
    /// Metadata entry for programs; the value is JSON or plain text; repeatable
    #[arg(long, value_name = "KEY=VALUE", value_parser = meta)]
    meta: Vec<(String, Value)>,
    #[command(flatten)]
    pub(super) json: JsonFlag,
}

/// Posts the message.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<()> {
    let found = args.target.discover(context)?;
    let body = match &args.body {
        Some(body) => body.clone(),
        None => body_from_stdin()?,
    };
    let (_, bus) = target::open(&found, context)?;
    let message = bus.post(&draft(args, &found, body))?;
    match args.json.form() {
        Form::Json => context.printer().json(&message),
        Form::Text => context.printer().line(message.msg_id.as_str()),
    }
}

fn draft(args: &Args, found: &Discovered, body: String) -> Draft {
    let inside = found.poster.as_ref();
    let default = if inside.is_some() { MessageType::PROGRESS } else { MessageType::USER };
    let own_task = inside.map(|run| &run.task).filter(|task| task.project == *found.owner.project());
    Draft {
        run_id: args.run.clone().or_else(|| inside.map(|run| run.run.clone())),
        // On a project's bus, a message of a run names the run's task. The task of another run is not known here.
        task_id: match (found.owner.task(), &args.run) {
            (Some(task), _) => Some(task.clone()),
            (None, None) => own_task.map(|task| task.task.clone()),
            (None, Some(_)) => None,
        },
        parents: args.parent.clone(),
        links: args.link.clone(),
        meta: args.meta.iter().cloned().collect(),
        ..Draft::new(args.kind.clone().unwrap_or(default), body)
    }
}

fn body_from_stdin() -> CliResult<String> {
    let nothing =
        |problem| CliError::new(Kind::Usage, problem).with_hint("give --body TEXT, or pipe the text in");
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(nothing("there is no text to post"));
    }
    let mut bytes = Vec::new();
    // Reads one byte more than fits, so that the bus detects a text that is too long.
    let read = stdin.lock().take(MAX_LINE + 1).read_to_end(&mut bytes);
    read.map_err(|e| CliError::caused(Kind::Failed, "cannot read standard input", e))?;
    if bytes.is_empty() {
        return Err(nothing("standard input is empty; a message needs text"));
    }
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        CliError::new(Kind::Refused, format!("standard input is not UTF-8 text (byte {at})"))
    })
}

fn parent(text: &str) -> Result<Parent, BadId> {
    let (id, kind) = text.split_once(':').map_or((text, None), |(id, kind)| (id, Some(kind)));
    Ok(Parent { msg_id: id.parse()?, kind: kind.filter(|k| !k.is_empty()).map(str::to_owned) })
}

fn link(text: &str) -> Result<Link, String> {
    let (label, url) =
        text.rsplit_once(char::is_whitespace).map_or((None, text), |(l, u)| (Some(l.trim()), u));
    if url.is_empty() {
        return Err("the URL after the label is missing".to_owned());
    }
    Ok(Link { url: url.to_owned(), label: label.filter(|l| !l.is_empty()).map(str::to_owned) })
}

fn meta(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').ok_or("there is no '=' in it")?;
    if key.is_empty() {
        return Err("the key in front of '=' is missing".to_owned());
    }
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    Ok((key.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_parent_may_say_what_it_is() {
        let shown = |text| parent(text).map(|p| (p.msg_id.to_string(), p.kind)).map_err(|e| e.kind);
        assert_eq!(shown("MSG-1"), Ok(("MSG-1".into(), None)));
        assert_eq!(shown("@12:reply"), Ok(("@12".into(), Some("reply".into()))));
        assert_eq!(shown("MSG-1:"), Ok(("MSG-1".into(), None)));
        assert_eq!(shown("../x:reply"), Err("message"));
    }

    #[test]
    fn a_link_may_have_a_label_before_it() {
        let shown = |text| link(text).map(|l| (l.url, l.label));
        assert_eq!(shown("https://x/?a=b"), Ok(("https://x/?a=b".into(), None)));
        assert_eq!(shown("the long log file:///l"), Ok(("file:///l".into(), Some("the long log".into()))));
        assert!(shown("label ").is_err() && shown("").is_err());
    }

    #[test]
    fn a_value_of_meta_is_json_where_it_can_be() {
        for (text, value) in [
            ("k=3", json!(3)),
            ("k=true", json!(true)),
            ("k=[1,\"x\"]", json!([1, "x"])),
            ("k=\"3\"", json!("3")),
            ("k=two words", json!("two words")),
            ("k=a=b", json!("a=b")),
            ("k=", json!("")),
        ] {
            assert_eq!(meta(text), Ok(("k".to_owned(), value)), "{text}");
        }
        assert!(meta("k").is_err() && meta("=v").is_err());
    }
}
