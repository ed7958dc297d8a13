//! Frames in, verdicts out; a box that may restart between any two of them.

mod bench;
mod chirpstack;
mod join;
mod lora;
mod mqtt;
mod restart;
mod undecoded;
