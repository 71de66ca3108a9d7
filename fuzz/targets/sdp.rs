//! Session descriptions: what can be answered is answered with something that the other side can
//! read and accept.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::sdp::{Description, Encoding, Local, accept, answer, offer};

fuzz_target!(|bytes: &[u8]| {
    let Ok(offered) = Description::parse(bytes) else { return };
    let codecs = vec![Encoding::Opus, Encoding::Pcmu, Encoding::Pcma, Encoding::TelephoneEvent];
    let local = Local::new("192.0.2.1:4000".parse().expect("an address"), codecs, 1);
    if let Ok((text, _)) = answer(&offered, &local) {
        let answered = Description::parse(text.as_bytes()).expect("our own writing");
        assert!(answered.audio().is_some());
        // The next offer keeps to what was agreed.
        let next = offer(&Local { previous: Some(offered.clone()), ..local.clone() });
        Description::parse(next.as_bytes()).expect("our own writing");
    }
    // The same bytes as an answer to our own offer.
    if let Ok(agreed) = accept(&local, &offered) {
        assert!((10..=60).contains(&agreed.ptime_ms));
    }
});
