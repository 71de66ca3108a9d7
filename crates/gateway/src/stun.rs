//! STUN on the SIP port: phones behind NAT ask for their outer address to keep its entry alive and
//! to notice when it changes (RFC 5626 §4.4.2). Only the Binding method of RFC 8489 is known.

use std::net::{IpAddr, SocketAddr};

/// What tells STUN from everything else (RFC 8489 §5).
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// Type, length, cookie and transaction.
const HEADER_BYTES: usize = 20;

const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];
const BINDING_ERROR: [u8; 2] = [0x01, 0x11];

const XOR_MAPPED_ADDRESS: [u8; 2] = [0x00, 0x20];
const ERROR_CODE: [u8; 2] = [0x00, 0x09];
const UNKNOWN_ATTRIBUTES: [u8; 2] = [0x00, 0x0a];

/// Attributes below this must be understood (RFC 8489 §14).
const OPTIONAL_FROM: u16 = 0x8000;

/// Attributes of a request that must be understood and are, because they ask nothing of one who
/// requires no credentials (RFC 8489 §9): USERNAME, MESSAGE-INTEGRITY, REALM, NONCE and those of
/// SHA-256, and PRIORITY.
const KNOWN: [u16; 7] = [0x0006, 0x0008, 0x0014, 0x0015, 0x001c, 0x001e, 0x0024];

/// Attributes that an answer names as not understood: more cannot grow it beyond its request.
const UNKNOWN_MAX: usize = 4;

/// Whether a datagram is STUN and not SIP: no SIP message begins with two zero bits.
pub(crate) fn is_stun(datagram: &[u8]) -> bool {
    datagram.len() >= HEADER_BYTES && datagram[0] & 0xc0 == 0 && datagram[4..8] == MAGIC_COOKIE
}

/// The answer to a Binding request that came from there; none to anything else.
pub(crate) fn answer(datagram: &[u8], source: SocketAddr) -> Option<Vec<u8>> {
    if !is_stun(datagram) || datagram[..2] != BINDING_REQUEST {
        return None;
    }
    let length = usize::from(u16::from_be_bytes([datagram[2], datagram[3]]));
    let transaction = &datagram[4..HEADER_BYTES];
    if length % 4 != 0 || datagram.len() != HEADER_BYTES + length {
        return None;
    }
    let unknown = unknown_attributes(&datagram[HEADER_BYTES..])?;
    if !unknown.is_empty() {
        return Some(message(BINDING_ERROR, transaction, &not_understood(&unknown)));
    }
    let value = xor_mapped(source, transaction);
    Some(message(BINDING_SUCCESS, transaction, &attribute(XOR_MAPPED_ADDRESS, &value)))
}

/// The attributes that must be understood and are not; none if they cannot be read.
fn unknown_attributes(mut rest: &[u8]) -> Option<Vec<u16>> {
    let mut unknown = Vec::new();
    while !rest.is_empty() {
        let (head, after) = rest.split_at_checked(4)?;
        let kind = u16::from_be_bytes([head[0], head[1]]);
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        rest = after.get(length.next_multiple_of(4)..)?;
        if kind < OPTIONAL_FROM && !KNOWN.contains(&kind) && unknown.len() < UNKNOWN_MAX {
            unknown.push(kind);
        }
    }
    Some(unknown)
}

/// 420 (RFC 8489 §6.3.1).
fn not_understood(unknown: &[u16]) -> Vec<u8> {
    let kinds: Vec<u8> = unknown.iter().flat_map(|kind| kind.to_be_bytes()).collect();
    let error = attribute(ERROR_CODE, &[0, 0, 4, 20]);
    [error, attribute(UNKNOWN_ATTRIBUTES, &kinds)].concat()
}

