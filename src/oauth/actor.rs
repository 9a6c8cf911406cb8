//! Who acts for a user by token exchange (RFC 8693 §4.1).

use serde::{Deserialize, Serialize};

use super::ClientId;

/// The claim `act`: the client that acts for the user now, and in it the one that did before.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Actor {
    /// The client.
    pub sub: ClientId,
    /// Who acted before, and gave it the token that it exchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Box<Self>>,
}

impl Actor {
    /// So many may act one after another.
    pub const MOST: usize = 4;

    /// The client as the actor that comes after another one; `None` when there are too many before it.
    #[must_use]
    pub fn after(earlier: Option<&Self>, sub: ClientId) -> Option<Self> {
        let is_short = earlier.is_none_or(|earlier| earlier.chain().count() < Self::MOST);
        is_short.then(|| Self { sub, act: earlier.cloned().map(Box::new) })
    }

    /// The clients that act and acted, the present one first.
    pub fn chain(&self) -> impl Iterator<Item = &ClientId> {
        std::iter::successors(Some(self), |actor| actor.act.as_deref()).map(|actor| &actor.sub)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(clients: &[&str]) -> Option<Actor> {
        let mut actor = None;
        for client in clients {
            actor = Some(Actor::after(actor.as_ref(), ClientId::new(*client))?);
        }
        actor
    }

    #[test]
    fn the_present_actor_stands_outside_and_the_first_one_inside() {
        let actor = chain(&["consumer", "backend"]).expect("an actor");
        let json = serde_json::to_string(&actor).expect("JSON");
        assert_eq!(json, r#"{"sub":"backend","act":{"sub":"consumer"}}"#);
        assert_eq!(serde_json::from_str::<Actor>(&json).expect("an actor"), actor);
        let names: Vec<_> = actor.chain().map(ClientId::as_str).collect();
        assert_eq!(names, ["backend", "consumer"]);
    }

    #[test]
    fn a_chain_has_an_end() {
        let names = ["a", "b", "c", "d", "e"];
        assert!(chain(&names[..Actor::MOST]).is_some());
        assert_eq!(chain(&names[..=Actor::MOST]), None);
    }
}
