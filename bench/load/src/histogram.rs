//! Latencies in a log-linear histogram: 64 steps for each doubling, so a value is known to 1.6 %.
//!
//! A latency below 64 ns has a bucket of its own; above, the position of the highest bit chooses
//! the row and the next six bits choose the bucket in the row.

const STEP_BITS: u32 = 6;
const STEPS: usize = 1 << STEP_BITS;
/// Rows up to 2^42 ns, which is over an hour; longer latencies land in the last bucket.
const ROWS: usize = 37;

#[derive(Clone)]
pub struct Histogram {
    counts: Vec<u64>,
    max_ns: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; STEPS * ROWS], max_ns: 0 }
    }
}

impl Histogram {
    pub fn record(&mut self, latency_ns: u64, count: u64) {
        self.counts[bucket(latency_ns)] += count;
        self.max_ns = self.max_ns.max(latency_ns);
    }

    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.max_ns = self.max_ns.max(other.max_ns);
    }

    pub fn max_us(&self) -> f64 {
        self.max_ns as f64 / 1e3
    }

    /// The latency that `share` of all operations do not exceed; 0 when there were none.
    pub fn percentile_us(&self, share: f64) -> f64 {
        let total: u64 = self.counts.iter().sum();
        let wanted = ((total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return middle_ns(index).min(self.max_ns as f64) / 1e3;
            }
        }
        0.0
    }
}

fn bucket(latency_ns: u64) -> usize {
    if latency_ns < STEPS as u64 {
        return latency_ns as usize;
    }
    let shift = latency_ns.ilog2() - STEP_BITS;
    let step = (latency_ns >> shift) as usize - STEPS;
    (STEPS * (shift as usize + 1) + step).min(STEPS * ROWS - 1)
}

fn middle_ns(bucket: usize) -> f64 {
    if bucket < STEPS {
        return bucket as f64;
    }
    let shift = bucket / STEPS - 1;
    let low = (STEPS + bucket % STEPS) << shift;
    low as f64 + ((1_usize << shift) - 1) as f64 / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_know_their_values() {
        for value in (0..40).flat_map(|bit| [1_u64 << bit, (1 << bit) + 1, (2 << bit) - 1]) {
            let error = (middle_ns(bucket(value)) - value as f64).abs() / value as f64;
            assert!(error < 0.016, "{value} is off by {error}");
        }
    }

    #[test]
    fn percentiles() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.percentile_us(0.5), 0.0);
        for thousand in 1..=1000 {
            histogram.record(thousand * 1000, 1);
        }
        for (share, expected_us) in [(0.5, 500.0), (0.99, 990.0), (0.999, 999.0)] {
            let error = (histogram.percentile_us(share) - expected_us).abs() / expected_us;
            assert!(error < 0.016, "{share}");
        }
        assert_eq!(histogram.max_us(), 1000.0);
        histogram.record(u64::MAX, 1);
        assert_eq!(histogram.counts[STEPS * ROWS - 1], 1);
    }
}
