//! An error in one line, as answers and log fields carry it.

use std::error::Error;

/// The error and all its causes, joined by `: `. No error repeats its source, so nothing stands twice.
pub fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |error: &&dyn Error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
