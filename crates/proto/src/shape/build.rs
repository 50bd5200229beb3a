//! Makes the tables of message shapes from descriptors.

use std::collections::HashMap;

use prost::Message as _;
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorSet,
    field_descriptor_proto::{Label, Type},
};

use super::{Contracts, Field, Kind, MessageShape, Method};

/// Sizes of generated Rust types, in bytes.
const SCALAR: usize = 8;
const OPTIONAL_SCALAR: usize = 16;
const VEC: usize = 24;
const BYTES: usize = 32;
const HASH_MAP: usize = 48;
/// The tag of an `Option` or of an enum, rounded up to the alignment.
const TAG: usize = 8;
/// The smallest hash table beside its entries: control bytes of a group, twice, and alignment.
const HASH_TABLE: usize = 64;

/// Why descriptors cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ShapeError {
    /// The bytes are not descriptors.
    #[error("the descriptors cannot be decoded: {0}")]
    Decode(#[from] prost::DecodeError),
    /// A type is named that no file defines.
    #[error("the type {0:?} is not defined: add its file to the descriptors")]
    Undefined(String),
    /// A message contains itself, so that it has no bounded size.
    #[error("the message {0:?} contains itself: its size cannot be bounded")]
    Recursive(String),
    /// Groups belong to proto2.
    #[error("the field {0:?} is a group: use a message")]
    Group(String),
}

impl Contracts {
    /// Reads encoded `FileDescriptorSet`s. Together they must define every type that they name.
    ///
    /// # Errors
    /// A set cannot be decoded, or a type is missing or not supported.
    pub fn from_descriptors(sets: &[&[u8]]) -> Result<Self, ShapeError> {
        let mut builder = Builder::default();
        let sets = sets
            .iter()
            .map(|set| FileDescriptorSet::decode(*set))
            .collect::<Result<Vec<_>, _>>()?;
        let files = || sets.iter().flat_map(|set| &set.file);
        for file in files() {
            for message in &file.message_type {
                builder.define(&scope(file.package()), message);
            }
        }
        let mut methods = HashMap::new();
        for file in files() {
            for service in &file.service {
                for method in &service.method {
                    let package = scope(file.package());
                    let path = format!("{package}.{}/{}", service.name(), method.name());
                    let shape = Method {
                        input: builder.shape(method.input_type())?,
                        client_streams: method.client_streaming(),
                        server_streams: method.server_streaming(),
                    };
                    methods.insert(format!("/{}", path.trim_start_matches('.')), shape);
                }
            }
        }
        Ok(Self {
            messages: builder.finished,
            methods,
        })
    }
}

/// The prefix of the full names in a package: `.a.b`, or nothing.
fn scope(package: &str) -> String {
    match package {
        "" => String::new(),
        package => format!(".{package}"),
    }
}

#[derive(Default)]
struct Builder<'a> {
    /// By full name, with a leading dot.
    defined: HashMap<String, &'a DescriptorProto>,
    /// Where a type stands among the finished ones; `None` while it is being made.
    positions: HashMap<String, Option<usize>>,
    finished: Vec<MessageShape>,
}

impl<'a> Builder<'a> {
    fn define(&mut self, scope: &str, message: &'a DescriptorProto) {
        let name = format!("{scope}.{}", message.name());
        for nested in &message.nested_type {
            self.define(&name, nested);
        }
        self.defined.insert(name, message);
    }

    /// The position of a message type, which is made if it is new.
    fn shape(&mut self, name: &str) -> Result<usize, ShapeError> {
        match self.positions.get(name) {
            Some(Some(position)) => return Ok(*position),
            Some(None) => return Err(ShapeError::Recursive(name.to_owned())),
            None => {}
        }
        let message = *self
            .defined
            .get(name)
            .ok_or_else(|| ShapeError::Undefined(name.to_owned()))?;
        self.positions.insert(name.to_owned(), None);
        let shape = self.message(message)?;
        self.finished.push(shape);
        let position = self.finished.len() - 1;
        self.positions.insert(name.to_owned(), Some(position));
        Ok(position)
    }

