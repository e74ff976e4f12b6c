//! Tests of the grid, distances, areas and the order.
