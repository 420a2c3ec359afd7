"""Optimizers that scale each parameter's step by its own gradients: Adagrad to Adam and beyond."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from simdl.errors import InputError
from simdl.spec import Flag, NonNegative, Real, Share, spec
from simdl.updates import Optimizer

UpToOne = Annotated[Real, Field(ge=0, le=1)]
Rule = tuple[Any, list[float], int]


def _ahead(maximize: bool, decay: float) -> list[float]:
    """The two options that every rule begins with."""
    return [-1.0 if maximize else 1.0, decay]


@spec
class Adagrad(Optimizer):
    """w -= lr g / (sqrt(s) + eps), s the sum of g^2 (Duchi et al. 2011).

    Parameters
    ----------
    lr : learning rate
    lr_decay : step t takes lr / (1 + (t - 1) lr_decay)
    weight_decay : L2 penalty, added to the gradient
    initial_accumulator_value : what s begins with
    eps : added outside the root
    maximize : go uphill
    """

    lr: NonNegative = 1e-2
    lr_decay: NonNegative = 0.0
    weight_decay: NonNegative = 0.0
    initial_accumulator_value: NonNegative = 0.0
    eps: NonNegative = 1e-10
    maximize: Flag = False

    def rule(self) -> Rule:
        from simdl.kernels.adaptive import adagrad

        own = [self.lr_decay, self.initial_accumulator_value, self.eps]
        return adagrad, _ahead(self.maximize, self.weight_decay) + own, 1


@spec
class Adadelta(Optimizer):
    """w -= lr d, d = sqrt(average of d^2 + eps) / sqrt(average of g^2 + eps) g (Zeiler 2012).

    Parameters
    ----------
    lr : factor of the step, 1 in the paper
    rho : decay of both averages
    eps : added inside the roots
    weight_decay : L2 penalty, added to the gradient
    maximize : go uphill
    """

    lr: NonNegative = 1.0
    rho: UpToOne = 0.9
    eps: NonNegative = 1e-6
    weight_decay: NonNegative = 0.0
    maximize: Flag = False

    def rule(self) -> Rule:
        from simdl.kernels.adaptive import adadelta

        return adadelta, [*_ahead(self.maximize, self.weight_decay), self.rho, self.eps], 2


@spec
class RMSprop(Optimizer):
    """w -= lr g / (sqrt(v) + eps), v a moving average of g^2 (Tieleman and Hinton 2012).

    Parameters
    ----------
    lr : learning rate
    alpha : decay of the average
    eps : added outside the root
    weight_decay : L2 penalty, added to the gradient
    momentum : 0 for none; b = momentum b + g / (sqrt(v) + eps), w -= lr b
    centered : v less the squared average of g: an estimate of the variance (Graves 2013); what
        rounding makes negative counts as 0, where PyTorch's step would be NaN
    maximize : go uphill
    bias_correction : divide v by 1 - alpha^t; not in PyTorch, and not with `centered`, where the
        corrected variance of the first step's one gradient is 0
    """

    lr: NonNegative = 1e-2
    alpha: NonNegative = 0.99
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    momentum: NonNegative = 0.0
    centered: Flag = False
    maximize: Flag = False
    bias_correction: Flag = False

    def __post_init__(self) -> None:
        if self.bias_correction and self.alpha >= 1:
            raise InputError(f"RMSprop.alpha: {self.alpha}: must be below 1 to correct the bias")
        if self.bias_correction and self.centered:
            raise InputError(
                "RMSprop.bias_correction: True: not with centered: its first step would be g / eps"
            )

    def rule(self) -> Rule:
        from simdl.kernels.adaptive import rmsprop, rmsprop_centered, rmsprop_momentum

        own = [self.alpha, self.eps, self.momentum, float(self.bias_correction)]
        options = _ahead(self.maximize, self.weight_decay) + own
        if self.centered:
            return rmsprop_centered, options, 3
        return (rmsprop_momentum, options, 2) if self.momentum > 0 else (rmsprop, options, 1)


def _adam(chosen: Adam | AdamW, decoupled: bool) -> Rule:
    """Adam's rule by how it decays weights."""
    from simdl.kernels.adaptive import adam, adamw, amsgrad

    own = [*chosen.betas, chosen.eps, float(chosen.bias_correction), float(decoupled)]
    options = _ahead(chosen.maximize, chosen.weight_decay) + own
    if chosen.amsgrad:
        return amsgrad, options, 3
    return (adamw if decoupled else adam), options, 2


