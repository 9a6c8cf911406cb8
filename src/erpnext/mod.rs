//! The only part that knows Frappe: login sessions, users, and the credentials with which requests go upstream. The rest
//! of the gateway sees the trait [`Directory`].

mod clients;
mod directory;
mod upstream_user;

pub use clients::ClientRegistry;
pub use directory::{Directory, DirectoryError, DirectoryUser, LoginProbe, PasswordCheck};
pub use upstream_user::UpstreamUser;
