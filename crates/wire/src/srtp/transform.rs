//! How one packet is encrypted and authenticated, and the session keys for it.

use aes::cipher::consts::U16;
use aes::cipher::{Array, BlockCipherEncrypt, BlockSizeUser, KeyInit};
use aes::{Aes128Enc, Aes256Enc};
use aes_gcm::{AeadInOut, Aes128Gcm};
use hmac::{Hmac, Mac};
use sha1::Sha1;

use super::{MasterKey, SrtpError, Suite};

/// Blocks whose keystream is made at once: the processor works on eight side by side.
const BLOCKS: usize = 8;

/// Adds the keystream of AES in counter mode from this first block on (RFC 3711 section 4.1.1).
pub(super) fn keystream<C>(cipher: &C, first: [u8; 16], data: &mut [u8])
where
    C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16>,
{
    let mut counter = u128::from_be_bytes(first);
    for chunk in data.chunks_mut(16 * BLOCKS) {
        let mut blocks: [Array<u8, U16>; BLOCKS] = Default::default();
        let blocks = &mut blocks[..chunk.len().div_ceil(16)];
        for block in &mut *blocks {
            *block = counter.to_be_bytes().into();
            counter = counter.wrapping_add(1);
        }
        cipher.encrypt_blocks(blocks);
        for (byte, key) in chunk.iter_mut().zip(blocks.iter().flatten()) {
            *byte ^= key;
        }
    }
}

/// AES with a key of either length.
enum Counter {
    Aes128(Aes128Enc),
    Aes256(Aes256Enc),
}

impl Counter {
    /// None if there is no AES with a key of that length.
    fn new(key: &[u8]) -> Option<Self> {
        match key.len() {
            16 => Aes128Enc::new_from_slice(key).ok().map(Self::Aes128),
            _ => Aes256Enc::new_from_slice(key).ok().map(Self::Aes256),
        }
    }

    fn apply(&self, first: [u8; 16], data: &mut [u8]) {
        match self {
            Self::Aes128(cipher) => keystream(cipher, first, data),
            Self::Aes256(cipher) => keystream(cipher, first, data),
        }
    }
}

/// For what a session key is derived (RFC 3711 section 4.3).
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    /// SRTP.
    Media,
    /// SRTCP.
    Control,
}

/// Key, authentication key and salt of a session.
pub(super) struct SessionKeys {
    pub(super) key: [u8; 32],
    pub(super) authentication: [u8; 20],
    pub(super) salt: [u8; 14],
}

impl SessionKeys {
    /// Derives them (RFC 3711 section 4.3.1), once for the life of the master key: a derivation
    /// rate is never agreed on.
    pub(super) fn derive(master: &MasterKey, purpose: Purpose) -> Self {
        let first_label = match purpose {
            Purpose::Media => 0,
            Purpose::Control => 3,
        };
        let cipher = Counter::new(master.key()).expect("a suite's master key is an AES key");
        let derived = |label: u8, out: &mut [u8]| {
            let mut first = [0; 16];
            first[..14].copy_from_slice(&master.salt());
            first[7] ^= first_label + label;
            cipher.apply(first, out);
        };
        let mut keys = Self { key: [0; 32], authentication: [0; 20], salt: [0; 14] };
        derived(0, &mut keys.key);
        derived(1, &mut keys.authentication);
        derived(2, &mut keys.salt);
        keys
    }
}

/// Which packet of which stream it is.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) ssrc: u32,
    /// 48 bits of SRTP (RFC 3711 section 3.3.1), 31 of SRTCP.
    pub(super) index: u64,
}

/// A tag, the suite's length of it \[bytes\].
pub(super) type Tag = [u8; 16];

/// The transforms that there are.
enum Algorithm {
    /// AES in counter mode, and HMAC-SHA1 of what comes out.
    Counter { cipher: Counter, mac: Hmac<Sha1>, salt: [u8; 14] },
    /// AES-GCM, which does both.
    Gcm { cipher: Aes128Gcm, salt: [u8; 12] },
}

/// Encrypts and authenticates the packets of one purpose.
pub(super) struct Transform {
    purpose: Purpose,
    algorithm: Algorithm,
}

impl Transform {
    pub(super) fn new(master: &MasterKey, purpose: Purpose) -> Self {
        let keys = SessionKeys::derive(master, purpose);
        Self::with(master.suite(), purpose, &keys)
    }

    pub(super) fn with(suite: Suite, purpose: Purpose, keys: &SessionKeys) -> Self {
        let key = &keys.key[..suite.key_bytes()];
        let fits = "a session key is as long as the suite's master key";
        let algorithm = match suite {
            Suite::AeadAes128Gcm => {
                let mut salt = [0; 12];
                salt.copy_from_slice(&keys.salt[..12]);
                Algorithm::Gcm { cipher: Aes128Gcm::new_from_slice(key).expect(fits), salt }
            }
            Suite::Aes256CmHmacSha1_80
            | Suite::AesCm128HmacSha1_80
            | Suite::AesCm128HmacSha1_32 => Algorithm::Counter {
                cipher: Counter::new(key).expect(fits),
                mac: Hmac::new_from_slice(&keys.authentication).expect("HMAC takes any key"),
                salt: keys.salt,
            },
        };
        Self { purpose, algorithm }
    }

