//! Documents in canonical extended JSON (MongoDB's Extended JSON v2), from their bytes.
//!
//! The conversion of the `bson` crate goes through a map that sorts the fields, but the order of the fields is a part of a document.

use base64::{Engine, engine::general_purpose::STANDARD};
use mongodb::bson::{RawArray, RawBsonRef, RawDocument};
use serde_json::json;

use crate::{error::Error, provisioning::step::StepError};

/// Appends a document, without a line feed.
pub(super) fn write(out: &mut Vec<u8>, document: &RawDocument) -> Result<(), StepError> {
    out.push(b'{');
    for (number, element) in document.iter().enumerate() {
        let (key, value) = element.map_err(Error::internal)?;
        if number > 0 {
            out.push(b',');
        }
        text(out, key.as_str())?;
        out.push(b':');
        write_value(out, value)?;
    }
    out.push(b'}');
    Ok(())
}

fn write_array(out: &mut Vec<u8>, array: &RawArray) -> Result<(), StepError> {
    out.push(b'[');
    for (number, value) in array.into_iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        write_value(out, value.map_err(Error::internal)?)?;
    }
    out.push(b']');
    Ok(())
}

fn write_value(out: &mut Vec<u8>, value: RawBsonRef<'_>) -> Result<(), StepError> {
    match value {
        RawBsonRef::String(value) => text(out, value)?,
        RawBsonRef::Document(value) => write(out, value)?,
        RawBsonRef::Array(value) => write_array(out, value)?,
        RawBsonRef::Boolean(true) => out.extend_from_slice(b"true"),
        RawBsonRef::Boolean(false) => out.extend_from_slice(b"false"),
        RawBsonRef::Null => out.extend_from_slice(b"null"),
        RawBsonRef::ObjectId(id) => plain(out, "$oid", &id.to_hex()),
        RawBsonRef::Int32(number) => plain(out, "$numberInt", &number.to_string()),
        RawBsonRef::Int64(number) => plain(out, "$numberLong", &number.to_string()),
        RawBsonRef::Double(number) => plain(out, "$numberDouble", &double(number)),
        RawBsonRef::Decimal128(number) => plain(out, "$numberDecimal", &number.to_string()),
        RawBsonRef::DateTime(at) => {
            out.extend_from_slice(b"{\"$date\":");
            plain(out, "$numberLong", &at.timestamp_millis().to_string());
            out.push(b'}');
        }
        RawBsonRef::JavaScriptCodeWithScope(code) => {
            out.extend_from_slice(b"{\"$code\":");
            text(out, code.code)?;
            out.extend_from_slice(b",\"$scope\":");
            write(out, code.scope)?;
            out.push(b'}');
        }
        RawBsonRef::Binary(binary) => {
            let subtype = format!("{:02x}", u8::from(binary.subtype));
            append(out, &json!({ "$binary": { "base64": STANDARD.encode(binary.bytes), "subType": subtype } }))?;
        }
        RawBsonRef::RegularExpression(regex) => {
            let (pattern, options) = (regex.pattern.as_str(), regex.options.as_str());
            append(out, &json!({ "$regularExpression": { "pattern": pattern, "options": options } }))?;
        }
        RawBsonRef::Timestamp(at) => append(out, &json!({ "$timestamp": { "t": at.time, "i": at.increment } }))?,
        RawBsonRef::JavaScriptCode(code) => append(out, &json!({ "$code": code }))?,
        RawBsonRef::Symbol(symbol) => append(out, &json!({ "$symbol": symbol }))?,
        RawBsonRef::Undefined => append(out, &json!({ "$undefined": true }))?,
        RawBsonRef::MinKey => append(out, &json!({ "$minKey": 1 }))?,
        RawBsonRef::MaxKey => append(out, &json!({ "$maxKey": 1 }))?,
        // Deprecated since 2009. Its parts are private, and its own conversion is the right one.
        RawBsonRef::DbPointer(_) => append(out, &value)?,
    }
    Ok(())
}

/// An object with one text that needs no escapes.
fn plain(out: &mut Vec<u8>, key: &str, value: &str) {
    for part in ["{\"", key, "\":\"", value, "\"}"] {
        out.extend_from_slice(part.as_bytes());
    }
}

fn text(out: &mut Vec<u8>, value: &str) -> Result<(), StepError> {
    append(out, value)
}

fn append(out: &mut Vec<u8>, value: &(impl serde::Serialize + ?Sized)) -> Result<(), StepError> {
    Ok(serde_json::to_writer(out, value).map_err(Error::internal)?)
}

fn double(number: f64) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        // The shortest text from which the same number is read, with a point or an exponent.
        format!("{number:?}")
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::{
        Binary, Bson, DateTime, Decimal128, Document, JavaScriptCodeWithScope, RawDocumentBuf, Regex, Timestamp, doc,
        oid::ObjectId, spec::BinarySubtype,
    };

    use super::*;

    fn written(document: &Document) -> String {
        let mut out = Vec::new();
        write(&mut out, &RawDocumentBuf::try_from(document).unwrap()).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn all_types() -> Document {
        doc! {
            "_id": ObjectId::from_bytes([7; 12]),
            "z": "quote \" line \n umlaut ä nul \u{1}", "a": 1_i32, "long": i64::MIN,
            "doubles": [0.0, -0.0, 1.0, 0.1, 1e300, 5e-324, f64::INFINITY, f64::NEG_INFINITY],
            "bool": [true, false], "null": Bson::Null,
            "at": DateTime::from_millis(-1), "decimal": "1.05E+3".parse::<Decimal128>().unwrap(),
            "binary": Binary { subtype: BinarySubtype::Uuid, bytes: vec![255; 16] },
            "regex": Bson::RegularExpression(Regex {
                pattern: "^a\"".to_owned().try_into().unwrap(), options: "i".to_owned().try_into().unwrap()
            }),
            "timestamp": Timestamp { time: u32::MAX, increment: 1 },
            "code": Bson::JavaScriptCode("f()".to_owned()),
            "scope": JavaScriptCodeWithScope { code: "g()".to_owned(), scope: doc! { "y": 1, "x": 2 } },
            "symbol": Bson::Symbol("s".to_owned()), "undefined": Bson::Undefined,
            "min": Bson::MinKey, "max": Bson::MaxKey,
            "nested": { "b": [{ "d": 1_i64, "c": [] }], "a": {} },
        }
    }

    #[test]
    fn what_is_written_is_read_as_the_same_document_with_its_fields_in_order() {
        let document = all_types();
        let read: Document = serde_json::from_str(&written(&document)).unwrap();
        assert_eq!(read, document);
        assert_eq!(read.keys().collect::<Vec<_>>(), document.keys().collect::<Vec<_>>());
        let nan: Document = serde_json::from_str(&written(&doc! { "n": f64::NAN })).unwrap();
        assert!(nan.get_f64("n").unwrap().is_nan());
    }

    #[test]
    fn numbers_keep_their_types() {
        let text = written(&doc! { "b": 1_i32, "a": 1_i64, "c": 1.0 });
        assert_eq!(text, r#"{"b":{"$numberInt":"1"},"a":{"$numberLong":"1"},"c":{"$numberDouble":"1.0"}}"#);
    }
}
