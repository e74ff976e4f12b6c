//! Points as scores: a grid over the map, whose cells halve 26 times in each direction.
//!
//! The bits of a cell's column and row stand in turn, the column's first, so that all points of a
//! larger cell have scores between two bounds:
//!
//! ```text
//! step 1:  | 01 | 11 |      step 2 within 01:  | 0101 | 0111 |      score of a point:
//!          | 00 | 10 |                         | 0100 | 0110 |      52 bits, an exact float
//! ```
//!
//! A point on the northern or eastern edge of the map lies in a row or column behind the last. That
//! is how Redis keeps it.

use std::ops::Range;

use super::Point;

/// Longitudes go from its negative to it.
pub const LONGITUDE_MAX: f64 = 180.0;
/// Latitudes go from its negative to it: the map is a square.
pub const LATITUDE_MAX: f64 = 85.051_128_78;
/// Latitudes of the geohashes that the world writes.
const LATITUDE_MAX_OF_TEXT: f64 = 90.0;
/// The finest cells.
pub const STEP_MAX: u32 = 26;
/// Characters of a geohash. Fifty of the 52 bits fill ten; the last is always zero.
pub const TEXT_LEN: usize = 11;
const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";

/// A cell of the grid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cell {
    column: u32,
    row: u32,
    /// How often the map was halved.
    step: u32,
}

/// From where to where a cell goes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Edges {
    /// Its south-western corner.
    pub min: Point,
    /// Its north-eastern corner.
    pub max: Point,
}

impl Cell {
    /// The cell of a point.
    pub fn of(point: Point, step: u32) -> Self {
        Self::within(point, step, LATITUDE_MAX)
    }

    /// The same in a grid with other latitudes.
    fn within(point: Point, step: u32, latitude_max: f64) -> Self {
        let row = (point.latitude + latitude_max) / (latitude_max + latitude_max);
        let column = (point.longitude + LONGITUDE_MAX) / (LONGITUDE_MAX + LONGITUDE_MAX);
        let cells = cells(step);
        Self { column: (column * cells) as u32, row: (row * cells) as u32, step }
    }

    /// How often the map was halved.
    pub fn step(self) -> u32 {
        self.step
    }

    /// The cell so many columns and rows on, or back. The grid has no end: behind the last column
    /// comes the first, and so with rows.
    pub fn moved(self, columns: i32, rows: i32) -> Self {
        let moved = |place: u32, by: i32| match by {
            0 => place,
            by => place.wrapping_add_signed(by) & ((1 << self.step) - 1),
        };
        Self { column: moved(self.column, columns), row: moved(self.row, rows), ..self }
    }

    /// The edges of the cell.
    pub fn edges(self) -> Edges {
        let cells = cells(self.step);
        let at = |place: u32, max: f64| (f64::from(place) / cells) * (max + max) - max;
        let point = |column, row| Point {
            longitude: at(column, LONGITUDE_MAX),
            latitude: at(row, LATITUDE_MAX),
        };
        // A score that no point has may lie in the last column that a number can say.
        Edges {
            min: point(self.column, self.row),
            max: point(self.column.wrapping_add(1), self.row.wrapping_add(1)),
        }
    }

    /// Column and row in one number.
    fn bits(self) -> u64 {
        spread(self.row) | spread(self.column) << 1
    }

    /// The scores of its points.
    pub fn scores(self) -> Range<f64> {
        let width = 1_u64 << (2 * (STEP_MAX - self.step));
        let first = self.bits() * width;
        first as f64..(first + width) as f64
    }
}

/// Columns, and rows, of a grid.
fn cells(step: u32) -> f64 {
    f64::from(1_u32 << step)
}

/// The score of a point.
pub fn score(point: Point) -> f64 {
    Cell::of(point, STEP_MAX).bits() as f64
}

/// The point of a score: the middle of its cell. Any score has one, also one that no point has.
#[inline]
pub fn point(score: f64) -> Point {
    let bits = bits(score);
    let Edges { min, max } =
        Cell { column: gather(bits >> 1), row: gather(bits), step: STEP_MAX }.edges();
    let middle = |min: f64, max: f64, end: f64| ((min + max) / 2.0).clamp(-end, end);
    Point {
        longitude: middle(min.longitude, max.longitude, LONGITUDE_MAX),
        latitude: middle(min.latitude, max.latitude, LATITUDE_MAX),
    }
}

/// The geohash of a point, in the grid that others use for it.
pub fn text(point: Point) -> [u8; TEXT_LEN] {
    let bits = Cell::within(point, STEP_MAX, LATITUDE_MAX_OF_TEXT).bits();
    let mut text = [ALPHABET[0]; TEXT_LEN];
    for (at, character) in (1..TEXT_LEN).zip(&mut text) {
        let five_bits = bits >> (2 * STEP_MAX as usize - 5 * at) & 31;
        *character = ALPHABET[five_bits as usize];
    }
    text
}

/// A score as a whole number. One that is beyond 64 bits becomes what processors make of it.
#[inline]
fn bits(score: f64) -> u64 {
    const HALF: f64 = 9_223_372_036_854_775_808.0;
    if score < HALF {
        return (score as i64).cast_unsigned();
    }
    let rest = score - HALF;
    if rest < HALF { rest as u64 | 1 << 63 } else { 0 }
}

/// Puts a zero before each bit.
fn spread(number: u32) -> u64 {
    let mut bits = u64::from(number);
    for (shift, mask) in [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ] {
        bits = (bits | bits << shift) & mask;
    }
    bits
}

/// The bits at even places.
#[inline]
fn gather(number: u64) -> u32 {
    let mut bits = number & 0x5555_5555_5555_5555;
    for (shift, mask) in [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ] {
        bits = (bits | bits >> shift) & mask;
    }
    bits as u32
}
