//! What the server knows of one connection, and what a command about connections or the server
//! sees.

use std::sync::Arc;
use std::time::{Duration, Instant};

use commands::{Args, Failure};
use protocol::output::Output;
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
    /// Which replies it does not want.
    pub muted: Muted,
}

/// Which replies a client does not want, by CLIENT REPLY.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Muted {
    /// It wants all.
    No,
    /// Not that of the command that runs, nor that of the next.
    Two,
    /// Not that of the command that runs.
    One,
    /// It wants none.
    All,
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
    /// The connection is blocked.
    Block(Block),
    /// The reply is made by the worker pool.
    Work(Work),
}

/// What a blocked connection waits for.
pub struct Block {
    /// When it has waited long enough, if ever.
    pub until: Option<Instant>,
    /// What it is told then.
    pub reply: fn(&mut Reply<'_>),
}

impl Session {
    /// A connection that has just been accepted.
    pub fn new(client: Arc<Client>, server: &Server) -> Self {
        let authenticated = server.config.password.read().is_empty();
        Self { client, db: 0, resp3: false, authenticated, muted: Muted::No }
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

    /// Takes the reply from `start` on back, if the client does not want it, and goes on to the
    /// next.
    #[cold]
    pub fn mute(&mut self, output: &mut Output, start: usize) {
        self.muted = match self.muted {
            Muted::No => return,
            Muted::Two => Muted::One,
            Muted::One => Muted::No,
            Muted::All => Muted::All,
        };
        output.truncate(start);
    }
}
