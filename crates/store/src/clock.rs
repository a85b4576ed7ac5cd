//! The current time, in the form that records use.

use std::time::{Duration, SystemTime};

/// The last second whose year has four digits: 9999-12-31T23:59:59Z, in seconds since 1970.
const LAST: u64 = 253_402_300_799;

/// The current time in UTC: RFC 3339 with whole seconds (`2024-07-15T09:30:00Z`). If the clock is before 1970 or after 9999, the
/// nearest time in that range.
pub fn now() -> String {
    written(SystemTime::now())
}

fn written(time: SystemTime) -> String {
    let (first, last) = (
        SystemTime::UNIX_EPOCH,
        SystemTime::UNIX_EPOCH + Duration::from_secs(LAST),
    );
    humantime::format_rfc3339_seconds(time.clamp(first, last)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_far_off_gives_the_nearest_moment_that_can_be_written() {
        let (epoch, second) = (SystemTime::UNIX_EPOCH, Duration::from_secs(1));
        let last = epoch + Duration::from_secs(LAST);
        let cases = [
            (epoch - second, "1970-01-01T00:00:00Z"),
            (epoch + second, "1970-01-01T00:00:01Z"),
            (last, "9999-12-31T23:59:59Z"),
            (last + 100 * second, "9999-12-31T23:59:59Z"),
        ];
        for (time, expected) in cases {
            assert_eq!(written(time), expected);
        }
    }
}
