//! The sockets that listen.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::ReceiveTimestampns;
use sip::Transport;
use socket2::SockRef;
use tokio::net::TcpListener;

use crate::BindError;
use crate::limits::{PORT_CHOICES_MAX, RECEIVE_BUFFER_BYTES};

/// One address, with both of its sockets.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    pub(crate) udp: UdpSocket,
    pub(crate) tcp: TcpListener,
}

/// Opens both sockets on every address; wildcards stand for the addresses of the interfaces.
pub(crate) async fn bind_all(wanted: &[SocketAddr]) -> Result<Vec<Listener>, BindError> {
    let addresses = addresses(wanted)?;
    let mut listeners = Vec::with_capacity(addresses.len());
    for address in addresses {
        listeners.push(bind(address).await?);
    }
    Ok(listeners)
}

/// Opens the socket of a transport with connections on every address.
pub(crate) async fn bind_streams(
    transport: Transport,
    wanted: &[SocketAddr],
) -> Result<Vec<(SocketAddr, TcpListener)>, BindError> {
    let mut listeners = Vec::new();
    for wanted in addresses(wanted)? {
        let error = |source| BindError { transport, address: wanted, source };
        let listener = TcpListener::bind(wanted).await.map_err(error)?;
        listeners.push((listener.local_addr().map_err(error)?, listener));
    }
    Ok(listeners)
}

fn addresses(wanted: &[SocketAddr]) -> Result<Vec<SocketAddr>, BindError> {
    let mut addresses = Vec::new();
    for &address in wanted {
        let expanded = match address.ip().is_unspecified() {
            true => expand(address, &interfaces(address)?),
            false => vec![address],
        };
        for address in expanded {
            // Port 0 twice is two ports; any other address twice is one.
            if address.port() == 0 || !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    Ok(addresses)
}

fn interfaces(wildcard: SocketAddr) -> Result<BTreeSet<IpAddr>, BindError> {
    let listed = if_addrs::get_if_addrs().and_then(|interfaces| match interfaces.is_empty() {
        true => Err(io::Error::other("this machine has no interface with an address")),
        false => Ok(interfaces),
    });
    match listed {
        Ok(interfaces) => Ok(interfaces.iter().map(if_addrs::Interface::ip).collect()),
        Err(source) => Err(BindError { transport: Transport::Udp, address: wildcard, source }),
    }
}

/// The addresses that a wildcard stands for: `::` those of both families, as on a socket that is
/// not for IPv6 only. The loopback is last, for the first is what people are told to dial.
fn expand(wildcard: SocketAddr, interfaces: &BTreeSet<IpAddr>) -> Vec<SocketAddr> {
    let mut ips: Vec<IpAddr> = interfaces
        .iter()
        .filter(|ip| match ip {
            IpAddr::V4(_) => true,
            // A link-local address means nothing in a Contact: its zone is not sent.
            IpAddr::V6(ip) => wildcard.is_ipv6() && !ip.is_unicast_link_local(),
        })
        .copied()
        .collect();
    ips.sort_by_key(|ip| (ip.is_loopback(), ip.is_ipv6(), *ip));
    ips.into_iter().map(|ip| SocketAddr::new(ip, wildcard.port())).collect()
}

async fn bind(address: SocketAddr) -> Result<Listener, BindError> {
    let mut choices = 1..;
    loop {
        match bind_once(address).await {
            // The system chose a port for UDP that somebody has for TCP.
            Err(BindError { transport: Transport::Tcp, source, .. })
                if address.port() == 0
                    && source.kind() == io::ErrorKind::AddrInUse
                    && choices.next() < Some(PORT_CHOICES_MAX) => {}
            result => return result,
        }
    }
}

async fn bind_once(wanted: SocketAddr) -> Result<Listener, BindError> {
    let error = |transport, address| move |source| BindError { transport, address, source };
    let udp = UdpSocket::bind(wanted).map_err(error(Transport::Udp, wanted))?;
    udp.set_nonblocking(true).map_err(error(Transport::Udp, wanted))?;
    let address = udp.local_addr().map_err(error(Transport::Udp, wanted))?;
    // Asked for and not insisted on: the system has a most of its own (`net.core.rmem_max`).
    if let Err(error) = SockRef::from(&udp).set_recv_buffer_size(RECEIVE_BUFFER_BYTES) {
        tracing::debug!(%address, %error, "a socket goes without a larger buffer");
    }
    if let Err(error) = setsockopt(&udp, ReceiveTimestampns, &true) {
        tracing::debug!(%address, %error, "datagrams are not stamped with when they came");
    }
    let tcp = TcpListener::bind(address).await.map_err(error(Transport::Tcp, address))?;
    Ok(Listener { address, udp, tcp })
}

/// Whether a socket at `local` can send to `remote` at all.
pub(crate) fn reaches(local: SocketAddr, remote: SocketAddr) -> bool {
    local.is_ipv4() == remote.is_ipv4()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(wildcard: &str) -> Vec<String> {
        let interfaces = ["127.0.0.1", "::1", "10.0.0.5", "fe80::1", "2001:db8::7", "192.0.2.1"]
            .map(|ip| ip.parse().unwrap());
        let addresses = expand(wildcard.parse().unwrap(), &interfaces.into());
        addresses.iter().map(SocketAddr::to_string).collect()
    }

    #[tokio::test]
    async fn the_kernel_keeps_more_of_a_burst_than_it_does_for_any_socket() {
        let any = UdpSocket::bind("127.0.0.1:0").unwrap();
        let ours = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let bytes = |udp: &UdpSocket| SockRef::from(udp).recv_buffer_size().unwrap();
        assert!(bytes(&ours.udp) > bytes(&any), "{} and {}", bytes(&ours.udp), bytes(&any));
    }

    #[test]
    fn a_wildcard_stands_for_each_address_of_its_families() {
        assert_eq!(expanded("0.0.0.0:5060"), ["10.0.0.5:5060", "192.0.2.1:5060", "127.0.0.1:5060"]);
        assert_eq!(
            expanded("[::]:5070"),
            [
                "10.0.0.5:5070",
                "192.0.2.1:5070",
                "[2001:db8::7]:5070",
                "127.0.0.1:5070",
                "[::1]:5070"
            ]
        );
    }
}
