//! The ladder in scenes, among random troubles, and with a core that is broken.

mod broken;
mod forms;
mod random;
mod scenes;
mod stage;
mod words;
mod world;
