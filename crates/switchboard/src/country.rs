//! Which country a telephone number is of (ITU-T E.164).

/// Codes of two digits that are assigned. None begins another one, and all that begin with
/// neither these nor 1 or 7 have three.
const TWO_DIGITS: [&str; 44] = [
    "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47",
    "48", "49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65",
    "66", "81", "82", "84", "86", "90", "91", "92", "93", "94", "95", "98",
];

/// Area codes of the North American plan that are neither of the United States nor of Canada:
/// islands, some of them dear to call.
const ISLANDS: [&str; 27] = [
    "242", "246", "264", "268", "284", "340", "345", "441", "473", "649", "658", "664", "670",
    "671", "684", "721", "758", "767", "784", "787", "809", "829", "849", "868", "869", "876",
    "939",
];

/// The country code that a number begins with, with the area code for the islands of the North
/// American plan: `+49`, `+1`, `+1876`. None where it is no whole number with `+` before it.
pub(crate) fn country(number: &str) -> Option<&str> {
    let digits = number.strip_prefix('+')?;
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let begins = |length: usize| digits.get(..length);
    let length = match digits.bytes().next()? {
        b'0' => return None,
        b'1' if digits.get(1..4).is_some_and(|area| ISLANDS.contains(&area)) => 4,
        b'1' | b'7' => 1,
        _ if begins(2).is_some_and(|code| TWO_DIGITS.contains(&code)) => 2,
        _ => 3,
    };
    // With the sign.
    begins(length).and(number.get(..=length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_of_the_country_whose_code_it_begins_with() {
        for (number, code) in [
            ("+4930123456", "+49"),
            ("+12125550100", "+1"),
            ("+18765550100", "+1876"),
            ("+1", "+1"),
            ("+74951234567", "+7"),
            ("+2521234567", "+252"),
            ("+88213001", "+882"),
            ("+3531234567", "+353"),
            ("+861012345", "+86"),
        ] {
            assert_eq!(country(number), Some(code), "{number}");
        }
        for number in ["4930", "+", "+0123", "+35", "+49a", "0049301", ""] {
            assert_eq!(country(number), None, "{number}");
        }
    }
}
