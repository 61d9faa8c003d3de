//! What happens, for those who listen: the newest messages at hand, numbered on, so that a reader that comes back is told what it
//! missed. Nothing is queued for anybody: readers pull.

use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

/// Messages at hand.
pub const MESSAGES_MAX: usize = 2_048;

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub number: u64,
    pub kind: &'static str,
    pub data: Value,
    /// Whose alert it is.
    pub operator: Option<u64>,
}

/// How following goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub state: &'static str,
    pub trouble: Option<String>,
    pub node_height: Option<u64>,
}

/// The newest messages and how following goes. Clones share them.
#[derive(Clone)]
pub struct Live(Arc<Inner>);

struct Inner {
    /// Names this run: numbers of another run mean nothing.
    run: u64,
    messages: Mutex<VecDeque<Message>>,
    newest: watch::Sender<u64>,
    progress: watch::Sender<Progress>,
}

impl Live {
    pub fn new(run: u64) -> Self {
        Self(Arc::new(Inner {
            run,
            messages: Mutex::default(),
            newest: watch::Sender::new(0),
            progress: watch::Sender::new(Progress {
                state: "catching_up",
                ..Progress::default()
            }),
        }))
    }

    pub fn tell(&self, kind: &'static str, data: Value, operator: Option<u64>) {
        let mut messages = self.messages();
        let number = messages.back().map_or(1, |last| last.number + 1);
        if messages.len() == MESSAGES_MAX {
            messages.pop_front();
        }
        messages.push_back(Message {
            number,
            kind,
            data,
            operator,
        });
        drop(messages);
        self.0.newest.send_replace(number);
    }

    /// The messages after a number; none where some of them are no longer at hand.
    pub fn after(&self, number: u64) -> Option<Vec<Message>> {
        let messages = self.messages();
        let first = messages.front().map_or(1, |first| first.number);
        let whole = number.saturating_add(1) >= first;
        whole.then(|| {
            messages
                .iter()
                .filter(|message| message.number > number)
                .cloned()
                .collect()
        })
    }

    pub fn newest(&self) -> watch::Receiver<u64> {
        self.0.newest.subscribe()
    }

    pub fn progress(&self) -> Progress {
        self.0.progress.borrow().clone()
    }

    pub fn set(&self, progress: Progress) {
        self.0.progress.send_if_modified(|now| {
            let changed = *now != progress;
            if changed {
                now.clone_from(&progress);
            }
            changed
        });
    }

    /// The name of a message for a reader that comes back.
    pub fn name(&self, number: u64) -> String {
        format!("{:x}-{number}", self.0.run)
    }

    /// The number in such a name, of this run, if there is such a message.
    pub fn number(&self, name: &str) -> Option<u64> {
        let (run, number) = name.split_once('-')?;
        let same = u64::from_str_radix(run, 16).ok()? == self.0.run;
        let newest = *self.0.newest.borrow();
        number.parse().ok().filter(|number| same && *number <= newest)
    }

    fn messages(&self) -> MutexGuard<'_, VecDeque<Message>> {
        self.0.messages.lock().expect("no holder of the lock panics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_comes_back_is_told_what_it_missed_or_that_it_cannot_be() {
        let live = Live::new(7);
        for height in 0..MESSAGES_MAX as u64 + 5 {
            live.tell("block", height.into(), None);
        }
        assert_eq!(live.after(3), None);
        let missed = live.after(MESSAGES_MAX as u64 + 3).expect("at hand");
        assert_eq!(missed.iter().map(|one| one.number).collect::<Vec<_>>(), [2_052, 2_053]);
        assert_eq!(live.number(&live.name(12)), Some(12));
        assert_eq!(Live::new(8).number(&live.name(12)), None);
        assert_eq!(live.number("x"), None);
        // One that never was: whoever waits for what comes after it would hear nothing more.
        for never in [MESSAGES_MAX as u64 + 6, u64::MAX] {
            assert_eq!(live.number(&live.name(never)), None);
            assert_eq!(live.after(never), Some(Vec::new()));
        }
    }
}
