//! One connection: bytes out, split at will, and replies in.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use crate::resp::{self, Source, Value};
use crate::wait::LIMIT;

/// Bytes asked for at a time.
const READ_LEN: usize = 256 * 1024;

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A connection to a server.
pub struct Client {
    stream: Stream,
    buffer: Vec<u8>,
    /// Bytes of the buffer that were used up.
    used: usize,
}

impl Client {
    /// Connects over TCP.
    pub fn tcp(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        Ok(Self { stream: Stream::Tcp(stream), buffer: Vec::new(), used: 0 })
    }

    /// Connects over a unix socket.
    pub fn unix(path: &Path) -> std::io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        Ok(Self { stream: Stream::Unix(stream), buffer: Vec::new(), used: 0 })
    }

    /// Sends bytes as they are.
    ///
    /// # Panics
    /// When the server does not take them.
    pub fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).unwrap_or_else(|error| panic!("cannot send: {error}"));
    }

    /// Sends bytes as they are, which may fail when the server has closed the connection.
    pub fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match &mut self.stream {
            Stream::Tcp(stream) => stream.write_all(bytes),
            Stream::Unix(stream) => stream.write_all(bytes),
        }
    }

    /// Sends bytes from a thread of their own, while replies can be read here.
    ///
    /// # Panics
    /// When the connection cannot be shared.
    pub fn send_beside(&self, bytes: Vec<u8>) -> std::thread::JoinHandle<()> {
        let Stream::Tcp(stream) = &self.stream else { panic!("only over TCP") };
        let mut stream = stream.try_clone().unwrap();
        std::thread::spawn(move || {
            stream.write_all(&bytes).unwrap_or_else(|error| panic!("cannot send: {error}"));
        })
    }

    /// Sends bytes from a thread of their own as far as the server takes them.
    ///
    /// # Panics
    /// When the connection cannot be shared.
    pub fn try_send_beside(&self, bytes: Vec<u8>) -> std::thread::JoinHandle<()> {
        let Stream::Tcp(stream) = &self.stream else { panic!("only over TCP") };
        let mut stream = stream.try_clone().unwrap();
        std::thread::spawn(move || drop(stream.write_all(&bytes)))
    }

    /// The same in pieces of at most so many bytes.
    ///
    /// # Panics
    /// When the connection cannot be shared.
    pub fn send_pieces_beside(&self, bytes: Vec<u8>, len: usize) -> std::thread::JoinHandle<()> {
        let Stream::Tcp(stream) = &self.stream else { panic!("only over TCP") };
        let mut stream = stream.try_clone().unwrap();
        std::thread::spawn(move || {
            for piece in bytes.chunks(len) {
                stream.write_all(piece).unwrap_or_else(|error| panic!("cannot send: {error}"));
            }
        })
    }

    /// Says that nothing more will be sent.
    ///
    /// # Panics
    /// When the connection is gone.
    pub fn finish(&mut self) {
        match &self.stream {
            Stream::Tcp(stream) => stream.shutdown(std::net::Shutdown::Write).unwrap(),
            Stream::Unix(stream) => stream.shutdown(std::net::Shutdown::Write).unwrap(),
        }
    }

    /// Sends a command without waiting for its reply.
    pub fn send_command(&mut self, words: &[impl AsRef<[u8]>]) {
        self.send(&resp::encode(words));
    }

    /// Sends a command and reads its reply.
    pub fn command(&mut self, words: &[impl AsRef<[u8]>]) -> Value {
        self.send_command(words);
        self.read()
    }

    /// Sends a command written in one line, its words separated by spaces, and reads its reply.
    pub fn run(&mut self, line: &str) -> Value {
        let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
        self.command(&words)
    }

    /// Reads one reply.
    pub fn read(&mut self) -> Value {
        let value = resp::read(self);
        if self.used == self.buffer.len() {
            self.buffer.clear();
            self.used = 0;
        }
        value
    }

    /// Waits so long for bytes, not longer.
    ///
    /// # Panics
    /// When the connection is gone.
    pub fn wait_at_most(&mut self, limit: Duration) {
        match &self.stream {
            Stream::Tcp(stream) => stream.set_read_timeout(Some(limit)).unwrap(),
            Stream::Unix(stream) => stream.set_read_timeout(Some(limit)).unwrap(),
        }
    }

    /// The bytes until the server closes the connection, if it does.
    pub fn try_bytes_to_end(&mut self) -> Option<Vec<u8>> {
        catch_unwind(AssertUnwindSafe(|| self.bytes_to_end())).ok()
    }

    /// Reads one reply, unless the connection is closed or what comes is no reply.
    pub fn try_read(&mut self) -> Option<Value> {
        let read = || {
            let is_more = self.used < self.buffer.len() || self.fill();
            is_more.then(|| self.read())
        };
        catch_unwind(AssertUnwindSafe(read)).ok().flatten()
    }

    /// Reads what comes until the server closes the connection; only replies may come.
    pub fn read_to_end(&mut self) -> Vec<Value> {
        let mut values = Vec::new();
        while self.used < self.buffer.len() || self.fill() {
            values.push(self.read());
        }
        values
    }

    /// Reads until the server closes the connection, and returns the bytes.
    pub fn bytes_to_end(&mut self) -> Vec<u8> {
        while self.fill() {}
        self.buffer.split_off(std::mem::take(&mut self.used))
    }

    /// Reads once, and returns the bytes; none at the end.
    pub fn some_bytes(&mut self) -> Vec<u8> {
        self.fill();
        self.buffer.split_off(std::mem::take(&mut self.used))
    }

    /// Reads once; whether anything came before the end.
    fn fill(&mut self) -> bool {
        self.buffer.drain(..self.used);
        self.used = 0;
        let length = self.buffer.len();
        self.buffer.resize(length + READ_LEN, 0);
        let room = &mut self.buffer[length..];
        let result = loop {
            let result = match &mut self.stream {
                Stream::Tcp(stream) => stream.read(room),
                Stream::Unix(stream) => stream.read(room),
            };
            match result {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        let count = match result {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            Err(error) => panic!("no reply within {LIMIT:?}: {error}"),
        };
        self.buffer.truncate(length + count);
        count > 0
    }
}

impl Source for Client {
    fn line(&mut self) -> Vec<u8> {
        let mut searched = self.used;
        loop {
            if let Some(at) = self.buffer[searched..].windows(2).position(|two| two == b"\r\n") {
                let end = searched + at;
                let line = self.buffer[self.used..end].to_vec();
                self.used = end + 2;
                return line;
            }
            searched = self.buffer.len().saturating_sub(1).max(self.used) - self.used;
            let came = self.fill();
            assert!(came, "the connection was closed instead of a reply");
        }
    }

    fn take(&mut self, len: usize) -> Vec<u8> {
        if self.used + len > self.buffer.len() {
            // A long string is read to where it stays, in one piece.
            let mut bytes = self.buffer[self.used..].to_vec();
            self.buffer.clear();
            self.used = 0;
            let from = bytes.len();
            bytes.resize(len, 0);
            let result = match &mut self.stream {
                Stream::Tcp(stream) => stream.read_exact(&mut bytes[from..]),
                Stream::Unix(stream) => stream.read_exact(&mut bytes[from..]),
            };
            result.unwrap_or_else(|error| panic!("a string does not come whole: {error}"));
            return bytes;
        }
        let bytes = self.buffer[self.used..self.used + len].to_vec();
        self.used += len;
        bytes
    }
}
