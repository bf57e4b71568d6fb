//! (b) Reading buses of 10,000 and of 100,000 messages.

use std::time::Duration;

use ::tree::{Tree, bus::BusOwner};
use base::{clock::Clock, fsx::Durability};

use crate::{
    Plan, Result,
    daemon::Daemon,
    load::Load,
    table::{Aim, Row, Table, Unit},
    tree,
};

/// A bus, and the original's figures for the rows below, in their order.
type Bus = (&'static str, usize, [&'static str; 7]);

const BUSES: [Bus; 2] = [
    ("10k", 10_000, ["186 ms", "164 ms", "4.2 ms", "25 ms", "213 ms", "2.2 s", "46 MB"]),
    (
        "100k",
        100_000,
        ["1,766 ms", "1,551 ms", "6.4 ms", "34 ms", "1,977 ms", "17.8 s", "286 MB, 1.43 GB with 8"],
    ),
];

pub fn measure(plan: &Plan, table: &mut Table) -> Result<()> {
    for (name, messages, original) in BUSES {
        let folder = plan.fresh(&format!("read-{name}"))?;
        let root = tree::make(&folder, tree::NONE)?;
        tree::fill_bus(&root, "bus", messages)?;
        let tail = Tree::open(&root, Durability::Never, Clock::System)?
            .bus(BusOwner::new("p".parse()?, Some("bus".parse()?)))
            .tail(11)?;
        let tenth = &tail.messages.first().ok_or("an empty bus")?.msg_id;
        let first = tail.messages.first().map(|m| m.timestamp).ok_or("an empty bus")?;
        let since = (first - chrono::TimeDelta::hours(1)).format("%Y-%m-%dT%H:%M:%SZ");
        let daemon = Daemon::start(&folder, &root, "restart_delay: 1s")?;
        let load = |clients: usize, requests: usize| Load {
            clients,
            requests: plan.rounds(requests),
            limit: Duration::from_secs(10),
        };
        let v1 = "/api/v1/messages?project_id=p&task_id=bus";
        let project = "/api/projects/p/tasks/bus/messages";
        let rows = [
            ("after= with 10 left", 1, 1000, format!("{v1}&after={tenth}"), original[1]),
            ("limit=50", 1, 1000, format!("{project}?limit=50"), original[2]),
            ("since=…&limit=500", 1, 200, format!("{project}?since={since}&limit=500"), original[3]),
            ("after= with 10 left, 8 at a time", 8, 500, format!("{v1}&after={tenth}"), original[5]),
        ];
        for (what, clients, requests, path, original) in rows {
            let loaded = load(clients, requests).get(daemon.port, &path)?;
            let row = Row::times(format!("bus of {name}: {what}"), &loaded.times).original(original);
            let after = what == "after= with 10 left";
            table.add(if after { row.aim(Aim::Below(2.0)) } else { row });
        }
        let small = daemon.most_memory()?;
        for (what, path, original) in [
            ("everything", v1.to_owned(), original[0]),
            ("since=… without a limit", format!("{project}?since={since}"), original[4]),
        ] {
            let loaded = load(1, 10).get(daemon.port, &path)?;
            table.add(Row::times(format!("bus of {name}: {what}"), &loaded.times).original(original));
        }
        let row = Row::new(format!("bus of {name}: most memory"), daemon.most_memory()?, Unit::Megabytes);
        table.add(row.original(original[6]).note(format!("{small:.0} MB before everything was asked for")));
    }
    Ok(())
}
