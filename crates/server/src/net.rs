//! Sockets: the only place that knows which kinds there are, and how they are driven.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// A connected socket.
pub enum Stream {
    /// Over TCP.
    Tcp(TcpStream),
    /// Over a unix socket.
    Unix(UnixStream),
}

/// A socket on its way to the thread that will serve it.
pub enum Accepted {
    /// Over TCP.
    Tcp(std::net::TcpStream),
    /// Over a unix socket.
    Unix(std::os::unix::net::UnixStream),
}

/// A socket that accepts connections.
pub enum Listener {
    /// Over TCP.
    Tcp(TcpListener),
    /// Over a unix socket.
    Unix(UnixListener),
}

/// The two ends of a connection, as CLIENT LIST shows them.
pub struct Ends {
    /// The other side.
    pub remote: String,
    /// Our side.
    pub local: String,
    /// The socket's number.
    pub fd: i32,
    /// Whether the other side is on this machine.
    pub is_local: bool,
}

impl Listener {
    /// Listens on a TCP address.
    pub fn tcp(address: SocketAddr, backlog: usize) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        Ok(Self::Tcp(TcpListener::from_std(socket.into())?))
    }

    /// Listens on a unix socket, in place of a file that a server before may have left.
    pub fn unix(path: &Path) -> io::Result<Self> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(Self::Unix(UnixListener::bind(path)?))
    }

    /// The TCP port, if it has one.
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok().map(|address| address.port()),
            Self::Unix(_) => None,
        }
    }

    /// Waits for the next connection.
    pub async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => listener.accept().await?.0.into_std().map(Accepted::Tcp),
            Self::Unix(listener) => listener.accept().await?.0.into_std().map(Accepted::Unix),
        }
    }
}

impl Accepted {
    /// Who talks to whom. `path` is the unix socket's.
    pub fn ends(&self, path: &str) -> Ends {
        match self {
            Self::Tcp(stream) => {
                let text = |address: io::Result<SocketAddr>| {
                    address.map_or_else(|_| "?:0".to_owned(), |address| address.to_string())
                };
                let peer = stream.peer_addr();
                let is_local =
                    peer.as_ref().is_ok_and(|peer| peer.ip().to_canonical().is_loopback());
                Ends {
                    remote: text(peer),
                    local: text(stream.local_addr()),
                    fd: stream.as_raw_fd(),
                    is_local,
                }
            }
            Self::Unix(stream) => {
                let path = format!("{path}:0");
                let fd = stream.as_raw_fd();
                Ends { remote: path.clone(), local: path, fd, is_local: true }
            }
        }
    }

    /// Hands the socket to the thread that calls.
    pub fn into_stream(self, keepalive_s: u64) -> io::Result<Stream> {
        match self {
            Self::Tcp(stream) => {
                stream.set_nodelay(true)?;
                if keepalive_s > 0 {
                    let time = Duration::from_secs(keepalive_s);
                    let interval = (time / 3).max(Duration::from_secs(1));
                    let keepalive = TcpKeepalive::new().with_time(time).with_interval(interval);
                    SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
                }
                Ok(Stream::Tcp(TcpStream::from_std(stream)?))
            }
            Self::Unix(stream) => Ok(Stream::Unix(UnixStream::from_std(stream)?)),
        }
    }
}

impl Stream {
    /// Reads into `buffer`; zero bytes mean that the other side is done.
    #[inline]
    pub fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        ready!(match self {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, &mut buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, &mut buffer),
        })?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Writes what the socket takes.
    #[inline]
    pub fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }
}
