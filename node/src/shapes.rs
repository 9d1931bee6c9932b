//! Which names an object has, in which order, under one number: JavaScript learns the names once, not with every answer.
//!
//! A tree, as JavaScript engines have one themselves: from a shape, a name leads to the shape with that name added. There
//! are as many as there are messages in the core and combinations of their fields that servers use.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A number for a list of names. Never more than 21 bits.
pub(crate) type Shape = u32;

struct Node {
    parent: Shape,
    name: &'static str,
    children: Vec<Shape>,
}

/// The first one has no names.
static SHAPES: Mutex<Vec<Node>> = Mutex::new(Vec::new());

fn shapes() -> MutexGuard<'static, Vec<Node>> {
    let mut shapes = SHAPES.lock().unwrap_or_else(PoisonError::into_inner);
    if shapes.is_empty() {
        shapes.push(Node { parent: 0, name: "", children: Vec::new() });
    }
    shapes
}

/// The shape with these names, in this order.
pub(crate) fn of(names: &[&'static str]) -> Shape {
    let mut shapes = shapes();
    let mut shape = 0;
    for name in names {
        let children = &shapes[shape as usize].children;
        shape = match children.iter().find(|child| shapes[**child as usize].name == *name) {
            Some(child) => *child,
            None => {
                let child = shapes.len() as Shape;
                shapes.push(Node { parent: shape, name, children: Vec::new() });
                shapes[shape as usize].children.push(child);
                child
            }
        };
    }
    shape
}

/// The names of a shape, in their order.
pub(crate) fn names(shape: Shape) -> Vec<&'static str> {
    let shapes = shapes();
    let mut names = Vec::new();
    let mut next = shapes.get(shape as usize);
    while let Some(node) = next.filter(|node| !node.name.is_empty()) {
        names.push(node.name);
        next = shapes.get(node.parent as usize);
    }
    names.reverse();
    names
}
