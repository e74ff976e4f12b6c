//! Tests of the grid, distances, areas and the order.
//!
//! Numbers that stand here were answered by Redis. Areas are compared with a plain look at every
//! point: what the cells miss, or a guess gets wrong, would show.

use proptest::prelude::*;

use super::cell::{self, Cell, LATITUDE_MAX, LONGITUDE_MAX, STEP_MAX};
use super::earth::{self, RADIUS};
use super::{Area, Point, order};

const PALERMO: Point = Point { longitude: 13.361389, latitude: 38.115556 };
const CATANIA: Point = Point { longitude: 15.087269, latitude: 37.502669 };

#[test]
fn scores_are_those_of_redis() {
    assert_eq!(cell::score(PALERMO), 3_479_099_956_230_698.0);
    assert_eq!(cell::score(CATANIA), 3_479_447_370_796_909.0);
    let point = cell::point(3_479_099_956_230_698.0);
    assert_eq!((point.longitude, point.latitude), (13.361389338970184, 38.1155563954963));
    assert_eq!(&cell::text(point), b"sqc8b49rny0");
    assert_eq!(&cell::text(cell::point(3_479_447_370_796_909.0)), b"sqdtr74hyu0");
}

#[test]
fn the_edge_of_the_map_lies_behind_the_last_row() {
    let corner = Point::new(LONGITUDE_MAX, LATITUDE_MAX).unwrap();
    let score = cell::score(corner);
    assert!(score > 4_503_599_627_370_496.0, "{score}");
    assert_eq!(cell::point(score), corner);
    assert!(Point::new(LONGITUDE_MAX + 1e-9, 0.0).is_none());
    assert!(Point::new(0.0, -LATITUDE_MAX - 1e-9).is_none());
    assert!(Point::new(f64::NAN, 0.0).is_none());
}

#[test]
fn every_score_has_a_point() {
    for score in [-1.0, -7.5, 1e19, 3e18, 9.3e18, -1e30, f64::INFINITY, f64::NEG_INFINITY] {
        let point = cell::point(score);
        assert!(Point::new(point.longitude, point.latitude).is_some(), "{score}: {point:?}");
    }
    assert_eq!(cell::point(f64::INFINITY), cell::point(0.0));
    assert_eq!(cell::point(1.5), cell::point(1.0));
}

#[test]
fn distances_are_those_of_redis() {
    let [from, to] = [PALERMO, CATANIA].map(|point| cell::point(cell::score(point)));
    assert_eq!(earth::distance(from, to), 166274.15156960033);
    assert_eq!(earth::distance(from, from), 0.0);
    let half = std::f64::consts::PI * RADIUS;
    let pole = |latitude| Point { longitude: 0.0, latitude };
    assert_eq!(earth::distance(pole(-90.0), pole(90.0)), half);
}

fn around(center: Point, spread: f64, (east, north): (f64, f64)) -> Point {
    Point {
        longitude: (center.longitude + east * spread).clamp(-LONGITUDE_MAX, LONGITUDE_MAX),
        latitude: (center.latitude + north * spread).clamp(-LATITUDE_MAX, LATITUDE_MAX),
    }
}

fn points() -> impl Strategy<Value = Point> {
    let longitude = prop_oneof![
        4 => -LONGITUDE_MAX..=LONGITUDE_MAX,
        1 => prop::sample::select(vec![-LONGITUDE_MAX, LONGITUDE_MAX, 179.9999, -179.9999, 0.0]),
    ];
    let latitude = prop_oneof![
        4 => -LATITUDE_MAX..=LATITUDE_MAX,
        1 => prop::sample::select(vec![-LATITUDE_MAX, LATITUDE_MAX, 84.99, -66.0, 80.0, 0.0]),
    ];
    (longitude, latitude).prop_map(|(longitude, latitude)| Point { longitude, latitude })
}

/// Metres of any order, from millimetres to more than the earth has.
fn metres() -> impl Strategy<Value = f64> {
    (-3.0..7.7_f64).prop_map(|exponent| 10_f64.powf(exponent))
}

/// Points near an area and anywhere, as scores keep them.
fn kept(center: Point, reach: f64, offsets: Vec<(f64, f64)>) -> Vec<Point> {
    let degrees = earth::degrees(reach / RADIUS);
    let spreads = [0.7, 1.0, 2.0, 90.0 / degrees];
    let near = offsets.into_iter().zip(spreads.into_iter().cycle());
    near.map(|(offset, spread)| around(center, degrees * spread, offset))
        .map(|point| cell::point(cell::score(point)))
        .collect()
}

fn offsets() -> impl Strategy<Value = Vec<(f64, f64)>> {
    prop::collection::vec((-1.0..1.0, -1.0..1.0), 100)
}

/// Whether the point lies in one of the cells that are searched.
fn is_searched(area: &Area, point: Point) -> bool {
    let score = cell::score(point);
    area.cells().any(|cell| cell.scores().contains(&score))
}

