//! Circles, boxes and polygons: what lies in them, and the cells that cover them.
//!
//! Whether a point lies in a circle is a matter of its exact distance, which takes sines and
//! cosines. For nearly all points a few multiplications tell as well: a series for the sine of a
//! small angle is right to nine digits, and who is not that near to the border needs no more. Only
//! the others, and those whose distance is wanted, are computed as Redis does.

use std::f64::consts::PI;

use super::Point;
use super::cell::{Cell, Edges, STEP_MAX};
use super::earth::{Origin, RADIUS, degrees, radians};

/// Half the width of the map in metres, where it is flat.
const MAP_HALF: f64 = 20_037_726.37;
/// From these latitudes on cells are chosen larger, because they are narrow there.
const NARROW: [f64; 2] = [66.0, 80.0];
/// Halves of angles up to this one are small, in radians.
const SMALL: f64 = 0.3;
/// What the series may be wrong by, and far more, as a share.
const DOUBT: f64 = 1e-7;
/// Circles of less, in metres, are not guessed at, nor those of more than [`LARGEST`].
const SMALLEST: f64 = 1e-3;
const LARGEST: f64 = 0.9 * PI * RADIUS;
/// Degrees that bounds are given more than they seem to need.
const SLACK: f64 = 1e-6;

/// An area on earth.
pub struct Area {
    center: Point,
    origin: Origin,
    /// The sine of the centre's latitude.
    sine: f64,
    shape: Shape,
    /// From where to where it goes; across the date line it goes beyond the map.
    bounds: Edges,
    /// Metres from the centre that cover it.
    radius: f64,
}

enum Shape {
    Circle { radius: f64, border: Option<Border> },
    Box { half_width: f64, half_height: f64, border: Option<Border> },
    Polygon(Vec<Point>),
}

/// A distance in metres in which others are compared with it: the square of half the chord over a
/// globe of radius one. Between both bounds only exact arithmetic tells.
#[derive(Clone, Copy)]
struct Border {
    inside: f64,
    outside: f64,
}

/// What is known of a point.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Guess {
    Inside,
    Outside,
    Unknown,
}

impl Border {
    fn at(metres: f64) -> Option<Self> {
        let half = (metres / (2.0 * RADIUS)).sin();
        let square = half * half;
        let is_usual = metres > SMALLEST && metres < LARGEST;
        let border = Self { inside: square * (1.0 - DOUBT), outside: square * (1.0 + DOUBT) };
        is_usual.then_some(border)
    }

    #[inline]
    fn guess(self, square: f64) -> Guess {
        if square < self.inside {
            Guess::Inside
        } else if square > self.outside {
            Guess::Outside
        } else {
            Guess::Unknown
        }
    }
}

impl Area {
    /// A circle, its radius in a unit of so many metres.
    pub fn circle(center: Point, radius: f64, unit: f64) -> Self {
        let radius = radius * unit;
        let shape = Shape::Circle { radius, border: Border::at(radius) };
        Self::around(center, shape, bounds_around(center, radius, radius), radius)
    }

    /// A box, its sides in a unit of so many metres. Its width is measured at the latitude of each
    /// point, so it is none on a map.
    pub fn rectangle(center: Point, width: f64, height: f64, unit: f64) -> Self {
        let (half_width, half_height) = (unit * width / 2.0, unit * height / 2.0);
        let shape = Shape::Box { half_width, half_height, border: Border::at(half_width) };
        let bounds = bounds_around(center, half_width, half_height);
        let squares = (width / 2.0) * (width / 2.0) + (height / 2.0) * (height / 2.0);
        Self::around(center, shape, bounds, squares.sqrt() * unit)
    }

    /// A polygon on the map, by its corners. Distances are measured from the middle of these.
    pub fn polygon(corners: Vec<Point>) -> Self {
        let (mut x, mut y, mut z) = (0.0, 0.0, 0.0);
        let (mut min, mut max) = (
            Point { longitude: f64::INFINITY, latitude: f64::INFINITY },
            Point { longitude: f64::NEG_INFINITY, latitude: f64::NEG_INFINITY },
        );
        for corner in &corners {
            min.longitude = min.longitude.min(corner.longitude);
            min.latitude = min.latitude.min(corner.latitude);
            max.longitude = max.longitude.max(corner.longitude);
            max.latitude = max.latitude.max(corner.latitude);
            let (longitude, latitude) = (radians(corner.longitude), radians(corner.latitude));
            x += latitude.cos() * longitude.cos();
            y += latitude.cos() * longitude.sin();
            z += latitude.sin();
        }
        let center = Point {
            longitude: degrees(y.atan2(x)),
            latitude: degrees(z.atan2((x * x + y * y).sqrt())),
        };
        let origin = Origin::new(center);
        let corner = |longitude, latitude| origin.distance(Point { longitude, latitude });
        let radius = [
            corner(min.longitude, max.latitude),
            corner(max.longitude, max.latitude),
            corner(min.longitude, min.latitude),
            corner(max.longitude, min.latitude),
        ]
        .into_iter()
        .fold(f64::NEG_INFINITY, f64::max);
        Self::around(center, Shape::Polygon(corners), Edges { min, max }, radius)
    }

