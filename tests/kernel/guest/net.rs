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
        let kind = if protocol == "udp" { libc::SOCK_DGRAM } else { libc::SOCK_STREAM };
        // SAFETY: takes no pointers.
        checked(unsafe { libc::socket(self.storage.ss_family.into(), kind | libc::SOCK_CLOEXEC, 0) })
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
