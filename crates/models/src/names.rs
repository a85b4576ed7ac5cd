//! The names by which weight files call the layers of the same networks. torchvision's names are the standard.
//!
//! A new family is one entry in [`FAMILIES`].

/// Names of the classifier, the linear layer that gives the logits.
pub(crate) const HEADS: &[&str] = &[
    "fc",
    "linear",
    "classifier",
    "classifier.1",
    "head",
    "head.fc",
    "last_linear",
    "output",
];

/// The names of one family of weight files.
pub(crate) struct Family {
    /// Who writes such files.
    pub name: &'static str,
    /// Rules, applied in this order. Each replaces the leading parts of a name, up to a dot or the end. `#` stands for a number; in the
    /// new name, `#` is that number, `+` the next and `-` the one before. An empty new name drops the parts.
    pub rules: &'static [(&'static str, &'static str)],
}

/// All families but torchvision's own. The classifier is matched apart, by [`HEADS`].
pub(crate) const FAMILIES: &[Family] = &[
    Family {
        name: "kuangliu's pytorch-cifar",
        rules: &[("layer#.#.shortcut", "layer#.#.downsample")],
    },
    Family {
        name: "Hugging Face",
        rules: &[
            ("resnet.embedder.embedder.convolution", "conv1"),
            ("resnet.embedder.embedder.normalization", "bn1"),
            ("resnet.encoder.stages.#.layers.#", "layer+.#"),
            ("layer#.#.layer.#.convolution", "layer#.#.conv+"),
            ("layer#.#.layer.#.normalization", "layer#.#.bn+"),
            ("layer#.#.shortcut.convolution", "layer#.#.downsample.0"),
            ("layer#.#.shortcut.normalization", "layer#.#.downsample.1"),
        ],
    },
    Family {
        name: "timm",
        rules: &[
            // VGG.
            ("pre_logits.fc1", "classifier.0"),
            ("pre_logits.fc2", "classifier.3"),
            // MobileNetV2.
            ("conv_stem", "features.0.0"),
            ("bn1", "features.0.1"),
            ("blocks.0.0.conv_dw", "features.1.conv.0.0"),
            ("blocks.0.0.bn1", "features.1.conv.0.1"),
            ("blocks.0.0.conv_pw", "features.1.conv.1"),
            ("blocks.0.0.bn2", "features.1.conv.2"),
            ("blocks.1.0", "features.2.conv"),
            ("blocks.1.1", "features.3.conv"),
            ("blocks.2.0", "features.4.conv"),
            ("blocks.2.1", "features.5.conv"),
            ("blocks.2.2", "features.6.conv"),
            ("blocks.3.0", "features.7.conv"),
            ("blocks.3.1", "features.8.conv"),
            ("blocks.3.2", "features.9.conv"),
            ("blocks.3.3", "features.10.conv"),
            ("blocks.4.0", "features.11.conv"),
            ("blocks.4.1", "features.12.conv"),
            ("blocks.4.2", "features.13.conv"),
            ("blocks.5.0", "features.14.conv"),
            ("blocks.5.1", "features.15.conv"),
            ("blocks.5.2", "features.16.conv"),
            ("blocks.6.0", "features.17.conv"),
            ("features.#.conv.conv_pw", "features.#.conv.0.0"),
            ("features.#.conv.bn1", "features.#.conv.0.1"),
            ("features.#.conv.conv_dw", "features.#.conv.1.0"),
            ("features.#.conv.bn2", "features.#.conv.1.1"),
            ("features.#.conv.conv_pwl", "features.#.conv.2"),
            ("features.#.conv.bn3", "features.#.conv.3"),
            ("conv_head", "features.18.0"),
            ("bn2", "features.18.1"),
        ],
    },
    Family {
        name: "OpenMMLab",
        rules: &[("backbone", "")],
    },
    Family {
        name: "weiaicunzai's pytorch-cifar100",
        rules: &[
            ("conv1.0", "conv1"),
            ("conv1.1", "bn1"),
            ("conv#_x", "layer-"),
            ("layer#.#.residual_function.0", "layer#.#.conv1"),
            ("layer#.#.residual_function.1", "layer#.#.bn1"),
            ("layer#.#.residual_function.3", "layer#.#.conv2"),
            ("layer#.#.residual_function.4", "layer#.#.bn2"),
            ("layer#.#.residual_function.6", "layer#.#.conv3"),
            ("layer#.#.residual_function.7", "layer#.#.bn3"),
            ("layer#.#.shortcut", "layer#.#.downsample"),
        ],
    },
    // Without a rule for `conv3`: its bottlenecks have the stride in the first convolution, and torchvision's in the second.
    Family {
        name: "pytorchcv",
        rules: &[
            ("features.init_block.conv.conv", "conv1"),
            ("features.init_block.conv.bn", "bn1"),
            ("features.init_block.conv", "conv1"),
            ("features.init_block.bn", "bn1"),
            ("features.stage#.unit#", "layer#.-"),
            ("layer#.#.body.conv1.conv", "layer#.#.conv1"),
            ("layer#.#.body.conv1.bn", "layer#.#.bn1"),
            ("layer#.#.body.conv2.conv", "layer#.#.conv2"),
            ("layer#.#.body.conv2.bn", "layer#.#.bn2"),
            ("layer#.#.identity_conv.conv", "layer#.#.downsample.0"),
            ("layer#.#.identity_conv.bn", "layer#.#.downsample.1"),
        ],
    },
];

