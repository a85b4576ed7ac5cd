//! What each kind of server is sent, and how its answers are read.

mod common;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use brink_endpoint::{Expected, Http, Protocol, Settings};
use common::{Reply, Running, images, png, quick, scores};
use serde_json::{Value, json};

fn two_classes() -> Expected {
    Expected {
        classes: Some(2),
        ..Expected::default()
    }
}

/// The scores for two images from a server that answers with `json`, and the last request.
fn asked(protocol: &Protocol, settings: Settings, answer: Value) -> (Vec<f32>, common::Got) {
    let server = Running::new(move |_, _| Reply::json(&answer));
    let scores = scores(&server.url(), protocol, settings, two_classes(), 2).unwrap();
    (scores, server.got().pop().unwrap())
}

fn kserve() -> Protocol {
    Protocol::KServe {
        input: "pixels".to_owned(),
    }
}

fn custom(template: &str, answer: &str) -> Protocol {
    Protocol::Custom {
        template: template.to_owned(),
        answer: answer.to_owned(),
    }
}

/// Pixels of an image as a server decodes them.
fn decoded(file: &[u8]) -> Vec<f32> {
    let image = image::load_from_memory(file).unwrap().into_rgb8();
    let channels = (0..3).flat_map(|c| image.pixels().map(move |pixel| pixel[c]));
    channels.map(|level| f32::from(level) / 255.0).collect()
}

#[test]
fn kserve_sends_tensors_and_reads_tensors() {
    let answer = json!({"outputs": [
        {"name": "scores", "shape": [2, 2], "datatype": "FP32", "data": [1.5, 2.0, -1.0, 0.25]}
    ]});
    let (scores, got) = asked(&kserve(), quick(), answer);
    assert_eq!(scores, [1.5, 2.0, -1.0, 0.25]);
    let input = &got.json()["inputs"][0];
    assert_eq!(input["name"], "pixels");
    assert_eq!(input["shape"], json!([2, 3, 2, 1]));
    let data: Vec<f32> = serde_json::from_value(input["data"].clone()).unwrap();
    assert_eq!(data, images(2).data(), "every bit arrives");
    let nested =
        json!({"outputs": [{"shape": [2, 2], "datatype": "FP32", "data": [[2, 0], [0, 1]]}]});
    assert_eq!(asked(&kserve(), quick(), nested).0, [2.0, 0.0, 0.0, 1.0]);
}

#[test]
fn kserve_may_answer_with_labels_only() {
    for answer in [
        json!({"shape": [2], "datatype": "INT64", "data": [1, 0]}),
        json!({"shape": [2, 1], "datatype": "INT32", "data": [1, 0]}),
    ] {
        let (scores, _) = asked(&kserve(), quick(), json!({"outputs": [answer]}));
        assert_eq!(scores, [0.0, 1.0, 1.0, 0.0]);
    }
}

#[test]
fn images_travel_as_png_where_json_is_the_envelope() {
    let answers = [
        (
            kserve(),
            "/inputs/0/data/1",
            json!({"outputs": [{"shape": [2], "datatype": "INT64", "data": [1, 0]}]}),
        ),
        (
            Protocol::TensorFlow,
            "/instances/1/b64",
            json!({"predictions": [1, 0]}),
        ),
        (
            Protocol::MlFlow,
            "/inputs/1",
            json!({"predictions": [1, 0]}),
        ),
    ];
    for (protocol, at, answer) in answers {
        let (scores, got) = asked(&protocol, png(), answer);
        assert_eq!(scores, [0.0, 1.0, 1.0, 0.0], "{at}");
        let json = got.json();
        let text = json.pointer(at).and_then(Value::as_str).unwrap();
        let file = STANDARD.decode(text).unwrap();
        assert_eq!(decoded(&file), images(2).image(1), "{at}");
    }
}

#[test]
fn tensorflow_takes_channels_last() {
    let settings = Settings {
        encoding: brink_endpoint::Encoding::ChannelsLast,
        ..quick()
    };
    let answer = json!({"predictions": [[0.25, 0.75], [1, 0]]});
    let (scores, got) = asked(&Protocol::TensorFlow, settings, answer);
    assert!((scores[1] - scores[0] - 3f32.ln()).abs() < 1e-6);
    let instances = &got.json()["instances"];
    let [red, green] = [0, 2].map(|at| f64::from(images(2).image(1)[at]));
    assert_eq!(instances[1][0][0][0], json!(red));
    assert_eq!(instances[1][0][0][1], json!(green));
}

#[test]
fn torchserve_and_hugging_face_get_one_image_a_request() {
    let answer = json!({"tabby": 0.25, "tiger": 0.75});
    let (scores, got) = asked(&Protocol::TorchServe, png(), answer);
    // The first name that appears is label 0.
    assert_eq!(scores, [1.0, 0.0, 1.0, 0.0]);
    assert_eq!(got.header("content-type"), Some("image/png"));
    assert_eq!(decoded(&got.body), images(2).image(1));

    let answer = json!([{"label": "tabby", "score": 0.25}, {"label": "tiger", "score": 0.75}]);
    let (scores, got) = asked(&Protocol::HuggingFace, png(), answer);
    assert_eq!(scores, [1.0, 0.0, 1.0, 0.0]);
    assert_eq!(got.json()["parameters"]["top_k"], 1);
    let error = common::scores(
        "http://localhost:1",
        &Protocol::HuggingFace,
        quick(),
        two_classes(),
        1,
    );
    assert!(error.unwrap_err().contains("png only"));
}

#[test]
fn a_template_and_a_pointer_reach_any_server() {
    let template = r#"{"model": "mine", "input": {"batch": "$images"}}"#;
    let protocol = custom(template, "/result/scores");
    let answer = json!({"result": {"scores": [[3, 1], [0, 1]]}});
    let (scores, got) = asked(&protocol, quick(), answer);
    assert_eq!(scores, [3.0, 1.0, 0.0, 1.0]);
    let json = got.json();
    assert_eq!(json["model"], "mine");
    assert_eq!(json["input"]["batch"].as_array().map(Vec::len), Some(2));

    let protocol = custom(r#"["$image"]"#, "");
    let (scores, got) = asked(&protocol, png(), json!([3, 1]));
    assert_eq!(scores, [3.0, 1.0, 3.0, 1.0]);
    assert!(got.json()[0].is_string());
}

#[test]
fn templates_that_cannot_work_are_refused() {
    for (template, answers, said) in [
        ("{", "/a", "not JSON"),
        ("{}", "/a", "\"$images\" once"),
        (r#"["$image", "$images"]"#, "/a", "\"$images\" once"),
        (r#"["$images"]"#, "a", "begin it with `/`"),
    ] {
        let http = Http::new("http://localhost", &custom(template, answers), quick());
        let error = http.err().unwrap().to_string();
        assert!(error.contains(said), "{error}");
    }
}
