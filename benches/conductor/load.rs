//! Several concurrent clients, limited in number and time.

use std::time::{Duration, Instant};

use crate::{
    Result,
    client::Client,
    times::{Times, nanos, per_second},
};

/// The clients and their requests.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Number of concurrent clients.
    pub clients: usize,
    /// Maximum number of requests of each client.
    pub requests: usize,
    /// Maximum time.
    pub limit: Duration,
}

/// The result of a load.
pub struct Loaded {
    pub times: Times,
    pub per_second: f64,
}

impl Load {
    /// Lets every client call `ask` repeatedly, with the client's number and that of the request.
    pub fn run(
        self,
        port: u16,
        ask: impl Fn(&mut Client, usize, usize) -> Result<()> + Sync,
    ) -> Result<Loaded> {
        let ready = |_| -> Result<Client> {
            let mut client = Client::new(port)?;
            // The first request of a connection is slower than the others and is not counted.
            client.get("/api/v1/health")?;
            Ok(client)
        };
        let clients = (0..self.clients).map(ready).collect::<Result<Vec<_>>>()?;
        let began = Instant::now();
        let one = |number: usize, mut client: Client| -> Result<Vec<u64>> {
            let mut times = Vec::with_capacity(self.requests);
            for request in 0..self.requests {
                let before = Instant::now();
                ask(&mut client, number, request)?;
                times.push(nanos(before.elapsed()));
                if began.elapsed() > self.limit {
                    break;
                }
            }
            Ok(times)
        };
        let times = std::thread::scope(|scope| {
            let one = &one;
            let threads: Vec<_> =
                clients.into_iter().enumerate().map(|(n, c)| scope.spawn(move || one(n, c))).collect();
            let joined = threads.into_iter().map(|t| t.join().map_err(|_| "a client panicked")?);
            joined.collect::<Result<Vec<_>>>()
        })?;
        let times = Times::new(times.into_iter().flatten().collect());
        Ok(Loaded { per_second: per_second(times.len(), began.elapsed()), times })
    }

    /// Sends the same request repeatedly.
    pub fn get(self, port: u16, path: &str) -> Result<Loaded> {
        self.run(port, |client, _, _| match client.get(path)?.status {
            200 => Ok(()),
            status => Err(format!("{path}: {status}").into()),
        })
    }
}
