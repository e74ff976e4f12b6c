//! Scores: the floats that have an order.

use std::cmp::Ordering;

/// A float that is a number or an infinity. Both zeros are equal.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(transparent)]
pub struct Score(f64);

impl Score {
    /// The score `value`, unless that is not a number.
    #[inline]
    pub fn new(value: f64) -> Option<Self> {
        (!value.is_nan()).then_some(Self(value))
    }

    /// The score `value`, or zero if that is not a number.
    #[inline]
    pub fn or_zero(value: f64) -> Self {
        Self::new(value).unwrap_or(Self(0.0))
    }

    /// The score as a float.
    #[inline]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl Eq for Score {}

impl Ord for Score {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        // Only with what is not a number there would be no order.
        self.0.partial_cmp(&other.0).unwrap_or(Ordering::Equal)
    }
}

impl PartialOrd for Score {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::Score;

    #[test]
    fn scores_are_in_order_and_never_nan() {
        assert!(Score::new(f64::NAN).is_none());
        assert_eq!(Score::or_zero(f64::NAN).get(), 0.0);
        let scores = [f64::NEG_INFINITY, -1.5, -0.0, 1e-300, 7.0, f64::INFINITY];
        assert!(scores.map(Score::new).is_sorted());
        assert_eq!(Score::new(-0.0), Score::new(0.0));
    }
}
