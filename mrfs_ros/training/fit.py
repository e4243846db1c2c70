"""The training loop: batches in, averaged weights out, resumable after any step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import asdict

import numpy as np
import torch
from torch import Tensor, nn

from mrfs_ros.checkpoint import read_checkpoint, save_checkpoint
from mrfs_ros.data.dataset import PairDataset
from mrfs_ros.engine.operators.plain import from_bytes
from mrfs_ros.errors import ConfigError, MrfsError
from mrfs_ros.network import MRFS, build_network
from mrfs_ros.network.parts import PARTS
from mrfs_ros.training.batches import StepExamples, batches, check_shares
from mrfs_ros.training.copied_objects import Donors
from mrfs_ros.training.label_survey import survey
from mrfs_ros.training.logit_shift import KEY, undo_shifts
from mrfs_ros.training.losses import mrfs_loss
from mrfs_ros.training.optimizer import adamw, averaged, rate_factor, set_rate
from mrfs_ros.training.pretrained import load_encoders
from mrfs_ros.training.processes import Processes
from mrfs_ros.training.run_folder import MetricsLog, RunFolder
from mrfs_ros.training.train_config import TrainConfig

LOGGED = ("total", "segmentation", "fusion", "intensity", "gradient", "colour")
Validate = Callable[[MRFS], dict[str, float]]


class Trainer:
    """Network, average, optimizer and where they are in the run; ``progress``: as for ``survey``."""

    def __init__(
        self,
        config: TrainConfig,
        datasets: list[PairDataset],
        processes: Processes,
        progress: Callable[..., Iterable] = iter,
    ):
        self.config, self.processes = config, processes
        self.classes = config.class_set()
        if config.amp == "fp16" and processes.device.type != "cuda":
            raise ConfigError("amp: fp16 needs CUDA: expected bf16 or none on the CPU")
        check_shares(config.batch_size, processes.world)  # here, before there is a run folder
        network, self._shifts = _start(config)
        self.network = network.to(processes.device)
        self._frozen = _freeze_all_but(self.network, config.parts())
        self.parallel = processes.parallel(self.network)
        self.average = averaged(self.network, config.ema_decay)
        self.optimizer = adamw(self.network, config.rate, config.weight_decay, config.head_rate)
        self.scaler = torch.amp.GradScaler(processes.device.type, enabled=config.amp == "fp16")
        wants_objects = config.augmentation().copied_objects > 0
        self.labels = survey(datasets, objects=wants_objects, progress=progress)
        self.pixels = self.labels.pixels[: len(self.classes)]
        self.class_weights = class_weights(self.pixels, config.class_weights, processes.device)
        self.preset = config.loss_preset()
        self.step, self.elapsed_s, self.best = 0, 0.0, -1.0

    def state(self) -> dict:
        """Everything that the next step depends on."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "step": self.step,
            "elapsed_s": self.elapsed_s,
            "best": self.best,
        }

    def load_state(self, state: dict) -> None:
        """Go back to where ``state`` was taken."""
        for name in ("network", "average", "optimizer", "scaler"):
            getattr(self, name).load_state_dict(state[name])
        self.step, self.elapsed_s, self.best = state["step"], state["elapsed_s"], state["best"]

    def train_step(self, batch: dict[str, Tensor], progress: float) -> dict[str, Tensor]:
        """One optimizer step; returns the loss and its terms, detached."""
        config, device = self.config, self.processes.device
        # Dropout depends on seed and step alone: a run that goes on is the run that never stopped.
        torch.manual_seed(hash((config.seed, self.step, self.processes.rank)) % 2**63)
        factor = rate_factor(self.step, config.warmup_steps, progress, config.poly_power)
        set_rate(self.optimizer, factor)
        self._set_modes(progress)
        batch = {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()}
        rgb, thermal = from_bytes(batch["rgb"]), from_bytes(batch["thermal"])
        with _autocast(config.amp, device):
            logits, fused = self.parallel(rgb, thermal)
        losses = mrfs_loss(
            logits, fused, rgb, thermal, batch["label"], batch["valid"], self.preset,
            fusion_weight=config.fusion_weight,
            class_weights=self.class_weights,
            label_smoothing=config.label_smoothing,
        )  # fmt: skip
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(losses["total"]).backward()
        if config.clip_norm:
            self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), config.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.average.update_parameters(self.network)
        self.step += 1
        return {name: losses[name].detach() for name in LOGGED}

    def _set_modes(self, progress: float) -> None:
        """Training mode, but for parts that do not learn, and for BatchNorm after ``freeze_norms``."""
        self.parallel.train()
        for part in self._frozen:
            part.eval()
        if progress >= self.config.freeze_norms:
            for module in self.parallel.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()

    def averaged_network(self) -> MRFS:
        """The averaged weights, in eval mode."""
        return self.average.module.eval()

    def untrained_classes(self) -> list[str]:
        """Names of the classes that no label of the training datasets has."""
        return [name for name, count in zip(self.classes.names, self.pixels) if count == 0]

    def provenance(self, origin: dict[str, str], datasets: list[PairDataset], scores: dict[str, float]) -> dict:
        """What a weights file says of its making; ``origin``: where the run comes from."""
        return {
            **origin,
            "steps": self.step,
            "training time [s]": round(self.elapsed_s),
            "pairs": sum(len(dataset) for dataset in datasets),
            "untrained classes": ", ".join(self.untrained_classes()) or "none",
            "scores": scores,
            **({KEY: self._shifts} if self._shifts else {}),
            "settings": _without_paths(asdict(self.config)),
        }


