"""The one training loop. Nothing is trained twice, and what was interrupted goes on where it stopped."""

import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import Timeout
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from petseg_utils.atomic import only_writer, remove_leftovers
from petseg_utils.data.cache import PetData
from petseg_utils.data.workers import count_workers, one_thread
from petseg_utils.encoders.features import FeatureStore
from petseg_utils.errors import TrainingError, UsageError
from petseg_utils.models import FROZEN_ENCODER_NAMES
from petseg_utils.precision import Precision, choose_precision
from petseg_utils.training.checkpoint import (
    check_encoder,
    load_encoder,
    load_start,
    load_training,
    load_weights,
    read_spec,
    save_checkpoint,
)
from petseg_utils.training.recipes import LearningRate, build_optimizer
from petseg_utils.training.record import checkout_commit, describe_run
from petseg_utils.training.run import SPLITS, Run
from petseg_utils.training.spec import RunSpec
from petseg_utils.training.tasks import TASKS, Task

# A killed study's kernel sees within a second that it is orphaned, its loader's workers within five.
ORPHAN_SECONDS = 20


def train(spec: RunSpec, data: PetData, runs_folder: Path, *, features: FeatureStore | None = None,
          device: str = "auto", quiet: bool = False) -> Run:
    """Return the spec's finished run, from its folder if it is there; else train, or go on where training stopped.

    The epoch that is best on validation is kept (see :mod:`petseg_utils.training.tasks`). The test part is touched
    once, after training, to report.

    Args:
        spec: what to train.
        data: the opened data set; its fingerprint and image size must be the spec's.
        runs_folder: the run's own folder is made in it.
        features: where a frozen encoder's maps are cached; without, they are computed anew each time.
        device: ``auto``, ``cpu`` or ``cuda``.
        quiet: no progress bar.

    Raises:
        UsageError: the data is not what the spec names, or another process is training the run.
        TrainingError: the loss is no longer a finite number.
    """
    if (data.fingerprint, data.image_size) != (spec.data, spec.image_size):
        raise UsageError(f"the run wants data {spec.data} at {spec.image_size} px, the opened data set is "
                         f"{data.fingerprint} at {data.image_size} px: make the spec from the data you opened")
    run = Run(spec, runs_folder / spec.run_name)
    if run.finished:
        return run
    for part in {"train", *SPLITS} - set(data.manifest["part"]):
        data.indices(part)  # refuses an empty part now, not after hours of training
    try:
        with only_writer(run.folder).acquire(timeout=ORPHAN_SECONDS):
            if not run.finished:  # another process may have finished it while we asked for the lock
                remove_leftovers(run.folder)
                _finish(run, data, choose_precision(device), features, quiet)
    except Timeout:
        raise UsageError(f"run {run.name} is being trained by another process ({ORPHAN_SECONDS} s waited): let it end, "
                         "or stop it") from None
    return run


def _finish(run: Run, data: PetData, precision: Precision, features: FeatureStore | None, quiet: bool) -> None:
    commit = checkout_commit()  # now: files may change while we train
    if precision.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(precision.device)
    task = TASKS[run.spec.task](run.spec, data, precision, features)
    model = _train_epochs(run, task, precision, quiet)
    load_weights(run.best, model)
    model.eval()  # where all epochs were done by an earlier process, nothing has been validated in this one
    task.score(run, model)
    run.write_record(describe_run(run, task, model, precision, commit))
    run.last.unlink(missing_ok=True)  # three quarters of a run's bytes, and nothing goes on from a finished one


