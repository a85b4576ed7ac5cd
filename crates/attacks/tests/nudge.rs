//! Local changes: exactly the part that was asked for, by the size that was asked for.

mod common;

use brink_attacks::{Attack, Layer, Nudge, Part};
use brink_config::checked::Positive;
use common::{OWNER, modified, victim};

/// The tensors that a change touches, with the positions of their changed elements.
fn touched(nudge: &Nudge) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let after = modified(nudge, victim()).weights;
    let values = |tensor: &candle_core::Tensor| -> Vec<f32> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    };
    let tensors = OWNER.weights.tensors().iter();
    tensors
        .filter_map(|(name, old)| {
            let (old, new) = (values(old), values(&after.tensors()[name]));
            let changed: Vec<usize> = (0..old.len()).filter(|&i| old[i] != new[i]).collect();
            let ratios = changed.iter().map(|&i| new[i] / old[i]).collect();
            (!changed.is_empty()).then(|| (name.clone(), changed, ratios))
        })
        .collect()
}

#[test]
fn one_weight_by_one_unit_in_the_last_place() {
    let found = touched(&Nudge::default());
    assert_eq!(found.len(), 1);
    let (name, places, ratios) = &found[0];
    assert!(name.ends_with("weight") && places.len() == 1, "{found:?}");
    assert!((ratios[0] - 1.0).abs() < 2e-7, "{ratios:?}");
}

#[test]
fn each_part_of_the_first_and_the_last_layer() {
    let share = Some(Positive::literal(0.25));
    for (layer, weight, bias, filter) in [
        (Layer::First, "conv1.weight", "bn1.bias", 27),
        (Layer::Last, "linear.weight", "linear.bias", 64),
    ] {
        let nudge = |part| touched(&Nudge { part, layer, share });
        let one = nudge(Part::Weight);
        assert_eq!(
            (one.len(), one[0].0.as_str(), one[0].1.len()),
            (1, weight, 1)
        );
        assert!((one[0].2[0] - 1.0).abs() - 0.25 < 1e-6, "{one:?}");
        let one = nudge(Part::Bias);
        assert_eq!((one[0].0.as_str(), one[0].1.len()), (bias, 1));
        let filters = nudge(Part::Filter);
        let places = &filters[0].1;
        assert_eq!((filters[0].0.as_str(), places.len()), (weight, filter));
        assert_eq!(
            places[places.len() - 1] - places[0] + 1,
            filter,
            "one channel"
        );
        let all = nudge(Part::Layer);
        assert_eq!(all[0].0, weight);
        let count = OWNER.weights.tensors()[weight].elem_count();
        assert!(all[0].1.len() > count * 9 / 10);
    }
}

#[test]
fn the_network_changes_in_all_layers_by_the_same_share() {
    let network = |layer| Nudge {
        part: Part::Network,
        layer,
        share: Some(Positive::literal(0.01)),
    };
    let found = touched(&network(Layer::Any));
    let layers = OWNER.weights.tensors().values();
    assert_eq!(found.len(), layers.filter(|it| it.rank() > 1).count());
    assert!(found.iter().all(|(name, ..)| name.ends_with("weight")));
    let after = modified(&network(Layer::Any), victim()).weights;
    for (name, ..) in &found {
        let (old, new) = (&OWNER.weights.tensors()[name], &after.tensors()[name]);
        let norm = |tensor: &candle_core::Tensor| {
            let squares = tensor.sqr().unwrap().sum_all().unwrap();
            squares.to_scalar::<f32>().unwrap().sqrt()
        };
        let share = norm(&(new - old).unwrap()) / norm(old);
        assert!((share - 0.01).abs() < 1e-4, "{name}: {share}");
    }
    let refused = network(Layer::First)
        .fits(100, [3, 32, 32], 10)
        .unwrap_err();
    assert!(
        refused.to_string().contains("leave out `layer`"),
        "{refused}"
    );
}
