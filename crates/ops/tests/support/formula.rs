//! Numbers out of a name, as `scripts/golden/formula.py` makes them: f32, one rounding after each operation.

/// The 64-bit FNV-1a hash.
pub fn fnv1a64(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The words of the tensor called `name`, one an element.
pub fn words(name: &str) -> impl Iterator<Item = u64> + use<> {
    let seed = fnv1a64(name);
    (0..).map(move |i| {
        let z = seed.wrapping_add(i).wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

/// `u` in `[0, 1)`.
pub fn unit(name: &str, n: usize) -> Vec<f32> {
    let step = 1.0 / (1u32 << 24) as f32;
    words(name)
        .take(n)
        .map(|word| (word >> 40) as f32 * step)
        .collect()
}

/// `v` in `[-1, 1)`: the kind called plain.
pub fn plain(name: &str, n: usize) -> Vec<f32> {
    unit(name, n).into_iter().map(|u| 2.0 * u - 1.0).collect()
}

/// `centre + scale * v`.
pub fn around(centre: f32, scale: f32, name: &str, n: usize) -> Vec<f32> {
    plain(name, n)
        .into_iter()
        .map(|v| centre + scale * v)
        .collect()
}

/// The network tensor of this name and shape; its kind follows from both.
pub fn parameter(name: &str, shape: &[usize]) -> Vec<f32> {
    let n = shape.iter().product();
    match name.rsplit('.').next() {
        Some("running_var") => around(1.0, 0.5, name, n),
        Some("running_mean" | "bias" | "position") => around(0.0, 0.1, name, n),
        // The last of a bottleneck is small, lest fifty residual sums double the variance fifty times.
        Some("weight") if name.ends_with(".bn3.weight") => around(0.2, 0.1, name, n),
        Some("weight") if shape.len() == 1 => around(1.0, 0.2, name, n),
        Some("weight") => {
            let fan_in: usize = shape[1..].iter().product();
            around(0.0, (6.0 / fan_in as f64).sqrt() as f32, name, n)
        }
        _ => panic!("{name}: no formula for this kind of tensor"),
    }
}

/// Images in `[0, 1)`.
pub fn images(shape: &[usize]) -> Vec<f32> {
    unit("images", shape.iter().product())
}

/// Labels of the first `n` images.
pub fn labels(n: usize, classes: usize) -> Vec<u32> {
    (0..n).map(|i| ((7 * i + 3) % classes) as u32).collect()
}

/// Places of the sample of a tensor with `len` elements.
pub fn places(name: &str, len: usize) -> Vec<usize> {
    const SAMPLES: usize = 64;
    if len <= SAMPLES {
        return (0..len).collect();
    }
    let words = words(&format!("sample/{name}"));
    words
        .take(SAMPLES)
        .map(|word| (word % len as u64) as usize)
        .collect()
}

/// The sample of the tensor called `name`.
pub fn sample(name: &str, values: &[f64]) -> Vec<f64> {
    places(name, values.len())
        .into_iter()
        .map(|at| values[at])
        .collect()
}

/// Sum and sum of squares.
pub fn moments(values: &[f64]) -> [f64; 2] {
    [values.iter().sum(), values.iter().map(|x| x * x).sum()]
}
