//! Properties of subsets, batches and augmentation that hold for every split and every random stream.

use std::num::NonZeroUsize;

use brink_config::checked::Minority;
use brink_data::{Augment, Batches, Split};
use brink_random::Stream;
use proptest::prelude::*;

/// A split of 2x3x4 images. Their pixels identify them.
fn split(labels: Vec<u16>) -> Split {
    let pixels = (0..labels.len() * 24)
        .map(|i| (i * 7 % 251) as u8)
        .collect();
    Split::new([2, 3, 4], pixels, labels)
}

fn counts(split: &Split) -> Vec<usize> {
    let mut counts = vec![0; 10];
    for index in 0..split.len() {
        counts[split.label(index) as usize] += 1;
    }
    counts
}

proptest! {
    #[test]
    fn subsets_are_balanced_ordered_and_repeatable(
        labels in prop::collection::vec(0_u16..10, 0..200),
        share in 1e-3..=0.5,
        seed: u64,
    ) {
        let all = split(labels);
        let n = (share * all.len() as f64) as usize;
        let indices = all.balanced(n, &mut Stream::new(seed)).unwrap();
        prop_assert_eq!(indices.len(), n);
        prop_assert!(indices.is_sorted_by(|a, b| a < b));

        let subset = all.subset(n, &mut Stream::new(seed)).unwrap();
        prop_assert_eq!(&subset, &all.select(&indices));
        let (had, have) = (counts(&all), counts(&subset));
        let most = have.iter().max().unwrap();
        for (had, have) in had.iter().zip(&have) {
            prop_assert!(have + 1 >= *most || have == had, "a class gives less than its share: {have} of {had}, others {most}");
        }
    }

    #[test]
    fn what_is_held_out_shares_no_group_with_the_rest_and_no_class_is_far_from_its_share(
        tracks in prop::collection::vec((0_u16..5, 1_usize..12), 0..40),
        share in 1e-3..=0.5,
        seed: u64,
        grouped: bool,
    ) {
        let numbered = || tracks.iter().zip(0..);
        let labels: Vec<u16> = numbered().flat_map(|(&(label, len), _)| vec![label; len]).collect();
        let groups: Vec<u32> = numbered().flat_map(|(&(_, len), track)| vec![track; len]).collect();
        let all = split(labels).with_groups(if grouped { groups.clone() } else { Vec::new() });
        let share = Minority::new(share).unwrap();
        let (rest, held) = all.hold_out(share, &mut Stream::new(seed));
        let again = all.hold_out(share, &mut Stream::new(seed));
        prop_assert_eq!((&rest, &held), (&again.0, &again.1));

        // Every image, identified by its pixels, must be in one of the two parts, in the old order.
        let in_order = |part: &Split| -> Vec<usize> {
            let mut from = 0;
            (0..part.len()).map(|index| {
                let image = part.image(index);
                let place = (from..all.len()).find(|&place| all.image(place) == image).unwrap();
                from = place + 1;
                place
            }).collect()
        };
        let (kept, taken) = (in_order(&rest), in_order(&held));
        let mut both = [kept.clone(), taken.clone()].concat();
        both.sort_unstable();
        prop_assert_eq!(both, (0..all.len()).collect::<Vec<_>>());
        if grouped {
            prop_assert!(taken.iter().all(|&a| kept.iter().all(|&b| groups[a] != groups[b])));
        }
        let (had, have) = (counts(&all), counts(&held));
        for class in 0..10 {
            let of_class = numbered().filter(|((label, _), _)| usize::from(*label) == class);
            let largest = of_class.map(|((_, len), _)| if grouped { *len } else { 1 }).max();
            let off = (have[class] as f64 - share.get() * had[class] as f64).abs();
            prop_assert!(off <= largest.unwrap_or(0) as f64 / 2.0 + 1e-9, "class {}: off by {}", class, off);
        }
    }

    #[test]
    fn groups_go_where_their_images_go(labels in prop::collection::vec(0_u16..10, 1..50), seed: u64) {
        let groups: Vec<u32> = (0..labels.len() as u32).map(|index| index / 3).collect();
        let all = split(labels).with_groups(groups.clone());
        let mut stream = Stream::new(seed);
        let order = stream.permutation(all.len());
        let chosen = all.select(&order);
        for (index, &place) in order.iter().enumerate() {
            prop_assert_eq!(chosen.group(index), Some(groups[place]));
        }
        prop_assert_eq!(all.take(5).group(0), Some(0));
        prop_assert_eq!(all.take(0).group(0), None);
    }

    #[test]
    fn more_than_there_is_cannot_be_chosen(labels in prop::collection::vec(0_u16..10, 0..20), more in 1_usize..5) {
        let all = split(labels);
        let message = all.subset(all.len() + more, &mut Stream::new(1)).unwrap_err().to_string();
        let fix = format!("ask for at most {}", all.len());
        prop_assert!(message.contains(&fix), "{}", message);
    }

    #[test]
    fn an_epoch_holds_every_image_once(len in 0_usize..100, size in 1_usize..20, seed: u64, epoch in 0_usize..5) {
        let batches = Batches::new(len, NonZeroUsize::new(size).unwrap(), &Stream::new(seed));
        let epoch = batches.epoch(epoch);
        prop_assert_eq!(epoch.len(), batches.per_epoch());
        prop_assert!(epoch.iter().rev().skip(1).all(|batch| batch.len() == size));
        let mut seen = epoch.concat();
        seen.sort_unstable();
        prop_assert_eq!(seen, (0..len).collect::<Vec<_>>());
    }

    #[test]
    fn an_augmented_image_is_the_padded_image_cut_and_perhaps_mirrored(
        labels in prop::collection::vec(0_u16..10, 1..5),
        flip: bool,
        crop in 0_u16..4,
        seed: u64,
    ) {
        let all = split(labels);
        let indices: Vec<usize> = (0..all.len()).rev().collect();
        let augment = Augment { flip, crop };
        let changed = augment.images(&all, &indices, &mut Stream::new(seed));
        prop_assert_eq!(&changed, &augment.images(&all, &indices, &mut Stream::new(seed)));
        for (image, &index) in changed.chunks(24).zip(&indices) {
            let plain = all.images(&[index]);
            let crop = usize::from(crop);
            let mut possible = (0..=2 * crop).flat_map(|down| (0..=2 * crop).map(move |right| (down, right)));
            let explained = possible.any(|(down, right)| {
                let cut = cut(&plain, crop, down, right);
                cut == image || flip && mirror(&cut) == image
            });
            prop_assert!(explained, "image {}", index);
        }
    }
}