impl Family {
    /// The name that the rules give to `name`.
    pub fn renamed(&self, name: &str) -> String {
        let mut name = name.to_owned();
        for (from, to) in self.rules {
            if let Some(other) = replaced(&name, from, to) {
                name = other;
            }
        }
        name
    }
}

/// `name` with `to` for its leading parts, if they match `from`.
fn replaced(name: &str, from: &str, to: &str) -> Option<String> {
    let (mut rest, mut numbers) = (name, Vec::new());
    for part in from.split_inclusive('#') {
        let text = part.strip_suffix('#');
        rest = rest.strip_prefix(text.unwrap_or(part))?;
        if text.is_some() {
            let end = rest.find(|c: char| !c.is_ascii_digit());
            let (digits, after) = rest.split_at(end.unwrap_or(rest.len()));
            numbers.push(digits.parse::<u32>().ok()?);
            rest = after;
        }
    }
    if !rest.is_empty() && !rest.starts_with('.') {
        return None;
    }
    let (mut new, mut numbers) = (String::new(), numbers.into_iter());
    for c in to.chars() {
        match c {
            '#' => new += &numbers.next()?.to_string(),
            '+' => new += &numbers.next()?.checked_add(1)?.to_string(),
            '-' => new += &numbers.next()?.checked_sub(1)?.to_string(),
            c => new.push(c),
        }
    }
    match new.is_empty() {
        true => rest.strip_prefix('.').map(str::to_owned),
        false => Some(new + rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(name: &str) -> &'static Family {
        FAMILIES.iter().find(|family| family.name == name).unwrap()
    }

    #[test]
    fn rules_carry_numbers_over() {
        let cases = [
            (
                "Hugging Face",
                "resnet.encoder.stages.3.layers.2.layer.1.convolution.weight",
                "layer4.2.conv2.weight",
            ),
            (
                "Hugging Face",
                "resnet.encoder.stages.1.layers.0.shortcut.normalization.running_var",
                "layer2.0.downsample.1.running_var",
            ),
            (
                "weiaicunzai's pytorch-cifar100",
                "conv5_x.1.residual_function.3.weight",
                "layer4.1.conv2.weight",
            ),
            (
                "pytorchcv",
                "features.stage2.unit1.identity_conv.bn.bias",
                "layer2.0.downsample.1.bias",
            ),
            (
                "timm",
                "blocks.3.2.conv_dw.weight",
                "features.9.conv.1.0.weight",
            ),
            ("timm", "blocks.6.0.bn3.bias", "features.17.conv.3.bias"),
            (
                "OpenMMLab",
                "backbone.layer1.0.bn1.bias",
                "layer1.0.bn1.bias",
            ),
        ];
        for (of, theirs, ours) in cases {
            assert_eq!(family(of).renamed(theirs), ours, "{of}");
        }
    }

    #[test]
    fn other_names_stay() {
        for name in [
            "layer1.0.conv1.weight",
            "layerx.0.shortcut.0",
            "fc.bias",
            "backbone",
        ] {
            for family in FAMILIES {
                assert_eq!(family.renamed(name), name, "{}", family.name);
            }
        }
    }

    /// A number without one before it has no name.
    #[test]
    fn a_rule_without_a_result_does_not_apply() {
        let name = "features.stage1.unit0.body.conv1.bn.bias";
        assert_eq!(family("pytorchcv").renamed(name), name);
    }
}