    fn message(&mut self, message: &DescriptorProto) -> Result<MessageShape, ShapeError> {
        let last = message.field.iter().map(FieldDescriptorProto::number).max();
        let fields = usize::try_from(last.unwrap_or(0)).unwrap_or(0) + 1;
        let mut shape = MessageShape {
            size: 0,
            fields: vec![unknown(); fields],
        };
        // One of its variants is there at a time, so the largest counts.
        let mut choices = vec![0; message.oneof_decl.len()];
        for descriptor in &message.field {
            let (field, size) = self.field(descriptor)?;
            let choice = descriptor
                .oneof_index
                .filter(|_| !descriptor.proto3_optional());
            match choice.and_then(|index| choices.get_mut(usize::try_from(index).ok()?)) {
                Some(choice) => *choice = size.max(*choice),
                None => shape.size += size,
            }
            if let Some(place) = shape.fields.get_mut(number(descriptor)) {
                *place = field;
            }
        }
        let largest = choices.iter().filter(|&&size| size > 0);
        shape.size += largest.map(|size| size + TAG).sum::<usize>();
        Ok(shape)
    }

    /// A field and the bytes that it takes in the struct of its message.
    fn field(&mut self, descriptor: &FieldDescriptorProto) -> Result<(Field, usize), ShapeError> {
        let mut kind = match descriptor.r#type() {
            Type::Double | Type::Fixed64 | Type::Sfixed64 => Kind::Fixed64,
            Type::Float | Type::Fixed32 | Type::Sfixed32 => Kind::Fixed32,
            Type::String => Kind::String,
            Type::Bytes => Kind::Bytes,
            Type::Group => return Err(ShapeError::Group(descriptor.name().to_owned())),
            Type::Message => Kind::Message(self.shape(descriptor.type_name())?),
            _ => Kind::Varint,
        };
        let repeated = descriptor.label() == Label::Repeated;
        let element = match kind {
            Kind::Message(position) => self.finished[position].size,
            Kind::String => VEC,
            Kind::Bytes => BYTES,
            _ if !repeated => SCALAR,
            _ => scalar_size(descriptor.r#type()),
        };
        let is_map = self.is_map(descriptor.type_name());
        if let (Kind::Message(entry), true, true) = (kind, repeated, is_map) {
            kind = Kind::Map(entry);
        }
        let (first, each, size) = match kind {
            // A table is at most 7/8 full, has a power of two of places, and doubles.
            Kind::Map(_) => (HASH_TABLE, 4 * (element + 1), HASH_MAP),
            // A vector begins with room for 4 elements, or for 8 bytes.
            _ if repeated => (element.max(5), 3 * element, VEC),
            Kind::Message(_) => (0, 0, element + TAG),
            Kind::String | Kind::Bytes => (0, 0, element),
            _ if descriptor.proto3_optional() => (0, 0, OPTIONAL_SCALAR),
            _ => (0, 0, element),
        };
        let field = Field {
            name: descriptor.name().into(),
            kind,
            repeated,
            element: each,
            first,
        };
        Ok((field, size))
    }

    fn is_map(&self, name: &str) -> bool {
        let message = self.defined.get(name);
        let options = message.and_then(|message| message.options.as_ref());
        options.is_some_and(|options| options.map_entry())
    }
}

fn unknown() -> Field {
    Field {
        name: Box::default(),
        kind: Kind::Unknown,
        repeated: false,
        element: 0,
        first: 0,
    }
}

fn number(descriptor: &FieldDescriptorProto) -> usize {
    usize::try_from(descriptor.number()).unwrap_or(0)
}

/// The size of an element of a vector of scalars.
fn scalar_size(scalar: Type) -> usize {
    match scalar {
        Type::Bool => 1,
        Type::Double
        | Type::Fixed64
        | Type::Sfixed64
        | Type::Int64
        | Type::Uint64
        | Type::Sint64 => 8,
        _ => 4,
    }
}
