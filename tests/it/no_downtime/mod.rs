//! What an operator changes while requests come in: none of them fails, and no token is lost.

mod load;
mod reload;
mod upgrade;
