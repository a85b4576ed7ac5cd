//! What can be had of a network, and what a generator, an attack or a probe needs of it.

/// What can be had of a network; each kind includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Answers for images, and other values of its weights: a network that another engine runs.
    Answers,
    /// Gradients, training, and other arithmetic: a module of candle.
    Gradients,
    /// The outputs of its layers, too: Brink's own networks.
    Layers,
}

/// What a generator, an attack or a probe needs of its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// The least that is enough.
    pub access: Access,
    /// What it is needed for, in words: the object of "needs".
    pub what: &'static str,
    /// The path of the setting that needs it, if another setting does not.
    pub field: Option<&'static str>,
    /// What to do instead.
    pub fix: &'static str,
}

impl Need {
    /// Answers are enough.
    pub const ANSWERS: Self = Self {
        access: Access::Answers,
        what: "answers",
        field: None,
        fix: "leave it out",
    };

    /// It follows gradients of the images.
    pub const GRADIENTS: Self = Self {
        access: Access::Gradients,
        what: "gradients",
        fix: "use `bracketed` or `validset`, which only ask, or a network of `runner list`",
        ..Self::ANSWERS
    };

    /// It trains the network.
    pub const TRAINING: Self = Self {
        access: Access::Gradients,
        what: "training",
        fix: "use `prune`, `quantize` or `nudge`, or a network of `runner list`",
        ..Self::ANSWERS
    };

    /// It uses the outputs of the layers.
    pub const LAYERS: Self = Self {
        access: Access::Layers,
        what: "the outputs of the layers",
        ..Self::ANSWERS
    };

    /// The same because of the setting at `field`; `fix` is another one.
    #[must_use]
    pub const fn of(self, field: &'static str, fix: &'static str) -> Self {
        Self {
            field: Some(field),
            fix,
            ..self
        }
    }
}
