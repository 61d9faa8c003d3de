//! How the ledger's values look as JSON, and how they are read back. Ids and roots are hexadecimal, amounts are decimal
//! strings (JavaScript cannot count them), counts and heights are numbers. Never decides anything.

mod events;
mod records;

pub use events::event;

use cairn_types::{
    AccountId, AccountNumber, BasisPoints, CellId, ChainId, Credit, DeviceId, DeviceNumber, EpochNumber, Hash,
    MicroUsd, NetworkId, NetworkNumber, OrderId, Price, PublicKey, ReportId, TimeMs, Token, ValidatorKey,
};
use serde_json::{Map, Value};

/// A value that has a JSON form.
pub trait Face {
    fn face(&self) -> Value;
}

/// A value that can be read from its JSON form.
pub trait FromFace: Sized {
    fn from_face(value: &Value) -> Result<Self, FaceError>;
}

/// JSON that is not the value it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaceError {
    #[error("{0} expected")]
    Expected(&'static str),
    #[error("field {0} is missing")]
    Missing(&'static str),
    #[error("field {0} is unknown")]
    Unknown(String),
    #[error("{0}: {1}")]
    In(String, Box<FaceError>),
}

impl FaceError {
    pub fn within(self, place: impl Into<String>) -> Self {
        Self::In(place.into(), Box::new(self))
    }
}

/// An object of named faces.
pub fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Object(
        fields
            .map(|(name, value)| (name.to_owned(), value))
            .into_iter()
            .collect(),
    )
}

/// `value` with more fields; it must be an object.
pub fn with<const N: usize>(mut value: Value, fields: [(&str, Value); N]) -> Value {
    let object = value.as_object_mut().expect("only objects get more fields");
    object.extend(fields.map(|(name, value)| (name.to_owned(), value)));
    value
}

/// The fields of an object, each taken once.
pub struct Fields<'a> {
    object: &'a Map<String, Value>,
    taken: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    pub fn of(value: &'a Value) -> Result<Self, FaceError> {
        let object = value.as_object().ok_or(FaceError::Expected("an object"))?;
        let taken = Vec::new();
        Ok(Self { object, taken })
    }

    pub fn take<T: FromFace>(&mut self, name: &'static str) -> Result<T, FaceError> {
        self.taken.push(name);
        let value = self.object.get(name).ok_or(FaceError::Missing(name))?;
        T::from_face(value).map_err(|error| error.within(name))
    }

    /// Refuses fields that nobody took: they would be misspelt, or meant for another version.
    pub fn end(self) -> Result<(), FaceError> {
        match self.object.keys().find(|name| !self.taken.contains(&name.as_str())) {
            Some(name) => Err(FaceError::Unknown(name.clone())),
            None => Ok(()),
        }
    }
}

/// Adds the JSON form of a struct: an object of its fields under their own names. A field left out does not compile.
macro_rules! struct_faces {
    ($($name:path { $($field:ident),+ $(,)? })+) => {$(
        impl $crate::faces::Face for $name {
            fn face(&self) -> serde_json::Value {
                let Self { $($field),+ } = self;
                $crate::faces::object([$((stringify!($field), $crate::faces::Face::face($field))),+])
            }
        }
    )+};
}

/// Adds reading as well.
macro_rules! struct_faces_both_ways {
    ($($name:path { $($field:ident),+ $(,)? })+) => {$(
        $crate::faces::struct_faces!($name { $($field),+ });
        impl $crate::faces::FromFace for $name {
            fn from_face(value: &serde_json::Value) -> Result<Self, $crate::faces::FaceError> {
                let mut fields = $crate::faces::Fields::of(value)?;
                $(let $field = fields.take(stringify!($field))?;)+
                fields.end()?;
                Ok(Self { $($field),+ })
            }
        }
    )+};
}
pub(crate) use {struct_faces, struct_faces_both_ways};

