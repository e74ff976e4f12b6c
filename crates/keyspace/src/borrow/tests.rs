//! Borrowing by real threads; `loom_tests.rs` tries their interleavings.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::Wake;
use std::thread;

use super::*;

/// Wakes a parked thread, and remembers a wake that came before the parking.
struct Unpark(thread::Thread, AtomicBool);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.1.store(true, std::sync::atomic::Ordering::SeqCst);
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let unpark = Arc::new(Unpark(thread::current(), AtomicBool::new(false)));
    let waker = unpark.clone().into();
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => {
                while !unpark.1.swap(false, std::sync::atomic::Ordering::SeqCst) {
                    thread::park();
                }
            }
        }
    }
}

#[test]
fn one_owner_at_a_time_and_nobody_is_forgotten() {
    let cell = Arc::new(Borrowable::new(0u64));
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let cell = cell.clone();
            thread::spawn(move || {
                for round in 0..20_000 {
                    let held = if (round + thread) % 3 == 0 { None } else { cell.try_borrow() };
                    let mut held = held.unwrap_or_else(|| block_on(cell.borrow()));
                    *held += 1;
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("no thread fails"));
    assert_eq!(*cell.try_borrow().expect("all gave it back"), 160_000);
}

#[test]
fn a_wait_that_is_given_up_passes_the_wake_on() {
    let cell = Borrowable::new(());
    let waker = Waker::noop();
    let mut context = Context::from_waker(waker);
    let held = cell.try_borrow().expect("free");
    let mut first = Box::pin(cell.borrow());
    let mut second = Box::pin(cell.borrow());
    assert!(first.as_mut().poll(&mut context).is_pending());
    assert!(second.as_mut().poll(&mut context).is_pending());
    drop(held);
    // The first was woken; it goes away without looking.
    drop(first);
    assert!(second.as_mut().poll(&mut context).is_ready());
}

#[test]
fn who_is_overtaken_again_and_again_is_served() {
    let cell = Borrowable::new(());
    let mut context = Context::from_waker(Waker::noop());
    let mut held = cell.try_borrow().expect("free");
    let mut waiting = Box::pin(cell.borrow());
    for _ in 0..=PATIENCE {
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        drop(held);
        match cell.try_borrow() {
            Some(again) => held = again,
            None => {
                assert!(waiting.as_mut().poll(&mut context).is_ready());
                return;
            }
        }
    }
    panic!("still not served after {PATIENCE} times");
}
