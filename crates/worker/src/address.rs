//! Socket addresses as the kernel writes them.
#![expect(unsafe_code, reason = "the kernel's address structures are unions by convention")]

use std::mem::size_of;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};

/// An address that the kernel can read.
pub(crate) enum RawAddress {
    V4(libc::sockaddr_in),
    V6(libc::sockaddr_in6),
}

impl RawAddress {
    /// An address for a socket of IPv6 or of IPv4. An IPv6 socket reaches IPv4 hosts by their
    /// mapped address (RFC 4291 section 2.5.5.2).
    pub(crate) fn new(address: SocketAddr, ipv6: bool) -> RawAddress {
        match address {
            SocketAddr::V4(v4) if ipv6 => {
                let mapped = SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0);
                RawAddress::of_v6(&mapped)
            }
            SocketAddr::V4(v4) => RawAddress::V4(libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(v4.ip().octets()) },
                sin_zero: [0; 8],
            }),
            SocketAddr::V6(v6) => RawAddress::of_v6(&v6),
        }
    }

    fn of_v6(v6: &SocketAddrV6) -> RawAddress {
        RawAddress::V6(libc::sockaddr_in6 {
            sin6_family: libc::AF_INET6 as libc::sa_family_t,
            sin6_port: v6.port().to_be(),
            sin6_flowinfo: v6.flowinfo(),
            sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
            sin6_scope_id: v6.scope_id(),
        })
    }

    /// Where it is, for as long as this lives.
    pub(crate) fn pointer(&self) -> *const libc::sockaddr {
        match self {
            RawAddress::V4(v4) => (&raw const *v4).cast(),
            RawAddress::V6(v6) => (&raw const *v6).cast(),
        }
    }

    /// How long it is \[bytes\].
    pub(crate) fn length(&self) -> libc::socklen_t {
        let length = match self {
            RawAddress::V4(_) => size_of::<libc::sockaddr_in>(),
            RawAddress::V6(_) => size_of::<libc::sockaddr_in6>(),
        };
        length as libc::socklen_t
    }
}

/// Room for any address \[bytes\].
pub(crate) const NAME_BYTES: usize = 32;

const _: () = assert!(size_of::<libc::sockaddr_in6>() <= NAME_BYTES);

/// Reads what the kernel wrote. Mapped addresses come out as the IPv4 addresses that they are.
pub(crate) fn read_address(name: &[u8]) -> Option<SocketAddr> {
    let family = libc::sa_family_t::from_ne_bytes(*name.first_chunk()?);
    match libc::c_int::from(family) {
        libc::AF_INET => {
            let v4: libc::sockaddr_in = read(name)?;
            let ip = Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes());
            Some(SocketAddr::new(IpAddr::V4(ip), u16::from_be(v4.sin_port)))
        }
        libc::AF_INET6 => {
            let v6: libc::sockaddr_in6 = read(name)?;
            let ip = std::net::Ipv6Addr::from(v6.sin6_addr.s6_addr);
            let port = u16::from_be(v6.sin6_port);
            Some(match ip.to_ipv4_mapped() {
                Some(ip) => SocketAddr::new(IpAddr::V4(ip), port),
                None => {
                    let (flow, scope) = (v6.sin6_flowinfo, v6.sin6_scope_id);
                    SocketAddr::V6(SocketAddrV6::new(ip, port, flow, scope))
                }
            })
        }
        _ => None,
    }
}

/// What only an address structure may be.
///
/// # Safety
/// It is all integers, of which any bits are a value.
unsafe trait Plain: Copy {}
// SAFETY: so the kernel defines it.
unsafe impl Plain for libc::sockaddr_in {}
// SAFETY: so the kernel defines it.
unsafe impl Plain for libc::sockaddr_in6 {}

fn read<T: Plain>(name: &[u8]) -> Option<T> {
    if name.len() < size_of::<T>() {
        return None;
    }
    // SAFETY: there are so many bytes, any bits are a `T`, and alignment is not relied on.
    Some(unsafe { name.as_ptr().cast::<T>().read_unaligned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_back(address: &str, ipv6: bool) -> String {
        let raw = RawAddress::new(address.parse().unwrap(), ipv6);
        // SAFETY: the address lives on, and is as long as it says.
        let name = unsafe {
            std::slice::from_raw_parts(raw.pointer().cast::<u8>(), raw.length() as usize)
        };
        assert_eq!(read_address(&name[..name.len() - 1]), None, "cut");
        read_address(name).unwrap().to_string()
    }

    #[test]
    fn an_address_is_read_as_it_was_written() {
        assert_eq!(read_back("192.0.2.7:4002", false), "192.0.2.7:4002");
        assert_eq!(read_back("192.0.2.7:4002", true), "192.0.2.7:4002");
        assert_eq!(read_back("[2001:db8::1]:4002", true), "[2001:db8::1]:4002");
    }
}
