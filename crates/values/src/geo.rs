//! Places on earth: points as scores of sorted sets, distances, areas, and where in a sorted set
//! the points of an area lie.
//!
//! ```text
//! cell      points <-> scores: a grid that halves 26 times in each direction
//! earth     degrees, and the distance between points
//! area      circle, box and polygon: what lies in them, and the cells that cover them
//! order     the first members by distance
//! ```
//!
//! Clients compare replies with those of Redis to the last digit, so every step of the arithmetic
//! that ends in a reply is done in Redis's order. What only decides whether such steps are needed
//! ([`area`]) may be done in other ways, with room for the difference.

#![forbid(unsafe_code)]

pub mod area;
pub mod cell;
pub mod earth;
pub mod order;

pub use area::Area;
pub use cell::Cell;

/// A point in degrees.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Point {
    /// East of Greenwich, within [`cell::LONGITUDE_MAX`] on both sides.
    pub longitude: f64,
    /// North of the equator, within [`cell::LATITUDE_MAX`] on both sides.
    pub latitude: f64,
}

impl Point {
    /// The point, if a score can hold it.
    pub fn new(longitude: f64, latitude: f64) -> Option<Self> {
        let fits = longitude.abs() <= cell::LONGITUDE_MAX && latitude.abs() <= cell::LATITUDE_MAX;
        fits.then_some(Self { longitude, latitude })
    }
}

#[cfg(test)]
mod tests;
