//! Words of which one is to be chosen: each with its number, its stable token, its English and its Chinese name.

/// An enum of terms. The numbers are the journal's and the wire's; they never change their meaning. The token is what stands
/// in files; `alias` is another spelling that is read.
macro_rules! terms {
    ($(#[$doc:meta])* $name:ident {
        $($number:literal $variant:ident $token:literal $english:literal $chinese:literal $(alias $alias:literal)?),* $(,)?
    }) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
            minicbor::Encode, minicbor::Decode, serde::Serialize, serde::Deserialize,
        )]
        #[cbor(index_only)]
        pub enum $name {
            $(
                #[doc = concat!($english, ", ", $chinese, ".")]
                #[n($number)]
                #[serde(rename = $token, alias = $chinese $(, alias = $alias)?)]
                $variant,
            )*
        }

        impl $name {
            /// Every one, in the order of their numbers.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            /// The stable token.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $token),* }
            }

            /// In English.
            pub fn english(self) -> &'static str {
                match self { $($name::$variant => $english),* }
            }

            /// In Chinese, as the standards and the notice name it.
            pub fn chinese(self) -> &'static str {
                match self { $($name::$variant => $chinese),* }
            }
        }
    };
}

pub(crate) use terms;
