//! Quantities as an operator writes them: durations `"10s"`, sizes `"64KiB"`, rates `"60/m"`.

use std::{fmt, num::NonZeroU32, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, de::Error};

/// The text is no such quantity; the message says how to write one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUnit {
    /// No duration.
    #[error("a duration is a whole number and one of ms, s, m, h, d: \"500ms\", \"10s\", \"5m\", \"1h\", \"30d\"")]
    Duration,
    /// No size.
    #[error("a size is a whole number and one of B, KiB, MiB, GiB: \"64KiB\"")]
    Size,
    /// No rate.
    #[error("a rate is a whole number above 0, a slash and one of s, m, h: \"60/m\"")]
    Rate,
    /// Too large to be counted.
    #[error("the number is too large")]
    TooLarge,
}

const DURATIONS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
const SIZES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Takes `text` as a number and one of `units`.
fn parse_quantity(text: &str, units: &[(&str, u64)], invalid: InvalidUnit) -> Result<u64, InvalidUnit> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).ok_or(invalid)?;
    let factor = units.iter().find_map(|(name, factor)| (*name == unit).then_some(*factor)).ok_or(invalid)?;
    if number.is_empty() {
        return Err(invalid);
    }
    let number: u64 = number.parse().map_err(|_| InvalidUnit::TooLarge)?;
    number.checked_mul(factor).ok_or(InvalidUnit::TooLarge)
}

/// The shortest way to write `quantity`: the largest unit that divides it.
fn print_quantity(quantity: u64, units: &[(&str, u64)]) -> String {
    let fits = units.iter().find(|(_, factor)| quantity != 0 && quantity.is_multiple_of(*factor));
    let (name, factor) = fits.or(units.last()).copied().unwrap_or(("", 1));
    format!("{}{name}", quantity / factor)
}

/// Takes a duration.
///
/// # Errors
/// [`InvalidUnit`] when the text is none.
pub fn parse_duration(text: &str) -> Result<Duration, InvalidUnit> {
    parse_quantity(text, &DURATIONS, InvalidUnit::Duration).map(Duration::from_millis)
}

/// A duration as [`parse_duration`] takes it, to the millisecond.
#[must_use]
pub fn print_duration(duration: Duration) -> String {
    print_quantity(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX), &DURATIONS)
}

/// For `#[serde(deserialize_with)]`: a duration in its text.
pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse_duration(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

impl Size {
    /// That many bytes.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// That many times 1024 bytes.
    #[must_use]
    pub const fn from_kib(kib: u64) -> Self {
        Self(kib.saturating_mul(1024))
    }

    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The number of bytes, to be compared with what is in memory.
    #[must_use]
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for Size {
    type Err = InvalidUnit;
    fn from_str(text: &str) -> Result<Self, InvalidUnit> {
        parse_quantity(text, &SIZES, InvalidUnit::Size).map(Self)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&print_quantity(self.0, &SIZES))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// How often something may happen in a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// How often.
    pub count: NonZeroU32,
    /// In which stretch.
    pub per: RatePeriod,
}

/// The stretch of time that a rate counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RatePeriod {
    /// `/s`
    Second,
    /// `/m`
    Minute,
    /// `/h`
    Hour,
}

impl RatePeriod {
    const ALL: [Self; 3] = [Self::Second, Self::Minute, Self::Hour];

    /// Its length.
    #[must_use]
    pub const fn length(self) -> Duration {
        Duration::from_secs(match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3600,
        })
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Minute => "m",
            Self::Hour => "h",
        }
    }
}

impl Rate {
    /// `count` times a minute; 0 is taken as 1.
    #[must_use]
    pub const fn per_minute(count: u32) -> Self {
        let count = match NonZeroU32::new(count) {
            Some(count) => count,
            None => NonZeroU32::MIN,
        };
        Self { count, per: RatePeriod::Minute }
    }

    /// The time that one occurrence uses up.
    #[must_use]
    pub fn interval(self) -> Duration {
        self.per.length() / self.count.get()
    }
}

impl FromStr for Rate {
    type Err = InvalidUnit;
    fn from_str(text: &str) -> Result<Self, InvalidUnit> {
        let (count, period) = text.split_once('/').ok_or(InvalidUnit::Rate)?;
        if count.is_empty() || !count.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidUnit::Rate);
        }
        let count: u32 = count.parse().map_err(|_| InvalidUnit::TooLarge)?;
        let per = RatePeriod::ALL.into_iter().find(|per| per.as_str() == period).ok_or(InvalidUnit::Rate)?;
        Ok(Self { count: NonZeroU32::new(count).ok_or(InvalidUnit::Rate)?, per })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.per.as_str())
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_in_each_unit() {
        for (text, millis) in
            [("500ms", 500), ("10s", 10_000), ("5m", 300_000), ("1h", 3_600_000), ("30d", 2_592_000_000)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused_with_the_way_to_write_one() {
        for text in ["", "10", "s", "10 s", "-1s", "+1s", "1.5h", "10S", "1w", "10sx", "ä"] {
            assert_eq!(parse_duration(text), Err(InvalidUnit::Duration), "{text}");
        }
        for text in ["", "64", "64KB", "64kib", "KiB", "-1B"] {
            assert_eq!(text.parse::<Size>(), Err(InvalidUnit::Size), "{text}");
        }
        for text in ["", "60", "60/", "/m", "0/m", "60/d", "60 / m", "+60/m", "-1/m"] {
            assert_eq!(text.parse::<Rate>(), Err(InvalidUnit::Rate), "{text}");
        }
    }

    #[test]
    fn numbers_beyond_counting_are_refused() {
        assert_eq!(parse_duration("99999999999999999999s"), Err(InvalidUnit::TooLarge));
        assert_eq!(parse_duration("18446744073709551615d"), Err(InvalidUnit::TooLarge));
        assert_eq!("18446744073709551615GiB".parse::<Size>(), Err(InvalidUnit::TooLarge));
        assert_eq!("4294967296/m".parse::<Rate>(), Err(InvalidUnit::TooLarge));
    }

    #[test]
    fn a_rate_knows_the_time_of_one() {
        assert_eq!(Rate::per_minute(120).interval(), Duration::from_millis(500));
    }

    proptest! {
        #[test]
        fn a_printed_duration_is_read_back(millis in any::<u64>()) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&print_duration(duration)), Ok(duration));
        }

        #[test]
        fn a_printed_size_is_read_back(bytes in any::<u64>()) {
            prop_assert_eq!(Size::from_bytes(bytes).to_string().parse(), Ok(Size::from_bytes(bytes)));
        }

        #[test]
        fn a_printed_rate_is_read_back(count in 1..=u32::MAX, per in 0usize..3) {
            let rate = Rate { count: NonZeroU32::new(count).expect("above 0"), per: RatePeriod::ALL[per] };
            prop_assert_eq!(rate.to_string().parse(), Ok(rate));
        }

        #[test]
        fn no_text_makes_them_panic(text in ".*") {
            let _ = (parse_duration(&text), text.parse::<Size>(), text.parse::<Rate>());
        }
    }
}
