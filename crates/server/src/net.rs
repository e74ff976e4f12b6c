//! Sockets: listening, accepting, and the two calls that move bytes.
//!
//! A connected socket is a descriptor, of whichever kind; only who listens and accepts knows more.

use std::fmt;
use std::fs::Permissions;
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{
    RecvFlags, SendAncillaryBuffer, SendFlags, SocketAddrAny, SocketFlags, acceptfrom_with,
    getsockname, recv, send, sendmsg,
};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

/// A socket that accepts connections.
pub struct Listener {
    socket: OwnedFd,
    /// The path of a unix socket.
    path: Option<Arc<str>>,
    /// The keepalive that its connections inherit.
    keepalive_s: Option<u64>,
}

/// A connected socket on its way to the thread that will serve it.
pub struct Accepted {
    /// The socket.
    pub socket: OwnedFd,
    /// The other side.
    pub remote: Address,
    /// Our side.
    pub local: Address,
}

/// One end of a connection, which CLIENT LIST shows.
#[derive(Clone)]
pub enum Address {
    /// An address and a port.
    Tcp(SocketAddr),
    /// The path of our unix socket.
    Unix(Arc<str>),
    /// The connection was gone before it could be asked.
    Unknown,
}

impl Address {
    fn of(address: Option<SocketAddrAny>) -> Self {
        let address = address.and_then(|address| SocketAddr::try_from(address).ok());
        address.map_or(Self::Unknown, Self::Tcp)
    }

    /// Whether it is on this machine.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
            Self::Unknown => false,
        }
    }

    /// Whether it is a unix socket.
    pub fn is_unix(&self) -> bool {
        matches!(self, Self::Unix(_))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(formatter),
            Self::Unix(path) => write!(formatter, "{path}:0"),
            Self::Unknown => formatter.write_str("?:0"),
        }
    }
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
        socket.set_tcp_nodelay(true)?;
        socket.bind(&address.into())?;
        socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        Ok(Self { socket: socket.into(), path: None, keepalive_s: None })
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
        Ok(Self { socket: listener.into(), path: Some(path.into()), keepalive_s: None })
    }

    /// The TCP address, if it has one.
    pub fn address(&self) -> Option<SocketAddr> {
        SocketAddr::try_from(getsockname(&self.socket).ok()?).ok()
    }

    /// A second descriptor of the socket.
    pub fn twin(&self) -> io::Result<OwnedFd> {
        self.socket.try_clone()
    }

    /// The next connection, if there is one. What is set on a listener, its connections inherit;
    /// that saves calls for each of them.
    pub fn accept(&mut self, keepalive_s: u64) -> io::Result<Option<Accepted>> {
        if self.keepalive_s != Some(keepalive_s) && self.path.is_none() {
            set_keepalive(&self.socket, keepalive_s)?;
            self.keepalive_s = Some(keepalive_s);
        }
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let (socket, remote) = match acceptfrom_with(&self.socket, flags) {
            Ok(accepted) => accepted,
            Err(Errno::AGAIN | Errno::CONNABORTED | Errno::INTR) => return Ok(None),
            // It listens no more, and this thread is about to be told.
            Err(Errno::INVAL) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if let Some(path) = &self.path {
            let (remote, local) = (Address::Unix(path.clone()), Address::Unix(path.clone()));
            return Ok(Some(Accepted { socket, remote, local }));
        }
        let local = Address::of(getsockname(&socket).ok());
        Ok(Some(Accepted { socket, remote: Address::of(remote), local }))
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

fn set_keepalive(socket: &OwnedFd, keepalive_s: u64) -> io::Result<()> {
    let socket = SockRef::from(socket);
    if keepalive_s == 0 {
        return socket.set_keepalive(false);
    }
    // The kernel takes no more.
    let time = Duration::from_secs(keepalive_s.min(32_767));
    let interval = (time / 3).max(Duration::from_secs(1));
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(time).with_interval(interval))
}

/// Writes what the socket takes of several pieces, see [`write`].
pub fn write_pieces(socket: &OwnedFd, pieces: &[IoSlice<'_>]) -> Result<usize, Errno> {
    match sendmsg(socket, pieces, &mut SendAncillaryBuffer::default(), SendFlags::NOSIGNAL) {
        Ok(count) => Ok(count),
        Err(Errno::AGAIN | Errno::INTR) => Ok(0),
        Err(error) => Err(error),
    }
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
