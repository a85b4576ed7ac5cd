use candle_core::{Device, Tensor};
use ops::{Frozen, Tape, Window};
use std::time::Instant;
#[global_allocator]
static A: ops::memory::Allocator = ops::memory::Allocator;
fn t(shape: &[usize], s: f32) -> Tensor {
    let n: usize = shape.iter().product();
    Tensor::from_vec(
        (0..n)
            .map(|i| (((i * 7919) % 1013) as f32 / 1013.0 - 0.5) * s)
            .collect::<Vec<f32>>(),
        shape,
        &Device::Cpu,
    )
    .unwrap()
}
fn taps(n: usize, w: Window) -> usize {
    let o = (n + 2 * w.padding - w.kernel.0) / w.stride + 1;
    (0..o)
        .map(|o| {
            (0..w.kernel.0)
                .filter(|k| {
                    let i = (o * w.stride + k) as isize - w.padding as isize;
                    i >= 0 && i < n as isize
                })
                .count()
        })
        .sum()
}
fn main() {
    ops::memory::keep_pages();
    let rows: Vec<(usize, usize, usize, usize, usize, usize)> = vec![
        // n, map, c, o, k, stride
        (150, 32, 3, 64, 7, 2),
        (150, 8, 64, 64, 3, 1),
        (150, 8, 64, 128, 3, 2),
        (150, 4, 128, 128, 3, 1),
        (150, 4, 128, 256, 3, 2),
        (150, 2, 256, 256, 3, 1),
        (150, 2, 256, 512, 3, 2),
        (150, 1, 512, 512, 3, 1),
        (150, 40, 64, 64, 3, 1),
        (150, 20, 128, 128, 3, 1),
        (150, 10, 256, 256, 3, 1),
        (150, 5, 512, 512, 3, 1),
        (150, 2, 512, 512, 3, 1),
        (16, 32, 64, 256, 1, 1),
        (16, 32, 256, 64, 1, 1),
        (16, 16, 512, 128, 1, 1),
        (16, 8, 1024, 256, 1, 1),
        (16, 8, 256, 1024, 1, 1),
        (16, 8, 256, 256, 3, 1),
        (16, 4, 2048, 512, 1, 1),
        (16, 4, 512, 512, 3, 1),
    ];
    let reps = std::env::args().nth(1).map_or(7, |x| x.parse().unwrap());
    for (n, m, c, o, k, s) in rows {
        let w = Window::square(k, s, k / 2);
        let x = t(&[n, m, m, c], 1.0);
        let weight = t(&[o, c, k, k], 0.1);
        let v = |x: f32| (t(&[o], 0.1) + x as f64).unwrap();
        let unit = Frozen::conv_bn(&weight, [&v(1.0), &v(0.0), &v(0.0), &v(1.0)], 1e-5, w).unwrap();
        let mac = n * taps(m, w) * taps(m, w) * c * o;
        let (mut f, mut b) = (f64::MAX, f64::MAX);
        for _ in 0..reps {
            let mut tape = Tape::recording();
            tape.watch(&x);
            let a = Instant::now();
            let y = unit.forward(&mut tape, &x, None, true).unwrap();
            f = f.min(a.elapsed().as_secs_f64());
            let g = y.clone();
            let a = Instant::now();
            tape.backward([(&y, g)]).unwrap();
            b = b.min(a.elapsed().as_secs_f64());
        }
        let gf = |t: f64| 2.0 * mac as f64 / t / 1e9;
        println!(
            "{n:>4} x {m:>2} {c:>4}->{o:<4} k{k} s{s}: fwd {:8.3} ms {:6.1}  bwd {:8.3} ms {:6.1} GFLOP/s",
            f * 1e3,
            gf(f),
            b * 1e3,
            gf(b)
        );
    }
}
