"""Recipes for the inputs of the models of the wide tier; see ``recipes``, which is what callers use."""

from __future__ import annotations

import numpy as np

from isagoge.verify.models.recipes_core import Floats, Inputs, Recipe, strokes


def smooth(rng: np.random.Generator, side: int, waves: int = 8) -> Floats:
    """A smooth picture [side, side] in 0..1, a sum of a few waves."""
    rows, columns = np.mgrid[0:side, 0:side].astype(np.float64) / side
    picture = np.zeros((side, side))
    for _ in range(waves):
        down, across = rng.uniform(-4.0, 4.0, size=2)
        phase = 2.0 * np.pi * (down * rows + across * columns + rng.random())
        picture += np.sin(phase) / (1.0 + np.hypot(down, across))
    scaled: Floats = (picture - picture.min()) / (picture.max() - picture.min())
    return scaled


def text_line(rng: np.random.Generator, small: bool) -> Inputs:
    """A picture of a line of text for the reader; the height must be 48."""
    return {"x": strokes(rng, 48, 64 if small else 320)}


def eeg(rng: np.random.Generator, small: bool) -> Inputs:
    """Thirty seconds of EEG at 250 Hz with two spindles, and the power of 15 bands, never shorter."""
    rate, samples, bands = 250, 7500, 15
    time = np.arange(samples) / rate
    frequencies = np.fft.rfftfreq(samples, 1.0 / rate)
    spectrum = rng.normal(size=(2, len(frequencies))) / np.sqrt(np.maximum(frequencies, 0.5))
    signal = np.fft.irfft(spectrum[0] + 1j * spectrum[1], samples)
    signal /= signal.std()
    for centre in rng.uniform((5.0, 18.0), (12.0, 25.0)):
        signal += 2.0 * np.exp(-((time - centre) ** 2) / 0.18) * np.sin(2.0 * np.pi * 13.0 * time)
    transform = np.fft.rfft(signal)
    powers = np.zeros((bands, samples))
    window = np.hanning(rate) / np.hanning(rate).sum()
    for band in range(bands):  # each 2 Hz wide
        inside = (frequencies >= 2.0 * band) & (frequencies < 2.0 * (band + 1))
        part = np.fft.irfft(np.where(inside, transform, 0.0), samples)
        powers[band] = np.log(np.convolve(part**2, window, mode="same") + 1e-3)
    powers = (powers - powers.mean(axis=1, keepdims=True)) / powers.std(axis=1, keepdims=True)
    return {
        "raw_signal": (signal / signal.std())[None, None].astype(np.float32),
        "spectrogram": powers[None].astype(np.float32),
    }


def characters(rng: np.random.Generator, small: bool) -> Inputs:
    """Character ids for the Chinese tagger."""
    count = 4 if small else 16
    ids = rng.integers(1, 20000, size=(count, 1), dtype=np.int64)
    return {"token_ids": ids, "length": np.array([count], dtype=np.int64)}


def arabic_letters(rng: np.random.Generator, small: bool) -> Inputs:
    """Letter ids for the tool that adds vowel marks."""
    return {"input_ids": rng.integers(1, 40, size=(1, 8 if small else 40), dtype=np.int64)}


def noisy_terrain(rng: np.random.Generator, small: bool) -> Inputs:
    """A height map under noise of a scale between 0.5 and 80, never smaller."""
    sigma = float(np.exp(rng.uniform(np.log(0.5), np.log(80.0))))
    noisy = smooth(rng, 128) - 0.5 + sigma * rng.normal(size=(128, 128))
    return {
        "noisy": noisy[None, None].astype(np.float32),
        "sigma": np.array([sigma], dtype=np.float32),
        "difficulty": rng.random(1).astype(np.float32),
    }


def rectangles(rng: np.random.Generator, small: bool) -> Inputs:
    """A smooth picture with four rectangles of one colour each, 0..255, never smaller."""
    side = 416
    picture = np.stack([60.0 + 120.0 * smooth(rng, side) for _ in range(3)])
    for _ in range(4):
        top, left = rng.integers(20, side - 130, size=2)
        height, width = rng.integers(40, 110, size=2)
        picture[:, top : top + height, left : left + width] = rng.uniform(0.0, 255.0, size=(3, 1, 1))
    return {"images": picture[None].astype(np.float32)}


def atoms(rng: np.random.Generator, small: bool) -> Inputs:
    """A molecule-like graph for the chemical-shift model: a random walk of atoms, six to a residue."""
    count = 12 if small else 60
    residues = count // 6
    steps = rng.normal(size=(count, 3))
    position = np.cumsum(0.8 * steps / np.linalg.norm(steps, axis=1, keepdims=True), axis=0)
    distance = np.linalg.norm(position[:, None] - position[None], axis=2)
    source, target = np.nonzero((distance < 5.0) & ~np.eye(count, dtype=bool))
    residue = np.arange(count) // 6
    apart = np.abs(residue[source] - residue[target])
    kinds = rng.integers(0, 20, size=residues, dtype=np.int64)
    bonded = rng.random(len(source)) < 0.05
    normal = rng.normal(size=(count, 3))
    return {
        "element": rng.integers(0, 5, size=count, dtype=np.int64),
        "amino_acid": kinds[residue],
        "atom_role": rng.integers(0, 10, size=count, dtype=np.int64),
        "bfactor": rng.uniform(5.0, 50.0, size=count).astype(np.float32),
        "edge_index": np.stack([source, target]).astype(np.int64),
        "edge_dist": distance[source, target].astype(np.float32),
        "seq_sep": np.minimum(apart, 31).astype(np.int64),
        "same_residue": (apart == 0).astype(np.float32),
        "target_indices": np.arange(residues * 6, dtype=np.int64).reshape(residues, 6),
        "target_mask": np.ones((residues, 6), dtype=bool),
        "residue_types": kinds,
        "residue_geometry": rng.normal(size=(residues, 52)).astype(np.float32),
        "target_environment": rng.normal(size=(residues, 6, 15)).astype(np.float32),
        "temperature_feature": np.zeros((residues, 1), dtype=np.float32),
        "target_atom_rsasa": rng.random((residues, 6)).astype(np.float32),
        "pos": position.astype(np.float32),
        "node_normal": (normal / np.linalg.norm(normal, axis=1, keepdims=True)).astype(np.float32),
        "is_hbond": bonded.astype(np.float32),
        "hb_cos": np.where(bonded, rng.uniform(-1.0, 1.0, size=len(source)), 0.0).astype(np.float32),
    }


WIDE: dict[str, Recipe] = {
    "text_line": text_line,
    "eeg": eeg,
    "characters": characters,
    "atoms": atoms,
    "arabic_letters": arabic_letters,
    "noisy_terrain": noisy_terrain,
    "rectangles": rectangles,
}
