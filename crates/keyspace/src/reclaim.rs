//! Freeing in the background.
//!
//! What takes long to drop is sent to one thread that does nothing else, so that deleting and
//! flushing cost the sender the same however much there is. What waits to be freed still counts as
//! used memory.

use std::any::Any;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

type Garbage = Box<dyn Any + Send>;

static PENDING: AtomicUsize = AtomicUsize::new(0);
static FREED: AtomicUsize = AtomicUsize::new(0);

/// Drops `garbage` on another thread, soon.
pub fn later(garbage: Garbage) {
    static SENDER: OnceLock<Option<Sender<Garbage>>> = OnceLock::new();
    let sender = SENDER.get_or_init(start);
    PENDING.fetch_add(1, Ordering::Relaxed);
    // Without the thread it is dropped here, later than planned but not never.
    if let Some(Err(_)) | None = sender.as_ref().map(|sender| sender.send(garbage)) {
        PENDING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Lets go of memory that this thread has given up: blocks that no other thread looks at any more,
/// and pages without blocks. For moments when a thread has nothing better to do.
pub fn settle() {
    table::peek::settle();
    memory::settle();
}

/// Things sent and not yet freed.
pub fn pending() -> usize {
    PENDING.load(Ordering::Relaxed)
}

/// Things that were sent and are freed, since the start or [`reset`].
pub fn freed() -> usize {
    FREED.load(Ordering::Relaxed)
}

/// Counts what is freed from zero on.
pub fn reset() {
    FREED.store(0, Ordering::Relaxed);
}

fn start() -> Option<Sender<Garbage>> {
    let (sender, receiver) = channel::<Garbage>();
    let free_all = move || {
        for garbage in receiver {
            drop(garbage);
            settle();
            PENDING.fetch_sub(1, Ordering::Relaxed);
            FREED.fetch_add(1, Ordering::Relaxed);
        }
    };
    match std::thread::Builder::new().name("reclaim".into()).spawn(free_all) {
        Ok(_) => Some(sender),
        Err(error) => {
            log::warn!("no thread for freeing in the background: {error}");
            None
        }
    }
}
