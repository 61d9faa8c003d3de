//! Where the files of an epoch are to be had: stores that were named, and every verifier that says on the ledger where it is. One store
//! gives what only its verifier has; an anchored file is taken from whoever has it, under its hash. Nothing of it is believed here:
//! whoever recomputes checks all of it.

use bytes::Bytes;
use cairn_agent::routes::{is_address, is_inward};
use cairn_types::hash;
use cairn_verifier::archive::{EpochArchive, sealed_hash};
use cairn_verifier::handed::File;
use cairn_verifier::objects::{HttpArchive, ObjectError, Objects};
use std::sync::Arc;
use tokio::runtime::Handle;

/// Verifiers asked for an epoch at most.
const SOURCES_MAX: usize = 64;

/// A store with the name by which a log speaks of it.
#[derive(Clone)]
pub struct Source {
    pub name: String,
    pub objects: Arc<dyn Objects>,
}

/// Stores that were named, then the verifiers at these addresses, each once. A stranger's address counts only when it leads out of this
/// machine, unless all of the network is there.
pub fn of(named: &[Source], urls: impl IntoIterator<Item = String>, node: &str, runtime: &Handle) -> Vec<Source> {
    let mut sources = named.to_vec();
    for url in urls {
        let name = url.trim_end_matches('/').to_owned();
        let leads_out = is_address(&url) && (!is_inward(&url) || is_inward(node));
        if leads_out && sources.len() < SOURCES_MAX && sources.iter().all(|source| source.name != name) {
            sources.push(Source {
                objects: Arc::new(HttpArchive::new(&name, runtime.clone())),
                name,
            });
        }
    }
    sources
}

/// An anchored file, of the first source that gives it.
pub fn load(sources: &[Source], file: &File) -> Option<Bytes> {
    let first = sources.first()?;
    let beside = Beside {
        first,
        all: sources,
        patient: false,
    };
    let archive = EpochArchive::of(&beside, &file.network, file.epoch);
    match archive.sealed(&file.hash) {
        Ok(found) => found.map(Bytes::from),
        Err(error) => {
            tracing::warn!(%error, "a file that was judged by cannot be read again");
            None
        }
    }
}

/// One store, and all others for the files that have a hash.
pub struct Beside<'a> {
    pub first: &'a Source,
    pub all: &'a [Source],
    /// Whether a file that only one who does not answer may have is waited for; else it is not to be had.
    pub patient: bool,
}

impl Objects for Beside<'_> {
    fn put(&self, path: &str, _: &[u8]) -> Result<(), ObjectError> {
        Err(ObjectError {
            path: path.to_owned(),
            what: "others' archives are read only".to_owned(),
        })
    }

    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, ObjectError> {
        let name = path.rsplit('/').next().unwrap_or_default();
        let Some(wanted) = sealed_hash(name) else {
            return self.first.objects.get(path);
        };
        let others = self.all.iter().filter(|source| source.name != self.first.name);
        let mut failed = None;
        for source in std::iter::once(self.first).chain(others) {
            match source.objects.get(path) {
                Ok(Some(bytes)) if hash::sha256(&bytes) == wanted => return Ok(Some(bytes)),
                Ok(_) => {}
                Err(error) => failed = Some(error),
            }
        }
        failed.filter(|_| self.patient).map_or(Ok(None), Err)
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectError> {
        self.first.objects.list(prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_verifier::archive::sealed_name;
    use cairn_verifier::objects::Memory;

    /// One that does not answer.
    struct Away;

    impl Objects for Away {
        fn put(&self, path: &str, _: &[u8]) -> Result<(), ObjectError> {
            self.get(path).map(drop)
        }

        fn get(&self, path: &str) -> Result<Option<Vec<u8>>, ObjectError> {
            let (path, what) = (path.to_owned(), "away".to_owned());
            Err(ObjectError { path, what })
        }

        fn list(&self, path: &str) -> Result<Vec<String>, ObjectError> {
            self.get(path).map(|_| Vec::new())
        }
    }

    fn source(name: &str, objects: impl Objects + 'static) -> Source {
        Source {
            name: name.to_owned(),
            objects: Arc::new(objects),
        }
    }

    #[test]
    fn an_anchored_file_comes_from_whoever_has_it_and_nothing_else_does() {
        let file = format!("n/1/{}", sealed_name(&hash::sha256(b"rows")));
        let (empty, liar, honest) = (Memory::default(), Memory::default(), Memory::default());
        liar.put(&file, b"lies").unwrap();
        honest.put(&file, b"rows").unwrap();
        honest.put("n/1/inputs.cbor", b"inputs").unwrap();
        let all = [source("empty", empty), source("liar", liar), source("honest", honest)];
        let get = |all: &[Source], path: &str, patient: bool| {
            let first = &all[0];
            Beside { first, all, patient }.get(path)
        };
        assert_eq!(get(&all, &file, true).unwrap(), Some(b"rows".to_vec()));
        assert_eq!(get(&all, "n/1/inputs.cbor", true).unwrap(), None);
        assert_eq!(get(&all[..2], &file, true).unwrap(), None);
        let away = [all[0].clone(), source("away", Away)];
        assert!(get(&away, &file, true).is_err(), "whoever is away may have it");
        assert_eq!(
            get(&away, &file, false).unwrap(),
            None,
            "and is not waited for for ever"
        );
    }

    #[tokio::test]
    async fn sources_are_bounded_and_strangers_do_not_point_inward() {
        let runtime = Handle::current();
        let many = (0..200).map(|at| format!("http://verifier-{at}.example.org/"));
        assert_eq!(of(&[], many, "http://node", &runtime).len(), SOURCES_MAX);
        let odd = ["http://127.0.0.1:1", "https://a", "http://a", "http://a/", ""].map(str::to_owned);
        let names = |node: &str| -> Vec<String> {
            let sources = of(&[], odd.clone(), node, &runtime);
            sources.into_iter().map(|source| source.name).collect()
        };
        assert_eq!(names("http://node.example.org"), ["http://a"]);
        assert_eq!(names("http://127.0.0.1:8640"), ["http://127.0.0.1:1", "http://a"]);
    }
}