@spec
class Adam(Optimizer):
    """w -= lr m^ / (sqrt(v^) + eps) (Kingma and Ba 2015).

    Parameters
    ----------
    lr : learning rate
    betas : decay of the averages of g and of g^2
    eps : added outside the root
    weight_decay : L2 penalty, added to the gradient
    amsgrad : divide by the largest average so far (Reddi et al. 2018)
    maximize : go uphill
    decoupled_weight_decay : decay the weights themselves, as AdamW does
    bias_correction : divide the averages by 1 - beta^t
    """

    lr: NonNegative = 1e-3
    betas: tuple[Share, Share] = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    amsgrad: Flag = False
    maximize: Flag = False
    decoupled_weight_decay: Flag = False
    bias_correction: Flag = True

    def rule(self) -> Rule:
        return _adam(self, self.decoupled_weight_decay)


@spec
class AdamW(Optimizer):
    """w = (1 - lr weight_decay) w, then Adam's step (Loshchilov and Hutter 2019).

    Parameters
    ----------
    lr, betas, eps, amsgrad, maximize, bias_correction : as in Adam
    weight_decay : decoupled: no average knows of it
    """

    lr: NonNegative = 1e-3
    betas: tuple[Share, Share] = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 1e-2
    amsgrad: Flag = False
    maximize: Flag = False
    bias_correction: Flag = True

    def rule(self) -> Rule:
        return _adam(self, True)


@spec
class Adamax(Optimizer):
    """w -= lr m^ / u, u = max(beta2 u, |g| + eps) (Kingma and Ba 2015, section 7.1).

    Parameters
    ----------
    lr : learning rate
    betas : decay of the average of g and of the largest |g|
    eps : added to |g|
    weight_decay : L2 penalty, added to the gradient
    maximize : go uphill
    """

    lr: NonNegative = 2e-3
    betas: tuple[Share, Share] = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    maximize: Flag = False

    def rule(self) -> Rule:
        from simdl.kernels.adaptive import adamax

        return adamax, [*_ahead(self.maximize, self.weight_decay), *self.betas, self.eps], 2


@spec
class NAdam(Optimizer):
    """Adam that looks ahead as Nesterov's momentum does, a momentum that grows (Dozat 2016).

    Parameters
    ----------
    lr : learning rate
    betas : decay of the averages of g and of g^2
    eps : added outside the root
    weight_decay : L2 penalty, added to the gradient
    momentum_decay : mu_t = beta1 (1 - .96^(t momentum_decay) / 2)
    decoupled_weight_decay : decay the weights themselves, as AdamW does
    maximize : go uphill
    """

    lr: NonNegative = 2e-3
    betas: tuple[Share, Share] = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    momentum_decay: NonNegative = 4e-3
    decoupled_weight_decay: Flag = False
    maximize: Flag = False

    def rule(self) -> Rule:
        from simdl.kernels.adaptive import nadam

        own = [*self.betas, self.eps, self.momentum_decay, float(self.decoupled_weight_decay)]
        return nadam, _ahead(self.maximize, self.weight_decay) + own, 3


@spec
class RAdam(Optimizer):
    """Adam with its step rectified while the average of g^2 is short (Liu et al. 2020).

    Parameters
    ----------
    lr : learning rate
    betas : decay of the averages of g and of g^2
    eps : added outside the root, before the bias is corrected
    weight_decay : L2 penalty, added to the gradient
    decoupled_weight_decay : decay the weights themselves, as AdamW does
    maximize : go uphill
    """

    lr: NonNegative = 1e-3
    betas: tuple[Share, Share] = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    decoupled_weight_decay: Flag = False
    maximize: Flag = False

    def rule(self) -> Rule:
        from simdl.kernels.adaptive import radam

        own = [*self.betas, self.eps, float(self.decoupled_weight_decay)]
        return radam, _ahead(self.maximize, self.weight_decay) + own, 2
