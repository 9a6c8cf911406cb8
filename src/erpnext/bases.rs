//! Which of several upstreams the gateway's own calls go to: the one that answered last, until it does not.

use std::sync::atomic::{AtomicUsize, Ordering};

use url::Url;

use super::agent::web_url;

/// Where ERPNext listens.
pub(super) struct Bases {
    urls: Vec<Url>,
    preferred: AtomicUsize,
}

/// One of them, by its place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(usize);

impl Bases {
    /// `None` where one is no http or https URL, or there is none.
    pub(super) fn new(texts: &[String]) -> Option<Self> {
        let urls: Option<Vec<Url>> = texts.iter().map(|text| web_url(text)).collect();
        let urls = urls.filter(|urls| !urls.is_empty())?;
        Some(Self { urls, preferred: AtomicUsize::new(0) })
    }

    pub(super) fn all(&self) -> &[Url] {
        &self.urls
    }

    /// All of them, in the order in which they are to be tried.
    pub(super) fn in_order(&self) -> impl Iterator<Item = (Place, &Url)> {
        let first = self.preferred.load(Ordering::Relaxed);
        let (before, from) = self.urls.split_at(first.min(self.urls.len()));
        let placed = from.iter().enumerate().map(move |(index, url)| (Place(first + index), url));
        placed.chain(before.iter().enumerate().map(|(index, url)| (Place(index), url)))
    }

    /// The next call goes there first.
    pub(super) fn answered(&self, Place(place): Place) {
        if self.preferred.load(Ordering::Relaxed) != place {
            self.preferred.store(place, Ordering::Relaxed);
        }
    }

    /// The next call goes elsewhere first, unless another one has been preferred meanwhile.
    pub(super) fn failed(&self, Place(place): Place) {
        let next = (place + 1) % self.urls.len();
        // Lost only to a call that knows better.
        let _ = self.preferred.compare_exchange(place, next, Ordering::Relaxed, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(bases: &Bases) -> Vec<u16> {
        bases.in_order().filter_map(|(_, url)| url.port()).collect()
    }

    #[test]
    fn what_answered_is_asked_first_and_what_failed_last() {
        let texts = ["http://a:1", "http://a:2", "http://a:3"].map(str::to_owned);
        let bases = Bases::new(&texts).expect("URLs");
        assert_eq!(ports(&bases), [1, 2, 3]);
        bases.failed(Place(0));
        assert_eq!(ports(&bases), [2, 3, 1]);
        bases.failed(Place(0));
        assert_eq!(ports(&bases), [2, 3, 1], "it is not the first any more");
        bases.answered(Place(2));
        assert_eq!(ports(&bases), [3, 1, 2]);
        bases.failed(Place(2));
        assert_eq!(ports(&bases), [1, 2, 3]);
        assert!(bases.in_order().all(|(Place(at), url)| url.port() == u16::try_from(at + 1).ok()));
    }

    #[test]
    fn no_url_and_none_at_all_are_refused() {
        assert!(Bases::new(&[]).is_none());
        assert!(Bases::new(&["http://a".to_owned(), "ftp://b".to_owned()]).is_none());
    }
}