proptest! {
    #[test]
    fn a_point_is_the_middle_of_its_cell(point in points()) {
        // What lies on these edges is behind the last cell, where scores have 54 bits and floats
        // 53: the last may be lost.
        let is_on_edge = point.longitude == LONGITUDE_MAX || point.latitude == LATITUDE_MAX;
        let kept = cell::point(cell::score(point));
        let cells = f64::from(1 << STEP_MAX) * if is_on_edge { 0.3 } else { 0.99 };
        prop_assert!((kept.longitude - point.longitude).abs() <= LONGITUDE_MAX / cells);
        prop_assert!((kept.latitude - point.latitude).abs() <= LATITUDE_MAX / cells);
        for step in 1..=STEP_MAX {
            let cell = Cell::of(point, step);
            prop_assert!(is_on_edge || cell.scores().contains(&cell::score(point)));
            let there = cell.moved(1, 0).moved(0, -1);
            prop_assert!(is_on_edge || there == cell.moved(1, -1));
            prop_assert!(is_on_edge || there.moved(-1, 1) == cell);
        }
    }

    #[test]
    fn a_guess_about_a_circle_is_right(
        center in points(), radius in metres(), offsets in offsets()
    ) {
        let area = Area::circle(center, radius, 1.0);
        for point in kept(center, radius, offsets) {
            let distance = earth::distance(center, point);
            let expected = (distance <= radius).then_some(distance);
            prop_assert_eq!(area.distance_within(point), expected);
            prop_assert_eq!(area.contains(point), expected.is_some());
        }
        // On the border itself, only exact arithmetic tells.
        for point in kept(center, radius, vec![(0.5, 0.5), (-0.3, 0.8)]) {
            let distance = earth::distance(center, point);
            prop_assert!(Area::circle(center, distance, 1.0).contains(point));
            let less = f64::from_bits(distance.to_bits().saturating_sub(1));
            prop_assert!(distance == 0.0 || !Area::circle(center, less, 1.0).contains(point));
        }
    }

    #[test]
    fn a_guess_about_a_box_is_right(
        center in points(), width in metres(), height in metres(), offsets in offsets()
    ) {
        let area = Area::rectangle(center, width, height, 1.0);
        for point in kept(center, width.max(height), offsets) {
            let at = |longitude, latitude| Point { longitude, latitude };
            let north = earth::distance(
                at(0.0, center.latitude), at(0.0, point.latitude)
            );
            let east = earth::distance(
                at(point.longitude, point.latitude), at(center.longitude, point.latitude)
            );
            let is_within = north <= height / 2.0 && east <= width / 2.0;
            prop_assert_eq!(area.contains(point), is_within);
            let distance = is_within.then(|| earth::distance(center, point));
            prop_assert_eq!(area.distance_within(point), distance);
        }
    }

    #[test]
    fn cells_cover_a_circle_that_is_not_at_a_pole(
        center in points(), radius in (-3.0..5.5_f64), offsets in offsets()
    ) {
        // Redis misses points across the date line and near the poles, and so do we; and it takes
        // too few cells where a circle is large and far from the equator.
        let Point { longitude, latitude } = center;
        let center = Point { longitude: longitude * 0.9, latitude: latitude * 0.7 };
        let radius = 10_f64.powf(radius);
        let area = Area::circle(center, radius, 1.0);
        prop_assert!(area.cells().count() <= 9);
        for point in kept(center, radius, offsets) {
            prop_assert!(!area.contains(point) || is_searched(&area, point));
        }
    }

    #[test]
    fn the_first_are_those_of_a_whole_sort(
        distances in prop::collection::vec(0_u32..500, 0..400), count in 0_usize..450
    ) {
        let mut items: Vec<(u32, usize)> =
            distances.iter().enumerate().map(|(at, distance)| (*distance, at)).collect();
        let mut sorted = distances;
        sorted.sort_unstable();
        order::put_first(&mut items, count, |a, b| a.0.cmp(&b.0));
        let wanted = count.min(sorted.len());
        let first: Vec<u32> = items.iter().take(wanted).map(|(distance, _)| *distance).collect();
        prop_assert_eq!(&first, &sorted[..wanted]);
        // Nothing gets lost, and nothing comes twice.
        let mut places: Vec<usize> = items.iter().map(|(_, at)| *at).collect();
        places.sort_unstable();
        prop_assert!(places.into_iter().eq(0..sorted.len()));
    }
}

#[test]
fn polygons_end_at_their_sides() {
    let point = |longitude, latitude| Point { longitude, latitude };
    let area = Area::polygon(vec![point(0.0, 0.0), point(10.0, 0.0), point(10.0, 10.0)]);
    assert!(area.contains(point(9.0, 1.0)) && area.contains(point(5.0, 4.9)));
    for outside in [point(1.0, 9.0), point(11.0, 1.0), point(5.0, -0.1), point(5.0, 5.1)] {
        assert_eq!(area.distance_within(outside), None, "{outside:?}");
    }
    assert_eq!(area.corners(), 3);
}

#[test]
fn what_makes_a_quicksort_slow_is_sorted_all_the_same() {
    // Each answer about two items that nothing is known of yet is chosen to do most harm: the one
    // that is the pivot is said to be small. (McIlroy, "A killer adversary for quicksort".)
    let len = 20_000_usize;
    let gas = len;
    let (mut values, mut solid, mut candidate) = (vec![gas; len], 0, 0);
    let mut items: Vec<usize> = (0..len).collect();
    let mut comparisons = 0_usize;
    order::put_first(&mut items, len - 1, |a, b| {
        comparisons += 1;
        if values[*a] == gas && values[*b] == gas {
            let frozen = if *a == candidate { *a } else { *b };
            values[frozen] = solid;
            solid += 1;
        }
        if values[*a] == gas {
            candidate = *a;
        } else if values[*b] == gas {
            candidate = *b;
        }
        values[*a].cmp(&values[*b])
    });
    assert!(items.is_sorted_by_key(|item| values[*item]));
    assert!(comparisons < 200 * len, "{comparisons}");
}
