//! Three lines are three versions: each scheme orders them, and the order is one.
#![no_main]

use icecore::vuln::{cvss, version::Scheme};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut lines = text.lines();
    let [a, b, c] = std::array::from_fn(|_| lines.next().unwrap_or(""));
    for scheme in Scheme::ALL {
        let Ok(ab) = scheme.compare(a, b) else { continue };
        assert_eq!(scheme.compare(b, a), Ok(ab.reverse()), "{scheme:?} {a:?} {b:?}");
        if !scheme.is_total() {
            continue;
        }
        let (Ok(bc), Ok(ac)) = (scheme.compare(b, c), scheme.compare(a, c)) else { continue };
        if bc == ab || bc.is_eq() {
            assert_eq!(ac, ab, "{scheme:?} {a:?} {b:?} {c:?}");
        }
    }
    if let Some(rating) = cvss::rate(text) {
        assert!(rating.score.tenths() <= 100);
    }
});
