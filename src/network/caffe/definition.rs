//! The text of a definition: read, parsed, brought to today's layer format; and places in it.

use super::error::{DefinitionError, Error, Problem};
use super::fault::{Fault, Section};
use super::layers::{self, KINDS};
use super::schema::{self, LayerParameter, NetParameter};
use super::{legacy, text};
use crate::network::file;
use crate::network::spelling;
use miette::Diagnostic;
use prost_reflect::DynamicMessage;
use prost_reflect::text_format::ParseError;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Largest definition that is read, in bytes; those of the deepest published networks stay below 1 MB.
const MAX_BYTES: u64 = 4 << 20;

/// A definition file.
pub struct Source {
    path: PathBuf,
    text: Arc<str>,
    /// Name of the field that holds the layers.
    layers: &'static str,
}

impl Source {
    /// Reads the definition in the file `path`.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let bytes = file::read(path, MAX_BYTES, "a network definition (prototxt)")?;
        let text = String::from_utf8(bytes.into()).map_err(|error| Error::NotText {
            path: path.to_owned(),
            offset: error.utf8_error().valid_up_to(),
        })?;
        Ok(Self::new(path, &text))
    }

    /// The definition `text` of the file `path`.
    pub fn new(path: &Path, text: &str) -> Self {
        Self { path: path.to_owned(), text: Arc::from(text), layers: "layer" }
    }

    /// The error for `fault` in the layer of index `layer`, or in the network's own fields.
    pub fn error(&self, layer: Option<usize>, fault: Fault) -> Error {
        let path: Vec<_> = layer.map(|index| (self.layers, index)).into_iter().chain(fault.path).collect();
        let span = text::find(&self.text, 0..self.text.len(), &path).unwrap_or(0..0);
        self.error_at(span, fault.problem)
    }

    fn error_at(&self, span: Range<usize>, problem: Problem) -> Error {
        Error::Definition(Box::new(DefinitionError {
            path: self.path.clone(),
            text: Arc::clone(&self.text),
            span,
            problem,
        }))
    }

    /// Parses the text. Afterwards all layers are in today's format, in the field `layer`.
    pub fn parse(&mut self) -> Result<NetParameter, Error> {
        let descriptor = schema::message("caffe.NetParameter").expect("the schema holds this message");
        let message = DynamicMessage::parse_text_format(descriptor, &text::without_comments(&self.text))
            .map_err(|error| self.syntax_error(&error))?;
        let mut net: NetParameter =
            message.transcode_to().expect("descriptor and type were generated from one schema");
        if !net.layers.is_empty() {
            if !net.layer.is_empty() {
                let reason = "found both 'layer' and the older 'layers', expected one of them";
                return Err(self.error(None, Section::network().conflict("layers", reason)));
            }
            self.layers = "layers";
            if let Some(index) = net.layers.iter().position(|layer| layer.layer.is_some()) {
                let reason =
                    "found the layer format of 2013 ('layers { layer { … } }'), expected 'layer { … }'";
                return Err(self.error(Some(index), Section::network().conflict("layer", reason)));
            }
            net.layer = std::mem::take(&mut net.layers).into_iter().map(legacy::upgrade).collect();
        }
        Ok(net)
    }

    fn syntax_error(&self, error: &ParseError) -> Error {
        let end = self.text.len();
        let span = error
            .labels()
            .and_then(|mut labels| labels.next())
            .map_or(end..end, |label| label.offset()..(label.offset() + label.len()).min(end));
        if let Some(error) = self.unsupported_layer_around(&span) {
            return error;
        }
        let message = error.to_string();
        let nearest = nearest_field(&message);
        self.error_at(span, Problem::Syntax { message, nearest })
    }

    /// A field that is not known often belongs to a layer type that is not: then that is the better message.
    fn unsupported_layer_around(&self, span: &Range<usize>) -> Option<Error> {
        if span.is_empty() {
            return None;
        }
        let layer = text::fields(&self.text, 0..self.text.len())
            .into_iter()
            .find(|field| field.value.start <= span.start && span.end <= field.value.end)
            .filter(|field| field.is_message && ["layer", "layers"].contains(&field.name))?;
        let fields = text::fields(&self.text, layer.value);
        let scalar = |name: &str| {
            let field = fields.iter().find(|field| field.name == name && !field.is_message)?;
            Some((field.value.clone(), self.text[field.value.clone()].trim_matches(['"', '\''])))
        };
        let (span, kind) = scalar("type")?;
        let known = KINDS.iter().any(|known| match known.v1 {
            Some(v1) if layer.name == "layers" => v1.as_str_name() == kind,
            _ => known.name == kind,
        });
        let name = scalar("name").map_or("", |(_, name)| name);
        (!known).then(|| self.error_at(span, unsupported_layer(name, kind)))
    }
}

/// The problem that layer `name` is of type `kind`.
pub fn unsupported_layer(name: &str, kind: &str) -> Problem {
    let names = || KINDS.iter().map(|kind| kind.name);
    Problem::UnsupportedLayer {
        layer: name.to_owned(),
        kind: kind.to_owned(),
        nearest: spelling::nearest(kind, names()),
        supported: names().collect::<Vec<_>>().join(", "),
    }
}

/// The known field that is spelt most like the one that the parser's `message` does not find.
fn nearest_field(message: &str) -> Option<String> {
    let mut quoted = message.split('\'').skip(1).step_by(2);
    let (field, owner) = (quoted.next()?, quoted.next()?);
    let descriptor = schema::message(owner)?;
    let names: Vec<_> = descriptor.fields().map(|field| field.name().to_owned()).collect();
    spelling::nearest(field, names.iter().map(String::as_str)).map(str::to_owned)
}

/// The type of `layer`, as its row in the table of supported types.
pub fn kind(layer: &LayerParameter) -> Result<&'static layers::Kind, Fault> {
    if layer.r#type.is_none() {
        return Err(Section::layer(layer).missing("type", "the type of the layer"));
    }
    layers::kind(layer.r#type()).ok_or_else(|| Fault {
        path: vec![("type", 0)],
        problem: unsupported_layer(layer.name(), layer.r#type()),
    })
}
