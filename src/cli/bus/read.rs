//! `run-agent bus read`: prints the messages of a bus, once or as they arrive.

use std::fmt::Write;

use super::target::{self, Target};
use crate::cli::{
    colour::Style,
    context::Context,
    error::{CliError, CliResult},
    flags::JsonFlag,
    interrupt::Interrupts,
    print::{Form, Printer},
};
use base::clock::rfc3339;
use tree::{
    Tree,
    bus::{Bus, Message, MessageType, Page},
    ids::MsgId,
};

/// Maximum number of messages in memory at once.
const PAGE: usize = 500;

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  run-agent bus read --tail 5
  run-agent bus read --project my-project --type FACT --type DECISION
  run-agent bus read --follow --json | jq -r .body")]
pub(super) struct Args {
    #[command(flatten)]
    target: Target,
    /// Number of messages to print, counted from the end
    #[arg(long, value_name = "N", default_value_t = 20)]
    tail: usize,
    /// Print all messages after this one
    #[arg(long, value_name = "MSG_ID", conflicts_with = "tail")]
    after: Option<MsgId>,
    /// Print only messages of this type; repeatable
    #[arg(long = "type", value_name = "TYPE")]
    kinds: Vec<MessageType>,
    /// Keep printing new messages until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    pub(super) json: JsonFlag,
}

/// Prints the messages.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<()> {
    let found = args.target.discover(context)?;
    let (tree, bus) = target::open(&found, context)?;
    let mut reader = Reader { args, printer: context.printer(), bus: &bus, next: 0 };
    match &args.after {
        Some(id) => {
            let unknown = |e| CliError::from(e).with_hint("`run-agent bus read` shows the last ones");
            reader.next = bus.position_of(id).map_err(unknown)?;
            reader.print_rest()?;
        }
        None => reader.print_page(&bus.tail_of(args.tail, |m| reader.wants(m))?)?,
    }
    if args.follow {
        context.runtime()?.block_on(follow(&mut reader, context, &tree))?;
    }
    Ok(())
}

/// Prints new messages until a signal arrives.
async fn follow(reader: &mut Reader<'_>, context: &Context, tree: &Tree) -> CliResult<()> {
    let hints = context.hints(tree)?;
    let _watched = hints.watch(&tree.root().absolute(&reader.bus.rel().parent()));
    let mut waiter = hints.waiter();
    let mut interrupts = Interrupts::listen()?;
    loop {
        reader.print_rest()?;
        tokio::select! {
            _ = interrupts.next() => return Ok(()),
            () = waiter.next() => {}
        }
    }
}

/// A bus, and the offset up to which it has been printed.
struct Reader<'a> {
    args: &'a Args,
    printer: &'a Printer,
    bus: &'a Bus,
    next: u64,
}

impl Reader<'_> {
    fn wants(&self, message: &Message) -> bool {
        self.args.kinds.is_empty() || self.args.kinds.contains(&message.kind)
    }

    /// Prints everything from the offset to the end.
    fn print_rest(&mut self) -> CliResult<()> {
        loop {
            let page = self.bus.read_from(self.next, PAGE)?;
            self.print_page(&page)?;
            if !page.more {
                return Ok(());
            }
        }
    }

    fn print_page(&mut self, page: &Page) -> CliResult<()> {
        self.next = page.next;
        for message in page.messages.iter().filter(|m| self.wants(m)) {
            match self.args.json.form() {
                Form::Json => self.printer.jsonl(message)?,
                Form::Text => self.printer.bytes(self.text(message).as_bytes())?,
            }
        }
        if page.skipped > 0 {
            let lines =
                if page.skipped == 1 { "line that is not a message" } else { "lines that are not messages" };
            self.printer.word(&format!("skipped {} {lines}", page.skipped))?;
        }
        Ok(())
    }

    /// Formats a message: one line of facts, and its text below.
    fn text(&self, message: &Message) -> String {
        let kind = self.printer.paint(style(&message.kind), &self.printer.shown(message.kind.as_str()));
        let mut text = format!("{} {kind} {}", rfc3339(message.timestamp), message.msg_id);
        // Writing to a `String` cannot fail.
        if let Some(task) = message.task_id.as_ref().filter(|t| self.bus.owner().task() != Some(t)) {
            let _ = write!(text, " task {task}");
        }
        if let Some(run) = &message.run_id {
            let _ = write!(text, " run {run}");
        }
        if message.damaged {
            let _ = write!(text, " {}", self.printer.paint(Style::Bad, "damaged"));
        }
        let shown = |text| self.printer.shown(text);
        for parent in &message.parents {
            let _ = write!(text, " {} {}", shown(parent.kind.as_deref().unwrap_or("to")), parent.msg_id);
        }
        text.push('\n');
        for line in shown(&message.body).lines() {
            let _ = writeln!(text, "  {line}");
        }
        for link in &message.links {
            let label = link.label.as_deref().map_or(String::new(), |l| format!("{}: ", shown(l)));
            let _ = writeln!(text, "  {label}{}", shown(&link.url));
        }
        text
    }
}

fn style(kind: &MessageType) -> Style {
    match kind.as_str() {
        "ERROR" | "RUN_CRASH" => Style::Bad,
        "QUESTION" => Style::Notable,
        "TASK_DONE" => Style::Good,
        _ => Style::Strong,
    }
}
