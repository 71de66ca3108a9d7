//! Who counts as one where it is counted by address what somebody tries.

use std::net::{IpAddr, Ipv6Addr};

/// The address of all that one household has: one of IPv4, or all of an IPv6 /64 (RFC 6177). An
/// IPv4 address that is written as part of IPv6 is one of IPv4.
#[must_use]
pub fn household(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_network_are_one_household_and_neighbours_are_others() {
        for (one, other, same) in [
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("2001:db8::1", "2001:db8::ffff:2", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
        ] {
            let [one, other] = [one, other].map(|text| household(text.parse().unwrap()));
            assert_eq!(one == other, same, "{one} {other}");
        }
    }
}
