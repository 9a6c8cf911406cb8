//! Frappe writes times without a zone, in the site's own.

use std::net::{IpAddr, Ipv4Addr};

use http::Method;
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde::Deserialize;

use crate::{
    clock::UnixTime,
    erpnext::{
        DirectoryError,
        agent::{Agent, As, Call, Payload},
        answer::Message,
    },
};

/// No peer asks.
const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[derive(Deserialize)]
struct Zone {
    time_zone: Option<String>,
}

/// The site's time zone: that of a guest. A user may have another one.
pub(super) async fn of_site(agent: &Agent) -> Result<TimeZone, DirectoryError> {
    let path = ["api", "method", "frappe.client.get_time_zone"];
    let (method, payload) = (Method::GET, Payload::None);
    let call = Call { what: "time zone", method, path: &path, query: &[], payload, by: As::Guest(LOCALHOST) };
    let answer = agent.send(call).await?.for_account("no right: the method is for guests")?;
    let unknown = || DirectoryError::Unavailable("time zone: ERPNext does not say which one the site is in".to_owned());
    let zone = answer.ok_or_else(unknown)?.read::<Message<Zone>>()?.message.time_zone.ok_or_else(unknown)?;
    TimeZone::get(&zone)
        .map_err(|_| DirectoryError::Unavailable("time zone: the site's is none that is known here".to_owned()))
}

/// The moment of a time of Frappe's. One that the clock shows twice is the earlier: a token rather ends an hour too soon.
pub(super) fn moment(text: &str, zone: &TimeZone) -> Option<UnixTime> {
    let civil: DateTime = text.trim().parse().ok()?;
    let moment = zone.to_ambiguous_timestamp(civil).earlier().ok()?;
    u64::try_from(moment.as_millisecond()).ok().map(UnixTime::from_millis)
}

/// A moment as Frappe writes it.
pub(super) fn civil(moment: UnixTime, zone: &TimeZone) -> Option<String> {
    let moment = Timestamp::from_millisecond(i64::try_from(moment.millis()).ok()?).ok()?;
    Some(zone.to_datetime(moment).strftime("%Y-%m-%d %H:%M:%S.%6f").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(text: &str, zone: &str) -> Option<u64> {
        moment(text, &TimeZone::get(zone).expect("a zone")).map(UnixTime::secs)
    }

    #[test]
    fn times_are_read_in_the_zone_of_the_site() {
        // 2026-11-24 01:30 in India is 2026-11-23 20:00 UTC.
        assert_eq!(secs("2026-11-24 01:30:00.547399", "Asia/Kolkata"), Some(1_795_464_000));
        assert_eq!(secs("2026-11-23 20:00:00", "UTC"), Some(1_795_464_000));
        assert_eq!(secs("never", "UTC"), None);
    }

    #[test]
    fn a_moment_is_written_as_frappe_does() {
        let zone = TimeZone::get("Asia/Kolkata").expect("a zone");
        let text = civil(UnixTime::from_millis(1_795_464_000_547), &zone).expect("a time");
        assert_eq!(text, "2026-11-24 01:30:00.547000");
    }

    #[test]
    fn an_hour_that_comes_twice_is_the_earlier_one() {
        // 2026-10-25 02:30 in Berlin: 00:30 UTC in summer time, 01:30 UTC after it.
        assert_eq!(secs("2026-10-25 02:30:00", "Europe/Berlin"), Some(1_792_888_200));
    }
}