/// Pads `image` (2, 3, 4) by `pad` and crops it at `down`, `right`, in the simplest way.
fn cut(image: &[f32], pad: usize, down: usize, right: usize) -> Vec<f32> {
    let (height, width) = (3 + 2 * pad, 4 + 2 * pad);
    let mut padded = vec![0.0; 2 * height * width];
    for c in 0..2 {
        for y in 0..3 {
            for x in 0..4 {
                padded[(c * height + y + pad) * width + x + pad] = image[(c * 3 + y) * 4 + x];
            }
        }
    }
    let mut out = Vec::new();
    for c in 0..2 {
        for y in 0..3 {
            for x in 0..4 {
                out.push(padded[(c * height + y + down) * width + x + right]);
            }
        }
    }
    out
}

fn mirror(image: &[f32]) -> Vec<f32> {
    image
        .chunks(4)
        .flat_map(|row| row.iter().rev())
        .copied()
        .collect()
}

#[test]
fn every_shift_and_both_directions_come_up() {
    let all = split(vec![0]);
    let plain = all.images(&[0]);
    let mut stream = Stream::new(1);
    let augment = Augment {
        flip: true,
        crop: 1,
    };
    let seen: Vec<Vec<f32>> = (0..500)
        .map(|_| augment.images(&all, &[0], &mut stream))
        .collect();
    for (down, right) in (0..3).flat_map(|down| (0..3).map(move |right| (down, right))) {
        let expected = cut(&plain, 1, down, right);
        assert!(seen.contains(&expected), "{down} down, {right} right");
        assert!(
            seen.contains(&mirror(&expected)),
            "{down} down, {right} right, mirrored"
        );
    }
}

#[test]
fn epochs_differ_and_need_no_earlier_epoch() {
    let batches = Batches::new(50, NonZeroUsize::new(8).unwrap(), &Stream::new(3));
    assert_ne!(batches.epoch(0), batches.epoch(1));
    let resumed = Batches::new(50, NonZeroUsize::new(8).unwrap(), &Stream::new(3));
    assert_eq!(resumed.epoch(1), batches.epoch(1));
}

#[test]
fn pixels_become_numbers_from_zero_to_one() {
    let all = Split::new([1, 1, 3], vec![0, 51, 255], vec![4]);
    assert_eq!(all.images(&[0, 0]), [0.0, 0.2, 1.0, 0.0, 0.2, 1.0]);
    assert_eq!(all.labels(&[0, 0]), [4, 4]);
}

#[test]
fn orders_and_subsets_are_the_same_for_ever() {
    let batches = Batches::new(6, NonZeroUsize::new(4).unwrap(), &Stream::new(7));
    let all = split((0..40).map(|i| i % 10).collect());
    let chosen = all.balanced(12, &mut Stream::new(7)).unwrap();
    // Records of finished runs depend on these values. If they change, old runs cannot be repeated.
    assert_eq!(batches.epoch(0), [vec![2, 3, 1, 4], vec![5, 0]]);
    assert_eq!(chosen, [0, 1, 2, 3, 4, 5, 7, 19, 28, 30, 34, 36]);

    let tracks = split(vec![3; 40]).with_groups((0..40).map(|i| i / 4).collect());
    let (_, held) = tracks.hold_out(Minority::literal(0.3), &mut Stream::new(8));
    let held: Vec<u32> = (0..held.len()).filter_map(|i| held.group(i)).collect();
    assert_eq!(held, [4, 4, 4, 4, 6, 6, 6, 6, 9, 9, 9, 9]);
}
