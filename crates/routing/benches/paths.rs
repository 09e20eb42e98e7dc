//! How long it takes to find the route of a path among a thousand.

use std::sync::LazyLock;

use divan::black_box;

use weir_routing::{PathTree, decoded};

fn main() {
    divan::main();
}

/// 250 resources with four routes each.
static TREE: LazyLock<PathTree<usize>> = LazyLock::new(|| {
    let mut tree = PathTree::new();
    for resource in 0..250 {
        for (kind, route) in ["", "/:id", "/:id/items/:item", "/:id/files/*rest"].iter().enumerate() {
            let route = format!("/api/v1/resource{resource}{route}");
            tree.insert(&route, resource * 4 + kind).expect("routes of one tree that do not conflict");
        }
    }
    tree
});

fn lookup(path: &str) -> usize {
    TREE.find(black_box(path)).map_or(0, |found| *found.value + found.params.len())
}

#[divan::bench]
fn static_route() -> usize {
    lookup("/api/v1/resource125")
}

#[divan::bench]
fn one_parameter() -> usize {
    lookup("/api/v1/resource125/4711")
}

#[divan::bench]
fn two_parameters() -> usize {
    lookup("/api/v1/resource125/4711/items/3")
}

#[divan::bench]
fn rest() -> usize {
    lookup("/api/v1/resource125/4711/files/a/b/c/d/e/f.txt")
}

#[divan::bench]
fn miss_at_once() -> usize {
    lookup("/favicon.ico")
}

#[divan::bench]
fn miss_at_the_end() -> usize {
    lookup("/api/v1/resource125/4711/items/3/more")
}

#[divan::bench]
fn decode_a_value() -> usize {
    decoded(black_box("a%20value%2Fwith%20escapes")).len()
}
