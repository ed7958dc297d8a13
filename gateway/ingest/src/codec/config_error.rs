//! What can be wrong with a `[device.codec]`.

use record::Decimal;

use super::READINGS_MAX;

/// Why a `[device.codec]` of the configuration cannot be used. Each variant names the key below `codec`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// A list that says what the payload holds is empty.
    #[error("`{key}` is empty: add at least one {entry}")]
    Empty {
        /// The list.
        key: &'static str,
        /// The keys that an entry needs.
        entry: &'static str,
    },
    /// The device table names a file that was not handed in.
    #[error("`file`: there is no codec `{file}`: put it beside devices.toml")]
    NoScript {
        /// As written.
        file: String,
    },
    /// The file is no JavaScript codec.
    #[error("`file`: codec `{file}`: {why}")]
    Script {
        /// As written.
        file: String,
        /// Why.
        why: script::ScriptError,
    },
    /// More entries than a frame may have readings.
    #[error("`{key}` has {count} entries: at most {READINGS_MAX} are possible")]
    TooMany {
        /// The list.
        key: &'static str,
        /// Its length.
        count: usize,
    },
    /// A unit that neither UCUM nor the SenML registry has.
    #[error("`{key}`: unit `{unit}` is not known: did you mean {nearest}?")]
    UnknownUnit {
        /// Where.
        key: String,
        /// What was written.
        unit: String,
        /// The nearest known ones.
        nearest: String,
    },
    /// Two entries claim one quantity.
    #[error("`{key}`: `{quantity}` is already the quantity of another entry: give each its own name")]
    DuplicateQuantity {
        /// The later entry.
        key: String,
        /// The quantity.
        quantity: String,
    },
    /// Two entries claim one channel (and type).
    #[error("`{key}`: channel {channel} already has such an entry: remove one, or tell them apart by `type`")]
    DuplicateChannel {
        /// The later entry.
        key: String,
        /// The channel.
        channel: u8,
    },
    /// `min` above `max`: nothing would be plausible.
    #[error("`{key}`: min {min} is above max {max}: exchange them")]
    EmptyRange {
        /// Where.
        key: String,
        /// As written.
        min: Decimal,
        /// As written.
        max: Decimal,
    },
    /// A scale of 0 would turn every value into 0.
    #[error("`{key}`: scale is 0, so every value would be 0: leave it out or write the factor")]
    ZeroScale {
        /// Where.
        key: String,
    },
    /// Not a type of Cayenne LPP.
    #[error("`{key}`: Cayenne LPP has no type {lpp_type}: the types are {known}")]
    UnknownType {
        /// Where.
        key: String,
        /// What was written.
        lpp_type: u8,
        /// Those there are.
        known: String,
    },
    /// The quantity's name has no room for the axis.
    #[error("`{key}`: `{quantity}` cannot be the name of a reading: use a shorter one")]
    LongQuantity {
        /// Where.
        key: String,
        /// The name with its axis.
        quantity: String,
    },
    /// An integer of no or too many bytes, or a float of another length than its type's.
    #[error("`{key}`: a {number_type} is not {length} bytes long: integers have 1 to 8, float32 has 4, float64 has 8")]
    Length {
        /// Where.
        key: String,
        /// As written.
        length: u8,
        /// As written.
        number_type: &'static str,
    },
    /// The length of an integer is nowhere said.
    #[error("`{key}`: `length` is missing: write the number of bytes, 1 to 8")]
    NoLength {
        /// Where.
        key: String,
    },
    /// Bits outside the number, no bits, bits of a float, or half a digit.
    #[error(
        "`{key}`: {bits} bits from bit {bit_offset} are no part of a {number_type} of {length} bytes: stay within it; \
         floats have no parts, and bcd has 4 bits a digit"
    )]
    Bits {
        /// Where.
        key: String,
        /// As written, or all that are left.
        bits: u32,
        /// As written.
        bit_offset: u8,
        /// The number's, in bytes.
        length: u8,
        /// As written.
        number_type: &'static str,
    },
    /// Bytes that no payload, or no value of this entry, has.
    #[error(
        "`{key}`: {length} bytes from offset {offset} go beyond the end: offsets count from 0, or from the end by -1"
    )]
    Beyond {
        /// Where.
        key: String,
        /// As written.
        offset: i16,
        /// Bytes.
        length: u8,
    },
    /// `equals` has bits that the mask or the length takes away.
    #[error("`{key}`: {equals} is never the value of the bits {possible:#x}: correct `equals`, `mask` or `length`")]
    NeverEqual {
        /// Where.
        key: String,
        /// As written.
        equals: u64,
        /// The bits that can be set.
        possible: u64,
    },
    /// More values without a meaning than a sensor has.
    #[error("`{key}`: `invalid` has {count} values: at most 16 are possible, and `min` and `max` say a range")]
    TooManyInvalid {
        /// Where.
        key: String,
        /// Its length.
        count: usize,
    },
    /// A column by name, without a line that has names.
    #[error(
        "`{key}`: column `{column}` has no name without a header line: write `header = true`, or its number from 0"
    )]
    NoHeader {
        /// Where.
        key: String,
        /// As written.
        column: String,
    },
    /// A separator that numbers or quoting need themselves.
    #[error(
        "`separator` cannot be `{separator}` here: use one of , ; | or a tab, and not a comma beside decimal_comma"
    )]
    Separator {
        /// As written.
        separator: char,
    },
}
