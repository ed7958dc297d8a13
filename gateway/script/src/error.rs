//! Why a codec gave nothing, by cause.

use crate::{HEAP_BYTES_MAX, OUTPUT_BYTES_MAX, OUTPUT_DEPTH_MAX, SOURCE_BYTES_MAX, STACK_BYTES_MAX, STEPS_MAX};

/// How a run of the engine ended that gave no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The codec threw.
    #[error("the codec threw: {message}")]
    Threw {
        /// What it threw, at most [`crate::MESSAGE_CHARS_MAX`] characters.
        message: String,
    },
    /// Beyond [`STEPS_MAX`].
    #[error("the codec did not end within {STEPS_MAX} steps: look for an endless loop")]
    TimedOut,
    /// Beyond [`HEAP_BYTES_MAX`].
    #[error("the codec needs more than {HEAP_BYTES_MAX} bytes of memory: look for a list or text that grows")]
    OutOfMemory,
    /// Beyond [`STACK_BYTES_MAX`].
    #[error("the codec needs more than {STACK_BYTES_MAX} bytes of stack: look for a function that calls itself")]
    StackOverflow,
    /// Beyond [`OUTPUT_BYTES_MAX`].
    #[error("the codec's result is larger than {OUTPUT_BYTES_MAX} bytes: return only what is measured")]
    OutputTooLarge,
    /// Beyond [`OUTPUT_DEPTH_MAX`], or a circle.
    #[error("the codec's result is nested deeper than {OUTPUT_DEPTH_MAX} levels, or contains itself: flatten it")]
    OutputTooDeep,
}

/// Why a source is no codec.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// Beyond [`SOURCE_BYTES_MAX`].
    #[error("the codec has {bytes} bytes, more than {SOURCE_BYTES_MAX}: use the vendor's codec without test data")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not JavaScript, or an ES module.
    #[error("the codec is no script: {message}; write plain functions, without `import` and `export`")]
    Syntax {
        /// The engine's words, with the line.
        message: String,
    },
    /// A `BigInt` literal: the work on it cannot be counted.
    #[error("the codec has a BigInt in line {line}: write a plain number, exact to 2^53, or two of 32 bits each")]
    BigInt {
        /// The line of the first.
        line: usize,
    },
    /// What stands outside of its functions failed.
    #[error("the codec cannot be loaded")]
    Load(#[source] Fault),
    /// No function to call.
    #[error("the codec defines none of `decodeUplink`, `Decode` and `Decoder`: use the TS013 form of it")]
    NoDecoder,
}

/// Why a payload was not decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The run failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// `decodeUplink` must return `{ data }` with an object, the older forms an object.
    #[error("the codec returned {found} instead of an object: compare the payload and its FPort with the data sheet")]
    NotAnObject {
        /// What it returned.
        found: String,
    },
    /// The codec refused the payload (TS013 `errors`).
    #[error("the codec refused the payload: {}", .0.join("; "))]
    Errors(Vec<String>),
}

/// Why a downlink was not encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The run failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The codec cannot.
    #[error("the codec defines no `encodeDownlink`: send the bytes themselves")]
    NoEncoder,
    /// The codec refused the data (TS013 `errors`).
    #[error("the codec refused the data: {}", .0.join("; "))]
    Errors(Vec<String>),
    /// TS013 wants `{ fPort, bytes }`, FPort 1 to 223 and bytes 0 to 255.
    #[error("the codec's `{key}` is {found}: it must be {expected}")]
    NoDownlink {
        /// The key at fault.
        key: &'static str,
        /// What stood there.
        found: String,
        /// What it must be.
        expected: &'static str,
    },
}
