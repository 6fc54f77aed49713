//! Connections and listeners, over loopback.

use std::ffi::c_int;
use std::io;
use std::mem::size_of;
use std::net::SocketAddr;
use std::os::fd::RawFd;

use super::act::{checked, outcome};
use crate::script::{Act, Value};

/// Without it no address can be reached.
pub fn loopback_up() -> io::Result<()> {
    // SAFETY: all-zero is a valid ifreq; the name fits and ends with NUL; the descriptor is open.
    unsafe {
        let fd = checked(libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0))?;
        let mut request: libc::ifreq = std::mem::zeroed();
        request.ifr_name[..2].copy_from_slice(&[b'l' as libc::c_char, b'o' as libc::c_char]);
        request.ifr_ifru.ifru_flags = libc::IFF_UP as i16;
        let result = checked(libc::ioctl(fd, libc::SIOCSIFFLAGS, &raw const request));
        libc::close(fd);
        result.map(drop)
    }
}

/// `path` is the address, `name` the protocol; the first of `args` is the address that it is bound to before.
pub fn connect(act: &Act) -> Result<String, String> {
    let to = Address::parse(&act.path)?;
    let fd = to.socket(&act.name).map_err(|e| format!("socket: {e}"))?;
    if let Some(Value::Text(from)) = act.args.first() {
        Address::parse(from)?.bind(fd).map_err(|e| format!("bind {from}: {e}"))?;
    }
    // SAFETY: an address of this length that outlives the call.
    Ok(outcome(unsafe { libc::connect(fd, to.pointer(), to.length) }.into()))
}

pub fn listen(act: &Act) -> Result<String, String> {
    let at = Address::parse(&act.path)?;
    let fd = at.socket(&act.name).map_err(|e| format!("socket: {e}"))?;
    at.bind(fd).map_err(|e| format!("bind {}: {e}", act.path))?;
    // SAFETY: takes no pointers.
    Ok(outcome(unsafe { libc::listen(fd, 1) }.into()))
}

