//! Borrowing: at any moment a value has one owner, and a thread that wants it waits as a task.
//!
//! A free value is taken with one atomic operation and given back with one. Who finds it taken
//! spins for a moment (most borrowings are shorter than a wake-up), then its *task* joins the queue
//! and the thread goes on with others.
//!
//! ```text
//! state: 0 free · HELD · HELD|WAITING: the holder must look at the queue when it gives back
//! ```
//!
//! Newcomers may overtake the queue, so a hot value never waits for a sleeping task to wake up. At
//! most one woken task is on its way at a time: giving back pops one waiter, takes WAITING off, and
//! the woken one sets it again, be it served or not. So a value passed around a thousand times
//! while somebody wakes up costs one wake-up, not a thousand. A task that was overtaken
//! [`PATIENCE`] times is handed the value directly, still HELD: nobody starves.

use std::collections::VecDeque;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use sync::{AtomicU32, Mutex, Ordering, UnsafeCell};

#[cfg(not(loom))]
mod sync {
    pub(super) use std::cell::UnsafeCell;
    pub(super) use std::sync::atomic::{AtomicU32, Ordering};

    /// A mutex whose `lock` cannot fail.
    pub(super) type Mutex<T> = parking_lot::Mutex<T>;
}

#[cfg(loom)]
mod sync {
    pub(super) use loom::sync::atomic::{AtomicU32, Ordering};

    /// Loom's mutex with the face of `parking_lot`'s.
    pub(super) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(super) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(super) fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
            self.0.lock().expect("never poisoned")
        }
    }

    /// Loom's cell with the face of std's, checking each access.
    pub(super) struct UnsafeCell<T>(loom::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(super) fn new(value: T) -> Self {
            Self(loom::cell::UnsafeCell::new(value))
        }

        pub(super) fn get(&self) -> *mut T {
            self.0.with_mut(|pointer| pointer)
        }
    }
}

/// A waiter that was woken and overtaken this often is served next.
const PATIENCE: u32 = 3;
/// How often a busy value is looked at again before its task queues: some fifty microseconds, the
/// time of a few batches of commands. To queue, to be woken and to parse again costs as much.
#[cfg(not(loom))]
const SPINS: u32 = 1000;
#[cfg(loom)]
const SPINS: u32 = 1;

const FREE: u32 = 0;
const HELD: u32 = 1;
const WAITING: u32 = 2;

/// A value that is borrowed by one at a time.
#[repr(C)]
pub struct Borrowable<T> {
    state: AtomicU32,
    value: UnsafeCell<T>,
    queue: Mutex<Queue>,
}

// SAFETY: the value is reached only through `Held`, of which there is at most one at a time.
unsafe impl<T: Send> Sync for Borrowable<T> {}

#[derive(Default)]
struct Queue {
    waiters: VecDeque<Waiter>,
    /// Waiters that were woken, are out of the queue, and have not looked yet.
    woken: u32,
    /// The waiter that owns the value already and does not know it yet.
    granted: Option<u64>,
    next_ticket: u64,
}

struct Waiter {
    ticket: u64,
    overtaken: u32,
    waker: Waker,
}

impl<T> Borrowable<T> {
    /// A value that nobody holds.
    pub fn new(value: T) -> Self {
        Self {
            state: AtomicU32::new(FREE),
            value: UnsafeCell::new(value),
            queue: Mutex::new(Queue::default()),
        }
    }