def fit(
    trainer: Trainer,
    datasets: list[PairDataset],
    folder: RunFolder | None,
    *,
    validate: Validate | None,
    budget_s: float = 0.0,
    progress_bar: Callable[..., object] | None = None,
) -> None:
    """Train to the last step or to the end of ``budget_s`` [s of training], whichever comes first.

    ``folder``: of the first process, None in the others. ``validate``: network in eval mode -> scores, of which
    "mIoU" chooses best.safetensors; without it that is the last average. MrfsError when the loss is not finite.
    """
    config, processes = trainer.config, trainer.processes
    first = trainer.step
    log = MetricsLog(folder.path, first, config.tensorboard) if folder else None
    size, augmentation = (config.crop_height, config.crop_width), config.augmentation()
    donors = Donors(datasets, trainer.labels.objects, augmentation.short_side)
    examples = StepExamples(datasets, size, augmentation, config.seed, config.batch_size, donors)
    stream = batches(
        examples, first=first, workers=config.workers,
        rank=processes.rank, world=processes.world,
    )  # fmt: skip
    clock = _Clock(trainer, budget_s)
    bar = progress_bar(initial=first, total=config.steps, unit="step") if progress_bar and folder else None
    sums = _Means()
    finished = clock.progress() >= 1
    if finished:  # goes on from its end: nothing to learn, but under a shorter budget the weights are still to come
        _validate(trainer, datasets, folder, None, validate, clock)
    while not finished:
        sums.add(trainer.train_step(next(stream), clock.progress()))
        finished = clock.progress() >= 1
        scores_due, state_due = (finished or trainer.step % n == 0 for n in (config.eval_every, config.save_every))
        # Numbers first, so that no weights are saved whose loss is none, and means begin anew where a run may go on.
        if scores_due or state_due or trainer.step % config.log_every == 0 or trainer.step == 1:
            _log(trainer, log, bar, sums, config.batch_size)
        if scores_due:
            _validate(trainer, datasets, folder, log, validate, clock)
        if folder and state_due:
            folder.save_state(trainer.state())
        if bar:
            bar.update(1)
    processes.wait()
    if bar:
        bar.close()
    if log:
        log.close()


class _Clock:
    """How much of the run is over, by steps or by time, whichever is further; validation does not count."""

    def __init__(self, trainer: Trainer, budget_s: float):
        self._trainer, self._budget_s, self._last = trainer, budget_s, time.monotonic()

    def progress(self) -> float:
        now = time.monotonic()
        self._trainer.elapsed_s += now - self._last
        self._last = now
        by_steps = self._trainer.step / self._trainer.config.steps
        if not self._budget_s:
            return by_steps
        return max(by_steps, self._trainer.processes.agree(self._trainer.elapsed_s) / self._budget_s)

    def skip(self) -> None:
        """Leave out the time since the last look."""
        self._last = time.monotonic()


