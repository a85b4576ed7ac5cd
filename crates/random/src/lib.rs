//! Random streams: one algorithm for every random number in the project. It never changes.
//!
//! A [`Stream`] is ChaCha20 (64-bit counter, zero nonce) under a 32-byte key. Streams form a tree: [`Stream::new`] makes
//! the root from a seed, and [`Stream::split`] makes a child from a label. So each purpose ("weights", "order",
//! "attack") has its own stream, and a new purpose never shifts the numbers of another one.
//!
//! The mappings from words to numbers are our own, because general libraries change theirs between releases. The
//! known-answer tests in `tests/stream.rs` pin them.

use rand_chacha::{
    ChaCha20Rng,
    rand_core::{Rng, SeedableRng},
};

/// Context of the hash that turns a seed into a key. A change here changes every random number of the project.
const ROOT: &str = "brink 2026 random stream, version 1";

/// A position in an endless, reproducible sequence of random words.
///
/// A clone has the same position, so both give the same numbers. Use [`Stream::split`] for a different sequence.
#[derive(Clone)]
pub struct Stream {
    key: [u8; 32],
    words: ChaCha20Rng,
}

impl Stream {
    /// The root stream of `seed`.
    pub fn new(seed: u64) -> Self {
        Self::from_key(blake3::derive_key(ROOT, &seed.to_le_bytes()))
    }

    /// The stream of a key. The key must be uniformly random already, e.g. derived from a secret.
    pub fn from_key(key: [u8; 32]) -> Self {
        Self {
            key,
            words: ChaCha20Rng::from_seed(key),
        }
    }

    /// The independent child stream called `label`. This stream does not advance.
    ///
    /// The child depends only on this stream's key and the label, not on how many numbers were drawn before.
    /// `split("a").split("b")` and `split("a/b")` are different streams.
    pub fn split(&self, label: &str) -> Self {
        Self::from_key(*blake3::keyed_hash(&self.key, label.as_bytes()).as_bytes())
    }

    /// The next 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        self.words.next_u32()
    }

    /// The next 64 random bits: two words, the low one first.
    pub fn next_u64(&mut self) -> u64 {
        let low = u64::from(self.next_u32());
        let high = u64::from(self.next_u32());
        high << 32 | low
    }

    /// A uniform number in `[0, 1)`: a multiple of 2^-24, made from the upper 24 bits of one word.
    pub fn uniform(&mut self) -> f32 {
        const STEP: f32 = 1.0 / (1 << 24) as f32;
        (self.next_u32() >> 8) as f32 * STEP
    }

    /// A uniform number in `[lo, hi]`, made from one word. Only rounding can give `hi` itself.
    pub fn uniform_in(&mut self, lo: f32, hi: f32) -> f32 {
        lo + (hi - lo) * self.uniform()
    }

    /// A standard normal number with |z| <= 6.7, made from two words.
    ///
    /// This is the cosine half of Box-Muller in f64. Logarithm and cosine come from the `libm` crate, not from the
    /// system's C library, so the bits are the same on every platform. The sine half is dropped, because keeping it
    /// would give the stream a state besides its position.
    pub fn normal(&mut self) -> f32 {
        const STEP: f64 = 1.0 / (1u64 << 32) as f64;
        let radius = (f64::from(self.next_u32()) + 1.0) * STEP; // in (0, 1], so its logarithm is finite
        let turn = f64::from(self.next_u32()) * STEP;
        let z = (-2.0 * libm::log(radius)).sqrt() * libm::cos(std::f64::consts::TAU * turn);
        z as f32
    }

    /// A uniform whole number in `0..n` without bias, by Lemire's multiplication with rejection.
    ///
    /// # Panics
    /// If `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        assert!(n > 0, "no whole number is below 0");
        let n = n as u64;
        let reject = n.wrapping_neg() % n; // 2^64 mod n
        loop {
            let product = u128::from(self.next_u64()) * u128::from(n);
            if product as u64 >= reject {
                return (product >> 64) as usize;
            }
        }
    }

    /// Puts `items` in a uniformly random order (Fisher-Yates, from the back).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// The numbers `0..n` in a uniformly random order.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        self.shuffle(&mut order);
        order
    }

    /// `k` distinct numbers out of `0..n` in random order. Every ordered choice is equally likely.
    ///
    /// # Panics
    /// If `k > n`.
    pub fn choose(&mut self, n: usize, k: usize) -> Vec<usize> {
        assert!(k <= n, "cannot choose {k} distinct numbers out of {n}");
        let mut pool: Vec<usize> = (0..n).collect();
        for i in 0..k {
            let j = i + self.below(n - i);
            pool.swap(i, j);
        }
        pool.truncate(k);
        pool
    }
}

/// Shows only the position, because the key may come from a secret.
impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream")
            .field("position", &self.words.get_word_pos())
            .finish_non_exhaustive()
    }
}
