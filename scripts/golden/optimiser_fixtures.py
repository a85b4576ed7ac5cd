"""Golden values of the optimisers and the one-cycle schedule, without a network, all in f64."""

import torch

import formula

WEIGHTS = 6
STEPS = 6

OPTIMISERS = {
    "sgd": (torch.optim.SGD, {"lr": 0.05}),
    "sgd_momentum": (torch.optim.SGD, {"lr": 0.05, "momentum": 0.9}),
    "sgd_nesterov_decay": (torch.optim.SGD, {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-4}),
    "adam": (torch.optim.Adam, {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8}),
    "adam_decay": (torch.optim.Adam, {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 5e-4}),
    "adam_tiny_lr": (torch.optim.Adam, {"lr": 1e-10, "betas": (0.9, 0.999), "eps": 1e-8}),
}

ONE_CYCLES = [
    {"max_lr": 0.1, "total_steps": 20, "pct_start": 0.3, "anneal_strategy": "cos", "div_factor": 25.0, "final_div_factor": 1e4},
    {"max_lr": 0.4, "total_steps": 7, "pct_start": 0.25, "anneal_strategy": "cos", "div_factor": 10.0, "final_div_factor": 100.0},
]


def weights_after_each_step(optimiser, options):
    """The weights start as the formula's "weights"; the gradient of step t is the formula's "gradient.t"."""
    weights = torch.from_numpy(formula.signed("weights", (WEIGHTS,))).double().requires_grad_(True)
    step = optimiser([weights], **options)
    rows = []
    for t in range(STEPS):
        weights.grad = torch.from_numpy(formula.signed(f"gradient.{t}", (WEIGHTS,))).double()
        step.step()
        rows.append(weights.tolist())
    return rows


def learning_rates(options):
    """The learning rate of each of the total_steps steps."""
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, cycle_momentum=False, **options)
    rates = []
    for _ in range(options["total_steps"]):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        if len(rates) < options["total_steps"]:
            schedule.step()
    return rates


def fixture():
    return {
        "optimisers": {
            name: {"options": options, "weights": weights_after_each_step(optimiser, options)}
            for name, (optimiser, options) in OPTIMISERS.items()
        },
        "one_cycle": [{"options": options, "lr": learning_rates(options)} for options in ONE_CYCLES],
    }