/// The address with the cookie and the transaction over it, so that no NAT rewrites it (§14.2).
fn xor_mapped(source: SocketAddr, cookie_and_transaction: &[u8]) -> Vec<u8> {
    let (family, octets) = match source.ip().to_canonical() {
        IpAddr::V4(ip) => (1, ip.octets().to_vec()),
        IpAddr::V6(ip) => (2, ip.octets().to_vec()),
    };
    let port = source.port().to_be_bytes();
    let plain = port.iter().zip(cookie_and_transaction);
    let mut value: Vec<u8> = [0, family].into();
    value.extend(plain.map(|(byte, mask)| byte ^ mask));
    value.extend(octets.iter().zip(cookie_and_transaction).map(|(byte, mask)| byte ^ mask));
    value
}

fn attribute(kind: [u8; 2], value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).expect("our attributes are short");
    let mut bytes = [kind, length.to_be_bytes()].concat();
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn message(kind: [u8; 2], cookie_and_transaction: &[u8], attributes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(attributes.len()).expect("our attributes are short");
    [&kind, &length.to_be_bytes()[..], cookie_and_transaction, attributes].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSACTION: [u8; 12] =
        [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];

    fn request(attributes: &[u8]) -> Vec<u8> {
        message(BINDING_REQUEST, &[&MAGIC_COOKIE[..], &TRANSACTION].concat(), attributes)
    }

    /// The transaction and the addresses are those of RFC 5769 §2.2 and §2.3.
    #[test]
    fn the_source_is_told_as_in_the_test_vectors() {
        let answered = answer(&request(&[]), "192.0.2.1:32853".parse().unwrap()).unwrap();
        assert_eq!(answered[..4], [0x01, 0x01, 0x00, 0x0c]);
        assert_eq!(
            answered[HEADER_BYTES..],
            [0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]
        );
        let source = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap();
        let answered = answer(&request(&[]), source).unwrap();
        assert_eq!(
            answered[HEADER_BYTES..],
            [
                0x00, 0x20, 0x00, 0x14, 0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3,
                0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9
            ]
        );
    }

    #[test]
    fn what_is_not_understood_is_named_and_what_may_be_passed_over_is() {
        let source = "192.0.2.1:32853".parse().unwrap();
        let software = attribute([0x80, 0x22], b"phone");
        assert_eq!(answer(&request(&software), source).unwrap()[..2], BINDING_SUCCESS);
        let strange = attribute([0x00, 0x03], &[0, 0, 0, 6]);
        let refused = answer(&request(&[software, strange].concat()), source).unwrap();
        assert_eq!(refused[..2], BINDING_ERROR);
        assert_eq!(
            refused[HEADER_BYTES..],
            [0, 9, 0, 4, 0, 0, 4, 20, 0, 0x0a, 0, 2, 0x00, 0x03, 0, 0]
        );
    }

    #[test]
    fn nothing_else_is_answered() {
        let source = "192.0.2.1:32853".parse().unwrap();
        let good = request(&[]);
        let indication = [&[0x00, 0x11], &good[2..]].concat();
        let longer = [&good[..], &[0; 4]].concat();
        let cut = request(&[0x80, 0x22, 0x00, 0x08, 1, 2, 3, 4]);
        for bytes in [&b"OPTIONS sip:a@b SIP/2.0\r\n"[..], &good[..19], &indication, &longer, &cut]
        {
            assert_eq!(answer(bytes, source), None, "{bytes:?}");
        }
    }

    /// Bytes from a linear congruential generator over good and bad beginnings.
    #[test]
    fn no_bytes_make_it_fall_and_no_answer_is_much_longer_than_its_request() {
        let source = "[2001:db8::1]:9".parse().unwrap();
        let mut state = 1_u64;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        let mut answered = 0;
        for round in 0..20_000_u32 {
            let attributes: Vec<u8> = (0..u32::from(draw()) % 64 / 4 * 4).map(|_| draw()).collect();
            let mut bytes = request(&attributes);
            if round % 2 == 0 {
                let at = usize::from(draw()) % bytes.len();
                bytes[at] = draw();
            }
            if let Some(answer) = answer(&bytes, source) {
                answered += 1;
                assert!(answer.len() <= bytes.len() + 24, "{bytes:?}");
            }
        }
        assert!(answered > 1_000, "{answered} were answered");
    }
}
