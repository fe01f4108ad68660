//! Plugins that run before anybody has asked for them.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use purlin_model::PackageDescriptor;
use tokio_util::sync::CancellationToken;

/// A plugin that is being started, as long as it is locked, or that has been.
type Place<T> = Arc<tokio::sync::Mutex<Option<T>>>;

/// Plugins that run before anybody has asked for them. Each is given away once.
#[derive(Debug)]
pub(crate) struct Prepared<T> {
    places: Mutex<Vec<(PackageDescriptor, Place<T>)>>,
    /// Fires when nobody will ask any more.
    over: CancellationToken,
}

impl<T> Default for Prepared<T> {
    fn default() -> Self {
        Prepared { places: Mutex::default(), over: CancellationToken::new() }
    }
}

impl<T> Prepared<T> {
    /// Starts a plugin that will be asked for.
    pub(crate) async fn prepare(
        &self,
        package: &PackageDescriptor,
        launching: impl Future<Output = Option<T>>,
    ) {
        let place = Place::<T>::default();
        let mut inside = place.lock().await;
        self.places.lock().unwrap_or_else(PoisonError::into_inner).push((package.clone(), place.clone()));
        *inside = tokio::select! {
            biased;
            () = self.over.cancelled() => None,
            launched = launching => launched,
        };
    }

    /// The plugin of a package, if it was prepared and started well.
    pub(crate) async fn take(&self, package: &PackageDescriptor) -> Option<T> {
        let place = {
            let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
            let at = places.iter().position(|(prepared, _)| prepared == package)?;
            places.swap_remove(at).1
        };
        place.lock().await.take()
    }

    /// Nobody will ask any more: what is being started is given up. What has been started is stopped as
    /// everything else that runs.
    pub(crate) fn give_up(&self) {
        self.over.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(version: &str) -> PackageDescriptor {
        PackageDescriptor::new("aws", version)
    }

    #[tokio::test]
    async fn what_was_prepared_is_given_away_once_and_only_for_its_own_package() {
        let prepared = Prepared::default();
        prepared.prepare(&package("1.0.0"), async { Some("process") }).await;
        assert_eq!(prepared.take(&package("2.0.0")).await, None);
        assert_eq!(prepared.take(&package("1.0.0")).await, Some("process"));
        assert_eq!(prepared.take(&package("1.0.0")).await, None);
    }

    #[tokio::test]
    async fn who_asks_while_it_starts_waits_for_it() {
        let prepared = Prepared::default();
        let (started, starts) = tokio::sync::oneshot::channel::<&str>();
        let package = package("");
        let preparing = prepared.prepare(&package, async { starts.await.ok() });
        let asking = async {
            tokio::task::yield_now().await;
            let answer = prepared.take(&package);
            started.send("process").unwrap();
            answer.await
        };
        assert_eq!(tokio::join!(preparing, asking).1, Some("process"));
    }

    #[tokio::test]
    async fn what_did_not_start_or_is_no_longer_wanted_is_nothing() {
        let prepared = Prepared::<&str>::default();
        prepared.prepare(&package("1.0.0"), async { None }).await;
        assert_eq!(prepared.take(&package("1.0.0")).await, None);
        prepared.give_up();
        prepared.prepare(&package("2.0.0"), std::future::pending()).await;
        assert_eq!(prepared.take(&package("2.0.0")).await, None);
    }
}
