//! A key, a set and models simple enough to foresee every answer.

use brink_random::Stream;
use brink_verify::{
    Images, LabelSpace, Layout, Oracle, OracleError, SecretKey, SensitiveSet, labels,
};

pub const MODEL: &str = "resnet18";

pub fn key() -> SecretKey {
    SecretKey::from_hex("000102030405060708090a0b0c0d0e0f").unwrap()
}

/// `n` images of 1 x 2 x 2 pixels.
pub fn images(n: usize, stream: &mut Stream) -> Images {
    let pixels: Vec<f32> = (0..4 * n).map(|_| stream.uniform()).collect();
    Images::new([1, 2, 2], pixels).unwrap()
}

/// A set of `n` images with the labels that `oracle` gives them.
pub fn set_of(
    oracle: &impl Oracle,
    n: usize,
    layout: Layout,
    label_space: LabelSpace,
) -> SensitiveSet {
    let images = images(n, &mut Stream::new(7));
    let head = key().head(MODEL, oracle.classes());
    SensitiveSet {
        labels: labels(oracle, &images, label_space, Some(&head)).unwrap(),
        images,
        layout,
        label_space,
        classes: oracle.classes(),
        model_id: MODEL.to_owned(),
        generator: "test".to_owned(),
        key_check: (label_space == LabelSpace::Head).then(|| key().check(MODEL)),
    }
}

/// A linear model of three classes: the weights of class k are a power of the pixel's position. Grey lies on the boundary of all three.
pub struct Linear;

impl Oracle for Linear {
    fn classes(&self) -> usize {
        3
    }

    fn logits(&self, images: &Images) -> Result<Vec<f32>, OracleError> {
        let image = |i| {
            let pixels = images.image(i);
            let class = |k: i32| {
                let weighted = pixels
                    .iter()
                    .zip(1u8..)
                    .map(|(x, p)| (x - 0.5) * f32::from(p).powi(k));
                weighted.sum::<f32>() * [3.0, -2.0, 0.3][k as usize]
            };
            (0..3).map(class).collect::<Vec<f32>>()
        };
        Ok((0..images.len()).flat_map(image).collect())
    }
}
