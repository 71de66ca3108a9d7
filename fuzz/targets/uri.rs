//! URIs and what is made of them: what is read is written so that the same is read again, and equal
//! ones are equal both ways round.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sip::access::{Pattern, Template, dialled};
use sip::message::{ReferTo, Uri};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(uri) = text.parse::<Uri>() {
        let written = uri.to_string();
        assert_eq!(written.parse::<Uri>().as_ref(), Ok(&uri), "{written}");
        // Whatever it is, it can be looked up in the routes.
        let name = dialled(&uri);
        if let Ok(pattern) = name.parse::<Pattern>() {
            drop(Template::parse(&name, &pattern));
        }
    }
    if let Ok(refer_to) = text.parse::<ReferTo>() {
        assert_eq!(refer_to.to_string().parse(), Ok(refer_to));
    }
});
