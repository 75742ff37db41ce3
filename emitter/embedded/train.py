"""Train the embedded model, handwritten digits, and write its files beside this module.

The model is an autoencoder of scikit-learn's 8x8 digits whose code is six numbers, with a classifier that
reads the code. The encoder makes codes from pictures and stays with the sender. The decoder, small enough
to be taught in a short message, turns six numbers into a picture and ten class probabilities.

Training is plain NumPy, seeded, with a hand-written Adam. A matrix product may differ in its last bits from
one linear-algebra library to another, so a second machine gives a model as good but not the same bits. That
is why the trained files are committed and this module is only needed to make others.

Run ``python -m isagoge.emitter.embedded.train`` (needs scikit-learn, the extra ``train``). It writes

* ``digits_encoder.onnx``: ``image`` float32 [batch, 64] in 0..1 to ``code`` float32 [batch, 6];
* ``digits_decoder.onnx``: ``code`` to ``image`` float32 [batch, 64] and ``scores`` float32 [batch, 10];
* ``codes.npz``: ``codes`` float32 [20, 6] and ``labels`` int64 [20] of digits held out of training;
* ``digits.json``: the measures of the trained model.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from isagoge.emitter.embedded.network import Adam, Array, Mlp, sigmoid, softmax

SEED = 20
CODE = 6
CLASSES = 10
SIDE = 8
PIXELS = SIDE * SIDE
OPSET = 17
IR_VERSION = 8  # the ONNX file version that goes with opset 17, so that old readers open the files

ENCODER_WIDTHS = (PIXELS, 160, 80, CODE)
PICTURE_WIDTHS = (CODE, 24, 48, PIXELS)
SCORE_WIDTHS = (CODE, 32, CLASSES)

TEST_SHARE = 5  # one digit in five is held out
EPOCHS = 400
BATCH = 64
RATE = 3e-3
WEIGHT_DECAY = 1e-4
CLASS_WEIGHT = 0.5  # of the classification loss beside the reconstruction loss
CODE_WEIGHT = 0.01  # pulls codes towards unit scale
CODE_NOISE = 0.12  # neighbours of a code must decode alike, which also helps digits never seen
SHIFT = 0.6  # pictures are moved by up to this many pixels while training


@dataclass(frozen=True)
class Split:
    """Pictures [n, 64] in 0..1 and labels [n], for training and held out."""

    train: Array
    train_labels: NDArray[np.int64]
    test: Array
    test_labels: NDArray[np.int64]


def load_digits_split(seed: int = SEED) -> Split:
    """The digits, shuffled by ``seed`` and split class by class.

    Raises:
        ModuleNotFoundError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("training needs scikit-learn: install the extra 'train'") from error
    data = load_digits()
    images = np.asarray(data.data, dtype=np.float64) / 16.0  # the set counts ink from 0 to 16
    labels = np.asarray(data.target, dtype=np.int64)
    rng = np.random.default_rng(seed)
    held = np.zeros(len(labels), dtype=bool)
    for digit in range(CLASSES):
        members = rng.permutation(np.flatnonzero(labels == digit))
        held[members[: len(members) // TEST_SHARE]] = True
    return Split(images[~held], labels[~held], images[held], labels[held])


def shifted(images: Array, rng: np.random.Generator) -> Array:
    """``images`` [n, 64], each moved by its own fraction of a pixel (bilinear, white outside)."""
    count = len(images)
    padded = np.pad(images.reshape(count, SIDE, SIDE), ((0, 0), (1, 1), (1, 1)))
    moved = padded
    for axis in (1, 2):
        amount = rng.uniform(-SHIFT, SHIFT, size=(count, 1, 1))
        moved = (
            (1.0 - np.abs(amount)) * moved
            + np.maximum(amount, 0.0) * np.roll(moved, 1, axis)
            + np.maximum(-amount, 0.0) * np.roll(moved, -1, axis)
        )
    return moved[:, 1:-1, 1:-1].reshape(count, PIXELS)


@dataclass
class Model:
    """The three networks: picture to code, code to picture, code to class."""

    encoder: Mlp
    picture: Mlp
    score: Mlp

    @property
    def arrays(self) -> list[Array]:
        """All parameters, in a fixed order; training changes them in place."""
        return self.encoder.arrays + self.picture.arrays + self.score.arrays

    def decode(self, codes: Array) -> tuple[Array, Array]:
        """Pictures [n, 64] and class probabilities [n, 10] of ``codes`` [n, 6]."""
        return sigmoid(self.picture.forward(codes)), softmax(self.score.forward(codes))

    def normalise(self, images: Array) -> None:
        """Give the code mean 0 and deviation 1 over ``images``, without changing what is decoded."""
        codes = self.encoder.forward(images)
        mean, scale = codes.mean(axis=0), codes.std(axis=0)
        last = self.encoder.layers[-1]
        last.weight /= scale
        last.bias[:] = (last.bias - mean) / scale
        for network in (self.picture, self.score):
            first = network.layers[0]
            first.bias += mean @ first.weight
            first.weight *= scale[:, None]


def step(model: Model, images: Array, targets: Array, labels: NDArray[np.int64], noise: Array) -> list[Array]:
    """Gradients of one batch, in the order of ``model.arrays``.

    The loss is the cross-entropy of pixels, plus that of the class, plus a pull of the code to unit scale.
    """
    count = len(images)
    codes = model.encoder.forward(images)
    noisy = codes + noise
    pictures, scores = model.decode(noisy)
    picture_gradient = (pictures - targets) / count  # of cross-entropy behind a sigmoid
    score_gradient = scores.copy()
    score_gradient[np.arange(count), labels] -= 1.0  # of cross-entropy behind a softmax
    score_gradient *= CLASS_WEIGHT * 4.0 / count  # a picture's loss is a sum over 64 pixels: bring them level
    code_gradient = CODE_WEIGHT * codes / count
    picture_arrays, from_picture = model.picture.backward(picture_gradient)
    score_arrays, from_score = model.score.backward(score_gradient)
    encoder_arrays, _ = model.encoder.backward(code_gradient + from_picture + from_score)
    return encoder_arrays + picture_arrays + score_arrays


def train(split: Split, seed: int = SEED, epochs: int = EPOCHS) -> Model:
    """Train on ``split.train`` and return the model with its code normalised."""
    rng = np.random.default_rng(seed + 1)
    model = Model(
        Mlp.random(ENCODER_WIDTHS, rng), Mlp.random(PICTURE_WIDTHS, rng), Mlp.random(SCORE_WIDTHS, rng)
    )
    adam = Adam(model.arrays, WEIGHT_DECAY)
    for epoch in range(epochs):
        rate = RATE * 0.5 * (1.0 + np.cos(np.pi * epoch / epochs))
        order = rng.permutation(len(split.train))
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            images = shifted(split.train[chosen], rng)
            noise = rng.normal(0.0, CODE_NOISE, size=(len(chosen), CODE))
            adam.update(step(model, images, images, split.train_labels[chosen], noise), rate)
    model.normalise(split.train)
    return model


def write_onnx(path: Path, source: str, source_width: int, chains: list[tuple[str, Mlp, str]]) -> None:
    """Write networks that share one input as one ONNX file.

    Args:
        path: the file to write.
        source: name of the input, float32 [batch, ``source_width``].
        source_width: its second length.
        chains: for each output its name, its network, and its last operator ("" for none).
    """
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []
    outputs: list[onnx.ValueInfoProto] = []
    for name, network, ending in chains:
        value = source
        for index, layer in enumerate(network.layers):
            last = index == len(network.layers) - 1
            weight, bias = f"{name}_weight_{index + 1}", f"{name}_bias_{index + 1}"
            constants.append(numpy_helper.from_array(layer.weight.astype(np.float32), weight))
            constants.append(numpy_helper.from_array(layer.bias.astype(np.float32), bias))
            linear = name if last and not ending else f"{name}_linear_{index + 1}"
            nodes.append(helper.make_node("Gemm", [value, weight, bias], [linear], name=linear))
            operator = ending if last else "Relu"
            value = name if last else f"{name}_hidden_{index + 1}"
            if operator:
                node = helper.make_node(operator, [linear], [value], name=value)
                if operator == "Softmax":
                    node.attribute.append(helper.make_attribute("axis", -1))
                nodes.append(node)
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", network.widths[-1]]))
    given = [helper.make_tensor_value_info(source, TensorProto.FLOAT, ["batch", source_width])]
    graph = helper.make_graph(nodes, path.stem, given, outputs, constants)
    proto = helper.make_model(
        graph, producer_name="isagoge", opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    onnx.checker.check_model(proto, full_check=True)
    path.write_bytes(proto.SerializeToString(deterministic=True))


def choose_digits(model: Model, split: Split) -> NDArray[np.int64]:
    """Indices of 20 held-out digits, two of each class, rightly classified and well reconstructed.

    The first of a class is its best reconstruction; the second is, of the next nine, the one whose code
    lies farthest from the first, so that the two show what the code expresses.
    """
    codes = model.encoder.forward(split.test)
    pictures, scores = model.decode(codes)
    errors = np.mean((pictures - split.test) ** 2, axis=1)
    errors[scores.argmax(axis=1) != split.test_labels] = np.inf
    chosen: list[int] = []
    for digit in range(CLASSES):
        members = np.flatnonzero(split.test_labels == digit)
        best = members[np.argsort(errors[members], kind="stable")][:10]
        far = best[1:][np.argmax(np.linalg.norm(codes[best[1:]] - codes[best[0]], axis=1))]
        chosen += [int(best[0]), int(far)]
    return np.array(chosen, dtype=np.int64)


def measure(model: Model, split: Split) -> dict[str, float | int]:
    """Accuracy and reconstruction error on both parts of ``split``, and the sizes of the networks."""
    report: dict[str, float | int] = {}
    parts = (("train", split.train, split.train_labels), ("test", split.test, split.test_labels))
    for part, images, labels in parts:
        pictures, scores = model.decode(model.encoder.forward(images))
        report[f"{part}_digits"] = len(images)
        report[f"{part}_accuracy"] = round(float(np.mean(scores.argmax(axis=1) == labels)), 4)
        report[f"{part}_reconstruction_rmse"] = round(float(np.sqrt(np.mean((pictures - images) ** 2))), 4)
    report["encoder_parameters"] = model.encoder.size
    report["decoder_parameters"] = model.picture.size + model.score.size
    return report


def write_files(model: Model, split: Split, into: Path) -> dict[str, float | int]:
    """Write the two ONNX files, the held-out codes and the measures into ``into``; returns the measures."""
    write_onnx(into / "digits_encoder.onnx", "image", PIXELS, [("code", model.encoder, "")])
    chains = [("image", model.picture, "Sigmoid"), ("scores", model.score, "Softmax")]
    write_onnx(into / "digits_decoder.onnx", "code", CODE, chains)
    chosen = choose_digits(model, split)
    codes = model.encoder.forward(split.test[chosen]).astype(np.float32)
    np.savez(into / "codes.npz", codes=codes, labels=split.test_labels[chosen])
    report = measure(model, split)
    (into / "digits.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def main(arguments: list[str] | None = None) -> int:
    """Train, write the files and print the measures; returns the exit status."""
    parser = argparse.ArgumentParser(
        description="Train the embedded model: handwritten digits in six numbers."
    )
    parser.add_argument("--into", type=Path, default=Path(__file__).parent, help="folder for the files")
    options = parser.parse_args(arguments)
    split = load_digits_split()
    report = write_files(train(split), split, options.into)
    print(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