pub fn send(act: &Act) -> Result<String, String> {
    let first = match act.args.first() {
        Some(Value::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    if act.name == "pair" {
        let mut ends = [0; 2];
        let bytes = bytes(first.unwrap_or_default())?;
        // SAFETY: room for two descriptors; then bytes of this length that outlive the call.
        let sent = unsafe {
            checked(libc::socketpair(libc::AF_UNIX, libc::SOCK_DGRAM, 0, ends.as_mut_ptr()))
                .map_err(|e| format!("socketpair: {e}"))?;
            libc::send(ends[0], bytes.as_ptr().cast(), bytes.len(), 0)
        };
        return Ok(outcome(sent as libc::c_long));
    }
    let to = Address::parse(&act.path)?;
    let fd = to.socket(&act.name).map_err(|e| format!("socket: {e}"))?;
    let bytes = match (act.name.as_str(), first) {
        ("raw", packet) => bytes(packet.unwrap_or_default())?,
        ("self", _) => {
            to.bind(fd).map_err(|e| format!("bind: {e}"))?;
            vec![b'x']
        }
        (_, Some(from)) => {
            Address::parse(from)?.bind(fd).map_err(|e| format!("bind {from}: {e}"))?;
            for (option, value) in [libc::SO_MARK, libc::SO_PRIORITY].into_iter().zip(&act.args[1..]) {
                let Value::Number(number) = value else { return Err("a mark and a priority".to_owned()) };
                let number = *number as c_int;
                let size = size_of::<c_int>() as libc::socklen_t;
                // SAFETY: an option of this length that outlives the call.
                unsafe {
                    libc::setsockopt(fd, libc::SOL_SOCKET, option, (&raw const number).cast(), size);
                }
            }
            vec![b'x']
        }
        (_, None) => vec![b'x'],
    };
    // SAFETY: bytes and an address of these lengths that outlive the call.
    let sent = unsafe { libc::sendto(fd, bytes.as_ptr().cast(), bytes.len(), 0, to.pointer(), to.length) };
    if act.name == "self" && sent > 0 {
        return Ok(outcome(receive(fd)));
    }
    Ok(outcome(sent as libc::c_long))
}

/// Waits for two seconds.
fn receive(fd: RawFd) -> libc::c_long {
    let wait = libc::timeval { tv_sec: 2, tv_usec: 0 };
    let mut byte = 0_u8;
    let (level, option) = (libc::SOL_SOCKET, libc::SO_RCVTIMEO);
    // SAFETY: an option of this length and room for a byte.
    unsafe {
        libc::setsockopt(fd, level, option, (&raw const wait).cast(), size_of::<libc::timeval>() as u32);
        libc::recv(fd, (&raw mut byte).cast(), 1, 0) as libc::c_long
    }
}

/// Of hexadecimal digits, with spaces anywhere.
fn bytes(digits: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<u8> = digits.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks(2).map(byte).collect::<Option<_>>().ok_or_else(|| "no hexadecimal digits".to_owned())
}

struct Address {
    storage: Box<libc::sockaddr_storage>,
    length: libc::socklen_t,
}

impl Address {
    /// `1.2.3.4:80`, `[::1]:80`, or the path of a unix socket.
    fn parse(text: &str) -> Result<Address, String> {
        // SAFETY: all-zero is a valid address.
        let mut storage: Box<libc::sockaddr_storage> = Box::new(unsafe { std::mem::zeroed() });
        let at: *mut libc::sockaddr_storage = &raw mut *storage;
        // SAFETY: each kind of address fits into the storage, which is aligned for all.
        let length = unsafe {
            if text.starts_with('/') {
                let to = &mut *at.cast::<libc::sockaddr_un>();
                to.sun_family = libc::AF_UNIX as u16;
                if text.len() >= to.sun_path.len() {
                    return Err(format!("{text} is too long"));
                }
                for (to, from) in to.sun_path.iter_mut().zip(text.bytes()) {
                    *to = from as libc::c_char;
                }
                size_of::<libc::sockaddr_un>()
            } else {
                match text.parse::<SocketAddr>().map_err(|e| format!("{text}: {e}"))? {
                    SocketAddr::V4(address) => {
                        let to = &mut *at.cast::<libc::sockaddr_in>();
                        to.sin_family = libc::AF_INET as u16;
                        to.sin_port = address.port().to_be();
                        to.sin_addr.s_addr = address.ip().to_bits().to_be();
                        size_of::<libc::sockaddr_in>()
                    }
                    SocketAddr::V6(address) => {
                        let to = &mut *at.cast::<libc::sockaddr_in6>();
                        to.sin6_family = libc::AF_INET6 as u16;
                        to.sin6_port = address.port().to_be();
                        to.sin6_addr.s6_addr = address.ip().octets();
                        size_of::<libc::sockaddr_in6>()
                    }
                }
            }
        };
        Ok(Address { storage, length: length as libc::socklen_t })
    }

    fn pointer(&self) -> *const libc::sockaddr {
        (&raw const *self.storage).cast()
    }

    fn socket(&self, protocol: &str) -> io::Result<RawFd> {
        let (kind, protocol) = match protocol {
            "udp" | "self" => (libc::SOCK_DGRAM, 0),
            "raw" => (libc::SOCK_RAW, libc::IPPROTO_RAW),
            _ => (libc::SOCK_STREAM, 0),
        };
        // SAFETY: takes no pointers.
        checked(unsafe { libc::socket(self.storage.ss_family.into(), kind | libc::SOCK_CLOEXEC, protocol) })
    }

    fn bind(&self, fd: RawFd) -> io::Result<()> {
        let one: c_int = 1;
        let (level, option) = (libc::SOL_SOCKET, libc::SO_REUSEADDR);
        // SAFETY: an option and an address of these lengths that outlive the calls.
        unsafe {
            libc::setsockopt(fd, level, option, (&raw const one).cast(), size_of::<c_int>() as u32);
            checked(libc::bind(fd, self.pointer(), self.length)).map(drop)
        }
    }
}
