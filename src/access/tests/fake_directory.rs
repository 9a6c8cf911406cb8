//! Users who are all there, and whose credential is made when it is asked for.

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use http::HeaderValue;

use crate::{
    clock::UnixTime,
    erpnext::{Directory, DirectoryError, DirectoryUser, Freshness, LogIn, LoginProbe, PasswordCheck, UpstreamUser},
    oauth::{Profile, ProfileDetails, UserName},
    secret::Secret,
    store::GrantUser,
};

#[derive(Default)]
pub(super) struct FakeDirectory {
    user: Mutex<Option<Arc<UpstreamUser>>>,
    pub(super) failure: Mutex<Option<DirectoryError>>,
    pub(super) made: AtomicUsize,
    /// The roles of everybody.
    pub(super) roles: Mutex<Vec<String>>,
}

fn away<T>() -> Result<T, DirectoryError> {
    Err(DirectoryError::Unavailable("not here".to_owned()))
}

#[async_trait]
impl Directory for FakeDirectory {
    async fn login_session(&self, _: &LoginProbe) -> Result<Option<UserName>, DirectoryError> {
        away()
    }

    async fn user(&self, _: &UserName) -> Result<Option<DirectoryUser>, DirectoryError> {
        away()
    }

    async fn has_role(&self, _: &UserName, roles: &[String], _: Freshness) -> Result<bool, DirectoryError> {
        Ok(roles.iter().any(|role| self.roles.lock().expect("no panic").contains(role)))
    }

    async fn profile(&self, _: &GrantUser) -> Result<Option<Profile>, DirectoryError> {
        away()
    }

    async fn profile_details(&self, _: &GrantUser) -> Result<ProfileDetails, DirectoryError> {
        away()
    }

    async fn check_password(&self, _: &str, _: &Secret, _: IpAddr) -> Result<PasswordCheck, DirectoryError> {
        away()
    }

    async fn log_in(&self, _: &str, _: &Secret, _: IpAddr) -> Result<LogIn, DirectoryError> {
        away()
    }

    async fn end_login_session(&self, _: &LoginProbe) -> Result<(), DirectoryError> {
        away()
    }

    fn users_are_known(&self, _: UnixTime) -> bool {
        true
    }

    fn upstream_user(&self, user: &GrantUser) -> Arc<UpstreamUser> {
        let mut known = self.user.lock().expect("no panic");
        Arc::clone(known.get_or_insert_with(|| Arc::new(UpstreamUser::new(user.clone()))))
    }

    async fn credential(&self, user: &UpstreamUser) -> Result<HeaderValue, DirectoryError> {
        if let Some(failure) = self.failure.lock().expect("no panic").clone() {
            return Err(failure);
        }
        let number = self.made.fetch_add(1, Ordering::SeqCst) + 1;
        let end = UnixTime::from_secs(u64::from(u32::MAX));
        let made =
            user.set_credential(&Secret::new(format!("emp_sh_{number}")), end.minus(Duration::from_secs(1)), end);
        made.ok_or_else(|| DirectoryError::Unavailable("no header".to_owned()))
    }

    async fn renew_after_unauthorized(
        &self,
        user: &UpstreamUser,
        _: &HeaderValue,
    ) -> Result<Option<HeaderValue>, DirectoryError> {
        self.credential(user).await.map(Some)
    }

    async fn ready(&self) -> Result<(), DirectoryError> {
        away()
    }
}
