//! Scenarios in virtual time, random worlds, and broken cores that the checks must catch.

mod bounds;
mod broken;
mod metered;
mod properties;
mod scenarios;
mod script;
mod thin;
mod world;
