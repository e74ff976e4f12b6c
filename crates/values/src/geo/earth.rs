//! Degrees, and the distance of points on a globe.

use std::f64::consts::PI;

use super::Point;

/// The radius of the earth in metres.
pub const RADIUS: f64 = 6_372_797.560_856;
/// Radians of a degree.
const DEGREE: f64 = PI / 180.0;

/// Degrees in radians.
#[inline]
pub fn radians(degrees: f64) -> f64 {
    degrees * DEGREE
}

/// Radians in degrees.
pub fn degrees(radians: f64) -> f64 {
    radians / DEGREE
}

/// Metres between two points.
pub fn distance(from: Point, to: Point) -> f64 {
    Origin::new(from).distance(to)
}

/// A point from which distances are measured.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// Radians to the east.
    pub longitude: f64,
    /// Radians to the north.
    pub latitude: f64,
    /// The cosine of its latitude.
    pub cosine: f64,
}

impl Origin {
    /// Measures from this point.
    pub fn new(point: Point) -> Self {
        let latitude = radians(point.latitude);
        Self { longitude: radians(point.longitude), latitude, cosine: latitude.cos() }
    }

    /// Metres to a point.
    #[inline]
    pub fn distance(&self, to: Point) -> f64 {
        let latitude = radians(to.latitude);
        let between = radians(to.longitude) - self.longitude;
        haversine(between, latitude - self.latitude, || self.cosine * latitude.cos())
    }

    /// Metres to a point's latitude.
    #[inline]
    pub fn distance_north(&self, to: Point) -> f64 {
        RADIUS * (radians(to.latitude) - self.latitude).abs()
    }

    /// Metres to a point's longitude, at the latitude of that point.
    #[inline]
    pub fn distance_east(&self, to: Point) -> f64 {
        let between = radians(to.longitude) - self.longitude;
        haversine(between, 0.0, || {
            let cosine = radians(to.latitude).cos();
            cosine * cosine
        })
    }
}

/// Metres between two points so many radians from each other. `cosines` are those of their
/// latitudes, multiplied.
#[inline]
fn haversine(longitudes: f64, latitudes: f64, cosines: impl FnOnce() -> f64) -> f64 {
    let east = (longitudes / 2.0).sin();
    if east == 0.0 {
        return RADIUS * latitudes.abs();
    }
    let north = (latitudes / 2.0).sin();
    let square = north * north + cosines() * east * east;
    2.0 * RADIUS * square.sqrt().asin()
}