    /// Takes the value if it is free.
    #[inline]
    pub fn try_borrow(&self) -> Option<Held<'_, T>> {
        let free = self.state.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed);
        // Made only in success: a `Held` that is dropped gives the value back.
        free.is_ok().then(|| Held { cell: self })
    }

    /// Takes the value if it is free or becomes so in a moment.
    #[inline]
    pub fn try_borrow_spinning(&self) -> Option<Held<'_, T>> {
        self.try_borrow().or_else(|| self.spin())
    }

    /// Takes the value when it is free, waiting as a task.
    pub fn borrow(&self) -> Borrowing<'_, T> {
        Borrowing { cell: self, ticket: None, overtaken: 0 }
    }

    #[cold]
    fn spin(&self) -> Option<Held<'_, T>> {
        for _ in 0..SPINS {
            if self.state.load(Ordering::Relaxed) & HELD == 0
                && let Some(held) = self.try_borrow()
            {
                return Some(held);
            }
            std::hint::spin_loop();
        }
        None
    }

    #[inline]
    fn give_back(&self) {
        let freed = self.state.compare_exchange(HELD, FREE, Ordering::Release, Ordering::Relaxed);
        if freed.is_err() {
            self.give_back_to_waiters();
        }
    }

    #[cold]
    fn give_back_to_waiters(&self) {
        let mut queue = self.queue.lock();
        let Some(waiter) = queue.waiters.pop_front() else {
            self.state.store(FREE, Ordering::Release);
            return;
        };
        if waiter.overtaken >= PATIENCE {
            // It owns the value from here on: HELD stays, for the others nothing happened.
            queue.granted = Some(waiter.ticket);
            let waiting = if queue.waiters.is_empty() { 0 } else { WAITING };
            self.state.store(HELD | waiting, Ordering::Release);
        } else {
            queue.woken += 1;
            self.state.store(FREE, Ordering::Release);
        }
        drop(queue);
        waiter.waker.wake();
    }
}

/// A borrowed value. It may move to another thread, and is given back when it goes out of scope.
pub struct Held<'cell, T> {
    cell: &'cell Borrowable<T>,
}

impl<T> Deref for Held<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: this is the only `Held` of the cell, see `state`.
        unsafe { &*self.cell.value.get() }
    }
}

impl<T> DerefMut for Held<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this is the only `Held` of the cell, see `state`.
        unsafe { &mut *self.cell.value.get() }
    }
}

impl<T> Drop for Held<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.cell.give_back();
    }
}

/// The wait for a value.
pub struct Borrowing<'cell, T> {
    cell: &'cell Borrowable<T>,
    /// Set while this wait is known to the queue.
    ticket: Option<u64>,
    overtaken: u32,
}

impl<'cell, T> Future for Borrowing<'cell, T> {
    type Output = Held<'cell, T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let cell = self.cell;
        let mut queue = cell.queue.lock();
        if let Some(ticket) = self.ticket {
            if queue.granted == Some(ticket) {
                queue.granted = None;
                self.ticket = None;
                return Poll::Ready(Held { cell });
            }
            if let Some(waiter) = queue.waiters.iter_mut().find(|w| w.ticket == ticket) {
                waiter.waker.clone_from(context.waker());
                return Poll::Pending;
            }
            queue.woken -= 1;
            self.overtaken += 1;
        }
        // From the moment WAITING is set, whoever holds the value will look at the queue. While
        // another waiter is on its way, it is that one who will set it.
        let claim = if queue.woken > 0 { HELD } else { HELD | WAITING };
        if cell.state.fetch_or(claim, Ordering::Acquire) & HELD == 0 {
            self.ticket = None;
            let waiting = if queue.waiters.is_empty() { 0 } else { WAITING };
            cell.state.store(HELD | waiting, Ordering::Relaxed);
            return Poll::Ready(Held { cell });
        }
        let ticket = queue.next_ticket;
        queue.next_ticket = ticket.wrapping_add(1);
        let waiter = Waiter { ticket, overtaken: self.overtaken, waker: context.waker().clone() };
        if self.ticket.is_some() {
            queue.waiters.push_front(waiter);
        } else {
            queue.waiters.push_back(waiter);
        }
        self.ticket = Some(ticket);
        Poll::Pending
    }
}

impl<T> Drop for Borrowing<'_, T> {
    /// A wait that is given up passes on what it was woken for.
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let mut queue = self.cell.queue.lock();
        if queue.granted == Some(ticket) {
            queue.granted = None;
            drop(queue);
            drop(Held { cell: self.cell });
            return;
        }
        let waiting = queue.waiters.len();
        queue.waiters.retain(|waiter| waiter.ticket != ticket);
        if queue.waiters.len() < waiting {
            return;
        }
        queue.woken -= 1;
        if queue.woken == 0 && !queue.waiters.is_empty() {
            let state = self.cell.state.fetch_or(HELD | WAITING, Ordering::Acquire);
            drop(queue);
            if state & HELD == 0 {
                drop(Held { cell: self.cell });
            }
        }
    }
}

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod tests;