    fn around(center: Point, shape: Shape, bounds: Edges, radius: f64) -> Self {
        let origin = Origin::new(center);
        Self { center, origin, sine: origin.latitude.sin(), shape, bounds, radius }
    }

    /// Steps that it takes to look at a point.
    pub fn corners(&self) -> usize {
        match &self.shape {
            Shape::Circle { .. } | Shape::Box { .. } => 1,
            Shape::Polygon(corners) => corners.len(),
        }
    }

    /// Whether a point lies within.
    #[inline]
    pub fn contains(&self, point: Point) -> bool {
        match self.guess(point) {
            Guess::Inside => true,
            Guess::Outside => false,
            Guess::Unknown => self.exactly(point).is_some(),
        }
    }

    /// Metres from the centre to a point that lies within.
    #[inline]
    pub fn distance_within(&self, point: Point) -> Option<f64> {
        match self.guess(point) {
            Guess::Inside => Some(self.origin.distance(point)),
            Guess::Outside => None,
            Guess::Unknown => self.exactly(point),
        }
    }

    /// The same as Redis computes it.
    fn exactly(&self, point: Point) -> Option<f64> {
        match &self.shape {
            Shape::Circle { radius, .. } => {
                let distance = self.origin.distance(point);
                // The distance of opposite points may be no number, and is not larger then.
                let is_outside = distance > *radius;
                (!is_outside).then_some(distance)
            }
            Shape::Box { half_width, half_height, .. } => {
                let is_outside = self.origin.distance_north(point) > *half_height
                    || self.origin.distance_east(point) > *half_width;
                (!is_outside).then(|| self.origin.distance(point))
            }
            Shape::Polygon(corners) => {
                is_in_polygon(corners, point).then(|| self.origin.distance(point))
            }
        }
    }

    #[inline]
    fn guess(&self, point: Point) -> Guess {
        match &self.shape {
            Shape::Circle { border: Some(border), .. } => {
                let Some((north, east)) = self.squares(point) else { return Guess::Unknown };
                border.guess(north + self.origin.cosine * east.cosine * east.square)
            }
            Shape::Box { half_height, border: Some(border), .. } => {
                if self.origin.distance_north(point) > *half_height {
                    return Guess::Outside;
                }
                let Some((_, east)) = self.squares(point) else { return Guess::Unknown };
                border.guess(east.cosine * east.cosine * east.square)
            }
            Shape::Polygon(_) => {
                let Edges { min, max } = self.bounds;
                let may_be = point.latitude >= min.latitude
                    && point.latitude < max.latitude
                    && point.longitude >= min.longitude - SLACK
                    && point.longitude <= max.longitude + SLACK;
                if may_be { Guess::Unknown } else { Guess::Outside }
            }
            _ => Guess::Unknown,
        }
    }

    /// About the squares of the sines of half the angles from the centre to a point, to the north
    /// and to the east, if both are small.
    #[inline]
    fn squares(&self, point: Point) -> Option<(f64, East)> {
        let north = (radians(point.latitude) - self.origin.latitude) / 2.0;
        let east = (radians(point.longitude) - self.origin.longitude) / 2.0;
        if north.abs() > SMALL || east.abs() > SMALL {
            return None;
        }
        let (double_cosine, north, east) =
            (2.0 * small_cosine(north), small_sine(north), small_sine(east));
        let square = north * north;
        let double_sine = north * double_cosine;
        let cosine = self.origin.cosine * (1.0 - 2.0 * square) - self.sine * double_sine;
        Some((square, East { square: east * east, cosine }))
    }

