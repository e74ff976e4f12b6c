//! What the server knows of one connection, and what a command about connections or the server
//! sees.

use std::sync::Arc;
use std::time::Duration;

use commands::{Args, Failure};
use protocol::reply::Reply;

use crate::clients::Client;
use crate::server::Server;

/// Runs a command about the connection or the server.
pub type SessionHandler = fn(&mut Call<'_>) -> Result<Flow, Failure>;

/// The state of a connection that its own commands use.
pub struct Session {
    /// What others may see of the connection.
    pub client: Arc<Client>,
    /// The database it works on.
    pub db: u16,
    /// Whether it speaks RESP3.
    pub resp3: bool,
    /// Whether it has logged in, or need not.
    pub authenticated: bool,
}

/// One call of a command about the connection or the server.
pub struct Call<'a> {
    /// The server.
    pub server: &'static Server,
    /// The connection.
    pub session: &'a mut Session,
    /// The words of the command.
    pub args: Args<'a>,
    /// Where the reply goes.
    pub reply: Reply<'a>,
    /// The time, in milliseconds of Unix time.
    pub now_ms: u64,
}

/// Work for the worker pool, which writes the reply.
pub type Work = Box<dyn FnOnce(&mut Reply<'_>) + Send>;

/// What happens after a command.
pub enum Flow {
    /// The next command.
    Next,
    /// The connection ends when its replies are sent.
    Close,
    /// The connection waits, then gets an OK.
    Sleep(Duration),
    /// The reply is made by the worker pool.
    Work(Work),
}

impl Session {
    /// A connection that has just been accepted.
    pub fn new(client: Arc<Client>, server: &Server) -> Self {
        let authenticated = server.config.password.read().is_empty();
        Self { client, db: 0, resp3: false, authenticated }
    }

    /// Changes the database.
    pub fn select(&mut self, db: u16) {
        self.db = db;
        self.client.set_db(db);
    }

    /// Changes the protocol.
    pub fn speak(&mut self, resp3: bool) {
        self.resp3 = resp3;
        self.client.set_resp3(resp3);
    }
}
