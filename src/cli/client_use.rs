//! What a client has used lately, and whether it could be strict. No IO.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use super::output::shown;
use crate::{
    clock::UnixTime,
    oauth::{Client, ClientId, ClientMode},
    store::AllowanceUse,
};

/// An allowance that was not used for so long is no longer needed.
const LATELY: Duration = Duration::from_secs(30 * 86_400);

/// Whether a client could be strict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// It is.
    Strict,
    /// It used no allowance lately, and it is in use.
    CouldBeStrict,
    /// It used allowances lately.
    NeedsCompat,
    /// Nothing is known of it: it has no living grant, and used no allowance lately.
    NotSeen,
}

impl Verdict {
    pub(super) const fn for_people(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::CouldBeStrict => "could be strict",
            Self::NeedsCompat => "needs compat",
            Self::NotSeen => "not seen",
        }
    }
}

/// One allowance, as often as one client has used it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Used {
    pub(super) allowance: &'static str,
    pub(super) count: u64,
    pub(super) last: String,
    /// Whether that was within 30 days.
    pub(super) lately: bool,
}

/// What one client has used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct ClientUse {
    pub(super) id: String,
    /// `None`: no client of that id is registered any more, or not here.
    pub(super) mode: Option<&'static str>,
    pub(super) living_grants: u64,
    pub(super) used: Vec<Used>,
    pub(super) verdict: Verdict,
}

/// The use of all registered clients, and of those that left counts or grants behind, by id.
pub(super) fn of_all(
    clients: &[Client],
    counted: Vec<AllowanceUse>,
    living: Vec<(ClientId, u64)>,
    now: UnixTime,
) -> Vec<ClientUse> {
    let unseen = |id: &ClientId| ClientUse {
        id: id.as_str().to_owned(),
        mode: None,
        living_grants: 0,
        used: Vec::new(),
        verdict: Verdict::NotSeen,
    };
    let mut all: BTreeMap<String, ClientUse> = BTreeMap::new();
    for client in clients {
        let mode = Some(client.mode.as_str());
        all.insert(client.id.as_str().to_owned(), ClientUse { mode, ..unseen(&client.id) });
    }
    for (id, count) in living {
        all.entry(id.as_str().to_owned()).or_insert_with(|| unseen(&id)).living_grants = count;
    }
    for one in counted {
        let lately = now.since(one.last) < LATELY;
        let used = Used { allowance: one.allowance.as_str(), count: one.count, last: shown(one.last), lately };
        all.entry(one.client.as_str().to_owned()).or_insert_with(|| unseen(&one.client)).used.push(used);
    }
    all.into_values().map(|client| ClientUse { verdict: verdict(&client), ..client }).collect()
}

fn verdict(client: &ClientUse) -> Verdict {
    if client.mode == Some(ClientMode::Strict.as_str()) {
        Verdict::Strict
    } else if client.used.iter().any(|used| used.lately) {
        Verdict::NeedsCompat
    } else if client.living_grants > 0 {
        Verdict::CouldBeStrict
    } else {
        Verdict::NotSeen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Config, oauth::Allowance};

    const DAY: Duration = Duration::from_secs(86_400);

    fn clients() -> Vec<Client> {
        let block = |id: &str, mode: &str| {
            format!("[[client]]\nid = \"{id}\"\nmode = \"{mode}\"\nredirect_uris = [\"https://a.example/cb\"]\n")
        };
        let text = format!(
            "server.public_url = \"https://erp.example.com\"\n{}{}{}{}",
            block("old", "compat"),
            block("quiet", "compat"),
            block("shop", "strict"),
            block("unused", "compat")
        );
        let config = Config::from_toml(&text).unwrap_or_else(|problems| panic!("{problems}"));
        config.client.iter().map(crate::config::ClientSettings::to_client).collect()
    }

    #[test]
    fn a_client_could_be_strict_that_is_in_use_and_used_nothing_for_thirty_days() {
        let now = UnixTime::from_secs(1_800_000_000);
        let counted = |client: &str, allowance, ago: Duration| AllowanceUse {
            client: ClientId::new(client),
            allowance,
            count: 3,
            last: now.minus(ago),
        };
        let uses = vec![
            counted("old", Allowance::NoSecret, DAY * 29),
            counted("old", Allowance::NoPkce, DAY * 31),
            counted("quiet", Allowance::NoPkce, DAY * 31),
            counted("gone", Allowance::Hs256, DAY * 40),
        ];
        let living = ["old", "quiet", "shop"].map(|id| (ClientId::new(id), 2)).to_vec();
        let all = of_all(&clients(), uses, living, now);
        let verdicts: Vec<_> = all.iter().map(|client| (client.id.as_str(), client.verdict)).collect();
        assert_eq!(
            verdicts,
            [
                ("gone", Verdict::NotSeen),
                ("old", Verdict::NeedsCompat),
                ("quiet", Verdict::CouldBeStrict),
                ("shop", Verdict::Strict),
                ("unused", Verdict::NotSeen),
            ]
        );
        let lately: Vec<_> = all[1].used.iter().map(|used| (used.allowance, used.lately)).collect();
        assert_eq!(lately, [("no_secret", true), ("no_pkce", false)]);
        assert_eq!((all[0].mode, all[2].living_grants), (None, 2));
    }
}
