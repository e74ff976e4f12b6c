//! All interleavings of a few borrowers, by loom. Run with `RUSTFLAGS="--cfg loom"`.

use loom::future::block_on;
use loom::sync::Arc;
use loom::thread;

use super::*;

#[test]
fn every_interleaving_of_three_borrowers_ends_with_all_served() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let cell = Arc::new(Borrowable::new(0));
        let waiting = {
            let cell = cell.clone();
            thread::spawn(move || *block_on(cell.borrow()) += 1)
        };
        let other = {
            let cell = cell.clone();
            thread::spawn(move || *block_on(cell.borrow()) += 1)
        };
        if let Some(mut held) = cell.try_borrow() {
            *held += 1;
            drop(held);
            *block_on(cell.borrow()) += 1;
        } else {
            *block_on(cell.borrow()) += 2;
        }
        waiting.join().expect("served");
        other.join().expect("served");
        assert_eq!(*cell.try_borrow().expect("given back"), 4);
    });
}

#[test]
fn a_cancelled_wait_strands_nobody() {
    loom::model(|| {
        let cell = Arc::new(Borrowable::new(()));
        let held = cell.try_borrow().expect("free");
        let waiting = {
            let cell = cell.clone();
            thread::spawn(move || drop(block_on(cell.borrow())))
        };
        let mut given_up = Box::pin(cell.borrow());
        let mut context = Context::from_waker(Waker::noop());
        let early = given_up.as_mut().poll(&mut context).is_pending();
        assert!(early);
        drop(held);
        drop(given_up);
        waiting.join().expect("served");
    });
}