    /// The cells in which its points lie, in the order in which they are searched. A cell that
    /// comes twice in a row is searched once.
    pub fn cells(&self) -> impl Iterator<Item = Cell> {
        // The cell of the centre first, then those around it: columns to the east, rows to the
        // north.
        const AROUND: [(i32, i32); 8] =
            [(0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];
        let cell = self.middle_cell();
        let edges = cell.edges();
        let Edges { min, max } = self.bounds;
        // Cells of the first step are half the map, and their neighbours lie on both sides.
        let is_small = cell.step() >= 2;
        let ends_west = is_small && edges.min.longitude < min.longitude;
        let ends_east = is_small && edges.max.longitude > max.longitude;
        let ends_south = is_small && edges.min.latitude < min.latitude;
        let ends_north = is_small && edges.max.latitude > max.latitude;
        let is_needed = move |(columns, rows): &(i32, i32)| {
            let beyond = *columns > 0 && ends_east || *columns < 0 && ends_west;
            !(beyond || *rows > 0 && ends_north || *rows < 0 && ends_south)
        };
        let mut last = None;
        let around = AROUND
            .into_iter()
            .filter(is_needed)
            .map(move |(columns, rows)| cell.moved(columns, rows))
            .filter(move |cell| last.replace(*cell) != Some(*cell));
        std::iter::once(cell).chain(around)
    }

    /// The cell of the centre, so large that it covers the area together with its neighbours.
    fn middle_cell(&self) -> Cell {
        let Edges { min, max } = self.bounds;
        let cell = Cell::of(self.center, step_for(self.radius, self.center.latitude));
        let edges = |columns, rows| cell.moved(columns, rows).edges();
        let is_too_small = edges(0, 1).max.latitude < max.latitude
            || edges(0, -1).min.latitude > min.latitude
            || edges(1, 0).max.longitude < max.longitude
            || edges(-1, 0).min.longitude > min.longitude;
        match cell.step() {
            step @ 2.. if is_too_small => Cell::of(self.center, step - 1),
            _ => cell,
        }
    }
}

/// What [`Area::squares`] knows of a point to the east.
#[derive(Clone, Copy)]
struct East {
    square: f64,
    /// The cosine of the point's latitude.
    cosine: f64,
}

/// The sine of a small angle.
#[inline]
fn small_sine(angle: f64) -> f64 {
    let square = angle * angle;
    angle * (1.0 - square * (1.0 / 6.0) * (1.0 - square * 0.05 * (1.0 - square * (1.0 / 42.0))))
}

/// The cosine of a small angle.
#[inline]
fn small_cosine(angle: f64) -> f64 {
    let square = angle * angle;
    1.0 - square * 0.5 * (1.0 - square * (1.0 / 12.0) * (1.0 - square * (1.0 / 30.0)))
}

/// From where to where something goes that reaches so many metres from its centre.
fn bounds_around(center: Point, half_width: f64, half_height: f64) -> Edges {
    let Point { longitude, latitude } = center;
    let north = degrees(half_height / RADIUS);
    // A degree is shortest on the side of the pole.
    let side = if latitude < 0.0 { latitude - north } else { latitude + north };
    let east = degrees(half_width / RADIUS / radians(side).cos());
    Edges {
        min: Point { longitude: longitude - east, latitude: latitude - north },
        max: Point { longitude: longitude + east, latitude: latitude + north },
    }
}

/// How small the cells are by which so many metres around a point are covered.
fn step_for(metres: f64, latitude: f64) -> u32 {
    if metres == 0.0 {
        return STEP_MAX;
    }
    let (mut reach, mut halves) = (metres, 0_u32);
    while reach < MAP_HALF {
        reach *= 2.0;
        halves += 1;
    }
    let narrow = NARROW.iter().filter(|from| latitude.abs() > **from).count();
    // One less covers most that reaches into a neighbour.
    halves.saturating_sub(1).saturating_sub(narrow as u32).clamp(1, STEP_MAX)
}

/// Whether a line from a point to the east crosses the sides of a polygon an odd number of times.
fn is_in_polygon(corners: &[Point], point: Point) -> bool {
    let mut is_inside = false;
    let Some(mut last) = corners.last() else { return false };
    for corner in corners {
        let is_between = (corner.latitude > point.latitude) != (last.latitude > point.latitude);
        let side = || {
            (last.longitude - corner.longitude) * (point.latitude - corner.latitude)
                / (last.latitude - corner.latitude)
                + corner.longitude
        };
        if is_between && point.longitude < side() {
            is_inside = !is_inside;
        }
        last = corner;
    }
    is_inside
}