    /// Encrypts a packet's text, and makes the tag of the whole.
    pub(super) fn seal(
        &self,
        place: Place,
        clear: &[u8],
        text: &mut [u8],
    ) -> Result<Tag, SrtpError> {
        let word = self.word(place);
        match &self.algorithm {
            Algorithm::Counter { cipher, mac, salt } => {
                cipher.apply(first_block(salt, place), text);
                let mac = authenticate(mac, clear, text, word).finalize().into_bytes();
                let mut tag = Tag::default();
                tag.copy_from_slice(&mac[..16]);
                Ok(tag)
            }
            Algorithm::Gcm { cipher, salt } => {
                let mut joined = Joined::default();
                let associated = self.associated(clear, word, &mut joined);
                let nonce = nonce(salt, place).into();
                let tag = cipher.encrypt_inout_detached(&nonce, associated, text.into());
                // It fails for texts of gigabytes.
                tag.map(Into::into).map_err(|_| SrtpError::Malformed)
            }
        }
    }

    /// Decrypts a packet's text if its tag is right; else the text stays as it is.
    pub(super) fn open(
        &self,
        place: Place,
        clear: &[u8],
        text: &mut [u8],
        tag: &[u8],
    ) -> Result<(), SrtpError> {
        let word = self.word(place);
        match &self.algorithm {
            Algorithm::Counter { cipher, mac, salt } => {
                let mac = authenticate(mac, clear, text, word);
                mac.verify_truncated_left(tag).map_err(|_| SrtpError::Unauthentic)?;
                cipher.apply(first_block(salt, place), text);
                Ok(())
            }
            Algorithm::Gcm { cipher, salt } => {
                let tag = Tag::try_from(tag).map_err(|_| SrtpError::Malformed)?;
                let mut joined = Joined::default();
                let associated = self.associated(clear, word, &mut joined);
                let (nonce, tag) = (nonce(salt, place).into(), tag.into());
                let opened = cipher.decrypt_inout_detached(&nonce, associated, text.into(), &tag);
                opened.map_err(|_| SrtpError::Unauthentic)
            }
        }
    }

    /// What is authenticated behind the text: the rollover counter, which is not sent, or the
    /// index of SRTCP with its E flag, which is (RFC 3711 sections 3.4 and 4.2).
    pub(super) fn word(&self, place: Place) -> [u8; 4] {
        match self.purpose {
            Purpose::Media => ((place.index >> 16) as u32).to_be_bytes(),
            Purpose::Control => (place.index as u32 | ENCRYPTED).to_be_bytes(),
        }
    }

    /// What AES-GCM authenticates besides the text (RFC 7714 sections 8.2 and 9.2): the clear
    /// bytes, of SRTCP with the word behind them.
    fn associated<'a>(&self, clear: &'a [u8], word: [u8; 4], joined: &'a mut Joined) -> &'a [u8] {
        match self.purpose {
            Purpose::Media => clear,
            Purpose::Control => {
                joined[..CONTROL_CLEAR_BYTES].copy_from_slice(clear);
                joined[CONTROL_CLEAR_BYTES..].copy_from_slice(&word);
                joined
            }
        }
    }
}

/// What of an SRTCP packet is not encrypted \[bytes\]: the first header with its SSRC.
pub(super) const CONTROL_CLEAR_BYTES: usize = 8;

/// The E flag: an SRTCP packet is encrypted.
pub(super) const ENCRYPTED: u32 = 1 << 31;

type Joined = [u8; CONTROL_CLEAR_BYTES + 4];

fn authenticate(mac: &Hmac<Sha1>, clear: &[u8], text: &[u8], word: [u8; 4]) -> Hmac<Sha1> {
    mac.clone().chain_update(clear).chain_update(text).chain_update(word)
}

/// The first block of a packet's keystream (RFC 3711 section 4.1.1).
fn first_block(salt: &[u8; 14], place: Place) -> [u8; 16] {
    let mut first = [0; 16];
    first[..14].copy_from_slice(salt);
    let place = u128::from(place.ssrc) << 64 | u128::from(place.index) << 16;
    (u128::from_be_bytes(first) ^ place).to_be_bytes()
}

/// The packet's initialization vector (RFC 7714 sections 8.1 and 9.1).
fn nonce(salt: &[u8; 12], place: Place) -> [u8; 12] {
    let mut nonce = *salt;
    let (ssrc, index) = (place.ssrc.to_be_bytes(), place.index.to_be_bytes());
    let place = ssrc.iter().chain(&index[2..]);
    for (byte, place) in nonce[2..].iter_mut().zip(place) {
        *byte ^= place;
    }
    nonce
}
