//! Sockets: listening, accepting, and the two calls that move bytes.
//!
//! A connected socket is a descriptor, of whichever kind; only who listens and accepts knows more.

use std::fs::Permissions;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags, accept_with, recv, send};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

/// A socket that accepts connections.
pub struct Listener {
    socket: OwnedFd,
    /// The path of a unix socket.
    path: Option<String>,
}

/// A connected socket on its way to the thread that will serve it.
pub struct Accepted {
    /// The socket.
    pub socket: OwnedFd,
    /// The other side, as CLIENT LIST shows it.
    pub remote: String,
    /// Our side.
    pub local: String,
    /// Whether the other side is on this machine.
    pub is_local: bool,
    /// Whether it came through a unix socket.
    pub is_unix: bool,
}

impl Listener {
    /// Listens on a TCP address.
    pub fn tcp(ip: IpAddr, port: u16, backlog: usize) -> io::Result<Self> {
        let address = SocketAddr::new(ip, port);
        let domain = Domain::for_address(address);
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        Ok(Self { socket: socket.into(), path: None })
    }

    /// Listens on a unix socket, in place of a file that a server before may have left. A `mode` of
    /// zero leaves its permissions as they are.
    pub fn unix(path: &str, mode: u32) -> io::Result<Self> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        listener.set_nonblocking(true)?;
        if mode != 0 {
            std::fs::set_permissions(Path::new(path), Permissions::from_mode(mode))?;
        }
        Ok(Self { socket: listener.into(), path: Some(path.to_owned()) })
    }

    /// The TCP port, if it has one.
    pub fn port(&self) -> Option<u16> {
        let listener = TcpListener::from(self.socket.try_clone().ok()?);
        listener.local_addr().ok().map(|address| address.port())
    }

    /// The next connection, if there is one.
    pub fn accept(&self, keepalive_s: u64) -> io::Result<Option<Accepted>> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = match accept_with(&self.socket, flags) {
            Ok(socket) => socket,
            Err(Errno::AGAIN | Errno::CONNABORTED | Errno::INTR) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if let Some(path) = &self.path {
            let end = format!("{path}:0");
            return Ok(Some(Accepted {
                socket,
                remote: end.clone(),
                local: end,
                is_local: true,
                is_unix: true,
            }));
        }
        let stream = TcpStream::from(socket);
        // A connection that is gone already has no addresses; reading from it will tell.
        let text = |address: &io::Result<SocketAddr>| {
            address.as_ref().map_or_else(|_| "?:0".to_owned(), SocketAddr::to_string)
        };
        let peer = stream.peer_addr();
        let is_local = peer.as_ref().is_ok_and(|peer| peer.ip().to_canonical().is_loopback());
        let (remote, local) = (text(&peer), text(&stream.local_addr()));
        tune(&stream, keepalive_s)?;
        Ok(Some(Accepted { socket: stream.into(), remote, local, is_local, is_unix: false }))
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Accepted {
    /// The socket's number, as CLIENT LIST shows it.
    pub fn number(&self) -> i32 {
        self.socket.as_raw_fd()
    }
}

fn tune(stream: &TcpStream, keepalive_s: u64) -> io::Result<()> {
    stream.set_nodelay(true)?;
    if keepalive_s > 0 {
        // The kernel takes no more.
        let time = Duration::from_secs(keepalive_s.min(32_767));
        let interval = (time / 3).max(Duration::from_secs(1));
        let keepalive = TcpKeepalive::new().with_time(time).with_interval(interval);
        SockRef::from(stream).set_tcp_keepalive(&keepalive)?;
    }
    Ok(())
}

/// Reads what is there: `None` when nothing is, zero bytes when the other side is done.
#[inline]
pub fn read(socket: &OwnedFd, buffer: &mut [u8]) -> Result<Option<usize>, Errno> {
    match recv(socket, buffer, RecvFlags::empty()) {
        Ok((count, _)) => Ok(Some(count)),
        Err(Errno::AGAIN | Errno::INTR) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes what the socket takes, which may be nothing.
#[inline]
pub fn write(socket: &OwnedFd, bytes: &[u8]) -> Result<usize, Errno> {
    match send(socket, bytes, SendFlags::NOSIGNAL) {
        Ok(count) => Ok(count),
        Err(Errno::AGAIN | Errno::INTR) => Ok(0),
        Err(error) => Err(error),
    }
}