/// Written and read as text.
macro_rules! text_faces {
    ($($name:ty: $expected:literal),+ $(,)?) => {$(
        impl Face for $name {
            fn face(&self) -> Value {
                Value::String(self.to_string())
            }
        }
        impl FromFace for $name {
            fn from_face(value: &Value) -> Result<Self, FaceError> {
                let text = value.as_str().ok_or(FaceError::Expected($expected))?;
                text.parse().map_err(|_| FaceError::Expected($expected))
            }
        }
    )+};
}
text_faces!(
    AccountId: "64 hexadecimal digits",
    DeviceId: "64 hexadecimal digits",
    NetworkId: "64 hexadecimal digits",
    OrderId: "64 hexadecimal digits",
    ReportId: "64 hexadecimal digits",
    Hash: "64 hexadecimal digits",
    CellId: "an H3 cell",
    ChainId: "a chain id of a-z, 0-9 and -",
    PublicKey: "a key, ed25519:HEX, p256:HEX or passkey:HEX",
    TimeMs: "a time, 2017-07-15T00:00:00Z",
    String: "text",
);

/// As a key that people compare: with its kind.
impl Face for ValidatorKey {
    fn face(&self) -> Value {
        PublicKey::Ed25519(self.0).face()
    }
}

impl FromFace for ValidatorKey {
    fn from_face(value: &Value) -> Result<Self, FaceError> {
        match PublicKey::from_face(value) {
            Ok(PublicKey::Ed25519(key)) => Ok(Self(key)),
            _ => Err(FaceError::Expected("a key, ed25519:HEX")),
        }
    }
}

/// Amounts: decimal strings; a number is read as well.
macro_rules! amount_faces {
    ($($name:ident),+) => {$(
        impl Face for $name {
            fn face(&self) -> Value {
                Value::String(self.0.to_string())
            }
        }
        impl FromFace for $name {
            fn from_face(value: &Value) -> Result<Self, FaceError> {
                let text = value.as_str().and_then(|text| text.parse().ok());
                let amount = text.or_else(|| value.as_u64());
                amount.map($name).ok_or(FaceError::Expected("an amount in decimal digits"))
            }
        }
    )+};
}
amount_faces!(Token, MicroUsd, Credit, Price);

macro_rules! number_faces {
    ($($name:ty),+) => {$(
        impl Face for $name {
            fn face(&self) -> Value {
                Value::from(*self)
            }
        }
        impl FromFace for $name {
            fn from_face(value: &Value) -> Result<Self, FaceError> {
                let number = value.as_u64().and_then(|number| number.try_into().ok());
                number.ok_or(FaceError::Expected("a whole number in range"))
            }
        }
    )+};
}
number_faces!(u8, u16, u32, u64);

macro_rules! wrapped_faces {
    ($($name:ident),+) => {$(
        impl Face for $name {
            fn face(&self) -> Value {
                Value::from(self.0)
            }
        }
        impl FromFace for $name {
            fn from_face(value: &Value) -> Result<Self, FaceError> {
                FromFace::from_face(value).map($name)
            }
        }
    )+};
}
wrapped_faces!(AccountNumber, DeviceNumber, NetworkNumber, EpochNumber);

impl Face for BasisPoints {
    fn face(&self) -> Value {
        Value::from(self.get())
    }
}

impl FromFace for BasisPoints {
    fn from_face(value: &Value) -> Result<Self, FaceError> {
        let points = u16::from_face(value).ok().and_then(Self::new);
        points.ok_or(FaceError::Expected("basis points, 0 to 10,000"))
    }
}

impl Face for bool {
    fn face(&self) -> Value {
        Value::from(*self)
    }
}

impl<T: Face> Face for Option<T> {
    fn face(&self) -> Value {
        self.as_ref().map_or(Value::Null, Face::face)
    }
}

impl<T: Face> Face for Vec<T> {
    fn face(&self) -> Value {
        self.iter().map(Face::face).collect()
    }
}

impl<T: FromFace> FromFace for Vec<T> {
    fn from_face(value: &Value) -> Result<Self, FaceError> {
        let items = value.as_array().ok_or(FaceError::Expected("a list"))?;
        let read = |(at, item)| T::from_face(item).map_err(|error| error.within(format!("[{at}]")));
        items.iter().enumerate().map(read).collect()
    }
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: impl AsRef<[u8]>) -> Value {
    Value::String(hex::encode(bytes))
}
