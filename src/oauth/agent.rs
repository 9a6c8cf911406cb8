//! Agents: clients that act by themselves and are not trusted much.

use std::{fmt, num::NonZeroU64};

use serde::{Deserialize, Deserializer, de};

/// What is special about a client that is an agent. `None`: as for all agents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AgentTerms {
    /// How many requests it may send in a day.
    pub requests_per_day: Option<DailyBudget>,
    /// How many of them may be writes.
    pub writes_per_day: Option<DailyBudget>,
}

/// How much may be done in a day (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DailyBudget {
    /// So much.
    Of(NonZeroU64),
    /// As much as there is to do.
    Off,
}

/// How a budget is written without a limit.
const OFF: &str = "off";

impl DailyBudget {
    /// A budget of so much; 0 is taken as 1.
    #[must_use]
    pub const fn of(number: u64) -> Self {
        match NonZeroU64::new(number) {
            Some(number) => Self::Of(number),
            None => Self::Of(NonZeroU64::MIN),
        }
    }

    /// The number; `None`: there is no limit.
    #[must_use]
    pub const fn limit(self) -> Option<u64> {
        match self {
            Self::Of(number) => Some(number.get()),
            Self::Off => None,
        }
    }
}

impl fmt::Display for DailyBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(number) => number.fmt(f),
            Self::Off => f.write_str(OFF),
        }
    }
}

impl<'de> Deserialize<'de> for DailyBudget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Words)
    }
}

struct Words;

impl de::Visitor<'_> for Words {
    type Value = DailyBudget;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number above 0, or \"off\" for no limit")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<DailyBudget, E> {
        let number = NonZeroU64::new(number);
        number.map(DailyBudget::Of).ok_or_else(|| E::invalid_value(de::Unexpected::Unsigned(0), &self))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<DailyBudget, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::invalid_value(de::Unexpected::Signed(number), &self)),
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<DailyBudget, E> {
        if text == OFF { Ok(DailyBudget::Off) } else { Err(E::invalid_value(de::Unexpected::Str(text), &self)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_a_number_above_0_or_off() {
        let parse = |text: &str| serde_json::from_str::<DailyBudget>(text).ok();
        assert_eq!(parse("7"), Some(DailyBudget::of(7)));
        assert_eq!(parse("\"off\""), Some(DailyBudget::Off));
        for text in ["0", "-1", "1.5", "\"7\"", "\"\"", "true", "null"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!((DailyBudget::of(7).to_string(), DailyBudget::Off.to_string()), ("7".to_owned(), "off".to_owned()));
        assert_eq!((DailyBudget::of(7).limit(), DailyBudget::Off.limit()), (Some(7), None));
    }
}
