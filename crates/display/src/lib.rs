//! Events to text: tree, diff, JSON.
