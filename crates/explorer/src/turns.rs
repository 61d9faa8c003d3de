//! Who writes into the index next. Only one can; whoever follows the chain goes before whoever writes in pieces, so that pages never fall
//! behind the chain for the sake of an epoch's findings. Within one process: between processes the database decides.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};

/// Clones share it.
#[derive(Clone, Default)]
pub struct Turns(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    taken: bool,
    /// Those who go first and wait.
    waiting: usize,
}

/// Ends when it is dropped.
pub struct Turn<'a>(&'a Inner);

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the lock panics")
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).expect("no holder of the lock panics")
    }
}

impl Turns {
    /// Before all who come later, as soon as who writes now is done.
    pub fn first(&self) -> Turn<'_> {
        let mut state = self.0.state();
        state.waiting += 1;
        while state.taken {
            state = self.0.wait(state);
        }
        state.waiting -= 1;
        state.taken = true;
        Turn(&self.0)
    }

    /// When nobody writes, and nobody who goes first waits.
    pub fn later(&self) -> Turn<'_> {
        let mut state = self.0.state();
        while state.taken || state.waiting > 0 {
            state = self.0.wait(state);
        }
        state.taken = true;
        Turn(&self.0)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.state().taken = false;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_writes_in_pieces_lets_who_follows_go_between_them() {
        let turns = Turns::default();
        let order = Mutex::new(Vec::new());
        let piece = turns.later();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _turn = turns.first();
                order.lock().unwrap().push("block");
            });
            while turns.0.state().waiting == 0 {
                std::thread::yield_now();
            }
            drop(piece);
            let _turn = turns.later();
            order.lock().unwrap().push("piece");
        });
        assert_eq!(*order.lock().unwrap(), ["block", "piece"]);
    }
}
