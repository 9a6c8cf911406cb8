//! What is counted in memory and written now and then, and at the end.

use super::site::Site;

/// Writes what agents did, the counts of used allowances, and when grants and ERPNext's own tokens were used. What can't be written waits for the
/// next time.
pub(super) async fn write(site: &Site) {
    if let Some(natives) = &site.natives {
        natives.write_uses().await;
    }
    site.access.write_uses().await;
    site.clients.write_uses().await;
    if let Err(error) = site.access.agents().settle(&*site.store, site.clock.now()).await {
        tracing::error!(%error, "what agents did can't be written");
    }
    let uses = site.issuer.allowances.take();
    if uses.is_empty() {
        return;
    }
    if let Err(error) = site.store.count_allowances(uses.clone()).await {
        tracing::error!(%error, "the counts of used allowances can't be written yet");
        site.issuer.allowances.put_back(uses);
    }
}

/// Writes everything when nothing runs any more.
pub(super) fn write_last(site: &Site) {
    site.tally.write(site.clock.now());
    match tokio::runtime::Builder::new_current_thread().build() {
        Ok(runtime) => runtime.block_on(write(site)),
        Err(error) => tracing::error!(%error, "the last counts can't be written"),
    }
}
