//! Dossiers as GeoJSON (RFC 7946): a FeatureCollection of Points. The dossier without its position stands in `properties`,
//! with `datum`. RFC 7946 knows WGS-84 alone; CGCS2000 differs from it by centimetres and is said to be what it is.

use std::path::Path;

use record::Dossier;
use serde_json::{Value, json};

use super::FormError;

/// Reads the text of a file. Without a datum the position is in WGS-84, as RFC 7946 says.
pub(super) fn parse(text: &str, path: &Path) -> Result<Vec<Dossier>, FormError> {
    let wrong = |line: usize, why: String| FormError::Line { path: path.to_owned(), line: line as u64, why };
    let file: Value = serde_json::from_str(text).map_err(|error| wrong(error.line(), error.to_string()))?;
    let features = file["features"].as_array().filter(|_| file["type"] == "FeatureCollection");
    let features = features.ok_or_else(|| wrong(1, "no FeatureCollection with `features` (RFC 7946)".into()))?;
    let read = |(number, feature): (usize, &Value)| {
        dossier(feature).map_err(|why| FormError::Feature {
            path: path.to_owned(),
            number,
            code: feature["properties"]["code"].as_str().unwrap_or("?").chars().take(40).collect(),
            why,
        })
    };
    (1..).zip(features).map(read).collect()
}

fn dossier(feature: &Value) -> Result<Dossier, String> {
    let geometry = &feature["geometry"];
    let point = geometry["coordinates"].as_array().filter(|at| geometry["type"] == "Point" && at.len() >= 2);
    let point = point.ok_or("its geometry is no Point with longitude and latitude")?;
    let mut properties = feature["properties"].clone();
    let object = properties.as_object_mut().ok_or("it has no properties")?;
    let datum = object.remove("datum").unwrap_or_else(|| "WGS-84".into());
    object.insert("position".into(), json!({ "longitude": point[0], "latitude": point[1], "datum": datum }));
    serde_json::from_value(properties).map_err(|error| error.to_string())
}

/// The text of a file.
pub(super) fn text(dossiers: &[Dossier]) -> String {
    let feature = |dossier: &Dossier| {
        let mut properties = serde_json::to_value(dossier).unwrap_or_default();
        if let Some(object) = properties.as_object_mut() {
            object.remove("position");
            object.insert("datum".into(), dossier.position.datum.as_str().into());
        }
        // A decimal's digits are those of a JSON number.
        let degrees = [dossier.position.longitude, dossier.position.latitude];
        let degrees = degrees.map(|of| serde_json::from_str::<Value>(&of.to_string()).unwrap_or_default());
        json!({
            "type": "Feature",
            "id": dossier.code,
            "geometry": { "type": "Point", "coordinates": degrees },
            "properties": properties,
        })
    };
    let features: Vec<Value> = dossiers.iter().map(feature).collect();
    let file = json!({ "type": "FeatureCollection", "features": features });
    serde_json::to_string_pretty(&file).unwrap_or_default() + "\n"
}