class _Means:
    """Running means of losses, without waiting for the device at every step."""

    def __init__(self):
        self._sums: dict[str, Tensor] = {}
        self._count, self._since = 0, time.monotonic()

    def add(self, losses: dict[str, Tensor]) -> None:
        self._sums = {name: self._sums.get(name, 0) + value for name, value in losses.items()}
        self._count += 1

    def take(self, batch: int) -> dict[str, float]:
        values = {name: (value / self._count).item() for name, value in self._sums.items()}
        values["crops_per_s"] = self._count * batch / (time.monotonic() - self._since)
        self.__init__()
        return values


def _log(trainer: Trainer, log: MetricsLog | None, bar, means: _Means, batch: int) -> None:
    values = means.take(batch)
    if not np.isfinite(values["total"]):
        raise MrfsError(
            f"the loss is {values['total']} after step {trainer.step}: lower rate, set clip_norm, or use amp: none"
        )
    values["rate"] = trainer.optimizer.param_groups[0]["lr"]
    if log:
        log.add(trainer.step, values)
    if bar:
        bar.set_postfix_str(f"loss {values['total']:.3f}, {values['crops_per_s']:.1f} crops/s")


def _validate(trainer, datasets, folder, log, validate, clock: _Clock) -> None:
    if folder:
        network = trainer.averaged_network()
        scores = validate(network) if validate else {}
        if log and scores:
            log.add(trainer.step, {f"val/{name}": value for name, value in scores.items()})
        provenance = trainer.provenance(folder.origin, datasets, scores)
        side = trainer.config.encoder_side
        save_checkpoint(folder.path / "last.safetensors", network, trainer.classes, provenance, encoder_side=side)
        score = scores.get("mIoU", float(trainer.step))
        if score > trainer.best:
            trainer.best = score
            best = folder.path / "best.safetensors"
            save_checkpoint(best, network, trainer.classes, provenance, torch.float16, side)
    trainer.processes.wait()
    clock.skip()


def class_weights(pixels: np.ndarray, rule: str, device: torch.device) -> Tensor | None:
    """(classes,) weights of the cross-entropy by ``rule`` (none, median, sqrt); 1 for classes without pixels."""
    if rule == "none" or not pixels.any():
        return None
    present = pixels > 0
    weights = np.ones(len(pixels))
    weights[present] = np.median(pixels[present]) / pixels[present]
    return torch.tensor(np.sqrt(weights) if rule == "sqrt" else weights, dtype=torch.float32, device=device)


def _start(config: TrainConfig) -> tuple[MRFS, dict[str, float]]:
    """The network to begin with: fresh, with pretrained encoders, or from an MRFS file; and the logit shifts it keeps.

    A segmentation head that learns on does so without the shifts that were chosen for it.
    """
    wanted = config.network()
    if config.init:
        checkpoint = read_checkpoint(config.init)
        for name in ("variant", "num_classes", "head_width", "visual_attention", "semantic_attention"):
            got, asked = getattr(checkpoint.config, name), getattr(wanted, name)
            if got != asked:
                raise ConfigError(f"init: {config.init} has {name} {got}, the settings ask for {asked}")
        network = checkpoint.network()
        if "segmentation_head" not in config.parts():
            return network, checkpoint.provenance.get(KEY, {})
        undo_shifts(network, checkpoint)
        return network, {}
    network = build_network(wanted, config.seed)
    if config.pretrained:
        load_encoders(network, config.pretrained)
    return network, {}


def _freeze_all_but(network: MRFS, learning: tuple[str, ...]) -> list[nn.Module]:
    """Turn off the gradients of the parts that are not ``learning``; return these parts."""
    frozen = [getattr(network, module) for name, module in PARTS.items() if name not in learning]
    for part in frozen:
        part.requires_grad_(False)
    return frozen


def _autocast(amp: str, device: torch.device):
    if amp == "none":
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16 if amp == "bf16" else torch.float16)


def _without_paths(settings: dict) -> dict:
    """Settings fit for publishing: datasets and files by their last names, not by where they lie on this machine."""
    shown = dict(settings)
    for part in ("train", "val"):
        shown[part] = [_by_last_names(entry, ("root", "calibration")) for entry in settings[part]]
    return _by_last_names(shown, ("pretrained", "init"))


def _by_last_names(settings: dict, files: tuple[str, ...]) -> dict:
    return settings | {file: settings[file].rpartition("/")[2] for file in files if file in settings}
