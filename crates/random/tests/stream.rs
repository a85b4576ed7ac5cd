//! Known answers of the random streams. A change of any of them changes every experiment.
//!
//! Python gave the same bits for the first floats: `math.log` and `math.cos` in f64 of the same words, rounded to f32.

use brink_random::Stream;
use proptest::prelude::*;

fn stream() -> Stream {
    Stream::new(2024)
}

fn draw<T>(n: usize, mut next: impl FnMut(&mut Stream) -> T) -> Vec<T> {
    let mut stream = stream();
    (0..n).map(|_| next(&mut stream)).collect()
}

#[test]
fn key_zero_gives_the_published_chacha20_keystream() {
    // First 16 bytes: 76 b8 e0 ad a0 f1 3d 90 40 5d 6a e5 53 86 bd 28.
    let mut stream = Stream::from_key([0; 32]);
    let words: Vec<u32> = (0..4).map(|_| stream.next_u32()).collect();
    assert_eq!(words, [0xade0b876, 0x903df1a0, 0xe56a5d40, 0x28bd8653]);
}

#[test]
fn words_are_known() {
    let words = [0x2f17d2b5, 0xdeb1783d, 0xd57912c1, 0x8b32aa1e];
    assert_eq!(draw(4, Stream::next_u32), words);
    assert_eq!(
        draw(2, Stream::next_u64),
        [0xdeb1783d_2f17d2b5, 0x8b32aa1e_d57912c1]
    );
}

#[test]
fn floats_are_known_to_the_bit() {
    let uniform = [0x3e3c5f48, 0x3f5eb178, 0x3f557912, 0x3f0b32aa].map(f32::from_bits);
    assert_eq!(draw(4, Stream::uniform), uniform);
    let normal = [0x3fa11fac, 0xbf1484b5, 0xbf0c2c9c, 0x3faafb6b].map(f32::from_bits);
    assert_eq!(draw(4, Stream::normal), normal);
}

#[test]
fn a_million_normals_are_known_to_the_bit() {
    // Covers the whole range of the logarithm and the cosine: an update of `libm` must not change a single bit.
    let mut hash = blake3::Hasher::new();
    for z in draw(1_000_000, Stream::normal) {
        hash.update(&z.to_bits().to_le_bytes());
    }
    let known = "a7991927afc9300f7e216bd7f0c87a041c1a8b05506970885a8d6d77445eb75c";
    assert_eq!(hash.finalize().to_hex().as_str(), known);
}

#[test]
fn whole_numbers_and_orders_are_known() {
    assert_eq!(draw(10, |s| s.below(10)), [8, 5, 4, 0, 5, 2, 5, 3, 4, 6]);
    assert_eq!(stream().permutation(10), [9, 5, 6, 2, 1, 7, 0, 3, 4, 8]);
    assert_eq!(stream().choose(100, 5), [86, 54, 49, 3, 53]);
}

#[test]
fn children_are_known_and_depend_on_key_and_label_alone() {
    let mut child = stream().split("weights");
    assert_eq!(
        [child.next_u32(), child.next_u32()],
        [0x6afb8c19, 0x2d988711]
    );
    let mut grandchild = child.split("fc");
    assert_eq!(
        [grandchild.next_u32(), grandchild.next_u32()],
        [0x594aca54, 0x867352eb]
    );

    let mut parent = stream();
    let before = parent.split("a").next_u64();
    parent.next_u32();
    assert_eq!(parent.split("a").next_u64(), before);
    let different = [
        before,
        parent.split("b").next_u64(),
        parent.split("a").split("b").next_u64(),
        parent.split("a/b").next_u64(),
        parent.split("").next_u64(),
        Stream::new(2025).split("a").next_u64(),
    ];
    for (i, a) in different.iter().enumerate() {
        assert!(
            !different[..i].contains(a),
            "stream {i} repeats another one"
        );
    }
}

#[test]
fn debug_hides_the_key() {
    let mut stream = stream();
    stream.next_u64();
    assert_eq!(format!("{stream:?}"), "Stream { position: 2, .. }");
}

#[test]
fn normals_have_the_moments_of_a_normal() {
    let n = 200_000;
    let mut power = [0.0; 4];
    for z in draw(n, Stream::normal) {
        for (k, sum) in power.iter_mut().enumerate() {
            *sum += f64::from(z).powi(k as i32 + 1) / n as f64;
        }
    }
    for (moment, expected) in power.into_iter().zip([0.0, 1.0, 0.0, 3.0]) {
        assert!((moment - expected).abs() < 0.05, "moments are {power:?}");
    }
}

#[test]
fn every_order_of_three_is_equally_likely() {
    let mut stream = stream();
    let mut counts = std::collections::BTreeMap::new();
    for _ in 0..6000 {
        *counts.entry(stream.permutation(3)).or_insert(0) += 1;
    }
    assert_eq!(counts.len(), 6);
    // Each count is 1000 on average, with standard deviation 29.
    assert!(
        counts.values().all(|count| (850..1150).contains(count)),
        "{counts:?}"
    );
}

#[test]
fn below_rejects_what_would_make_some_numbers_likelier() {
    // There are 4/3 times as many 64-bit words as numbers below 3 * 2^62. Without rejection, the remainder would double
    // the share of the lowest third, and the multiplication that of the multiples of 3: from 1/3 to 1/2 of all draws.
    let drawn = draw(4000, |s| s.below(3usize << 62));
    let low = drawn.iter().filter(|x| **x < 1 << 62).count();
    let multiples = drawn.iter().filter(|x| x.is_multiple_of(3)).count();
    for count in [low, multiples] {
        assert!(
            (1200..1470).contains(&count),
            "{low} low, {multiples} multiples of 3"
        );
    }
}

proptest! {
    #[test]
    fn numbers_keep_their_bounds(seed: u64, n in 1usize.., lo in -100f32..100., width in 0f32..100.) {
        let mut stream = Stream::new(seed);
        prop_assert!(stream.below(n) < n);
        prop_assert!((0.0..1.0).contains(&stream.uniform()));
        let x = stream.uniform_in(lo, lo + width);
        prop_assert!((lo..=lo + width).contains(&x));
        prop_assert!(stream.normal().abs() <= 6.7);
    }

    #[test]
    fn choices_are_distinct_and_permutations_complete(seed: u64, n in 0usize..200, part in 0.0..=1.0) {
        let mut stream = Stream::new(seed);
        let k = (n as f64 * part) as usize;
        let mut chosen = stream.choose(n, k);
        chosen.sort_unstable();
        chosen.dedup();
        prop_assert_eq!(chosen.len(), k);
        prop_assert!(chosen.iter().all(|i| *i < n));
        let mut order = stream.permutation(n);
        order.sort_unstable();
        prop_assert!(order.into_iter().eq(0..n));
    }
}