def _train_epochs(run: Run, task: Task, precision: Precision, quiet: bool) -> nn.Module:
    spec, recipe = run.spec, run.spec.get_recipe()
    torch.manual_seed(spec.seed)
    model: Any = precision.model(_build(spec, run.folder.parent))
    run.write_spec()  # now: a spec that builds no model leaves nothing
    optimizer = build_optimizer(recipe, model)
    scaler = precision.grad_scaler()
    history: list[dict[str, float]] = []
    if run.last.is_file():
        facts = load_training(run.last, model, optimizer)
        history = facts["history"]
        if facts["scaler"]:  # empty where training began without scaling
            scaler.load_state_dict(facts["scaler"])
        if _last_is_best(task, history):
            save_checkpoint(run.best, spec, model)  # the process before may have been killed between the two files
        elif not run.best.is_file():
            raise UsageError(f"run {run.name} has lost its best.safetensors, the epochs before cannot be judged: bring "
                             f"it back, or remove {str(run.folder)!r} to begin anew")

    dataset = task.dataset(model)
    batch_size = min(spec.batch_size, len(dataset))
    steps = len(dataset) // batch_size
    rate = LearningRate(recipe, optimizer, steps, spec.epochs, [row["val_loss"] for row in history])
    with tqdm(total=spec.epochs * steps, initial=len(history) * steps, desc=run.name, unit="step", disable=quiet,
              mininterval=2, dynamic_ncols=True) as bar:  # closed before an error is told
        for epoch in range(len(history), spec.epochs):
            # Every epoch starts from a seed of its own, so going on needs no random state saved.
            torch.manual_seed(_epoch_seed(spec.seed, epoch))
            started = time.perf_counter()
            model.train()
            if spec.frozen:
                model.encoder.eval()  # batch norm would go on counting
            loss_sum, waited = torch.zeros((), device=precision.device), 0.0
            for step, (images, rest, wait) in enumerate(_batches(dataset, epoch, batch_size, precision)):
                rate.before_step(epoch * steps + step)
                loss = task.loss(model, images, *rest)
                optimizer.zero_grad(set_to_none=True)
                scaler.scale(loss).backward()
                scaler.step(optimizer)
                scaler.update()
                loss_sum += loss.detach()
                waited += wait
                bar.update()
            train_loss = loss_sum.item() / steps
            seconds = time.perf_counter() - started
            if not math.isfinite(train_loss):
                # float16 ends at 65504, and some cards compute numbers in it that are none.
                remedy = "device cuda:float32, or with " if scaler.is_enabled() else ""
                raise TrainingError(f"loss of epoch {epoch + 1} is {train_loss} at learning rate {rate.current:.2g}: "
                                    f"start again with {remedy}a lower learning rate")
            validation = task.validate(model)
            if not math.isfinite(task.merit(validation)):
                raise TrainingError(f"the score on validation is {task.merit(validation)} after epoch {epoch + 1}: see "
                                    "whether the masks of the validation part hold what is scored, a pet")
            history.append({
                "epoch": epoch + 1,
                "train_loss": train_loss,
                **validation,
                "learning_rate": rate.current,
                "seconds": seconds,
                "images_per_second": steps * batch_size / seconds,
                "data_wait_share": waited / seconds,
            })
            rate.after_epoch(validation["val_loss"])
            # Killed before the file to go on from, we do the epoch again and write the same history. The best epoch's
            # file comes after it: on a GPU an epoch that is done again is another one, and must not be judged by this.
            run.write_history(history)
            save_checkpoint(run.last, spec, model, optimizer=optimizer,
                            facts={"history": history, "scaler": scaler.state_dict()})
            if _last_is_best(task, history):
                save_checkpoint(run.best, spec, model)
            bar.set_postfix({"loss": f"{train_loss:.3f}", **{k: f"{v:.3f}" for k, v in validation.items()},
                             "images/s": f"{history[-1]['images_per_second']:.0f}"})
    return model


def _last_is_best(task: Task, history: list[dict[str, float]]) -> bool:
    """Whether the last epoch is better on validation than all before it."""
    return task.merit(history[-1]) > max((task.merit(row) for row in history[:-1]), default=-math.inf)


def _build(spec: RunSpec, runs_folder: Path) -> Any:
    """The spec's model, its encoder from the run that the spec names, and frozen if the spec says so."""
    model: Any = spec.build()  # with an encoder, where the spec speaks of one
    if spec.model in FROZEN_ENCODER_NAMES:
        check_encoder(spec, model)
        if spec.start:
            path = _weights_of_finished(runs_folder / spec.start)
            begun = read_spec(path)
            if ((begun.data, begun.encoder_weights, begun.encoder_code)
                    != (spec.data, spec.encoder_weights, spec.encoder_code)):
                raise UsageError(f"run {spec.start} was trained on data {begun.data} with encoder {begun.encoder!r}, "
                                 f"the spec wants {spec.data} and {spec.encoder!r}: start from a run on the same")
            model.encoder.requires_grad_(False)  # a checkpoint of a frozen encoder leaves it out
            load_start(path, model)
    elif spec.encoder:
        path = _weights_of_finished(runs_folder / spec.encoder)
        learned = read_spec(path)
        if (learned.model, learned.data) != (spec.model, spec.data):
            raise UsageError(f"run {spec.encoder} taught the encoder of a {learned.model!r} on data {learned.data}, "
                             f"the spec wants {spec.model!r} on {spec.data}: name a run that fits")
        load_encoder(path, model.encoder)
    if spec.encoder or spec.frozen:
        model.encoder.requires_grad_(not spec.frozen)
    return model


def _weights_of_finished(folder: Path) -> Path:
    """Of another run; refused while it is trained, or what begins with them would be another thing tomorrow."""
    path = folder / "best.safetensors"
    read_spec(path)  # says if there is no such run
    if not (folder / "run.json").is_file():
        raise UsageError(f"run {folder.name} is not finished: train it to its end before what begins with its weights")
    return path


def _epoch_seed(seed: int, epoch: int) -> int:
    return int(np.random.SeedSequence((seed, epoch)).generate_state(1)[0])


def _batches(dataset: Any, epoch: int, batch_size: int,
             precision: Precision) -> Iterator[tuple[Tensor, list[Tensor], float]]:
    """Batches of one epoch on the device, images and what comes with them, with the seconds each kept the loop
    waiting."""
    dataset.set_epoch(epoch)
    order = torch.Generator().manual_seed(_epoch_seed(dataset.seed, epoch))
    on_gpu = precision.device.type == "cuda"
    workers = count_workers(dataset, batch_size) if on_gpu else 0
    loader = DataLoader(dataset, batch_size, shuffle=True, generator=order, drop_last=True, pin_memory=on_gpu,
                        num_workers=workers, worker_init_fn=one_thread,
                        # Starting anew in each epoch, they are forked where that is done: it takes no time.
                        multiprocessing_context="fork" if workers and sys.platform == "linux" else None)
    asked = time.perf_counter()
    for images, *rest in loader:
        waited = time.perf_counter() - asked
        yield precision.images(images), [tensor.to(precision.device, non_blocking=True) for tensor in rest], waited
        asked = time.perf_counter()
